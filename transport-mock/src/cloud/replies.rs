//! What happens to the shadow service's replies on their way to the server.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use shadow_core::Instant;
use shadow_core::tencent::ShadowName;

use super::Response;

/// What happens to a reply of the shadow service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReplyFault {
    /// It is never sent.
    Lost,
    /// It is sent later.
    Late {
        /// Milliseconds.
        millis: u32,
    },
    /// It is sent twice.
    Twice,
    /// It is sent after the next delta that is pushed to the device, or a second later.
    AfterPush,
}

/// How often something happened to a reply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReplyCounts {
    /// It was never sent.
    pub lost: u64,
    /// It was sent later.
    pub late: u64,
    /// It was sent twice.
    pub twice: u64,
    /// A delta overtook it.
    pub after_push: u64,
}

/// A request of a device that the shadow service has handled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandledRequest {
    /// Whose shadow it was about.
    pub name: ShadowName,
    /// The payload that the device published.
    pub payload: Vec<u8>,
    /// Whether it was carried out: the reply's `result` is 0.
    pub accepted: bool,
}

/// How long a reply waits for a delta to overtake it.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(super) struct Replies {
    orders: Vec<Order>,
    held: Vec<Held>,
    counts: ReplyCounts,
    handled: Option<Vec<HandledRequest>>,
}

#[derive(Debug)]
struct Order {
    name: ShadowName,
    fault: ReplyFault,
    count: u32,
}

#[derive(Debug)]
struct Held {
    name: ShadowName,
    reply: Response,
    until: Instant,
    for_push: bool,
}

impl Replies {
    pub(super) fn disturb(&mut self, name: &ShadowName, fault: ReplyFault, count: u32) {
        if count > 0 {
            self.orders.push(Order {
                name: name.clone(),
                fault,
                count,
            });
        }
    }

    pub(super) fn leave_alone(&mut self) {
        self.orders.clear();
    }

    pub(super) fn counts(&self) -> ReplyCounts {
        self.counts
    }

    pub(super) fn record(&mut self, record: bool) {
        self.handled = record.then(Vec::new);
    }

    pub(super) fn take_requests(&mut self) -> Vec<HandledRequest> {
        self.handled
            .as_mut()
            .map(std::mem::take)
            .unwrap_or_default()
    }

    pub(super) fn note(&mut self, name: &ShadowName, payload: &[u8], reply: &[u8]) {
        if let Some(handled) = &mut self.handled {
            handled.push(HandledRequest {
                name: name.clone(),
                payload: payload.to_vec(),
                accepted: is_accepted(reply),
            });
        }
    }

    /// Whether something is to happen to the next reply about `name`.
    pub(super) fn are_disturbed(&self, name: &ShadowName) -> bool {
        self.orders.iter().any(|order| order.name == *name)
    }

    /// What of a reply is to be sent now.
    pub(super) fn pass(
        &mut self,
        now: Instant,
        name: &ShadowName,
        reply: Response,
    ) -> impl Iterator<Item = Response> + use<> {
        let (first, second) = match self.take_order(name) {
            None => (Some(reply), None),
            Some(ReplyFault::Lost) => {
                self.counts.lost += 1;
                (None, None)
            }
            Some(ReplyFault::Twice) => {
                self.counts.twice += 1;
                (Some(reply.clone()), Some(reply))
            }
            Some(ReplyFault::Late { millis }) => {
                self.counts.late += 1;
                let wait = Duration::from_millis(millis.into());
                self.hold(name, reply, now + wait, false);
                (None, None)
            }
            Some(ReplyFault::AfterPush) => {
                self.hold(name, reply, now + LONGEST_WAIT, true);
                (None, None)
            }
        };
        first.into_iter().chain(second)
    }

    /// A reply that a delta has overtaken just now.
    pub(super) fn take_overtaken(&mut self, name: &ShadowName) -> Option<Response> {
        let waits = |held: &Held| held.for_push && held.name == *name;
        let index = self.held.iter().position(waits)?;
        self.counts.after_push += 1;
        Some(self.held.remove(index).reply)
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.held.iter().map(|held| held.until).min()
    }

    pub(super) fn take_due(&mut self, now: Instant) -> Option<Response> {
        let index = self.held.iter().position(|held| held.until <= now)?;
        Some(self.held.remove(index).reply)
    }

    fn hold(&mut self, name: &ShadowName, reply: Response, until: Instant, for_push: bool) {
        self.held.push(Held {
            name: name.clone(),
            reply,
            until,
            for_push,
        });
    }

    fn take_order(&mut self, name: &ShadowName) -> Option<ReplyFault> {
        let index = self.orders.iter().position(|order| order.name == *name)?;
        let order = self.orders.get_mut(index)?;
        let fault = order.fault;
        order.count -= 1;
        if order.count == 0 {
            self.orders.remove(index);
        }
        Some(fault)
    }
}

/// Of a reply as the service writes it: `result` comes behind everything that a device wrote.
fn is_accepted(reply: &[u8]) -> bool {
    const RESULT: &[u8] = br#","result":"#;
    let at = reply.windows(RESULT.len()).rposition(|w| w == RESULT);
    let code = at.and_then(|at| reply.get(at + RESULT.len()..));
    code.is_some_and(|code| code.starts_with(b"0,"))
}
