//! `replay`.

mod imported;
mod recorded;
mod steps;

use crate::arguments::{ReplayArguments, Speed};
use crate::failure::Failure;
use crate::output::Output;
use crate::session_file::FileKind;

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
    for path in &arguments.files {
        let found = FileKind::of(path)?;
        if *kind.get_or_insert(found) != found {
            return Err(Failure::usage(format_args!(
                "{}: this is {found}, and the file before is not",
                path.display()
            )));
        }
    }
    match kind {
        Some(FileKind::Recording) if arguments.step => steps::run(arguments, output),
        Some(FileKind::Recording) if arguments.to_test => recorded::write_test(arguments, output),
        Some(FileKind::Recording) => match arguments.speed {
            Speed::Max => recorded::run(arguments, output),
            Speed::Real => recorded::watch(arguments, output),
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
                Some(FileKind::Capture) => imported::captures(arguments, output),
                _ => imported::logs(arguments, output),
            }
        }
    }
}
