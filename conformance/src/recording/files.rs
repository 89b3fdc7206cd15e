//! The files of a recording.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use transport_tcp::recording::part_path;

use super::error::ReadError;
use super::reader::{Part, Reader};

/// The last line of a recording, `{"at":N,"in":"end","pending":true}`, has fewer bytes, with the
/// line feed before it.
const LONGEST_END: u64 = 1_024;

/// A recording's files, in order.
///
/// A recording that grew beyond one file went on in the next, beside the first and with a number
/// before the last extension: `lamp.jsonl`, `lamp.2.jsonl`, `lamp.3.jsonl`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    paths: Vec<PathBuf>,
}

impl Files {
    /// The file of the first part, and those of the further parts that lie beside it without a gap.
    ///
    /// Nothing belongs to a recording behind its `end`: what lies beside it then is left of another
    /// that had the same name.
    #[must_use]
    pub fn beginning_with(first: &Path) -> Files {
        let mut paths = Vec::new();
        let mut path = first.to_owned();
        for part in 2..=u32::MAX {
            let next = part_path(first, part);
            let goes_on = path.is_file() && next.is_file() && !is_ended(&path);
            paths.push(path);
            if !goes_on {
                break;
            }
            path = next;
        }
        Files { paths }
    }

    /// These files.
    #[must_use]
    pub fn listed(paths: Vec<PathBuf>) -> Files {
        Files { paths }
    }

    /// Where they are.
    #[must_use]
    pub fn paths(&self) -> &[PathBuf] {
        &self.paths
    }

    /// Opens the first; the others when they are come to.
    ///
    /// # Errors
    ///
    /// [`ReadError`]: the first cannot be opened, or is no recording.
    pub fn open(&self) -> Result<Reader<'static>, ReadError> {
        Reader::new(self.parts())
    }

    /// All of them. Each is opened when it is read from, which fails if it cannot be.
    #[must_use]
    pub fn parts(&self) -> Vec<Part<'static>> {
        self.paths.iter().map(|path| Part::to_open(path)).collect()
    }
}

/// Whether the last whole line of a file is that with which a recorder ends a recording.
fn is_ended(path: &Path) -> bool {
    let read = || -> io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(LONGEST_END)))?;
        let mut last = Vec::new();
        file.take(LONGEST_END).read_to_end(&mut last)?;
        Ok(last)
    };
    let Ok(last) = read() else { return false };
    let mut lines = last.rsplit(|byte| *byte == b'\n');
    // What is behind the last line feed is no line.
    let line = lines.nth(1).unwrap_or_default();
    serde_json::from_slice::<Ended<'_>>(line).is_ok_and(|line| line.input == "end")
}

/// What tells the last line of a recording from others.
#[derive(Deserialize)]
struct Ended<'a> {
    #[serde(rename = "in", borrow)]
    input: Cow<'a, str>,
}
