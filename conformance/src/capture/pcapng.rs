//! The newer format: sections of blocks, of which some hold frames
//! (<https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-03.html>, "the draft").
//!
//! Blocks are delimited here, so that those that nobody needs are left out without taking memory,
//! and a fault is told with its place. What is in a block is taken apart by `pcap-parser`, with
//! three exceptions: it reads `if_tsoffset` of a big-endian section in the wrong byte order, takes
//! no resolution that is a power of two, and does not know the obsolete packet block.

use std::io::Read;

use pcap_parser::traits::PcapNGPacketBlock;
use pcap_parser::{
    Block, InterfaceDescriptionBlock, OptionCode, PcapNGOption, SecretsType, parse_block_be,
    parse_block_le,
};

use super::file::{Frame, Next, block_error};
use super::source::Source;
use super::tls::KeyLog;
use super::{BlockFault, CaptureError, MAX_BLOCK, MAX_INTERFACES};

const SECTION_HEADER: u32 = 0x0A0D_0D0A;
const INTERFACE_DESCRIPTION: u32 = 1;
/// Draft, appendix "Packet Block (obsolete!)".
const OBSOLETE_PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;
const DECRYPTION_SECRETS: u32 = 0x0A;

/// The section that is being read.
pub(super) struct PcapNg {
    /// Whether the first block, whose type was read to tell the format, is yet to come.
    begins: bool,
    big_endian: bool,
    interfaces: Vec<Interface>,
    /// Time of the last frame that had one.
    at_micros: u64,
}

/// What a section says about an interface.
#[derive(Clone, Copy)]
struct Interface {
    link_type: i32,
    /// Most bytes of a frame that are captured; 0 for no bound.
    snap_length: u32,
    units_per_second: u128,
    /// Seconds to add.
    offset: i64,
}

/// What a block means for the caller.
enum Meaning {
    Nothing,
    /// A frame, which lies here in the block.
    Frame {
        interface: u32,
        /// Units of the interface since 1970; none for a simple packet.
        time: Option<u64>,
        start: usize,
        captured: usize,
        original: u32,
    },
}

impl PcapNg {
    /// For a file of which the first four bytes were read.
    pub(super) fn new() -> Self {
        PcapNg {
            begins: true,
            big_endian: false,
            interfaces: Vec::new(),
            at_micros: 0,
        }
    }

