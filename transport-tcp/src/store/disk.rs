//! The few operations on files that a store is made of.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;

/// A file system, one operation at a time, so that a test can fail each of them, or cut the power
/// after it.
pub(super) trait Disk: Send + 'static {
    /// A file that is being written.
    type File;

    /// What a file holds, but no more than its first `limit` bytes. An error for what is no file.
    fn read(&mut self, path: &Path, limit: u64) -> io::Result<Vec<u8>>;

    /// Whether there is anything of that name.
    fn exists(&mut self, path: &Path) -> io::Result<bool>;

    /// Makes a file that only its owner may read. An error if there is anything of that name.
    fn create(&mut self, path: &Path) -> io::Result<Self::File>;

    /// Appends to a file.
    fn write(&mut self, file: &mut Self::File, bytes: &[u8]) -> io::Result<()>;

    /// Done when a power cut can no longer take what was written.
    fn sync(&mut self, file: &Self::File) -> io::Result<()>;

    /// Gives a file another name, and takes that name from what had it: in one step.
    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()>;

    /// Deletes a file.
    fn remove(&mut self, path: &Path) -> io::Result<()>;

    /// Done when a power cut can no longer undo what was made, renamed and deleted in there.
    fn sync_directory(&mut self, directory: &Path) -> io::Result<()>;
}

/// The operating system's.
#[derive(Debug)]
pub(super) struct SystemDisk;

impl Disk for SystemDisk {
    type File = File;

    fn read(&mut self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        // Before it is opened: opening a pipe waits for who writes into it.
        if !fs::metadata(path)?.is_file() {
            let kind = io::ErrorKind::InvalidInput;
            return Err(io::Error::new(kind, "it is not a regular file"));
        }
        let mut bytes = Vec::new();
        File::open(path)?.take(limit).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn exists(&mut self, path: &Path) -> io::Result<bool> {
        match fs::symlink_metadata(path) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn create(&mut self, path: &Path) -> io::Result<File> {
        let mut options = OpenOptions::new();
        private(options.write(true).create_new(true)).open(path)
    }

    fn write(&mut self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        file.write_all(bytes)
    }

    fn sync(&mut self, file: &File) -> io::Result<()> {
        file.sync_all()
    }

    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&mut self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    #[cfg(unix)]
    fn sync_directory(&mut self, directory: &Path) -> io::Result<()> {
        File::open(directory)?.sync_all()
    }

    /// Windows has no such operation; NTFS journals its names.
    #[cfg(not(unix))]
    fn sync_directory(&mut self, _: &Path) -> io::Result<()> {
        Ok(())
    }
}

/// Files that these options make are their owner's alone (mode 0600), where the system has modes.
pub(crate) fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}
