//! Frames and capture files, put together by hand.

use std::net::{IpAddr, SocketAddr};

use conformance::capture::Direction::{self, Device};
use etherparse::{PacketBuilder, TcpHeader};

pub(crate) const SYN: u8 = 2;
pub(crate) const RST: u8 = 4;
pub(crate) const FIN: u8 = 1;
pub(crate) const ACK: u8 = 16;

/// The two ends of a TCP connection, and the sequence numbers of their SYNs.
#[derive(Clone, Copy)]
pub(crate) struct Flow {
    pub(crate) device: SocketAddr,
    pub(crate) server: SocketAddr,
    pub(crate) device_syn: u32,
    pub(crate) server_syn: u32,
}

impl Flow {
    pub(crate) fn new(port: u16, device_syn: u32, server_syn: u32) -> Self {
        Flow {
            device: SocketAddr::from(([10, 0, 0, 2], port)),
            server: SocketAddr::from(([10, 0, 0, 1], 1883)),
            device_syn,
            server_syn,
        }
    }

    /// An Ethernet frame. `at` and `acknowledged` count the bytes of the sender's stream and the
    /// other's, from 0.
    pub(crate) fn frame(
        &self,
        from: Direction,
        flags: u8,
        at: u32,
        acknowledged: u32,
        payload: &[u8],
    ) -> Vec<u8> {
        let (source, destination, ours, others) = if from == Device {
            (self.device, self.server, self.device_syn, self.server_syn)
        } else {
            (self.server, self.device, self.server_syn, self.device_syn)
        };
        let before = u32::from(flags & SYN == 0);
        let sequence = ours.wrapping_add(before).wrapping_add(at);
        let mut tcp = TcpHeader::new(source.port(), destination.port(), sequence, 65_000);
        tcp.syn = flags & SYN != 0;
        tcp.rst = flags & RST != 0;
        tcp.fin = flags & FIN != 0;
        tcp.ack = flags & ACK != 0;
        if tcp.ack {
            tcp.acknowledgment_number = others.wrapping_add(1).wrapping_add(acknowledged);
        }
        let builder = PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]);
        let builder = match (source.ip(), destination.ip()) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                builder.ipv4(source.octets(), destination.octets(), 64)
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                builder.ipv6(source.octets(), destination.octets(), 64)
            }
            _ => panic!("two versions of IP"),
        };
        let mut frame = Vec::new();
        let builder = builder.tcp_header(tcp);
        builder.write(&mut frame, payload).unwrap();
        frame
    }

    /// SYN, SYN and ACK, ACK.
    pub(crate) fn opening(&self) -> Vec<Vec<u8>> {
        vec![
            self.frame(Device, SYN, 0, 0, b""),
            self.frame(Direction::Server, SYN | ACK, 0, 0, b""),
            self.frame(Device, ACK, 0, 0, b""),
        ]
    }
}

/// A pcap file of Ethernet frames, a millisecond from each to the next.
pub(crate) fn pcap(frames: &[Vec<u8>]) -> Vec<u8> {
    cut_pcap(frames, usize::MAX)
}

/// The same of which no more than so many bytes of each frame are captured.
pub(crate) fn cut_pcap(frames: &[Vec<u8>], snap_length: usize) -> Vec<u8> {
    let mut file = Vec::new();
    file.extend(0xA1B2_C3D4_u32.to_le_bytes());
    file.extend([2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    file.extend(262_144_u32.to_le_bytes());
    file.extend(1_u32.to_le_bytes());
    for (index, frame) in frames.iter().enumerate() {
        let captured = &frame[..frame.len().min(snap_length)];
        let micros = u32::try_from(index).unwrap() * 1000;
        for number in [1_700_000_000, micros] {
            file.extend(number.to_le_bytes());
        }
        for length in [captured.len(), frame.len()] {
            file.extend(u32::try_from(length).unwrap().to_le_bytes());
        }
        file.extend(captured);
    }
    file
}

/// A pcapng file in either byte order.
pub(crate) struct PcapNg {
    pub(crate) big_endian: bool,
    pub(crate) bytes: Vec<u8>,
}

impl PcapNg {
    pub(crate) fn new() -> Self {
        PcapNg {
            big_endian: false,
            bytes: Vec::new(),
        }
    }

    pub(crate) fn u16(&self, number: u16) -> Vec<u8> {
        if self.big_endian {
            number.to_be_bytes().to_vec()
        } else {
            number.to_le_bytes().to_vec()
        }
    }

    pub(crate) fn u32(&self, number: u32) -> Vec<u8> {
        if self.big_endian {
            number.to_be_bytes().to_vec()
        } else {
            number.to_le_bytes().to_vec()
        }
    }

    pub(crate) fn block(&mut self, kind: u32, body: &[u8]) {
        let padded = body.len().next_multiple_of(4);
        let length = self.u32(u32::try_from(padded + 12).unwrap());
        self.bytes.extend(self.u32(kind));
        self.bytes.extend(&length);
        self.bytes.extend(body);
        self.bytes.resize(self.bytes.len() + padded - body.len(), 0);
        self.bytes.extend(&length);
    }

    pub(crate) fn section(&mut self, big_endian: bool) {
        self.big_endian = big_endian;
        let body = [
            self.u32(0x1A2B_3C4D),
            self.u16(1),
            self.u16(0),
            vec![0xFF; 8],
        ];
        self.block(0x0A0D_0D0A, &body.concat());
    }

    /// An interface with options, each a code and a value.
    pub(crate) fn interface(&mut self, link_type: u16, snap_length: u32, options: &[(u16, &[u8])]) {
        let mut body = [self.u16(link_type), vec![0; 2], self.u32(snap_length)].concat();
        body.extend(self.options(options));
        self.block(1, &body);
    }

    pub(crate) fn options(&self, options: &[(u16, &[u8])]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (code, value) in options {
            bytes.extend(self.u16(*code));
            bytes.extend(self.u16(u16::try_from(value.len()).unwrap()));
            bytes.extend(*value);
            bytes.resize(bytes.len().next_multiple_of(4), 0);
        }
        if !options.is_empty() {
            bytes.extend([0; 4]);
        }
        bytes
    }

    pub(crate) fn enhanced(&mut self, interface: u32, time: u64, frame: &[u8]) {
        let length = u32::try_from(frame.len()).unwrap();
        let mut body = [
            self.u32(interface),
            self.u32((time >> 32) as u32),
            self.u32((time & 0xFFFF_FFFF) as u32),
            self.u32(length),
            self.u32(length),
            frame.to_vec(),
        ]
        .concat();
        body.resize(body.len().next_multiple_of(4), 0);
        body.extend(self.options(&[(1, b"a comment"), (2, &[0, 0, 0, 1])]));
        self.block(6, &body);
    }

    pub(crate) fn simple(&mut self, original: u32, captured: &[u8]) {
        let body = [self.u32(original), captured.to_vec()].concat();
        self.block(3, &body);
    }

    pub(crate) fn obsolete(&mut self, interface: u16, time: u64, frame: &[u8]) {
        let length = u32::try_from(frame.len()).unwrap();
        let body = [
            self.u16(interface),
            self.u16(0xFFFF),
            self.u32((time >> 32) as u32),
            self.u32((time & 0xFFFF_FFFF) as u32),
            self.u32(length),
            self.u32(length),
            frame.to_vec(),
        ];
        self.block(2, &body.concat());
    }
}
