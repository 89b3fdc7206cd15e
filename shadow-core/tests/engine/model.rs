//! Random runs of an engine beside a small model of what must hold after every step, whatever the
//! application, the transport, the server and the clock do.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use shadow_core::mqtt::{Packet, ProtocolVersion, QoS};
use shadow_core::tencent::{ShadowName, Update};
use shadow_core::{
    Config, Event, Instant, Outcome, Publication, RequestError, RequestId, ShadowId, Timer,
    Transmit, TransportFailure,
};

use crate::counters::Bystander;
use crate::device::{Device, config, publish};

const MAXIMUM_REQUESTS: usize = 12;

/// What happens next. The numbers choose among what is there, modulo how many there are.
#[derive(Clone, Debug)]
enum Step {
    Report(usize),
    Get(usize),
    Publish(u8),
    Subscribe(usize),
    Unsubscribe(usize),
    Cancel(usize),
    SetTimeout(usize, u64),
    Attach,
    Detach(usize),
    Reconnect,
    /// The transport takes what is there.
    Transmit,
    /// The application takes what is there.
    Events,
    Connected,
    Lost,
    /// The server answers one of the packets that it has got; the second number says how.
    Answer(usize, u8),
    /// The server answers its CONNECT.
    Accept(bool),
    /// The server sends what nobody asked for.
    Unasked(u8, u8),
    /// Time goes on to the next deadline.
    Tick,
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let index = any::<usize>;
    prop_oneof![
        4 => index().prop_map(Step::Report),
        1 => index().prop_map(Step::Get),
        3 => (0_u8..3).prop_map(Step::Publish),
        2 => (0_usize..3).prop_map(Step::Subscribe),
        1 => (0_usize..3).prop_map(Step::Unsubscribe),
        1 => index().prop_map(Step::Cancel),
        1 => (index(), 0_u64..9_000).prop_map(|(index, millis)| Step::SetTimeout(index, millis)),
        1 => Just(Step::Attach),
        1 => index().prop_map(Step::Detach),
        1 => Just(Step::Reconnect),
        8 => Just(Step::Transmit),
        4 => Just(Step::Events),
        4 => Just(Step::Connected),
        1 => Just(Step::Lost),
        10 => (index(), any::<u8>()).prop_map(|(index, how)| Step::Answer(index, how)),
        4 => any::<bool>().prop_map(Step::Accept),
        2 => (any::<u8>(), 0_u8..12).prop_map(|(what, id)| Step::Unasked(what, id)),
        4 => Just(Step::Tick),
        2 => (0_u64..4_000).prop_map(Step::Wait),
    ]
}

fn configuration() -> impl Strategy<Value = Config> {
    (0_u8..3, any::<[bool; 5]>()).prop_map(|(qos, choices)| {
        let [clean, v31, resubscribe, wait, fetch] = choices;
        let mut config = config();
        config.shadow_qos = QoS::from_number(qos).unwrap();
        config.clean_session = clean;
        if v31 {
            config.protocol_version = ProtocolVersion::V31;
        }
        config.behaviour.resubscribe = resubscribe;
        config.behaviour.wait_for_suback = wait;
        config.behaviour.get_on_subscribe = fetch;
        config.keep_alive = 4;
        config.limits.keep_alive_minimum = 4;
        config.ping_timeout = Duration::from_secs(2);
        config.connect_timeout = Duration::from_secs(3);
        config.request_timeout = Duration::from_secs(5);
        config.maximum_requests = MAXIMUM_REQUESTS;
        config.maximum_in_flight = 3;
        config.maximum_subscriptions = 4;
        config.maximum_queued_bytes = 1_500;
        config
    })
}

/// What the transport is at.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Link {
    Closed,
    Opening,
    /// CONNECT has yet to come out.
    Open,
    /// CONNECT came; CONNACK was not sent.
    Greeted,
    Accepted,
}

/// What an open request is, and by which mark its packet is known.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Asked {
    Shadow(Option<u64>),
    Publish(u64),
    Subscribe,
    Unsubscribe,
}

