use alloc::string::String;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::masks;
use crate::config::Config;
use crate::mqtt::{
    DecodeError, Incoming, Oversized, PacketKind, ProtocolVersion, Publish, QoS, StreamDecoder,
};
use crate::mqtt::{PacketId, SubscribeReturnCode};
use crate::recording::mask::masker::Masker;
use crate::recording::mask::stream::Stream;
use crate::session::Session;

const MAXIMUM: usize = 128;

/// What a decoder makes of bytes, but for what is masked.
#[derive(Clone, Debug, PartialEq)]
enum Seen {
    Packet(PacketKind, Vec<u16>),
    Publish(bool, QoS, bool, usize, Option<PacketId>, usize),
    Skipped(bool, QoS, bool, usize, Option<PacketId>, usize),
    Error(DecodeError),
}

fn see(decoder: &mut StreamDecoder, mut bytes: &[u8]) -> Vec<Seen> {
    use crate::mqtt::Packet;
    let mut seen = Vec::new();
    loop {
        seen.push(match decoder.next(&mut bytes) {
            Ok(None) => return seen,
            Ok(Some(Incoming::Packet(Packet::Publish(p)))) => {
                let (topic, payload) = (p.topic.len(), p.payload.len());
                Seen::Publish(p.dup, p.qos, p.retain, topic, p.packet_id, payload)
            }
            Ok(Some(Incoming::Packet(packet))) => {
                let (kind, numbers) = match packet {
                    // Any of those that only clients send is as good as another.
                    Packet::Connect(_) | Packet::Subscribe(_) | Packet::Unsubscribe(_) => {
                        (PacketKind::PingReq, Vec::new())
                    }
                    Packet::ConnAck(p) => (
                        packet.kind(),
                        [p.session_present.into(), p.code as u16].into(),
                    ),
                    Packet::PubAck(p) => (packet.kind(), [p.packet_id.get()].into()),
                    Packet::PubRec(p) => (packet.kind(), [p.packet_id.get()].into()),
                    Packet::PubRel(p) => (packet.kind(), [p.packet_id.get()].into()),
                    Packet::PubComp(p) => (packet.kind(), [p.packet_id.get()].into()),
                    Packet::UnsubAck(p) => (packet.kind(), [p.packet_id.get()].into()),
                    Packet::SubAck(p) => {
                        let codes = p.return_codes.iter();
                        let codes = codes.map(|code| match code {
                            SubscribeReturnCode::Granted(qos) => qos.number().into(),
                            SubscribeReturnCode::Failure => 0x80,
                        });
                        (
                            packet.kind(),
                            core::iter::once(p.packet_id.get()).chain(codes).collect(),
                        )
                    }
                    _ => (packet.kind(), Vec::new()),
                };
                Seen::Packet(kind, numbers)
            }
            Ok(Some(Incoming::Skipped(p))) => {
                Seen::Skipped(p.dup, p.qos, p.retain, p.topic.len(), p.packet_id, p.size)
            }
            Err(error) => {
                seen.push(Seen::Error(error));
                return seen;
            }
        });
    }
}

/// A packet that a server may send, or not.
fn packets() -> impl Strategy<Value = Vec<u8>> {
    let publish = (
        "MARK[a-z/é]{0,9}",
        prop_oneof![4 => 0..60_usize, 1 => 60..300_usize],
        0..3_u8,
        1..=u16::MAX,
        any::<bool>(),
    );
    let publish = publish.prop_map(|(topic, length, qos, id, flag)| {
        let qos = QoS::from_number(qos).unwrap();
        let packet_id = PacketId::new(id).filter(|_| qos != QoS::AtMostOnce);
        let payload: Vec<u8> = b"MARK ".iter().copied().cycle().take(length).collect();
        let publish = Publish {
            dup: flag && packet_id.is_some(),
            qos,
            retain: flag,
            topic: &topic,
            packet_id,
            payload: &payload,
        };
        let mut bytes = Vec::new();
        publish.encode(&mut bytes).unwrap();
        bytes
    });
    let fixed = prop::sample::select(alloc::vec![
        &[0x20, 2, 0, 0][..],
        &[0x20, 2, 0, 5],
        &[0x20, 2, 3, 0],
        &[0x40, 2, 1, 7],
        &[0x50, 2, 1, 7],
        &[0x62, 2, 1, 7],
        &[0x70, 2, 1, 7],
        &[0x90, 5, 1, 7, 1, 0x80, 0],
        &[0xb0, 2, 1, 7],
        &[0xd0, 0],
        &[0xc0, 0],
        &[0xe0, 0],
        b"\x82\x09\x00\x01\x00\x04MARK\x00",
        b"\xa2\x08\x00\x01\x00\x04MARK",
        b"\x10\x10\x00\x04MQTT\x04\x02\x00\x00\x00\x04MARK",
    ]);
    prop_oneof![4 => publish, 4 => fixed.prop_map(Vec::from)]
}

