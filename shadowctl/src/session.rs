//! What a device command keeps from run to run.

use std::path::PathBuf;

use clap::Args;
use shadow_core::Session;
use shadow_core::tencent::ShadowName;
use transport_tcp::Driver;
use transport_tcp::store::{Durability, SessionFile, StoreError};

use crate::failure::{Failure, FailureKind};

/// Where the device's session is kept.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Session")]
pub struct SessionOptions {
    /// Keep the device's session in this file from run to run; one for each device
    #[arg(long, value_name = "FILE")]
    pub session: Option<PathBuf>,
}

/// A session, and the file that it came from.
#[derive(Debug, Default)]
pub struct KeptSession {
    /// New where there is no file yet, or none was named.
    pub session: Session,
    /// Where to keep it.
    pub store: SessionKeeper,
}

/// The file that a session is kept in, if any.
#[derive(Debug, Default)]
pub struct SessionKeeper(Option<SessionFile>);

impl SessionOptions {
    /// Opens the file and loads the session, which may be none yet.
    ///
    /// # Errors
    ///
    /// [`FailureKind::InputFile`], naming the file: it is in use, cannot be read or made, or holds
    /// something else.
    pub fn load(&self) -> Result<KeptSession, Failure> {
        let Some(path) = &self.session else {
            return Ok(KeptSession::default());
        };
        let mut file = SessionFile::open(path).map_err(|error| failure(&error))?;
        let session = file.load().map_err(|error| failure(&error))?;
        Ok(KeptSession {
            session: session.unwrap_or_default(),
            store: SessionKeeper(Some(file)),
        })
    }
}

impl KeptSession {
    /// Whether it is new or this device's.
    ///
    /// # Errors
    ///
    /// [`FailureKind::InputFile`], naming the file and whose it is.
    pub fn check(&self, device: &ShadowName) -> Result<(), Failure> {
        let mut names = self.session.shadows();
        let Some(first) = names.next() else {
            return Ok(());
        };
        if first == device || names.any(|name| name == device) {
            return Ok(());
        }
        let path = self.store.0.as_ref().map(|file| file.path().display());
        let path = path.map_or_else(String::new, |path| path.to_string());
        Err(Failure::new(
            FailureKind::InputFile,
            format!(
                "{path}: the session of {first}, not of {device}: give each device a file of its own"
            ),
        ))
    }
}

impl SessionKeeper {
    /// Has the driver keep the session there.
    pub fn keep<C: transport_tcp::Connector, K: transport_tcp::Clock>(
        self,
        driver: Driver<C, K>,
    ) -> Driver<C, K> {
        match self.0 {
            Some(file) => driver.with_store(file, Durability::EveryChange),
            None => driver,
        }
    }

    /// Keeps a session there now.
    ///
    /// # Errors
    ///
    /// [`FailureKind::InputFile`], naming the file: it cannot be written.
    pub fn save(&mut self, session: &Session) -> Result<(), Failure> {
        let saved = self.0.as_mut().map(|file| file.save(session));
        saved.unwrap_or(Ok(())).map_err(|error| failure(&error))
    }
}

fn failure(error: &StoreError) -> Failure {
    Failure::new(FailureKind::InputFile, error.to_string())
}