struct Model {
    device: Device,
    config: Config,
    link: Link,
    closed: bool,
    /// What the application was told last.
    told_online: bool,
    shadows: Vec<ShadowId>,
    open: BTreeMap<RequestId, Asked>,
    next_mark: u64,
    /// Marks of messages that have left, and of those that must never (again).
    left: BTreeSet<u64>,
    forbidden: BTreeSet<u64>,
    /// Marks of updates that the server has accepted or rejected.
    answered: BTreeMap<u64, i64>,
    /// What the server has got on this link and not answered.
    inbox: Vec<Vec<u8>>,
    /// Packet ids that await an acknowledgement, of this link's SUBSCRIBE and UNSUBSCRIBE and of
    /// the session's messages.
    asking: BTreeSet<u16>,
    sending: BTreeSet<u16>,
    /// Those of earlier links, which may come again.
    resumable: BTreeSet<u16>,
    /// Whether the server said that it had kept the session.
    resumed: bool,
    bystander: Bystander,
}

/// The number behind `"n":` or `mark ` in a message's payload.
fn mark(payload: &[u8]) -> Option<u64> {
    let text = core::str::from_utf8(payload).unwrap();
    let start = ["\"n\":", "mark "]
        .iter()
        .find_map(|label| text.find(label).map(|at| at + label.len()))?;
    let digits = text[start..].chars().take_while(char::is_ascii_digit);
    digits.collect::<String>().parse().ok()
}

impl Model {
    fn new(config: Config) -> Model {
        let device = Device::new(config.clone());
        let shadows = vec![device.shadow()];
        Model {
            device,
            config,
            link: Link::Closed,
            closed: false,
            told_online: false,
            shadows,
            open: BTreeMap::new(),
            next_mark: 0,
            left: BTreeSet::new(),
            forbidden: BTreeSet::new(),
            answered: BTreeMap::new(),
            inbox: Vec::new(),
            asking: BTreeSet::new(),
            sending: BTreeSet::new(),
            resumable: BTreeSet::new(),
            resumed: false,
            bystander: Bystander::default(),
        }
    }

    fn accept(&mut self, asked: Asked, result: &Result<RequestId, RequestError>) {
        match result {
            Ok(id) => assert_eq!(self.open.insert(*id, asked), None, "{id} was given twice"),
            Err(RequestError::Closed) => assert!(self.closed),
            Err(_) => {}
        }
    }

    fn take(&mut self, step: &Step) {
        let now = self.device.now;
        let shadow = |index: usize| self.shadows.get(index % self.shadows.len().max(1)).copied();
        let open = |index: usize| {
            self.open
                .keys()
                .nth(index % self.open.len().max(1))
                .copied()
        };
        match *step {
            Step::Report(index) => {
                let Some(shadow) = shadow(index) else { return };
                let mark = self.next_mark;
                self.next_mark += 1;
                let reported = serde_json::json!({ "n": mark });
                let update = Update::new().reported(reported);
                let result = self.device.engine.update(now, shadow, &update);
                self.accept(Asked::Shadow(Some(mark)), &result);
            }
            Step::Get(index) => {
                let Some(shadow) = shadow(index) else { return };
                let result = self.device.engine.get(now, shadow);
                self.accept(Asked::Shadow(None), &result);
            }
            Step::Publish(qos) => {
                let mark = self.next_mark;
                self.next_mark += 1;
                let payload = format!("mark {mark}");
                let publication = Publication::new("t", payload.as_bytes());
                let publication = publication.qos(QoS::from_number(qos).unwrap());
                let result = self.device.engine.publish(now, &publication);
                self.accept(Asked::Publish(mark), &result);
            }
            Step::Subscribe(index) => {
                let result =
                    self.device
                        .engine
                        .subscribe(now, ["a", "b", "c/+"][index], QoS::AtLeastOnce);
                self.accept(Asked::Subscribe, &result);
            }
            Step::Unsubscribe(index) => {
                let result = self
                    .device
                    .engine
                    .unsubscribe(now, ["a", "b", "c/+"][index]);
                self.accept(Asked::Unsubscribe, &result);
            }
            Step::Cancel(index) => {
                if let Some(id) = open(index) {
                    // It may have ended with the event still waiting.
                    let _ = self.device.engine.cancel(now, id);
                }
            }
            Step::SetTimeout(index, millis) => {
                if let Some(id) = open(index) {
                    let timeout = Duration::from_millis(millis);
                    let _ = self.device.engine.set_timeout(now, id, timeout);
                }
            }
            Step::Attach => {
                let name = format!("sub{}", self.next_mark);
                let name = ShadowName::new("PRODUCT001", &name).unwrap();
                self.shadows.extend(self.device.engine.attach(now, &name));
            }
            Step::Detach(index) => {
                let Some(id) = shadow(index) else { return };
                self.shadows.retain(|other| *other != id);
                self.device.engine.detach(now, id).unwrap();
            }
            Step::Reconnect => self.device.engine.reconnect(now),
            Step::Transmit => self.transmit(),
            Step::Events => self.events(),
            Step::Connected => {
                if self.link == Link::Opening {
                    self.link = Link::Open;
                    self.device.engine.handle_connected(now);
                }
            }
            Step::Lost => {
                if self.link != Link::Closed {
                    self.unlink();
                    let failure = TransportFailure::ClosedByPeer;
                    self.device.engine.handle_disconnected(now, failure);
                }
            }
            Step::Accept(keep) => {
                if self.link == Link::Greeted {
                    let v311 = self.config.protocol_version == ProtocolVersion::V311;
                    let present = keep && v311 && !self.config.clean_session;
                    self.link = Link::Accepted;
                    self.resumable.append(&mut self.sending);
                    self.resumed = present || !(v311 || self.config.clean_session);
                    self.bytes(&[0x20, 2, u8::from(present), 0]);
                }
            }
            Step::Answer(index, how) => self.answer(index, how),
            Step::Unasked(what, id) => self.unasked(what, id),
            Step::Tick => self.tick(),
            Step::Wait(millis) => {
                self.device.now = now + Duration::from_millis(millis);
                self.settle();
            }
        }
    }

