//! What networks and captures do to segments. The streams that were sent are known.

use std::net::SocketAddr;

use conformance::capture::Direction::{Device, Server};
use conformance::capture::{Capture, Close, Connection, Direction, MQTT_PORT};
use proptest::prelude::*;

use crate::tools::{self, follow, followed};
use crate::wire::{ACK, FIN, Flow, RST, SYN, cut_pcap, pcap};

fn read(frames: &[Vec<u8>]) -> Capture {
    Capture::parse(&pcap(frames), MQTT_PORT).unwrap()
}

fn only(capture: &Capture) -> &Connection {
    assert_eq!(capture.connections.len(), 1, "{capture:?}");
    &capture.connections[0]
}

fn flow() -> Flow {
    // Both streams run past 2^32.
    Flow::new(50_000, u32::MAX - 5, u32::MAX - 20)
}

/// The bytes of the connection's only segments are these, whole.
fn check(frames: &[Vec<u8>], device: &[u8], server: &[u8]) {
    let capture = read(frames);
    let connection = only(&capture);
    assert_eq!(connection.device_bytes(), device);
    assert_eq!(connection.server_bytes(), server);
    assert_eq!(connection.gaps, []);
    assert_eq!(capture.skipped, 0);
}

#[test]
fn retransmissions_whole_overlapping_and_partly_new() {
    let flow = flow();
    let mut frames = flow.opening();
    frames.push(flow.frame(Device, ACK, 0, 0, b"0123456789"));
    frames.push(flow.frame(Device, ACK, 0, 0, b"0123456789"));
    frames.push(flow.frame(Device, ACK, 4, 0, b"456789AB"));
    frames.push(flow.frame(Device, ACK, 2, 0, b"23"));
    frames.push(flow.frame(Device, ACK, 0, 0, b"0123456789ABCDEF"));
    frames.push(flow.frame(Server, ACK, 0, 16, b""));
    check(&frames, b"0123456789ABCDEF", b"");
}

#[test]
fn segments_out_of_order_that_overlap() {
    let flow = flow();
    let mut frames = flow.opening();
    frames.push(flow.frame(Device, ACK, 12, 0, b"CDEF"));
    frames.push(flow.frame(Device, ACK, 4, 0, b"4567"));
    frames.push(flow.frame(Device, ACK, 6, 0, b"6789AB"));
    frames.push(flow.frame(Device, ACK, 10, 0, b"ABCDEFGH"));
    frames.push(flow.frame(Device, ACK, 0, 0, b"0123"));
    let capture = read(&frames);
    let segments = &only(&capture).segments;
    // All are delivered when the first of them has come, eight milliseconds after the beginning.
    assert_eq!(segments.len(), 1);
    assert_eq!(segments[0].bytes, b"0123456789ABCDEFGH");
    assert_eq!(segments[0].at_micros, 1_700_000_000_007_000);
    check(&frames, b"0123456789ABCDEFGH", b"");
}

/// RFC 9293 section 3.8.4: a segment just before what is next, with a byte of garbage or none.
#[test]
fn keep_alives_and_zero_window_probes() {
    let flow = flow();
    let mut frames = flow.opening();
    frames.push(flow.frame(Device, ACK, u32::MAX, 0, b""));
    frames.push(flow.frame(Device, ACK, u32::MAX, 0, b"\0"));
    frames.push(flow.frame(Device, ACK, 0, 0, b"0123"));
    frames.push(flow.frame(Server, ACK, 0, 4, b""));
    frames.push(flow.frame(Device, ACK, 3, 0, b"\0"));
    frames.push(flow.frame(Server, ACK, 0, 4, b""));
    // A probe of a closed window is the next byte of data; then it comes with what follows.
    frames.push(flow.frame(Device, ACK, 4, 0, b"4"));
    frames.push(flow.frame(Server, ACK, 0, 4, b""));
    frames.push(flow.frame(Device, ACK, 4, 0, b"4567"));
    check(&frames, b"01234567", b"");

    // The keep-alive is the first that the capture has of its side.
    let middle = [
        flow.frame(Server, ACK, 0, 4, b""),
        flow.frame(Device, ACK, 3, 0, b"\0"),
        flow.frame(Device, ACK, 4, 0, b"4567"),
    ];
    check(&middle, b"4567", b"");
}

