//! What goes wrong in a [`Simulation`](super::Simulation), as data.

use std::fmt;

use serde::{Deserialize, Serialize};

pub use crate::cloud::ReplyFault;

/// A way between a device and the cloud.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Direction {
    /// What the device sends.
    ToCloud,
    /// What the cloud sends.
    ToDevice,
}

/// Something that goes wrong.
///
/// Faults are plain data: they print, compare, and go to a file and back as JSON. `device` is the
/// device's number, in the order in which they were added; a number without a device does nothing in
/// a simulation, and panics in a [`TestCloud`](crate::TestCloud).
/// Times are milliseconds. [`Simulation::inject`](super::Simulation::inject) has one happen,
/// [`Simulation::lift`](super::Simulation::lift) ends those that last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fault {
    /// Something happens at a byte of a connection.
    Wire {
        /// Whose connection: the present one, or the next if there is none.
        device: usize,
        /// On which way the bytes are counted.
        direction: Direction,
        /// After how many more bytes: 0 on the present connection is now, on the next one before
        /// its first byte.
        after: u32,
        /// What happens.
        what: WireFault,
    },
    /// Whatever is sent arrives in pieces of at most `size` bytes (at least 1), each handled on its
    /// own.
    Segments {
        /// Whose connections.
        device: usize,
        /// On which way.
        direction: Direction,
        /// The largest piece.
        size: u32,
        /// For how long.
        millis: u32,
    },
    /// Writes are held back and leave together, as one piece.
    Merge {
        /// Whose connections.
        device: usize,
        /// On which way.
        direction: Direction,
        /// How long the first of them waits for others.
        hold: u32,
        /// For how long this goes on.
        millis: u32,
    },
    /// Connections are refused at once.
    RefuseConnections {
        /// Whose.
        device: usize,
        /// For how long.
        millis: u32,
    },
    /// Nothing comes through, on connections that exist and new ones; see
    /// [`Reachability::Silent`](super::Reachability::Silent).
    Unreachable {
        /// Who.
        device: usize,
        /// For how long.
        millis: u32,
    },
    /// The next logins are refused.
    RefuseLogins {
        /// Whose.
        device: usize,
        /// CONNACK's return code, 1 to 5; others count as 3.
        code: u8,
        /// How many.
        count: u8,
    },
    /// Everything that the cloud sends leaves later.
    SlowServer {
        /// How much later.
        late: u32,
        /// For how long this goes on.
        millis: u32,
    },
    /// Something happens to the shadow service's next replies to a device. Deltas that it pushes
    /// are not touched.
    Replies {
        /// Whose.
        device: usize,
        /// What happens to them.
        what: ReplyFault,
        /// How many.
        count: u8,
    },
    /// The cloud is stopped, all connections with it, and started again.
    RestartServer {
        /// Whether the MQTT sessions of its clients are still there afterwards.
        sessions: bool,
        /// Which shadow documents it has then.
        documents: Documents,
        /// How long it is down; connections are refused meanwhile.
        down: u32,
    },
    /// The device loses its power. Its connection goes silent; when the power is back, a new engine
    /// with another seed begins with a stored session.
    PowerCut {
        /// Which device.
        device: usize,
        /// After how many more of its steps; see [`Simulation::steps`](super::Simulation::steps).
        /// 0 is now.
        after: u32,
        /// How long it is without power.
        dark: u32,
        /// With which session it begins again.
        restore: Restore,
    },
    /// The device's wall clock is off until it is set right by
    /// [`Simulation::lift`](super::Simulation::lift) or with 0.
    WrongClock {
        /// Whose.
        device: usize,
        /// How much it is ahead; negative when it is behind.
        seconds: i32,
    },
    /// A second client logs in with the device's client id, and stays until it is kicked in turn.
    SecondClient {
        /// Whose.
        device: usize,
        /// Whether it does away with the session that the server keeps for the client id.
        clean_session: bool,
    },
    /// The application takes no events. What the engine has to send still leaves.
    Deaf {
        /// Whose.
        device: usize,
        /// For how long.
        millis: u32,
    },
}

impl Fault {
    /// Whose it is; `None` of the cloud's.
    #[must_use]
    pub const fn device(&self) -> Option<usize> {
        match self {
            Fault::Wire { device, .. }
            | Fault::Segments { device, .. }
            | Fault::Merge { device, .. }
            | Fault::RefuseConnections { device, .. }
            | Fault::Unreachable { device, .. }
            | Fault::RefuseLogins { device, .. }
            | Fault::Replies { device, .. }
            | Fault::PowerCut { device, .. }
            | Fault::WrongClock { device, .. }
            | Fault::SecondClient { device, .. }
            | Fault::Deaf { device, .. } => Some(*device),
            Fault::SlowServer { .. } | Fault::RestartServer { .. } => None,
        }
    }
}

