//! Playing a chapter.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use crate::block::{Block, How, blocks};
use crate::links;
use crate::printed;
use crate::shims;

/// How long a program in the background may take until it is ready, and a block until it ends.
const PATIENCE: Duration = Duration::from_secs(60);

/// Does what the chapter says; the first thing that goes otherwise.
pub(crate) fn play(path: &Path) -> Result<(), String> {
    go_through(path, |_| {})
}

/// Looks at a page's commands without running them.
pub(crate) fn look(path: &Path) -> Result<(), String> {
    go_through(path, |block| block.how = How::Look)
}

fn go_through(path: &Path, change: impl Fn(&mut Block)) -> Result<(), String> {
    let text = fs::read_to_string(path).map_err(|error| error.to_string())?;
    links::check(path, &text).map_err(|error| format!("{}: {error}", path.display()))?;
    let mut stage = Stage::new().map_err(|error| error.to_string())?;
    for mut block in blocks(&text)? {
        change(&mut block);
        let done = stage.play(&block);
        done.map_err(|error| format!("{}:{}: {error}", path.display(), block.line))?;
    }
    Ok(())
}

/// Where a chapter's commands run.
struct Stage {
    directory: TempDir,
    background: Vec<Child>,
    port: Option<String>,
}

impl Stage {
    fn new() -> std::io::Result<Stage> {
        let directory = TempDir::new()?;
        let place = directory.path();
        shims::write(&place.join(".real"), &place.join(".listening"))?;
        // As in a clone.
        fs::create_dir(place.join("conformance"))?;
        let fixtures = repository().join("conformance/fixtures");
        symlink(fixtures, place.join("conformance/fixtures"))?;
        Ok(Stage {
            directory,
            background: Vec::new(),
            port: None,
        })
    }

    fn play(&mut self, block: &Block) -> Result<(), String> {
        match block.how {
            How::Run { code } => {
                let printed = self.run(&block.commands, code)?;
                let shown = block.printed.as_deref();
                shown.map_or(Ok(()), |shown| printed::compare(shown, &printed))
            }
            How::Background => self.start(block),
            How::Look => {
                let calls = self.directory.path().join(".calls");
                drop(fs::remove_file(&calls));
                let mut command = self.command(".listening", &block.commands);
                // What a listener cannot do, such as `cd` into a clone, does not matter.
                command.stdout(Stdio::null()).stderr(Stdio::null());
                command.status().map_err(|error| error.to_string())?;
                let calls = fs::read_to_string(calls).unwrap_or_default();
                shims::check(&calls, &repository())
            }
        }
    }

    /// Runs commands to their end; what they print.
    fn run(&self, commands: &str, code: i32) -> Result<String, String> {
        let mut command = self.command(".real", &format!("set -eu\n{commands}"));
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let output = command.output().map_err(|error| error.to_string())?;
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        let complaints = String::from_utf8_lossy(&output.stderr);
        if output.status.code() == Some(code) {
            Ok(self.at_usual_port(&printed))
        } else {
            let status = output.status;
            Err(format!("{status} of\n{commands}\n{printed}\n{complaints}"))
        }
    }

    /// Starts a command that stays, and waits until it is ready and has printed what the guide shows.
    fn start(&mut self, block: &Block) -> Result<(), String> {
        let mut command = self.command(".real", &format!("exec {}", block.commands));
        let complaints = self.directory.path().join(".complaints");
        let complaints_file = File::create(&complaints).map_err(|error| error.to_string())?;
        command.stdout(Stdio::piped()).stderr(complaints_file);
        let mut child = command.spawn().map_err(|error| error.to_string())?;
        let output: Option<Box<dyn Read + Send>> =
            child.stdout.take().map(|out| Box::new(out) as _);
        self.background.push(child);
        let (sender, lines) = channel();
        let output = output.ok_or("no output")?;
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                // Nobody listens once it is ready.
                drop(sender.send(line));
            }
        });
        let mut printed = String::new();
        loop {
            let line = lines.recv_timeout(PATIENCE).map_err(|error| match error {
                RecvTimeoutError::Timeout => format!("not as shown, but\n{printed}"),
                RecvTimeoutError::Disconnected => {
                    let complaints = fs::read_to_string(&complaints).unwrap_or_default();
                    format!("it ended, after\n{printed}{complaints}")
                }
            })?;
            if let Some((_, after)) = line.split_once("listening on 127.0.0.1:") {
                let port = after.split(' ').next().unwrap_or_default().to_owned();
                fs::write(self.directory.path().join(".port"), &port)
                    .map_err(|error| error.to_string())?;
                self.port = Some(port);
            }
            printed.push_str(&self.at_usual_port(&line));
            printed.push('\n');
            let ready = match &block.printed {
                Some(shown) => printed::compare(shown, &printed).is_ok(),
                None => ["listening on", "caught up"]
                    .iter()
                    .any(|word| line.contains(word)),
            };
            if ready {
                return Ok(());
            }
        }
    }

    fn command(&self, shims: &str, commands: &str) -> Command {
        let place = self.directory.path();
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = Command::new("sh");
        command
            .args(["-c", commands])
            .current_dir(place)
            .stdin(Stdio::null())
            .env("PATH", format!("{}:{path}", place.join(shims).display()))
            .env("GUIDE_SHADOWCTL", env!("CARGO_BIN_EXE_shadowctl"))
            .env("GUIDE_PORT", place.join(".port"))
            .env("GUIDE_CALLS", place.join(".calls"));
        for variable in ["RUST_LOG", "CLICOLOR_FORCE", "NO_COLOR", "COLUMNS"] {
            command.env_remove(variable);
        }
        command
    }

    /// As it reads where the server has the port that the guide means.
    fn at_usual_port(&self, printed: &str) -> String {
        match &self.port {
            Some(port) => printed.replace(&format!(":{port}"), ":1883"),
            None => printed.to_owned(),
        }
    }
}

/// The last one first: a device before its server.
impl Drop for Stage {
    fn drop(&mut self) {
        while let Some(mut child) = self.background.pop() {
            drop(child.kill());
            drop(child.wait());
        }
    }
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