#[test]
fn segments_cut_by_the_capture_are_a_gap() {
    let flow = flow();
    let mut frames = flow.opening();
    frames.push(flow.frame(Device, ACK, 0, 0, b"0123456789"));
    frames.push(flow.frame(Device, ACK, 10, 0, b"ABCD"));
    frames.push(flow.frame(Server, ACK, 0, 14, b"abc"));
    let cut = |frames: &[Vec<u8>], snap_length| {
        Capture::parse(&cut_pcap(frames, snap_length), MQTT_PORT).unwrap()
    };
    let capture = cut(&frames, 54 + 4);
    let connection = only(&capture);
    assert_eq!(connection.device_bytes(), b"0123");
    assert_eq!(connection.server_bytes(), b"abc");
    assert_eq!(connection.gaps, [Device]);
    // Headers alone.
    let capture = cut(&frames, 54);
    assert_eq!(only(&capture).gaps, [Device, Server]);
    assert_eq!(only(&capture).segments, []);
    // Not even these.
    let capture = cut(&frames, 53);
    assert_eq!((capture.connections.len(), capture.skipped), (0, 6));
    // What was cut and is sent once more, short enough, is no gap.
    frames.push(flow.frame(Device, ACK, 3, 0, b"3456"));
    frames.push(flow.frame(Device, ACK, 7, 0, b"789"));
    let capture = cut(&frames, 54 + 4);
    let connection = only(&capture);
    assert_eq!(connection.device_bytes(), b"0123456789ABCD");
    assert_eq!(connection.gaps, []);
}

#[test]
fn what_is_lost_at_the_end_is_a_gap_too() {
    let flow = flow();
    let mut opening = flow.opening();
    opening.push(flow.frame(Device, ACK, 0, 0, b"0123"));
    let gaps = |last: Vec<u8>| {
        let frames = [&opening[..], &[last]].concat();
        only(&read(&frames)).gaps.clone()
    };
    // The server has more than the capture.
    assert_eq!(gaps(flow.frame(Server, ACK, 0, 8, b"")), [Device]);
    assert_eq!(gaps(flow.frame(Server, ACK, 0, 4, b"")), []);
    // The device's FIN comes after more than the capture has.
    assert_eq!(gaps(flow.frame(Device, FIN | ACK, 8, 0, b"")), [Device]);
    assert_eq!(gaps(flow.frame(Device, FIN | ACK, 4, 0, b"")), []);
    // A byte, or a FIN: something is missing.
    assert_eq!(gaps(flow.frame(Server, ACK, 0, 5, b"")), [Device]);
    assert_eq!(gaps(flow.frame(Device, FIN | ACK, 4, 3, b"")), [Server]);
    // A RST acknowledges anything.
    assert_eq!(gaps(flow.frame(Server, RST | ACK, 0, 9, b"")), []);
}

#[test]
fn connections_interleaved() {
    let flows = [Flow::new(1, 7, 9), Flow::new(2, 7, 9), Flow::new(3, 7, 9)];
    let mut frames = Vec::new();
    for step in 0..3 {
        frames.extend(flows.iter().map(|flow| flow.opening()[step].clone()));
    }
    for (index, flow) in flows.iter().enumerate() {
        let text = format!("of {index}");
        frames.push(flow.frame(Device, ACK, 0, 0, text.as_bytes()));
    }
    for (index, flow) in flows.iter().enumerate().rev() {
        let text = format!("to {index}");
        frames.push(flow.frame(Server, ACK, 0, 4, text.as_bytes()));
    }
    let capture = read(&frames);
    assert_eq!(capture.connections.len(), 3);
    for (index, connection) in capture.connections.iter().enumerate() {
        assert_eq!(connection.device, flows[index].device);
        let streams = (connection.device_bytes(), connection.server_bytes());
        let expected = (format!("of {index}"), format!("to {index}"));
        assert_eq!(streams, (expected.0.into(), expected.1.into()));
    }
}

