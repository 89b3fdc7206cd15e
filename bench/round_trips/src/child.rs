//! The processes that a measurement is made of.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};

use crate::Failure;
use crate::tally::{Task, Trips};

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

    /// What it writes, where that was asked for.
    fn output(&mut self) -> Result<BufReader<ChildStdout>, Failure> {
        let output = self.child.stdout.take().ok_or("it has no output")?;
        Ok(BufReader::new(output))
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

/// Starts a server that says on its first line which port it listens on.
pub(crate) fn listening(command: &mut Command) -> Result<(Process, u16), Failure> {
    let mut process = Process::start(command.stdout(Stdio::piped()))?;
    let mut line = String::new();
    process.output()?.read_line(&mut line)?;
    let port = line.trim().parse();
    Ok((
        process,
        port.map_err(|_| format!("{command:?} does not listen"))?,
    ))
}

/// Has a client do a task, and reads from its output how it went.
pub(crate) fn trips(command: &mut Command, task: &Task) -> Result<Trips, Failure> {
    command.arg(task.port.to_string());
    command.arg(task.operation.name());
    command.arg(task.in_flight.to_string());
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()?;
    if !output.status.success() {
        return Err(format!("{command:?} ended with {}", output.status).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}
