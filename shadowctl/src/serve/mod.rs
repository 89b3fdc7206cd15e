//! `serve`: the model of the cloud as a server of its own, or behind an existing broker.

mod arguments;
mod broker;
mod example;
mod line;
mod listen;
mod log;
mod tls;

pub(crate) use arguments::{ABOUT, EXAMPLES};
pub use arguments::{Address, ServeArguments};

use crate::failure::Failure;
use crate::output::Output;

/// Runs the command until Ctrl-C.
///
/// # Errors
///
/// * [`FailureKind::InputFile`](crate::failure::FailureKind): a device, certificate, key or
///   password file that is missing or wrong.
/// * [`FailureKind::Operation`](crate::failure::FailureKind): the address cannot be listened on, as
///   when the port is in use; the broker refuses the subscription.
/// * Results that cannot be written.
pub fn run(arguments: &ServeArguments, output: &mut Output) -> Result<(), Failure> {
    match &arguments.broker {
        Some(broker) => broker::run(arguments, broker, output),
        None => listen::run(arguments, output),
    }
}
