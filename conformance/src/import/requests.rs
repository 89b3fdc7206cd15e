//! The application's side: requests, and what stands for those that are not printed.

use serde_json::Value;
use shadow_core::json::Json;
use shadow_core::mqtt::QoS;
use shadow_core::tencent::{Operation, Part, ShadowName, Update, request};
use shadow_core::{Publication, RequestError, RequestId};

use super::device::{Link, MAXIMUM_PAYLOAD};
use super::driver::Driver;
use super::fault::Fault;
use super::queue::Queue;
use super::report::Verdict;
use super::tokens::{get_length, token_number};
use super::words::describe;
use crate::log::{Statement, Thread};

impl Driver<'_> {
    pub(super) fn sending_subscribe(
        &mut self,
        at: usize,
        number: u16,
        filters: &[(String, u8)],
    ) -> Verdict {
        self.settle_pending(at);
        self.fill_gap(at, number, None);
        (self.seen[Queue::Application], self.sent) = (true, true);
        let [(filter, qos)] = filters else {
            return self.stand_in_for(at, "the engine subscribes one topic with each SUBSCRIBE");
        };
        let shadow = ShadowName::from_result_topic(filter).filter(|_| *qos == 0);
        let asked = match shadow {
            Some(name) => {
                let before = self.shadows.get(&name).map(|shadow| shadow.next_token);
                let before = before.or_else(|| self.left.get(&name).map(|left| left.next_token));
                let next = self.token_after_subscription(at, &name, before);
                let attached = self.attach(&name, before.unwrap_or(next));
                self.restart_tokens(&name, next);
                match attached {
                    true => Ok(()),
                    // Initialised once more on this link.
                    false => self.subscribe_plainly(filter, *qos),
                }
            }
            None => self.subscribe_plainly(filter, *qos),
        };
        self.absorb(at);
        match asked {
            Ok(()) => self.effect(at, Thread::Application),
            Err(error) => Verdict::unexplained(format!("the engine refuses it: {error}")),
        }
    }

    fn subscribe_plainly(&mut self, filter: &str, qos: u8) -> Result<(), RequestError> {
        let qos = QoS::from_number(qos).unwrap_or_default();
        let request = self.device.engine.subscribe(self.device.now, filter, qos)?;
        self.filters.insert(filter.to_owned());
        self.withdraw_offline(request);
        Ok(())
    }

    pub(super) fn sending_unsubscribe(
        &mut self,
        at: usize,
        number: u16,
        filters: &[String],
    ) -> Verdict {
        self.settle_pending(at);
        self.fill_gap(at, number, None);
        (self.seen[Queue::Application], self.sent) = (true, true);
        let now = self.device.now;
        let [filter] = filters else {
            return self.stand_in_for(
                at,
                "the engine unsubscribes one topic with each UNSUBSCRIBE",
            );
        };
        let shadow = ShadowName::from_result_topic(filter).and_then(|name| {
            let attached = self.shadows.remove(&name)?;
            self.detached.insert(name.clone());
            let id = attached.id;
            self.left.insert(name, attached);
            Some(id)
        });
        let asked = match shadow {
            Some(id) => self.device.engine.detach(now, id),
            None => self.device.engine.unsubscribe(now, filter).map(|request| {
                self.withdraw_offline(request);
            }),
        };
        self.unacknowledged.insert(number, "unsuback");
        self.absorb(at);
        match asked {
            Ok(()) => self.effect(at, Thread::Application),
            Err(error) => Verdict::unexplained(format!("the engine refuses it: {error}")),
        }
    }

    fn withdraw_offline(&mut self, request: RequestId) {
        self.device.opened(request);
        if self.device.link != Link::Online {
            self.device.withdraw(request);
        }
    }

    /// A packet that the engine's requests cannot express: its number is taken, its own lines are
    /// called for as the SDK prints them.
    fn stand_in_for(&mut self, at: usize, reason: &str) -> Verdict {
        let outline = self.outline;
        let Some(statement) = outline.statement(at) else {
            return Verdict::unexplained("no such line");
        };
        let expected_number = self.next_number;
        let outputs = self.device.stand_in();
        self.translate(at, outputs, Some("a stand-in"), false);
        // Its own callback is that of another kind of packet.
        self.queues[Queue::FromApplication].pop_back();
        match statement {
            Statement::SendingSubscribe {
                message_number,
                filters,
                ..
            } => {
                let names: Vec<String> = filters.iter().map(|(filter, _)| filter.clone()).collect();
                let qos = filters.first().map_or(0, |(_, qos)| *qos);
                self.filters.extend(names.iter().cloned());
                self.foreign.insert(*message_number);
                self.pending_subacks.push_back((*message_number, qos));
                self.expect(
                    at,
                    Thread::Application,
                    Statement::SubscribeSuccess { filters: names },
                );
            }
            Statement::SendingUnsubscribe { message_number, .. } => {
                self.foreign.insert(*message_number);
            }
            Statement::SendingPublish {
                message_number,
                qos,
                ..
            } => {
                self.expect(at, Thread::Application, Statement::PublishSuccess);
                let message_number = *message_number;
                if *qos == 0 {
                    self.expect(
                        at,
                        Thread::Callback,
                        Statement::OnPublish { message_number },
                    );
                } else {
                    self.foreign.insert(message_number);
                }
            }
            _ => {}
        }
        let number = statement.allocated_number();
        if number != Some(expected_number) {
            return Verdict::unexplained(format!(
                "expected m{expected_number} as the next number, found {}",
                describe(statement)
            ));
        }
        if !self.device.is_online() {
            return Verdict::unexplained("expected no packet, as there is no link");
        }
        Verdict::inferred(reason.to_owned())
    }

    pub(super) fn sending_publish(&mut self, at: usize) -> Verdict {
        let outline = self.outline;
        let Some(Statement::SendingPublish {
            qos,
            retain,
            message_number,
            topic,
            length,
            ..
        }) = outline.statement(at)
        else {
            return Verdict::unexplained("no such line");
        };
        let (number, length) = (*message_number, *length);
        if length > MAXIMUM_PAYLOAD {
            return Verdict::unexplained(format!(
                "{length} bytes are more than the {MAXIMUM_PAYLOAD} that are replayed"
            ));
        }
        let shadow =
            ShadowName::from_operation_topic(topic).filter(|name| self.shadows.contains_key(name));
        let Some(name) = shadow else {
            if let Some(name) = ShadowName::from_operation_topic(topic)
                && !self.detached.contains(&name)
            {
                self.settle_pending(at);
                self.plain_publish(at, number, topic, *qos, *retain, length);
                return Verdict::unexplained(format!(
                    "expected a request of a subscribed shadow, found one of {name}"
                ));
            }
            return self.plain_publish(at, number, topic, *qos, *retain, length);
        };
        let cut_off = !self.complete && !self.seen[Queue::Application];
        let update = self.pending.update.take();
        self.pending.publish = None;
        let token = update
            .as_ref()
            .and_then(|(_, json)| super::identity::token_of(json))
            .and_then(|token| token_number(&token, &name));
        if !self.pending_subacks.is_empty() && !self.told_early {
            self.told_early = true;
            self.faults.insert(Fault::AsksBeforeSuback);
            self.findings.push(format!(
                "{}: a request leaves before SUBACK has come; its reply may be lost",
                self.place(at)
            ));
        }
        // A get at a gap takes the token that the lines after it call for.
        let token = token.or_else(|| self.token_of_get(at, &name, number));
        self.fill_gap(at, number, token.map(|token| (&name, token)));
        if update.is_none() {
            self.skip_unsent_tokens(at, &name);
        }
        let next = self
            .shadows
            .get(&name)
            .map_or(0, |shadow| shadow.next_token);
        let digits = next.checked_ilog10().unwrap_or(0) as usize + 1;
        let mut inferred = None;
        let asked = if let Some((line, json)) = update {
            self.seen[Queue::Application] = true;
            self.send_update(line, &name, &json, Some(at))
        } else if length == get_length(&name, digits) || !cut_off {
            let id = self.shadows.get(&name).map(|shadow| shadow.id);
            let asked = id.map(|id| self.device.engine.get(self.device.now, id));
            if let Some(Ok(request)) = asked {
                self.note_request(&name, request, Operation::Get, None, Some(at));
            }
            asked
                .transpose()
                .map(|_| None)
                .map_err(|error| error.to_string())
        } else {
            inferred = Some(
                "its `[shadow update]` is before the excerpt; an update of the same length stands in",
            );
            self.send_filler(&name, length, digits, at)
        };
        (self.seen[Queue::Application], self.sent) = (true, true);
        self.absorb(at);
        let verdict = self.effect(at, Thread::Application);
        if self.device.link != Link::Online
            && let Some(request) = self.last_request(&name)
        {
            self.device.withdraw(request);
        }
        match asked {
            Err(error) => Verdict::unexplained(format!("the engine refuses it: {error}")),
            Ok(Some(problem)) if !verdict.is_unexplained() => problem,
            Ok(_) => match inferred {
                Some(reason) if !verdict.is_unexplained() => Verdict::inferred(reason),
                _ => verdict,
            },
        }
    }

    /// Has the engine send a printed update. Some verdict if it cannot do so exactly.
    pub(super) fn send_update(
        &mut self,
        line: usize,
        name: &ShadowName,
        json: &str,
        sending: Option<usize>,
    ) -> Result<Option<Verdict>, String> {
        if let Some(why) = self.is_own_request(line, name, json) {
            self.send_own_request(line, name, json, why)?;
            return Ok(None);
        }
        let repeated = self.remember_update(json);
        let parsed = request::parse_request(json.as_bytes()).map_err(|error| error.to_string())?;
        let value: Value = serde_json::from_str(json).map_err(|error| error.to_string())?;
        let printed = value.get("clientToken").and_then(Value::as_str);
        let number = printed.and_then(|token| token_number(token, name));
        let Some(next) = self.shadows.get(name).map(|shadow| shadow.next_token) else {
            return Err("its shadow is not subscribed".to_owned());
        };
        let mut resume = None;
        match number {
            Some(number) if number > next && self.may_skip_tokens(line, name, next, number) => {
                self.findings.push(format!(
                    "{}: tokens -{next} up to -{number} were taken and never sent",
                    self.place(line)
                ));
                self.set_next_token(name, number);
            }
            Some(number) if number < next && repeated => {
                self.findings.push(format!(
                    "{}: token -{number} is used again",
                    self.place(line)
                ));
                self.set_next_token(name, number);
                resume = Some(next);
            }
            _ => {}
        }
        let part = |part: Part<'_>| match part {
            Part::Absent => None,
            Part::Null => Some(Json::new("null")),
            Part::Object(text) => Some(Json::new(text)),
        };
        let reported = part(parsed.reported)
            .transpose()
            .map_err(|error| error.to_string())?;
        let desired = part(parsed.desired)
            .transpose()
            .map_err(|error| error.to_string())?;
        let id = self.shadows.get(name).map(|shadow| shadow.id);
        let id = id.ok_or("its shadow is not subscribed")?;
        let now = self.device.now;
        let engine = &mut self.device.engine;
        macro_rules! send {
            ($update:expr) => {{
                let mut update = $update.overwrite(parsed.overwrite);
                if let Some(version) = parsed.version {
                    update = update.version(version);
                }
                engine.update(now, id, &update)
            }};
        }
        let asked = match (&reported, &desired) {
            (Some(reported), Some(desired)) => {
                send!(Update::new().reported(reported).desired(desired))
            }
            (Some(reported), None) => send!(Update::new().reported(reported)),
            (None, Some(desired)) => send!(Update::new().desired(desired)),
            (None, None) => send!(Update::new()),
        };
        let request = asked.map_err(|error| error.to_string())?;
        let state = value.get("state").cloned();
        let token = self.shadows.get(name).map_or(0, |shadow| shadow.next_token);
        self.note_request(
            name,
            request,
            Operation::Update,
            state,
            sending.or(Some(line)),
        );
        if let Some(resume) = resume {
            self.set_next_token(name, resume);
        }
        Ok(match (printed, number) {
            (_, Some(number)) if number != token => Some(Verdict::unexplained(format!(
                "expected clientToken {}-{token}, found {}-{number}",
                name.product_id(),
                name.product_id()
            ))),
            (_, Some(_)) => None,
            (Some(own), None) => Some(Verdict::unexplained(format!(
                "expected clientToken {}-{token}, found {own}",
                name.product_id()
            ))),
            (None, None) => Some(Verdict::unexplained(format!(
                "expected clientToken {}-{token}, found none",
                name.product_id()
            ))),
        })
    }

    /// An update of unknown content and known length.
    fn send_filler(
        &mut self,
        name: &ShadowName,
        length: usize,
        digits: usize,
        at: usize,
    ) -> Result<Option<Verdict>, String> {
        let id = self.shadows.get(name).map(|shadow| shadow.id);
        let id = id.ok_or("its shadow is not subscribed")?;
        let frame = r#"{"type": "update", "state": {}, "clientToken": "-"}"#.len()
            + name.product_id().len()
            + digits;
        let padded = r#""reported": {"": ""}"#.len();
        let now = self.device.now;
        let Some(inside) = length.checked_sub(frame) else {
            return self.send_unknown_request(name, length).map(|()| None);
        };
        let asked = match inside {
            15 => self.device.engine.clear_desired(now, id),
            16 => self.device.engine.clear_reported(now, id),
            inside if inside >= padded => {
                let value = "x".repeat(inside - padded);
                let update = Update::new().reported(serde_json::json!({ "": value }));
                self.device.engine.update(now, id, &update)
            }
            _ => return self.send_unknown_request(name, length).map(|()| None),
        };
        let request = asked.map_err(|error| error.to_string())?;
        self.note_request(name, request, Operation::Update, None, Some(at));
        Ok(None)
    }

    fn plain_publish(
        &mut self,
        at: usize,
        number: u16,
        topic: &str,
        qos: u8,
        retain: bool,
        length: usize,
    ) -> Verdict {
        let update = self.take_update_beyond_limits(topic, length);
        self.settle_pending_update(at);
        let printed = self.pending.publish.take().map(|(_, bytes)| bytes);
        let printed = update.or(printed);
        self.fill_gap(at, number, None);
        (self.seen[Queue::Application], self.sent) = (true, true);
        let known = printed.filter(|bytes| bytes.len() == length);
        let inferred = known.is_none();
        let payload = known.unwrap_or_else(|| vec![b'x'; length]);
        let publication = Publication {
            topic,
            payload: &payload,
            qos: QoS::from_number(qos).unwrap_or_default(),
            retain,
        };
        let asked = self.device.engine.publish(self.device.now, &publication);
        if let Ok(request) = asked {
            self.withdraw_offline(request);
        }
        if qos > 0 {
            self.unacknowledged.insert(number, "puback");
        }
        self.absorb(at);
        match asked {
            Err(error) => Verdict::unexplained(format!("the engine refuses it: {error}")),
            Ok(_) if retain => {
                self.effect(at, Thread::Application);
                Verdict::unexplained("expected r0, as the SDK has nothing retained, found r1")
            }
            Ok(_) => match self.effect(at, Thread::Application) {
                Verdict::Reproduced { .. } if inferred => Verdict::inferred(format!(
                    "its payload is not printed; {length} filler bytes stand in"
                )),
                verdict => verdict,
            },
        }
    }

    /// The announced update, if the names in its topic are longer than the vendor's server allows:
    /// the engine has no such shadow, and publishes it as any message.
    fn take_update_beyond_limits(&mut self, topic: &str, length: usize) -> Option<Vec<u8>> {
        let is_shadow = topic.starts_with("$shadow/operation/");
        if !is_shadow || ShadowName::from_operation_topic(topic).is_some() {
            return None;
        }
        let (line, json) = self
            .pending
            .update
            .take_if(|(_, json)| json.len() == length)?;
        self.findings.push(format!(
            "{}: the names are longer than the vendor allows; replayed as plain messages",
            self.place(line)
        ));
        Some(json.into_bytes())
    }

    fn settle_pending_update(&mut self, at: usize) {
        if self.pending.update.is_some() {
            self.settle_pending(at);
        }
    }

    pub(super) fn publish_failed(&mut self, at: usize) -> Verdict {
        if self.device.is_online() {
            return Verdict::unexplained("expected `publish success`, as there is a link");
        }
        if !self.tolerance.drops_messages_offline {
            return Verdict::unexplained(
                "expected the message to wait, as there is no link, and not to be dropped",
            );
        }
        // The engine drops something in its place, with a number; it is told of the token.
        if self.device.link == Link::Handshake {
            // The log has yet to show that there is no connection any more.
            self.owed_numbers += 1;
        } else {
            self.device.stand_in();
        }
        self.took_number();
        self.seen[Queue::Application] = true;
        if let Some((_, json)) = self.pending.update.take() {
            let name = self.identity.name.clone();
            let token = super::identity::token_of(&json);
            if let Some(token) = token.and_then(|token| token_number(&token, &name)) {
                self.set_next_token(&name, token + 1);
            }
        }
        self.pending.publish = None;
        self.faults.insert(Fault::DropsMessagesOffline);
        self.findings.push(format!(
            "{}: the SDK drops a message as there is no link; the engine would keep it",
            self.place(at)
        ));
        Verdict::inferred("there is no link: the SDK drops the message but takes its number")
    }
}
