//! What is in a frame: a TCP segment, a fragment of an IP packet, or something else.

use std::net::{IpAddr, SocketAddr};

use etherparse::{
    EtherType, IpAuthHeaderSlice, IpFragOffset, IpNumber, Ipv6FragmentHeaderSlice,
    Ipv6RawExtHeaderSlice, LaxNetSlice, LaxSlicedPacket, TcpSlice, TransportSlice,
};
use pcap_parser::Linktype;

/// Raw IP as some writers number it: the platform's DLT_RAW instead of the file format's.
const RAW_OF_PLATFORMS: [i32; 2] = [12, 14];

/// Where the IP packet of a frame begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Link {
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

impl Link {
    /// None if the type (<https://www.tcpdump.org/linktypes.html>) is not supported.
    pub(super) fn of_type(link_type: i32) -> Option<Self> {
        match Linktype(link_type) {
            Linktype::ETHERNET => Some(Link::Ethernet),
            Linktype::LINUX_SLL => Some(Link::Cooked {
                ether_type: 14,
                packet: 16,
            }),
            Linktype::LINUX_SLL2 => Some(Link::Cooked {
                ether_type: 0,
                packet: 20,
            }),
            Linktype::NULL | Linktype::LOOP => Some(Link::Ip { skip: 4 }),
            Linktype::RAW | Linktype::IPV4 | Linktype::IPV6 => Some(Link::Ip { skip: 0 }),
            Linktype(other) if RAW_OF_PLATFORMS.contains(&other) => Some(Link::Ip { skip: 0 }),
            Linktype(_) => None,
        }
    }
}

/// What is in a frame.
pub(super) enum Content<'a> {
    Tcp(Tcp<'a>),
    Fragment(Fragment<'a>),
    /// TCP, of whose header the capture has less than the fixed part.
    Headless,
    Other,
}

/// One TCP segment.
pub(super) struct Tcp<'a> {
    pub(super) source: SocketAddr,
    pub(super) destination: SocketAddr,
    pub(super) sequence: u32,
    /// None without the ACK flag.
    pub(super) acknowledged: Option<u32>,
    pub(super) syn: bool,
    pub(super) fin: bool,
    pub(super) rst: bool,
    pub(super) payload: &'a [u8],
    /// How many more bytes the payload had, that the capture does not have.
    pub(super) cut: usize,
}

/// A piece of an IP packet's payload.
pub(super) struct Fragment<'a> {
    pub(super) packet: PacketKey,
    pub(super) offset: IpFragOffset,
    pub(super) more: bool,
    pub(super) payload: &'a [u8],
    /// Whether the capture cut the piece short.
    pub(super) cut: bool,
}

/// What the fragments of a packet have in common (RFC 791 section 3.2, RFC 8200 section 4.5).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct PacketKey {
    pub(super) source: IpAddr,
    pub(super) destination: IpAddr,
    identification: u32,
}

/// Takes a frame apart. `cut` bytes at its end were not captured.
pub(super) fn content(link: Link, data: &[u8], cut: usize) -> Content<'_> {
    parse(link, data, cut).unwrap_or(Content::Other)
}

fn parse(link: Link, data: &[u8], cut: usize) -> Option<Content<'_>> {
    let packet = match link {
        Link::Ethernet => LaxSlicedPacket::from_ethernet(data).ok()?,
        Link::Cooked { ether_type, packet } => {
            let kind: [u8; 2] = data.get(ether_type..ether_type + 2)?.try_into().ok()?;
            let ether_type = EtherType(u16::from_be_bytes(kind));
            LaxSlicedPacket::from_ether_type(ether_type, data.get(packet..)?)
        }
        Link::Ip { skip } => LaxSlicedPacket::from_ip(data.get(skip..)?).ok()?,
    };
    let (source, destination): (IpAddr, IpAddr);
    // How long the packet is by its header, and how much of it is here.
    let (length, here);
    let fragment;
    match &packet.net {
        Some(LaxNetSlice::Ipv4(ip)) => {
            let header = ip.header();
            source = header.source_addr().into();
            destination = header.destination_addr().into();
            let payload = ip.payload();
            let extensions = ip.extensions();
            let extension = extensions.auth.as_ref();
            let extension = extension.map_or(0, |auth| auth.slice().len());
            length = usize::from(header.total_len());
            here = header.slice().len() + extension + payload.payload.len();
            fragment = payload.fragmented.then(|| {
                let identification = u32::from(header.identification());
                let (offset, more) = (header.fragments_offset(), header.more_fragments());
                (identification, offset, more, payload)
            });
        }
        Some(LaxNetSlice::Ipv6(ip)) => {
            let header = ip.header();
            source = header.source_addr().into();
            destination = header.destination_addr().into();
            let payload = ip.payload();
            length = usize::from(header.payload_length());
            here = ip.extensions().slice().len() + payload.payload.len();
            let header = fragment_header(header.next_header(), ip.extensions().slice());
            fragment = header.filter(|_| payload.fragmented).map(|header| {
                let (offset, more) = (header.fragment_offset(), header.more_fragments());
                (header.identification(), offset, more, payload)
            });
        }
        _ => return None,
    }
    // A length of 0 stands for one that the network card was yet to fill in.
    let cut = if length == 0 {
        cut
    } else {
        length.saturating_sub(here)
    };
    if let Some((identification, offset, more, payload)) = fragment {
        if payload.ip_number != IpNumber::TCP {
            return None;
        }
        return Some(Content::Fragment(Fragment {
            packet: PacketKey {
                source,
                destination,
                identification,
            },
            offset,
            more,
            payload: payload.payload,
            cut: cut > 0,
        }));
    }
    let Some(TransportSlice::Tcp(tcp)) = packet.transport else {
        let payload = packet.net.as_ref().and_then(LaxNetSlice::ip_payload_ref)?;
        if payload.ip_number != IpNumber::TCP || cut == 0 {
            return None;
        }
        let header = TcpFixedHeader::find(payload.payload);
        return Some(header.map_or(Content::Headless, |header| {
            Content::Tcp(header.segment(source, destination, payload.payload.len() + cut))
        }));
    };
    Some(Content::Tcp(segment(source, destination, &tcp, cut)))
}

