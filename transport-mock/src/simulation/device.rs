//! One device of a simulation: its engine, its flash and its plug.

use std::collections::VecDeque;

use shadow_core::{Event, Instant, Session, WallTime};

use super::body::Body;
use super::fault::{Direction, Restore, WireFault};
use super::network::Wire;
use super::{Boot, Reachability};
use crate::server::ConnectionId;

#[derive(Debug)]
pub(super) struct Device {
    pub(super) label: String,
    pub(super) body: Body,
    /// What the engines before this one were recorded doing, that of each boot.
    pub(super) recordings: Vec<String>,
    pub(super) events: VecDeque<Event>,
    pub(super) reachability: Reachability,
    /// Counts the connections that it asked for. What belongs to an earlier one is dropped.
    pub(super) attempt: u64,
    pub(super) connection: Option<ConnectionId>,
    pub(super) ills: Ills,
    pub(super) power: Power,
}

/// What is wrong with a device's surroundings, and until when.
#[derive(Debug, Default)]
pub(super) struct Ills {
    pub(super) refused_until: Instant,
    pub(super) unreachable_until: Instant,
    pub(super) deaf_until: Instant,
    /// Whether an event had to wait meanwhile.
    pub(super) missed: bool,
    /// How many seconds its wall clock is ahead.
    pub(super) clock_ahead: i32,
    /// For the next connection, where there is none.
    pub(super) next_wires: Vec<(Direction, u32, WireFault)>,
    to_cloud: Shape,
    to_device: Shape,
}

/// How bytes are cut, on every connection.
#[derive(Debug, Default)]
pub(super) struct Shape {
    pub(super) segment: Option<(usize, Instant)>,
    pub(super) hold: Option<(std::time::Duration, Instant)>,
}

impl Device {
    pub(super) fn is_dark(&self) -> bool {
        self.power.dark_until.is_some()
    }

    pub(super) fn is_deaf(&self, now: Instant) -> bool {
        self.ills.deaf_until > now
    }

    pub(super) fn reachability(&self, now: Instant) -> Reachability {
        if self.ills.unreachable_until > now {
            Reachability::Silent
        } else if self.ills.refused_until > now {
            Reachability::Refused
        } else {
            self.reachability
        }
    }

    /// When something is due.
    pub(super) fn next_instant(&self) -> Option<Instant> {
        if self.is_dark() {
            return self.power.dark_until;
        }
        let deadline = self.body.poll_deadline();
        // Events that wait are taken as soon as they can be.
        let ears = Some(self.ills.deaf_until).filter(|_| self.body.has_output());
        deadline.into_iter().chain(ears).min()
    }
}

impl Ills {
    /// What its wall clock shows when it is `wall`.
    pub(super) fn wall_time(&self, wall: WallTime) -> WallTime {
        let millis = i64::from(self.clock_ahead) * 1_000;
        WallTime::from_unix_millis(wall.as_unix_millis().saturating_add_signed(millis))
    }

    pub(super) fn shape_mut(&mut self, direction: Direction) -> &mut Shape {
        match direction {
            Direction::ToCloud => &mut self.to_cloud,
            Direction::ToDevice => &mut self.to_device,
        }
    }

    /// The wires of a new connection.
    pub(super) fn take_wires(&mut self) -> [Wire; 2] {
        let mut wires = [Wire::default(), Wire::default()];
        let [to_cloud, to_device] = &mut wires;
        for (direction, after, what) in self.next_wires.drain(..) {
            let wire = match direction {
                Direction::ToCloud => &mut *to_cloud,
                Direction::ToDevice => &mut *to_device,
            };
            wire.arm(after.into(), what);
        }
        wires
    }
}

impl Shape {
    /// Gives a wire the shape that holds at `now`.
    pub(super) fn apply(&self, now: Instant, wire: &mut Wire) {
        wire.segment = self.segment.filter(|s| s.1 > now).map(|s| s.0);
        wire.hold = self.hold.filter(|h| h.1 > now).map(|h| h.0);
    }
}

/// What a device loses and keeps when its power is cut.
#[derive(Debug, Default)]
pub(super) struct Power {
    /// Whether sessions are stored at all.
    pub(super) stores: bool,
    /// The sessions that were stored, the latest last.
    stored: VecDeque<(u64, Session)>,
    /// How often it stored a session.
    pub(super) stores_made: u64,
    /// How many steps it has taken.
    pub(super) steps: u64,
    /// After which of them its power is cut, for how long, and what is left then.
    pub(super) cut: Option<(u64, std::time::Duration, Restore)>,
    /// Without power until then.
    pub(super) dark_until: Option<Instant>,
    pub(super) restore: Option<Restore>,
    /// How often it began again.
    pub(super) boots: u64,
    /// What nobody has asked for yet.
    pub(super) boot: Option<Boot>,
    revision: Option<u64>,
    pub(super) seed: u64,
}

/// How many sessions are remembered for [`Restore::Older`].
const REMEMBERED: usize = 12;

impl Power {
    /// Stores the session if it has changed.
    pub(super) fn store(&mut self, session: &Session) {
        let revision = Some(session.revision());
        if !self.stores || self.revision == revision {
            return;
        }
        self.revision = revision;
        self.stores_made += 1;
        if self.stored.len() == REMEMBERED {
            self.stored.pop_front();
        }
        self.stored.push_back((self.stores_made, session.clone()));
    }

    /// The session that is found when the power is back, with its number (0: none); what was stored
    /// after it is gone.
    pub(super) fn find(&mut self, restore: Restore) -> Session {
        match restore {
            Restore::Nothing => self.stored.clear(),
            Restore::Latest => {}
            Restore::Older { back } => {
                let kept = self.stored.len().saturating_sub(back.into()).max(1);
                self.stored.truncate(kept);
            }
        }
        // The next engine counts its own revisions.
        self.revision = None;
        let found = self.stored.back();
        let store = found.map_or(0, |(number, _)| *number);
        let forgotten = store < self.stores_made;
        self.boot = Some(match self.boot {
            None => Boot { store, forgotten },
            Some(before) => Boot {
                store: before.store.min(store),
                forgotten: before.forgotten || forgotten,
            },
        });
        let stored = found.map(|(_, session)| session.to_bytes());
        stored.map_or_else(Session::new, |stored| {
            Session::from_bytes(&stored).expect("what was stored can be read")
        })
    }
}
