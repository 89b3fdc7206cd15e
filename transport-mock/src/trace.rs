//! What goes over a connection, in words: one line a packet, for snapshots and for people.
//!
//! A [`Simulation`](crate::simulation::Simulation) and a [`TestCloud`](crate::TestCloud) write their
//! trace themselves, and give it as a [`Transcript`], which is what a snapshot is made of. For a
//! driver by itself, put a [`tracing_connector`] between it and its connector:
//!
//! ```
//! use shadow_core::{Config, Session, WallTime};
//! use smol::LocalExecutor;
//! use transport_mock::cloud::{Cloud, example_device};
//! use transport_mock::stream::memory_network;
//! use transport_mock::trace::{SharedTrace, tracing_connector};
//! use transport_mock::{SharedCloud, VirtualClock, serve};
//! use transport_tcp::{Clock, client};
//! use futures_lite::StreamExt;
//!
//! let wall = WallTime::from_unix_millis(1_626_770_697_670);
//! let clock = VirtualClock::new(wall);
//! let (memory, listener) = memory_network(1024, 8);
//! let executor = LocalExecutor::new();
//! let incoming = listener.map(|stream| std::future::ready(Some(stream)));
//! let cloud = SharedCloud::new(Cloud::example(clock.now(), wall));
//! executor.spawn(serve(cloud, incoming, clock.clone(), |_event| {})).detach();
//!
//! let trace = SharedTrace::new(clock.now());
//! let connector = tracing_connector("device", memory, clock.clone(), trace.clone());
//! let config = Config::new(&example_device());
//! let (device, _events, driver) = client(config, Session::new(), 1, connector, clock.clone());
//! executor.spawn(driver.run()).detach();
//! clock.run(&executor, async { device.own_shadow().unwrap().get().await }).unwrap();
//! assert_eq!(trace.lines()[2], "    0.000000 device < CONNACK accepted");
//! ```

mod transcript;
mod wording;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use shadow_core::Instant;
use shadow_core::mqtt::{
    Connect, Packet, PacketKind, ProtocolVersion, Publish, Subscribe, SubscribeReturnCode,
};
use transport_tcp::{Clock, Connector};

use crate::observe::{Observation, ObservingConnector};

pub use transcript::{LineKind, Transcript};
pub use wording::describe_event;
use wording::one_line;

/// Lines of text, each with its time since the start: seconds, `{:>5}.{:06}`.
#[derive(Debug)]
pub(crate) struct Trace {
    start: Instant,
    lines: Vec<String>,
    /// Of each line.
    kinds: Vec<LineKind>,
}

impl Trace {
    pub(crate) fn new(start: Instant) -> Trace {
        Trace {
            start,
            lines: Vec::new(),
            kinds: Vec::new(),
        }
    }

    pub(crate) fn push(&mut self, now: Instant, kind: LineKind, text: &str) {
        self.kinds.push(kind);
        let at = now.saturating_since(self.start);
        let (seconds, micros) = (at.as_secs(), at.subsec_micros());
        self.lines.push(format!("{seconds:>5}.{micros:06} {text}"));
    }

    pub(crate) fn lines(&self) -> &[String] {
        &self.lines
    }

    pub(crate) fn take(&mut self) -> Vec<String> {
        self.kinds.clear();
        std::mem::take(&mut self.lines)
    }

    pub(crate) fn transcript(&self) -> Transcript {
        let kinds = self.kinds.iter().copied();
        Transcript::new(kinds.zip(self.lines.iter().map(String::as_str)))
    }
}

/// A trace that several writers share; all clones are the same one. Not bounded: it is for tests.
#[derive(Clone, Debug)]
pub struct SharedTrace {
    trace: Arc<Mutex<Trace>>,
}

impl SharedTrace {
    /// An empty trace whose times count from `start`.
    #[must_use]
    pub fn new(start: Instant) -> SharedTrace {
        let trace = Arc::new(Mutex::new(Trace::new(start)));
        SharedTrace { trace }
    }

    /// Adds a line of the test's own.
    pub fn push(&self, now: Instant, text: &str) {
        self.push_as(now, LineKind::Note, text);
    }

    fn push_as(&self, now: Instant, kind: LineKind, text: &str) {
        self.lock().push(now, kind, text);
    }

    /// The trace so far in the form that is kept as a snapshot.
    #[must_use]
    pub fn transcript(&self) -> Transcript {
        self.lock().transcript()
    }

    /// The lines so far.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.lock().lines().to_vec()
    }

    fn lock(&self) -> MutexGuard<'_, Trace> {
        // No code of others runs while it is held, so it is never left half changed.
        self.trace.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connector that writes into a trace what its connections do: `{label} connects`,
