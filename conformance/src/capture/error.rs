//! Why a capture is refused.

use std::fmt;

use super::{MAX_CONNECTIONS, MAX_FILE};

/// A file that cannot be read as a capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CaptureError {
    /// It does not begin with the header of a pcap file.
    NotPcap,
    /// It is a pcapng file, which is another format.
    PcapNg,
    /// Frames are of this link type (<https://www.tcpdump.org/linktypes.html>).
    LinkType(i32),
    /// It is larger than [`MAX_FILE`].
    TooLarge,
    /// It has more than [`MAX_CONNECTIONS`] connections.
    TooManyConnections,
}

impl fmt::Display for CaptureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CaptureError::NotPcap => f.write_str("not a pcap file"),
            CaptureError::PcapNg => f.write_str(
                "a pcapng file, which is not supported yet; convert it with \
                 `tshark -F pcap -r IN -w OUT`",
            ),
            CaptureError::LinkType(number) => write!(
                f,
                "link type {number} is not supported; Ethernet, Linux cooked, raw IP and \
                 loopback are"
            ),
            CaptureError::TooLarge => write!(f, "larger than {} MiB", MAX_FILE >> 20),
            CaptureError::TooManyConnections => {
                write!(f, "more than {MAX_CONNECTIONS} connections")
            }
        }
    }
}

impl std::error::Error for CaptureError {}
