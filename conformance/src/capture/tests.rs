use std::net::Ipv4Addr;

use proptest::prelude::*;
use sha2::{Digest, Sha256};

use super::*;

const FIRST_CONTACT: &[u8] =
    include_bytes!("../../fixtures/recorded/python-sdk-first-contact.pcap");
const DELTA: &[u8] = include_bytes!("../../fixtures/recorded/python-sdk-delta.pcap");

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The CONNECT as `tshark -Y mqtt.msgtype==1 -T fields -e tcp.payload` prints it.
const FIRST_CONNECT: &str = "10800100064d514973647003c2003c0010505953444b4341503031746573743031002d\
    505953444b43415030317465737430313b32313031303430363b4e34737a363b313739353337333233343231360031\
    313364363031363132313761383630646631363538323136633235653132383038346231623633343b686d61637368\
    6131";

/// Lengths and SHA-256 of what `tshark -z follow,tcp,raw,0` prints for each side.
#[test]
fn recordings_come_out_as_tshark_shows_them() {
    for (bytes, device, server, port) in [
        (
            FIRST_CONTACT,
            (
                1167,
                "3a5b28eab12fd20a59b47d65a8e65cc0e2eab3ff591521c2865fea09f939418d",
            ),
            (
                2085,
                "d4845526c51c8d7de57658cd0a4c33ae0634c8375e6eba695f513048197a046b",
            ),
            60319,
        ),
        (
            DELTA,
            (
                3158,
                "840200bc1fdad14a6b5baa27bd2c587dcb2cee3978a231f4cc27b4674b73b222",
            ),
            (
                8837,
                "acb073ffbbd7252664fea94f348818c1fda551c73870a229a6754edda5966467",
            ),
            60935,
        ),
    ] {
        let capture = Capture::parse(bytes, MQTT_PORT).unwrap();
        assert_eq!((capture.skipped, capture.truncated), (0, false));
        let [connection] = &capture.connections[..] else {
            panic!("one connection")
        };
        for (bytes, (length, sha256)) in [
            (connection.device_bytes(), device),
            (connection.server_bytes(), server),
        ] {
            assert_eq!(bytes.len(), length);
            assert_eq!(hex(&Sha256::digest(&bytes)), sha256);
        }
        assert_eq!(
            connection.device,
            SocketAddr::from((Ipv4Addr::LOCALHOST, port))
        );
        assert_eq!(
            connection.server,
            SocketAddr::from((Ipv4Addr::LOCALHOST, 1883))
        );
        assert_eq!(
            connection.closed_by,
            Some(Close::Finished(Direction::Device))
        );
        assert!(connection.from_start && connection.gaps.is_empty());
    }
}

#[test]
fn first_bytes_of_the_device_are_the_connect() {
    let capture = Capture::parse(FIRST_CONTACT, MQTT_PORT).unwrap();
    let first = &capture.connections[0].segments[0];
    assert_eq!(
        (first.direction, hex(&first.bytes).as_str()),
        (Direction::Device, FIRST_CONNECT)
    );
    // tshark -e frame.time_epoch
    assert_eq!(first.at_micros, 1_795_373_234_220_000);
}

/// The recording taken apart, to be put together in other ways.
struct File {
    big_endian: bool,
    nanoseconds: bool,
    link_type: u32,
    /// Seconds, microseconds and bytes of each frame.
    frames: Vec<(u32, u32, Vec<u8>)>,
}