#[test]
fn ports_used_again() {
    let (first, second) = (Flow::new(1, 1000, 2000), Flow::new(1, 900_000_000, 3000));
    let mut frames = first.opening();
    frames.push(first.frame(Device, ACK, 0, 0, b"first"));
    // The device has lost its power; the server still knows the old connection.
    frames.push(second.frame(Device, SYN, 0, 0, b""));
    frames.push(second.frame(Device, SYN, 0, 0, b""));
    frames.push(second.frame(Server, SYN | ACK, 0, 0, b""));
    // This was under way.
    frames.push(first.frame(Device, ACK, 5, 0, b" late"));
    frames.push(second.frame(Device, ACK, 0, 0, b"second"));
    frames.push(second.frame(Server, RST | ACK, 0, 6, b""));
    let capture = read(&frames);
    let bytes = capture.connections.iter().map(Connection::device_bytes);
    assert!(bytes.eq([b"first late".to_vec(), b"second".to_vec()]));
    let closes = capture.connections.iter().map(|known| known.closed_by);
    assert!(closes.eq([None, Some(Close::Reset(Server))]));
    assert!(
        capture
            .connections
            .iter()
            .all(|known| known.gaps.is_empty() && known.from_start)
    );
}

/// The capture begins with the end of a connection of which it has nothing else.
#[test]
fn ports_used_again_after_a_stray_end() {
    let (before, flow) = (Flow::new(1, 1000, 2000), Flow::new(1, 900_000_000, 3000));
    for flags in [RST, RST | ACK] {
        let mut frames = vec![before.frame(Server, flags, 0, 0, b"")];
        frames.extend(flow.opening());
        frames.push(flow.frame(Device, ACK, 0, 0, b"0123"));
        let capture = read(&frames);
        assert_eq!(capture.connections.len(), 2);
        assert_eq!(capture.connections[0].closed_by, Some(Close::Reset(Server)));
        assert_eq!(capture.connections[1].closed_by, None);
        assert_eq!(capture.connections[1].device_bytes(), b"0123");
        assert!(capture.connections[1].from_start);
    }
}

#[test]
fn handshakes_of_which_a_part_is_missing() {
    let flow = flow();
    let data = [
        flow.frame(Device, ACK, 4, 0, b"4567"),
        flow.frame(Device, ACK, 0, 0, b"0123"),
        flow.frame(Server, ACK, 3, 8, b"def"),
        flow.frame(Server, ACK, 0, 8, b"abc"),
    ];
    let opening = flow.opening();
    for (kept, from_start) in [
        (&opening[..], true),
        // Any one of the SYNs tells where both streams begin, or the ACK where one does.
        (&opening[1..], true),
        (&[opening[0].clone(), opening[2].clone()], true),
        (&[opening[1].clone(), opening[0].clone()], true),
    ] {
        let capture = read(&[kept, &data].concat());
        let connection = only(&capture);
        assert_eq!(connection.device_bytes(), b"01234567");
        assert_eq!(connection.server_bytes(), b"abcdef");
        assert_eq!(
            (connection.from_start, connection.gaps.len()),
            (from_start, 0)
        );
    }
    // Without any, what comes first is the beginning, and the rest is old.
    let capture = read(&data);
    let connection = only(&capture);
    assert!(!connection.from_start);
    assert_eq!(connection.device_bytes(), b"4567");
    assert_eq!(connection.server_bytes(), b"abcdef");
}

