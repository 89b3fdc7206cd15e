//! `completions`.

use clap::CommandFactory;

use crate::arguments::{Arguments, CompletionsArguments};
use crate::failure::Failure;
use crate::output::Output;

/// Prints a completion script.
///
/// # Errors
///
/// [`Failure::output`].
pub fn run(arguments: &CompletionsArguments, output: &mut Output) -> Result<(), Failure> {
    let mut script = Vec::new();
    let mut command = Arguments::command();
    clap_complete::generate(arguments.shell, &mut command, "shadowctl", &mut script);
    output.verbatim(&script)
}
