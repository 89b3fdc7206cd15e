//! What an engine is doing, to be looked at: see [`Inspection`].

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use super::requests::{Owner, Progress, Request, Task};
use super::shadows::{Knowledge, Subscribed};
use super::{Deadline, Engine, Timer};
use crate::event::Event;
use crate::mqtt::session::Stage;
use crate::mqtt::{PacketId, PacketKind, QoS};
use crate::request::{RequestId, ShadowId};
use crate::tencent::ShadowName;
use crate::time::{Instant, WallTime};

/// What an engine is doing at one moment, for debuggers and for people: `Display` writes it on some
/// lines. It is a copy; nothing in it leads back into the engine. No secrets are in it, but the
/// device's values are.
///
/// It is made when it is asked for and costs nothing otherwise. Its fields follow what is inside,
/// so more may come.
///
/// ```
/// use shadow_core::engine::InspectedLink;
/// use shadow_core::{Config, Engine, Instant, Session};
///
/// let mut engine = Engine::new(Config::plain("sensor-1"), Session::new(), 7, Instant::ZERO);
/// assert_eq!(engine.inspect().link, InspectedLink::Waiting { until: Instant::ZERO });
/// engine.handle_tick(Instant::ZERO);
/// engine.poll_transmit(Instant::ZERO, &mut Vec::new());
/// let text = engine.inspect().to_string();
/// assert!(text.starts_with("link      connecting, given up at 20.000000s\n"), "{text}");
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Inspection {
    /// The latest time the engine has seen.
    pub now: Instant,
    /// The wall time as the engine reckons it, if it was told.
    pub wall_time: Option<WallTime>,
    /// How the link is.
    pub link: InspectedLink,
    /// What waits for [`poll_transmit`](Engine::poll_transmit), the next one first.
    pub queue: Vec<QueuedTransmit>,
    /// QoS 1 and 2 messages that are not acknowledged in full, oldest first; those of earlier links
    /// too. The acknowledgement that each waits for is beside it.
    pub in_flight: Vec<(PacketId, PacketKind)>,
    /// SUBSCRIBEs and UNSUBSCRIBEs that are not acknowledged.
    pub awaiting: Vec<(PacketKind, PacketId)>,
    /// All open requests, the engine's own too, oldest first.
    pub requests: Vec<InspectedRequest>,
    /// What waits for [`poll_event`](Engine::poll_event), the next one first.
    pub events: Vec<Event>,
    /// All timers that run, the earliest first.
    pub timers: Vec<Deadline>,
    /// The attached shadows.
    pub shadows: Vec<InspectedShadow>,
    /// Plain subscriptions that were granted, with their QoS.
    pub subscriptions: Vec<(String, QoS)>,
}

/// How the link is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InspectedLink {
    /// There is none; the next is asked for at this instant.
    Waiting {
        /// When.
        until: Instant,
    },
    /// The transport was asked for a connection.
    Connecting {
        /// Until when it may take.
        deadline: Instant,
    },
    /// CONNECT was made; CONNACK has not come.
    Handshake {
        /// Until when it may take.
        deadline: Instant,
    },
    /// The server has accepted the login.
    Online {
        /// Since when.
        since: Instant,
        /// When a packet last left.
        last_sent: Instant,
        /// When bytes last came.
        last_received: Instant,
        /// Until when PINGRESP has to come, if it is waited for.
        ping_response_by: Option<Instant>,
    },
    /// The engine was closed.
    Closed,
}

/// What waits for the transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueuedTransmit {
    /// [`Transmit::Connect`](crate::Transmit::Connect).
    Connect,
    /// [`Transmit::Packet`](crate::Transmit::Packet).
    Packet {
        /// Its kind.
        kind: PacketKind,
        /// How long it is, with its header.
        bytes: usize,
    },
    /// [`Transmit::Close`](crate::Transmit::Close).
    Close,
}

