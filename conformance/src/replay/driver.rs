//! The replay itself: line by line into the engine, and what it does compared with what is printed.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use shadow_core::mqtt::{Packet, QoS};
use shadow_core::tencent::{Operation, ShadowName};
use shadow_core::{
    DisconnectCause, Event, Instant, RequestId, Session, ShadowId, Timer, TransportFailure,
};

use super::device::{Device, Link, Output, profile};
use super::identity::Identity;
use super::ledger::Ledger;
use super::outline::{Line, Outline};
use super::report::{Unprinted, Verdict, shorten};
use super::start::{Beginning, PrintedReply, Start};
use super::words::describe;
use crate::log::{Role, Statement, Thread};

/// How late the SDK may look at its keep alive: its loop waits 5 s, and a bit for the rest.
const KEEP_ALIVE_SLACK: Duration = Duration::from_secs(6);
/// The log's times are cut to milliseconds.
const ROUNDING: Duration = Duration::from_millis(20);
/// How far a thread's times may run back, in milliseconds: an application may call the SDK from
/// several threads.
const MAXIMUM_BACK: u64 = 20;
/// The two queues of the callback thread.
pub(super) const FROM_APPLICATION: usize = 2;
pub(super) const FROM_NETWORK: usize = 3;
/// How far a line is looked for among those that are due.
const REACH: usize = 40;

/// A line that the engine's doings call for.
#[derive(Debug)]
pub(super) struct Expected {
    pub(super) statement: Statement,
    /// The line that caused it.
    pub(super) cause: usize,
    /// Why it is no more than inferred.
    pub(super) inferred: Option<String>,
    /// What is wrong with it.
    pub(super) problem: Option<String>,
    /// Whether it need not be printed.
    pub(super) optional: bool,
    /// The line that proves that its callback was queued by then.
    pub(super) queued_by: Option<usize>,
}

/// A shadow request that left.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) request: RequestId,
    pub(super) operation: Operation,
    /// `state` of an update, if it is printed.
    pub(super) state: Option<serde_json::Value>,
    pub(super) line: Option<usize>,
    pub(super) answered: bool,
}

/// An attached shadow.
#[derive(Debug)]
pub(super) struct Attached {
    pub(super) id: ShadowId,
    pub(super) next_token: u64,
    pub(super) asked: BTreeMap<u64, Asked>,
    pub(super) ledger: Ledger,
    pub(super) refused: bool,
}

/// What the application is about to send.
#[derive(Debug, Default)]
pub(super) struct Pending {
    /// A `[shadow update]` and its line.
    pub(super) update: Option<(usize, String)>,
    /// A `pub topic:` and its line.
    pub(super) publish: Option<(usize, Vec<u8>)>,
    /// A `disconnect` and its line.
    pub(super) disconnect: Option<usize>,
}

/// The state of a replay.
pub(super) struct Driver<'a> {
    pub(super) outline: &'a Outline,
    pub(super) identity: &'a Identity,
    pub(super) replies: &'a [PrintedReply],
    pub(super) device: Device,
    /// What is due: of the application's thread, of the network's, and of the callback thread what
    /// the one and what the other of these two has queued for it.
    pub(super) queues: [VecDeque<Expected>; 4],
    /// Per queue: whether a line of this stretch was accounted for.
    pub(super) seen: [bool; 4],
    /// Whether the application sent something in this stretch.
    pub(super) sent: bool,
    /// The first line after the last place where lines may be missing.
    pub(super) stretch: usize,
    /// Whether everything from the SDK's start to here is printed.
    pub(super) complete: bool,
    pub(super) pending: Pending,
    pub(super) shadows: BTreeMap<ShadowName, Attached>,
    /// The number of the next packet of the application.
    pub(super) next_number: u16,
    /// Numbers taken while there was no link, which the engine has yet to skip.
    pub(super) owed_numbers: usize,
    pub(super) pending_subacks: VecDeque<(u16, u8)>,
    /// The next `on_subscribe` line that belongs to no SUBACK yet.
    pub(super) next_on_subscribe: usize,
    pub(super) unacknowledged: BTreeMap<u16, &'static str>,
    pub(super) printed_numbers: BTreeMap<u16, usize>,
    pub(super) called_back: BTreeSet<u16>,
    /// Filters of plain subscriptions.
    pub(super) filters: BTreeSet<String>,
    /// Shadows whose topic was unsubscribed; messages under way may still come.
    pub(super) detached: BTreeSet<ShadowName>,
    /// Packets that the engine's requests could not express.
    pub(super) foreign: BTreeSet<u16>,
    /// The next token of shadows that are to be attached again.
    pub(super) continue_tokens: BTreeMap<ShadowName, u64>,
    /// The first token of each shadow.
    pub(super) first_tokens: BTreeMap<ShadowName, u64>,
    pub(super) silent: BTreeSet<&'static str>,
    /// The time of the last line of each thread.
    last_at: [u64; 3],
    ping_outstanding: bool,
    keep_alive_known: bool,
    activity: [bool; 2],
    last_update_texts: BTreeSet<String>,
    verdicts: Vec<Option<Verdict>>,
    unprinted: Vec<Unprinted>,
    pub(super) findings: Vec<String>,
    /// Longest time from a cause to its line, by the name of the line's kind.
    delays: BTreeMap<&'static str, u64>,
    /// Times at which `reported` was sent, for the conclusions.
    base: u64,
    keep_alive: u16,
}

pub(super) struct Outcome {
    pub(super) verdicts: Vec<Verdict>,
    pub(super) unprinted: Vec<Unprinted>,
    pub(super) findings: Vec<String>,
}

pub(super) fn index(thread: Thread) -> usize {
    match thread {
        Thread::Application => 0,
        Thread::Network => 1,
        Thread::Callback => 2,
    }
}

/// The queues that the lines of a thread come from.
fn queues_of(thread: Thread) -> &'static [usize] {
    match thread {
        Thread::Application => &[0],
        Thread::Network => &[1],
        Thread::Callback => &[FROM_APPLICATION, FROM_NETWORK],
    }
}

/// Keep alive by CONNECT, if one is printed.
pub(super) fn keep_alive(outline: &Outline) -> Option<u16> {
    outline.lines.iter().find_map(|line| match line.statement {
        Statement::SendingConnect { keep_alive, .. } => Some(keep_alive),
        _ => None,
    })
}