/// What happens at a byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum WireFault {
    /// The connection breaks; both ends learn it when the last byte arrives.
    Cut,
    /// This way ends in order, the other goes on until its writer has seen the end.
    HalfClose,
    /// The bytes that follow wait for so long.
    Stall {
        /// Milliseconds.
        millis: u32,
    },
    /// The bytes that follow vanish, for ever, and nobody is told.
    Silence,
    /// The bytes before and after arrive as two pieces.
    Split,
}

/// Which shadow documents a server has after it was restarted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Documents {
    /// Those that it had.
    Kept,
    /// Those of the last backup ([`Simulation::back_up`](super::Simulation::back_up)); versions
    /// fall. None if there was no backup.
    Older,
    /// None.
    Lost,
}

/// With which session a device begins after its power was cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Restore {
    /// The one that was stored last.
    Latest,
    /// One that was stored earlier, as with a flash that did not keep what it was told.
    Older {
        /// By how many stores; the oldest that is remembered if there were not so many.
        back: u8,
    },
    /// None.
    Nothing,
}

/// The kinds of faults that are counted apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum FaultKind {
    /// A connection was cut at a byte that the device sent.
    CutToCloud,
    /// A connection was cut at a byte that the cloud sent.
    CutToDevice,
    /// The device's way ended before the cloud's.
    HalfCloseByDevice,
    /// The cloud's way ended before the device's.
    HalfCloseByCloud,
    /// Bytes waited.
    Stall,
    /// Bytes vanished.
    Silence,
    /// Bytes that were sent together arrived apart.
    SplitSegments,
    /// Bytes that were sent apart arrived together.
    MergedSegments,
    /// A connection was refused.
    ConnectionRefused,
    /// A connection was asked for and nobody answered.
    Unreachable,
    /// CONNACK 1.
    LoginRefused1,
    /// CONNACK 2.
    LoginRefused2,
    /// CONNACK 3.
    LoginRefused3,
    /// CONNACK 4.
    LoginRefused4,
    /// CONNACK 5.
    LoginRefused5,
    /// A packet of the cloud left late.
    SlowServer,
    /// A reply was never sent.
    ReplyLost,
    /// A reply was sent late.
    ReplyLate,
    /// A reply was sent twice.
    ReplyTwice,
    /// A reply was overtaken by a push.
    ReplyAfterPush,
    /// The server was restarted and kept the sessions.
    RestartWithSessions,
    /// The server was restarted and lost a session.
    RestartWithoutSessions,
    /// The shadow documents went back to a backup.
    DocumentsOlder,
    /// The shadow documents were lost.
    DocumentsLost,
    /// Power was cut; the last stored session was there.
    PowerCut,
    /// Power was cut; an older session than the last stored was there.
    PowerCutOlderSession,
    /// Power was cut; no session was there.
    PowerCutNoSession,
    /// A login was refused as the device's clock was wrong.
    WrongClock,
    /// A second client kicked the device.
    Kicked,
    /// An event waited for the application.
    Deaf,
}

impl FaultKind {
    /// All of them.
    pub const ALL: [FaultKind; 30] = [
        FaultKind::CutToCloud,
        FaultKind::CutToDevice,
        FaultKind::HalfCloseByDevice,
        FaultKind::HalfCloseByCloud,
        FaultKind::Stall,
        FaultKind::Silence,
        FaultKind::SplitSegments,
        FaultKind::MergedSegments,
        FaultKind::ConnectionRefused,
        FaultKind::Unreachable,
        FaultKind::LoginRefused1,
        FaultKind::LoginRefused2,
        FaultKind::LoginRefused3,
        FaultKind::LoginRefused4,
        FaultKind::LoginRefused5,
        FaultKind::SlowServer,
        FaultKind::ReplyLost,
        FaultKind::ReplyLate,
        FaultKind::ReplyTwice,
        FaultKind::ReplyAfterPush,
        FaultKind::RestartWithSessions,
        FaultKind::RestartWithoutSessions,
        FaultKind::DocumentsOlder,
        FaultKind::DocumentsLost,
        FaultKind::PowerCut,
        FaultKind::PowerCutOlderSession,
        FaultKind::PowerCutNoSession,
        FaultKind::WrongClock,
        FaultKind::Kicked,
        FaultKind::Deaf,
    ];