impl File {
    fn recorded(bytes: &[u8]) -> Self {
        let number = |bytes: &[u8]| u32::from_le_bytes(bytes.try_into().unwrap());
        let mut rest = &bytes[24..];
        let mut frames = Vec::new();
        while let Some((header, after)) = rest.split_at_checked(16) {
            let (data, after) = after.split_at(number(&header[8..12]) as usize);
            frames.push((number(&header[..4]), number(&header[4..8]), data.to_vec()));
            rest = after;
        }
        File {
            big_endian: false,
            nanoseconds: false,
            link_type: 1,
            frames,
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let number = |value: u32| {
            if self.big_endian {
                value.to_be_bytes()
            } else {
                value.to_le_bytes()
            }
        };
        let magic = if self.nanoseconds {
            0xA1B2_3C4D
        } else {
            0xA1B2_C3D4
        };
        let version = if self.big_endian {
            [0, 2, 0, 4]
        } else {
            [2, 0, 4, 0]
        };
        let mut bytes = [number(magic), version, [0; 4], [0; 4], number(65535)].concat();
        bytes.extend(number(self.link_type));
        for (seconds, micros, data) in &self.frames {
            let fraction = if self.nanoseconds {
                micros * 1000 + 999
            } else {
                *micros
            };
            let length = number(u32::try_from(data.len()).unwrap());
            bytes.extend([number(*seconds), number(fraction), length, length].concat());
            bytes.extend(data);
        }
        bytes
    }

    fn parse(&self) -> Capture {
        Capture::parse(&self.bytes(), MQTT_PORT).unwrap()
    }

    /// The same IP packets behind another link header.
    fn with_link(mut self, link_type: u32, header: &[u8]) -> Self {
        self.link_type = link_type;
        for (_, _, data) in &mut self.frames {
            data.splice(..14, header.iter().copied());
        }
        self
    }
}

#[test]
fn byte_order_and_precision_do_not_matter() {
    let expected = Capture::parse(DELTA, MQTT_PORT).unwrap();
    for (big_endian, nanoseconds) in [(false, false), (false, true), (true, false), (true, true)] {
        let file = File {
            big_endian,
            nanoseconds,
            ..File::recorded(DELTA)
        };
        assert_eq!(file.parse(), expected, "{big_endian} {nanoseconds}");
    }
}

#[test]
fn link_types_do_not_matter() {
    let expected = Capture::parse(DELTA, MQTT_PORT).unwrap();
    let cooked_v1 = [&[0; 2][..], &[3, 4], &[0; 10], &[8, 0]].concat();
    let cooked_v2 = [&[8, 0][..], &[0; 18]].concat();
    let vlan = [&[0; 12][..], &[0x81, 0, 0, 7, 8, 0]].concat();
    for (link_type, header) in [
        (113, &cooked_v1[..]),
        (276, &cooked_v2),
        (1, &vlan),
        (101, &[]),
        (228, &[]),
        (0, &[2, 0, 0, 0]),
        (108, &[0, 0, 0, 2]),
        // The upper bits say that each frame ends in a checksum of four bytes.
        (0x2400_0000 | 101, &[]),
    ] {
        let file = File::recorded(DELTA).with_link(link_type, header);
        assert_eq!(file.parse(), expected, "{link_type}");
    }
}

/// The IPv4 header of a frame replaced by an IPv6 one, from and to ::1.
#[test]
fn ip_version_does_not_matter() {
    let mut file = File::recorded(DELTA);
    for (_, _, data) in &mut file.frames {
        let tcp = data.split_off(14 + 20);
        data.truncate(12);
        data.extend([0x86, 0xDD, 0x60, 0, 0, 0]);
        data.extend(u16::try_from(tcp.len()).unwrap().to_be_bytes());
        data.extend([6, 64]);
        for _ in 0..2 {
            data.extend([0; 15]);
            data.push(1);
        }
        data.extend(tcp);
    }
    let capture = file.parse();
    let expected = Capture::parse(DELTA, MQTT_PORT).unwrap();
    assert_eq!(
        capture.connections[0].segments,
        expected.connections[0].segments
    );
    assert_eq!(capture.connections[0].server.to_string(), "[::1]:1883");
}

fn streams(capture: &Capture) -> (Vec<u8>, Vec<u8>) {
    (
        capture.connections[0].device_bytes(),
        capture.connections[0].server_bytes(),
    )
}

#[test]
fn repeated_and_reordered_segments_give_the_same_streams() {
    let expected = streams(&Capture::parse(DELTA, MQTT_PORT).unwrap());
    let mut twice = File::recorded(DELTA);
    twice.frames = twice
        .frames
        .iter()
        .flat_map(|frame| [frame.clone(), frame.clone()])
        .collect();
    let capture = twice.parse();
    assert_eq!(capture.connections.len(), 1);
    assert_eq!(streams(&capture), expected);

    // The first frames open the connection and fix the sequence numbers.
    let mut swapped = File::recorded(DELTA);
    swapped.frames[3..].chunks_mut(5).for_each(<[_]>::reverse);
    assert_eq!(streams(&swapped.parse()), expected);

    // Sequence numbers that run past 2^32.
    let mut wrapping = File::recorded(DELTA);
    let first = |frames: &[(u32, u32, Vec<u8>)], index: usize| {
        u32::from_be_bytes(frames[index].2[38..42].try_into().unwrap())
    };
    let (device, server) = (first(&wrapping.frames, 0), first(&wrapping.frames, 1));
    for (_, _, data) in &mut wrapping.frames {
        let from_device = data[36..38] == 1883u16.to_be_bytes();
        let base = if from_device { device } else { server };
        let sequence = u32::from_be_bytes(data[38..42].try_into().unwrap());
        let moved = sequence.wrapping_sub(base).wrapping_sub(500);
        data[38..42].copy_from_slice(&moved.to_be_bytes());
    }
    assert_eq!(streams(&wrapping.parse()), expected);
}

#[test]
fn a_missing_segment_is_reported_and_nothing_after_it_is_made_up() {
    let whole = Capture::parse(FIRST_CONTACT, MQTT_PORT).unwrap();
    let mut file = File::recorded(FIRST_CONTACT);
    // Frame 13 of tshark's list: the device's first update.
    file.frames.remove(12);
    let capture = file.parse();
    let connection = &capture.connections[0];
    assert_eq!(connection.gaps, [Direction::Device]);
    // Its sequence number in the stream is 266, as the ACK of frame 12 says (Seq=266).
    assert_eq!(
        connection.device_bytes(),
        whole.connections[0].device_bytes()[..265]
    );
    assert_eq!(
        connection.server_bytes(),
        whole.connections[0].server_bytes()
    );
}

#[test]
fn captures_that_begin_or_end_in_the_middle_say_so() {
    let mut late = File::recorded(FIRST_CONTACT);
    late.frames.drain(..7);
    let capture = late.parse();
    assert!(!capture.connections[0].from_start);
    // SUBSCRIBE is the first packet that is left.
    assert_eq!(capture.connections[0].segments[0].bytes[0], 0x82);

    let mut early = File::recorded(FIRST_CONTACT);
    early.frames.truncate(20);
    assert_eq!(early.parse().connections[0].closed_by, None);

    let mut cut = Capture::parse(&FIRST_CONTACT[..FIRST_CONTACT.len() - 1], MQTT_PORT).unwrap();
    assert!(cut.truncated);
    cut.truncated = false;
    // Only the last ACK is lost.
    assert_eq!(cut, Capture::parse(FIRST_CONTACT, MQTT_PORT).unwrap());
}

#[test]
fn connections_after_one_another_over_the_same_ports_are_told_apart() {
    let mut file = File::recorded(FIRST_CONTACT);
    let mut second = File::recorded(FIRST_CONTACT).frames;
    for (_, _, data) in &mut second {
        let from_device = data[36..38] == 1883u16.to_be_bytes();
        let sequence = u32::from_be_bytes(data[38..42].try_into().unwrap());
        let moved = sequence.wrapping_add(if from_device { 77_777 } else { 99_999 });
        data[38..42].copy_from_slice(&moved.to_be_bytes());
    }
    file.frames.extend(second);
    let capture = file.parse();
    assert_eq!(capture.connections.len(), 2);
    assert_eq!(capture.connections[0], capture.connections[1]);
}

#[test]
fn other_ports_are_skipped() {
    let capture = Capture::parse(FIRST_CONTACT, 8883).unwrap();
    assert_eq!((capture.connections.len(), capture.skipped), (0, 39));
}

#[test]
fn what_is_no_pcap_is_refused() {
    let mut usb = File::recorded(FIRST_CONTACT);
    usb.link_type = 220;
    for (bytes, error, text) in [
        (
            &b""[..],
            CaptureError::NotPcap,
            "neither a pcap nor a pcapng file",
        ),
        (
            b"2021-07-20 16:44:56,611.611 [log.py:35]",
            CaptureError::NotPcap,
            "neither a pcap nor a pcapng file",
        ),
        (
            &FIRST_CONTACT[..23],
            CaptureError::NotPcap,
            "neither a pcap nor a pcapng file",
        ),
        (
            b"\x1f\x8b\x08\x00",
            CaptureError::Compressed("gzip"),
            "compressed with gzip; decompress it first: `gunzip FILE`",
        ),
        (
            b"\x28\xb5\x2f\xfd\x04",
            CaptureError::Compressed("zstd"),
            "compressed with zstd; decompress it first: `zstd -d FILE`",
        ),
        (
            &usb.bytes(),
            CaptureError::LinkType(220),
            "link type 220 is not supported; Ethernet, Linux cooked, raw IP and loopback are",
        ),
    ] {
        assert_eq!(Capture::parse(bytes, MQTT_PORT), Err(error));
        assert_eq!(error.to_string(), text);
    }
}

#[test]
fn connections_are_bounded() {
    let syn = File::recorded(FIRST_CONTACT).frames[0].clone();
    let mut file = File::recorded(FIRST_CONTACT);
    file.frames = (0..=1024u16)
        .map(|port| {
            let mut frame = syn.clone();
            frame.2[34..36].copy_from_slice(&(port + 2000).to_be_bytes());
            frame
        })
        .collect();
    let result = Capture::parse(&file.bytes(), MQTT_PORT);
    assert_eq!(result, Err(CaptureError::TooManyConnections));
    file.frames.pop();
    assert_eq!(file.parse().connections.len(), MAX_CONNECTIONS);
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Capture::parse(&bytes, MQTT_PORT);
        let _ = Capture::parse(&[&FIRST_CONTACT[..24], &bytes].concat(), MQTT_PORT);
    }

    #[test]
    fn damaged_captures_are_read_or_refused(
        damage in proptest::collection::vec((0..FIRST_CONTACT.len(), any::<u8>()), 1..20),
    ) {
        let mut bytes = FIRST_CONTACT.to_vec();
        for (at, byte) in damage {
            bytes[at] = byte;
        }
        let _ = Capture::parse(&bytes, MQTT_PORT);
    }
}
