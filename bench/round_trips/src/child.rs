//! The processes that a measurement is made of, none of which is waited for without end.

use std::io::{self, BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use crate::Failure;
use crate::tally::{Task, Trips};

/// How long a process may take: a server until it listens, a client for all of its task, which is
/// a login, [`WARM_UP_PERIOD`](crate::tally::WARM_UP_PERIOD) and [`PERIOD`](crate::tally::PERIOD).
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// How much of what a process writes is read: many times what any of them has to say.
const MAXIMUM_OUTPUT: u64 = 1024 * 1024;

/// A process that is ended with its value.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
}

impl Process {
    /// Starts it.
    pub(crate) fn start(command: &mut Command) -> Result<Process, Failure> {
        let child = command.stdin(Stdio::piped()).spawn()?;
        Ok(Process { child })
    }

    /// Whether it has ended by itself.
    pub(crate) fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Its status, if it ends by then.
    fn status(&mut self, deadline: Instant) -> io::Result<Option<ExitStatus>> {
        loop {
            let status = self.child.try_wait()?;
            if status.is_some() || Instant::now() >= deadline {
                return Ok(status);
            }
            // Whoever has closed its output is about to end: nothing is measured meanwhile.
            thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// This program in another role.
pub(crate) fn myself(role: &[&str]) -> Result<Command, Failure> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(role);
    Ok(command)
}

/// Starts a server that says on its first line which port it listens on; ends it if it does not
/// within `patience`.
pub(crate) fn listening(
    command: &mut Command,
    patience: Duration,
) -> Result<(Process, u16), Failure> {
    let mut process = Process::start(command.stdout(Stdio::piped()))?;
    let line = on_a_thread(process.child.stdout.take(), |output| {
        let mut line = String::new();
        let mut output = BufReader::new(output.take(MAXIMUM_OUTPUT));
        output.read_line(&mut line).map(|_| line)
    });
    let port = match line.recv_timeout(patience) {
        Ok(line) => line?.trim().parse().ok(),
        Err(_) => None,
    };
    let role = command.get_args().next().unwrap_or_default().display();
    let failure = || format!("{role} does not listen after {patience:?}");
    Ok((process, port.ok_or_else(failure)?))
}

/// Has a client do a task, and reads from its output how it went.
pub(crate) fn trips(command: &mut Command, task: &Task) -> Result<Trips, Failure> {
    command.arg(task.port.to_string());
    command.arg(task.operation.name());
    command.arg(task.in_flight.to_string());
    command.stdout(Stdio::piped()).stderr(Stdio::inherit());
    let output = output(command, PATIENCE)?;
    if !output.status.success() {
        return Err(format!("it ended with {}", output.status).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Runs a process without input to its end, and has what it wrote to those of its outputs that the
/// command makes pipes; ends it if it has not ended after `patience`.
pub(crate) fn output(command: &mut Command, patience: Duration) -> Result<Output, Failure> {
    let deadline = Instant::now() + patience;
    let child = command.stdin(Stdio::null()).spawn()?;
    let mut process = Process { child };
    let stdout = on_a_thread(process.child.stdout.take(), read_all);
    let stderr = on_a_thread(process.child.stderr.take(), read_all);
    let late = || format!("it had not ended after {patience:?}");
    let rest = || deadline.saturating_duration_since(Instant::now());
    let stdout = stdout.recv_timeout(rest()).map_err(|_| late())??;
    let stderr = stderr.recv_timeout(rest()).map_err(|_| late())??;
    let status = process.status(deadline)?.ok_or_else(late)?;
    Ok(Output {
        status,
        stdout,
        stderr,
    })
}

/// Reads on a thread of its own, which nobody waits for: it ends when the pipe does. What is no
/// pipe gives nothing.
fn on_a_thread<P, T>(pipe: Option<P>, read: fn(P) -> io::Result<T>) -> Receiver<io::Result<T>>
where
    P: Send + 'static,
    T: Default + Send + 'static,
{
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || drop(sender.send(pipe.map_or(Ok(T::default()), read))));
    receiver
}

fn read_all(pipe: impl Read) -> io::Result<Vec<u8>> {
    let mut all = Vec::new();
    pipe.take(MAXIMUM_OUTPUT).read_to_end(&mut all)?;
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_millis(100);
    /// Much less than the processes would take.
    const SOON: Duration = Duration::from_secs(30);

    fn shell(line: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", line]);
        command
    }

    #[test]
    fn a_process_that_does_not_end_is_ended() {
        // The second one says that it has nothing more to say, and goes on.
        for line in ["exec sleep 60", "exec sleep 60 >&-"] {
            let begun = Instant::now();
            let mut command = shell(line);
            let failure = output(command.stdout(Stdio::piped()), SHORT).unwrap_err();
            assert_eq!(failure.to_string(), "it had not ended after 100ms");
            assert!(begun.elapsed() < SOON, "{line}");
        }
    }

    #[test]
    fn a_server_that_says_nothing_is_ended() {
        let begun = Instant::now();
        let failure = listening(Command::new("sleep").arg("60"), SHORT).unwrap_err();
        assert_eq!(failure.to_string(), "60 does not listen after 100ms");
        assert!(begun.elapsed() < SOON);
    }

    #[test]
    fn a_server_listens_where_it_says() {
        let mut command = shell("echo 1883; exec sleep 60");
        let (mut process, port) = listening(&mut command, SOON).unwrap();
        assert_eq!(port, 1883);
        assert!(!process.has_ended());
    }

    #[test]
    fn what_a_process_writes_and_how_it_ends_is_told() {
        let mut command = shell("echo out; echo err >&2; exit 3");
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let output = output(&mut command, SOON).unwrap();
        assert_eq!(output.stdout, b"out\n");
        assert_eq!(output.stderr, b"err\n");
        assert_eq!(output.status.code(), Some(3));
    }
}
