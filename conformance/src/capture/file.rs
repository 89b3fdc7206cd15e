//! The frames of a capture file of either format, in the order of the file.

use std::io::Read;

use super::packet::Link;
use super::pcap::Pcap;
use super::pcapng::PcapNg;
use super::source::Source;
use super::tls::KeyLog;
use super::{BlockFault, CaptureError};

/// One frame, as it was captured.
pub(super) struct Frame<'a> {
    /// Microseconds since 1970-01-01 00:00 UTC.
    pub(super) at_micros: u64,
    pub(super) link_type: i32,
    /// The bytes that were captured.
    pub(super) data: &'a [u8],
    /// How many more the frame had on the wire.
    pub(super) cut: usize,
}

impl Frame<'_> {
    /// None if the link type is not supported.
    pub(super) fn link(&self) -> Option<Link> {
        Link::of_type(self.link_type)
    }
}

/// A file that is being read.
pub(super) struct File<R> {
    source: Source<R>,
    format: Format,
    /// The bytes of the frame or block that was read last.
    buffer: Vec<u8>,
    truncated: bool,
    key_log: KeyLog,
}

enum Format {
    Pcap(Pcap),
    PcapNg(PcapNg),
}

/// What a format found next in a file.
pub(super) enum Next<T> {
    Found(T),
    /// The file ends after what was read before.
    End,
    /// The file ends in the middle of something.
    Truncated,
}

impl<R: Read> File<R> {
    /// Reads the first bytes, which tell the format.
    pub(super) fn open(input: R) -> Result<Self, CaptureError> {
        let mut source = Source::new(input);
        let mut buffer = Vec::new();
        source.take(4, &mut buffer)?;
        let format = match buffer.as_slice() {
            [0x0A, 0x0D, 0x0D, 0x0A] => Format::PcapNg(PcapNg::new()),
            [0x1F, 0x8B, ..] => return Err(CaptureError::Compressed("gzip")),
            [0x28, 0xB5, 0x2F, 0xFD] => return Err(CaptureError::Compressed("zstd")),
            [0x04, 0x22, 0x4D, 0x18] => return Err(CaptureError::Compressed("lz4")),
            _ => Format::Pcap(Pcap::read_header(&mut source, &mut buffer)?),
        };
        Ok(File {
            source,
            format,
            buffer,
            truncated: false,
            key_log: KeyLog::default(),
        })
    }

    /// None at the end of the file.
    pub(super) fn next(&mut self) -> Result<Option<Frame<'_>>, CaptureError> {
        let next = match &mut self.format {
            Format::Pcap(pcap) => pcap.next(&mut self.source, &mut self.buffer)?,
            Format::PcapNg(pcapng) => {
                pcapng.next(&mut self.source, &mut self.buffer, &mut self.key_log)?
            }
        };
        match next {
            Next::Found(frame) => Ok(Some(frame)),
            Next::End => Ok(None),
            Next::Truncated => {
                self.truncated = true;
                Ok(None)
            }
        }
    }

    pub(super) fn offset(&self) -> u64 {
        self.source.offset()
    }

    /// Whether the file ended in the middle of a frame, and the keys that were in it.
    pub(super) fn finish(self) -> (bool, KeyLog) {
        (self.truncated, self.key_log)
    }
}

/// An error about a block.
pub(super) fn block_error(offset: u64, fault: BlockFault) -> CaptureError {
    CaptureError::Block { offset, fault }
}
