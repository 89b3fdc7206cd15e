//! File formats: what is in the frames is the same, whatever file they are in.

use std::io::{self, Read};

use conformance::capture::Direction::{Device, Server};
use conformance::capture::{
    BlockFault, Capture, CaptureError, Close, MAX_BLOCK, MAX_FRAME, MAX_KEPT, MQTT_PORT,
};

use crate::tools::{self, fixture, follow, followed, text};
use crate::wire::{ACK, FIN, Flow, PcapNg, pcap};

/// CONNECT to and fro, ten bytes each.
fn frames() -> Vec<Vec<u8>> {
    let flow = Flow::new(50_000, 1000, 5000);
    let mut frames = flow.opening();
    frames.push(flow.frame(Device, ACK, 0, 0, b"0123456789"));
    frames.push(flow.frame(Server, ACK, 0, 10, b"abcdefghij"));
    frames.push(flow.frame(Device, FIN | ACK, 10, 10, b""));
    frames.push(flow.frame(Server, FIN | ACK, 10, 11, b""));
    frames.push(flow.frame(Device, ACK, 11, 11, b""));
    frames
}

fn read(bytes: &[u8]) -> Result<Capture, CaptureError> {
    Capture::parse(bytes, MQTT_PORT)
}

/// The capture has the one connection of `frames`, whole.
fn check(capture: &Capture) {
    let [connection] = &capture.connections[..] else {
        panic!("{capture:?}")
    };
    assert_eq!(connection.device_bytes(), b"0123456789");
    assert_eq!(connection.server_bytes(), b"abcdefghij");
    assert_eq!(connection.closed_by, Some(Close::Finished(Device)));
    assert!(connection.from_start && connection.gaps.is_empty());
    assert!(!capture.truncated);
}

#[test]
fn sections_in_either_byte_order_with_blocks_of_every_kind() {
    let mut file = PcapNg::new();
    for (index, frame) in frames().iter().enumerate() {
        // Each frame in a section of its own, of another byte order and another kind of block.
        file.section(index % 2 == 1);
        file.block(0x0000_0BAD, b"who needs this?");
        file.interface(147, 0, &[]);
        file.interface(1, 0, &[(2, b"eth0"), (9, &[6])]);
        file.block(4, &[0; 8]);
        file.enhanced(0, 77, b"of a link type that is not supported");
        match index % 2 {
            0 => file.enhanced(1, 1_000_000 + index as u64, frame),
            _ => file.obsolete(1, 1_000_000 + index as u64, frame),
        }
        file.block(5, &[0; 12]);
        file.block(0x4000_0BAD, &[1; 16]);
    }
    let capture = read(&file.bytes).unwrap();
    check(&capture);
    assert_eq!(capture.skipped, frames().len());
    let times = capture.connections[0].segments.iter();
    let times: Vec<_> = times.map(|segment| segment.at_micros).collect();
    assert_eq!(times, [1_000_003, 1_000_004]);
}

/// Draft, sections 4.2 (if_tsresol, if_tsoffset) and 4.3.
#[test]
fn times_are_in_the_interfaces_units() {
    for (big_endian, resolution, offset, time, micros) in [
        (
            false,
            None,
            None,
            1_700_000_000_000_001,
            1_700_000_000_000_001,
        ),
        (true, Some(6), None, 5, 5),
        (false, Some(0), None, 7, 7_000_000),
        (false, Some(3), None, 7, 7_000),
        (
            false,
            Some(9),
            None,
            1_700_000_000_000_001_999,
            1_700_000_000_000_001,
        ),
        (true, Some(12), None, 5_999_999, 5),
        // 2^-10 of a second.
        (false, Some(0x8A), None, 1536, 1_500_000),
        (true, Some(0x8A), Some(100), 1536, 101_500_000),
        (false, Some(6), Some(-1), 1_000_007, 7),
        (false, Some(6), Some(-2), 1_000_007, 0),
        (false, Some(0), Some(i64::MAX), u64::MAX, u64::MAX),
        (false, Some(127), None, u64::MAX, 0),
        (false, Some(255), Some(3), u64::MAX, 3_000_000),
    ] {
        let mut file = PcapNg::new();
        file.section(big_endian);
        let offset = offset.map(|offset: i64| {
            if big_endian {
                offset.to_be_bytes()
            } else {
                offset.to_le_bytes()
            }
        });
        let resolution: Option<[u8; 1]> = resolution.map(|resolution| [resolution]);
        let mut options: Vec<(u16, &[u8])> = Vec::new();
        options.extend(resolution.as_ref().map(|value| (9, &value[..])));
        options.extend(offset.as_ref().map(|value| (14, &value[..])));
        file.interface(1, 0, &options);
        for frame in frames() {
            file.enhanced(0, time, &frame);
        }
        let capture = read(&file.bytes).unwrap();
        check(&capture);
        assert_eq!(
            capture.connections[0].segments[0].at_micros, micros,
            "{resolution:?} {offset:?}"
        );
    }
}

