//! The files of a device command: what the device keeps, and what is written down of it.

use clap::Args;

use crate::failure::Failure;
use crate::recording::{Recording, RecordingOptions};
use crate::session::{KeptSession, SessionOptions};

/// Which files.
#[derive(Args, Clone, Debug, Default)]
pub struct FileOptions {
    /// What the device keeps.
    #[command(flatten)]
    pub session: SessionOptions,

    /// What is written down.
    #[command(flatten)]
    pub recording: RecordingOptions,
}

/// The files, open; none of them by default.
#[derive(Debug, Default)]
pub struct Files {
    /// The session to begin with, and where to keep it.
    pub session: KeptSession,
    /// Where to record.
    pub recording: Recording,
}

impl FileOptions {
    /// Opens them.
    ///
    /// # Errors
    ///
    /// Those of [`SessionOptions::load`] and [`RecordingOptions::begin`].
    pub fn open(&self) -> Result<Files, Failure> {
        Ok(Files {
            session: self.session.load()?,
            recording: self.recording.begin()?,
        })
    }
}
