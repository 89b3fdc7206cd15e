//! Where a session waits for the next run: [`SessionFile`], and [`SessionStore`] for anything else.
//!
//! ```
//! use shadow_core::tencent::DeviceInfo;
//! use shadow_core::Config;
//! use transport_tcp::store::{Durability, SessionFile};
//! use transport_tcp::{NetworkConnector, SystemClock};
//!
//! # let directory = tempfile::tempdir()?;
//! # let path = directory.path().join("lamp.session");
//! let mut file = SessionFile::open(&path)?;
//! let session = file.load()?.unwrap_or_default(); // none yet: the first run
//!
//! let device = DeviceInfo::with_key("PRODUCT001", "lamp", "c2VjcmV0")?;
//! let connector = NetworkConnector::tcp("127.0.0.1", 1883);
//! let (client, events, driver) =
//!     transport_tcp::client(Config::new(&device), session, 42, connector, SystemClock::new());
//! let driver = driver.with_store(file, Durability::EveryChange);
//! # drop((client, events, driver));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What it costs
//!
//! With [`Durability::EveryChange`] the driver saves before each batch of packets and events that a
//! change of the session gave rise to: a report is two saves (it is made and leaves, it is
//! acknowledged), fewer where several come at once, and a link one. [`SessionFile`] syncs twice a
//! save, the file and its directory, which takes from a fraction of a millisecond to some tens by
//! the kind of disk, and writes the whole session, so some kilobytes: mind how often a cheap flash
//! can be written. While it saves, the driver handles nothing else; the application's and the
//! executor's other tasks go on. What came meanwhile is read before deadlines are looked at: an
//! answer that was there in time counts however slow the disk was.

mod contents;
#[cfg(test)]
mod contents_tests;
mod disk;
mod error;
mod saving;
#[cfg(test)]
mod tests;

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use fs4::TryLockError;
use shadow_core::Session;

use self::contents::{Contents, suffixed};
use self::disk::SystemDisk;
pub(crate) use self::disk::private;
pub use self::error::StoreError;
pub(crate) use self::saving::Saving;

/// Keeps a session for the next run. What a [`Driver`](crate::Driver) is given.
pub trait SessionStore: Send + 'static {
    /// Puts `session` in the place of the last one. It may block, unless
    /// [`is_blocking`](Self::is_blocking) says that it does not.
    ///
    /// # Errors
    ///
    /// Why it is not stored. The driver tells the application and tries again.
    fn save(&mut self, session: &Session) -> Result<(), StoreError>;

    /// Whether [`save`](Self::save) may block, which is what is assumed: the driver then calls it on
    /// smol's pool of threads. One that only copies the session, as for a test, answers false, and
    /// is called in the driver's own task, so that nothing depends on another thread.
    fn is_blocking(&self) -> bool {
        true
    }
}

/// When a driver saves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// Whenever something changed that a restart must not forget, and before the packets and events
    /// of that change are handed out: the engine's guarantee holds over a power cut at any moment.
    #[default]
    EveryChange,
    /// At most once in this time, and nothing waits for it. A power cut takes what changed since:
    /// reports that were not acknowledged must be made again, a change of `desired` can come twice
    /// as new, and QoS 1 and 2 messages can be lost or doubled.
    AtMostEvery(Duration),
}

/// A session in a file that survives a crash, or a power cut, in the middle of being written.
///
/// The file holds what [`Session::to_bytes`] gives: a line that says what it is and carries a
/// digest, then JSON. It is replaced as a whole: the new session is written to `{path}.new`, synced,
/// and renamed; then the directory is synced. So after a crash at any step it is the old session or
/// the new one. Only its owner may read it (mode 0600, where there are modes).
///
/// One `SessionFile` at a time: it holds an advisory lock on `{path}.lock`, an empty file that is
/// never deleted, until it is dropped or its process ends, however that ends.
///
/// **What is no session is never overwritten**: [`load`](SessionFile::load) fails then and names the
/// file, and [`save`](SessionFile::save) goes on failing until somebody moves the file away, by hand
/// or with [`discard`](SessionFile::discard).
#[derive(Debug)]
pub struct SessionFile {
    contents: Contents<SystemDisk>,
    /// Whether the file was missing or held a session when it was last looked at. Nobody else has
    /// written it since.
    readable: bool,
    _lock: File,
}