#[test]
fn simple_packets_have_the_time_before_them_and_the_first_interfaces_snap_length() {
    let mut file = PcapNg::new();
    file.section(true);
    file.interface(1, 0, &[]);
    let frames = frames();
    file.enhanced(0, 42, &frames[0]);
    for frame in &frames[1..] {
        file.simple(u32::try_from(frame.len()).unwrap(), frame);
    }
    let capture = read(&file.bytes).unwrap();
    check(&capture);
    assert_eq!(capture.connections[0].segments[0].at_micros, 42);

    // Ethernet, IPv4 and TCP take 54 bytes: three of the payload are left.
    let mut file = PcapNg::new();
    file.section(false);
    file.interface(1, 57, &[]);
    for frame in &frames {
        let captured = &frame[..frame.len().min(57)];
        file.simple(u32::try_from(frame.len()).unwrap(), captured);
    }
    let capture = read(&file.bytes).unwrap();
    let connection = &capture.connections[0];
    assert_eq!(connection.device_bytes(), b"012");
    assert_eq!(connection.gaps, [Device, Server]);
}

#[test]
fn key_logs_are_read_from_secrets_blocks() {
    let random = "11".repeat(32);
    let line = format!("CLIENT_RANDOM {random} {}\n", "22".repeat(48));
    let mut file = PcapNg::new();
    file.section(false);
    let length = u32::try_from(line.len()).unwrap();
    let body = [
        &file.u32(0x544C_534B)[..],
        &file.u32(length),
        line.as_bytes(),
    ];
    file.block(0x0A, &body.concat());
    // A key log of another protocol.
    let body = [
        &file.u32(0x5747_4B4C)[..],
        &file.u32(length),
        line.as_bytes(),
    ];
    file.block(0x0A, &body.concat());
    let capture = read(&file.bytes).unwrap();
    assert!(!capture.key_log.is_empty());
    let shown = format!("{capture:?}");
    assert!(shown.contains("KeyLog { secrets: 1, unreadable: 0, left_out: 0 }"));
    assert!(!shown.contains("2222") && !shown.contains("34, 34"));
}