/// RFC 9293 section 3.5, figure 8: both send a SYN.
#[test]
fn simultaneous_open_and_close() {
    let flow = flow();
    let frames = [
        flow.frame(Device, SYN, 0, 0, b""),
        flow.frame(Server, SYN, 0, 0, b""),
        flow.frame(Device, SYN | ACK, 0, 0, b""),
        flow.frame(Server, SYN | ACK, 0, 0, b""),
        flow.frame(Device, ACK, 0, 0, b"0123"),
        flow.frame(Server, ACK, 0, 0, b"abc"),
        flow.frame(Device, FIN | ACK, 4, 0, b""),
        flow.frame(Server, FIN | ACK, 3, 0, b""),
        flow.frame(Device, ACK, 5, 4, b""),
        flow.frame(Server, ACK, 4, 5, b""),
    ];
    check(&frames, b"0123", b"abc");
    assert_eq!(
        only(&read(&frames)).closed_by,
        Some(Close::Finished(Device))
    );
}

#[test]
fn refused_connections_and_fast_open() {
    let flow = flow();
    let refused = [
        flow.frame(Device, SYN, 0, 0, b""),
        flow.frame(Server, RST | ACK, 0, 0, b""),
    ];
    let capture = read(&refused);
    let connection = only(&capture);
    assert_eq!(connection.closed_by, Some(Close::Reset(Server)));
    assert_eq!((connection.segments.len(), connection.gaps.len()), (0, 0));
    // RFC 7413: data in the SYN.
    let frames = [
        flow.frame(Device, SYN, 0, 0, b"0123"),
        flow.frame(Server, SYN | ACK, 0, 4, b""),
        flow.frame(Device, ACK, 4, 0, b"4567"),
    ];
    check(&frames, b"01234567", b"");
}

#[test]
fn both_ends_on_the_port() {
    let flow = Flow {
        device: "10.0.0.2:1883".parse().unwrap(),
        ..flow()
    };
    for skipped in 0..3 {
        let mut frames = flow.opening();
        frames.drain(..skipped);
        frames.push(flow.frame(Device, ACK, 0, 0, b"0123"));
        frames.push(flow.frame(Server, ACK, 0, 4, b"abc"));
        let capture = read(&frames);
        assert_eq!(only(&capture).device, flow.device, "{skipped}");
        check(&frames, b"0123", b"abc");
    }
}

/// What stands between the Ethernet addresses and the IP packet.
fn tagged(frame: &[u8], tags: &[u8]) -> Vec<u8> {
    [&frame[..12], tags, &frame[12..]].concat()
}

fn exchange(flow: &Flow) -> Vec<Vec<u8>> {
    let mut frames = flow.opening();
    frames.push(flow.frame(Device, ACK, 0, 0, b"0123456789abcdefghij"));
    frames.push(flow.frame(Server, ACK, 0, 20, b"0123"));
    frames
}

#[test]
fn vlan_tags_and_frames_captured_on_two_interfaces() {
    let frames = exchange(&flow());
    let expected = read(&frames);
    for tags in [
        &[0x81, 0, 0, 7][..],
        // 802.1ad and its precursor: two tags.
        &[0x88, 0xA8, 0, 7, 0x81, 0, 0, 8],
        &[0x91, 0, 0, 7, 0x81, 0, 0, 8],
    ] {
        let tagged: Vec<_> = frames.iter().map(|frame| tagged(frame, tags)).collect();
        assert_eq!(read(&tagged), expected);
        let both = frames.iter().zip(&tagged);
        let both: Vec<_> = both.flat_map(|(a, b)| [a.clone(), b.clone()]).collect();
        let capture = read(&both);
        assert_eq!(only(&capture).device_bytes(), b"0123456789abcdefghij");
        assert_eq!(only(&capture).server_bytes(), b"0123");
        assert!(only(&capture).gaps.is_empty());
        assert_eq!(only(&capture).segments.len(), 2);
    }
}

#[test]
fn padding_behind_the_packet_is_no_data() {
    let mut frames = exchange(&flow());
    for frame in &mut frames {
        frame.resize(frame.len().max(60) + 4, 0xEE);
    }
    check(&frames, b"0123456789abcdefghij", b"0123");
}

