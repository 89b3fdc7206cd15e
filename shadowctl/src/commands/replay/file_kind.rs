//! What a file is, by its content.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::failure::Failure;

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FileKind {
    /// A recording of this project's engine.
    Recording,
    /// A packet capture: pcap or pcapng.
    Capture,
    /// Anything else: a log of the vendor's Python SDK, or nothing that can be read.
    Log,
}

/// What captures begin with: pcap in either byte order, with microseconds and with nanoseconds, and
/// pcapng.
const CAPTURES: [[u8; 4]; 5] = [
    [0xA1, 0xB2, 0xC3, 0xD4],
    [0xD4, 0xC3, 0xB2, 0xA1],
    [0xA1, 0xB2, 0x3C, 0x4D],
    [0x4D, 0x3C, 0xB2, 0xA1],
    [0x0A, 0x0D, 0x0D, 0x0A],
];

impl FileKind {
    /// Looks at the first bytes of a file.
    pub(super) fn of(path: &Path) -> Result<FileKind, Failure> {
        let mut start = Vec::new();
        File::open(path)
            .and_then(|file| file.take(4).read_to_end(&mut start))
            .map_err(|error| Failure::input_file(path, format_args!("cannot read it: {error}")))?;
        Ok(if CAPTURES.iter().any(|magic| start == magic) {
            FileKind::Capture
        } else if start.trim_ascii_start().starts_with(b"{") {
            // No line of a log begins so.
            FileKind::Recording
        } else {
            FileKind::Log
        })
    }
}

impl fmt::Display for FileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FileKind::Recording => "a recording",
            FileKind::Capture => "a capture",
            FileKind::Log => "a log",
        })
    }
}