/// `{label} > {packet}` for a packet sent, `{label} < {packet}` for one received,
/// `{label} is refused: {why}`, `{label} closes`, `{label} is closed`.
pub fn tracing_connector<C: Connector, K: Clock>(
    label: &str,
    inner: C,
    clock: K,
    trace: SharedTrace,
) -> ObservingConnector<C, impl FnMut(Observation<'_>) + Clone + Send + 'static> {
    let label = label.to_owned();
    ObservingConnector::new(inner, move |observation: Observation<'_>| {
        let (kind, what) = match observation {
            Observation::Connecting => (LineKind::Link, "connects".to_owned()),
            Observation::Failed(error) => (LineKind::Link, format!("is refused: {error}")),
            Observation::Sent(packet) => (
                of_packet(packet.kind()),
                format!("> {}", describe_packet(packet)),
            ),
            Observation::Received(packet) => (
                of_packet(packet.kind()),
                format!("< {}", describe_packet(packet)),
            ),
            Observation::Closed => (LineKind::Link, "closes".to_owned()),
            Observation::Ended => (LineKind::Link, "is closed".to_owned()),
        };
        trace.push_as(clock.now(), kind, &format!("{label} {what}"));
    })
}

/// What a line about a packet is.
pub(crate) fn of_packet(kind: PacketKind) -> LineKind {
    match kind {
        PacketKind::PingReq | PacketKind::PingResp => LineKind::Ping,
        _ => LineKind::Packet,
    }
}

/// One line about a packet, without its password: `PUBLISH QoS 1, id 7, a/b: {"on":true}`.
pub(crate) fn describe(packet: &[u8], version: ProtocolVersion) -> String {
    match Packet::decode(packet, version) {
        Ok(packet) => describe_packet(&packet),
        Err(error) => format!("{} bytes: {error}", packet.len()),
    }
}

fn describe_packet(packet: &Packet<'_>) -> String {
    let kind = packet.kind();
    match packet {
        Packet::Connect(connect) => describe_connect(connect),
        Packet::ConnAck(answer) => {
            let present = if answer.session_present {
                ", session present"
            } else {
                ""
            };
            format!("{kind} {}{present}", answer.code)
        }
        Packet::Publish(publish) => describe_publish(publish),
        Packet::Subscribe(Subscribe {
            packet_id, filters, ..
        }) => {
            let filters: Vec<String> = filters
                .iter()
                .map(|(filter, qos)| format!("{filter} {qos}"))
                .collect();
            format!("{kind} id {packet_id}, {}", filters.join(", "))
        }
        Packet::SubAck(answer) => {
            let codes: Vec<String> = answer
                .return_codes
                .iter()
                .map(|code| match code {
                    SubscribeReturnCode::Granted(qos) => format!("granted {qos}"),
                    SubscribeReturnCode::Failure => "refused".to_owned(),
                })
                .collect();
            format!("{kind} id {}, {}", answer.packet_id, codes.join(", "))
        }
        Packet::Unsubscribe(request) => {
            let filters: Vec<&str> = request.filters.iter().collect();
            format!("{kind} id {}, {}", request.packet_id, filters.join(", "))
        }
        Packet::PubAck(answer) => format!("{kind} id {}", answer.packet_id),
        Packet::PubRec(answer) => format!("{kind} id {}", answer.packet_id),
        Packet::PubRel(answer) => format!("{kind} id {}", answer.packet_id),
        Packet::PubComp(answer) => format!("{kind} id {}", answer.packet_id),
        Packet::UnsubAck(answer) => format!("{kind} id {}", answer.packet_id),
        Packet::PingReq | Packet::PingResp | Packet::Disconnect => kind.to_string(),
    }
}

fn describe_connect(connect: &Connect<'_>) -> String {
    let mut text = format!(
        "CONNECT {}, client {}, keep alive {} s",
        connect.version, connect.client_id, connect.keep_alive
    );
    if connect.clean_session {
        text.push_str(", clean session");
    }
    if let Some(user_name) = connect.user_name {
        text.push_str(", user ");
        text.push_str(user_name);
    }
    if let Some(will) = &connect.will {
        text.push_str(", will ");
        text.push_str(will.topic);
    }
    text
}

fn describe_publish(publish: &Publish<'_>) -> String {
    let mut text = format!("PUBLISH {}", publish.qos);
    if let Some(packet_id) = publish.packet_id {
        text.push_str(&format!(", id {packet_id}"));
    }
    for (set, word) in [(publish.dup, ", dup"), (publish.retain, ", retain")] {
        if set {
            text.push_str(word);
        }
    }
    // The cloud's payloads end in a newline.
    let payload = one_line(&String::from_utf8_lossy(publish.payload));
    format!("{text}, {}: {payload}", publish.topic)
}
