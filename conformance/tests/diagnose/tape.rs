//! Connections made by hand, byte by byte.

use std::net::SocketAddr;

use conformance::capture::tls::KeyLog;
use conformance::capture::{Capture, Close, Connection, Direction, Segment};
use conformance::diagnose::{Finding, Report, Session, diagnose};

/// When every tape begins: some day in 2026, in microseconds of Unix time.
pub(crate) const EPOCH: u64 = 1_780_000_000_000_000;
/// The client id of most tapes: product id and device name.
pub(crate) const CLIENT: &str = "TAPE000001dev";
/// Its topics.
pub(crate) const ASK: &str = "$shadow/operation/TAPE000001/dev";
pub(crate) const RESULT: &str = "$shadow/operation/result/TAPE000001/dev";

/// A connection that is being written.
#[derive(Clone)]
pub(crate) struct Tape {
    connection: Connection,
}

impl Tape {
    pub(crate) fn new() -> Tape {
        let device: SocketAddr = "192.0.2.7:40000".parse().unwrap();
        let server: SocketAddr = "192.0.2.1:1883".parse().unwrap();
        Tape {
            connection: Connection {
                device,
                server,
                asked_at: None,
                opened_at: None,
                segments: Vec::new(),
                closed_by: None,
                ended_at: None,
                from_start: true,
                gaps: Vec::new(),
                is_decrypted: false,
                undelivered: [0; 2],
                undecrypted: None,
            },
        }
    }

    fn segment(mut self, millis: u64, direction: Direction, bytes: Vec<u8>) -> Tape {
        self.connection.segments.push(Segment {
            at_micros: EPOCH + millis * 1_000,
            direction,
            bytes,
        });
        self
    }

    /// The device sends these bytes, so many milliseconds after the beginning.
    pub(crate) fn device(self, millis: u64, bytes: Vec<u8>) -> Tape {
        self.segment(millis, Direction::Device, bytes)
    }

    /// The server sends them.
    pub(crate) fn server(self, millis: u64, bytes: Vec<u8>) -> Tape {
        self.segment(millis, Direction::Server, bytes)
    }

    pub(crate) fn at_address(mut self, device: &str) -> Tape {
        self.connection.device = device.parse().unwrap();
        self
    }

    pub(crate) fn closed_by(mut self, close: Close) -> Tape {
        self.connection.closed_by = Some(close);
        self
    }

    /// It ends so, at this time.
    pub(crate) fn ended(mut self, millis: u64, close: Close) -> Tape {
        self.connection.ended_at = Some(EPOCH + millis * 1_000);
        self.closed_by(close)
    }

    /// The device asks for it at this time.
    pub(crate) fn asked(mut self, millis: u64) -> Tape {
        self.connection.asked_at = Some(EPOCH + millis * 1_000);
        self
    }

    /// The handshake is complete at this time.
    pub(crate) fn opened(mut self, millis: u64) -> Tape {
        self.connection.opened_at = Some(EPOCH + millis * 1_000);
        self
    }

    pub(crate) fn without_start(mut self) -> Tape {
        self.connection.from_start = false;
        self
    }

    pub(crate) fn with_gap(mut self, side: Direction) -> Tape {
        self.connection.gaps.push(side);
        self
    }

    /// Logs in at `millis` as [`CLIENT`] with a keep alive of 60 s.
    pub(crate) fn login(self, millis: u64) -> Tape {
        self.device(millis, connect(CLIENT, 60))
            .server(millis + 10, connack(0))
    }

    /// Logs in and subscribes the result topic.
    pub(crate) fn ready(self, millis: u64) -> Tape {
        self.login(millis)
            .device(millis + 20, subscribe(1, &[RESULT]))
            .server(millis + 30, suback(1, &[0]))
    }

    /// Gets the document at a version.
    pub(crate) fn get(self, millis: u64, token: &str, version: u64) -> Tape {
        self.device(millis, publish(ASK, &get(token)))
            .server(millis + 20, publish(RESULT, &got(token, version)))
    }

    /// Asks for a sign of life and gets it.
    pub(crate) fn ping(self, millis: u64) -> Tape {
        self.device(millis, vec![0xC0, 0])
            .server(millis + 10, vec![0xD0, 0])
    }

    /// Pings every fifty seconds in between.
    pub(crate) fn pings(mut self, from: u64, to: u64) -> Tape {
        let mut at = from + 50_000;
        while at < to {
            self = self.ping(at);
            at += 50_000;
        }
        self
    }

    pub(crate) fn goodbye(self, millis: u64) -> Tape {
        self.device(millis, vec![0xE0, 0])
            .closed_by(Close::Finished(Direction::Device))
    }
}

/// A session of these connections.
pub(crate) fn session(tapes: impl IntoIterator<Item = Tape>) -> Session {
    let capture = Capture {
        connections: tapes.into_iter().map(|tape| tape.connection).collect(),
        skipped: 0,
        headless: 0,
        truncated: false,
        key_log: KeyLog::default(),
    };
    Session::from(&capture)
}

/// What is found in them.
pub(crate) fn report(tapes: impl IntoIterator<Item = Tape>) -> Report {
    diagnose(&session(tapes))
}

