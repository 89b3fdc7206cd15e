//! A doctor for other clients' sessions: where a device broke the specification, or lost something.
//!
//! [`diagnose`] looks at a [`Session`]: one or more connections of any MQTT clients, as packets with
//! times and directions. A session comes from a capture (`Session::from(&capture)`), from logs of the
//! vendor's Python SDK ([`Session::from_logs`]), or from a recording of this project's engine
//! (`Session::from(&traffic)`). What the source does not show is unknown, and a
//! finding that rests on it is not made.
//!
//! Clauses are those of MQTT 3.1.1. MQTT 3.1 numbers none; where it demands less, the finding says
//! so.
//!
//! ```
//! use conformance::diagnose::{Finding, Packet, Record, diagnose};
//! use conformance::diagnose::{Connection, Direction, Session};
//!
//! let mut connection = Connection::new("a connection");
//! connection.packets.push(Record {
//!     at_micros: 0,
//!     from: Direction::Device,
//!     packet: Packet::PingReq,
//! });
//! let session = Session { connections: vec![connection], ..Session::default() };
//! let report = diagnose(&session);
//! assert!(report.is_grave());
//! assert_eq!(report.findings[0].finding, Finding::NoConnectFirst { packet: "PINGREQ" });
//! ```

mod advice;
mod alive;
mod capture;
mod client;
mod delivery;
mod deltas;
mod finding;
mod limits;
mod log;
mod login;
mod protocol;
mod reconnects;
mod recording;
mod report;
mod requests;
mod session;
mod subscriptions;
mod versions;
mod words;

use std::time::Duration;

pub(crate) use capture::asks_for_mqtt_5;
pub use finding::{Finding, Severity, Side, WaitedUntil};
pub use report::{ClientSummary, Counts, Diagnosis, Report};
pub use session::{
    Connect, Connection, Direction, Dropped, End, Gap, Login, Packet, Payload, Publish, Record,
    Session,
};

use client::{Client, Findings};

/// Most findings that a report holds; [`Report::left_out`] counts the rest.
pub const MAXIMUM_FINDINGS: usize = 10_000;

/// How long what should come may take. The default is what the findings' texts are made for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patience {
    /// For an answer: a reply, an acknowledgement, PINGRESP, CONNACK. Default 10 s.
    pub answer: Duration,
    /// For what a client does by itself after CONNACK: subscribing again, a get. Default 10 s.
    pub settling: Duration,
    /// For the answer to a delta. Default 30 s.
    pub delta: Duration,
}

impl Default for Patience {
    fn default() -> Patience {
        Patience {
            answer: Duration::from_secs(10),
            settling: Duration::from_secs(10),
            delta: Duration::from_secs(30),
        }
    }
}

/// Looks at a session with the default [`Patience`].
#[must_use]
pub fn diagnose(session: &Session) -> Report {
    diagnose_with(session, &Patience::default())
}

/// Looks at a session.
#[must_use]
pub fn diagnose_with(session: &Session, patience: &Patience) -> Report {
    let mut findings = Findings::default();
    let clients = Client::all(session, patience);
    for client in &clients {
        findings.client = client.id.map(str::to_owned);
        protocol::check(client, &mut findings);
        login::check(client, &mut findings);
        alive::check(client, &mut findings);
        delivery::check(client, &mut findings);
        subscriptions::check(client, &mut findings);
        requests::check(client, &mut findings);
        deltas::check(client, &mut findings);
        versions::check(client, &mut findings);
        limits::check(client, &mut findings);
        reconnects::check(client, &mut findings);
    }
    findings.client = None;
    reconnects::check_dropped(session, &mut findings);
    Report::new(session, &clients, findings)
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