    /// The transport is gone, with all that was on it.
    fn unlink(&mut self) {
        self.link = Link::Closed;
        self.inbox.clear();
        self.asking.clear();
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.bystander.bytes(bytes, self.config.protocol_version);
        self.device.bytes(bytes);
    }

    fn transmit(&mut self) {
        let mut bytes = Vec::new();
        while let Some(transmit) = self
            .device
            .engine
            .poll_transmit(self.device.now, &mut bytes)
        {
            self.bystander.transmit(&transmit, bytes.len());
            match transmit {
                Transmit::Connect => {
                    assert_eq!(self.link, Link::Closed, "two connections at a time");
                    self.link = Link::Opening;
                }
                Transmit::Close => self.unlink(),
                Transmit::Packet { .. } => self.sent(core::mem::take(&mut bytes)),
            }
        }
    }

    /// One packet has come out.
    fn sent(&mut self, bytes: Vec<u8>) {
        match Packet::decode(&bytes, self.config.protocol_version).unwrap() {
            Packet::Connect(_) => {
                assert_eq!(self.link, Link::Open, "CONNECT comes first, and once");
                self.link = Link::Greeted;
                return;
            }
            _ if self.link != Link::Accepted => panic!("{bytes:?} comes out when {:?}", self.link),
            Packet::Publish(publish) => {
                if let Some(mark) = mark(publish.payload) {
                    assert!(
                        !self.forbidden.contains(&mark),
                        "{mark} leaves after its end"
                    );
                    self.left.insert(mark);
                }
                if let Some(id) = publish.packet_id {
                    let id = id.get();
                    if self.resumable.remove(&id) {
                        self.bystander.retransmission();
                    }
                    assert!(self.resumed || !publish.dup, "DUP in a new session");
                    assert!(
                        !self.asking.contains(&id) && self.sending.insert(id),
                        "{id} is in use"
                    );
                }
            }
            // Of a message whose PUBREC came on an earlier link.
            Packet::PubRel(release) if self.resumable.remove(&release.packet_id.get()) => {
                self.sending.insert(release.packet_id.get());
                self.bystander.retransmission();
            }
            Packet::Subscribe(subscribe) => self.asks(subscribe.packet_id.get()),
            Packet::Unsubscribe(unsubscribe) => self.asks(unsubscribe.packet_id.get()),
            _ => {}
        }
        self.inbox.push(bytes);
    }

    fn asks(&mut self, id: u16) {
        assert!(
            !self.sending.contains(&id) && self.asking.insert(id),
            "{id} is in use"
        );
    }

