//! A small MQTT server as a state machine: bytes of many clients in, packets for them out.
//!
//! [`Server`] speaks MQTT 3.1 and 3.1.1, each client's by its CONNECT. It opens no socket and reads
//! no clock, so it runs in a test under virtual time as well as behind a real listener.
//!
//! ```
//! use shadow_core::{Instant, WallTime};
//! use transport_mock::server::{Server, ServerConfig, ServerTransmit};
//!
//! let now = Instant::ZERO;
//! let mut server = Server::new(ServerConfig::default(), now, WallTime::from_unix_millis(0));
//! let connection = server.accept(now);
//! server.handle_bytes(now, connection, b"\x10\x0e\x00\x04MQTT\x04\x02\x00\x3c\x00\x02me");
//!
//! let mut bytes = Vec::new();
//! let (to, transmit) = server.poll_transmit(now, &mut bytes).unwrap();
//! assert_eq!(to, connection);
//! assert!(matches!(transmit, ServerTransmit::Packet { len: 4, .. }));
//! assert_eq!(bytes, b"\x20\x02\x00\x00"); // CONNACK, accepted
//! ```
//!
//! # What it does as the vendor's server does
//!
//! * Messages are delivered with QoS 0 or 1. A subscription to QoS 2 is granted QoS 1; a message
//!   published with QoS 2 gets its whole handshake, so that no client waits for ever, and is
//!   delivered with QoS 1.
//! * No message is retained: the flag of a PUBLISH is ignored.
//! * A will is ignored, and said so by [`ServerEvent::Connected`]. The vendor's documentation says
//!   only that there are none (634/46346); a refusal would keep a device out that works without.
//! * A persistent session keeps the subscriptions and the QoS 1 messages; QoS 0 messages that come
//!   while the client is away are lost.
//! * A second connection with the same client id ends the first.
//!
//! # Where it differs
//!
//! * SUBACK in MQTT 3.1 cannot say that a topic is forbidden. Such a client is told the QoS that it
//!   asked for and gets nothing, as mosquitto does.
//! * There is no rate limit: not the vendor's one connection per five seconds, nor one topic per
//!   SUBSCRIBE, nor the number of messages. A subscription works at once.

mod authorization;
mod config;
mod connection;
mod connections;
mod delivery;
mod event;
mod log;
mod outbox;
mod packets;
mod session;
mod sessions;
mod subscriptions;

use std::fmt;

use shadow_core::mqtt::{
    Connect, ConnectReturnCode, Incoming, PacketKind, ProtocolVersion, Publish, QoS, topic,
};
use shadow_core::{Instant, WallTime};

use crate::wall_clock::WallClock;
use authorization::KnownDevices;
use connection::{Connection, Phase};
use connections::Connections;
use event::Events;
use sessions::Sessions;

pub use config::{Credentials, KnownDevice, ServerConfig};
pub use event::{Departure, Message, Refusal, ServerEvent};

/// Names one connection from [`Server::accept`] on. Never used again by the same server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(u64);

/// The number of the connection, from 0.
impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What to do on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerTransmit {
    /// Write the packet whose bytes were appended to the buffer.
    Packet {
        /// Which it is.
        kind: PacketKind,
        /// How many bytes.
        len: usize,
    },
    /// Close the connection: all that goes before has been polled. Nothing follows, and the
    /// server has forgotten the connection.
    Close,
}

