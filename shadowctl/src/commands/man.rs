//! `man`.

use std::fs;

use clap::CommandFactory;
use clap_mangen::Man;

use crate::arguments::{Arguments, ManArguments};
use crate::failure::Failure;
use crate::output::Output;

/// Prints the page of `shadowctl`, or writes it and those of all commands into a directory.
///
/// # Errors
///
/// [`Failure::operation`] when a file or the directory cannot be written, [`Failure::output`].
pub fn run(arguments: &ManArguments, output: &mut Output) -> Result<(), Failure> {
    let command = Arguments::command();
    let Some(directory) = &arguments.directory else {
        let mut page = Vec::new();
        let rendered = Man::new(command).render(&mut page);
        rendered.map_err(|error| Failure::output(&error))?;
        return output.verbatim(&page);
    };
    let written =
        fs::create_dir_all(directory).and_then(|()| clap_mangen::generate_to(command, directory));
    written.map_err(|error| Failure::operation(format_args!("{}: {error}", directory.display())))
}