    fn answer(&mut self, index: usize, how: u8) {
        if self.link != Link::Accepted || self.inbox.is_empty() {
            return;
        }
        let bytes = self.inbox.remove(index % self.inbox.len());
        let id = |id: u16| id.to_be_bytes();
        let answer = match Packet::decode(&bytes, self.config.protocol_version).unwrap() {
            Packet::Publish(publish) => {
                if publish.topic.starts_with('$') && !how.is_multiple_of(8) {
                    self.reply(publish.topic, publish.payload, how);
                }
                let Some(number) = publish.packet_id.map(|id| id.get()) else {
                    return;
                };
                let [high, low] = id(number);
                if publish.qos == QoS::AtLeastOnce {
                    self.sending.remove(&number);
                    vec![0x40, 2, high, low]
                } else {
                    vec![0x50, 2, high, low]
                }
            }
            Packet::PubRel(release) => {
                let number = release.packet_id.get();
                self.sending.remove(&number);
                let [high, low] = id(number);
                vec![0x70, 2, high, low]
            }
            Packet::Subscribe(subscribe) => {
                let number = subscribe.packet_id.get();
                self.asking.remove(&number);
                let [high, low] = id(number);
                let v311 = self.config.protocol_version == ProtocolVersion::V311;
                let code = if how.is_multiple_of(4) && v311 {
                    0x80
                } else {
                    how % 2
                };
                vec![0x90, 3, high, low, code]
            }
            Packet::Unsubscribe(unsubscribe) => {
                let number = unsubscribe.packet_id.get();
                self.asking.remove(&number);
                let [high, low] = id(number);
                vec![0xB0, 2, high, low]
            }
            Packet::PingReq => vec![0xD0, 0],
            _ => return,
        };
        self.bytes(&answer);
    }

    /// The shadow service's reply, whose version is the request's mark.
    fn reply(&mut self, topic: &str, request: &[u8], how: u8) {
        let text = core::str::from_utf8(request).unwrap();
        let operation = if text.contains(r#""type":"get""#) {
            "get"
        } else {
            "update"
        };
        let token = crate::device::token(text);
        let code = if how % 4 == 1 { 5_005 } else { 0 };
        let mark = mark(request);
        if let Some(mark) = mark {
            self.answered.insert(mark, code);
        }
        let version = mark.unwrap_or(0);
        let reply = format!(
            r#"{{"type":"{operation}","clientToken":"{token}","result":{code},"payload":{{"version":{version}}}}}"#
        );
        let topic = topic.replace("operation/", "operation/result/");
        let reply = publish(&topic, reply.as_bytes(), QoS::AtMostOnce, None);
        for _ in 0..=usize::from(how % 16 == 2) {
            self.bytes(&reply);
        }
    }

    fn unasked(&mut self, what: u8, id: u8) {
        if self.link != Link::Accepted {
            return;
        }
        let number = u16::from(id);
        let qos = QoS::from_number(what % 3).unwrap();
        let packet_id = (qos != QoS::AtMostOnce).then_some(number.max(1));
        let bytes = match what % 8 {
            0 | 1 => publish("t", b"hi", qos, packet_id),
            2 => publish(crate::device::RESULT_TOPIC, b"{}", qos, packet_id),
            3 => vec![0x62, 2, 0, id.max(1)],
            4 => vec![0xD0, 0],
            // Acknowledgements of what was never sent.
            5 => vec![0x40, 2, 1, id],
            6 => vec![0x90, 3, 1, id, 0],
            _ if id == 7 => vec![0x00],
            _ => Vec::new(),
        };
        self.bytes(&bytes);
    }

    /// A tick at the deadline gets on: what is due next is later.
    fn tick(&mut self) {
        let Some(deadline) = self.device.engine.poll_deadline() else {
            return;
        };
        self.device.now = self.device.now.max(deadline.at);
        self.settle();
    }

    /// As many ticks as there are kinds of timers must be enough for any time.
    fn settle(&mut self) {
        let now = self.device.now;
        let mut ticks: Vec<Timer> = Vec::new();
        while let Some(deadline) = self.device.engine.poll_deadline().filter(|d| d.at <= now) {
            assert!(
                ticks.len() < 4,
                "ticks do not get on: {ticks:?} {deadline:?}"
            );
            ticks.push(deadline.timer);
            self.device.engine.handle_tick(now);
        }
    }

