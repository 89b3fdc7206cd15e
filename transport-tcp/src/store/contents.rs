//! The bytes of a file that survive a power cut in the middle of being replaced.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use super::disk::Disk;
use super::error::StoreError;

/// The largest file that is read or written: 64 MiB.
pub(super) const MAXIMUM_SIZE: u64 = 64 * 1024 * 1024;

/// How many files may be kept beside each other that were moved away.
const MAXIMUM_BROKEN: u32 = 99;

/// One file's bytes, which are replaced as a whole or not at all.
///
/// The new ones are written to a file beside it (`.new`), which takes its name once it is safe. A
/// `.new` that a power cut left behind is never read, and makes room for the next.
#[derive(Debug)]
pub(super) struct Contents<D> {
    disk: D,
    path: PathBuf,
    directory: PathBuf,
}

impl<D: Disk> Contents<D> {
    /// Those of the file with this path, in its directory.
    pub(super) fn new(disk: D, path: PathBuf, directory: PathBuf) -> Contents<D> {
        Contents {
            disk,
            path,
            directory,
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    #[cfg(test)]
    pub(super) fn into_disk(self) -> D {
        self.disk
    }

    /// The bytes; `None` when there is no such file.
    pub(super) fn read(&mut self) -> Result<Option<Vec<u8>>, StoreError> {
        match self.disk.read(&self.path, MAXIMUM_SIZE + 1) {
            Ok(bytes) if bytes.len() as u64 > MAXIMUM_SIZE => Err(StoreError::TooLarge {
                path: self.path.clone(),
                limit: MAXIMUM_SIZE,
            }),
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StoreError::file("read", &self.path, &error)),
        }
    }

    /// Replaces the bytes. An error leaves the old ones or the new ones.
    pub(super) fn replace(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        if bytes.len() as u64 > MAXIMUM_SIZE {
            return Err(StoreError::TooLarge {
                path: self.path.clone(),
                limit: MAXIMUM_SIZE,
            });
        }
        let new = suffixed(&self.path, ".new");
        match self.disk.remove(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(StoreError::file("delete", &new, &error));
            }
            _ => {}
        }
        let renamed = self.write(&new, bytes).and_then(|()| {
            let renamed = self.disk.rename(&new, &self.path);
            renamed.map_err(|error| StoreError::file("rename", &new, &error))
        });
        if renamed.is_err() {
            // Half a file would only keep room on a disk that may have none. If it stays it is
            // deleted next time.
            drop(self.disk.remove(&new));
            return renamed;
        }
        self.sync_directory()
    }

    /// Renames the file to the first free name of `.broken`, `.broken-2`, …; that name, or `None`
    /// when there is no file.
    pub(super) fn move_away(&mut self) -> Result<Option<PathBuf>, StoreError> {
        let exists = |disk: &mut D, path: &Path| {
            let exists = disk.exists(path);
            exists.map_err(|error| StoreError::file("look for", path, &error))
        };
        if !exists(&mut self.disk, &self.path)? {
            return Ok(None);
        }
        let mut broken = suffixed(&self.path, ".broken");
        let mut number = 1;
        while exists(&mut self.disk, &broken)? {
            number += 1;
            if number > MAXIMUM_BROKEN {
                let path = self.path.clone();
                return Err(StoreError::TooManyBroken { path });
            }
            broken = suffixed(&self.path, &format!(".broken-{number}"));
        }
        let renamed = self.disk.rename(&self.path, &broken);
        renamed.map_err(|error| StoreError::file("rename", &self.path, &error))?;
        self.sync_directory()?;
        Ok(Some(broken))
    }

    fn write(&mut self, new: &Path, bytes: &[u8]) -> Result<(), StoreError> {
        let file = self.disk.create(new);
        let mut file = file.map_err(|error| StoreError::file("create", new, &error))?;
        let written = self.disk.write(&mut file, bytes);
        written.map_err(|error| StoreError::file("write", new, &error))?;
        let synced = self.disk.sync(&file);
        synced.map_err(|error| StoreError::file("sync", new, &error))
    }

    fn sync_directory(&mut self) -> Result<(), StoreError> {
        let synced = self.disk.sync_directory(&self.directory);
        synced.map_err(|error| StoreError::file("sync", &self.directory, &error))
    }
}

/// A name beside this one.
pub(super) fn suffixed(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}