/// An open request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InspectedRequest {
    /// Its number.
    pub id: RequestId,
    /// What was asked, in words: `get`, `update`, `publish a/b`, ..
    pub what: String,
    /// The shadow it is about.
    pub shadow: Option<ShadowId>,
    /// Whether the engine made it for itself, so that nobody is told of its end.
    pub own: bool,
    /// How far it got: `held` (it waits for a link, a subscription, room or the pace), `queued` or
    /// `sent`.
    pub progress: &'static str,
    /// When it times out; `None` if it does not.
    pub deadline: Option<Instant>,
}

/// An attached shadow. Documents are compact JSON objects.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InspectedShadow {
    /// Its number.
    pub id: ShadowId,
    /// Its name.
    pub name: ShadowName,
    /// How its subscription is on this link: `none`, `asked`, `live` or `refused`.
    pub subscription: &'static str,
    /// Whether [`Event::Ready`] was told on this link.
    pub ready: bool,
    /// What is known of the document on this link: `nothing` (no get was answered yet), `gets are
    /// refused`, `all`, or `a change was missed` (a get will show it).
    pub knowledge: &'static str,
    /// The document's highest version seen.
    pub version: Option<u64>,
    /// Whether the cloud is known to hold all that was reported and answered.
    pub synchronized: bool,
    /// What the device last reported.
    pub reported: String,
    /// The patch of `reported` that the cloud has not acknowledged.
    pub unacknowledged: String,
    /// The changes of `desired` that were told and not answered.
    pub pending: String,
    /// The values of `desired` that were answered, until the cloud has deleted them.
    pub answered: String,
}

impl Engine {
    /// What it is doing. It changes nothing, and copies all that the engine holds, so it is bounded as
    /// that is: by [`Config`](crate::Config).
    #[must_use]
    pub fn inspect(&self) -> Inspection {
        let timer = |(timer, at): (_, Instant)| Deadline {
            at,
            timer: Timer::from(timer),
        };
        let mut timers: Vec<Deadline> = self
            .connection
            .inspect_timers()
            .into_iter()
            .map(timer)
            .collect();
        timers.extend(self.requests.iter().filter_map(|request| {
            let timer = Timer::Request;
            request.deadline.map(|at| Deadline { at, timer })
        }));
        timers.sort_by_key(|deadline| deadline.at);
        let outgoing = self.session.mqtt.outgoing().iter();
        Inspection {
            now: self.now,
            wall_time: self.wall_time(self.now),
            link: self.connection.inspect(),
            queue: self.connection.inspect_queue(),
            in_flight: outgoing
                .map(|message| (message.packet_id, acknowledgement(message.stage)))
                .collect(),
            awaiting: self.connection.inspect_awaiting(),
            requests: self.requests.iter().map(inspect_request).collect(),
            events: self.events.iter().cloned().collect(),
            timers,
            shadows: self
                .shadows
                .iter()
                .map(|shadow| self.inspect_shadow(shadow))
                .collect(),
            subscriptions: (self.session.subscriptions.iter())
                .map(|one| (one.filter.clone(), one.qos))
                .collect(),
        }
    }

    fn inspect_shadow(&self, shadow: &super::shadows::Shadow) -> InspectedShadow {
        let state = self.session.shadow(shadow.place);
        let text = |part: fn(&crate::session::ShadowState) -> &crate::json::Object| {
            state.map_or_else(
                || "{}".to_string(),
                |state| part(state).as_str().to_string(),
            )
        };
        InspectedShadow {
            id: shadow.id,
            name: shadow.name.clone(),
            subscription: match shadow.link.subscription {
                Subscribed::No => "none",
                Subscribed::Asked => "asked",
                Subscribed::Live => "live",
                Subscribed::Refused => "refused",
            },
            ready: shadow.link.ready,
            knowledge: match shadow.link.knowledge {
                Knowledge::None => "nothing",
                Knowledge::Refused => "gets are refused",
                Knowledge::Complete => "all",
                Knowledge::Gap => "a change was missed",
            },
            version: state.and_then(|state| state.version),
            synchronized: self.is_synchronized(shadow.id),
            reported: text(|state| &state.reported),
            unacknowledged: state.map_or_else(
                || "{}".to_string(),
                |state| state.unacknowledged().as_str().to_string(),
            ),
            pending: text(|state| &state.pending),
            answered: text(|state| &state.answered),
        }
    }
}