/// RFC 791 section 3.1: options, here a router alert; and a length that is yet to be filled in.
#[test]
fn ipv4_options_and_offloaded_lengths() {
    let mut frames = exchange(&flow());
    for frame in &mut frames {
        frame.splice(34..34, [0x94, 4, 0, 0, 1, 1, 1, 0]);
        frame[14] = 0x47;
        let length = u16::from_be_bytes([frame[16], frame[17]]) + 8;
        frame[16..18].copy_from_slice(&length.to_be_bytes());
    }
    check(&frames, b"0123456789abcdefghij", b"0123");
    for frame in &mut frames {
        frame[16..18].copy_from_slice(&[0, 0]);
    }
    check(&frames, b"0123456789abcdefghij", b"0123");
    // Then the frame's own length tells what was cut.
    let cut = cut_pcap(&frames, 14 + 28 + 20 + 10);
    let capture = Capture::parse(&cut, MQTT_PORT).unwrap();
    assert_eq!(only(&capture).device_bytes(), b"0123456789");
    assert_eq!(only(&capture).gaps, [Device]);
}

/// RFC 8200 section 4: hop-by-hop options, routing, destination options.
#[test]
fn ipv6_extension_headers() {
    let flow = Flow {
        device: "[fe80::2]:50000".parse().unwrap(),
        server: "[fe80::1]:1883".parse().unwrap(),
        ..flow()
    };
    let mut frames = exchange(&flow);
    check(&frames, b"0123456789abcdefghij", b"0123");
    for frame in &mut frames {
        let length = u16::from_be_bytes([frame[18], frame[19]]) + 24;
        frame[18..20].copy_from_slice(&length.to_be_bytes());
        frame[20] = 0;
        let options = [
            60, 0, 1, 4, 0, 0, 0, 0, 43, 0, 1, 4, 0, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0,
        ];
        frame.splice(54..54, options);
    }
    check(&frames, b"0123456789abcdefghij", b"0123");
    let cut = cut_pcap(&frames, 14 + 40 + 24 + 20 + 10);
    let capture = Capture::parse(&cut, MQTT_PORT).unwrap();
    assert_eq!(only(&capture).device_bytes(), b"0123456789");
    assert_eq!(only(&capture).gaps, [Device]);
}

/// Within and between the extension headers, too: nothing is read past what was captured.
#[test]
fn ipv6_packets_cut_anywhere() {
    let flow = Flow {
        device: "[fe80::2]:50000".parse().unwrap(),
        server: "[fe80::1]:1883".parse().unwrap(),
        ..flow()
    };
    let options = [
        60, 0, 1, 4, 0, 0, 0, 0, 43, 0, 1, 4, 0, 0, 0, 0, 51, 0, 1, 4, 0, 0, 0, 0, 6, 1, 0, 0, 0,
        0, 0, 1, 0, 0, 0, 1,
    ];
    let mut frame = flow.frame(Device, ACK, 0, 0, b"0123");
    let length = u16::from_be_bytes([frame[18], frame[19]]) + 36;
    frame[18..20].copy_from_slice(&length.to_be_bytes());
    frame[20] = 0;
    frame.splice(54..54, options);
    for cut in [0, 4] {
        for end in 14..frame.len() {
            // The header may know of the cut, or not.
            let mut file = cut_pcap(std::slice::from_ref(&frame), end);
            if cut > 0 && end >= 54 {
                let length = u16::try_from(end - 54).unwrap();
                file[24 + 16 + 18..24 + 16 + 20].copy_from_slice(&length.to_be_bytes());
            }
            let capture = Capture::parse(&file, MQTT_PORT).unwrap();
            let whole_header = end >= 14 + 40 + 36 + 20;
            assert_eq!(
                capture.connections.len(),
                usize::from(whole_header),
                "{end}"
            );
        }
    }
    check(&[frame], b"0123", b"");
}

