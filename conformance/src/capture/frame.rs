//! Frames of a pcap file, down to the TCP segment in each.

use std::net::{IpAddr, SocketAddr};

use etherparse::{EtherType, LaxNetSlice, LaxSlicedPacket, TransportSlice};
use pcap_parser::{Linktype, PcapHeader, parse_pcap_frame, parse_pcap_frame_be, parse_pcap_header};

use super::CaptureError;

/// One frame of the capture.
pub(super) struct Frame<'a> {
    pub(super) at_micros: u64,
    /// None if it is not TCP.
    pub(super) tcp: Option<Tcp<'a>>,
}

/// One TCP segment.
pub(super) struct Tcp<'a> {
    pub(super) source: SocketAddr,
    pub(super) destination: SocketAddr,
    pub(super) sequence: u32,
    pub(super) syn: bool,
    pub(super) ack: bool,
    pub(super) fin: bool,
    pub(super) rst: bool,
    pub(super) payload: &'a [u8],
}

/// Where the IP packet of a frame begins.
#[derive(Clone, Copy)]
enum Link {
    Ethernet,
    /// The EtherType stands at `ether_type`, the packet at `packet`.
    Cooked {
        ether_type: usize,
        packet: usize,
    },
    /// The packet follows so many bytes, and its version says which IP it is.
    Ip {
        skip: usize,
    },
}

/// The frames of a file, in its order. Ends early where the file ends in the middle of a frame.
pub(super) struct Frames<'a> {
    rest: &'a [u8],
    header: PcapHeader,
    link: Link,
}

impl<'a> Frames<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Result<Self, CaptureError> {
        const SECTION_HEADER_BLOCK: [u8; 4] = [0x0A, 0x0D, 0x0D, 0x0A];
        if bytes.starts_with(&SECTION_HEADER_BLOCK) {
            return Err(CaptureError::PcapNg);
        }
        let (rest, header) = parse_pcap_header(bytes).map_err(|_| CaptureError::NotPcap)?;
        if header.is_modified_format() {
            return Err(CaptureError::NotPcap);
        }
        // The upper half of the field tells the length of a checksum at the end of each frame.
        let link = match Linktype(header.network.0 & 0xFFFF) {
            Linktype::ETHERNET => Link::Ethernet,
            Linktype::LINUX_SLL => Link::Cooked {
                ether_type: 14,
                packet: 16,
            },
            Linktype::LINUX_SLL2 => Link::Cooked {
                ether_type: 0,
                packet: 20,
            },
            Linktype::NULL | Linktype::LOOP => Link::Ip { skip: 4 },
            Linktype::RAW | Linktype::IPV4 | Linktype::IPV6 => Link::Ip { skip: 0 },
            Linktype(other) => return Err(CaptureError::LinkType(other)),
        };
        Ok(Frames { rest, header, link })
    }

    /// Whether bytes are left over that are no whole frame. True only once the frames are used up.
    pub(super) fn truncated(&self) -> bool {
        !self.rest.is_empty()
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = Frame<'a>;

    fn next(&mut self) -> Option<Frame<'a>> {
        let parse = if self.header.is_bigendian() {
            parse_pcap_frame_be
        } else {
            parse_pcap_frame
        };
        let (rest, record) = parse(self.rest).ok()?;
        self.rest = rest;
        let fraction = u64::from(record.ts_usec);
        let micros = if self.header.is_nanosecond_precision() {
            fraction / 1000
        } else {
            fraction
        };
        let at_micros = u64::from(record.ts_sec) * 1_000_000 + micros;
        Some(Frame {
            at_micros,
            tcp: tcp(self.link, record.data),
        })
    }
}

/// The TCP segment of a frame, if it holds a whole or, where the capture cut the frame short, the
/// beginning of one.
fn tcp(link: Link, data: &[u8]) -> Option<Tcp<'_>> {
    let packet = match link {
        Link::Ethernet => LaxSlicedPacket::from_ethernet(data).ok()?,
        Link::Cooked { ether_type, packet } => {
            let kind: [u8; 2] = data.get(ether_type..ether_type + 2)?.try_into().ok()?;
            let ether_type = EtherType(u16::from_be_bytes(kind));
            LaxSlicedPacket::from_ether_type(ether_type, data.get(packet..)?)
        }
        Link::Ip { skip } => LaxSlicedPacket::from_ip(data.get(skip..)?).ok()?,
    };
    let (source, destination): (IpAddr, IpAddr) = match &packet.net {
        Some(LaxNetSlice::Ipv4(ip)) => (
            ip.header().source_addr().into(),
            ip.header().destination_addr().into(),
        ),
        Some(LaxNetSlice::Ipv6(ip)) => (
            ip.header().source_addr().into(),
            ip.header().destination_addr().into(),
        ),
        _ => return None,
    };
    let Some(TransportSlice::Tcp(tcp)) = packet.transport else {
        return None;
    };
    Some(Tcp {
        source: SocketAddr::new(source, tcp.source_port()),
        destination: SocketAddr::new(destination, tcp.destination_port()),
        sequence: tcp.sequence_number(),
        syn: tcp.syn(),
        ack: tcp.ack(),
        fin: tcp.fin(),
        rst: tcp.rst(),
        payload: tcp.payload(),
    })
}
