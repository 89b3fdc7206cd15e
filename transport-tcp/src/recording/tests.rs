//! What is on the disk, and when.

use std::fs;
use std::io;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use shadow_core::recording::{Header, Mask, Sink};

use super::{RecordingError, RecordingFile, RecordingOptions, RecordingSink, part_path};

/// A header as a recorder writes it, of a recording that masks something.
fn header() -> Header {
    let mask = Mask::keyed([7; 16]).names();
    Header {
        mask,
        ..Header::default()
    }
}

/// Lines of 24 bytes.
fn line(number: u32) -> String {
    format!("{{\"at\":{number:04},\"in\":\"tick\"}}\n")
}

const LINE: u64 = 24;

struct Place {
    directory: tempfile::TempDir,
    path: PathBuf,
}

impl Place {
    fn new() -> Place {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lamp.jsonl");
        Place { directory, path }
    }

    /// The parts that there are, by name, with their text.
    fn parts(&self) -> Vec<(String, String)> {
        let mut parts: Vec<_> = fs::read_dir(self.directory.path())
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                let text = fs::read_to_string(entry.path()).unwrap();
                (entry.file_name().into_string().unwrap(), text)
            })
            .collect();
        parts.sort();
        parts
    }

    /// Writes a header and lines of these numbers.
    fn write(&self, options: RecordingOptions, lines: std::ops::Range<u32>) -> RecordingFile {
        let mut file = RecordingFile::create(&self.path, options).unwrap();
        file.line(&header().to_line());
        for number in lines {
            file.line(&line(number));
        }
        file
    }
}

fn of_size(maximum_size: u64) -> RecordingOptions {
    RecordingOptions {
        maximum_size,
        ..RecordingOptions::default()
    }
}

#[test]
fn a_line_is_in_the_file_as_soon_as_it_was_given() {
    let place = Place::new();
    let mut file = place.write(RecordingOptions::default(), 0..0);
    let mut expected = header().to_line();
    for number in 0..10 {
        file.line(&line(number));
        expected += &line(number);
        assert_eq!(fs::read_to_string(&place.path).unwrap(), expected);
    }
    assert_eq!(file.path(), place.path);
    assert_eq!(file.take_error(), None);
}

/// A part has room for two lines to the byte; with one byte less it has room for one.
#[test]
fn parts_are_filled_to_the_byte() {
    let head = header().to_line().len() as u64;
    for (maximum_size, lines_each) in [(head + 2 * LINE, 2), (head + 2 * LINE - 1, 1)] {
        let place = Place::new();
        place.write(of_size(maximum_size), 0..5);
        let mut numbers = 0..5;
        let mut part = 0;
        while !numbers.is_empty() {
            part += 1;
            let mut expected = Header { part, ..header() }.to_line();
            expected.extend(numbers.by_ref().take(lines_each).map(line));
            let text = fs::read_to_string(part_path(&place.path, part)).unwrap();
            assert_eq!(text, expected, "part {part}");
        }
        assert_eq!(place.parts().len(), part as usize);
    }
}

#[test]
fn a_long_line_is_not_split() {
    let place = Place::new();
    let mut file = place.write(of_size(1), 0..1);
    let long = format!("{{\"at\":1,\"in\":\"{}\"}}\n", "x".repeat(100_000));
    file.line(&long);
    file.line(&line(2));
    let lines = [line(0), long, line(2)];
    for (part, line) in (1..).zip(lines) {
        let text = fs::read_to_string(part_path(&place.path, part)).unwrap();
        assert_eq!(text, Header { part, ..header() }.to_line() + &line);
    }
    assert_eq!(place.parts().len(), 3);
}

#[test]
fn the_newest_parts_are_kept() {
    for (keep, names) in [
        (1, &["lamp.12.jsonl"][..]),
        (3, &["lamp.10.jsonl", "lamp.11.jsonl", "lamp.12.jsonl"]),
    ] {
        let place = Place::new();
        let options = RecordingOptions {
            keep: NonZeroU32::new(keep),
            ..of_size(1)
        };
        let mut file = place.write(options, 0..12);
        let parts = place.parts();
        assert_eq!(parts.iter().map(|part| &part.0).collect::<Vec<_>>(), names);
        assert!(parts[0].1.ends_with(&line(12 - keep)), "{parts:?}");
        assert_eq!(file.take_error(), None);
        // The next is refused for their sake.
        let error = RecordingFile::create(&place.path, options).unwrap_err();
        let path = place.directory.path().join(names[0]);
        assert_eq!(error, RecordingError::Exists { path });
    }
}