/// The frame's IP packet in pieces of at most so many bytes (RFC 791 section 3.2).
fn fragments(frame: &[u8], identification: u16, size: usize) -> Vec<Vec<u8>> {
    let payload = &frame[34..];
    let count = payload.len().div_ceil(size);
    let pieces = payload.chunks(size).enumerate();
    let pieces = pieces.map(|(index, piece)| {
        let mut fragment = [&frame[..34], piece].concat();
        let length = u16::try_from(20 + piece.len()).unwrap();
        fragment[16..18].copy_from_slice(&length.to_be_bytes());
        fragment[18..20].copy_from_slice(&identification.to_be_bytes());
        let more = if index + 1 < count { 0x2000 } else { 0 };
        let field = u16::try_from(index * size / 8).unwrap() | more;
        fragment[20..22].copy_from_slice(&field.to_be_bytes());
        fragment
    });
    pieces.collect()
}

/// Likewise for IPv6 (RFC 8200 section 4.5).
fn fragments_v6(frame: &[u8], identification: u32, size: usize) -> Vec<Vec<u8>> {
    let payload = &frame[54..];
    let count = payload.len().div_ceil(size);
    let pieces = payload.chunks(size).enumerate();
    let pieces = pieces.map(|(index, piece)| {
        let more = u16::from(index + 1 < count);
        let field = u16::try_from(index * size).unwrap() | more;
        let header = [
            &[6, 0][..],
            &field.to_be_bytes(),
            &identification.to_be_bytes(),
        ];
        let mut fragment = [&frame[..54], &header.concat(), piece].concat();
        let length = u16::try_from(8 + piece.len()).unwrap();
        fragment[18..20].copy_from_slice(&length.to_be_bytes());
        fragment[20] = 44;
        fragment
    });
    pieces.collect()
}

#[test]
fn fragments_are_put_together_in_any_order() {
    let v6 = Flow {
        device: "[fe80::2]:50000".parse().unwrap(),
        server: "[fe80::1]:1883".parse().unwrap(),
        ..flow()
    };
    for flow in [flow(), v6] {
        let whole = exchange(&flow);
        let pieces = |frame: &[u8], number: u16| match flow.device {
            SocketAddr::V4(_) => fragments(frame, number, 16),
            SocketAddr::V6(_) => fragments_v6(frame, number.into(), 16),
        };
        for order in 0..4 {
            let mut frames = whole[..3].to_vec();
            let (mut device, mut server) = (pieces(&whole[3], 7), pieces(&whole[4], 7));
            assert_eq!((device.len(), server.len()), (3, 2));
            match order {
                0 => {}
                1 => device.reverse(),
                2 => {
                    device.rotate_left(1);
                    server.reverse();
                }
                _ => device = device.iter().flat_map(|f| [f.clone(), f.clone()]).collect(),
            }
            frames.extend(device);
            frames.extend(server);
            check(&frames, b"0123456789abcdefghij", b"0123");
        }
    }
}

#[test]
fn fragments_that_are_missing_are_a_gap() {
    let flow = flow();
    let payload = b"0123456789abcdefghijklmnopqrstuvwxyz";
    let mut whole = flow.opening();
    whole.push(flow.frame(Device, ACK, 0, 0, payload));
    whole.push(flow.frame(Server, ACK, 0, 36, b"0123"));
    for missing in 0..3 {
        let mut frames = whole[..3].to_vec();
        // The first has the TCP header and four bytes.
        let mut pieces = fragments(&whole[3], 7, 24);
        assert_eq!(pieces.len(), 3);
        pieces.remove(missing);
        frames.extend(pieces);
        // So far, only a first fragment shows that something was sent, ...
        let capture = read(&frames);
        let expected: (&[Direction], usize) = if missing == 0 {
            (&[], 2)
        } else {
            (&[Device], 0)
        };
        assert_eq!((&only(&capture).gaps[..], capture.skipped), expected);
        // ... but the answer does.
        frames.push(whole[4].clone());
        let capture = read(&frames);
        assert_eq!(only(&capture).gaps, [Device]);
        assert!(payload.starts_with(&only(&capture).device_bytes()));
        // Sent again, it is whole.
        frames.push(whole[3].clone());
        check_streams(&read(&frames), payload, b"0123");
    }
}