impl<'a> Driver<'a> {
    pub(super) fn new(
        outline: &'a Outline,
        identity: &'a Identity,
        replies: &'a [PrintedReply],
        start: &Start,
    ) -> Driver<'a> {
        let known = keep_alive(outline);
        // Where it is not printed, a ping is due after any silence.
        let keep_alive = known.unwrap_or(1);
        let config = profile(&identity.name, &identity.client_id, keep_alive);
        let before = start.packets_before();
        let first = start
            .subscribed_as
            .unwrap_or_else(|| back(start.first_number, before));
        let session = match start.beginning {
            Beginning::Start => Session::new(),
            _ => Session::starting_at(first),
        };
        let mut driver = Driver {
            device: Device::new(config, session, Instant::ZERO),
            outline,
            identity,
            replies,
            queues: Default::default(),
            seen: [false; 4],
            sent: false,
            stretch: 0,
            complete: start.beginning == Beginning::Start,
            pending: Pending::default(),
            shadows: BTreeMap::new(),
            next_number: first,
            owed_numbers: 0,
            pending_subacks: VecDeque::new(),
            next_on_subscribe: 0,
            unacknowledged: BTreeMap::new(),
            printed_numbers: BTreeMap::new(),
            called_back: BTreeSet::new(),
            filters: BTreeSet::new(),
            detached: BTreeSet::new(),
            foreign: BTreeSet::new(),
            last_at: [0; 3],
            continue_tokens: BTreeMap::new(),
            first_tokens: start.first_tokens.clone(),
            silent: silent_kinds(outline),
            ping_outstanding: false,
            keep_alive_known: known.is_some(),
            activity: [start.beginning != Beginning::Middle; 2],
            last_update_texts: BTreeSet::new(),
            verdicts: vec![None; outline.lines.len()],
            unprinted: Vec::new(),
            findings: Vec::new(),
            delays: BTreeMap::new(),
            base: outline.lines.first().map_or(0, |line| line.at),
            keep_alive,
        };
        for (index, line) in outline.lines.iter().enumerate() {
            if let Some(number) = line.statement.allocated_number() {
                driver.printed_numbers.insert(number, index);
            }
            if let Statement::OnPublish { message_number } = line.statement {
                driver.called_back.insert(message_number);
            }
        }
        driver.bring_to(start);
        driver
    }

    /// Brings the engine to where the log begins; what it does on the way is not printed.
    fn bring_to(&mut self, start: &Start) {
        self.device.drain();
        if matches!(start.beginning, Beginning::Handshake | Beginning::Middle) {
            self.device.engine.handle_connected(self.device.now);
            self.device.drain();
        }
        if start.beginning == Beginning::Middle {
            self.device
                .engine
                .handle_bytes(self.device.now, &[0x20, 2, 0, 0]);
            self.device.drain();
            for (index, name) in start.shadows.iter().enumerate() {
                let mut first = start.first_tokens.get(name).copied().unwrap_or_default();
                let open = start.open.keys().filter(|(shadow, _)| shadow == name);
                if let Some(token) = open.map(|(_, token)| *token).min() {
                    first = token;
                }
                let number = self.next_number;
                self.attach(name, first);
                self.device.drain();
                self.took_number();
                if start.awaits_suback && index == 0 {
                    self.pending_subacks.push_back((number, 0));
                } else {
                    let [high, low] = number.to_be_bytes();
                    self.device
                        .engine
                        .handle_bytes(self.device.now, &[0x90, 3, high, low, 0]);
                    self.device.drain();
                }
            }
            let here = distance(self.next_number, start.first_number);
            let unknown = here.saturating_sub(start.open.len());
            if start.subscribed_as.is_some() && here < 0x8000 {
                for _ in 0..unknown {
                    self.device.stand_in();
                    self.took_number();
                }
            }
            for ((name, token), operation) in &start.open {
                self.ask_unprinted(name, *token, *operation);
                self.device.drain();
                self.took_number();
            }
            for (name, first) in &start.first_tokens {
                self.set_next_token(name, *first);
            }
        }
        // A silence that began before the log may end at any time.
        self.device.now = self.device.now + Duration::from_secs(self.keep_alive.into());
    }

    /// Replays everything.
    pub(super) fn run(mut self) -> Outcome {
        let mut base = self.device.now;
        let offset = base.as_micros() / 1_000;
        for (index, line) in self.outline.lines.iter().enumerate() {
            let at = offset + line.at.saturating_sub(self.base);
            base = base.max(Instant::from_millis(at));
            self.device.now = self.device.now.max(base);
            if line.seam {
                self.seen = [false; 4];
                self.sent = false;
                self.stretch = index;
                self.complete = false;
                self.activity = [false; 2];
            }
            self.check_silence(index, line);
            if matches!(line.statement.role(), Role::Cause) && line.thread == Some(Thread::Network)
            {
                // The network thread has done with what it received before.
                for due in self.queues[FROM_NETWORK].iter_mut().rev() {
                    if due.queued_by.replace(index).is_some() {
                        break;
                    }
                }
            }
            let mut verdict = self.line(index, line);
            if let Some(back) = self.runs_back(line)
                && !verdict.is_unexplained()
            {
                verdict = Verdict::unexplained(format!(
                    "out of order: its time is {back} ms before that of the thread's last line"
                ));
            }
            if let Some(slot) = self.verdicts.get_mut(index) {
                *slot = Some(verdict);
            }
        }
        self.end();
        let verdicts = self.verdicts.into_iter().map(|verdict| {
            verdict.unwrap_or_else(|| Verdict::unexplained("the replay did not come this far"))
        });
        self.unprinted.sort_by_key(|event| event.before);
        Outcome {
            verdicts: verdicts.collect(),
            unprinted: self.unprinted,
            findings: self.findings,
        }
    }

    /// By how many milliseconds the time of a thread's line is before the one before it. A thread
    /// prints a line as soon as it has the time.
    fn runs_back(&mut self, line: &Line) -> Option<u64> {
        let last = self.last_at.get_mut(index(line.thread?))?;
        let back = last.saturating_sub(line.at);
        *last = line.at;
        (back > MAXIMUM_BACK).then_some(back)
    }

    fn line(&mut self, at: usize, line: &Line) -> Verdict {
        match &line.statement {
            Statement::AppRemark { .. } => Verdict::environment("a remark of the program"),
            Statement::Environment { source, .. } => {
                Verdict::environment(format!("chatter of {source}"))
            }
            Statement::Fault { source, .. } => {
                self.drop_unknown_payload(at);
                Verdict::environment(format!("complaint of {source}"))
            }
            Statement::Unknown { reason, .. } => Verdict::unexplained(match reason {
                Some(reason) => format!("no line of the SDK's form: {reason}"),
                None => "no line that the SDK prints".to_owned(),
            }),
            Statement::ThreadEnter => self.thread_enter(at),
            Statement::ThreadExit => {
                if self.device.is_online() && self.pending.disconnect.is_none() {
                    self.lose_silently(at);
                }
                Verdict::environment("the SDK's connection thread ends")
            }
            Statement::ConnectAsync { .. } => self.connect_async(at),
            Statement::ReconnectError { .. } => self.connect_failed(at),
            Statement::SocketError { text } => self.socket_error(at, text),
            Statement::SendingConnect { .. } => self.sending_connect(at),
            Statement::OnDisconnect { rc } => self.on_disconnect(at, *rc),
            Statement::StateError { .. } => {
                if !self.is_due(at, Thread::Network)
                    && matches!(self.device.link, Link::Handshake | Link::Wanted)
                {
                    self.device
                        .engine
                        .handle_disconnected(self.device.now, TransportFailure::ClosedByPeer);
                    self.absorb(at);
                }
                self.effect(at, Thread::Network)
            }
            Statement::ShadowUpdate { json } => {
                self.settle(at);
                self.seen[0] = true;
                self.pending.update = Some((at, json.clone()));
                Verdict::reproduced("the application's request")
            }
            Statement::PublishCall { payload, .. } => {
                self.settle(at);
                self.seen[0] = true;
                let bytes = super::inbound::Spelling {
                    json: super::inbound::Json::Python,
                    newline: false,
                };
                self.pending.publish = Some((at, bytes.write(payload).into_bytes()));
                Verdict::reproduced("the application's request")
            }
            Statement::Disconnect => {
                self.settle(at);
                self.seen[0] = true;
                self.pending.disconnect = Some(at);
                Verdict::reproduced("the application's request")
            }
            Statement::SendingDisconnect => self.sending_disconnect(at),
            Statement::SendingSubscribe {
                message_number,
                filters,
                ..
            } => self.sending_subscribe(at, *message_number, filters),
            Statement::SendingUnsubscribe {
                message_number,
                filters,
                ..
            } => self.sending_unsubscribe(at, *message_number, filters),
            Statement::SendingPublish { dup: true, .. } => self.effect(at, Thread::Network),
            Statement::SendingPublish { .. } => self.sending_publish(at),
            Statement::PublishFailed => self.publish_failed(at),
            Statement::SubscribeError { .. } => Verdict::environment("the SDK refused the call"),
            Statement::PublishSuccess | Statement::SubscribeSuccess { .. } => {
                self.settle_pending(at);
                self.effect(at, Thread::Application)
            }
            Statement::ReceivedConnAck { flags, code } => self.received_connack(at, *flags, *code),
            Statement::ReceivedSubAck => self.received_suback(at),
            Statement::ReceivedUnsubAck { .. }
            | Statement::ReceivedPubAck { .. }
            | Statement::ReceivedPubRec { .. }
            | Statement::ReceivedPubRel { .. }
            | Statement::ReceivedPubComp { .. } => self.received_acknowledgement(at),
            Statement::ReceivedPublish { .. } => self.received_publish(at),
            Statement::ReceivedPingResp => self.received_pingresp(at),
            Statement::SendingPingReq => self.sending_pingreq(at),
            Statement::SendingPubAck { .. }
            | Statement::SendingPubRec { .. }
            | Statement::SendingPubRel { .. }
            | Statement::SendingPubComp { .. } => self.effect(at, Thread::Network),
            Statement::OnConnect { .. }
            | Statement::OnSubscribe { .. }
            | Statement::OnUnsubscribe { .. }
            | Statement::OnPublish { .. }
            | Statement::OnPayload { .. }
            | Statement::OnMessage { .. } => self.effect(at, Thread::Callback),
            Statement::CallbackError { .. } => {
                if self.drop_unknown_payload(at) {
                    Verdict::inferred("the payload before it is none that the SDK can read")
                } else {
                    Verdict::environment("a callback of the application failed")
                }
            }
        }
    }

    // ---- what the engine does ----

    /// Turns what the engine does into the lines that it calls for; returns the events.
    pub(super) fn absorb(&mut self, cause: usize) -> Vec<Event> {
        self.absorb_as(cause, None, false)
    }

    /// As [`absorb`](Driver::absorb). With a reason the doings are not printed, but their callbacks
    /// may be; `resent` says that messages are sent again.
    pub(super) fn absorb_as(
        &mut self,
        cause: usize,
        unprinted: Option<&str>,
        resent: bool,
    ) -> Vec<Event> {
        let outputs = self.device.drain();
        self.translate(cause, outputs, unprinted, resent)
    }

    pub(super) fn translate(
        &mut self,
        cause: usize,
        outputs: Vec<Output>,
        unprinted: Option<&str>,
        resent: bool,
    ) -> Vec<Event> {
        let mut events = Vec::new();
        for output in outputs {
            match output {
                Output::Packet { number, bytes } => {
                    self.activity[0] = true;
                    let version = self.device.version();
                    if let Ok(packet) = Packet::decode(&bytes, version) {
                        self.packet(cause, number, &packet, unprinted, resent);
                    }
                }
                Output::Connect | Output::Close => {}
                Output::Event(event) => {
                    self.event(cause, &event);
                    events.push(event);
                }
            }
        }
        events
    }

    fn packet(
        &mut self,
        cause: usize,
        number: Option<u16>,
        packet: &Packet<'_>,
        unprinted: Option<&str>,
        resent: bool,
    ) {
        let message_number = number.unwrap_or_default();
        let mut application = Vec::new();
        let mut network = Vec::new();
        let mut callback = Vec::new();
        match packet {
            Packet::Connect(connect) => network.push(Statement::SendingConnect {
                user_name: connect.user_name.is_some(),
                password: connect.password.is_some(),
                will_retain: connect.will.is_some_and(|will| will.retain),
                will_qos: connect.will.map_or(0, |will| will.qos.number()),
                will: connect.will.is_some(),
                clean_session: connect.clean_session,
                keep_alive: connect.keep_alive,
                client_id: connect.client_id.to_owned(),
            }),
            Packet::Subscribe(subscribe) => {
                let filters: Vec<(String, u8)> = subscribe
                    .filters
                    .iter()
                    .map(|(filter, qos)| (filter.to_owned(), qos.number()))
                    .collect();
                let names = filters.iter().map(|(filter, _)| filter.clone()).collect();
                let qos = filters.first().map_or(0, |(_, qos)| *qos);
                self.pending_subacks.push_back((message_number, qos));
                application.push(Statement::SendingSubscribe {
                    dup: subscribe.dup,
                    message_number,
                    filters,
                });
                application.push(Statement::SubscribeSuccess { filters: names });
            }
            Packet::Unsubscribe(unsubscribe) => {
                application.push(Statement::SendingUnsubscribe {
                    dup: unsubscribe.dup,
                    message_number,
                    filters: unsubscribe.filters.iter().map(str::to_owned).collect(),
                });
            }
            Packet::Publish(publish) => {
                let sending = Statement::SendingPublish {
                    dup: publish.dup,
                    qos: publish.qos.number(),
                    retain: publish.retain,
                    message_number,
                    topic: publish.topic.to_owned(),
                    length: publish.payload.len(),
                };
                if resent {
                    network.push(sending);
                } else {
                    application.push(sending);
                    application.push(Statement::PublishSuccess);
                }
                if publish.qos == QoS::AtMostOnce {
                    callback.push(Statement::OnPublish { message_number });
                }
            }
            Packet::PubAck(_) => network.push(Statement::SendingPubAck { message_number }),
            Packet::PubRec(_) => network.push(Statement::SendingPubRec { message_number }),
            Packet::PubRel(_) => network.push(Statement::SendingPubRel { message_number }),
            Packet::PubComp(_) => network.push(Statement::SendingPubComp { message_number }),
            Packet::PingReq => {
                self.ping_outstanding = true;
                network.push(Statement::SendingPingReq);
            }
            Packet::Disconnect => {
                application.push(Statement::SendingDisconnect);
                callback.push(Statement::OnDisconnect { rc: 0 });
            }
            _ => {}
        }
        if matches!(
            packet,
            Packet::Subscribe(_) | Packet::Unsubscribe(_) | Packet::Publish(_)
        ) && !resent
        {
            self.took_number();
        }
        if unprinted.is_none() {
            for statement in application {
                self.expect(cause, Thread::Application, statement);
            }
            for statement in network {
                self.expect(cause, Thread::Network, statement);
            }
        }
        for statement in callback {
            match unprinted {
                None => self.expect(cause, Thread::Callback, statement),
                Some(_) => self.expect_maybe(cause, Thread::Callback, statement),
            }
        }
    }

    fn event(&mut self, cause: usize, event: &Event) {
        match event {
            Event::Disconnected { cause: why, .. } => {
                self.ping_outstanding = false;
                self.pending_subacks.clear();
                for shadow in self.shadows.values_mut() {
                    shadow.refused = false;
                }
                match why {
                    DisconnectCause::Refused(_) => {
                        let state = "HubState.CONNECTING".to_owned();
                        self.expect(cause, Thread::Network, Statement::StateError { state });
                    }
                    DisconnectCause::Transport(TransportFailure::ConnectFailed(_)) => {}
                    _ => {}
                }
            }
            Event::Connected { .. } => {
                self.ping_outstanding = false;
                for _ in 0..std::mem::take(&mut self.owed_numbers) {
                    self.device.stand_in();
                }
            }
            _ => {}
        }
    }

    /// The next number is taken.
    pub(super) fn took_number(&mut self) {
        self.next_number = after(self.next_number);
    }

    pub(super) fn expect(&mut self, cause: usize, thread: Thread, statement: Statement) {
        if self.silent.contains(statement.name()) {
            return;
        }
        self.queues[self.queue_for(cause, thread)].push_back(Expected {
            statement,
            cause,
            inferred: None,
            problem: None,
            optional: false,
            queued_by: None,
        });
    }

    /// Which queue a line of `thread` goes to that `cause` calls for.
    pub(super) fn queue_for(&self, cause: usize, thread: Thread) -> usize {
        match (
            thread,
            self.outline.lines.get(cause).and_then(|line| line.thread),
        ) {
            (Thread::Callback, Some(Thread::Application)) => FROM_APPLICATION,
            (Thread::Callback, _) => FROM_NETWORK,
            (thread, _) => index(thread),
        }
    }

    pub(super) fn expect_maybe(&mut self, cause: usize, thread: Thread, statement: Statement) {
        self.queues[self.queue_for(cause, thread)].push_back(Expected {
            statement,
            cause,
            inferred: Some("belongs to a packet that is not printed".to_owned()),
            problem: None,
            optional: true,
            queued_by: None,
        });
    }

    // ---- what is printed ----

    fn is_due(&self, at: usize, thread: Thread) -> bool {
        let Some(found) = self.outline.statement(at) else {
            return false;
        };
        queues_of(thread).iter().any(|slot| {
            let queue = self.queues[*slot].iter().take(REACH);
            queue
                .into_iter()
                .any(|expected| agrees(&expected.statement, found))
        })
    }

    /// Compares a line with what is due on its thread.
    pub(super) fn effect(&mut self, at: usize, thread: Thread) -> Verdict {
        let outline = self.outline;
        let Some(found) = outline.statement(at) else {
            return Verdict::unexplained("no such line");
        };
        let place = queues_of(thread).iter().find_map(|slot| {
            let queue = self.queues[*slot].iter().take(REACH);
            let place = queue
                .into_iter()
                .position(|due| agrees(&due.statement, found))?;
            Some((*slot, place))
        });
        let Some((slot, place)) = place else {
            return self.not_due(at, thread, found);
        };
        let (position, mut early) = self.pass_over(at, thread, slot, place);
        let Some(expected) = self.queues[slot].remove(position) else {
            return Verdict::unexplained("nothing is due");
        };
        for other in queues_of(thread).iter().filter(|other| **other != slot) {
            // What the other thread had queued before this one's cause comes first.
            let ahead = self.queues[*other].iter().take(REACH);
            let ahead = ahead
                .into_iter()
                .take_while(|due| due.queued_by.is_some_and(|by| by < expected.cause))
                .count();
            let (_, first) = self.pass_over(at, thread, *other, ahead);
            early = early.or(first);
        }
        self.seen[slot] = true;
        self.note_delay(at, &expected);
        if let Statement::PublishSuccess = found {
            // The SDK has queued the callback of a QoS 0 message by then.
            for due in &mut self.queues[FROM_APPLICATION] {
                if due.cause == expected.cause {
                    due.queued_by = Some(at);
                }
            }
        }
        if let Some(first) = early {
            return Verdict::unexplained(format!(
                "out of order: expected {first} before it on the {} thread, found {}",
                name(thread),
                describe(found)
            ));
        }
        match (expected.problem, expected.inferred) {
            (Some(problem), _) => Verdict::unexplained(problem),
            (None, Some(reason)) => Verdict::inferred(reason),
            (None, None) => Verdict::reproduced(what(found)),
        }
    }

    /// Passes over the first `count` lines of a queue. Those that are printed later stay; returns
    /// how many, and the first of them.
    fn pass_over(
        &mut self,
        at: usize,
        thread: Thread,
        slot: usize,
        count: usize,
    ) -> (usize, Option<String>) {
        let (mut position, mut early) = (0, None);
        for _ in 0..count {
            let Some(ahead) = self.queues[slot].get(position) else {
                break;
            };
            let may_be_missing = ahead.optional || ahead.cause < self.stretch;
            if !may_be_missing && self.comes_later(at, thread, &ahead.statement) {
                early.get_or_insert_with(|| describe(&ahead.statement));
                position += 1;
            } else if let Some(gone) = self.queues[slot].remove(position) {
                self.missing(at, &gone);
            }
        }
        (position, early)
    }

    fn not_due(&mut self, at: usize, thread: Thread, found: &Statement) -> Verdict {
        if self.is_orphan(at, thread, found) {
            return Verdict::inferred("what caused it is before the excerpt");
        }
        let mut due = None;
        for &slot in queues_of(thread) {
            // What may be unprinted does not count as expected.
            while let Some(head) = self.queues[slot].front()
                && (head.optional || head.cause < self.stretch)
            {
                if let Some(gone) = self.queues[slot].pop_front() {
                    self.missing(at, &gone);
                }
            }
            let Some(head) = self.queues[slot].front() else {
                continue;
            };
            let alike = std::mem::discriminant(&head.statement) == std::mem::discriminant(found);
            if alike || due.is_none() {
                due = Some((slot, alike, describe(&head.statement)));
            }
            if alike {
                break;
            }
        }
        if let Some((slot, true, _)) = due
            && let Some(head) = self.queues[slot].pop_front()
        {
            self.seen[slot] = true;
            self.note_delay(at, &head);
        }
        let due = due.map_or_else(
            || format!("no line of the {} thread", name(thread)),
            |(_, _, due)| due,
        );
        Verdict::unexplained(format!("expected {due}, found {}", describe(found)))
    }

    /// Whether the line's cause may be before the stretch that is printed.
    pub(super) fn is_orphan(&self, at: usize, thread: Thread, found: &Statement) -> bool {
        let slot = match (thread, found) {
            (Thread::Callback, Statement::OnPublish { .. }) => FROM_APPLICATION,
            (Thread::Callback, _) => FROM_NETWORK,
            (thread, _) => index(thread),
        };
        if self.complete || self.seen[slot] {
            return false;
        }
        let before = |number: u16| {
            // A number that was given out, and not by a line of this stretch.
            let given = distance(number, self.next_number);
            let here = self.printed_numbers.get(&number);
            (1..0x4000).contains(&given) && here.is_none_or(|line| *line < self.stretch)
        };
        match found {
            Statement::OnPublish { message_number }
            | Statement::OnSubscribe { message_number, .. }
            | Statement::OnUnsubscribe { message_number } => before(*message_number),
            Statement::OnPayload { .. } | Statement::OnMessage { .. } => {
                self.outline.cause_of.get(at).is_none_or(Option::is_none)
            }
            Statement::OnConnect { rc, .. } => *rc == 0 && self.device.is_online(),
            Statement::PublishSuccess
            | Statement::SubscribeSuccess { .. }
            | Statement::SendingPubAck { .. }
            | Statement::SendingPubRec { .. }
            | Statement::SendingPubRel { .. }
            | Statement::SendingPubComp { .. }
            | Statement::StateError { .. } => true,
            Statement::SendingPublish { dup: true, .. } => true,
            _ => false,
        }
    }

    fn comes_later(&self, at: usize, thread: Thread, statement: &Statement) -> bool {
        let later = self.outline.lines.get(at + 1..).unwrap_or_default();
        later
            .iter()
            .take(200)
            .filter(|line| line.thread == Some(thread))
            .take(8)
            .any(|line| agrees(statement, &line.statement))
    }

    /// A line that should have come before `at` did not.
    fn missing(&mut self, at: usize, gone: &Expected) {
        if gone.optional {
            return;
        }
        let what = describe(&gone.statement);
        let verdict = if gone.cause < self.stretch {
            Verdict::inferred("lines are left out between the excerpts")
        } else {
            Verdict::unexplained(format!(
                "expected {what} before this line, which the log does not print"
            ))
        };
        self.not_printed(at, what, verdict);
    }

    pub(super) fn not_printed(&mut self, before: usize, what: String, verdict: Verdict) {
        self.unprinted.push(Unprinted {
            before,
            what: shorten(&what),
            verdict,
        });
    }

    fn note_delay(&mut self, at: usize, expected: &Expected) {
        let time = |index: usize| self.outline.lines.get(index).map_or(0, |line| line.at);
        let took = time(at).saturating_sub(time(expected.cause));
        let longest = self.delays.entry(expected.statement.name()).or_default();
        *longest = took.max(*longest);
    }

    /// What the application did before must be complete before it does something new.
    pub(super) fn settle(&mut self, at: usize) {
        self.settle_pending(at);
        while let Some(head) = self.queues[0].front() {
            if !head.optional
                && head.cause >= self.stretch
                && self.comes_later(at, Thread::Application, &head.statement)
            {
                break;
            }
            if let Some(gone) = self.queues[0].pop_front() {
                self.missing(at, &gone);
            }
        }
    }

    /// A request that was announced and did not leave.
    pub(super) fn settle_pending(&mut self, at: usize) {
        if let Some((line, json)) = self.pending.update.take() {
            let left_out = line < self.stretch;
            let what = format!("Sending PUBLISH ({} bytes)", json.len());
            let verdict = if left_out {
                Verdict::inferred("lines are left out between the excerpts")
            } else {
                Verdict::unexplained(format!(
                    "expected {what} after `[shadow update]`, which the log does not print"
                ))
            };
            self.not_printed(at, what, verdict);
            let name = self.identity.name.clone();
            if let Err(error) = self.send_update(line, &name, &json, None) {
                let place = self.place(line);
                self.findings
                    .push(format!("{place}: the engine refuses this update: {error}"));
            }
            self.absorb_as(line, Some("not printed"), false);
            // Its other lines are printed all the same.
            if !left_out {
                self.expect(line, Thread::Application, Statement::PublishSuccess);
            }
        }
        self.pending.publish = None;
    }

    pub(super) fn remember_update(&mut self, json: &str) -> bool {
        !self.last_update_texts.insert(json.to_owned())
    }

    // ---- the link ----

    fn thread_enter(&mut self, at: usize) -> Verdict {
        // A program that was started anew counts from 1 again.
        let later = self.outline.lines.get(at..).unwrap_or_default();
        let next = later
            .iter()
            .find_map(|line| line.statement.allocated_number());
        let anew = next == Some(1) && self.next_number != 1;
        if anew || self.device.link == Link::Closed {
            let session = anew.then(Session::new);
            self.device.renew(session);
            self.device.drain();
            let tokens: Vec<(ShadowName, u64)> = self
                .shadows
                .iter()
                .map(|(name, shadow)| (name.clone(), shadow.next_token))
                .collect();
            self.shadows.clear();
            self.pending = Pending::default();
            if anew {
                self.next_number = 1;
                self.findings
                    .push(format!("{}: the program was started anew", self.place(at)));
                self.last_update_texts.clear();
            } else {
                self.continue_tokens = tokens.into_iter().collect();
            }
        }
        Verdict::environment("the SDK's connection thread starts")
    }

    fn connect_async(&mut self, at: usize) -> Verdict {
        let before = self.outline.lines.get(..at).unwrap_or_default();
        let entered = before
            .iter()
            .rev()
            .find(|line| line.thread == Some(Thread::Network))
            .is_none_or(|line| {
                matches!(
                    line.statement,
                    Statement::ThreadEnter | Statement::Environment { .. }
                )
            });
        if entered
            || before
                .iter()
                .all(|line| line.thread != Some(Thread::Network))
        {
            Verdict::environment("the SDK opens a socket")
        } else {
            Verdict::unexplained(
                "expected `LoopThread thread enter` before it, which the log does not print",
            )
        }
    }

    fn connect_failed(&mut self, at: usize) -> Verdict {
        if self.device.is_online() {
            self.lose_silently(at);
        }
        self.want_link(at);
        let failure = TransportFailure::ConnectFailed("as the log says".to_owned());
        self.device
            .engine
            .handle_disconnected(self.device.now, failure);
        self.absorb(at);
        Verdict::environment("the connection could not be made; the engine tries again")
    }

    fn socket_error(&mut self, at: usize, text: &str) -> Verdict {
        match self.device.link {
            Link::Online | Link::Handshake => {
                self.lose(at, TransportFailure::Broken(text.to_owned()));
                Verdict::environment("the connection broke")
            }
            _ => Verdict::unexplained("expected no failing socket, as there is no link"),
        }
    }

    fn lose(&mut self, at: usize, failure: TransportFailure) {
        let (online, handshake) = (self.device.is_online(), self.device.link == Link::Handshake);
        self.device
            .engine
            .handle_disconnected(self.device.now, failure);
        self.absorb(at);
        self.expect_loss(at, online, handshake);
    }

    fn expect_loss(&mut self, at: usize, online: bool, handshake: bool) {
        if online {
            self.expect(at, Thread::Callback, Statement::OnDisconnect { rc: 1 });
        } else if handshake {
            let state = "HubState.CONNECTING".to_owned();
            self.expect(at, Thread::Network, Statement::StateError { state });
        }
    }

    /// The server closed the connection, for which the SDK prints nothing.
    fn lose_silently(&mut self, at: usize) {
        self.lose(at, TransportFailure::ClosedByPeer);
    }

    /// Has the engine ask for a connection if it does not yet.
    fn want_link(&mut self, at: usize) {
        self.device.drain();
        if self.device.link != Link::Down {
            return;
        }
        if let Some(deadline) = self.device.engine.poll_deadline()
            && deadline.timer == Timer::Reconnect
            && deadline.at > self.device.now
        {
            self.findings.push(format!(
                "{}: the SDK connects again {:.1} s sooner than the engine's back-off would",
                self.place(at),
                deadline.at.saturating_since(self.device.now).as_secs_f32()
            ));
        }
        self.device.engine.reconnect(self.device.now);
        self.device.drain();
    }

    fn sending_connect(&mut self, at: usize) -> Verdict {
        if matches!(self.device.link, Link::Online | Link::Handshake) {
            if !self.is_due_later(at) && self.complete {
                return Verdict::unexplained(
                    "expected no CONNECT while there is a link that did not end",
                );
            }
            self.lose_silently(at);
        }
        if self.device.link == Link::Closed {
            self.device.renew(None);
            self.device.drain();
        }
        let lines = self.outline.lines.get(self.stretch..at).unwrap_or_default();
        let before = lines
            .iter()
            .rev()
            .find(|line| line.thread == Some(Thread::Network));
        if before.is_some_and(|line| line.statement == Statement::ThreadEnter) {
            let what = "connect_async".to_owned();
            let verdict = Verdict::unexplained(
                "expected `connect_async` before CONNECT, which the log does not print",
            );
            self.not_printed(at, what, verdict);
        }
        self.want_link(at);
        self.device.engine.handle_connected(self.device.now);
        self.absorb(at);
        self.activity = [true; 2];
        self.effect(at, Thread::Network)
    }

    /// Whether the end of the present link is printed after `at`.
    fn is_due_later(&self, at: usize) -> bool {
        let later = self.outline.lines.get(at..).unwrap_or_default();
        later.iter().take(200).any(|line| {
            matches!(
                line.statement,
                Statement::OnDisconnect { .. } | Statement::StateError { .. }
            )
        })
    }

    fn on_disconnect(&mut self, at: usize, rc: i32) -> Verdict {
        if !self.is_due(at, Thread::Callback) && rc != 0 && self.device.is_online() {
            let ping_over = self.device.engine.poll_deadline().is_some_and(|deadline| {
                deadline.timer == Timer::PingResponse && deadline.at <= self.device.now + ROUNDING
            });
            if ping_over {
                self.device.engine.handle_tick(self.device.now + ROUNDING);
                self.absorb(at);
                self.expect_loss(at, true, false);
            } else {
                self.lose_silently(at);
                if let Some(last) = self.queues[FROM_NETWORK].back_mut() {
                    last.inferred = Some(
                        "the server closed the connection, for which the SDK prints nothing else"
                            .to_owned(),
                    );
                }
            }
        }
        if rc != 0 && !self.device.is_online() && !self.is_due(at, Thread::Callback) {
            if !self.complete && !self.seen[FROM_NETWORK] {
                return Verdict::inferred("what caused it is before the excerpt");
            }
        }
        self.effect(at, Thread::Callback)
    }

    fn sending_disconnect(&mut self, at: usize) -> Verdict {
        if self.pending.disconnect.take().is_none() {
            if self.complete || self.seen[0] {
                return Verdict::unexplained(
                    "expected the application's `disconnect` before it, which the log does not print",
                );
            }
        }
        self.seen[0] = true;
        self.device.engine.close(self.device.now);
        self.absorb(at);
        self.effect(at, Thread::Application)
    }

    fn received_connack(&mut self, at: usize, flags: u8, code: u8) -> Verdict {
        if self.device.link != Link::Handshake {
            return Verdict::unexplained(match self.device.link {
                Link::Online => "expected no second CONNACK on one link",
                _ => "expected CONNECT before CONNACK, which the log does not print",
            });
        }
        self.activity[1] = true;
        self.device
            .engine
            .handle_bytes(self.device.now, &[0x20, 2, flags, code]);
        let outputs = self.device.drain();
        let accepted = self.device.is_online();
        if accepted {
            let rc = code;
            let flags = flags & 1;
            self.expect(at, Thread::Callback, Statement::OnConnect { flags, rc });
        }
        self.translate(at, outputs, None, true);
        for expected in &mut self.queues[1] {
            if matches!(expected.statement, Statement::SendingPublish { .. }) {
                expected.inferred = Some(
                    "sent again; the SDK sets DUP although the server kept no session".to_owned(),
                );
            }
        }
        if code != 0 && accepted {
            return Verdict::unexplained(format!("expected a refusal, as the code is {code}"));
        }
        Verdict::reproduced(match code {
            0 => "the engine is logged in".to_owned(),
            code => format!("the engine takes code {code} as a refusal"),
        })
    }

    // ---- keep alive ----

    fn check_silence(&mut self, at: usize, line: &Line) {
        let loss = matches!(
            line.statement,
            Statement::OnDisconnect { .. }
                | Statement::SocketError { .. }
                | Statement::SendingConnect { .. }
                | Statement::ThreadExit
                | Statement::ThreadEnter
                | Statement::SendingPingReq
        );
        if !self.device.is_online() || loss || !self.keep_alive_known {
            return;
        }
        let Some(deadline) = self.device.engine.poll_deadline() else {
            return;
        };
        let certain = self.activity == [true; 2];
        if !matches!(deadline.timer, Timer::KeepAlive | Timer::PingResponse)
            || self.device.now <= deadline.at + KEEP_ALIVE_SLACK
        {
            return;
        }
        let late = self.device.now.saturating_since(deadline.at).as_secs();
        let (what, why) = match deadline.timer {
            Timer::KeepAlive => ("Sending PINGREQ", "the keep alive time is over"),
            _ => ("on_disconnect", "PINGREQ was not answered in time"),
        };
        if line.seam || !certain {
            if certain {
                let verdict = Verdict::inferred("lines are left out between the excerpts");
                self.not_printed(at, what.to_owned(), verdict);
            }
        } else {
            let verdict = Verdict::unexplained(format!(
                "expected {what} {late} s before this line, as {why}; the log does not print it"
            ));
            self.not_printed(at, what.to_owned(), verdict);
        }
        // Goes on as if it had been printed, and answered.
        if deadline.timer == Timer::PingResponse {
            self.device.engine.handle_bytes(self.device.now, &[0xD0, 0]);
        }
        self.device.engine.handle_tick(self.device.now);
        self.device.drain();
        self.device.engine.handle_bytes(self.device.now, &[0xD0, 0]);
        self.device.drain();
        self.ping_outstanding = false;
    }

    fn sending_pingreq(&mut self, at: usize) -> Verdict {
        if !self.device.is_online() {
            return Verdict::unexplained("expected no PINGREQ, as there is no link");
        }
        let now = self.device.now;
        let Some(deadline) = self.device.engine.poll_deadline() else {
            return Verdict::unexplained("expected no PINGREQ, as keep alive is off");
        };
        if deadline.timer == Timer::PingResponse && self.keep_alive_known {
            return Verdict::unexplained(
                "expected no second PINGREQ before PINGRESP, which the log does not print",
            );
        }
        let certain = self.activity == [true; 2] && self.keep_alive_known;
        let early = deadline.at > now + ROUNDING;
        if early && certain {
            let wait = deadline.at.saturating_since(now).as_secs_f32();
            return Verdict::unexplained(format!(
                "expected no PINGREQ for another {wait:.1} s, as both sides sent something"
            ));
        }
        let late = now.saturating_since(deadline.at);
        if certain && late > KEEP_ALIVE_SLACK {
            return Verdict::unexplained(format!(
                "expected PINGREQ {:.1} s before, as the keep alive time was over",
                late.as_secs_f32()
            ));
        }
        if certain && late > Duration::from_millis(100) {
            self.findings.push(format!(
                "{}: PINGREQ comes {:.1} s after the keep alive time: the SDK looks at it every 5 s",
                self.place(at),
                late.as_secs_f32()
            ));
        }
        self.device.engine.handle_tick(now.max(deadline.at));
        self.absorb(at);
        let verdict = self.effect(at, Thread::Network);
        if certain || verdict.is_unexplained() {
            verdict
        } else {
            Verdict::inferred("the silence before it began outside the excerpt")
        }
    }

    fn received_pingresp(&mut self, at: usize) -> Verdict {
        if !self.device.is_online() {
            return Verdict::unexplained("expected no PINGRESP, as there is no link");
        }
        let asked = std::mem::take(&mut self.ping_outstanding);
        self.activity[1] = true;
        self.device.engine.handle_bytes(self.device.now, &[0xD0, 0]);
        self.absorb(at);
        if asked {
            self.seen[1] = true;
            return Verdict::reproduced("the engine takes it as the answer to its PINGREQ");
        }
        if !self.complete && !self.seen[1] {
            return Verdict::inferred("its PINGREQ is before the excerpt");
        }
        Verdict::unexplained("expected PINGREQ before it, which the log does not print")
    }

    pub(super) fn heard(&mut self) {
        self.activity[1] = true;
    }

    // ---- the end ----

    /// What is still due was cut off, if the log ends soon enough after its cause.
    fn end(&mut self) {
        let lines = &self.outline.lines;
        let (count, last) = (lines.len(), lines.last().map_or(0, |line| line.at));
        for slot in 0..self.queues.len() {
            while let Some(gone) = self.queues[slot].pop_front() {
                if gone.optional {
                    continue;
                }
                let caused = lines.get(gone.cause).map_or(0, |line| line.at);
                let usual = match gone.statement {
                    // Printed as soon as the call returns.
                    Statement::PublishSuccess | Statement::SubscribeSuccess { .. } => 5,
                    _ => 25,
                };
                let usual = self
                    .delays
                    .get(gone.statement.name())
                    .copied()
                    .unwrap_or(usual);
                let what = describe(&gone.statement);
                let verdict = if last.saturating_sub(caused) <= 4 * usual + 20 {
                    Verdict::inferred("the log ends before it")
                } else if gone.cause < self.stretch {
                    Verdict::inferred("lines are left out between the excerpts")
                } else {
                    Verdict::unexplained(format!(
                        "the engine also calls for {what}, which the log does not print"
                    ))
                };
                self.not_printed(count, what, verdict);
            }
        }
        if let Some((line, json)) = self.pending.update.take() {
            let caused = lines.get(line).map_or(0, |line| line.at);
            let what = format!("Sending PUBLISH ({} bytes)", json.len());
            let verdict = if last.saturating_sub(caused) <= 120 {
                Verdict::inferred("the log ends before it")
            } else {
                Verdict::unexplained(format!(
                    "expected {what} after `[shadow update]`, which the log does not print"
                ))
            };
            self.not_printed(count, what, verdict);
        }
    }

    /// Whether a line is so near the end that what follows it may be cut off.
    pub(super) fn is_near_end(&self, at: usize) -> bool {
        let lines = &self.outline.lines;
        let time = |line: Option<&Line>| line.map_or(0, |line| line.at);
        time(lines.last()).saturating_sub(time(lines.get(at))) <= 120
    }

    fn drop_unknown_payload(&mut self, _at: usize) -> bool {
        let queue = &mut self.queues[FROM_NETWORK];
        let unknown = queue.iter().position(|expected| {
            matches!(&expected.statement, Statement::OnPayload { function, .. } if function.is_empty())
        });
        unknown.is_some_and(|place| queue.remove(place).is_some())
    }

    pub(super) fn place(&self, at: usize) -> String {
        self.outline
            .lines
            .get(at)
            .map_or_else(String::new, |line| line.label.clone())
    }
}