/// How many findings fit.
pub(crate) fn count(report: &Report, fits: impl Fn(&Finding) -> bool) -> usize {
    let found = report.findings.iter();
    found.filter(|found| fits(&found.finding)).count()
}

/// Asserts that there are so many findings of a pattern.
macro_rules! assert_finds {
    ($number:expr, $pattern:pat $(if $guard:expr)?, $tapes:expr) => {{
        let report = crate::tape::report($tapes);
        let found = crate::tape::count(&report, |finding| match finding {
            $pattern $(if $guard)? => true,
            _ => false,
        });
        assert_eq!(found, $number, "{}\n{report}", stringify!($pattern));
    }};
}
pub(crate) use assert_finds;

// Packets, as MQTT 3.1.1 sections 3.1 to 3.14 lay them out.

fn string(text: &str) -> Vec<u8> {
    let length = u16::try_from(text.len()).unwrap();
    [&length.to_be_bytes(), text.as_bytes()].concat()
}

/// A packet with its fixed header.
pub(crate) fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    let mut left = body.len();
    loop {
        let digit = u8::try_from(left % 128).unwrap();
        left /= 128;
        bytes.push(if left > 0 { digit | 0x80 } else { digit });
        if left == 0 {
            break;
        }
    }
    bytes.extend_from_slice(body);
    bytes
}

/// CONNECT of MQTT 3.1.1 with these flags, without a login unless the flags have one.
pub(crate) fn connect_with(
    protocol: (&str, u8),
    client: &str,
    keep_alive: u16,
    flags: u8,
    fields: &[&str],
) -> Vec<u8> {
    let mut body = string(protocol.0);
    body.extend([protocol.1, flags]);
    body.extend(keep_alive.to_be_bytes());
    body.extend(string(client));
    for field in fields {
        body.extend(string(field));
    }
    packet(0x10, &body)
}

/// CONNECT of MQTT 3.1.1 with a clean session.
pub(crate) fn connect(client: &str, keep_alive: u16) -> Vec<u8> {
    connect_with(("MQTT", 4), client, keep_alive, 0x02, &[])
}

/// CONNECT that keeps its session.
pub(crate) fn connect_again(client: &str) -> Vec<u8> {
    connect_with(("MQTT", 4), client, 60, 0x00, &[])
}

pub(crate) fn connack(code: u8) -> Vec<u8> {
    vec![0x20, 2, 0, code]
}

pub(crate) fn connack_present() -> Vec<u8> {
    vec![0x20, 2, 1, 0]
}

pub(crate) fn subscribe(id: u16, filters: &[&str]) -> Vec<u8> {
    let mut body = id.to_be_bytes().to_vec();
    for filter in filters {
        body.extend(string(filter));
        body.push(0);
    }
    packet(0x82, &body)
}

pub(crate) fn suback(id: u16, codes: &[u8]) -> Vec<u8> {
    packet(0x90, &[&id.to_be_bytes(), codes].concat())
}

pub(crate) fn unsubscribe(id: u16, filter: &str) -> Vec<u8> {
    packet(0xA2, &[&id.to_be_bytes()[..], &string(filter)].concat())
}

/// PUBLISH of QoS 0.
pub(crate) fn publish(topic: &str, payload: &str) -> Vec<u8> {
    packet(0x30, &[&string(topic)[..], payload.as_bytes()].concat())
}

/// PUBLISH with these flags, of which bits 1 and 2 are the QoS and bit 3 is DUP.
pub(crate) fn publish_with(flags: u8, id: u16, topic: &str, payload: &str) -> Vec<u8> {
    let body = [&string(topic)[..], &id.to_be_bytes(), payload.as_bytes()];
    packet(0x30 | flags, &body.concat())
}

/// PUBACK 4, PUBREC 5, PUBREL 6, PUBCOMP 7, UNSUBACK 11.
pub(crate) fn acknowledgement(kind: u8, id: u16) -> Vec<u8> {
    let first = kind << 4 | if kind == 6 { 2 } else { 0 };
    packet(first, &id.to_be_bytes())
}

// Messages, in the form of the vendor's document 634/14072.

pub(crate) fn get(token: &str) -> String {
    format!(r#"{{"type":"get","clientToken":"{token}"}}"#)
}

pub(crate) fn got(token: &str, version: u64) -> String {
    format!(
        r#"{{"clientToken":"{token}","payload":{{"state":{{"reported":{{"a":1}}}},"timestamp":1,"version":{version}}},"result":0,"timestamp":1,"type":"get"}}"#
    )
}

/// An update with this `state`.
pub(crate) fn update(token: &str, state: &str) -> String {
    format!(r#"{{"type":"update","state":{state},"clientToken":"{token}"}}"#)
}

pub(crate) fn updated(token: &str, result: u32, version: u64) -> String {
    format!(
        r#"{{"clientToken":"{token}","payload":{{"state":{{}},"timestamp":1,"version":{version}}},"result":{result},"timestamp":1,"type":"update"}}"#
    )
}

pub(crate) fn delta(state: &str, version: u64) -> String {
    format!(
        r#"{{"type":"delta","timestamp":1,"payload":{{"state":{state},"version":{version},"timestamp":1}}}}"#
    )
}