/// What a message of this stage waits for.
const fn acknowledgement(stage: Stage) -> PacketKind {
    match stage {
        Stage::PubAck => PacketKind::PubAck,
        Stage::PubRec => PacketKind::PubRec,
        Stage::PubComp => PacketKind::PubComp,
    }
}

fn inspect_request(request: &Request) -> InspectedRequest {
    let what = match &request.task {
        Task::Shadow { operation, .. } => operation.as_str().to_string(),
        Task::Attach { .. } => "subscription of the shadow".to_string(),
        Task::Retry { .. } => "pause before the next get".to_string(),
        Task::Report { reason: None, .. } => "report".to_string(),
        Task::Report {
            reason: Some(_), ..
        } => "rejection of a delta".to_string(),
        Task::Publish { topic, .. } => alloc::format!("publish {topic}"),
        Task::Subscribe { filter, .. } => alloc::format!("subscribe {filter}"),
        Task::Unsubscribe { filter, .. } => alloc::format!("unsubscribe {filter}"),
    };
    InspectedRequest {
        id: request.id,
        what,
        shadow: request.task.shadow(),
        own: request.owner == Owner::Engine,
        progress: match request.progress {
            Progress::Held => "held",
            Progress::Queued => "queued",
            Progress::Sent => "sent",
        },
        deadline: request.deadline,
    }
}

impl fmt::Display for InspectedLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InspectedLink::Waiting { until } => write!(f, "none, next try at {until}"),
            InspectedLink::Connecting { deadline } => {
                write!(f, "connecting, given up at {deadline}")
            }
            InspectedLink::Handshake { deadline } => {
                write!(f, "logging in, given up at {deadline}")
            }
            InspectedLink::Online {
                since,
                last_sent,
                last_received,
                ping_response_by,
            } => {
                write!(
                    f,
                    "online since {since}, sent at {last_sent}, received at {last_received}"
                )?;
                match ping_response_by {
                    Some(by) => write!(f, ", PINGRESP due at {by}"),
                    None => Ok(()),
                }
            }
            InspectedLink::Closed => f.write_str("closed for good"),
        }
    }
}

impl fmt::Display for QueuedTransmit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            QueuedTransmit::Connect => f.write_str("connect"),
            QueuedTransmit::Packet { kind, bytes } => write!(f, "{kind} of {bytes} bytes"),
            QueuedTransmit::Close => f.write_str("close"),
        }
    }
}

impl fmt::Display for InspectedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}, {}", self.id, self.what, self.progress)?;
        if self.own {
            f.write_str(", the engine's own")?;
        }
        match self.deadline {
            Some(at) => write!(f, ", times out at {at}"),
            None => Ok(()),
        }
    }
}