/// The number after this one; 1 comes after 65535.
pub(super) fn after(number: u16) -> u16 {
    number.checked_add(1).unwrap_or(1)
}

/// The number this many before.
fn back(number: u16, count: usize) -> u16 {
    let zero_based = usize::from(number.max(1)) - 1;
    let before = (zero_based + 65_535 - count % 65_535) % 65_535;
    u16::try_from(before + 1).unwrap_or(1)
}

/// How many numbers `to` is after `from`.
pub(super) fn distance(from: u16, to: u16) -> usize {
    let zero_based = |number: u16| usize::from(number.max(1)) - 1;
    (zero_based(to) + 65_535 - zero_based(from)) % 65_535
}

/// Whether the two are the same line. Codes and states that the engine has no word for only need
/// to be of the same class.
fn agrees(expected: &Statement, found: &Statement) -> bool {
    match (expected, found) {
        (Statement::OnDisconnect { rc: expected }, Statement::OnDisconnect { rc: found }) => {
            (*expected == 0) == (*found == 0)
        }
        (Statement::StateError { .. }, Statement::StateError { state }) => {
            state.contains("CONNECTING")
        }
        (
            Statement::SendingPublish {
                qos,
                retain,
                message_number,
                topic,
                length,
                ..
            },
            Statement::SendingPublish {
                dup: true,
                qos: q,
                retain: r,
                message_number: m,
                topic: t,
                length: l,
            },
        ) => (qos, retain, message_number, topic, length) == (q, r, m, t, l),
        _ => expected == found,
    }
}