/// Packets one behind the other, most of them damaged in no place.
fn streams() -> impl Strategy<Value = Vec<u8>> {
    let damage = (any::<prop::sample::Index>(), any::<u8>(), 0..4_u8);
    let packet = (packets(), damage).prop_map(|(mut packet, (at, byte, chance))| {
        if chance == 0 {
            let at = at.index(packet.len());
            packet[at] = byte;
        }
        packet
    });
    let garbage = "(HTTP/1.1 400 MARK|MARK)";
    let packet = prop_oneof![16 => packet, 1 => garbage.prop_map(String::into_bytes)];
    prop::collection::vec(packet, 1..6).prop_map(|packets| packets.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]
    #[test]
    fn what_is_passed_on_reads_the_same_whatever_the_cutting(
        bytes in streams(),
        cuts in prop::collection::vec(1..40_usize, 1..8),
        old: bool,
        which in 0..3_usize,
    ) {
        let mut config = Config::plain("MARKclient");
        config.maximum_packet_size = MAXIMUM;
        if old {
            config.protocol_version = ProtocolVersion::V31;
        }
        let version = config.protocol_version;
        let decoder = StreamDecoder::new(version, MAXIMUM, Oversized::SkipPublish);
        let (mut original, mut other) = (decoder.clone(), decoder);
        let mask = masks()[which];
        let masker = Masker::new(mask, mask.key().unwrap(), &config, &Session::new());
        let mut stream = Stream::new(&config);
        let mut rest = &bytes[..];
        let mut length = cuts.iter().cycle();
        let mut all = Vec::new();
        while !rest.is_empty() {
            let (chunk, behind) = rest.split_at((*length.next().unwrap()).min(rest.len()));
            rest = behind;
            let mut masked = Vec::new();
            stream.mask(chunk, &masker, &mut masked);
            all.extend_from_slice(&masked);
            let seen = see(&mut original, chunk);
            prop_assert_eq!(&see(&mut other, &masked), &seen);
            if let Some(Seen::Error(_)) = seen.last() {
                break;
            }
        }
        // Of topics and payloads one letter each may be left by chance.
        if mask.hides_names() && mask.hides_values() {
            prop_assert!(!all.windows(4).any(|four| four == b"MARK"), "{:?}", all);
        }
        prop_assert!(all.len() <= bytes.len());
    }
}

/// No more is held than the decoder would, even of a packet that is announced to be larger.
#[test]
fn little_is_held_of_what_is_large() {
    let mut config = Config::plain("client");
    config.maximum_packet_size = MAXIMUM;
    let mask = masks()[2];
    let masker = Masker::new(mask, mask.key().unwrap(), &config, &Session::new());
    let mut stream = Stream::new(&config);
    let mut out = Vec::new();
    // 2,097,151 bytes, a topic of 3, and then a payload that goes on and on.
    stream.mask(b"\x30\xff\xff\x7f\x00\x03a/b", &masker, &mut out);
    assert_eq!(out.len(), 9);
    stream.mask(&[b'M'; 1_000], &masker, &mut out);
    assert_eq!(out.len(), 1_009);
    assert!(stream.capacity() <= 64, "{}", stream.capacity());
    assert!(!out.contains(&b'M'));
}
