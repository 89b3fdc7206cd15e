//! The power is cut between any two operations on the disk, and each of them is refused in turn.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::contents::{Contents, MAXIMUM_SIZE};
use super::disk::{Disk, SystemDisk};
use super::error::StoreError;

/// A disk that remembers what a power cut would take.
///
/// Bytes that were not synced may be there, half there, or not. Names that were made, given and
/// deleted since their directory was synced may be so, each apart from the others.
#[derive(Clone, Debug, Default)]
struct ModelDisk {
    files: Vec<Inode>,
    names: BTreeMap<PathBuf, usize>,
    durable_names: BTreeMap<PathBuf, usize>,
    changes: Vec<Change>,
    /// Operations until the power is cut; none works after that.
    left: Option<usize>,
    /// What this disk only claims to do.
    lies: Lies,
}

#[derive(Clone, Debug, Default)]
struct Inode {
    bytes: Vec<u8>,
    durable: Vec<u8>,
}

/// What happened to names.
#[derive(Clone, Debug)]
enum Change {
    Given(PathBuf, usize),
    Deleted(PathBuf),
    Renamed(PathBuf, PathBuf, usize),
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Lies {
    #[default]
    None,
    Sync,
    SyncDirectory,
}

impl ModelDisk {
    /// One on which a file has these bytes for good.
    fn with(path: &Path, bytes: &[u8]) -> ModelDisk {
        let inode = Inode {
            bytes: bytes.into(),
            durable: bytes.into(),
        };
        let names = BTreeMap::from([(path.to_owned(), 0)]);
        ModelDisk {
            files: vec![inode],
            durable_names: names.clone(),
            names,
            ..ModelDisk::default()
        }
    }

    fn step(&mut self) -> io::Result<()> {
        match &mut self.left {
            Some(0) => return Err(io::Error::other("the power is cut")),
            Some(left) => *left -= 1,
            None => {}
        }
        Ok(())
    }

    fn apply(names: &mut BTreeMap<PathBuf, usize>, change: &Change) {
        match change {
            Change::Given(path, inode) => drop(names.insert(path.clone(), *inode)),
            Change::Deleted(path) => drop(names.remove(path)),
            Change::Renamed(from, to, inode) => {
                names.remove(from);
                names.insert(to.clone(), *inode);
            }
        }
    }

    fn change(&mut self, change: Change) {
        ModelDisk::apply(&mut self.names, &change);
        self.changes.push(change);
    }

    /// All that the disk may hold when the power is back.
    fn after_power_cut(&self) -> Vec<ModelDisk> {
        let mut disks = Vec::new();
        for persisted in 0..1_u32 << self.changes.len() {
            for part in 0..=2 {
                let mut names = self.durable_names.clone();
                for (index, change) in self.changes.iter().enumerate() {
                    if persisted & 1 << index != 0 {
                        ModelDisk::apply(&mut names, change);
                    }
                }
                let files = self.files.iter().map(|inode| {
                    let unsynced = &inode.bytes[inode.durable.len()..];
                    let kept = &unsynced[..unsynced.len() * part / 2];
                    let bytes = [&inode.durable, kept].concat();
                    Inode {
                        durable: bytes.clone(),
                        bytes,
                    }
                });
                disks.push(ModelDisk {
                    files: files.collect(),
                    durable_names: names.clone(),
                    names,
                    ..ModelDisk::default()
                });
            }
        }
        disks
    }
}

impl Disk for ModelDisk {
    type File = usize;

