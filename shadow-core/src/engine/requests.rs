//! The table of open requests: what was asked, how far it got, until when it may take.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::plain::Plain;
use crate::mqtt::QoS;
use crate::request::{RequestId, ShadowId};
use crate::tencent::Operation;
use crate::time::Instant;

/// One open request.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) id: RequestId,
    pub(super) owner: Owner,
    /// `None` where another timer bounds it.
    pub(super) deadline: Option<Instant>,
    pub(super) progress: Progress,
    pub(super) task: Task,
}

/// Who is told of its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    Application,
    Engine,
}

/// How far it got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// It waits for a link, a subscription, room in the send window or the pace of messages.
    Held,
    /// It is in the outbox.
    Queued,
    /// The transport has taken it.
    Sent,
}

/// What was asked.
#[derive(Debug)]
pub(super) enum Task {
    /// A get or an update. `payload` is empty once it is queued.
    Shadow {
        shadow: ShadowId,
        operation: Operation,
        token: u64,
        payload: Box<[u8]>,
    },
    /// Subscribing a shadow's result topic.
    Attach { shadow: ShadowId },
    /// The pause before the engine's next get.
    Retry { shadow: ShadowId },
    /// Waits until the cloud has all that the device reported and answered before this was asked.
    /// What was reported is not here but in the session.
    Report {
        shadow: ShadowId,
        /// Whether the update under way has all of it.
        covered: bool,
        /// Why a change of `desired` was rejected.
        reason: Option<Box<str>>,
    },
    /// A plain message. `payload` is empty once it is queued.
    #[cfg_attr(
        not(feature = "messages"),
        expect(dead_code, reason = "only an application asks for one")
    )]
    Publish {
        topic: Box<str>,
        payload: Box<[u8]>,
        qos: QoS,
        retain: bool,
        _plain: Plain,
    },
    /// A plain subscription.
    Subscribe {
        filter: Box<str>,
        qos: QoS,
        _plain: Plain,
    },
    /// The end of a plain subscription, or of a detached shadow's.
    Unsubscribe { filter: Box<str>, _plain: Plain },
}

impl Task {
    pub(super) fn shadow(&self) -> Option<ShadowId> {
        match self {
            Task::Shadow { shadow, .. }
            | Task::Attach { shadow }
            | Task::Retry { shadow }
            | Task::Report { shadow, .. } => Some(*shadow),
            Task::Publish { .. } | Task::Subscribe { .. } | Task::Unsubscribe { .. } => None,
        }
    }

    /// Payload bytes that wait here.
    fn held_bytes(&self) -> usize {
        match self {
            Task::Shadow { payload, .. } | Task::Publish { payload, .. } => payload.len(),
            Task::Attach { .. }
            | Task::Retry { .. }
            | Task::Report { .. }
            | Task::Subscribe { .. }
            | Task::Unsubscribe { .. } => 0,
        }
    }
}

/// How a token that was given out is not open any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Answered,
    Abandoned,
}

/// How many ended tokens are remembered, to tell a duplicate reply from a late one.
const REMEMBERED: usize = 16;

/// A token that is not open any more, in half of the bytes that it takes as it is: every engine
/// that has worked holds [`REMEMBERED`] of them.
#[derive(Clone, Copy, Debug)]
struct Ended {
    shadow: ShadowId,
    /// The token's lower 31 bits, and below them whether it was answered. Whoever replies to a token
    /// that was given out 2,147,483,648 tokens before one of these is told of that one's fate.
    token_and_fate: u32,
}

impl Ended {
    fn new(shadow: ShadowId, token: u64, fate: Fate) -> Ended {
        Ended {
            shadow,
            token_and_fate: (token as u32) << 1 | u32::from(fate == Fate::Answered),
        }
    }

    fn fate(self) -> Fate {
        match self.token_and_fate & 1 {
            0 => Fate::Abandoned,
            _ => Fate::Answered,
        }
    }

    fn is_of(self, shadow: ShadowId, token: u64) -> bool {
        self.shadow == shadow && self.token_and_fate >> 1 == token as u32 & (u32::MAX >> 1)
    }
}

/// Room for this many requests is kept while none is open.
const KEPT_REQUESTS: usize = 1;

/// All open requests, oldest first.
#[derive(Debug, Default)]
pub(super) struct Requests {
    open: Vec<Request>,
    next_id: u64,
    /// A ring: once it is full each takes the place of the oldest.
    ended: Vec<Ended>,
    oldest_ended: u8,
    /// Sums over `open`, kept so that a request on the hot path costs the same however many are
    /// open.
    of_application: u32,
    reports: u32,
    held_requests: u32,
    held_bytes: usize,
}

