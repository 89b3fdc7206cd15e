//! `shrink`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::slice;
use std::time::Duration;

use clap::Args;
use conformance::shrink::{
    Condition, Options, Outputs, Progress, Recording, Run, ShrinkError, Shrunk, shrink, shrink_to,
};
use serde::Serialize;
use smol::future::FutureExt;
use tempfile::NamedTempFile;

use crate::count::Count;
use crate::failure::Failure;
use crate::output::{Format, Output};
use crate::session_file::{self, no_recording};

/// What `--help` says first.
pub const ABOUT: &str = "\
Make a recording that fails as small as it can be and still fail

Leaves out inputs, runs what is left through this engine, and asks whether it fails still, until \
nothing more can go. What answers something goes with it: there is no reply without its request, no \
message without its subscription. Then time is left out, and what is left made plainer: documents, \
settings, the stored session. The result is a recording; it replays.

What failing is, --fails says:

  divergence                      the engine does something else than the recorded one did
  event NAME, packet NAME, outcome NAME, refused, accepted, connect, close, deadline
                                  there is such an output, as in a recording: event EventsLost,
                                  packet PUBLISH, outcome TimedOut
  .. PATH OP VALUE, ..            in which all of this holds, too; OP is == != < <= > >= or ~, which
                                  looks for a text; a PATH alone has to be there; a \"text\" alone
                                  has to be in the line
  \"text\"                          any output has the text in its line
  count(OUTPUT) OP N              there are so many of them
  unended, unsynchronized         a request did not end; no shadow is Ready on the last link
  A and B, A or B, not A, (A)     as usual
  A then B                        B holds of what comes behind that by which A held

What is not in the condition can get lost: say what makes the failure the one that you look for.";

/// What `--help` says last.
pub const EXAMPLES: &str = "\
Examples:
  shadowctl shrink lamp.jsonl -o small.jsonl         where does this engine differ?
  shadowctl shrink lamp.jsonl --fails 'event EventsLost'
  shadowctl shrink lamp.jsonl --fails 'packet PUBLISH payload.state.reported.power == true then \
outcome TimedOut'
  shadowctl shrink lamp.jsonl --fails 'count(event Disconnected kind == \"Refused\") >= 3'
  shadowctl shrink lamp.jsonl --fails-command './reproduces {}'

The recording goes to stdout, or to the file of -o; how small it has become, to stderr. With \
--output json and -o, stdout has {\"before\":N,\"after\":N,\"runs\":N,\"complete\":true}.";

/// Arguments of `shrink`.
#[derive(Args, Clone, Debug)]
pub struct ShrinkArguments {
    /// The recording; several files are its parts, in order
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,

    /// What has to hold for it to fail
    #[arg(long, value_name = "CONDITION", default_value = "divergence")]
    pub fails: Condition,

    /// Ask a shell command instead: it fails if the command ends with another code than 0. {} is the
    /// file. 125 means that it cannot be told, as for `git bisect run`
    #[arg(long, value_name = "COMMAND", conflicts_with = "fails")]
    pub fails_command: Option<String>,

    /// How long that command may take, in seconds; then it does not fail
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 60,
        value_parser = clap::value_parser!(u64).range(1..=86_400),
        requires = "fails_command"
    )]
    pub timeout: u64,

    /// Stop after so many runs
    #[arg(long, value_name = "N", default_value_t = Options::default().runs)]
    pub runs: u64,

    /// Leave seed, settings and stored session as they are
    #[arg(long)]
    pub keep_start: bool,

    /// Write the recording to this file
    #[arg(short = 'o', long = "out", value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// Shrinks a recording and prints it.
