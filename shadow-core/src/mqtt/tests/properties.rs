//! decode(encode(p)) = p for every packet, and packets in a row through the stream decoder.

use super::super::*;
use super::stream::{Settings, feed_any_way};
use super::{decodes_to, encoded, is_read};
use ProtocolVersion::{V31, V311};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use std::string::String;
use std::vec::Vec;

/// A packet that owns its strings.
#[derive(Clone, Debug)]
enum Sample {
    Connect {
        client_id: String,
        clean_session: bool,
        keep_alive: u16,
        credentials: Option<(String, Option<Vec<u8>>)>,
        will: Option<(String, Vec<u8>, QoS, bool)>,
    },
    ConnAck(ConnAck),
    Publish {
        dup: bool,
        retain: bool,
        qos: QoS,
        topic: String,
        packet_id: PacketId,
        payload: Vec<u8>,
    },
    Subscribe {
        packet_id: PacketId,
        dup: bool,
        filters: Vec<(String, QoS)>,
    },
    SubAck {
        packet_id: PacketId,
        return_codes: Vec<SubscribeReturnCode>,
    },
    Unsubscribe {
        packet_id: PacketId,
        dup: bool,
        filters: Vec<String>,
    },
    /// One that borrows nothing.
    Other(Packet<'static>),
}

impl Sample {
    fn with_packet<R>(&self, version: ProtocolVersion, test: impl FnOnce(&Packet<'_>) -> R) -> R {
        match self {
            Sample::Connect {
                client_id,
                clean_session,
                keep_alive,
                credentials,
                will,
            } => test(&Packet::Connect(Connect {
                version,
                client_id,
                clean_session: *clean_session || client_id.is_empty(),
                keep_alive: *keep_alive,
                user_name: credentials.as_ref().map(|(name, _)| name.as_str()),
                password: credentials
                    .as_ref()
                    .and_then(|(_, password)| password.as_deref()),
                will: will.as_ref().map(|(topic, payload, qos, retain)| Will {
                    topic,
                    payload,
                    qos: *qos,
                    retain: *retain,
                }),
            })),
            Sample::ConnAck(connack) => test(&Packet::ConnAck(ConnAck {
                session_present: connack.session_present && version == V311,
                ..*connack
            })),
            Sample::Publish {
                dup,
                retain,
                qos,
                topic,
                packet_id,
                payload,
            } => {
                let acknowledged = *qos > QoS::AtMostOnce;
                test(&Packet::Publish(Publish {
                    dup: *dup && acknowledged,
                    qos: *qos,
                    retain: *retain,
                    topic,
                    packet_id: acknowledged.then_some(*packet_id),
                    payload,
                }))
            }
            Sample::Subscribe {
                packet_id,
                dup,
                filters,
            } => {
                let filters: Vec<_> = filters
                    .iter()
                    .map(|(filter, qos)| (filter.as_str(), *qos))
                    .collect();
                test(&Packet::Subscribe(Subscribe {
                    packet_id: *packet_id,
                    dup: *dup && version == V31,
                    filters: Entries::from(&filters[..]),
                }))
            }
            Sample::SubAck {
                packet_id,
                return_codes,
            } => {
                let return_codes: Vec<_> = return_codes
                    .iter()
                    .map(|&code| match (version, code) {
                        (V31, SubscribeReturnCode::Failure) => {
                            SubscribeReturnCode::Granted(QoS::AtMostOnce)
                        }
                        _ => code,
                    })
                    .collect();
                test(&Packet::SubAck(SubAck {
                    packet_id: *packet_id,
                    return_codes: Entries::from(&return_codes[..]),
                }))
            }
            Sample::Unsubscribe {
                packet_id,
                dup,
                filters,
            } => {
                let filters: Vec<_> = filters.iter().map(String::as_str).collect();
                test(&Packet::Unsubscribe(Unsubscribe {
                    packet_id: *packet_id,
                    dup: *dup && version == V31,
                    filters: Entries::from(&filters[..]),
                }))
            }
            Sample::Other(Packet::PubRel(pubrel)) => test(&Packet::PubRel(PubRel {
                dup: pubrel.dup && version == V31,
                ..*pubrel
            })),
            Sample::Other(packet) => test(packet),
        }
    }
}

fn text() -> impl Strategy<Value = String> {
    "[^\\x00]{0,24}"
}

fn topic_name() -> impl Strategy<Value = String> {
    "[^\\x00+#]{1,40}"
}

fn topic_filter() -> impl Strategy<Value = String> {
    "([^\\x00+#/]{0,5}/|\\+/){0,4}([^\\x00+#/]{1,5}|\\+|#)"
}

fn qos() -> impl Strategy<Value = QoS> {
    (0_u8..3).prop_map(|number| QoS::from_number(number).unwrap())
}

fn packet_id() -> impl Strategy<Value = PacketId> {
    (1..=u16::MAX).prop_map(super::id)
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![8 => vec(any::<u8>(), 0..150), 1 => vec(any::<u8>(), 0..20_000)]
}

fn connack() -> impl Strategy<Value = ConnAck> {
    (any::<bool>(), 0_u8..6).prop_map(|(session_present, code)| ConnAck {
        session_present: session_present && code == 0,
        code: ConnectReturnCode::from_number(code).unwrap(),
    })
}

fn return_code() -> impl Strategy<Value = SubscribeReturnCode> {
    prop_oneof![
        qos().prop_map(SubscribeReturnCode::Granted),
        Just(SubscribeReturnCode::Failure),
    ]
}

fn sample() -> impl Strategy<Value = Sample> {
    prop_oneof![
        (
            text(),
            any::<bool>(),
            any::<u16>(),
            option::of((text(), option::of(bytes()))),
            option::of((topic_name(), bytes(), qos(), any::<bool>())),
        )
            .prop_map(
                |(client_id, clean_session, keep_alive, credentials, will)| {
                    Sample::Connect {
                        client_id,
                        clean_session,
                        keep_alive,
                        credentials,
                        will,
                    }
                }
            ),
        connack().prop_map(Sample::ConnAck),
        (
            any::<bool>(),
            any::<bool>(),
            qos(),
            topic_name(),
            packet_id(),
            bytes()
        )
            .prop_map(
                |(dup, retain, qos, topic, packet_id, payload)| Sample::Publish {
                    dup,
                    retain,
                    qos,
                    topic,
                    packet_id,
                    payload
                }
            ),
        (
            packet_id(),
            any::<bool>(),
            vec((topic_filter(), qos()), 1..5)
        )
            .prop_map(|(packet_id, dup, filters)| Sample::Subscribe {
                packet_id,
                dup,
                filters
            }),
        (packet_id(), vec(return_code(), 1..5)).prop_map(|(packet_id, return_codes)| {
            Sample::SubAck {
                packet_id,
                return_codes,
            }
        }),
        (packet_id(), any::<bool>(), vec(topic_filter(), 1..5)).prop_map(
            |(packet_id, dup, filters)| Sample::Unsubscribe {
                packet_id,
                dup,
                filters
            }
        ),
        (packet_id(), any::<bool>(), 0_usize..8).prop_map(|(packet_id, dup, which)| {
            Sample::Other(
                [
                    Packet::PubAck(PubAck { packet_id }),
                    Packet::PubRec(PubRec { packet_id }),
                    Packet::PubRel(PubRel { packet_id, dup }),
                    Packet::PubComp(PubComp { packet_id }),
                    Packet::UnsubAck(UnsubAck { packet_id }),
                    Packet::PingReq,
                    Packet::PingResp,
                    Packet::Disconnect,
                ][which],
            )
        }),
    ]
}

fn version() -> impl Strategy<Value = ProtocolVersion> {
    prop_oneof![Just(V31), Just(V311)]
}

proptest! {
    #[test]
    fn a_packet_survives_its_bytes(sample in sample(), version in version()) {
        sample.with_packet(version, |packet| {
            let bytes = encoded(packet, version);
            decodes_to(&bytes, version, *packet);
        });
    }

    #[test]
    fn a_row_of_packets_survives_any_cutting(
        samples in vec(sample(), 0..6),
        version in version(),
        cuts in vec(any::<usize>(), 0..10),
        maximum in prop_oneof![Just(100_usize), Just(1_000), Just(1_000_000)],
    ) {
        let mut bytes = Vec::new();
        let mut sizes = Vec::new();
        for sample in &samples {
            let packet = sample.with_packet(version, |packet| encoded(packet, version));
            if is_read(&packet) {
                sizes.push(packet.len());
                bytes.extend(packet);
            }
        }
        let settings = Settings { version, maximum, oversized: Oversized::SkipPublish };
        let outcome = feed_any_way(settings, &bytes, &cuts);
        if sizes.iter().all(|&size| size <= maximum) {
            prop_assert_eq!(outcome.incoming.len(), sizes.len());
            prop_assert_eq!(outcome.end, Ok(0));
        }
    }

    /// Where the filter has no wildcard it matches its own name only; a filter made from a name by
    /// putting in wildcards matches it.
    #[test]
    fn a_filter_made_from_a_name_matches_it(
        levels in vec("[a-c]{0,2}", 1..5),
        plus in vec(any::<bool>(), 5),
        other in topic_name(),
    ) {
        let name = levels.join("/");
        prop_assert!(topic::filter_matches(&name, &name));
        prop_assert_eq!(topic::filter_matches(&name, &other), name == other);
        let filter: Vec<_> = levels
            .iter()
            .zip(plus)
            .map(|(level, plus)| if plus { "+" } else { level.as_str() })
            .collect();
        prop_assert!(topic::filter_matches(&filter.join("/"), &name));
        for depth in 0..=filter.len() {
            let mut filter = filter[..depth].to_vec();
            filter.push("#");
            prop_assert!(topic::filter_matches(&filter.join("/"), &name));
        }
    }
}
