//! The traffic of a recording as connections of a capture.

use std::net::{Ipv4Addr, SocketAddr};

use shadow_core::{Instant, TransportFailure};

use super::pcapng::{Connection, Opening};
use crate::capture::{Close, Direction, MQTT_PORT, Segment};
use crate::recording::{self, End, Traffic};

/// Addresses for documentation (RFC 5737): a recording has none.
const DEVICE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const SERVER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);

/// The first port that an operating system picks (RFC 6335, section 6), and how many it has.
const FIRST_PORT: u16 = 49_152;
const PORTS: usize = 16_384;

/// The connections of a recording, for [`pcapng::write`](super::pcapng::write).
///
/// Addresses are made up; the server's port is that of MQTT, so that Wireshark takes it for that, also
/// where TLS was between. Times are those of the wall clock if the recording has one, otherwise they
/// count from 1970. What the recording says of a connection's failure is a comment.
///
/// ```
/// use conformance::export::{connections, pcapng};
/// use conformance::recording::{Part, Reader, Traffic};
///
/// let recording = concat!(
///     r#"{"shadow-recording":1,"engine":"0.1.0","part":1,"mask":[]}"#, "\n",
///     r#"{"at":1000000,"out":"connect"}"#, "\n",
///     r#"{"at":2000000,"in":"connected"}"#, "\n",
///     r#"{"at":3000000,"out":"packet","packet":"PINGREQ"}"#, "\n",
/// );
/// let reader = Reader::new(vec![Part::of_text("lamp", recording)]).unwrap();
/// let connections = connections(&Traffic::read(reader).unwrap());
/// assert_eq!(connections[0].segments[0].bytes, [0xc0, 0]);
/// pcapng::write(&connections, &mut Vec::new())?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[must_use]
pub fn connections(traffic: &Traffic) -> Vec<Connection> {
    let time = |at: Instant| {
        let micros = traffic.epoch.unwrap_or(0) + i128::from(at.as_micros());
        u64::try_from(micros.max(0)).unwrap_or(u64::MAX)
    };
    let numbered = traffic.connections.iter().enumerate();
    numbered
        .map(|(index, recorded)| connection(index, recorded, &time))
        .collect()
}

fn connection(
    index: usize,
    recorded: &recording::Connection,
    time: &impl Fn(Instant) -> u64,
) -> Connection {
    let port = FIRST_PORT + u16::try_from(index % PORTS).unwrap_or(0);
    let ended = recorded.ended.as_ref();
    let first_at = recorded.first_at().map_or(0, time);
    let was_open = recorded.opened.is_some() || recorded.is_there_before();
    let beginning = recorded.is_there_before().then(|| {
        let note = "the recording begins in the middle of the connection";
        (first_at, note.to_owned())
    });
    let opening = match (recorded.opened, ended) {
        (Some(opened), _) => Opening::Accepted(time(opened)),
        (None, _) if recorded.is_there_before() => Opening::Accepted(first_at),
        (None, Some((at, End::Lost(TransportFailure::ConnectFailed(_))))) => {
            Opening::Refused(time(*at))
        }
        (None, _) => Opening::Unanswered,
    };
    let segments = recorded.segments.iter();
    let segments = segments
        .filter(|(_, _, bytes)| was_open && !bytes.is_empty())
        .map(|(at, direction, bytes)| Segment {
            at_micros: time(*at),
            direction: match direction {
                recording::Direction::Sent => Direction::Device,
                recording::Direction::Received => Direction::Server,
            },
            bytes: bytes.clone(),
        });
    let close = |end: &End| match end {
        End::Closed => Close::Finished(Direction::Device),
        End::Lost(TransportFailure::ClosedByPeer) => Close::Finished(Direction::Server),
        End::Lost(_) => Close::Reset(Direction::Server),
    };
    let closed = ended.filter(|_| was_open);
    let failure = ended.and_then(|(at, end)| match end {
        End::Closed => None,
        End::Lost(failure) => Some((time(*at), failure.to_string())),
    });
    Connection {
        device: SocketAddr::from((DEVICE, port)),
        server: SocketAddr::from((SERVER, MQTT_PORT)),
        opened_at: first_at,
        opening,
        segments: segments.collect(),
        closed: closed.map(|(at, end)| (time(*at), close(end))),
        notes: beginning.into_iter().chain(failure).collect(),
    }
}
