//! A recording in memory.

use crate::recording::{Part, ReadError, Reader};

/// The longest recording that is shrunk, in bytes: weeks of a busy device.
pub const MAX_RECORDING: usize = 256 << 20;

/// A recording that was read whole, all its parts as one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    name: String,
    text: String,
}

impl Recording {
    /// Reads a recording. A torn last line does not count.
    ///
    /// # Errors
    ///
    /// [`ReadError`]: a part cannot be read, is none, or is not the one that follows; or all of them
    /// are longer than [`MAX_RECORDING`].
    pub fn read(parts: Vec<Part<'_>>) -> Result<Recording, ReadError> {
        let mut reader = Reader::new(parts)?;
        if reader.header().part != 1 {
            let part = reader.header().part;
            return Err(reader.error(1, format!("this is part {part}: give part 1 first")));
        }
        let name = reader.place().file;
        let mut text = reader.header().to_line();
        while let Some(line) = reader.next_line()? {
            text.push_str(line.text);
            text.push('\n');
            if text.len() > MAX_RECORDING {
                return Err(reader.error(
                    1,
                    format!("the recording is longer than {MAX_RECORDING} bytes"),
                ));
            }
        }
        Ok(Recording { name, text })
    }

    /// A recording that is in memory already.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub fn of_text(name: &str, text: &str) -> Result<Recording, ReadError> {
        Recording::read(vec![Part::of_text(name, text)])
    }

    /// Its lines, as one part.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// A reader from its first line on.
    pub(super) fn reader(&self) -> Result<Reader<'_>, ReadError> {
        Reader::new(vec![Part::of_text(&self.name, &self.text)])
    }
}
