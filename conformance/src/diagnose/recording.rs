//! Sessions from recordings of this project's engine.

use shadow_core::{Instant, TransportFailure};

use super::capture::{Piece, read};
use super::session::{Connection, Direction, End, Gap, Packet, Session};
use crate::recording::{self, Traffic};

impl From<&Traffic> for Session {
    /// Reads the packets of every connection. Passwords are not in a recording.
    fn from(traffic: &Traffic) -> Session {
        let time = |at: Instant| {
            let epoch = traffic.epoch.unwrap_or_default();
            u64::try_from(epoch.saturating_add(at.as_micros().into())).unwrap_or_default()
        };
        let connections: Vec<Connection> = traffic
            .connections
            .iter()
            .enumerate()
            .map(|(index, recorded)| connection(index, recorded, traffic.epoch.is_some(), &time))
            .collect();
        let times = || {
            let own = traffic.connections.iter();
            own.flat_map(|of| {
                let segments = of.segments.iter().map(|(at, _, _)| *at);
                let ends = of.ended.as_ref().map(|(at, _)| *at);
                of.first_at().into_iter().chain(segments).chain(ends)
            })
        };
        Session {
            connections,
            dropped: Vec::new(),
            begins_at: times().min().map_or(0, time),
            ends_at: times().max().map_or(0, time),
        }
    }
}

fn connection(
    index: usize,
    recorded: &recording::Connection,
    has_wall_time: bool,
    time: &impl Fn(Instant) -> u64,
) -> Connection {
    let mut found = Connection::new(format!("connection {}", index + 1));
    found.has_wall_time = has_wall_time;
    let is_there_before = recorded.is_there_before();
    found.opened_at = recorded.opened.or(recorded.asked).map(time);
    if is_there_before {
        found.gaps.push(Gap {
            from: 0,
            to: recorded.first_at().map_or(u64::MAX, time),
            side: None,
        });
    }
    found.ended_at = recorded.ended.as_ref().map(|(at, _)| time(*at));
    found.end = match &recorded.ended {
        None => End::Open,
        Some(_) if recorded.opened.is_none() && !is_there_before => End::Refused,
        Some((_, recording::End::Closed)) => End::ByDevice,
        Some((_, recording::End::Lost(TransportFailure::ClosedByPeer))) => End::ByServer,
        Some((_, recording::End::Lost(_))) => End::Unknown,
    };
    let segments = recorded.segments.iter();
    let pieces: Vec<Piece<'_>> = segments
        .map(|(at, direction, bytes)| {
            let side = match direction {
                recording::Direction::Sent => Direction::Device,
                recording::Direction::Received => Direction::Server,
            };
            (time(*at), side, bytes.as_slice())
        })
        .collect();
    read(&pieces, !is_there_before, &mut found);
    for record in &mut found.packets {
        if let Packet::Connect(connect) = &mut record.packet
            && let Some(login) = &mut connect.login
        {
            // What stands there is none.
            login.password = None;
        }
    }
    found
}
