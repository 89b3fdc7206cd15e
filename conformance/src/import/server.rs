//! The server's side: what the log received becomes bytes for the engine.

use shadow_core::Event;
use shadow_core::mqtt::{
    Entries, Packet, PacketId, PubAck, PubComp, PubRec, PubRel, Publish, QoS, SubAck,
    SubscribeReturnCode, UnsubAck,
};
use shadow_core::tencent::ShadowName;

use super::device::MAXIMUM_PAYLOAD;
use super::driver::{Driver, Expected};
use super::inbound;
use super::queue::Queue;
use super::report::Verdict;
use crate::log::{Payload, Statement, Thread};

impl Driver<'_> {
    pub(super) fn received_suback(&mut self, at: usize) -> Verdict {
        self.heard();
        let callback = self.take_on_subscribe(at);
        if let Some((number, granted)) = callback
            && !self.complete
            && self.is_before_stretch(number)
            && !self
                .pending_subacks
                .iter()
                .any(|(other, _)| *other == number)
        {
            self.expect_maybe(at, Thread::Callback, on_subscribe(number, granted));
            return Verdict::inferred("its SUBSCRIBE is before the excerpt");
        }
        let Some(&(oldest, _)) = self.pending_subacks.front() else {
            if !self.complete && !self.seen[Queue::of(Thread::Network)] {
                if let Some((number, granted)) = callback {
                    self.expect_maybe(at, Thread::Callback, on_subscribe(number, granted));
                }
                return Verdict::inferred("its SUBSCRIBE is before the excerpt");
            }
            return Verdict::unexplained(
                "expected SUBSCRIBE before SUBACK, which the log does not print",
            );
        };
        // Any order is allowed; the callback tells which one is meant.
        let number = callback
            .map(|(number, _)| number)
            .filter(|number| {
                self.pending_subacks
                    .iter()
                    .any(|(other, _)| other == number)
            })
            .unwrap_or(oldest);
        let asked = self
            .pending_subacks
            .iter()
            .find(|(other, _)| *other == number)
            .map_or(0, |(_, qos)| *qos);
        self.pending_subacks.retain(|(other, _)| *other != number);
        let granted = callback.map_or(asked, |(_, granted)| granted);
        let foreign = self.foreign.remove(&number);
        if !foreign {
            let code = match granted {
                128 => SubscribeReturnCode::Failure,
                qos => SubscribeReturnCode::Granted(QoS::from_number(qos).unwrap_or_default()),
            };
            let codes = [code];
            let packet_id = PacketId::new(number).unwrap_or(PacketId::FIRST);
            let packet = Packet::SubAck(SubAck {
                packet_id,
                return_codes: Entries::from(&codes[..]),
            });
            let outputs = self.device.receive(&packet);
            let events = outputs.map(|outputs| self.translate(at, outputs, None, false));
            for event in events.unwrap_or_default() {
                if let Event::ShadowRefused { shadow } = event {
                    for attached in self.shadows.values_mut() {
                        attached.refused |= attached.id == shadow;
                    }
                }
            }
        }
        self.seen[Queue::of(Thread::Network)] = true;
        self.expect(at, Thread::Callback, on_subscribe(number, granted));
        if granted != 128
            && granted > asked
            && let Some(last) = self.queues[Queue::FromNetwork].back_mut()
        {
            last.problem = Some(format!(
                "expected a granted QoS of at most {asked}, which was asked for, found {granted}"
            ));
        }
        Verdict::reproduced(format!("the engine takes it as the answer to m{number}"))
    }

    /// The next `on_subscribe` line after `at`.
    fn take_on_subscribe(&mut self, at: usize) -> Option<(u16, u8)> {
        let from = self.next_on_subscribe.max(at);
        let lines = self.outline.lines.get(from..)?;
        // One that comes after many other lines is another's.
        let (offset, found) = lines
            .iter()
            .take(400)
            .enumerate()
            .find_map(|(offset, line)| match line.statement {
                Statement::OnSubscribe {
                    message_number,
                    granted_qos,
                } => Some((offset, (message_number, granted_qos))),
                _ => None,
            })?;
        self.next_on_subscribe = from + offset + 1;
        Some(found)
    }

    pub(super) fn received_acknowledgement(&mut self, at: usize) -> Verdict {
        self.heard();
        let outline = self.outline;
        let Some(statement) = outline.statement(at) else {
            return Verdict::unexplained("no such line");
        };
        let (number, done) = match *statement {
            Statement::ReceivedUnsubAck { message_number } => (
                message_number,
                Some(Statement::OnUnsubscribe { message_number }),
            ),
            Statement::ReceivedPubAck { message_number }
            | Statement::ReceivedPubComp { message_number } => (
                message_number,
                Some(Statement::OnPublish { message_number }),
            ),
            Statement::ReceivedPubRec { message_number }
            | Statement::ReceivedPubRel { message_number } => (message_number, None),
            _ => return Verdict::unexplained("no acknowledgement"),
        };
        if !self.device.is_online() {
            return Verdict::unexplained("expected nothing from the server, as there is no link");
        }
        let Some(packet_id) = PacketId::new(number) else {
            return Verdict::unexplained("expected a number from 1 on, found 0");
        };
        if self.foreign.remove(&number) {
            if let Some(done) = done {
                self.expect(at, Thread::Callback, done);
            }
            return Verdict::inferred(
                "it answers a packet that the engine's requests cannot express",
            );
        }
        let packet = match statement {
            Statement::ReceivedUnsubAck { .. } => Packet::UnsubAck(UnsubAck { packet_id }),
            Statement::ReceivedPubAck { .. } => Packet::PubAck(PubAck { packet_id }),
            Statement::ReceivedPubComp { .. } => Packet::PubComp(PubComp { packet_id }),
            Statement::ReceivedPubRec { .. } => Packet::PubRec(PubRec { packet_id }),
            _ => Packet::PubRel(PubRel {
                packet_id,
                dup: false,
            }),
        };
        let outputs = match self.device.receive(&packet) {
            Ok(outputs) => outputs,
            Err(error) => return Verdict::unexplained(error),
        };
        let events = self.translate(at, outputs, None, false);
        let unexpected = events
            .iter()
            .any(|event| matches!(event, Event::UnexpectedAcknowledgement { .. }));
        if unexpected {
            let before = self
                .printed_numbers
                .get(&number)
                .is_none_or(|line| *line < self.stretch);
            if !self.complete && before {
                if let Some(done) = done {
                    self.expect_maybe(at, Thread::Callback, done);
                }
                return Verdict::inferred("what it answers is before the excerpt");
            }
            return Verdict::unexplained(format!(
                "expected no acknowledgement of m{number}, which waits for none"
            ));
        }
        self.seen[Queue::of(Thread::Network)] = true;
        if let Some(done) = done {
            self.expect(at, Thread::Callback, done);
        }
        Verdict::reproduced(format!("the engine takes it as the answer to m{number}"))
    }

    pub(super) fn received_publish(&mut self, at: usize) -> Verdict {
        self.heard();
        let outline = self.outline;
        let Some(Statement::ReceivedPublish {
            dup,
            qos,
            retain,
            message_number,
            topic,
            length,
        }) = outline.statement(at)
        else {
            return Verdict::unexplained("no such line");
        };
        if !self.device.is_online() {
            return Verdict::unexplained("expected nothing from the server, as there is no link");
        }
        if *length > MAXIMUM_PAYLOAD {
            return Verdict::unexplained(format!(
                "{length} bytes are more than the {MAXIMUM_PAYLOAD} that are replayed"
            ));
        }
        if (*qos == 0) != (*message_number == 0) || (*qos == 0 && *dup) {
            return Verdict::unexplained(format!(
                "expected a number exactly with QoS 1 and 2, and DUP only there, found \
                 d{}, q{qos}, m{message_number}",
                u8::from(*dup)
            ));
        }
        let shadow = ShadowName::from_result_topic(topic);
        let callback = outline.callback_of.get(at).copied().flatten();
        let payload = callback.and_then(|callback| outline.payload(callback));
        let mut problem = self.not_subscribed(topic, shadow.as_ref());
        if shadow.is_some() && *retain {
            problem = Some("expected r0, as the cloud retains nothing, found r1".to_owned());
        }
        let text = match payload {
            Some(payload) => {
                let mut spelling = outline.spelling;
                if shadow.is_none() {
                    // Anybody may have written it.
                    let fits = inbound::fitting(payload, *length);
                    let first = inbound::SPELLINGS.get(fits.trailing_zeros() as usize);
                    spelling = first.copied().unwrap_or(spelling);
                }
                let text = spelling.write(payload);
                if text.len() != *length {
                    problem = Some(wrong_length(payload, *length, spelling));
                }
                text
            }
            None => "x".repeat(*length),
        };
        if let (Some(name), Some(Payload::Json(json))) = (&shadow, payload) {
            self.prepare_reply(at, name, json);
        }
        let packet = Packet::Publish(Publish {
            dup: *dup,
            qos: QoS::from_number(*qos).unwrap_or_default(),
            retain: *retain,
            topic,
            packet_id: PacketId::new(*message_number),
            payload: text.as_bytes(),
        });
        let outputs = match self.device.receive(&packet) {
            Ok(outputs) => outputs,
            Err(error) => return Verdict::unexplained(error),
        };
        let events = self.translate(at, outputs, None, false);
        let Some(payload) = payload else {
            let is_told = shadow.is_some() || outline.told_topics.contains(topic);
            return self.without_payload(at, is_told, *length);
        };
        let told = match (&shadow, payload) {
            (Some(name), Payload::Json(json)) if self.shadows.contains_key(name) => {
                self.shadow_message(at, name, json, &events)
            }
            _ => plain_message(&events, topic, &text),
        };
        self.seen[Queue::of(Thread::Network)] = true;
        if let Some(statement) = callback.and_then(|callback| outline.statement(callback)) {
            let mut expected = Expected {
                statement: statement.clone(),
                cause: at,
                inferred: None,
                problem: None,
                optional: false,
                queued_by: None,
            };
            match told {
                Ok(note) => expected.inferred = note,
                Err(why) => expected.problem = Some(why),
            }
            if let Statement::OnMessage { qos: printed, .. } = statement
                && printed != qos
            {
                expected.problem = Some(format!("expected QoS {qos}, found QoS {printed}"));
            }
            self.queues[Queue::FromNetwork].push_back(expected);
        }
        if shadow
            .as_ref()
            .and_then(|name| self.shadows.get(name))
            .is_some_and(|s| s.refused)
        {
            problem = Some("expected no message, as its subscription was refused".to_owned());
        }
        match problem {
            Some(problem) => Verdict::unexplained(problem),
            None => Verdict::reproduced(format!("the engine takes the {length} bytes in")),
        }
    }

    /// Why no message can come on this topic.
    fn not_subscribed(&self, topic: &str, shadow: Option<&ShadowName>) -> Option<String> {
        let subscribed = match shadow {
            Some(name) => self.shadows.contains_key(name) || self.detached.contains(name),
            None => {
                let matches =
                    |filter: &String| shadow_core::mqtt::topic::filter_matches(filter, topic);
                !self.complete || self.filters.iter().any(matches)
            }
        };
        (!subscribed).then(|| format!("expected a message on a subscribed topic, found {topic}"))
    }

    fn without_payload(&mut self, at: usize, is_told: bool, length: usize) -> Verdict {
        let reason = format!("its payload is not printed; {length} filler bytes stand in");
        let silent = !self.outline.prints_payloads && !self.is_near_end(at);
        if is_told && !silent {
            self.queues[Queue::FromNetwork].push_back(Expected {
                statement: Statement::OnPayload {
                    function: String::new(),
                    payload: Payload::Text(format!("this message of {length} bytes")),
                },
                cause: at,
                inferred: None,
                problem: None,
                optional: !self.outline.prints_payloads,
                queued_by: None,
            });
        }
        Verdict::inferred(reason)
    }
}

fn on_subscribe(message_number: u16, granted_qos: u8) -> Statement {
    Statement::OnSubscribe {
        message_number,
        granted_qos,
    }
}

fn plain_message(events: &[Event], topic: &str, text: &str) -> Result<Option<String>, String> {
    match events.first() {
        Some(Event::Message(message))
            if message.topic == topic && message.payload == text.as_bytes() =>
        {
            Ok(None)
        }
        // A QoS 2 message that comes again is told once.
        None => Ok(Some("the engine told this message before".to_owned())),
        Some(other) => Err(format!("the engine makes of it: {other:?}")),
    }
}

fn wrong_length(payload: &Payload, length: usize, spelling: inbound::Spelling) -> String {
    let expected = spelling.write(payload).len();
    format!(
        "expected {expected} bytes by the document that its callback prints ({}), found {length}",
        spelling.describe()
    )
}