/// One subject a line, its name first; what is empty is left out.
impl fmt::Display for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "link      {}", self.link)?;
        for queued in &self.queue {
            write!(f, "\nto send   {queued}")?;
        }
        for (id, waits_for) in &self.in_flight {
            write!(f, "\nin flight id {id}, waits for {waits_for}")?;
        }
        for (kind, id) in &self.awaiting {
            write!(f, "\nin flight {kind} id {id}")?;
        }
        for request in &self.requests {
            write!(f, "\nrequest   {request}")?;
        }
        for event in &self.events {
            write!(f, "\nevent     {event:?}")?;
        }
        for Deadline { at, timer } in &self.timers {
            write!(f, "\ntimer     {timer:?} at {at}")?;
        }
        for shadow in &self.shadows {
            write!(
                f,
                "\nshadow    {}: subscription {}",
                shadow.name, shadow.subscription
            )?;
            write!(f, ", known: {}", shadow.knowledge)?;
            if let Some(version) = shadow.version {
                write!(f, ", version {version}")?;
            }
            f.write_str(if shadow.synchronized {
                ", in step"
            } else {
                ", not in step"
            })?;
            write!(f, "\n          reported {}", shadow.reported)?;
            for (what, part) in [
                ("not acknowledged", &shadow.unacknowledged),
                ("told and not answered", &shadow.pending),
                ("answered and still desired", &shadow.answered),
            ] {
                if part != "{}" {
                    write!(f, "\n          {what} {part}")?;
                }
            }
        }
        for (filter, qos) in &self.subscriptions {
            write!(f, "\nsubscribed {filter} {qos}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;
    use crate::config::Config;
    use crate::mqtt::link::TransportFailure;
    use crate::session::Session;
    use crate::tencent::DeviceInfo;

    fn lamp() -> Engine {
        // The base64 of `TOPSECRET-KEY`.
        let device = DeviceInfo::with_key("PRODUCT001", "lamp", "VE9QU0VDUkVULUtFWQ==").unwrap();
        let mut engine = Engine::new(Config::new(&device), Session::new(), 7, Instant::ZERO);
        engine.handle_wall_time(Instant::ZERO, WallTime::from_unix_millis(1_700_000_000_000));
        engine
    }

    fn drain(engine: &mut Engine, now: Instant) {
        while engine.poll_transmit(now, &mut Vec::new()).is_some() {}
        while engine.poll_event().is_some() {}
    }

    /// Along a login: each state of the link, with what waits in it.
    #[test]
    fn it_shows_what_the_engine_is_doing() {
        let at = Instant::from_secs;
        let mut engine = lamp();
        let deadline = at(20);
        assert_eq!(
            engine.inspect().link,
            InspectedLink::Connecting { deadline }
        );
        assert_eq!(engine.inspect().queue, [QueuedTransmit::Connect]);
        drain(&mut engine, at(0));

        engine.handle_connected(at(1));
        assert_eq!(engine.inspect().link, InspectedLink::Handshake { deadline });
        let [QueuedTransmit::Packet { kind, .. }] = engine.inspect().queue[..] else {
            panic!("{:?}", engine.inspect());
        };
        assert_eq!(kind, PacketKind::Connect);
        drain(&mut engine, at(1));

        engine.handle_bytes(at(2), &[0x20, 2, 0, 0]);
        drain(&mut engine, at(2));
        let shadow = engine.own_shadow().unwrap();
        let get = engine.get(at(3), shadow).unwrap();
        #[cfg(feature = "messages")]
        {
            let publication = crate::Publication::new("a/b", b"on").qos(QoS::AtLeastOnce);
            engine.publish(at(3), &publication).unwrap();
        }
        let inspection = engine.inspect();
        assert!(matches!(
            inspection.link,
            InspectedLink::Online { since, ping_response_by: None, .. } if since == at(2)
        ));
        assert_eq!(inspection.awaiting.len(), 1, "SUBSCRIBE");
        #[cfg(feature = "messages")]
        assert_eq!(inspection.in_flight[0].1, PacketKind::PubAck);
        let asked = inspection.requests.iter().find(|request| request.id == get);
        let asked = asked.unwrap();
        assert_eq!(
            (&*asked.what, asked.progress, asked.own),
            ("get", "held", false)
        );
        assert_eq!(asked.deadline, Some(at(13)));
        assert_eq!(inspection.shadows[0].subscription, "asked");
        // SUBACK is due first.
        assert_eq!(inspection.timers.first().copied(), engine.poll_deadline());
        assert!(inspection.timers.is_sorted_by_key(|deadline| deadline.at));

        engine.handle_disconnected(at(4), TransportFailure::ClosedByPeer);
        let inspection = engine.inspect();
        assert!(matches!(inspection.link, InspectedLink::Waiting { .. }));
        assert!(matches!(
            inspection.events[..],
            [Event::Disconnected { .. }]
        ));
        let messages = usize::from(cfg!(feature = "messages"));
        assert_eq!(inspection.in_flight.len(), messages, "it is sent again");
        engine.close(at(5));
        assert_eq!(engine.inspect().link, InspectedLink::Closed);
    }

    #[test]
    fn looking_changes_nothing_and_shows_no_secret() {
        let mut engine = lamp();
        drain(&mut engine, Instant::ZERO);
        engine.handle_connected(Instant::ZERO);
        let before = format!("{engine:?}");
        let inspection = engine.inspect();
        assert_eq!(before, format!("{engine:?}"));
        let shown = format!("{inspection:?}{inspection}");
        for secret in ["TOPSECRET", "VE9QU0", "hmacsha"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}
