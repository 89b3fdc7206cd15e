//! The command line for device shadows, as a library so that tests can call its parts.
//!
//! * [`arguments`]: what can be typed.
//! * [`server`]: which server is meant, and as which device; [`destination`]: it, ready for use.
//! * [`files`]: those of a device: [`session`], what it keeps from run to run, and [`recording`],
//!   what is written down of it.
//! * [`session_file`]: recordings, captures and logs, and which of them a file is.
//! * [`output`]: results on stdout, for people or as JSON lines; remarks on stderr.
//! * [`failure`]: what can go wrong, and the exit code of each.
//! * [`input`]: files that are read whole. [`interrupt`]: Ctrl-C. [`seed`]: what makes one run
//!   differ from another.
//! * [`device`] and [`application`]: the two sides of a shadow; [`embedded`]: a cloud for them.
//! * [`runtime`]: what they run on, in real or virtual time.
//! * [`state`]: state as it is typed; [`document`]: a shadow as it is printed; [`count`]: numbers of
//!   things.
//! * [`commands`], [`demo`], [`fleet`] and [`serve`]: what the commands do.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod application;
pub mod arguments;
pub mod commands;
pub mod count;
pub mod demo;
pub mod destination;
pub mod device;
pub mod document;
pub mod embedded;
pub mod failure;
pub mod files;
pub mod fleet;
pub mod input;
pub mod interrupt;
pub mod output;
pub mod recording;
pub mod runtime;
pub mod seed;
pub mod serve;
pub mod server;
pub mod session;
pub mod session_file;
pub mod state;

use std::env::VarError;
use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::EnvFilter;

use arguments::{Arguments, Command};
use failure::Failure;
use output::Output;

/// Runs the command that `arguments` ask for, the first of which is the program's name.
///
/// Results go to stdout, everything else to stderr; the exit code is that of
/// [`Failure::exit_code`](failure::Failure::exit_code), or 0.
pub fn run(arguments: impl IntoIterator<Item = impl Into<OsString> + Clone>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            // There is nowhere left to say that this could not be printed.
            drop(error.print());
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let mut output = Output::standard(arguments.output);
    match execute(&arguments, &mut output) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output.failure(&failure);
            failure.exit_code()
        }
    }
}

/// Carries out the command while logs go to stderr.
fn execute(arguments: &Arguments, output: &mut Output) -> Result<(), Failure> {
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(log_filter(arguments.verbose)?)
        .with_writer(anstream::stderr)
        .finish();
    // The default of this thread only: nothing global is left behind.
    tracing::subscriber::with_default(subscriber, || dispatch(&arguments.command, output))
}

fn dispatch(command: &Command, output: &mut Output) -> Result<(), Failure> {
    match command {
        Command::Demo(arguments) => demo::run(arguments, output),
        Command::Get(arguments) => commands::get::run(arguments, output),
        Command::Report(arguments) => commands::report::run(arguments, output),
        Command::Desire(arguments) => commands::desire::run(arguments, output),
        Command::ClearDesired(arguments) => commands::clear::desired(arguments, output),
        Command::ClearReported(arguments) => commands::clear::reported(arguments, output),
        Command::Watch(arguments) => commands::watch::run(arguments, output),
        Command::Serve(arguments) => serve::run(arguments, output),
        Command::Fleet(arguments) => fleet::run(arguments, output),
        Command::Replay(arguments) => commands::replay::run(arguments, output),
        Command::Import(arguments) => commands::import::run(arguments, output),
        Command::Diagnose(arguments) => commands::diagnose::run(arguments, output),
        Command::Show(arguments) => commands::show::run(arguments, output),
        Command::Export(arguments) => commands::export::run(arguments, output),
        Command::Shrink(arguments) => commands::shrink::run(arguments, output),
        Command::Completions(arguments) => commands::completions::run(arguments, output),
        Command::Man(arguments) => commands::man::run(arguments, output),
    }
}

/// `RUST_LOG` if it is set, otherwise what the number of `-v` says.
fn log_filter(verbose: u8) -> Result<EnvFilter, Failure> {
    let filter = match (std::env::var("RUST_LOG"), verbose) {
        (Ok(filter), _) => filter,
        (Err(VarError::NotUnicode(_)), _) => {
            return Err(Failure::usage("RUST_LOG: this is not UTF-8"));
        }
        (Err(VarError::NotPresent), 0) => "warn".into(),
        (Err(VarError::NotPresent), 1) => {
            "warn,shadowctl=debug,transport_tcp=debug,transport_mock=debug".into()
        }
        (Err(VarError::NotPresent), _) => {
            "debug,shadowctl=trace,transport_tcp=trace,transport_mock=trace".into()
        }
    };
    EnvFilter::try_new(filter).map_err(|error| Failure::usage(format_args!("RUST_LOG: {error}")))
}
