//! A session file as its owner sees it.

use std::fs;
use std::path::{Path, PathBuf};

use shadow_core::{Config, Engine, Instant, Session, SessionError};
use tempfile::TempDir;

use super::{SessionFile, StoreError};

/// A session that differs from others.
fn session(seed: u64) -> Session {
    Engine::new(Config::plain("a"), Session::new(), seed, Instant::ZERO).into_session()
}

fn directory() -> (TempDir, PathBuf) {
    let directory = TempDir::new().unwrap();
    let path = fs::canonicalize(directory.path()).unwrap();
    (directory, path)
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

#[test]
fn the_next_run_loads_what_the_last_saved() {
    let (_directory, directory) = directory();
    let path = directory.join("session");
    let mut file = SessionFile::open(&path).unwrap();
    assert_eq!(file.path(), path);
    assert_eq!(file.load(), Ok(None));
    for seed in [1, 2] {
        file.save(&session(seed)).unwrap();
    }
    drop(file);
    let mut file = SessionFile::open(&path).unwrap();
    assert_eq!(file.load(), Ok(Some(session(2))));
    assert_eq!(names(&directory), ["session", "session.lock"]);
}

#[cfg(unix)]
#[test]
fn nobody_else_may_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let (_directory, directory) = directory();
    let path = directory.join("session");
    // Neither a careless mode that it had, nor one that a crash left, is taken over.
    fs::write(&path, session(1).to_bytes()).unwrap();
    fs::write(directory.join("session.new"), "half of").unwrap();
    let everyone = fs::Permissions::from_mode(0o666);
    for name in ["session", "session.new"] {
        fs::set_permissions(directory.join(name), everyone.clone()).unwrap();
    }
    SessionFile::open(&path).unwrap().save(&session(2)).unwrap();
    for name in ["session", "session.lock"] {
        let mode = fs::metadata(directory.join(name)).unwrap().permissions();
        assert_eq!(mode.mode() & 0o777, 0o600, "{name}");
    }
}

#[test]
fn it_is_open_once_at_a_time() {
    let (_directory, directory) = directory();
    let path = directory.join("session");
    let file = SessionFile::open(&path).unwrap();
    let error = SessionFile::open(&path).unwrap_err();
    assert_eq!(error, StoreError::InUse { path: path.clone() });
    let text = error.to_string();
    assert!(text.starts_with(path.to_str().unwrap()), "{text}");
    SessionFile::open(directory.join("other")).unwrap();
    drop(file);
    SessionFile::open(&path).unwrap();
}

#[test]
fn what_is_no_session_is_never_overwritten() {
    let (_directory, directory) = directory();
    let path = directory.join("session");
    fs::write(&path, "my only copy").unwrap();
    let mut file = SessionFile::open(&path).unwrap();
    let unreadable = StoreError::Unreadable {
        path: path.clone(),
        error: SessionError::NotASession,
    };
    // Also when nobody looked before.
    assert_eq!(file.save(&session(1)), Err(unreadable.clone()));
    assert_eq!(file.load(), Err(unreadable.clone()));
    assert_eq!(file.save(&session(1)), Err(unreadable.clone()));
    assert_eq!(fs::read(&path).unwrap(), b"my only copy");
    let text = unreadable.to_string();
    assert!(text.starts_with(path.to_str().unwrap()), "{text}");
    assert!(text.contains("Move the file away"), "{text}");

    let broken = directory.join("session.broken");
    assert_eq!(file.discard(), Ok(Some(broken.clone())));
    assert_eq!(file.discard(), Ok(None));
    assert_eq!(file.load(), Ok(None));
    file.save(&session(1)).unwrap();
    assert_eq!(file.load(), Ok(Some(session(1))));
    assert_eq!(fs::read(&broken).unwrap(), b"my only copy");

    // The next one does not take the place of the first.
    let mut bytes = session(1).to_bytes();
    bytes.pop();
    fs::write(&path, bytes).unwrap();
    let second = directory.join("session.broken-2");
    assert!(matches!(file.load(), Err(StoreError::Unreadable { .. })));
    assert_eq!(file.discard(), Ok(Some(second)));
    assert_eq!(fs::read(&broken).unwrap(), b"my only copy");

    // By hand it works as well.
    fs::write(&path, "x").unwrap();
    assert!(file.load().is_err());
    fs::remove_file(&path).unwrap();
    assert_eq!(file.save(&session(2)), Ok(()));
}

#[test]
fn there_is_an_end_to_what_is_kept() {
    let (_directory, directory) = directory();
    let path = directory.join("session");
    fs::write(&path, "x").unwrap();
    fs::write(directory.join("session.broken"), "").unwrap();
    for number in 2..=99 {
        fs::write(directory.join(format!("session.broken-{number}")), "").unwrap();
    }
    let mut file = SessionFile::open(&path).unwrap();
    let too_many = StoreError::TooManyBroken { path: path.clone() };
    assert_eq!(file.discard(), Err(too_many));
    assert_eq!(fs::read(&path).unwrap(), b"x");
}

#[test]
fn a_directory_that_is_missing_is_named() {
    let (_directory, directory) = directory();
    fs::write(directory.join("file"), "").unwrap();
    for parent in ["missing", "file"] {
        let path = directory.join(parent).join("session");
        let error = SessionFile::open(&path).unwrap_err();
        assert!(matches!(error, StoreError::File { .. }), "{error:?}");
        let text = error.to_string();
        let parent = directory.join(parent);
        assert!(text.contains(parent.to_str().unwrap()), "{text}");
    }
    for path in ["", "/", "a/.."] {
        let error = SessionFile::open(path).unwrap_err();
        assert_eq!(error, StoreError::NoFileName { path: path.into() });
    }
}

/// A link to the file stays one.
#[cfg(unix)]
#[test]
fn links_are_followed() {
    let (_directory, directory) = directory();
    let data = directory.join("data");
    fs::create_dir(&data).unwrap();
    fs::write(data.join("real"), session(1).to_bytes()).unwrap();
    let link = directory.join("session");
    std::os::unix::fs::symlink("data/real", &link).unwrap();
    let mut file = SessionFile::open(&link).unwrap();
    assert_eq!(file.load(), Ok(Some(session(1))));
    file.save(&session(2)).unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs::read(data.join("real")).unwrap(), session(2).to_bytes());
    let open = SessionFile::open(data.join("real"));
    assert!(matches!(open, Err(StoreError::InUse { .. })));
}