/// The server's half of MQTT for any number of clients.
///
/// Inputs are [`accept`](Self::accept), [`handle_bytes`](Self::handle_bytes),
/// [`handle_closed`](Self::handle_closed), [`handle_tick`](Self::handle_tick) and
/// [`publish`](Self::publish). After each, poll [`poll_transmit`](Self::poll_transmit) (or
/// [`poll_transmit_to`](Self::poll_transmit_to), where each connection is written at its own pace)
/// and [`poll_event`](Self::poll_event) until they give nothing, in any order, then wait for bytes
/// or for [`poll_deadline`](Self::poll_deadline). Time never runs back inside: an earlier `now`
/// counts as the latest.
///
/// No input fails on account of a client: what a client does wrong ends its connection, and an
/// event says why. Memory is bounded by [`ServerConfig`].
#[derive(Debug)]
pub struct Server {
    config: ServerConfig,
    known_devices: KnownDevices,
    clock: WallClock,
    now: Instant,
    connections: Connections,
    sessions: Sessions,
    next_connection: u64,
    /// For clients that leave their client id to the server.
    next_client: u64,
    refusals: Vec<RefusalOrder>,
    events: Events,
}

/// Logins that are to be refused.
#[derive(Debug)]
struct RefusalOrder {
    client_id: String,
    code: ConnectReturnCode,
    count: u32,
}

/// What came of taking one packet off the bytes of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// There is no whole packet left, or nothing is read any more.
    Exhausted,
    /// It was handled.
    Handled,
}

impl Server {
    /// A server without clients, at `now` on its monotonic clock and `wall` on its wall clock. The
    /// wall clock runs with the monotonic one; it decides whether a login has expired.
    #[must_use]
    pub fn new(config: ServerConfig, now: Instant, wall: WallTime) -> Server {
        Server {
            known_devices: KnownDevices::new(&config.credentials),
            config,
            clock: WallClock::new(now, wall),
            now,
            connections: Connections::default(),
            sessions: Sessions::default(),
            next_connection: 0,
            next_client: 0,
            refusals: Vec::new(),
            events: Events::default(),
        }
    }

    /// Sets the wall clock.
    pub fn handle_wall_time(&mut self, now: Instant, wall: WallTime) {
        let now = self.advance(now);
        self.clock = WallClock::new(now, wall);
    }

    /// The wall time at `now`.
    #[must_use]
    pub fn wall_time(&self, now: Instant) -> WallTime {
        self.clock.at(now.max(self.now))
    }

    /// A client has connected. Beyond [`ServerConfig::maximum_connections`] the connection is
    /// closed at once.
    pub fn accept(&mut self, now: Instant) -> ConnectionId {
        let now = self.advance(now);
        let id = ConnectionId(self.next_connection);
        self.next_connection += 1;
        let connection = Connection::new(now + self.config.connect_timeout);
        self.connections.insert(id, connection);
        if self.connections.len() > self.config.maximum_connections {
            self.refuse(id, None, Refusal::TooManyConnections);
        }
        id
    }

    /// Bytes of a client have come, in any cutting. Ignored for a connection that is closed.
    pub fn handle_bytes(&mut self, now: Instant, id: ConnectionId, bytes: &[u8]) {
        self.handle_bytes_with(now, id, bytes, |_, _| {});
    }

