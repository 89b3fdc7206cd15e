//! The files of a recording.

use std::path::{Path, PathBuf};

use transport_tcp::recording::part_path;

use super::error::ReadError;
use super::reader::{Part, Reader};

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
    #[must_use]
    pub fn beginning_with(first: &Path) -> Files {
        let mut paths = vec![first.to_owned()];
        let later = (2..=u32::MAX).map(|part| part_path(first, part));
        paths.extend(later.take_while(|path| path.is_file()));
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

    /// Opens all of them.
    ///
    /// # Errors
    ///
    /// [`ReadError`]: a file cannot be opened, or the first is no recording.
    pub fn open(&self) -> Result<Reader<'static>, ReadError> {
        Reader::new(self.parts()?)
    }

    /// Opens all of them, and reads none.
    ///
    /// # Errors
    ///
    /// [`ReadError`]: a file cannot be opened.
    pub fn parts(&self) -> Result<Vec<Part<'static>>, ReadError> {
        let open = |path: &PathBuf| {
            Part::open(path).map_err(|error| ReadError {
                file: path.display().to_string(),
                line: 1,
                column: 1,
                what: format!("cannot read it: {error}"),
            })
        };
        self.paths.iter().map(open).collect()
    }
}