#[test]
fn faults_are_told_with_their_place() {
    let mut good = PcapNg::new();
    good.section(false);
    good.interface(1, 0, &[]);
    let at = good.bytes.len() as u64;
    let with = |add: &dyn Fn(&mut PcapNg)| {
        let mut file = PcapNg {
            big_endian: false,
            bytes: good.bytes.clone(),
        };
        add(&mut file);
        read(&file.bytes)
    };
    for (fault, add) in [
        (
            BlockFault::Length(10),
            &(|file: &mut PcapNg| file.bytes.extend([6, 0, 0, 0, 10, 0, 0, 0, 0, 0, 0, 0]))
                as &dyn Fn(&mut PcapNg),
        ),
        (BlockFault::Length(13), &|file| {
            file.bytes.extend([6, 0, 0, 0, 13, 0, 0, 0, 0, 0, 0, 0]);
        }),
        (BlockFault::LengthsDiffer, &|file| {
            file.block(6, &[0; 20]);
            let last = file.bytes.len() - 4;
            file.bytes[last] += 1;
        }),
        // Of a block that nobody needs, too.
        (BlockFault::LengthsDiffer, &|file| {
            file.block(99, &[0; 20]);
            let last = file.bytes.len() - 4;
            file.bytes[last] += 1;
        }),
        (BlockFault::TooLong(MAX_BLOCK + 4), &|file| {
            file.bytes.extend(6_u32.to_le_bytes());
            file.bytes.extend((MAX_BLOCK + 4).to_le_bytes());
        }),
        (BlockFault::Interface(1), &|file| {
            file.enhanced(1, 0, b"frame");
        }),
        (BlockFault::Content, &|file| {
            file.block(6, &[0; 4]);
        }),
        (BlockFault::Content, &|file| {
            let body = [0, 0, 0, 9, 9_u32].map(u32::to_le_bytes).concat();
            file.block(6, &body);
        }),
        (BlockFault::Content, &|file| {
            let body = [0, 0, 0, 9, 9_u32].map(u32::to_le_bytes).concat();
            file.block(2, &body);
        }),
        (BlockFault::ByteOrder, &|file| {
            file.block(0x0A0D_0D0A, &[0; 16]);
        }),
        (BlockFault::Version(2), &|file| {
            let body = [[0x4D, 0x3C, 0x2B, 0x1A], [2, 0, 0, 0], [0; 4], [0; 4]];
            file.block(0x0A0D_0D0A, &body.concat());
        }),
    ] {
        let expected = CaptureError::Block { offset: at, fault };
        assert_eq!(with(add), Err(expected));
        assert!(
            expected
                .to_string()
                .starts_with(&format!("block at offset {at}: ")),
            "{expected}"
        );
    }
    // A link type that is not supported is an error only if there is no other.
    let mut usb = PcapNg::new();
    usb.section(false);
    usb.interface(220, 0, &[]);
    assert_eq!(read(&usb.bytes).unwrap().skipped, 0);
    usb.enhanced(0, 0, b"frame");
    assert_eq!(read(&usb.bytes), Err(CaptureError::LinkType(220)));

    let mut long = pcap(&frames());
    let at = long.len() as u64;
    long.extend([0; 8]);
    long.extend((MAX_FRAME + 1).to_le_bytes());
    long.extend([0; 4]);
    let expected = CaptureError::FrameTooLarge {
        offset: at,
        length: MAX_FRAME + 1,
    };
    assert_eq!(read(&long), Err(expected));
}

/// Every prefix of a file is a file that was cut off, or no file yet.
#[test]
fn files_may_end_anywhere() {
    let mut pcapng = PcapNg::new();
    pcapng.section(false);
    pcapng.interface(1, 0, &[]);
    let mut ends = vec![28, pcapng.bytes.len()];
    for frame in frames() {
        pcapng.enhanced(0, 1, &frame);
        ends.push(pcapng.bytes.len());
    }
    for end in 4..pcapng.bytes.len() {
        let capture = read(&pcapng.bytes[..end]).unwrap();
        assert_eq!(capture.truncated, !ends.contains(&end), "{end}");
    }
    let pcap = pcap(&frames());
    for end in 24..pcap.len() {
        read(&pcap[..end]).unwrap();
    }
}

/// Hands out a beginning, then the same bytes again and again, a few at a time.
struct Endless {
    beginning: Vec<u8>,
    again: Vec<u8>,
    given: u64,
    ends: u64,
}

impl Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut count = 0;
        for byte in buffer.iter_mut().take(60_001) {
            if self.given == self.ends {
                break;
            }
            let at = usize::try_from(self.given).unwrap();
            *byte = match self.beginning.get(at) {
                Some(byte) => *byte,
                None => self.again[(at - self.beginning.len()) % self.again.len()],
            };
            self.given += 1;
            count += 1;
        }
        Ok(count)
    }
}

