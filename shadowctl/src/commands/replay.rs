//! `replay`.

mod imported;
mod recorded;
mod steps;

use crate::arguments::{ReplayArguments, Speed};
use crate::failure::Failure;
use crate::output::Output;
use crate::session_file::{FileKind, Source};

/// Replays a recording, or imports logs or captures, whichever the files are by their content.
///
/// # Errors
///
/// * [`FailureKind::InputFile`](crate::failure::FailureKind::InputFile): a file that cannot be read,
///   or is not of its form; logs that are not of one session, parts that are not of one recording.
/// * [`FailureKind::Operation`](crate::failure::FailureKind::Operation): the replay differs from the
///   recording, or something in the logs or captures is unexplained.
/// * [`FailureKind::Usage`](crate::failure::FailureKind::Usage): an option that the files have no
///   use for.
pub fn run(arguments: &ReplayArguments, output: &mut Output) -> Result<(), Failure> {
    let mut kind = None;
    let sources = Source::look_at_all(&arguments.files)?;
    for source in &sources {
        let found = source.kind();
        // A recording's last part can have been begun only.
        let is_begun = source.is_empty() && kind == Some(FileKind::Recording);
        if *kind.get_or_insert(found) != found && !is_begun {
            return Err(Failure::usage(format_args!(
                "{}: this is {found}, and the file before is not",
                source.path().display()
            )));
        }
    }
    match kind {
        Some(FileKind::Recording) if arguments.step => {
            refuse_pipes("--step", &sources)?;
            steps::run(arguments, output)
        }
        Some(FileKind::Recording) if arguments.to_test => {
            refuse_pipes("--to-test", &sources)?;
            recorded::write_test(arguments, output)
        }
        Some(FileKind::Recording) => match arguments.speed {
            Speed::Max => recorded::run(arguments, sources, output),
            Speed::Real => recorded::watch(arguments, sources, output),
        },
        other => {
            let options = [
                ("--step", arguments.step),
                ("--to-test", arguments.to_test),
                ("--speed", arguments.speed != Speed::Max),
                ("--from", arguments.from.is_some()),
                ("--until", arguments.until.is_some()),
            ];
            if let Some((option, _)) = options.iter().find(|(_, given)| *given) {
                return Err(Failure::usage(format_args!("{option} is for recordings")));
            }
            match other {
                Some(FileKind::Capture) => imported::captures(arguments, sources, output),
                _ => imported::logs(sources, output),
            }
        }
    }
}

/// What reads a recording more than once cannot do so from a pipe.
fn refuse_pipes(option: &str, sources: &[Source]) -> Result<(), Failure> {
    match sources.iter().find(|source| source.is_pipe()) {
        None => Ok(()),
        Some(pipe) => Err(Failure::usage(format_args!(
            "{}: {option} reads it more than once: it needs a file, and this is none",
            pipe.path().display()
        ))),
    }
}
