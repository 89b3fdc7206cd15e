//! The classic format: a header, and a record for each frame
//! (<https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-05.html>).

use std::io::Read;

use pcap_parser::{PcapHeader, parse_pcap_frame, parse_pcap_frame_be, parse_pcap_header};

use super::file::{Frame, Next};
use super::packet::Link;
use super::source::Source;
use super::{CaptureError, MAX_FRAME};

const HEADER: usize = 24;
const RECORD_HEADER: usize = 16;

/// What the header of a file says about its records.
pub(super) struct Pcap {
    header: PcapHeader,
    link_type: i32,
}

impl Pcap {
    /// Reads the rest of the header, of which `buffer` holds the first bytes.
    pub(super) fn read_header<R: Read>(
        source: &mut Source<R>,
        buffer: &mut Vec<u8>,
    ) -> Result<Self, CaptureError> {
        source.take(HEADER.saturating_sub(buffer.len()), buffer)?;
        let (_, header) = parse_pcap_header(buffer).map_err(|_| CaptureError::NotPcap)?;
        if header.is_modified_format() {
            return Err(CaptureError::NotPcap);
        }
        // The upper half of the field tells the length of a checksum at the end of each frame.
        let link_type = header.network.0 & 0xFFFF;
        if Link::of_type(link_type).is_none() {
            return Err(CaptureError::LinkType(link_type));
        }
        Ok(Pcap { header, link_type })
    }

    pub(super) fn next<'a, R: Read>(
        &mut self,
        source: &mut Source<R>,
        buffer: &'a mut Vec<u8>,
    ) -> Result<Next<Frame<'a>>, CaptureError> {
        let offset = source.offset();
        buffer.clear();
        if !source.take(RECORD_HEADER, buffer)? {
            let nothing = buffer.is_empty();
            return Ok(if nothing { Next::End } else { Next::Truncated });
        }
        let length: [u8; 4] = match buffer.get(8..12).and_then(|field| field.try_into().ok()) {
            Some(field) => field,
            None => return Ok(Next::Truncated),
        };
        let length = if self.header.is_bigendian() {
            u32::from_be_bytes(length)
        } else {
            u32::from_le_bytes(length)
        };
        if length > MAX_FRAME {
            return Err(CaptureError::FrameTooLarge { offset, length });
        }
        if !source.take(length as usize, buffer)? {
            return Ok(Next::Truncated);
        }
        let parse = if self.header.is_bigendian() {
            parse_pcap_frame_be
        } else {
            parse_pcap_frame
        };
        let Ok((_, record)) = parse(buffer) else {
            return Ok(Next::Truncated);
        };
        let fraction = u64::from(record.ts_usec);
        let micros = if self.header.is_nanosecond_precision() {
            fraction / 1000
        } else {
            fraction
        };
        Ok(Next::Found(Frame {
            at_micros: u64::from(record.ts_sec) * 1_000_000 + micros,
            link_type: self.link_type,
            data: record.data,
            cut: record.origlen.saturating_sub(record.caplen) as usize,
        }))
    }
}
