//! A whole session of the engine, in which the other side is one of the other codecs.

use shadow_core::mqtt::{PacketKind, QoS};
use shadow_core::{Config, Engine, Event, Instant, Outcome, Publication, Session, Transmit};

use crate::codecs::Codec;
use crate::model::Model;

/// An engine whose peer reads and writes with another codec.
struct Link {
    engine: Engine,
    now: Instant,
    peer: Codec,
}

impl Link {
    fn receive(&mut self) -> Vec<Model> {
        let mut received = Vec::new();
        loop {
            let mut bytes = Vec::new();
            match self.engine.poll_transmit(self.now, &mut bytes) {
                None => return received,
                Some(Transmit::Packet { .. }) => {
                    let packet = self.peer.decode(&bytes).unwrap();
                    assert_eq!(self.peer.encode(&packet), Ok(bytes));
                    received.push(packet);
                }
                Some(Transmit::Connect) => self.engine.handle_connected(self.now),
                Some(Transmit::Close) => {}
            }
        }
    }

    fn send(&mut self, packet: &Model) {
        let bytes = self.peer.encode(packet).unwrap();
        self.engine.handle_bytes(self.now, &bytes);
    }

    fn outcomes(&mut self) -> Vec<Outcome> {
        let outcome = |event| match event {
            Event::Ended { outcome, .. } => Some(outcome),
            _ => None,
        };
        core::iter::from_fn(|| self.engine.poll_event())
            .filter_map(outcome)
            .collect()
    }
}

fn acknowledgement(kind: PacketKind, packet_id: u16) -> Model {
    Model::Acknowledgement { kind, packet_id }
}

fn message(qos: u8, packet_id: u16) -> Model {
    Model::Publish {
        dup: false,
        qos,
        retain: false,
        topic: "t".into(),
        packet_id,
        payload: b"x".into(),
    }
}

/// Login, each QoS both ways, a subscription, a ping and the end, with a peer that knows nothing of
/// this project: whatever either side says, the other understands.
fn whole_session(peer: Codec) -> Vec<Model> {
    let now = Instant::ZERO;
    let engine = Engine::new(Config::plain("c"), Session::new(), 1, now);
    let mut link = Link { engine, now, peer };
    link.engine.handle_tick(now); // the first connection is due
    let mut said = link.receive();
    link.send(&Model::ConnAck {
        session_present: false,
        code: 0,
    });
    link.engine.subscribe(now, "t", QoS::ExactlyOnce).unwrap();
    said.extend(link.receive());
    link.send(&Model::SubAck {
        packet_id: 1,
        codes: vec![2],
    });
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
        let publication = Publication::new("t", b"x").qos(qos);
        link.engine.publish(now, &publication).unwrap();
    }
    said.extend(link.receive());
    let [first, second] = [3, 4]; // 2 is the QoS 0 message's, though it is not on the wire
    link.send(&acknowledgement(PacketKind::PubAck, first));
    link.send(&acknowledgement(PacketKind::PubRec, second));
    said.extend(link.receive());
    link.send(&acknowledgement(PacketKind::PubComp, second));
    for packet in [message(0, 0), message(1, 9), message(2, 8)] {
        link.send(&packet);
    }
    link.send(&acknowledgement(PacketKind::PubRel, 8));
    link.engine.unsubscribe(now, "t").unwrap();
    said.extend(link.receive());
    link.send(&acknowledgement(PacketKind::UnsubAck, 5));
    let granted = QoS::ExactlyOnce;
    assert_eq!(
        link.outcomes(),
        [
            Outcome::Subscribed { granted },
            Outcome::Published,
            Outcome::Published,
            Outcome::Published,
            Outcome::Unsubscribed
        ]
    );
    link.now = link.engine.poll_deadline().unwrap().at;
    link.engine.handle_tick(link.now);
    said.extend(link.receive());
    link.send(&Model::Empty(PacketKind::PingResp));
    link.engine.close(link.now);
    said.extend(link.receive());
    said
}

#[test]
fn a_whole_session_needs_nothing_but_the_specification() {
    let expected = [
        Model::Connect {
            client_id: "c".into(),
            clean_session: true,
            keep_alive: 60,
            user_name: None,
            password: None,
            will: None,
        },
        Model::Subscribe {
            packet_id: 1,
            filters: vec![("t".into(), 2)],
        },
        message(0, 0),
        message(1, 3),
        message(2, 4),
        acknowledgement(PacketKind::PubRel, 4),
        acknowledgement(PacketKind::PubAck, 9),
        acknowledgement(PacketKind::PubRec, 8),
        acknowledgement(PacketKind::PubComp, 8),
        Model::Unsubscribe {
            packet_id: 5,
            filters: vec!["t".into()],
        },
        Model::Empty(PacketKind::PingReq),
        Model::Empty(PacketKind::Disconnect),
    ];
    for peer in Codec::OTHERS {
        assert_eq!(whole_session(peer), expected, "[MQTT-7.0.0-2] {peer:?}");
    }
}