///
/// # Errors
///
/// * [`FailureKind::InputFile`](crate::failure::FailureKind::InputFile): a file that cannot be read or is no recording.
/// * [`FailureKind::Operation`](crate::failure::FailureKind::Operation): the recording does not fail, the command cannot be run, or the
///   result cannot be written.
pub fn run(arguments: &ShrinkArguments, output: &mut Output) -> Result<(), Failure> {
    let recording = Recording::read(session_file::recording_parts(&arguments.files)?)
        .map_err(|error| no_recording(&error))?;
    if let Some(path) = &arguments.out {
        let read = session_file::read_files(&arguments.files);
        session_file::refuse_to_replace(slice::from_ref(path), &read)?;
    }
    let options = Options {
        runs: arguments.runs.max(1),
        keep_start: arguments.keep_start,
    };
    let mut least = usize::MAX;
    let progress = |Progress { runs, inputs }: Progress| {
        // Now and then: whenever half of them have gone.
        if inputs <= least / 2 {
            least = inputs;
            let (inputs, runs) = (Count(inputs, "input"), Count(runs, "run"));
            output.remark(format_args!("{inputs} left after {runs}"));
        }
    };
    let shrunk = match &arguments.fails_command {
        None => shrink_to(&recording, &arguments.fails, &options, progress),
        Some(command) => {
            let mut question = Question::new(command, Duration::from_secs(arguments.timeout))?;
            let shrunk = shrink(&recording, &options, |run| question.ask(run), progress);
            if let Some(failure) = question.failure {
                return Err(failure);
            }
            shrunk
        }
    };
    let shrunk = shrunk.map_err(|error| match error {
        ShrinkError::Read(error) => no_recording(&error),
        ShrinkError::Gone if arguments.fails_command.is_some() => Failure::operation(
            "the command does not fail for the recording when this engine gets its inputs",
        ),
        ShrinkError::Same => {
            Failure::operation(format_args!("{error}; name a failure with --fails"))
        }
        ShrinkError::HoldsNot => {
            let outputs = Outputs::of(&recording);
            Failure::operation(format_args!("{error}. It has {outputs}"))
        }
        error => Failure::operation(error),
    })?;
    write(arguments.out.as_deref(), &shrunk, output)
}

#[derive(Serialize)]
struct Summary {
    before: usize,
    after: usize,
    runs: u64,
    complete: bool,
}

fn write(out: Option<&Path>, shrunk: &Shrunk, output: &mut Output) -> Result<(), Failure> {
    let Shrunk {
        recording,
        before,
        after,
        runs,
        complete,
    } = shrunk;
    match out {
        None => output.lines(recording)?,
        Some(path) => {
            session_file::write(path, recording.as_bytes())?;
            if output.format() == Format::Json {
                output.json(&Summary {
                    before: *before,
                    after: *after,
                    runs: *runs,
                    complete: *complete,
                })?;
            }
        }
    }
    output.remark(format_args!(
        "from {} to {after} in {}",
        Count(*before, "input"),
        Count(*runs, "run")
    ));
    if !complete {
        output.remark("more might go: the search was stopped by --runs");
    }
    Ok(())
}

/// A command that is asked whether a recording fails.
struct Question<'a> {
    command: &'a str,
    timeout: Duration,
    /// Where the recordings are written, one after the other.
    file: NamedTempFile,
    /// Why it cannot be asked.
    failure: Option<Failure>,
}

impl<'a> Question<'a> {
    fn new(command: &'a str, timeout: Duration) -> Result<Question<'a>, Failure> {
        let file = tempfile::Builder::new()
            .prefix("shadowctl-")
            .suffix(".jsonl")
            .tempfile();
        let file = file.map_err(|error| {
            Failure::operation(format_args!("cannot make a temporary file: {error}"))
        })?;
        Ok(Question {
            command,
            timeout,
            file,
            failure: None,
        })
    }

    /// Whether a run fails. Once it cannot be told why, none does.
    fn ask(&mut self, run: &Run) -> bool {
        if self.failure.is_some() {
            return false;
        }
        match self.run(run.recording()) {
            Ok(fails) => fails,
            Err(failure) => {
                self.failure = Some(failure);
                false
            }
        }
    }

    fn run(&mut self, recording: &str) -> Result<bool, Failure> {
        let written = std::fs::File::create(self.file.path())
            .and_then(|mut file| file.write_all(recording.as_bytes()));
        written.map_err(|error| {
            Failure::operation(format_args!("cannot write a temporary file: {error}"))
        })?;
        let path = self.file.path().display().to_string();
        let (shell, option, path) = if cfg!(windows) {
            ("cmd", "/C", format!("\"{path}\""))
        } else {
            ("sh", "-c", format!("'{}'", path.replace('\'', r"'\''")))
        };
        let command = if self.command.contains("{}") {
            self.command.replace("{}", &path)
        } else {
            format!("{} {path}", self.command)
        };
        let cannot = |error: &dyn std::fmt::Display| {
            Failure::operation(format_args!("cannot run the command: {error}"))
        };
        let mut child = smol::process::Command::new(shell)
            .args([option, &command])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| cannot(&error))?;
        let ended = async { Some(child.status().await) };
        let late = async {
            smol::Timer::after(self.timeout).await;
            None
        };
        let Some(status) = smol::block_on(ended.or(late)) else {
            return Ok(false);
        };
        match status.map_err(|error| cannot(&error))?.code() {
            Some(0 | 125) => Ok(false),
            Some(code @ (126 | 127)) => Err(cannot(&format_args!("it ended with code {code}"))),
            Some(code) if (1..=127).contains(&code) => Ok(true),
            Some(code) => Err(cannot(&format_args!("it ended with code {code}"))),
            None => Err(cannot(&"it was ended by a signal")),
        }
    }
}
