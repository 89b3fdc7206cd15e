//! Ctrl-C.

use std::fmt;

use async_signal::{Signal, Signals};
use smol::stream::StreamExt;

use crate::failure::Failure;

/// Ctrl-C, or the signal by which service managers end a program.
///
/// From its making to its end the signals no longer kill the process. It is a value and not a
/// handler that stays for ever; async-signal comes with smol, which is why it is this library.
pub struct Interrupt {
    signals: Signals,
}

impl Interrupt {
    /// Begins to listen.
    ///
    /// # Errors
    ///
    /// [`FailureKind::Operation`](crate::failure::FailureKind::Operation) when the operating system
    /// does not let us.
    pub fn new() -> Result<Interrupt, Failure> {
        #[cfg(unix)]
        let signals = [Signal::Int, Signal::Term];
        #[cfg(not(unix))]
        let signals = [Signal::Int];
        let signals = Signals::new(signals).map_err(|error| {
            Failure::operation(format_args!("cannot listen for Ctrl-C: {error}"))
        })?;
        Ok(Interrupt { signals })
    }

    /// Ends when the signal comes. Dropping the future is harmless.
    pub async fn wait(&mut self) {
        self.signals.next().await;
    }
}

impl fmt::Debug for Interrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Interrupt").finish_non_exhaustive()
    }
}