impl Requests {
    /// Registers a request, before anything of it leaves.
    pub(super) fn register(
        &mut self,
        owner: Owner,
        deadline: Option<Instant>,
        progress: Progress,
        task: Task,
    ) -> RequestId {
        let id = self.next_id();
        self.next_id += 1;
        if let Some(counter) = self.counter(owner, &task) {
            *counter += 1;
        }
        if progress == Progress::Held {
            self.held_requests += 1;
            self.held_bytes += task.held_bytes();
        }
        self.open.push(Request {
            id,
            owner,
            deadline,
            progress,
            task,
        });
        id
    }

    /// Has the engine get a shadow at `at`; one that follows a rejected get inherits its deadline.
    pub(super) fn ask_again(&mut self, shadow: ShadowId, at: Option<Instant>) {
        let task = Task::Retry { shadow };
        self.register(Owner::Engine, at, Progress::Sent, task);
    }

    /// The id of the next request.
    pub(super) fn next_id(&self) -> RequestId {
        RequestId(self.next_id)
    }

    /// Sums up again what waits.
    pub(super) fn recount(&mut self) {
        let held = self.open.iter().filter(|r| r.progress == Progress::Held);
        (self.held_requests, self.held_bytes) = held.fold((0, 0), |(requests, bytes), request| {
            (requests + 1, bytes + request.task.held_bytes())
        });
    }

    /// Which sum a request counts for.
    fn counter(&mut self, owner: Owner, task: &Task) -> Option<&mut u32> {
        match (owner, task) {
            (_, Task::Report { .. }) => Some(&mut self.reports),
            (Owner::Application, _) => Some(&mut self.of_application),
            (Owner::Engine, _) => None,
        }
    }

    /// How many the application has open, but for reports.
    pub(super) fn of_application(&self) -> usize {
        self.of_application as usize
    }

    /// Whether a one-shot update of a shadow is open.
    pub(super) fn has_update_of(&self, wanted: ShadowId) -> bool {
        self.of_application > 0 && self.open.iter().any(|request| {
            request.owner == Owner::Application
                && matches!(
                    request.task,
                    Task::Shadow { shadow, operation: Operation::Update, .. } if shadow == wanted
                )
        })
    }

    /// How many reports are open.
    pub(super) fn reports(&self) -> usize {
        self.reports as usize
    }

    /// The newest report of a shadow that one more can join, as the update under way does not cover
    /// it. With `apart` reports open a covered one is opened again instead of having one more.
    pub(super) fn join_report(&mut self, shadow: ShadowId, apart: usize) -> Option<RequestId> {
        let count = self.reports_of(shadow).count();
        let mut joined = self
            .reports_of(shadow)
            .filter(|(_, _, reason)| reason.is_none());
        let (id, covered, _) = joined.next_back()?;
        if *covered && count < apart {
            return None;
        }
        *covered = false;
        Some(id)
    }

    /// No update is under way any more that could cover the shadow's reports.
    pub(super) fn uncover(&mut self, shadow: ShadowId) {
        for (_, covered, _) in self.reports_of(shadow) {
            *covered = false;
        }
    }

    /// The reports of one shadow, oldest first; and whether the update under way covers each.
    pub(super) fn reports_of(
        &mut self,
        wanted: ShadowId,
    ) -> impl DoubleEndedIterator<Item = (RequestId, &mut bool, Option<&str>)> {
        self.open.iter_mut().filter_map(move |request| {
            let id = request.id;
            match &mut request.task {
                Task::Report {
                    shadow,
                    covered,
                    reason,
                } if *shadow == wanted => Some((id, covered, reason.as_deref())),
                _ => None,
            }
        })
    }

    /// Whether any waits.
    pub(super) fn has_held(&self) -> bool {
        self.held_requests > 0
    }