fn check_streams(capture: &Capture, device: &[u8], server: &[u8]) {
    assert_eq!(only(capture).device_bytes(), device);
    assert_eq!(only(capture).server_bytes(), server);
    assert_eq!(only(capture).gaps, []);
}

#[test]
fn fragments_that_never_come_are_given_up() {
    let flow = flow();
    let whole = exchange(&flow);
    let mut frames = whole[..3].to_vec();
    for identification in 0..500 {
        frames.push(fragments(&whole[3], identification, 16).remove(1));
    }
    let capture = read(&frames);
    assert_eq!(capture.skipped, 500);
    assert_eq!(only(&capture).segments, []);
}

/// A stream of one side and its segments, with what happens to them on the way.
#[derive(Clone, Debug)]
struct Journey {
    /// Places where the stream is cut into segments.
    cuts: Vec<usize>,
    /// Segments sent again later: which, and how many segments on.
    again: Vec<(usize, usize)>,
    /// Retransmissions that span several segments: from where, and how long.
    spanning: Vec<(usize, usize, usize)>,
    /// Segments that swap places with the next.
    swapped: Vec<usize>,
    first: u32,
}

fn journey() -> impl Strategy<Value = Journey> {
    let small = 0..40_usize;
    (
        proptest::collection::vec(1..400_usize, 0..12),
        proptest::collection::vec((small.clone(), 0..5_usize), 0..4),
        proptest::collection::vec((small.clone(), 0..400_usize, 1..300_usize), 0..4),
        proptest::collection::vec(small, 0..4),
        any::<u32>(),
    )
        .prop_map(|(cuts, again, spanning, swapped, first)| Journey {
            cuts,
            again,
            spanning,
            swapped,
            first,
        })
}

const LENGTH: usize = 400;

fn stream(seed: u8) -> Vec<u8> {
    (0..LENGTH)
        .map(|at| (at * 7 + usize::from(seed)) as u8)
        .collect()
}

/// Where each segment begins and ends, in the order in which the capture has them.
fn segments(journey: &Journey) -> Vec<(usize, usize)> {
    let mut places: Vec<usize> = [0, LENGTH]
        .into_iter()
        .chain(journey.cuts.clone())
        .collect();
    places.sort_unstable();
    places.dedup();
    let mut segments: Vec<_> = places.windows(2).map(|ends| (ends[0], ends[1])).collect();
    for index in &journey.swapped {
        let index = index % segments.len();
        if index + 1 < segments.len() {
            segments.swap(index, index + 1);
        }
    }
    for (index, later) in &journey.again {
        let index = index % segments.len();
        let at = (index + 1 + later).min(segments.len());
        segments.insert(at, segments[index]);
    }
    for (index, start, length) in &journey.spanning {
        let index = index % segments.len();
        segments.insert(index + 1, (*start, (start + length).min(LENGTH)));
    }
    segments
}

fn journey_frames(device: &Journey, server: &Journey) -> Vec<Vec<u8>> {
    let flow = Flow::new(50_000, device.first, server.first);
    let mut frames = flow.opening();
    let sides = [(Device, device, stream(1)), (Server, server, stream(2))];
    let of = |(from, journey, stream): &(Direction, &Journey, Vec<u8>)| -> Vec<Vec<u8>> {
        let segments = segments(journey).into_iter();
        let frames = segments.map(|(start, end)| {
            let at = u32::try_from(start).unwrap();
            flow.frame(*from, ACK, at, 0, &stream[start..end])
        });
        frames.collect()
    };
    let [device, server] = [of(&sides[0]), of(&sides[1])];
    for index in 0..device.len().max(server.len()) {
        frames.extend(device.get(index).cloned());
        frames.extend(server.get(index).cloned());
    }
    frames
}

