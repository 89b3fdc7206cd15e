//! What a recording is made of, once the inputs that answer something are tied to what they answer.

use std::rc::Rc;

use shadow_core::recording::{Input, Mask, Request, Start};
use shadow_core::{Instant, TransportFailure};

use super::note::Notes;
use super::version::Version;

/// A recording as something that can be run again, whole or in part.
#[derive(Clone, Debug)]
pub(super) struct Case {
    pub(super) mask: Mask,
    /// The line `start`, and what it says.
    pub(super) start: Rc<(String, Start)>,
    pub(super) from: Instant,
    pub(super) causes: Vec<Cause>,
    /// What the recorded engine gave that causes refer to.
    pub(super) notes: Rc<Notes>,
    /// Whether versions are those of the recording, and not counted anew.
    pub(super) recorded_versions: bool,
    /// How many causes there were in the beginning: all ids are below.
    pub(super) ids: usize,
}

/// Something that can be left out: an input, or one packet of an input.
#[derive(Clone, Debug)]
pub(super) struct Cause {
    /// Its number in the whole recording, from 0.
    pub(super) id: u32,
    /// The number of the input that it was, or was a part of; the start has 0.
    pub(super) step: u32,
    /// Microseconds since the cause before.
    pub(super) delay: u64,
    /// By how many microseconds a deadline was overdue when it came.
    pub(super) lateness: u64,
    /// Whether its bytes came in one piece with those of the cause before.
    pub(super) joined: bool,
    /// What was polled between the cause before and this one, if that was not everything.
    pub(super) polls: Option<Rc<[Poll]>>,
    pub(super) what: Rc<What>,
}

/// One poll that gave something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Poll {
    Transmit,
    Event,
}

#[derive(Clone, Debug)]
pub(super) enum What {
    /// It refers to nothing.
    Plain(Input),
    Connected {
        /// Whether the engine had asked for it.
        asked: bool,
    },
    Disconnected {
        failure: TransportFailure,
        /// How far the link had come.
        stage: Stage,
    },
    Packet(Received),
    /// The first bytes of a packet that came in several pieces.
    Head {
        /// The packet.
        of: u32,
        /// How many bytes have come with them.
        length: usize,
    },
    /// Bytes that are no packet.
    Raw {
        bytes: Vec<u8>,
        stage: Stage,
    },
    Request(Asked),
}

/// How far a link has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    None,
    Asked,
    Up,
    LoggedIn,
}

/// A packet of the peer.
#[derive(Clone, Debug)]
pub(super) struct Received {
    pub(super) bytes: Vec<u8>,
    pub(super) stage: Stage,
    pub(super) answer: Option<Answer>,
    /// The subscription by which it came.
    pub(super) subscription: Option<u32>,
    /// That of the document which it is about.
    pub(super) version: Option<Version>,
}

/// That a packet answers another.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    /// The one that is answered.
    pub(super) to: u32,
    pub(super) how: How,
}

#[derive(Clone, Debug)]
pub(super) enum How {
    /// On the same link, as CONNACK and PINGRESP.
    Link,
    /// On the same link and by its packet identifier.
    Id,
    /// By this client token, on any link.
    Token(String),
}

/// A request and what it refers to.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) request: Request,
    /// The `attach` that made its shadow; `None` for the own one.
    pub(super) shadow: Option<u32>,
    /// The request that it is about.
    pub(super) about: Option<u32>,
    /// The delta that it answers.
    pub(super) told: Option<Told>,
    /// The version that an update asks for.
    pub(super) version: Option<Version>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Told {
    pub(super) note: u32,
    /// Whether all of it was answered.
    pub(super) whole: bool,
}
