//! The example device on embassy: the same [`device`] on a microcontroller, where `board` is what it
//! stands on, and on the host, where that is `host`.
//!
//! `embassy HOST PORT` runs it on the host.
#![cfg_attr(target_os = "none", no_std, no_main)]

extern crate alloc;

#[cfg(target_os = "none")]
mod board;
mod device;
#[cfg(not(target_os = "none"))]
mod host;

#[cfg(target_os = "none")]
use board::start;
#[cfg(not(target_os = "none"))]
use host::start;

use core::fmt;

use embassy_executor::Spawner;
use embedded_io_async::{Error, Read, Write};
use shadow_core::{RequestError, WallTime};

/// What the device stands on.
trait Board {
    /// A connection. A `read` that is dropped before it is done must not have taken any bytes.
    type Stream: Read + Write;
    /// Why there is no connection.
    type Error: Error;
    /// Where the cloud is, in words.
    fn server(&self) -> &str;
    /// Connects to it.
    async fn connect(&mut self) -> Result<Self::Stream, Self::Error>;
    /// The time of day, with which logins are signed.
    fn wall_time(&self) -> WallTime;
    /// A number that differs from run to run.
    fn seed(&self) -> u64;
    /// Prints a line.
    fn print(&self, line: fmt::Arguments<'_>);
    /// Prints what the engine refuses, as it is too long; what the cloud refuses is told by an event.
    fn tell_refused<T>(&self, result: Result<T, RequestError>) {
        if let Err(error) = result {
            self.print(format_args!("refused: {error}"));
        }
    }
}

#[embassy_executor::main]
async fn main(_spawner: Spawner) {
    device::run(start()).await;
}
