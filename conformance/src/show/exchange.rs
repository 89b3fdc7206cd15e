//! What waits for an answer.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use shadow_core::mqtt::{PacketKind, QoS};
use shadow_core::tencent::Operation;

use super::document::Update;
use super::step::{Answer, Route};

/// How much of each sort may wait; what waits longest is forgotten first.
const MOST: usize = 4096;

/// Of updates less, as they are kept whole.
const MOST_REQUESTS: usize = 256;

/// A step that waits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waiting {
    pub(super) step: u64,
    pub(super) at: Duration,
}

impl Waiting {
    pub(super) fn answered(self, at: Duration) -> Answer {
        Answer {
            step: self.step,
            after: at.saturating_sub(self.at),
        }
    }
}

/// A request to the cloud that waits for its reply.
#[derive(Clone, Debug)]
pub(super) struct OpenRequest {
    pub(super) shadow: String,
    pub(super) token: String,
    pub(super) operation: Operation,
    pub(super) update: Update,
    pub(super) waiting: Waiting,
}

/// All that waits.
#[derive(Debug, Default)]
pub(super) struct Exchanges {
    requests: VecDeque<OpenRequest>,
    /// By the kind of the packet that answers, the way it goes, and its id.
    packets: BTreeMap<(PacketKind, bool, u16), Waiting>,
    calls: BTreeMap<u64, Waiting>,
    /// By shadow and version.
    deltas: VecDeque<(u64, Option<u64>, Waiting)>,
    connecting: Option<Waiting>,
}

impl Exchanges {
    /// A request leaves. If it was sent before, its reply answers the one that left last.
    pub(super) fn open_request(&mut self, request: OpenRequest) {
        let OpenRequest { shadow, token, .. } = &request;
        self.requests
            .retain(|open| open.shadow != *shadow || open.token != *token);
        keep(&mut self.requests, request, MOST_REQUESTS);
    }

    /// The request that a reply answers.
    pub(super) fn close_request(
        &mut self,
        shadow: &str,
        operation: Operation,
        token: &str,
    ) -> Option<OpenRequest> {
        let found = self.requests.iter().position(|open| {
            open.operation == operation && open.shadow == shadow && open.token == token
        });
        self.requests.remove(found?)
    }

    /// A packet passes: gives the one it answers. `waiting` is it, if it is to be answered itself.
    pub(super) fn packet(
        &mut self,
        kind: PacketKind,
        route: Route,
        id: u16,
        expected: Option<PacketKind>,
        waiting: Waiting,
    ) -> Option<Waiting> {
        let leaves = route == Route::DeviceToCloud;
        let answered = self.packets.remove(&(kind, leaves, id));
        if let Some(expected) = expected {
            self.packets.insert((expected, !leaves, id), waiting);
        }
        answered
    }

    pub(super) fn open_call(&mut self, request: u64, waiting: Waiting) {
        self.calls.insert(request, waiting);
        if self.calls.len() > MOST {
            self.calls.pop_first();
        }
    }

    pub(super) fn close_call(&mut self, request: u64) -> Option<Waiting> {
        self.calls.remove(&request)
    }

    pub(super) fn open_delta(&mut self, shadow: u64, version: Option<u64>, waiting: Waiting) {
        keep(&mut self.deltas, (shadow, version, waiting), MOST);
    }

    /// A delta is answered; the same one can be so in parts.
    pub(super) fn answer_delta(&self, shadow: u64, version: Option<u64>) -> Option<Waiting> {
        let mut told = self.deltas.iter().rev();
        let found = told.find(|(of, at, _)| (*of, *at) == (shadow, version));
        found.map(|(_, _, waiting)| *waiting)
    }

    pub(super) fn connect(&mut self, waiting: Waiting) {
        self.connecting = Some(waiting);
    }

    pub(super) fn connected(&mut self) -> Option<Waiting> {
        self.connecting.take()
    }

    /// The link is gone, and with it what only this link would have answered.
    pub(super) fn link_lost(&mut self) {
        self.connecting = None;
        self.packets.retain(|(answer, _, _), _| {
            !matches!(
                answer,
                PacketKind::ConnAck
                    | PacketKind::SubAck
                    | PacketKind::UnsubAck
                    | PacketKind::PingResp
            )
        });
    }

    /// The process is another one: nothing that it asks waits any more.
    pub(super) fn restart(&mut self) {
        *self = Exchanges::default();
    }
}

/// The packet that answers one of this kind, if one does (MQTT 3.1.1, sections 3 and 4.3).
pub(super) fn expected_answer(kind: PacketKind, qos: QoS) -> Option<PacketKind> {
    Some(match (kind, qos) {
        (PacketKind::Connect, _) => PacketKind::ConnAck,
        (PacketKind::Publish, QoS::AtLeastOnce) => PacketKind::PubAck,
        (PacketKind::Publish, QoS::ExactlyOnce) => PacketKind::PubRec,
        (PacketKind::PubRec, _) => PacketKind::PubRel,
        (PacketKind::PubRel, _) => PacketKind::PubComp,
        (PacketKind::Subscribe, _) => PacketKind::SubAck,
        (PacketKind::Unsubscribe, _) => PacketKind::UnsubAck,
        (PacketKind::PingReq, _) => PacketKind::PingResp,
        _ => return None,
    })
}

fn keep<T>(queue: &mut VecDeque<T>, item: T, most: usize) {
    if queue.len() >= most {
        queue.pop_front();
    }
    queue.push_back(item);
}