impl SessionFile {
    /// Locks the session file with this path. It need not exist; its directory must.
    ///
    /// # Errors
    ///
    /// [`StoreError::InUse`] when another one has it open; [`StoreError::File`] when the directory
    /// is missing or may not be written; [`StoreError::NoFileName`].
    pub fn open(path: impl AsRef<Path>) -> Result<SessionFile, StoreError> {
        let (path, directory) = resolve(path.as_ref())?;
        let lock_path = suffixed(&path, ".lock");
        let mut options = OpenOptions::new();
        let lock = private(options.write(true).create(true).truncate(false)).open(&lock_path);
        let lock = lock.map_err(|error| StoreError::file("create", &lock_path, &error))?;
        match fs4::FileExt::try_lock(&lock) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StoreError::InUse { path }),
            Err(TryLockError::Error(error)) => {
                return Err(StoreError::file("lock", &lock_path, &error));
            }
        }
        Ok(SessionFile {
            contents: Contents::new(SystemDisk, path, directory),
            readable: false,
            _lock: lock,
        })
    }

    /// Its path, absolute and without symbolic links.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.contents.path()
    }

    /// The session; `None` when there is no file, as before the first run.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unreadable`] or [`StoreError::TooLarge`] when the file holds something else,
    /// or was damaged; [`StoreError::File`] when it cannot be read.
    pub fn load(&mut self) -> Result<Option<Session>, StoreError> {
        self.readable = false;
        let session = match self.contents.read()? {
            Some(bytes) => Some(Session::from_bytes(&bytes).map_err(|error| {
                let path = self.path().to_owned();
                StoreError::Unreadable { path, error }
            })?),
            None => None,
        };
        self.readable = true;
        Ok(session)
    }

    /// Puts `session` in the place of what [`load`](SessionFile::load) would give. On the disk for
    /// good when it returns.
    ///
    /// # Errors
    ///
    /// Those of [`load`](SessionFile::load), as long as that does not succeed;
    /// [`StoreError::File`] when a step fails: the file is then the old session or, should only the
    /// directory's sync have failed, the new one.
    pub fn save(&mut self, session: &Session) -> Result<(), StoreError> {
        if !self.readable {
            self.load()?;
        }
        self.contents.replace(&session.to_bytes())
    }

    /// Makes room for a new session: renames the file, whatever it holds, to `{path}.broken`, or
    /// `{path}.broken-2` and so on where that exists. The new name; `None` when there was no file.
    ///
    /// What the old session knew is then forgotten: reports that were not acknowledged, and which
    /// changes of `desired` the application was told of.
    ///
    /// # Errors
    ///
    /// [`StoreError::File`], or [`StoreError::TooManyBroken`] at the hundredth.
    pub fn discard(&mut self) -> Result<Option<PathBuf>, StoreError> {
        self.contents.move_away()
    }
}

impl SessionStore for SessionFile {
    fn save(&mut self, session: &Session) -> Result<(), StoreError> {
        SessionFile::save(self, session)
    }
}

/// The file that a path names and its directory, whatever links and whichever current directory.
fn resolve(path: &Path) -> Result<(PathBuf, PathBuf), StoreError> {
    let no_file_name = || StoreError::NoFileName { path: path.into() };
    let name = path.file_name().ok_or_else(no_file_name)?;
    let file = match fs::canonicalize(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let directory = match path.parent() {
                Some(parent) if !parent.as_os_str().is_empty() => parent,
                _ => Path::new("."),
            };
            let resolved = fs::canonicalize(directory);
            let resolved = resolved
                .map_err(|error| StoreError::file("use the directory", directory, &error))?;
            resolved.join(name)
        }
        Err(error) => return Err(StoreError::file("look for", path, &error)),
    };
    let directory = file.parent().ok_or_else(no_file_name)?.to_owned();
    Ok((file, directory))
}