    /// As [`handle_bytes`](Self::handle_bytes); `on_publish` is called for each new message, once
    /// it has been handed to its subscribers.
    pub(crate) fn handle_bytes_with(
        &mut self,
        now: Instant,
        id: ConnectionId,
        bytes: &[u8],
        mut on_publish: impl FnMut(&mut Server, &Publish<'_>),
    ) {
        let mut input = bytes;
        while self.step(now, id, &mut input, &mut on_publish) == Step::Handled {}
    }

    /// A client has closed its connection, or the connection broke. Ignored for one that is closed.
    pub fn handle_closed(&mut self, now: Instant, id: ConnectionId) {
        self.advance(now);
        self.end(id, Departure::ClosedByPeer, Refusal::ClosedByPeer);
        self.connections.remove(id);
    }

    /// Time has passed: ends the connections that were silent for too long.
    pub fn handle_tick(&mut self, now: Instant) {
        let now = self.advance(now);
        for id in self.connections.due(now) {
            self.end(id, Departure::KeepAlive, Refusal::NoConnect);
        }
    }

    /// Publishes a message of the server's own. False if its topic is no valid topic name; then
    /// nothing happened.
    #[must_use = "a message on an invalid topic goes nowhere"]
    pub fn publish(&mut self, now: Instant, message: &Message) -> bool {
        let valid = topic::validate_name(&message.topic).is_ok();
        if valid {
            self.publish_valid(now, &message.topic, &message.payload, message.qos);
        }
        valid
    }

    /// As [`publish`](Self::publish), on a topic that is known to be a topic name.
    pub(crate) fn publish_valid(&mut self, now: Instant, topic: &str, payload: &[u8], qos: QoS) {
        self.advance(now);
        self.deliver(topic, payload, qos);
    }

    /// Cuts off the client that is logged in as `client_id`; whether there was one. Its session
    /// stays if it is persistent.
    pub fn disconnect(&mut self, now: Instant, client_id: &str) -> bool {
        self.advance(now);
        let connection = self.sessions.get(client_id).and_then(|s| s.connection);
        if let Some(id) = connection {
            self.end(id, Departure::Stopped, Refusal::Stopped);
        }
        connection.is_some()
    }

    /// Cuts off every connection, as a server does that is restarted. Persistent sessions stay.
    pub fn disconnect_all(&mut self, now: Instant) {
        self.advance(now);
        let all: Vec<ConnectionId> = self.connections.ids().collect();
        for id in all {
            self.end(id, Departure::Stopped, Refusal::Stopped);
        }
    }

    /// Forgets the sessions of all clients that are not connected.
    pub fn forget_sessions(&mut self) {
        let absent = self.sessions.iter().filter(|(_, s)| s.connection.is_none());
        let absent: Vec<String> = absent.map(|(id, _)| id.to_owned()).collect();
        for client_id in absent {
            self.sessions.remove(&client_id);
        }
    }

    /// Refuses the next `count` logins with this client id, whatever their credentials, with a
    /// CONNACK of this code; [`ConnectReturnCode::Accepted`] or a count of 0 takes an order back.
    pub fn refuse_logins(&mut self, client_id: &str, code: ConnectReturnCode, count: u32) {
        self.refusals.retain(|order| order.client_id != client_id);
        if code != ConnectReturnCode::Accepted && count > 0 {
            self.refusals.push(RefusalOrder {
                client_id: client_id.to_owned(),
                code,
                count,
            });
        }
    }

    /// The next thing to do on any connection, the oldest connection first. A packet's bytes are
    /// appended to `buffer`, one whole packet a call.
    pub fn poll_transmit(
        &mut self,
        now: Instant,
        buffer: &mut Vec<u8>,
    ) -> Option<(ConnectionId, ServerTransmit)> {
        let id = self.with_output().next()?;
        Some((id, self.poll_transmit_to(now, id, buffer)?))
    }

    /// The next thing to do on one connection. What its peer does not take in time stays here,
    /// where it is bounded.
    pub fn poll_transmit_to(
        &mut self,
        now: Instant,
        id: ConnectionId,
        buffer: &mut Vec<u8>,
    ) -> Option<ServerTransmit> {
        self.advance(now);
        let transmit = self.connections.pop(id, buffer)?;
        let online = self.connections.get(id).and_then(Connection::online);
        if let Some(online) = online {
            let client_id = online.client_id.clone();
            self.send_waiting(&client_id);
        }
        Some(transmit)
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<ServerEvent> {
        self.events.pop()
    }

    /// When to call [`handle_tick`](Self::handle_tick) at the latest.
    #[must_use]
    pub fn poll_deadline(&self) -> Option<Instant> {
        self.connections.deadline()
    }

    /// Whether `poll_transmit` or `poll_event` would give something.
    #[must_use]
    pub fn has_output(&self) -> bool {
        self.with_output().next().is_some() || !self.events.is_empty()
    }

    /// The connections that [`poll_transmit_to`](Self::poll_transmit_to) has something for, the
    /// oldest first.
    pub fn with_output(&self) -> impl Iterator<Item = ConnectionId> {
        self.connections.with_output()
    }

    /// Whether a connection ends as soon as what is queued for it has left, or has ended: whoever
    /// carries its bytes must not wait for ever for a peer that does not take them.
    #[must_use]
    pub fn is_closing(&self, id: ConnectionId) -> bool {
        self.connections
            .get(id)
            .is_none_or(|connection| matches!(connection.phase, Phase::Closing))
    }

    /// The client ids that are logged in, sorted.
    pub fn clients(&self) -> impl Iterator<Item = &str> {
        self.sessions
            .iter()
            .filter(|(_, session)| session.connection.is_some())
            .map(|(client_id, _)| client_id)
    }

    /// Takes one packet off `input`, the bytes that a connection received.
    fn step(
        &mut self,
        now: Instant,
        id: ConnectionId,
        input: &mut &[u8],
        on_publish: impl FnMut(&mut Server, &Publish<'_>),
    ) -> Step {
        let now = self.advance(now);
        let maximum = self.config.maximum_packet_size;
        let Some(mut decoder) = self.connections.take_decoder(id, maximum) else {
            return Step::Exhausted;
        };
        let step = match decoder.next(input) {
            Ok(None) => Step::Exhausted,
            Ok(Some(Incoming::Packet(packet))) => self.handle_packet(now, id, packet, on_publish),
            // It does not happen, as the decoder refuses what is oversized.
            Ok(Some(Incoming::Skipped(_))) => Step::Handled,
            Err(error) => {
                self.end(id, Departure::Malformed(error), Refusal::Malformed(error));
                Step::Exhausted
            }
        };
        self.connections.put_decoder(id, decoder);
        step
    }

    /// Ends a connection: `departure` if it was logged in, `refusal` if it was not.
    fn end(&mut self, id: ConnectionId, departure: Departure, refusal: Refusal) {
        let online = match self.connections.get(id).map(|connection| &connection.phase) {
            None | Some(Phase::Closing) => return,
            Some(Phase::Opening { .. }) => return self.refuse(id, None, refusal),
            Some(Phase::Online(online)) => online.clone(),
        };
        self.connections
            .change(id, |connection, outbox| connection.close(outbox));
        if online.clean_session {
            self.sessions.remove(&online.client_id);
        } else if let Some(session) = self.sessions.get_mut(&online.client_id) {
            session.connection = None;
        }
        self.tell(|| ServerEvent::Disconnected {
            connection: id,
            client_id: online.client_id.to_string(),
            departure,
        });
    }

    /// Ends a connection that is not logged in, with the CONNACK that the refusal asks for.
    fn refuse(&mut self, id: ConnectionId, connect: Option<&Connect<'_>>, refusal: Refusal) {
        let refused = self.connections.change(id, |connection, outbox| {
            if let Some(code) = refusal.code() {
                let version = connect.map_or(ProtocolVersion::V311, |connect| connect.version);
                packets::push_connack(outbox, version, false, code);
            }
            connection.close(outbox);
        });
        if refused.is_some() {
            self.tell(|| ServerEvent::Refused {
                connection: id,
                client_id: connect.map(|connect| connect.client_id.to_owned()),
                refusal,
            });
        }
    }

    /// Whether this login is refused by [`refuse_logins`](Self::refuse_logins), and how.
    fn take_refusal(&mut self, client_id: &str) -> Option<ConnectReturnCode> {
        let index = self
            .refusals
            .iter()
            .position(|order| order.client_id == client_id)?;
        let order = self.refusals.get_mut(index)?;
        let code = order.code;
        order.count -= 1;
        if order.count == 0 {
            self.refusals.swap_remove(index);
        }
        Some(code)
    }

    /// Keeps an event for whoever polls them, if there is room: one that nobody will see is not
    /// made.
    fn tell(&mut self, event: impl FnOnce() -> ServerEvent) {
        self.events.push(event, self.config.maximum_events);
    }

    /// The latest time seen, which `now` cannot undercut.
    fn advance(&mut self, now: Instant) -> Instant {
        self.now = self.now.max(now);
        self.now
    }
}
