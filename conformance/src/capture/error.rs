//! Why a capture is refused.

use std::fmt;
use std::io::ErrorKind;

use super::{MAX_BLOCK, MAX_CONNECTIONS, MAX_FRAME, MAX_INTERFACES, MAX_KEPT};

/// A file that cannot be read as a capture.
///
/// Offsets are in bytes from the beginning of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CaptureError {
    /// It begins with the header of neither a pcap nor a pcapng file.
    NotPcap,
    /// It is compressed with this.
    Compressed(&'static str),
    /// Frames are of this link type (<https://www.tcpdump.org/linktypes.html>), and of no other
    /// that is supported.
    LinkType(i32),
    /// A frame of a pcap file says that it has more than [`MAX_FRAME`] bytes.
    FrameTooLarge {
        /// Where its record begins.
        offset: u64,
        /// How many bytes it says it has.
        length: u32,
    },
    /// A block of a pcapng file is not as the format demands.
    Block {
        /// Where it begins.
        offset: u64,
        /// What is wrong with it.
        fault: BlockFault,
    },
    /// The bytes sent over the connections, and what it takes to keep them, are more than
    /// [`MAX_KEPT`].
    TooLarge {
        /// Where the frame ends that was one too many.
        offset: u64,
    },
    /// It has more than [`MAX_CONNECTIONS`] connections.
    TooManyConnections,
    /// The file cannot be read any further.
    Read {
        /// How much of it was read.
        offset: u64,
        /// What the reader says.
        kind: ErrorKind,
    },
}

/// What is wrong with a block of a pcapng file
/// (<https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-03.html>).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockFault {
    /// Its length is less than 12, or no multiple of 4 (section 3.1).
    Length(u32),
    /// The length at its end is another than that at its beginning (section 3.1).
    LengthsDiffer,
    /// It is needed, and longer than [`MAX_BLOCK`].
    TooLong(u32),
    /// The byte-order magic of a section is none (section 4.1).
    ByteOrder,
    /// A section is of this major version; 1 is the only one there is (section 4.1).
    Version(u16),
    /// It is too short for what it has to hold, or for what it says it holds.
    Content,
    /// A packet is of this interface, which the section does not describe (section 4.3).
    Interface(u32),
    /// The section describes more than [`MAX_INTERFACES`] interfaces.
    TooManyInterfaces,
}

impl fmt::Display for CaptureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CaptureError::NotPcap => f.write_str("neither a pcap nor a pcapng file"),
            CaptureError::Compressed("gzip") => {
                f.write_str("compressed with gzip; decompress it first: `gunzip FILE`")
            }
            CaptureError::Compressed(by) => {
                write!(
                    f,
                    "compressed with {by}; decompress it first: `{by} -d FILE`"
                )
            }
            CaptureError::LinkType(number) => write!(
                f,
                "link type {number} is not supported; Ethernet, Linux cooked, raw IP and \
                 loopback are"
            ),
            CaptureError::FrameTooLarge { offset, length } => write!(
                f,
                "the frame at offset {offset} says it has {length} bytes; at most {MAX_FRAME} \
                 are possible"
            ),
            CaptureError::Block { offset, fault } => write!(f, "block at offset {offset}: {fault}"),
            CaptureError::TooLarge { offset } => write!(
                f,
                "up to offset {offset}, the connections have sent more than {} MiB; cut the \
                 capture with `editcap -A START -B STOP IN OUT`",
                MAX_KEPT >> 20
            ),
            CaptureError::TooManyConnections => {
                write!(f, "more than {MAX_CONNECTIONS} connections")
            }
            CaptureError::Read { offset, kind } => {
                write!(f, "cannot be read after offset {offset}: {kind}")
            }
        }
    }
}

impl fmt::Display for BlockFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BlockFault::Length(length) => write!(f, "{length} is no length of a block"),
            BlockFault::LengthsDiffer => {
                f.write_str("the length at its end is another than at its beginning")
            }
            BlockFault::TooLong(length) => {
                write!(f, "{length} bytes; at most {MAX_BLOCK} are supported")
            }
            BlockFault::ByteOrder => f.write_str("no byte order is marked by its magic number"),
            BlockFault::Version(version) => {
                write!(f, "version {version} of the format is not supported")
            }
            BlockFault::Content => f.write_str("it is too short for what is in it"),
            BlockFault::Interface(number) => {
                write!(f, "a packet of interface {number}, which is not described")
            }
            BlockFault::TooManyInterfaces => write!(f, "more than {MAX_INTERFACES} interfaces"),
        }
    }
}

impl std::error::Error for CaptureError {}