    /// Payload bytes that wait.
    pub(super) fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    /// All of them, oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Request> {
        self.open.iter()
    }

    /// For changing progress and payloads; [`Requests::recount`] has to follow.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Request> {
        self.open.iter_mut()
    }

    pub(super) fn find_mut(&mut self, id: RequestId) -> Option<&mut Request> {
        let index = self.index(id)?;
        self.open.get_mut(index)
    }

    pub(super) fn remove(&mut self, id: RequestId) -> Option<Request> {
        let index = self.index(id)?;
        Some(self.take(index, Fate::Abandoned))
    }

    /// Takes out the oldest for which `wanted` holds.
    pub(super) fn remove_first(&mut self, wanted: impl Fn(&Request) -> bool) -> Option<Request> {
        let index = self.open.iter().position(wanted)?;
        Some(self.take(index, Fate::Abandoned))
    }

    /// Takes out the request that a reply answers.
    pub(super) fn answer(
        &mut self,
        shadow: ShadowId,
        operation: Operation,
        token: u64,
    ) -> Option<Request> {
        let index = self.open.iter().position(|request| {
            matches!(&request.task, Task::Shadow { shadow: s, operation: o, token: t, .. }
                if *t == token && *s == shadow && *o == operation)
        })?;
        Some(self.take(index, Fate::Answered))
    }

    /// Ids only grow, so the oldest first are the smallest first.
    fn index(&self, id: RequestId) -> Option<usize> {
        self.open
            .binary_search_by_key(&id, |request| request.id)
            .ok()
    }

    fn take(&mut self, index: usize, fate: Fate) -> Request {
        let request = self.open.remove(index);
        if let Some(counter) = self.counter(request.owner, &request.task) {
            *counter -= 1;
        }
        if request.progress == Progress::Held {
            self.held_requests -= 1;
            self.held_bytes -= request.task.held_bytes();
        }
        if let Task::Shadow { shadow, token, .. } = request.task {
            self.remember(Ended::new(shadow, token, fate));
        }
        if self.open.is_empty() {
            self.open.shrink_to(KEPT_REQUESTS);
        }
        request
    }

    fn remember(&mut self, ended: Ended) {
        if self.ended.len() < REMEMBERED {
            self.ended.push(ended);
        } else if let Some(oldest) = self.ended.get_mut(usize::from(self.oldest_ended)) {
            *oldest = ended;
            self.oldest_ended = (self.oldest_ended + 1) % REMEMBERED as u8;
        }
    }

    /// What became of a token, as far as it is remembered.
    pub(super) fn fate(&self, shadow: ShadowId, token: u64) -> Option<Fate> {
        let oldest = usize::from(self.oldest_ended);
        let (newer, older) = self.ended.split_at_checked(oldest).unwrap_or_default();
        let mut ended = newer.iter().rev().chain(older.iter().rev());
        let found = ended.find(|ended| ended.is_of(shadow, token));
        found.map(|ended| ended.fate())
    }

    /// Whether a request on this shadow waits, which a later one may not overtake.
    pub(super) fn has_held_for(&self, shadow: ShadowId) -> bool {
        self.held_requests > 0
            && self.open.iter().any(|request| {
                request.progress == Progress::Held && request.task.shadow() == Some(shadow)
            })
    }

    /// Whether a one-shot update of a shadow waits.
    pub(super) fn has_held_update_of(&self, shadow: ShadowId) -> bool {
        let update = |request: &Request| {
            let operation = match request.task {
                Task::Shadow { operation, .. } => Some(operation),
                _ => None,
            };
            request.owner == Owner::Application && operation == Some(Operation::Update)
        };
        self.held_requests > 0
            && self.open.iter().any(|request| {
                request.progress == Progress::Held
                    && request.task.shadow() == Some(shadow)
                    && update(request)
            })
    }

    /// Whether a subscription of this filter, or its end, waits.
    pub(super) fn has_held_filter(&self, wanted: &str) -> bool {
        self.open.iter().any(|request| match &request.task {
            Task::Subscribe { filter, .. } | Task::Unsubscribe { filter, .. } => {
                request.progress == Progress::Held && **filter == *wanted
            }
            Task::Shadow { .. }
            | Task::Attach { .. }
            | Task::Retry { .. }
            | Task::Report { .. }
            | Task::Publish { .. } => false,
        })
    }

    /// How many subscriptions are under way that nothing else counts: those that the application
    /// has begun, and those of detached shadows that end.
    #[cfg(feature = "messages")]
    pub(super) fn open_subscriptions(&self) -> usize {
        let counts = |request: &&Request| {
            matches!(
                (&request.task, request.owner),
                (Task::Subscribe { .. }, Owner::Application)
                    | (Task::Unsubscribe { .. }, Owner::Engine)
            )
        };
        self.open.iter().filter(counts).count()
    }

    /// Whether the token belongs to an open request.
    pub(super) fn is_open(&self, shadow: ShadowId, token: u64) -> bool {
        self.open.iter().any(|request| {
            matches!(&request.task, Task::Shadow { shadow: s, token: t, .. }
                if *t == token && *s == shadow)
        })
    }

    /// The earliest deadline.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.open
            .iter()
            .filter_map(|request| request.deadline)
            .min()
    }
}