    fn read(&mut self, path: &Path, _: u64) -> io::Result<Vec<u8>> {
        self.step()?;
        match self.names.get(path) {
            Some(inode) => Ok(self.files[*inode].bytes.clone()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn exists(&mut self, path: &Path) -> io::Result<bool> {
        self.step()?;
        Ok(self.names.contains_key(path))
    }

    fn create(&mut self, path: &Path) -> io::Result<usize> {
        self.step()?;
        if self.names.contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        self.files.push(Inode::default());
        let inode = self.files.len() - 1;
        self.change(Change::Given(path.to_owned(), inode));
        Ok(inode)
    }

    fn write(&mut self, file: &mut usize, bytes: &[u8]) -> io::Result<()> {
        self.step()?;
        self.files[*file].bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn sync(&mut self, file: &usize) -> io::Result<()> {
        self.step()?;
        if self.lies != Lies::Sync {
            let inode = &mut self.files[*file];
            inode.durable.clone_from(&inode.bytes);
        }
        Ok(())
    }

    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        self.step()?;
        let inode = *self.names.get(from).ok_or(io::ErrorKind::NotFound)?;
        self.change(Change::Renamed(from.to_owned(), to.to_owned(), inode));
        Ok(())
    }

    fn remove(&mut self, path: &Path) -> io::Result<()> {
        self.step()?;
        if !self.names.contains_key(path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        self.change(Change::Deleted(path.to_owned()));
        Ok(())
    }

    fn sync_directory(&mut self, _: &Path) -> io::Result<()> {
        self.step()?;
        if self.lies != Lies::SyncDirectory {
            self.durable_names.clone_from(&self.names);
            self.changes.clear();
        }
        Ok(())
    }
}

fn contents<D: Disk>(disk: D) -> Contents<D> {
    Contents::new(disk, PathBuf::from("/session"), PathBuf::from("/"))
}

/// Cuts the power after each operation of a save, and looks at all that may be left of it, each
/// time with another save behind it. How many ends were looked at, or the first that is wrong.
fn sweep(disk: &ModelDisk, old: Option<&[u8]>, rounds: u8) -> Result<usize, String> {
    let new = [b"the new session ".as_slice(), &[b'0' + rounds]].concat();
    let mut seen = 0;
    for steps in 0.. {
        let mut cut = disk.clone();
        cut.left = Some(steps);
        let mut file = contents(cut);
        let saved = file.replace(&new);
        let disk = file.into_disk();
        for (number, after) in disk.after_power_cut().into_iter().enumerate() {
            let found = contents(after.clone()).read();
            let is_new = found
                .as_ref()
                .is_ok_and(|found| *found == Some(new.clone()));
            let is_old = found.as_ref().is_ok_and(|found| found.as_deref() == old);
            if !is_new && (saved.is_ok() || !is_old) {
                return Err(format!(
                    "round {rounds}, step {steps}, end {number}: {saved:?}, {found:?}"
                ));
            }
            seen += 1;
            if rounds > 1 {
                let old = found.map_err(|error| error.to_string())?;
                seen += sweep(&after, old.as_deref(), rounds - 1)?;
            }
        }
        if saved.is_ok() && disk.left > Some(0) {
            break;
        }
    }
    Ok(seen)
}

#[test]
fn a_power_cut_leaves_the_old_session_or_the_new() {
    let path = Path::new("/session");
    let (old, empty) = (ModelDisk::with(path, b"old"), ModelDisk::default());
    let ends = [sweep(&old, Some(b"old"), 2), sweep(&empty, None, 2)];
    for ends in ends {
        assert!(ends.unwrap() > 1_000);
    }
}

/// The model finds what is forgotten.
#[test]
fn a_disk_that_does_not_sync_is_found_out() {
    for lies in [Lies::Sync, Lies::SyncDirectory] {
        let mut disk = ModelDisk::with(Path::new("/session"), b"old");
        disk.lies = lies;
        assert!(sweep(&disk, Some(b"old"), 1).is_err(), "{lies:?}");
    }
}

/// The real disk, one operation of which is refused.
#[derive(Debug)]
struct Refusing {
    disk: SystemDisk,
    /// Operations before that one.
    before: usize,
    refused: Option<&'static str>,
}

impl Refusing {
    fn step(&mut self, operation: &'static str) -> io::Result<()> {
        let refuse = self.before == 0 && self.refused.is_none();
        self.before = self.before.saturating_sub(1);
        if !refuse {
            return Ok(());
        }
        self.refused = Some(operation);
        Err(io::ErrorKind::StorageFull.into())
    }
}

impl Disk for Refusing {
    type File = fs::File;

    fn read(&mut self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        self.step("read")?;
        self.disk.read(path, limit)
    }

    fn exists(&mut self, path: &Path) -> io::Result<bool> {
        self.step("look for")?;
        self.disk.exists(path)
    }

    fn create(&mut self, path: &Path) -> io::Result<fs::File> {
        self.step("create")?;
        self.disk.create(path)
    }

    fn write(&mut self, file: &mut fs::File, bytes: &[u8]) -> io::Result<()> {
        // A full disk takes what it has room for.
        let (first, rest) = bytes.split_at(bytes.len() / 2);
        self.disk.write(file, first)?;
        self.step("write")?;
        self.disk.write(file, rest)
    }

    fn sync(&mut self, file: &fs::File) -> io::Result<()> {
        self.step("sync")?;
        self.disk.sync(file)
    }

    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        self.step("rename")?;
        self.disk.rename(from, to)
    }

    fn remove(&mut self, path: &Path) -> io::Result<()> {
        self.step("delete")?;
        self.disk.remove(path)
    }

    fn sync_directory(&mut self, directory: &Path) -> io::Result<()> {
        self.step("sync")?;
        self.disk.sync_directory(directory)
    }
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

#[test]
fn each_operation_may_be_refused() {
    let mut refused = Vec::new();
    for before in 0.. {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("session");
        fs::write(&path, "old").unwrap();
        // What an earlier crash left.
        fs::write(directory.path().join("session.new"), "half of").unwrap();
        let disk = Refusing {
            disk: SystemDisk,
            before,
            refused: None,
        };
        let mut file = Contents::new(disk, path.clone(), directory.path().to_owned());
        let saved = file.replace(b"new");
        let found = fs::read(&path).unwrap();
        let Some(operation) = file.into_disk().refused else {
            assert_eq!((saved, found.as_slice()), (Ok(()), b"new".as_slice()));
            break;
        };
        let saved = saved.unwrap_err();
        let StoreError::File { kind, .. } = &saved else {
            panic!("{saved:?}");
        };
        assert_eq!(*kind, io::ErrorKind::StorageFull);
        let text = saved.to_string();
        let start = format!("cannot {operation} {}", directory.path().display());
        assert!(text.starts_with(&start), "{text}");
        // Only the directory may fail to be synced once the new session has its name.
        let renamed = refused.contains(&"rename") && operation == "sync";
        let kept = if renamed { "new" } else { "old" };
        assert_eq!(found, kept.as_bytes(), "{operation}");
        let left: &[&str] = match operation {
            "delete" => &["session", "session.new"],
            _ => &["session"],
        };
        assert_eq!(names(directory.path()), left, "{operation}");
        refused.push(operation);
    }
    let all = ["delete", "create", "write", "sync", "rename", "sync"];
    assert_eq!(refused, all);
}

#[test]
fn what_is_no_file_or_too_large_is_not_read() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("session");
    let mut file = Contents::new(SystemDisk, path.clone(), directory.path().to_owned());
    assert_eq!(file.read(), Ok(None));

    fs::create_dir(&path).unwrap();
    let error = file.read().unwrap_err();
    let expected = format!("cannot read {}: it is not a regular file", path.display());
    assert_eq!(error.to_string(), expected);
    fs::remove_dir(&path).unwrap();

    // It takes no room on the disk.
    let large = fs::File::create(&path).unwrap();
    large.set_len(MAXIMUM_SIZE + 1).unwrap();
    let too_large = StoreError::TooLarge {
        path,
        limit: MAXIMUM_SIZE,
    };
    assert_eq!(file.read(), Err(too_large.clone()));
    let bytes = vec![0; usize::try_from(MAXIMUM_SIZE).unwrap() + 1];
    assert_eq!(file.replace(&bytes), Err(too_large));
}
