//! The bytes of a file, read in order and counted.

use std::io::{BufRead, BufReader, ErrorKind, Read};

use super::CaptureError;

/// A file that is read from its beginning to its end.
pub(super) struct Source<R> {
    input: BufReader<R>,
    offset: u64,
}

impl<R: Read> Source<R> {
    pub(super) fn new(input: R) -> Self {
        Source {
            input: BufReader::with_capacity(1 << 16, input),
            offset: 0,
        }
    }

    /// How many bytes were read.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Appends the next `length` bytes. False if the file ends before: then what is left of it.
    /// Memory is taken as bytes come, whatever the length.
    pub(super) fn take(&mut self, length: usize, into: &mut Vec<u8>) -> Result<bool, CaptureError> {
        let mut missing = length;
        while missing > 0 {
            let count = self.some(missing, |bytes| into.extend_from_slice(bytes))?;
            if count == 0 {
                return Ok(false);
            }
            missing -= count;
        }
        Ok(true)
    }

    /// Leaves out `length` bytes. False if the file ends before.
    pub(super) fn skip(&mut self, length: usize) -> Result<bool, CaptureError> {
        let mut missing = length;
        while missing > 0 {
            let count = self.some(missing, |_| {})?;
            if count == 0 {
                return Ok(false);
            }
            missing -= count;
        }
        Ok(true)
    }

    /// Hands out what is at hand, at most `limit` bytes of it, and returns how many; 0 at the end.
    fn some(&mut self, limit: usize, give: impl FnOnce(&[u8])) -> Result<usize, CaptureError> {
        let available = loop {
            match self.input.fill_buf() {
                Ok(_) => break self.input.buffer(),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    return Err(CaptureError::Read {
                        offset: self.offset,
                        kind: error.kind(),
                    });
                }
            }
        };
        let bytes = available.get(..limit).unwrap_or(available);
        give(bytes);
        let count = bytes.len();
        self.input.consume(count);
        self.offset += count as u64;
        Ok(count)
    }
}