proptest! {
    #[test]
    fn any_journey_gives_the_streams(device in journey(), server in journey()) {
        let frames = journey_frames(&device, &server);
        check_streams(&read(&frames), &stream(1), &stream(2));
    }

    /// A segment that is lost for good ends its stream there, and leaves the other whole.
    #[test]
    fn any_loss_is_a_gap(device in journey(), lost in 0..40_usize) {
        let mut device = device;
        device.again.clear();
        device.spanning.clear();
        let server = Journey { cuts: Vec::new(), again: Vec::new(), ..device.clone() };
        let flow = Flow::new(50_000, device.first, server.first);
        let mut segments = segments(&device);
        let lost = segments.remove(lost % segments.len());
        let mut frames = flow.opening();
        for (start, end) in segments {
            let at = u32::try_from(start).unwrap();
            frames.push(flow.frame(Device, ACK, at, 0, &stream(1)[start..end]));
        }
        let end = u32::try_from(LENGTH).unwrap();
        frames.push(flow.frame(Server, ACK, 0, end, &stream(2)));
        let capture = read(&frames);
        let connection = only(&capture);
        prop_assert_eq!(&connection.gaps, &[Device]);
        prop_assert_eq!(connection.device_bytes(), &stream(1)[..lost.0]);
        prop_assert_eq!(connection.server_bytes(), stream(2));
    }
}

/// The same journeys as tshark reads them.
#[test]
fn journeys_read_as_tshark_reads_them() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;

    if !tools::present("tshark") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let mut runner = TestRunner::deterministic();
    for number in 0..6 {
        let [device, server] = [0, 1].map(|_| journey().new_tree(&mut runner).unwrap().current());
        let frames = journey_frames(&device, &server);
        let path = directory.path().join(format!("{number}.pcap"));
        std::fs::write(&path, pcap(&frames)).unwrap();
        let capture = read(&frames);
        let connections = capture.connections.iter().map(followed);
        assert!(connections.eq(follow(&path)), "{device:?} {server:?}");
    }
}

/// A capture that takes its frames from several queues has some in another order than they were sent
/// in: nobody answers what has not come.
#[test]
fn what_acknowledges_bytes_comes_behind_them() {
    let flow = flow();
    let sides = |frames: &[Vec<u8>]| {
        let capture = read(&[flow.opening(), frames.to_vec()].concat());
        let segments = only(&capture).segments.iter();
        let times: Vec<u64> = segments.clone().map(|segment| segment.at_micros).collect();
        assert!(times.is_sorted(), "{times:?}");
        segments
            .map(|segment| segment.direction)
            .collect::<Vec<_>>()
    };
    let request = flow.frame(Device, ACK, 0, 0, b"0123");
    let answer = flow.frame(Server, ACK, 0, 4, b"abcd");
    let thanks = flow.frame(Device, ACK, 4, 4, b"4567");
    let in_order = [request.clone(), answer.clone(), thanks.clone()];
    assert_eq!(sides(&in_order), [Device, Server, Device]);
    for shuffled in [[1, 0, 2], [1, 2, 0], [2, 1, 0], [0, 2, 1]] {
        let frames = shuffled.map(|index: usize| in_order[index].clone());
        // The two of the device are one segment where the first of them is the later one.
        let found = sides(&frames);
        assert_eq!(found.first(), Some(&Device), "{shuffled:?} {found:?}");
        assert_eq!(found.get(1), Some(&Server), "{shuffled:?} {found:?}");
    }
    // What does not answer stays where it is, and so does what cannot be true.
    let push = flow.frame(Server, ACK, 0, 0, b"abcd");
    assert_eq!(sides(&[push, request.clone()]), [Server, Device]);
    let early = flow.frame(Device, ACK, 0, 4, b"0123");
    assert_eq!(sides(&[early.clone(), answer.clone()]), [Device, Server]);
    assert_eq!(sides(&[answer, early]), [Server, Device]);
}