/// The fragment header among whole extension headers. etherparse's own iterator over the headers of
/// a lax slice reads past the last whole one, without a check.
fn fragment_header(first: IpNumber, headers: &[u8]) -> Option<Ipv6FragmentHeaderSlice<'_>> {
    let (mut kind, mut rest) = (first, headers);
    loop {
        let length = match kind {
            IpNumber::IPV6_FRAGMENTATION_HEADER => {
                return Ipv6FragmentHeaderSlice::from_slice(rest).ok();
            }
            IpNumber::IPV6_HEADER_HOP_BY_HOP
            | IpNumber::IPV6_ROUTE_HEADER
            | IpNumber::IPV6_DESTINATION_OPTIONS => {
                let header = Ipv6RawExtHeaderSlice::from_slice(rest).ok()?;
                kind = header.next_header();
                header.slice().len()
            }
            IpNumber::AUTHENTICATION_HEADER => {
                let header = IpAuthHeaderSlice::from_slice(rest).ok()?;
                kind = header.next_header();
                header.slice().len()
            }
            _ => return None,
        };
        rest = rest.get(length..)?;
    }
}

/// The part of a TCP header that every segment has (RFC 9293 section 3.1), of a segment that was
/// cut within the options behind it.
struct TcpFixedHeader {
    ports: [u16; 2],
    sequence: u32,
    acknowledgement: u32,
    /// Of the whole header, in bytes.
    length: usize,
    flags: u8,
}

impl TcpFixedHeader {
    /// None if it is not whole, or is none.
    fn find(bytes: &[u8]) -> Option<TcpFixedHeader> {
        let [a, b, c, d, e, f, g, h, i, j, k, l, offset, flags, ..] = *bytes.first_chunk::<20>()?;
        let length = usize::from(offset >> 4) * 4;
        (length > bytes.len()).then_some(TcpFixedHeader {
            ports: [u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])],
            sequence: u32::from_be_bytes([e, f, g, h]),
            acknowledgement: u32::from_be_bytes([i, j, k, l]),
            length,
            flags,
        })
    }

    /// The segment, which had `length` bytes with its header.
    fn segment(&self, source: IpAddr, destination: IpAddr, length: usize) -> Tcp<'static> {
        const FIN: u8 = 0x01;
        const SYN: u8 = 0x02;
        const RST: u8 = 0x04;
        const ACK: u8 = 0x10;
        let [from, to] = self.ports;
        let has = |flag| self.flags & flag != 0;
        Tcp {
            source: SocketAddr::new(source, from),
            destination: SocketAddr::new(destination, to),
            sequence: self.sequence,
            acknowledged: has(ACK).then_some(self.acknowledgement),
            syn: has(SYN),
            fin: has(FIN),
            rst: has(RST),
            payload: &[],
            cut: length.saturating_sub(self.length),
        }
    }
}

/// The segment in an IP packet's payload; none if it is no whole TCP header.
pub(super) fn tcp(packet: PacketKey, payload: &[u8], cut: usize) -> Option<Tcp<'_>> {
    let tcp = TcpSlice::from_slice(payload).ok()?;
    Some(segment(packet.source, packet.destination, &tcp, cut))
}

fn segment<'a>(source: IpAddr, destination: IpAddr, tcp: &TcpSlice<'a>, cut: usize) -> Tcp<'a> {
    Tcp {
        source: SocketAddr::new(source, tcp.source_port()),
        destination: SocketAddr::new(destination, tcp.destination_port()),
        sequence: tcp.sequence_number(),
        acknowledged: tcp.ack().then(|| tcp.acknowledgment_number()),
        syn: tcp.syn(),
        fin: tcp.fin(),
        rst: tcp.rst(),
        payload: tcp.payload(),
        cut,
    }
}
