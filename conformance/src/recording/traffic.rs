//! What went over the network, as it can be read from a recording.

use serde::Deserialize;
use shadow_core::mqtt::ProtocolVersion;
use shadow_core::recording::Input;
use shadow_core::{Instant, TransportFailure};

use super::error::ReadError;
use super::packet;
use super::reader::Reader;

/// Most bytes that are kept of a recording's traffic: those of packets, and what it takes beside them to
/// keep each piece and each connection.
pub const MAXIMUM_TRAFFIC: usize = 1 << 28;

/// What a piece or a connection takes beside its bytes, at least.
const OVERHEAD: usize = 128;

/// Which way bytes went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the device to the server.
    Sent,
    /// From the server to the device.
    Received,
}

/// How a connection ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The device closed it.
    Closed,
    /// The transport says that it ended.
    Lost(TransportFailure),
}

/// One attempt to connect and the connection that came of it, if any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// When the engine asked for it; none if that was before the recording begins, as in a later
    /// part of which the parts before are not there.
    pub asked: Option<Instant>,
    /// When it was there; none if it did not come about, or did before the recording begins
    /// ([`Connection::is_there_before`]).
    pub opened: Option<Instant>,
    /// What went over it, in order: one packet each as sent, in pieces as received.
    pub segments: Vec<(Instant, Direction, Vec<u8>)>,
    /// When and how it ended; none if it was still there at the end of the recording.
    pub ended: Option<(Instant, End)>,
}

impl Connection {
    /// Whether the recording begins in the middle of it: it was asked for and there before, and its
    /// first bytes may be those of the middle of a packet.
    #[must_use]
    pub fn is_there_before(&self) -> bool {
        let is_attempt = matches!(
            self.ended,
            Some((
                _,
                End::Lost(TransportFailure::ConnectFailed(_) | TransportFailure::Untrusted(_))
            ))
        );
        self.asked.is_none() && self.opened.is_none() && !is_attempt
    }

    /// When the recording first tells of it.
    #[must_use]
    pub fn first_at(&self) -> Option<Instant> {
        let first = self.segments.first().map(|(at, _, _)| *at);
        let ended = self.ended.as_ref().map(|(at, _)| *at);
        self.asked.or(self.opened).or(first).or(ended)
    }

    fn unknown() -> Connection {
        Connection {
            asked: None,
            opened: None,
            segments: Vec::new(),
            ended: None,
        }
    }
}

/// All connections of a recording.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// In order.
    pub connections: Vec<Connection>,
    /// Microseconds since 1970 at the engine's instant zero, by the first wall time that it got;
    /// none if it got none. Negative before 1970.
    pub epoch: Option<i128>,
}

impl Traffic {
    /// Reads all of a recording, or what is left of it. A recording that begins with a later part
    /// may begin in the middle of a connection, which is then the first.
    ///
    /// Packets are encoded again from their words. They are the bytes that were sent, but for the
    /// password of a CONNECT, which is `***`.
    ///
    /// # Errors
    ///
    /// [`ReadError`]: a line cannot be read, or there are more than [`MAXIMUM_TRAFFIC`] bytes.
    pub fn read(mut reader: Reader<'_>) -> Result<Traffic, ReadError> {
        let mut traffic = Traffic::default();
        let is_later_part = reader.header().part > 1;
        let mut version = ProtocolVersion::V311;
        let mut kept = 0;
        loop {
            let Some(line) = reader.next_line()? else {
                return Ok(traffic);
            };
            let step = match Input::parse(line.text) {
                Ok(Some((at, input))) => Ok(Step::of_input(at, input)),
                Ok(None) => Step::of_output(line.text, &mut version),
                Err(error) => return Err(reader.line_error(&error)),
            };
            let step = step.map_err(|what| reader.error(1, what))?;
            kept += match &step {
                Step::Bytes(_, _, bytes) => OVERHEAD + bytes.len(),
                Step::Asked(_) => OVERHEAD,
                _ => 0,
            };
            if kept > MAXIMUM_TRAFFIC {
                return Err(reader.error(
                    1,
                    format!("up to here is more traffic than {MAXIMUM_TRAFFIC} bytes can hold"),
                ));
            }
            if is_later_part && traffic.connections.is_empty() && step.is_of_connection() {
                traffic.connections.push(Connection::unknown());
            }
            traffic.take(step);
        }
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Nothing => {}
            Step::Wall(at, unix_ms) => {
                let epoch = i128::from(unix_ms) * 1_000 - i128::from(at.as_micros());
                self.epoch.get_or_insert(epoch);
            }
            Step::Asked(at) => self.connections.push(Connection {
                asked: Some(at),
                ..Connection::unknown()
            }),
            Step::Opened(at) => {
                if let Some(connection) = self.open() {
                    connection.opened.get_or_insert(at);
                }
            }
            Step::Bytes(at, direction, bytes) => {
                if let Some(connection) = self.open() {
                    connection.segments.push((at, direction, bytes));
                }
            }
            Step::Ended(at, end) => {
                if let Some(connection) = self.open() {
                    connection.ended = Some((at, end));
                }
            }
        }
    }

    /// The connection that is there, or being made.
    fn open(&mut self) -> Option<&mut Connection> {
        let last = self.connections.last_mut()?;
        last.ended.is_none().then_some(last)
    }
}

/// What a line means for the network.
enum Step {
    Nothing,
    Wall(Instant, u64),
    Asked(Instant),
    Opened(Instant),
    Bytes(Instant, Direction, Vec<u8>),
    Ended(Instant, End),
}

impl Step {
    /// Whether it happens to a connection that is there, or being made.
    fn is_of_connection(&self) -> bool {
        matches!(self, Step::Opened(..) | Step::Bytes(..) | Step::Ended(..))
    }

    fn of_input(at: Instant, input: Input) -> Step {
        match input {
            Input::WallTime(wall) => Step::Wall(at, wall.as_unix_millis()),
            Input::Connected => Step::Opened(at),
            Input::Bytes(bytes) => Step::Bytes(at, Direction::Received, bytes),
            Input::Disconnected(failure) => Step::Ended(at, End::Lost(failure)),
            _ => Step::Nothing,
        }
    }

    fn of_output(line: &str, version: &mut ProtocolVersion) -> Result<Step, String> {
        #[derive(Deserialize)]
        struct Fields {
            at: u64,
            out: String,
        }
        let fields: Fields = serde_json::from_str(line).map_err(|error| error.to_string())?;
        let at = Instant::from_micros(fields.at);
        Ok(match fields.out.as_str() {
            "connect" => Step::Asked(at),
            "close" => Step::Ended(at, End::Closed),
            "packet" => {
                let mut bytes = Vec::new();
                if let Some(connect) = packet::encode(line, *version, &mut bytes)? {
                    *version = connect;
                }
                Step::Bytes(at, Direction::Sent, bytes)
            }
            _ => Step::Nothing,
        })
    }
}
