//! The recorded sessions of the vendor's Python SDK: its bytes go in, and the bytes that mosquitto
//! and the service behind it sent must come out.

use shadow_core::mqtt::{Packet, PacketKind, ProtocolVersion};
use shadow_core::tencent::{DeviceInfo, ShadowName};
use shadow_core::{Instant, WallTime};
use transport_mock::cloud::{Cloud, CloudConfig};
use transport_mock::server::{Credentials, KnownDevice, ServerConfig, ServerTransmit};

fn device() -> DeviceInfo {
    DeviceInfo::with_key("PYSDKCAP01", "test01", "MDEyMzQ1Njc4OWFiY2RlZg==").unwrap()
}

/// All bytes of one side.
fn side<'a>(capture: &'a str, who: &'a str) -> Vec<u8> {
    let lines = capture.lines().filter_map(|line| line.strip_prefix(who));
    let digits: Vec<u8> = lines.flat_map(|line| line.trim().bytes()).collect();
    let byte = |pair: &[u8]| {
        let text = std::str::from_utf8(pair).unwrap();
        u8::from_str_radix(text, 16).unwrap()
    };
    digits.chunks(2).map(byte).collect()
}

/// Cuts a stream into packets; the numbers are the sizes of fixed header and rest.
fn packets(mut stream: &[u8]) -> Vec<&[u8]> {
    let mut packets = Vec::new();
    while !stream.is_empty() {
        let (packet, rest) = (2..=stream.len())
            .map(|length| stream.split_at(length))
            .find(|(packet, _)| Packet::decode(packet, ProtocolVersion::V31).is_ok())
            .unwrap();
        packets.push(packet);
        stream = rest;
    }
    packets
}

/// `session` has the cloud's clock at each request, and the application's changes between them.
fn replay(capture: &str, session: &str) -> usize {
    let credentials = Credentials::Devices(vec![KnownDevice::new(device())]);
    let config = CloudConfig {
        server: ServerConfig {
            credentials,
            ..ServerConfig::default()
        },
        ..CloudConfig::default()
    };
    let name: ShadowName = device().name;
    let now = Instant::ZERO;
    let mut steps = session.lines().filter_map(|line| {
        let mut fields = line.splitn(4, ' ');
        let (who, clock) = (fields.next()?, fields.next()?);
        let payload = fields.nth(1)?;
        let wall = || WallTime::from_unix_millis(clock.parse().unwrap());
        match who {
            "device" => Some((wall(), None)),
            "app" => Some((wall(), Some(payload))),
            _ => None,
        }
    });
    let mut steps = std::iter::from_fn(move || steps.next()).peekable();
    let start = steps.peek().unwrap().0;
    let mut cloud = Cloud::new(config, now, start);
    let connection = cloud.accept(now);
    let device_bytes = side(capture, "device");
    for packet in packets(&device_bytes) {
        if PacketKind::from_number(packet[0] >> 4) == Some(PacketKind::Publish) {
            loop {
                let (wall, desired) = steps.next().unwrap();
                cloud.handle_wall_time(now, wall);
                let Some(desired) = desired else { break };
                cloud.set_desired(now, &name, desired, None).unwrap();
            }
        }
        cloud.handle_bytes(now, connection, packet);
    }
    for (wall, desired) in steps {
        cloud.handle_wall_time(now, wall);
        cloud
            .set_desired(now, &name, desired.unwrap(), None)
            .unwrap();
    }
    let mut sent = Vec::new();
    while let Some((_, transmit)) = cloud.poll_transmit(now, &mut sent) {
        assert!(matches!(transmit, ServerTransmit::Packet { .. }));
    }
    let recorded = side(capture, "server");
    let (sent, recorded) = (packets(&sent), packets(&recorded));
    for (sent, recorded) in sent.iter().zip(&recorded) {
        let text = String::from_utf8_lossy(sent);
        assert_eq!(sent, recorded, "{text}");
    }
    assert_eq!(sent.len(), recorded.len());
    sent.len()
}

#[test]
fn first_contact_of_the_python_sdk() {
    let capture = include_str!("../fixtures/python-sdk-first-contact.bytes.txt");
    let session = include_str!("../fixtures/python-sdk-first-contact.txt");
    assert_eq!(
        replay(capture, session),
        11,
        "CONNACK, SUBACK and 9 replies"
    );
}

#[test]
fn deltas_of_the_python_sdk() {
    let capture = include_str!("../fixtures/python-sdk-delta.bytes.txt");
    let session = include_str!("../fixtures/python-sdk-delta.txt");
    assert_eq!(
        replay(capture, session),
        32,
        "CONNACK, SUBACK and 30 replies and deltas"
    );
}
