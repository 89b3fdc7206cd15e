//! The replay itself: line by line into the engine, and what it does compared with what is printed.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use shadow_core::tencent::ShadowName;
use shadow_core::{Instant, Session, TransportFailure};

use super::device::{Device, profile};
use super::fault::Fault;
use super::identity::Identity;
use super::keep_alive::Activity;
use super::numbers::{back, distance};
use super::outline::{Line, Outline};
use super::queue::{Each, Queue};
use super::report::{Unprinted, Verdict};
use super::seams::stretch_lines;
use super::shadows::Attached;
use super::start::{Beginning, Start};
use super::tokens::PrintedReply;
use super::tolerance::Tolerance;
use crate::log::{Role, Statement, Thread};

/// How far a thread's times may run back, in milliseconds: an application may call the SDK from
/// several threads.
const MAXIMUM_BACK: u64 = 20;

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
    pub(super) queues: Each<VecDeque<Expected>>,
    /// Per queue: whether a line of this stretch was accounted for.
    pub(super) seen: Each<bool>,
    /// Whether the application sent something in this stretch.
    pub(super) sent: bool,
    /// The first line after the last place where lines may be missing.
    pub(super) stretch: usize,
    /// The first number that the application gives in this stretch.
    pub(super) first_of_stretch: Option<u16>,
    /// The first token of each shadow in this stretch.
    pub(super) tokens_of_stretch: BTreeMap<ShadowName, u64>,
    /// Whether a reply was matched in this stretch.
    pub(super) answered: bool,
    /// Whether everything from the SDK's start to here is printed.
    pub(super) complete: bool,
    pub(super) pending: Pending,
    pub(super) shadows: BTreeMap<ShadowName, Attached>,
    /// The number of the next packet of the application.
    pub(super) next_number: u16,
    /// Numbers taken while a login was under way, which the engine has yet to skip.
    pub(super) owed_numbers: usize,
    pub(super) tolerance: Tolerance,
    pub(super) pending_subacks: VecDeque<(u16, u8)>,
    /// The next `on_subscribe` line that belongs to no SUBACK yet.
    pub(super) next_on_subscribe: usize,
    pub(super) unacknowledged: BTreeMap<u16, &'static str>,
    pub(super) printed_numbers: BTreeMap<u16, usize>,
    pub(super) called_back: BTreeSet<u16>,
    /// Messages that wait for their turn.
    pub(super) unsent: VecDeque<(u16, Statement)>,
    /// Filters of plain subscriptions.
    pub(super) filters: BTreeSet<String>,
    /// Shadows whose topic was unsubscribed; messages under way may still come.
    pub(super) detached: BTreeSet<ShadowName>,
    /// Packets that the engine's requests could not express.
    pub(super) foreign: BTreeSet<u16>,
    /// Shadows that may be attached again.
    pub(super) left: BTreeMap<ShadowName, Attached>,
    /// The first token of each shadow.
    pub(super) first_tokens: BTreeMap<ShadowName, u64>,
    pub(super) silent: BTreeSet<&'static str>,
    /// The time of the last line of each thread.
    pub(super) last_at: Each<u64>,
    /// Whether a request before SUBACK was told of.
    pub(super) told_early: bool,
    /// How many logins were accepted.
    pub(super) logins: usize,
    /// Whether something was subscribed on this link.
    pub(super) subscribed: bool,
    pub(super) ping_outstanding: bool,
    pub(super) keep_alive_known: bool,
    /// Whether something was sent and received in this stretch: silences before it are unknown.
    pub(super) activity: Activity,
    pub(super) remembered_updates: BTreeSet<String>,
    /// When the last link ended.
    pub(super) lost_at: Option<Instant>,
    pub(super) verdicts: Vec<Option<Verdict>>,
    pub(super) unprinted: Vec<Unprinted>,
    pub(super) findings: Vec<String>,
    /// In what the client had to be followed.
    pub(super) faults: BTreeSet<Fault>,
    /// Longest time from a cause to its line, by the name of the line's kind.
    pub(super) delays: BTreeMap<&'static str, u64>,
    /// The time of the first line.
    pub(super) base: u64,
    pub(super) keep_alive: u16,
}