    fn events(&mut self) {
        while let Some(event) = self.device.engine.poll_event() {
            self.bystander.event(&event);
            match event {
                Event::Connected { .. } => {
                    assert!(!self.told_online);
                    self.told_online = true;
                }
                Event::Disconnected { .. } => self.told_online = false,
                Event::Ended { request, outcome } => self.ended(request, &outcome),
                _ => {}
            }
        }
        assert_eq!(self.device.engine.open_requests(), self.open.len());
    }

    fn ended(&mut self, request: RequestId, outcome: &Outcome) {
        let asked = self.open.remove(&request);
        let asked = asked.unwrap_or_else(|| panic!("{request} ended twice"));
        let mark = match asked {
            Asked::Shadow(mark) => mark,
            Asked::Publish(mark) => Some(mark),
            Asked::Subscribe | Asked::Unsubscribe => None,
        };
        let left = mark.map(|mark| self.left.contains(&mark));
        match (outcome, asked) {
            (Outcome::Accepted(document), Asked::Shadow(mark)) => {
                assert_eq!(
                    document.version(),
                    Some(mark.unwrap_or(0)),
                    "somebody else's answer"
                );
                assert!(mark.is_none_or(|mark| self.answered.get(&mark) == Some(&0)));
            }
            (Outcome::Rejected { code, document }, Asked::Shadow(mark)) => {
                assert_eq!(
                    document.version(),
                    Some(mark.unwrap_or(0)),
                    "somebody else's answer"
                );
                assert!(mark.is_none_or(|mark| self.answered.get(&mark) == Some(code)));
            }
            (Outcome::SubscriptionRefused, Asked::Shadow(_) | Asked::Subscribe)
            | (Outcome::Subscribed { .. }, Asked::Subscribe)
            | (Outcome::Unsubscribed, Asked::Unsubscribe) => {}
            (Outcome::Published, Asked::Publish(_)) => assert_eq!(left, Some(true)),
            (Outcome::TimedOut, _) => {}
            (Outcome::Cancelled, _) => {
                if left == Some(false) && !self.closed {
                    self.forbidden.extend(mark);
                }
            }
            (Outcome::Disconnected { maybe_applied }, _) => {
                assert!(
                    left.is_none_or(|left| left == *maybe_applied),
                    "{asked:?} {left:?}"
                );
                if !maybe_applied {
                    self.forbidden.extend(mark);
                }
            }
            (outcome, asked) => panic!("{asked:?} ended as {outcome:?}"),
        }
    }

    /// What holds at any time.
    fn check(&self) {
        let engine = &self.device.engine;
        assert!(self.open.len() <= MAXIMUM_REQUESTS);
        assert!(engine.open_requests() <= self.open.len());
        assert!(
            self.sending.len() <= 3 + self.resumable.len(),
            "the send window is exceeded"
        );
    }

    /// Ends it. Whether the transport has taken everything at once is for the counters.
    fn close(&mut self, at_once: bool) {
        self.closed = true;
        self.device.engine.close(self.device.now);
        self.transmit();
        self.events();
        assert_eq!(self.link, Link::Closed);
        assert!(self.open.is_empty(), "never ended: {:?}", self.open);
        assert!(!self.device.engine.has_output());
        assert_eq!(self.device.engine.poll_deadline(), None);
        let counters = self.device.engine.counters();
        self.bystander.agrees(counters, at_once);
    }
}

proptest! {
    #[test]
    fn whatever_happens_the_model_holds(
        config in configuration(),
        steps in proptest::collection::vec(step(), 0..300),
    ) {
        let mut model = Model::new(config);
        for step in &steps {
            model.take(step);
            // A write may stall, but nothing else that the engine wants of the transport.
            if !model.device.engine.is_online() {
                model.transmit();
            }
            model.check();
        }
        model.close(false);
    }

    /// With a transport that takes everything at once, nothing is left over before time moves.
    #[test]
    fn a_drained_engine_waits_for_a_later_instant(
        config in configuration(),
        steps in proptest::collection::vec(step(), 0..200),
    ) {
        let mut model = Model::new(config);
        for step in &steps {
            model.take(step);
            model.transmit();
            model.events();
            assert!(!model.device.engine.has_output());
            let now: Instant = model.device.now;
            if let (Step::Tick, Some(deadline)) = (step, model.device.engine.poll_deadline()) {
                assert!(deadline.at > now, "{deadline:?} at {now}");
            }
        }
        model.close(true);
    }
}