fn name(thread: Thread) -> &'static str {
    match thread {
        Thread::Application => "application",
        Thread::Network => "network",
        Thread::Callback => "callback",
    }
}

fn what(found: &Statement) -> String {
    match found {
        Statement::SendingPublish { length, .. } => {
            format!("the engine sends the same {length} bytes")
        }
        Statement::SendingConnect { .. }
        | Statement::SendingSubscribe { .. }
        | Statement::SendingUnsubscribe { .. }
        | Statement::SendingPingReq
        | Statement::SendingDisconnect
        | Statement::SendingPubAck { .. }
        | Statement::SendingPubRec { .. }
        | Statement::SendingPubRel { .. }
        | Statement::SendingPubComp { .. } => "the engine sends the same packet".to_owned(),
        Statement::OnPayload { .. } | Statement::OnMessage { .. } => {
            "the engine tells the same".to_owned()
        }
        _ => "called for by what the engine did".to_owned(),
    }
}

/// Kinds of lines that this application, or this version of the SDK, never prints although it had
/// three occasions or more.
fn silent_kinds(outline: &Outline) -> BTreeSet<&'static str> {
    let mut printed: BTreeMap<&'static str, usize> = BTreeMap::new();
    for line in &outline.lines {
        *printed.entry(line.statement.name()).or_default() += 1;
    }
    let count = |name: &str| printed.get(name).copied().unwrap_or_default();
    let callbacks = [
        "on-connect",
        "on-subscribe",
        "on-publish",
        "on-unsubscribe",
        "on-disconnect",
    ];
    let none = callbacks.iter().all(|name| count(name) == 0);
    let occasions = [
        ("on-publish", count("sending-publish")),
        ("publish-success", count("sending-publish")),
        ("on-subscribe", count("received-suback")),
        ("subscribe-success", count("sending-subscribe")),
        ("on-unsubscribe", count("received-unsuback")),
        ("on-connect", count("received-connack")),
    ];
    let all: usize = occasions.iter().map(|(_, occasions)| occasions).sum();
    let mut silent: BTreeSet<&'static str> = occasions
        .into_iter()
        .filter(|(name, occasions)| count(name) == 0 && *occasions >= 3)
        .map(|(name, _)| name)
        .collect();
    if none && all >= 4 {
        silent.extend(callbacks);
    }
    silent
}