pub(super) struct Outcome {
    pub(super) verdicts: Vec<Verdict>,
    pub(super) unprinted: Vec<Unprinted>,
    pub(super) findings: Vec<String>,
    pub(super) faults: BTreeSet<Fault>,
    pub(super) recorded: Vec<String>,
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
        tolerance: Tolerance,
        records: bool,
    ) -> Driver<'a> {
        let known = keep_alive(outline);
        // Where it is not printed, a ping is due after any silence.
        let keep_alive = known.unwrap_or(1);
        let config = profile(&identity.name, &identity.client_id, keep_alive, tolerance);
        let before = start.packets_before();
        let first = start
            .subscribed_as
            .unwrap_or_else(|| back(start.first_number, before));
        let session = match start.beginning {
            Beginning::Start => Session::new(),
            _ => Session::starting_at(first),
        };
        let mut driver = Driver {
            device: Device::new(config, session, Instant::ZERO, records),
            outline,
            identity,
            replies,
            queues: Each::default(),
            seen: Each::default(),
            sent: false,
            answered: false,
            stretch: 0,
            first_of_stretch: None,
            tokens_of_stretch: BTreeMap::new(),
            complete: start.beginning == Beginning::Start,
            pending: Pending::default(),
            shadows: BTreeMap::new(),
            next_number: first,
            owed_numbers: 0,
            tolerance,
            pending_subacks: VecDeque::new(),
            next_on_subscribe: 0,
            unacknowledged: BTreeMap::new(),
            printed_numbers: BTreeMap::new(),
            called_back: BTreeSet::new(),
            unsent: VecDeque::new(),
            filters: BTreeSet::new(),
            detached: BTreeSet::new(),
            foreign: BTreeSet::new(),
            last_at: Each::default(),
            left: BTreeMap::new(),
            first_tokens: start.first_tokens.clone(),
            silent: silent_kinds(outline),
            told_early: false,
            logins: 0,
            subscribed: false,
            ping_outstanding: false,
            keep_alive_known: known.is_some(),
            activity: Activity::all(matches!(
                start.beginning,
                Beginning::Start | Beginning::Reconnect
            )),
            remembered_updates: BTreeSet::new(),
            lost_at: None,
            verdicts: vec![None; outline.lines.len()],
            unprinted: Vec::new(),
            findings: Vec::new(),
            faults: BTreeSet::new(),
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
        driver.first_of_stretch = stretch_lines(outline, 0)
            .iter()
            .find_map(|line| line.statement.allocated_number());
        driver.bring_to(start);
        driver
    }

    /// Brings the engine to where the log begins; what it does on the way is not printed.
    fn bring_to(&mut self, start: &Start) {
        self.device.drain();
        if matches!(start.beginning, Beginning::Reconnect | Beginning::Handshake)
            && !start.shadows.is_empty()
        {
            self.subscribe_on_an_earlier_link(start);
        }
        if start.beginning == Beginning::Handshake {
            self.pass_keep_alive();
        }
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
                    // For what QoS is not known.
                    self.pending_subacks.push_back((number, 2));
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
        if start.beginning != Beginning::Handshake {
            // A silence that began before the log may end at any time.
            self.pass_keep_alive();
        }
    }

    /// The SDK goes on using shadows that it does not subscribe again.
    fn subscribe_on_an_earlier_link(&mut self, start: &Start) {
        self.device.engine.handle_connected(self.device.now);
        self.device.drain();
        let now = self.device.now;
        self.device.engine.handle_bytes(now, &[0x20, 2, 0, 0]);
        for name in &start.shadows {
            let first = start.first_tokens.get(name).copied().unwrap_or_default();
            self.attach(name, first);
            self.device.drain();
            self.took_number();
        }
        self.device
            .engine
            .handle_disconnected(now, TransportFailure::ClosedByPeer);
        self.device.drain();
        self.device.engine.reconnect(now);
        self.device.drain();
    }

    fn pass_keep_alive(&mut self) {
        self.device.now += Duration::from_secs(self.keep_alive.into());
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
                self.begin_stretch(index);
            }
            self.check_silence(index, line);
            if matches!(line.statement.role(), Role::Cause) && line.thread == Some(Thread::Network)
            {
                // The network thread has done with what it received before.
                for due in self.queues[Queue::FromNetwork].iter_mut().rev() {
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
        self.find();
        self.end();
        let verdicts = self.verdicts.into_iter().map(|verdict| {
            verdict.unwrap_or_else(|| Verdict::unexplained("the replay did not come this far"))
        });
        self.unprinted.sort_by_key(|event| event.before);
        Outcome {
            verdicts: verdicts.collect(),
            unprinted: self.unprinted,
            findings: self.findings,
            faults: self.faults,
            recorded: self.device.finish(),
        }
    }

    /// By how many milliseconds the time of a thread's line is before the one before it. A thread
    /// prints a line as soon as it has the time.
    fn runs_back(&mut self, line: &Line) -> Option<u64> {
        let last = &mut self.last_at[Queue::of(line.thread?)];
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
                self.drop_unknown_payload();
                Verdict::environment(format!("complaint of {source}"))
            }
            Statement::Output { .. } => Verdict::unexplained(
                "no record: it has no time, and continues no message of the SDK's",
            ),
            Statement::Unknown {
                reason: Some(reason),
                ..
            } => Verdict::unexplained(format!("no line of the SDK's form: {reason}")),
            Statement::Unknown { .. } if line.by_paho => {
                Verdict::unexplained("no line that paho prints")
            }
            // Perhaps the application's own; nothing tells that from a line that was made up.
            Statement::Unknown { .. } => Verdict::unexplained(
                "neither the SDK nor paho prints it, and it is no remark (`app: ..`)",
            ),
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
            Statement::StateError { state } => self.state_error(at, state),
            Statement::ShadowUpdate { json } => {
                self.settle(at);
                self.seen[Queue::Application] = true;
                self.pending.update = Some((at, json.clone()));
                Verdict::reproduced("the application's request")
            }
            Statement::PublishCall { payload, .. } => {
                self.settle(at);
                self.seen[Queue::Application] = true;
                let bytes = super::inbound::Spelling {
                    json: super::inbound::Json::Python,
                    newline: false,
                };
                self.pending.publish = Some((at, bytes.write(payload).into_bytes()));
                Verdict::reproduced("the application's request")
            }
            Statement::Disconnect => {
                self.settle(at);
                self.seen[Queue::Application] = true;
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
            Statement::SendingPublish { .. } if line.thread == Some(Thread::Network) => {
                self.sending_waiting(at)
            }
            Statement::PublishSuccess if self.outline.waiting.contains_key(&at) => {
                let sending = self.outline.waiting.get(&at).copied().unwrap_or(at);
                self.publish_waiting(at, sending)
            }
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
                if self.drop_unknown_payload() {
                    Verdict::inferred("the payload before it is none that the SDK can read")
                } else {
                    Verdict::environment("a callback of the application failed")
                }
            }
        }
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
