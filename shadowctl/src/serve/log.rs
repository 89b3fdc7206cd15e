//! Where the parts of a server that run side by side write their lines.

use std::cell::RefCell;

use smol::channel::{Receiver, Sender, bounded};
use transport_tcp::Clock;

use super::line::{Line, What};
use crate::failure::Failure;
use crate::output::Output;

/// Writes lines, and keeps the failure to write one for who waits for it.
pub(super) struct Log<'o, K> {
    output: RefCell<&'o mut Output>,
    clock: K,
    /// Whether routine is not worth a line.
    quiet: bool,
    failure: Sender<Failure>,
    failed: Receiver<Failure>,
}

impl<'o, K: Clock> Log<'o, K> {
    pub(super) fn new(output: &'o mut Output, clock: K, quiet: bool) -> Log<'o, K> {
        let (failure, failed) = bounded(1);
        Log {
            output: RefCell::new(output),
            clock,
            quiet,
            failure,
            failed,
        }
    }

    pub(super) fn line(&self, what: What) {
        if self.quiet && what.is_routine() {
            return;
        }
        let time = self.clock.wall_time();
        let time = time.map_or(0, |time| time.as_unix_millis());
        let written = self.output.borrow_mut().result(&Line { time, what });
        if let Err(failure) = written {
            // The first one is enough.
            drop(self.failure.try_send(failure));
        }
    }

    pub(super) fn remark(&self, remark: impl std::fmt::Display) {
        self.output.borrow_mut().remark(remark);
    }

    /// Ends when a line could not be written.
    pub(super) async fn failed(&self) -> Failure {
        let lost = || Failure::operation("the log ended");
        self.failed.recv().await.unwrap_or_else(|_| lost())
    }
}
