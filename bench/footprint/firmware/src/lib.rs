//! What both programs stand on: a heap, a way to the outside, and an end for panics.
//!
//! The outside is the semihosting of a debugger or an emulator. What comes from there nobody can
//! know when the program is built, so nothing of the program can be computed beforehand.
#![cfg(target_os = "none")]
#![no_std]

extern crate alloc;

use alloc::vec;
use alloc::vec::Vec;

use panic_halt as _;
use semihosting::io::{Error, Read as _, Stdin, Stdout, Write as _, stdin, stdout};

/// Bytes of the heap.
pub const HEAP: usize = 32 * 1024;

#[global_allocator]
static ALLOCATOR: emballoc::Allocator<HEAP> = emballoc::Allocator::new();

/// The two streams to and from the outside, in frames: a byte that says what it is, a time in
/// microseconds (8 bytes, little-endian), a length (2 bytes, little-endian), and so many bytes.
#[derive(Debug)]
pub struct Console {
    input: Stdin,
    output: Stdout,
}

/// One frame.
#[derive(Debug)]
pub struct Frame {
    /// What it is.
    pub kind: u8,
    /// When.
    pub micros: u64,
    /// What it holds.
    pub content: Vec<u8>,
}

impl Console {
    /// Opens both streams.
    ///
    /// # Errors
    ///
    /// When nobody is at the other end.
    pub fn open() -> Result<Console, Error> {
        Ok(Console {
            input: stdin()?,
            output: stdout()?,
        })
    }

    /// Waits for the next frame.
    ///
    /// # Errors
    ///
    /// When the stream has ended.
    pub fn read(&mut self) -> Result<Frame, Error> {
        let mut kind = [0];
        self.input.read_exact(&mut kind)?;
        let mut micros = [0; 8];
        self.input.read_exact(&mut micros)?;
        let mut length = [0; 2];
        self.input.read_exact(&mut length)?;
        let mut content = vec![0; usize::from(u16::from_le_bytes(length))];
        self.input.read_exact(&mut content)?;
        let [kind] = kind;
        Ok(Frame {
            kind,
            micros: u64::from_le_bytes(micros),
            content,
        })
    }

    /// Writes a frame. Of a longer content only the first 65,535 bytes.
    ///
    /// # Errors
    ///
    /// When the stream has ended.
    pub fn write(&mut self, kind: u8, micros: u64, content: &[u8]) -> Result<(), Error> {
        let length = u16::try_from(content.len()).unwrap_or(u16::MAX);
        self.output.write_all(&[kind])?;
        self.output.write_all(&micros.to_le_bytes())?;
        self.output.write_all(&length.to_le_bytes())?;
        self.output.write_all(content)
    }
}
