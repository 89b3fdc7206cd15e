//! What a driver's engine did, written down as it happens: [`RecordingFile`], and [`RecordingSink`]
//! for anything else.
//!
//! ```
//! use shadow_core::recording::Mask;
//! use shadow_core::tencent::DeviceInfo;
//! use shadow_core::{Config, Session};
//! use transport_tcp::recording::{RecordingFile, RecordingOptions};
//! use transport_tcp::{NetworkConnector, SystemClock};
//!
//! # let directory = tempfile::tempdir()?;
//! # let path = directory.path().join("lamp.jsonl");
//! let file = RecordingFile::create(&path, RecordingOptions::default())?;
//!
//! let device = DeviceInfo::with_key("PRODUCT001", "lamp", "c2VjcmV0")?;
//! let connector = NetworkConnector::tcp("127.0.0.1", 1883);
//! let (client, events, driver) =
//!     transport_tcp::client(Config::new(&device), Session::new(), 42, connector, SystemClock::new());
//! let driver = driver.with_recording(Mask::default(), file);
//! # drop((client, events, driver));
//! # let text = std::fs::read_to_string(&path)?;
//! # assert!(text.starts_with(r#"{"shadow-recording":1,"#) && text.lines().count() == 2);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The lines, and what is in them, are those of [`shadow_core::recording`]. Secrets never are; the
//! device's values are, unless they are masked.

mod error;
mod file;
mod parts;
#[cfg(test)]
mod tests;

use shadow_core::recording::{Recorder, Sink};

pub use self::error::RecordingError;
pub use self::file::{RecordingFile, RecordingOptions};
pub use self::parts::part_path;

/// The engine of a driver, recorded or not.
pub(crate) type RecordedEngine = Recorder<Box<dyn RecordingSink>>;

/// Where the lines of a recording go. What a [`Driver`](crate::Driver) is given.
///
/// Lines come in the middle of the driver's work, so taking one must not wait for anything slow.
pub trait RecordingSink: Sink + Send + 'static {
    /// Why lines were not written, if that was not asked for before. The driver asks in each turn,
    /// and tells the application ([`Notification::NotRecorded`](crate::Notification)).
    fn take_error(&mut self) -> Option<RecordingError> {
        None
    }
}

/// Grows without bound: for tests, and for what is known to be short.
impl RecordingSink for String {}
