//! The files that one recording is made of.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use shadow_core::recording::Header;

use super::RecordingError;

/// A header has fewer bytes.
const LONGEST_HEADER: u64 = 4_096;

/// The file of one part of a recording whose first part is `first`: the number stands before the
/// last extension.
///
/// ```
/// use std::path::Path;
/// use transport_tcp::recording::part_path;
///
/// let first = Path::new("logs/lamp.jsonl");
/// assert_eq!(part_path(first, 1), first);
/// assert_eq!(part_path(first, 2), Path::new("logs/lamp.2.jsonl"));
/// assert_eq!(part_path(Path::new("lamp"), 13), Path::new("lamp.13"));
/// ```
#[must_use]
pub fn part_path(first: &Path, part: u32) -> PathBuf {
    if part <= 1 {
        return first.to_owned();
    }
    let (mut name, extension) = around_number(first);
    name.push(part.to_string());
    name.push(extension);
    first.with_file_name(name)
}

/// What stands before and behind the number of a part.
fn around_number(first: &Path) -> (OsString, OsString) {
    let mut before = first.file_stem().unwrap_or_default().to_owned();
    before.push(".");
    let mut behind = OsString::new();
    if let Some(extension) = first.extension() {
        behind.push(".");
        behind.push(extension);
    }
    (before, behind)
}

/// The later parts that there are beside `first`, of whatever recording, in their order.
pub(super) fn later_parts(first: &Path) -> Result<Vec<PathBuf>, RecordingError> {
    let directory = first.parent().unwrap_or(Path::new("."));
    let unusable = |error| RecordingError::file("use the directory", directory, &error);
    let (before, behind) = around_number(first);
    let mut parts = Vec::new();
    for entry in fs::read_dir(directory).map_err(unusable)? {
        let name = entry.map_err(unusable)?.file_name();
        let number = name
            .as_encoded_bytes()
            .strip_prefix(before.as_encoded_bytes())
            .and_then(|rest| rest.strip_suffix(behind.as_encoded_bytes()));
        let number = number.and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
        // As this numbers them: `lamp.02.jsonl` is none.
        if let Some(part @ 2..) = number
            && Some(name.as_os_str()) == part_path(first, part).file_name()
        {
            parts.push(part);
        }
    }
    parts.sort_unstable();
    Ok(parts.into_iter().map(|p| part_path(first, p)).collect())
}

/// Whether the file begins as a recording does.
pub(super) fn is_recording(path: &Path) -> io::Result<bool> {
    let mut line = Vec::new();
    let mut file = BufReader::new(File::open(path)?.take(LONGEST_HEADER));
    file.read_until(b'\n', &mut line)?;
    let line = std::str::from_utf8(&line).ok();
    Ok(line.is_some_and(|line| Header::parse(line).is_ok()))
}
