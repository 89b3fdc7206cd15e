//! The program, run beside a test.

use std::process::Stdio;

use serde_json::Value;
use smol::Task;
use smol::channel::{Receiver, unbounded};
use smol::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use smol::process::{Child, Command};
use smol::stream::StreamExt;

use crate::broker::Broker;
use crate::wait::in_time;

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    /// The one result, in JSON.
    #[track_caller]
    pub(crate) fn result(&self) -> Value {
        assert_eq!(self.code, 0, "{self:#?}");
        serde_json::from_str(&self.stdout).unwrap()
    }

    /// That it failed with this code and these words on stderr.
    #[track_caller]
    pub(crate) fn assert_failed(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, code, "{self:#?}");
        for word in words {
            assert!(self.stderr.contains(word), "no {word:?} in {self:#?}");
        }
        assert!(!self.stderr.contains("panicked"), "{self:#?}");
    }
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_shadowctl"));
    for variable in ["RUST_LOG", "CLICOLOR_FORCE", "NO_COLOR", "COLUMNS"] {
        command.env_remove(variable);
    }
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// Runs it to its end.
pub(crate) async fn run(arguments: &[&str]) -> Run {
    let what = arguments.join(" ");
    let output = in_time(&what, command(arguments).output()).await.unwrap();
    Run {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A command that goes on until it is told to end, and writes JSON lines. Killed when dropped.
pub(crate) struct Running {
    child: Child,
    lines: Receiver<String>,
    _reading: Task<()>,
}

impl Running {
    pub(crate) fn start(arguments: &[&str]) -> Running {
        let mut command = command(arguments);
        let mut child = command.args(["--output", "json"]).spawn().unwrap();
        let (sender, lines) = unbounded();
        let mut read = BufReader::new(child.stdout.take().unwrap()).lines();
        // All the time: a program whose lines nobody reads would stop.
        let _reading = smol::spawn(async move {
            while let Some(line) = read.next().await {
                // Nobody wants it any more.
                drop(sender.send(line.unwrap()).await);
            }
        });
        Running {
            child,
            lines,
            _reading,
        }
    }

    /// Has what it writes thrown away from now on.
    pub(crate) fn discard(&self) {
        self.lines.close();
    }

    /// `serve --broker` at this broker, once it is online.
    pub(crate) async fn serve(broker: &Broker) -> Running {
        let address = format!("127.0.0.1:{}", broker.port);
        let mut running = Running::start(&["serve", "--broker", &address]);
        let online = running.next("online").await;
        assert_eq!(online["broker"], address);
        assert_eq!(online["qos"], 1);
        running
    }

    /// The next line of this kind.
    pub(crate) async fn next(&mut self, event: &str) -> Value {
        self.next_where(event, |_| true).await
    }

    /// The next line of this kind for which `wanted` holds.
    pub(crate) async fn next_where(
        &mut self,
        event: &str,
        wanted: impl Fn(&Value) -> bool,
    ) -> Value {
        in_time(event, async {
            loop {
                let line = self.lines.recv().await;
                let line = line.unwrap_or_else(|_| panic!("it ended before {event}"));
                let line: Value = serde_json::from_str(&line).unwrap();
                if line["event"] == event && wanted(&line) {
                    return line;
                }
            }
        })
        .await
    }

    /// Presses Ctrl-C and waits for the end.
    pub(crate) async fn interrupt(self) -> Run {
        let id = self.child.id().to_string();
        let mut interrupt = Command::new("kill");
        let status = interrupt.args(["-INT", &id]).status().await.unwrap();
        assert!(status.success());
        self.end().await
    }

    /// Waits for the end.
    pub(crate) async fn end(mut self) -> Run {
        in_time("the program's end", async {
            let mut stdout = String::new();
            while let Ok(line) = self.lines.recv().await {
                stdout.push_str(&line);
                stdout.push('\n');
            }
            let mut stderr = String::new();
            let mut errors = self.child.stderr.take().unwrap();
            errors.read_to_string(&mut stderr).await.unwrap();
            let status = self.child.status().await.unwrap();
            Run {
                code: status.code().unwrap(),
                stdout,
                stderr,
            }
        })
        .await
    }
}