/// 32 MiB that are no MQTT: a block as long as a block can be is left out without being kept.
#[test]
fn what_is_not_needed_takes_no_memory() {
    let mut file = PcapNg::new();
    file.section(false);
    file.bytes.extend(0x0BAD_u32.to_le_bytes());
    file.bytes.extend(0xFFFF_FFFC_u32.to_le_bytes());
    let input = Endless {
        beginning: file.bytes,
        again: vec![7],
        given: 0,
        ends: 32 << 20,
    };
    let mut largest = 0;
    allocations(&mut largest, || {
        assert!(Capture::read(input, &[MQTT_PORT]).unwrap().truncated);
    });
    assert!(largest < 1 << 20, "{largest}");
}

fn allocations(largest: &mut u64, run: impl FnOnce()) {
    *largest = allocation_counter::measure(run).bytes_max;
}

/// One segment after the other, each new: the bound is on what is kept.
#[test]
fn bytes_of_connections_are_bounded() {
    let flow = Flow::new(50_000, 1000, 5000);
    let mut frames = flow.opening();
    let payload = vec![0x5A; 60_000];
    let header = pcap(&[]);
    let mut offset = header.len() as u64;
    let record = |frame: &[u8]| pcap(&[frame.to_vec()])[24..].to_vec();
    struct Growing<F>(F, Vec<u8>);
    impl<F: FnMut() -> Vec<u8>> Read for Growing<F> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            if self.1.is_empty() {
                self.1 = (self.0)();
            }
            let count = buffer.len().min(self.1.len());
            buffer[..count].copy_from_slice(&self.1[..count]);
            self.1.drain(..count);
            Ok(count)
        }
    }
    let mut sent = 0;
    let input = Growing(
        || {
            if !frames.is_empty() {
                return record(&frames.remove(0));
            }
            let frame = flow.frame(Device, ACK, sent, 0, &payload);
            sent += 60_000;
            record(&frame)
        },
        header,
    );
    let result = Capture::read(input, &[MQTT_PORT]);
    // 16 bytes of record header, 54 of frame headers; 96 are counted for each segment.
    offset += 3 * (16 + 54);
    let segments = MAX_KEPT as u64 / (60_000 + 96) + 1;
    let offset = offset + segments * (16 + 54 + 60_000);
    assert_eq!(result, Err(CaptureError::TooLarge { offset }));
}

struct Broken;

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::PermissionDenied.into())
    }
}

#[test]
fn a_reader_that_fails_is_told() {
    let pcap = pcap(&frames());
    let result = Capture::read(pcap[..100].chain(Broken), &[MQTT_PORT]);
    let error = result.unwrap_err();
    let expected = CaptureError::Read {
        offset: 100,
        kind: io::ErrorKind::PermissionDenied,
    };
    assert_eq!(error, expected);
    assert_eq!(
        error.to_string(),
        "cannot be read after offset 100: permission denied"
    );
}

#[test]
fn several_ports_at_once() {
    let other = Flow {
        server: "10.0.0.1:8883".parse().unwrap(),
        ..Flow::new(50_001, 1, 2)
    };
    let mut frames = frames();
    frames.extend(other.opening());
    let both = Capture::read(&pcap(&frames)[..], &[1883, 8883]).unwrap();
    assert_eq!((both.connections.len(), both.skipped), (2, 0));
    let one = Capture::read(&pcap(&frames)[..], &[8883]).unwrap();
    assert_eq!((one.connections.len(), one.skipped), (1, 8));
}

/// editcap writes pcapng; what it holds is what tshark and we read from the pcap.
#[test]
fn recordings_as_pcapng_read_the_same() {
    if !tools::present("editcap") || !tools::present("tshark") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    for name in tools::FIXTURES {
        let expected = read(&std::fs::read(fixture(name)).unwrap()).unwrap();
        let path = directory.path().join(name);
        for format in ["pcapng", "pcap", "nsecpcap"] {
            tools::run(
                "editcap",
                &["-F", format, text(&fixture(name)), text(&path)],
            );
            let capture = read(&std::fs::read(&path).unwrap()).unwrap();
            assert_eq!(capture, expected, "{name} {format}");
            let connections = capture.connections.iter().map(followed);
            assert!(connections.eq(follow(&path)), "{name} {format}");
        }
    }
}