    /// What it is called in a table.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            FaultKind::CutToCloud => "cut at a byte to the cloud",
            FaultKind::CutToDevice => "cut at a byte to the device",
            FaultKind::HalfCloseByDevice => "half-close by the device",
            FaultKind::HalfCloseByCloud => "half-close by the cloud",
            FaultKind::Stall => "stall",
            FaultKind::Silence => "silence",
            FaultKind::SplitSegments => "segments split",
            FaultKind::MergedSegments => "segments merged",
            FaultKind::ConnectionRefused => "connection refused",
            FaultKind::Unreachable => "connection unanswered",
            FaultKind::LoginRefused1 => "login refused, CONNACK 1",
            FaultKind::LoginRefused2 => "login refused, CONNACK 2",
            FaultKind::LoginRefused3 => "login refused, CONNACK 3",
            FaultKind::LoginRefused4 => "login refused, CONNACK 4",
            FaultKind::LoginRefused5 => "login refused, CONNACK 5",
            FaultKind::SlowServer => "slow server",
            FaultKind::ReplyLost => "reply lost",
            FaultKind::ReplyLate => "reply late",
            FaultKind::ReplyTwice => "reply twice",
            FaultKind::ReplyAfterPush => "reply overtaken by a push",
            FaultKind::RestartWithSessions => "restart, sessions kept",
            FaultKind::RestartWithoutSessions => "restart, sessions lost",
            FaultKind::DocumentsOlder => "documents of a backup",
            FaultKind::DocumentsLost => "documents lost",
            FaultKind::PowerCut => "power cut",
            FaultKind::PowerCutOlderSession => "power cut, older session",
            FaultKind::PowerCutNoSession => "power cut, no session",
            FaultKind::WrongClock => "login refused, clock wrong",
            FaultKind::Kicked => "kicked by a second client",
            FaultKind::Deaf => "application takes no events",
        }
    }

    pub(crate) const fn login_refused(code: u8) -> FaultKind {
        match code {
            1 => FaultKind::LoginRefused1,
            2 => FaultKind::LoginRefused2,
            4 => FaultKind::LoginRefused4,
            5 => FaultKind::LoginRefused5,
            _ => FaultKind::LoginRefused3,
        }
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// How often faults of each kind took effect. One that was injected and met nothing is not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FaultCounts {
    counts: [u64; FaultKind::ALL.len()],
}

impl Default for FaultCounts {
    fn default() -> FaultCounts {
        FaultCounts {
            counts: [0; FaultKind::ALL.len()],
        }
    }
}

impl FaultCounts {
    /// How often faults of this kind took effect.
    #[must_use]
    pub fn of(&self, kind: FaultKind) -> u64 {
        self.counts.get(kind as usize).copied().unwrap_or(0)
    }

    /// Each kind with its count.
    pub fn iter(&self) -> impl Iterator<Item = (FaultKind, u64)> + '_ {
        FaultKind::ALL.into_iter().map(|kind| (kind, self.of(kind)))
    }

    /// Adds another's counts.
    pub fn add(&mut self, other: &FaultCounts) {
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            *count += more;
        }
    }

    pub(crate) fn count(&mut self, kind: FaultKind) {
        self.count_times(kind, 1);
    }

    pub(crate) fn count_times(&mut self, kind: FaultKind, times: u64) {
        if let Some(count) = self.counts.get_mut(kind as usize) {
            *count += times;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_counted_by_itself() {
        let mut counts = FaultCounts::default();
        for (times, kind) in FaultKind::ALL.into_iter().enumerate() {
            counts.count_times(kind, times as u64);
        }
        for (times, (kind, count)) in counts.iter().enumerate() {
            assert_eq!((count, kind as usize), (times as u64, times));
        }
    }

    #[test]
    fn a_fault_goes_to_text_and_back() {
        let fault = Fault::Wire {
            device: 1,
            direction: Direction::ToDevice,
            after: 7,
            what: WireFault::Stall { millis: 30 },
        };
        let text = serde_json::to_string(&fault).unwrap();
        let expected = r#"{"Wire":{"device":1,"direction":"ToDevice","after":7,"what":{"Stall":{"millis":30}}}}"#;
        assert_eq!(text, expected);
        assert_eq!(serde_json::from_str::<Fault>(&text).unwrap(), fault);
    }
}