#[test]
fn what_is_there_is_not_overwritten_unless_it_is_wanted_and_a_recording() {
    let place = Place::new();
    place.write(of_size(1), 0..3);
    let before = place.parts();
    let error = RecordingFile::create(&place.path, of_size(1)).unwrap_err();
    let path = place.path.clone();
    assert_eq!(error, RecordingError::Exists { path });
    assert!(error.to_string().contains("lamp.jsonl: it exists already"));
    assert_eq!(place.parts(), before);

    let overwrite = RecordingOptions {
        overwrite: true,
        ..RecordingOptions::default()
    };
    let foreign = part_path(&place.path, 7);
    fs::write(&foreign, "my only copy").unwrap();
    let error = RecordingFile::create(&place.path, overwrite).unwrap_err();
    assert_eq!(
        error,
        RecordingError::Foreign {
            path: foreign.clone()
        }
    );
    assert_eq!(place.parts().len(), 4);
    fs::remove_file(foreign).unwrap();

    // These are no parts of it.
    for name in [
        "lamp.02.jsonl",
        "lamp.1.jsonl",
        "lamp.x.jsonl",
        "lamp.2.json",
    ] {
        fs::write(place.directory.path().join(name), "other").unwrap();
    }
    place.write(overwrite, 5..6);
    let text = fs::read_to_string(&place.path).unwrap();
    assert_eq!(text, header().to_line() + &line(5));
    assert_eq!(place.parts().len(), 5);
}

/// As a full disk leaves one.
#[test]
fn an_empty_part_is_overwritten() {
    let place = Place::new();
    place.write(of_size(1), 0..1);
    fs::write(part_path(&place.path, 2), "").unwrap();
    let overwrite = RecordingOptions {
        overwrite: true,
        ..RecordingOptions::default()
    };
    place.write(overwrite, 5..6);
    let expected = header().to_line() + &line(5);
    assert_eq!(place.parts(), [("lamp.jsonl".to_owned(), expected)]);
}

#[test]
fn an_empty_file_is_taken() {
    let place = Place::new();
    fs::write(&place.path, "").unwrap();
    place.write(RecordingOptions::default(), 0..1);
    assert_eq!(place.parts()[0].1, header().to_line() + &line(0));
}

#[cfg(unix)]
#[test]
fn only_its_owner_may_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    fs::write(&place.path, "").unwrap();
    fs::set_permissions(&place.path, fs::Permissions::from_mode(0o666)).unwrap();
    place.write(of_size(1), 0..2);
    for part in [1, 2] {
        let metadata = fs::metadata(part_path(&place.path, part)).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o777, 0o600, "part {part}");
    }
}

#[test]
fn a_path_that_cannot_be_used_is_refused_at_once() {
    let place = Place::new();
    let create =
        |path: &Path| RecordingFile::create(path, RecordingOptions::default()).unwrap_err();
    let missing = place.directory.path().join("missing");
    let error = create(&missing.join("lamp.jsonl"));
    assert!(
        matches!(&error, RecordingError::File { path, kind, .. }
            if *path == missing && *kind == io::ErrorKind::NotFound),
        "{error:?}"
    );
    assert!(error.to_string().contains("missing: "), "{error}");
    let error = create(place.directory.path());
    assert!(error.to_string().contains("not a regular file"), "{error}");
    let error = create(Path::new(".."));
    assert!(
        matches!(error, RecordingError::NoFileName { .. }),
        "{error:?}"
    );
}

/// Nothing is written once something was not, and that is told once.
#[test]
fn an_error_ends_the_recording() {
    // The next part's name is taken behind its back.
    let place = Place::new();
    let mut file = place.write(of_size(1), 0..1);
    let taken = part_path(&place.path, 2);
    fs::write(&taken, "mine").unwrap();
    let before = place.parts();
    for number in 1..4 {
        file.line(&line(number));
    }
    assert_eq!(place.parts(), before);
    let error = file.take_error().unwrap();
    assert!(
        matches!(&error, RecordingError::File { path, kind, .. }
            if *path == taken && *kind == io::ErrorKind::AlreadyExists),
        "{error:?}"
    );
    fs::remove_file(taken).unwrap();
    file.line(&line(4));
    assert_eq!(file.take_error(), None);
    assert_eq!(place.parts().len(), 1);

    // The directory is gone.
    let place = Place::new();
    let mut file = place.write(of_size(1), 0..1);
    fs::remove_dir_all(place.directory.path()).unwrap();
    file.line(&line(1));
    let error = file.take_error().unwrap();
    assert!(error.to_string().contains("lamp.2.jsonl: "), "{error}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_ends_the_recording() {
    let mut file = RecordingFile::create("/dev/full", of_size(1)).unwrap();
    file.line(&header().to_line());
    file.line(&line(0));
    let error = file.take_error().unwrap();
    assert!(
        matches!(&error, RecordingError::File { kind, .. }
            if *kind == io::ErrorKind::StorageFull),
        "{error:?}"
    );
    assert!(error.to_string().starts_with("cannot write /dev/full: "));
    file.line(&line(1));
    assert_eq!(file.take_error(), None);
    // A device has no parts beside it.
    let mut file = RecordingFile::create("/dev/null", of_size(1)).unwrap();
    for _ in 0..3 {
        file.line(&header().to_line());
    }
    assert_eq!(file.take_error(), None);
}