    /// Reads blocks up to one with a frame.
    pub(super) fn next<'a, R: Read>(
        &mut self,
        source: &mut Source<R>,
        buffer: &'a mut Vec<u8>,
        key_log: &mut KeyLog,
    ) -> Result<Next<Frame<'a>>, CaptureError> {
        loop {
            let offset = match self.read_block(source, buffer)? {
                Next::Found(Some(offset)) => offset,
                Next::Found(None) => continue,
                Next::End => return Ok(Next::End),
                Next::Truncated => return Ok(Next::Truncated),
            };
            let meaning = self
                .understand(buffer, key_log)
                .map_err(|fault| block_error(offset, fault))?;
            let Meaning::Frame {
                interface: number,
                time,
                start,
                captured,
                original,
            } = meaning
            else {
                continue;
            };
            let interface = usize::try_from(number)
                .ok()
                .and_then(|number| self.interfaces.get(number));
            let Some(interface) = interface else {
                return Err(block_error(offset, BlockFault::Interface(number)));
            };
            if let Some(time) = time {
                self.at_micros = interface.micros(time);
            }
            let link_type = interface.link_type;
            let data = buffer
                .get(start..)
                .and_then(|data| data.get(..captured))
                .ok_or(block_error(offset, BlockFault::Content))?;
            return Ok(Next::Found(Frame {
                at_micros: self.at_micros,
                link_type,
                data,
                cut: (original as usize).saturating_sub(captured),
            }));
        }
    }

    /// Reads one block into the buffer and returns where it begins; none if it was left out.
    fn read_block<R: Read>(
        &mut self,
        source: &mut Source<R>,
        buffer: &mut Vec<u8>,
    ) -> Result<Next<Option<u64>>, CaptureError> {
        let begun = if self.begins { 4 } else { 0 };
        let offset = source.offset() - begun;
        buffer.clear();
        if self.begins {
            buffer.extend(SECTION_HEADER.to_be_bytes());
            self.begins = false;
        }
        if !source.take(8 - buffer.len(), buffer)? {
            let nothing = buffer.is_empty();
            return Ok(if nothing { Next::End } else { Next::Truncated });
        }
        let kind = number(buffer, 0, self.big_endian);
        if kind == SECTION_HEADER {
            // The type reads the same in both orders; what follows the length tells the order.
            if !source.take(4, buffer)? {
                return Ok(Next::Truncated);
            }
            self.big_endian = match buffer.get(8..12) {
                Some([0x1A, 0x2B, 0x3C, 0x4D]) => true,
                Some([0x4D, 0x3C, 0x2B, 0x1A]) => false,
                _ => return Err(block_error(offset, BlockFault::ByteOrder)),
            };
        }
        let length = number(buffer, 4, self.big_endian);
        let least = if kind == SECTION_HEADER { 28 } else { 12 };
        if length < least || !length.is_multiple_of(4) {
            return Err(block_error(offset, BlockFault::Length(length)));
        }
        let rest = length as usize - buffer.len();
        let needed = matches!(
            kind,
            SECTION_HEADER
                | INTERFACE_DESCRIPTION
                | OBSOLETE_PACKET
                | SIMPLE_PACKET
                | ENHANCED_PACKET
                | DECRYPTION_SECRETS
        );
        if needed && length > MAX_BLOCK {
            return Err(block_error(offset, BlockFault::TooLong(length)));
        }
        let whole = if needed {
            source.take(rest, buffer)?
        } else {
            buffer.clear();
            source.skip(rest - 4)? && source.take(4, buffer)?
        };
        if !whole {
            return Ok(Next::Truncated);
        }
        if number(buffer, buffer.len() - 4, self.big_endian) != length {
            return Err(block_error(offset, BlockFault::LengthsDiffer));
        }
        Ok(Next::Found(needed.then_some(offset)))
    }

    fn understand(&mut self, block: &[u8], key_log: &mut KeyLog) -> Result<Meaning, BlockFault> {
        if number(block, 0, self.big_endian) == OBSOLETE_PACKET {
            return self.obsolete_packet(block);
        }
        let parse = if self.big_endian {
            parse_block_be
        } else {
            parse_block_le
        };
        let (_, parsed) = parse(block).map_err(|_| BlockFault::Content)?;
        match parsed {
            Block::SectionHeader(section) => {
                if section.major_version != 1 {
                    return Err(BlockFault::Version(section.major_version));
                }
                self.interfaces.clear();
            }
            Block::InterfaceDescription(description) => {
                if self.interfaces.len() == MAX_INTERFACES {
                    return Err(BlockFault::TooManyInterfaces);
                }
                self.interfaces
                    .push(Interface::new(&description, self.big_endian));
            }
            Block::EnhancedPacket(packet) => {
                let captured = packet.packet_data().len();
                if captured != packet.caplen as usize {
                    return Err(BlockFault::Content);
                }
                return Ok(Meaning::Frame {
                    interface: packet.if_id,
                    time: Some(joined(packet.ts_high, packet.ts_low)),
                    start: 28,
                    captured,
                    original: packet.origlen,
                });
            }
            Block::SimplePacket(packet) => {
                let snap_length = match self.interfaces.first() {
                    Some(Interface { snap_length: 0, .. }) | None => usize::MAX,
                    Some(interface) => interface.snap_length as usize,
                };
                return Ok(Meaning::Frame {
                    interface: 0,
                    time: None,
                    start: 12,
                    captured: packet.packet_data().len().min(snap_length),
                    original: packet.origlen,
                });
            }
            Block::DecryptionSecrets(secrets) => {
                let length = secrets.secrets_len as usize;
                let text = secrets.data.get(..length).ok_or(BlockFault::Content)?;
                if secrets.secrets_type == SecretsType::TlsKeyLog {
                    key_log.add(text);
                }
            }
            _ => {}
        }
        Ok(Meaning::Nothing)
    }

    /// type, length, interface (2 bytes), drops (2), time (4 + 4), captured, original, data.
    fn obsolete_packet(&self, block: &[u8]) -> Result<Meaning, BlockFault> {
        const DATA: usize = 28;
        let captured = number(block, 20, self.big_endian) as usize;
        if block.len() < DATA + 4 || block.len() - DATA - 4 < captured {
            return Err(BlockFault::Content);
        }
        let interface = number(block, 8, self.big_endian);
        Ok(Meaning::Frame {
            interface: if self.big_endian {
                interface >> 16
            } else {
                interface & 0xFFFF
            },
            time: Some(joined(
                number(block, 12, self.big_endian),
                number(block, 16, self.big_endian),
            )),
            start: DATA,
            captured,
            original: number(block, 24, self.big_endian),
        })
    }
}

impl Interface {
    fn new(description: &InterfaceDescriptionBlock<'_>, big_endian: bool) -> Self {
        let option = |code: OptionCode| {
            let mut options = description.options.iter();
            options
                .find(|option| option.code == code)
                .and_then(|option: &PcapNGOption<'_>| option.as_bytes().ok())
        };
        let resolution = match option(OptionCode::IfTsresol) {
            Some([resolution]) => *resolution,
            _ => 6,
        };
        let offset = match option(OptionCode::IfTsoffset).map(<[u8; 8]>::try_from) {
            Some(Ok(bytes)) if big_endian => i64::from_be_bytes(bytes),
            Some(Ok(bytes)) => i64::from_le_bytes(bytes),
            _ => 0,
        };
        let exponent = u32::from(resolution & 0x7F);
        let base: u128 = if resolution & 0x80 == 0 { 10 } else { 2 };
        Interface {
            link_type: description.linktype.0,
            snap_length: description.snaplen,
            // A unit so small that 2^64 of them are no second leaves the offset alone.
            units_per_second: base.checked_pow(exponent).unwrap_or(u128::MAX),
            offset,
        }
    }

    /// Microseconds since 1970, as close as 64 bits come.
    fn micros(&self, time: u64) -> u64 {
        // 2^64 * 10^6 is below 2^84.
        let micros = u128::from(time) * 1_000_000 / self.units_per_second;
        let micros = i128::try_from(micros).unwrap_or(i128::MAX);
        let moved = micros.saturating_add(i128::from(self.offset) * 1_000_000);
        u64::try_from(moved.max(0)).unwrap_or(u64::MAX)
    }
}

fn joined(high: u32, low: u32) -> u64 {
    u64::from(high) << 32 | u64::from(low)
}

/// The number of four bytes at a place; 0 if the bytes end before.
fn number(bytes: &[u8], at: usize, big_endian: bool) -> u32 {
    let field = bytes.get(at..).and_then(|bytes| bytes.first_chunk());
    match field {
        Some(field) if big_endian => u32::from_be_bytes(*field),
        Some(field) => u32::from_le_bytes(*field),
        None => 0,
    }
}
