//! Keeping device and cloud in step: what the engine sends of what the device reported and
//! answered.
//!
//! The session holds what the device last reported and what of it the cloud is known to hold; the
//! patch from the one to the other is what is still to be sent. So what waits is bounded by the
//! document, however often and however long a device reports without a link, and nothing has to be
//! remembered about updates that got lost. One update of a shadow is under way at a time; what is
//! reported meanwhile goes with the next.

use alloc::boxed::Box;

use serde::Serialize;

use super::plan::{ENVELOPE, Plan};
use super::requests::{Owner, Progress, Request, Task};
use super::shadows::{Knowledge, Subscribed, UpdateUnderWay};
use super::{Engine, SHORTEST_RETRY};
use crate::event::{Delta, Outcome};
use crate::json::{DEEPEST, JsonStyle, Object, SerializeError, depth, write_value};
use crate::limit::{Limit, LimitExceeded};
use crate::mqtt::QoS;
use crate::request::{RequestError, RequestId, ShadowId, account};
use crate::tencent::request::Written;
use crate::tencent::{UpdateError, UpdatePart};
use crate::time::Instant;

/// How many requests of one shadow wait for acknowledgement at a time before they end together.
const REPORTS_APART: usize = 4;

impl Engine {
    /// Reports that these keys have these values now; null deletes a key. `patch` is merged into
    /// what the engine keeps of `reported`, which [`Engine::reported`] shows, and the difference to
    /// what the cloud has goes out as soon as it may: while there is no link, or another update is
    /// under way, a later value takes the place of an earlier one. On every new link the get that
    /// follows the subscription tells the difference anew, so that the cloud is brought up to date
    /// whatever it has missed or forgotten. What others have stored under keys that the device
    /// never reported stays.
    ///
    /// The request ends as [`Outcome::Reported`] when the cloud has all that was reported up to now.
    /// Reports that leave together are one request. It does not end with a link and does not time
    /// out, unless [`Engine::set_timeout`] gives it a time; a cloud that refuses the update ends it
    /// as [`Outcome::Rejected`]. However it ends, the values stay: they go out again with the next
    /// report and on the next link.
    ///
    /// # Errors
    ///
    /// [`RequestError::Closed`], [`RequestError::UnknownShadow`];
    /// [`RequestError::InvalidUpdate`] when `patch` is no object or JSON cannot hold a value;
    /// [`RequestError::LimitExceeded`] when what is reported altogether is too large or nests too
    /// deep (`patch` 32 levels at most, whatever [`Config::limits`](crate::Config) says), or one
    /// value is too large for a payload, and [`RequestError::QueueFull`] when one is too large for
    /// the queue; [`RequestError::TooManyRequests`] when the ends of as many requests wait to be
    /// polled as may be open.
    pub fn report<R: Serialize + ?Sized>(
        &mut self,
        now: Instant,
        shadow: ShadowId,
        patch: &R,
    ) -> Result<RequestId, RequestError> {
        let now = self.advance(now);
        let patch = self.object(patch)?;
        self.keep(now, shadow, &patch, &Object::default(), None)
    }

    /// Answers a change of `desired`: the device has applied it. Reports the values of `delta` as
    /// [`Engine::report`] does and deletes them from `desired`, in one update. A value that
    /// was replaced by a newer change meanwhile is reported and not deleted: the newer one has a
    /// delta of its own, even if it is back to what was reported before. The request ends as that of
    /// a report.
    ///
    /// # Errors
    ///
    /// Those of [`Engine::report`].
    pub fn accept(&mut self, now: Instant, delta: &Delta) -> Result<RequestId, RequestError> {
        let now = self.advance(now);
        let values = self.object(&delta.state)?;
        self.keep(now, delta.shadow, &values, &values, None)
    }

    /// Answers a change of `desired` as [`Engine::accept`], but reports other values: those that the
    /// device has now, as when 150 was asked for and 100 is the most it can do.
    ///
    /// # Errors
    ///
    /// Those of [`Engine::report`].
    pub fn accept_as<R: Serialize + ?Sized>(
        &mut self,
        now: Instant,
        delta: &Delta,
        reported: &R,
    ) -> Result<RequestId, RequestError> {
        let now = self.advance(now);
        let patch = self.object(reported)?;
        self.keep(now, delta.shadow, &patch, &answer(delta), None)
    }

    /// Answers a change of `desired`: the device will not apply it. Deletes the values of `delta`
    /// from `desired`, unless a newer change has replaced them, and reports nothing. The protocol
    /// has no place for `reason`: it comes back with the end of the request
    /// ([`Outcome::DeltaRejected`]), where a log or a recording shows it; report a key of your own to
    /// tell the cloud.
    ///
    /// # Errors
    ///
    /// Those of [`Engine::report`]; [`RequestError::TooManyRequests`] also when as many answers and
    /// reports are open.
    pub fn reject(
        &mut self,
        now: Instant,
        delta: &Delta,
        reason: &str,
    ) -> Result<RequestId, RequestError> {
        let now = self.advance(now);
        let (nothing, answered) = (Object::default(), answer(delta));
        self.keep(now, delta.shadow, &nothing, &answered, Some(reason))
    }

    /// What the device has reported, as far as [`Engine::report`] and its like keep it: a compact
    /// JSON object. `None` of a shadow that is not attached.
    #[must_use]
    pub fn reported(&self, shadow: ShadowId) -> Option<&str> {
        let place = self.shadows.get(shadow)?.place;
        Some(self.session.shadow(place)?.reported.as_str())
    }

    /// Whether the cloud is known to hold all that was reported, and every answer has arrived.
    #[must_use]
    pub fn is_synchronized(&self, shadow: ShadowId) -> bool {
        let Some(shadow) = self.shadows.get(shadow) else {
            return false;
        };
        let settled = |state: &crate::session::ShadowState| {
            state.answered.is_empty() && state.unacknowledged().is_empty()
        };
        !shadow.unsynchronized || self.session.shadow(shadow.place).is_some_and(settled)
    }

    /// What `value` serializes to, which has to be an object.
    fn object<R: Serialize + ?Sized>(&mut self, value: &R) -> Result<Object, RequestError> {
        let text = &mut self.payload;
        text.clear();
        let written = write_value(value, JsonStyle::Compact, text);
        self.written_object(written)
    }

    /// As [`Engine::object`], without what depends on the type.
    fn written_object(
        &self,
        written: Result<usize, SerializeError>,
    ) -> Result<Object, RequestError> {
        let refuse = |error: UpdateError| {
            RequestError::InvalidUpdate(account(&error, "the update is not valid"))
        };
        let deepest = written.map_err(|error| refuse(UpdateError::Serialize(error)))?;
        // Serializers only hand over text.
        let text = core::str::from_utf8(&self.payload).unwrap_or_default();
        // Below that one key could not be told from another.
        if deepest > DEEPEST {
            LimitExceeded::check(Limit::DocumentDepth, depth(text), DEEPEST)?;
        }
        let part = UpdatePart::Reported;
        Object::new(text).ok_or_else(|| refuse(UpdateError::NotAnObject { part }))
    }

    /// Keeps a report and an answer, and sends what may be sent.
    fn keep(
        &mut self,
        now: Instant,
        id: ShadowId,
        patch: &Object,
        answered: &Object,
        reason: Option<&str>,
    ) -> Result<RequestId, RequestError> {
        if self.connection.is_closed() {
            return Err(RequestError::Closed);
        }
        let limit = self.config.maximum_queued_bytes;
        // No leaf is larger than all of them.
        if patch.as_str().len() > self.largest_update() {
            let leaf = patch.largest_leaf() * self.stretch() + ENVELOPE;
            self.config.limits.check_payload(leaf)?;
            if leaf > limit && !patch.is_empty() {
                return Err(RequestError::QueueFull { limit });
            }
        }
        let waiting = self.events.ends();
        let shadow = self
            .shadows
            .get_mut(id)
            .ok_or(RequestError::UnknownShadow(id))?;
        let state = self
            .session
            .shadow_mut(shadow.place)
            .ok_or(RequestError::UnknownShadow(id))?;
        let reported = state.reported.merged(patch);
        self.config.limits.check_document(reported.as_str())?;
        let open = if reason.is_some() {
            self.requests.reports()
        } else {
            0
        };
        if waiting + open >= self.config.maximum_requests {
            return Err(RequestError::TooManyRequests {
                limit: self.config.maximum_requests,
            });
        }
        // A key that the device deletes without having set it may be there all the same.
        let gone = match patch.is_plain() {
            true => Object::default(),
            false => patch.minus(&reported),
        };
        let acknowledged = state.acknowledged.unsettled_by(&gone);
        // A get under way may have been overtaken by an update that has ended meanwhile.
        let overtaken = shadow.link.fetching && shadow.link.precedes_update;
        let contested = match overtaken || self.requests.has_update_of(id) {
            true => shadow.contested.unsettled_by(patch),
            false => Object::default(),
        };
        // One document may be there and another take its place: what is kept of deleted keys is
        // bounded by both.
        self.config.limits.check_deleted(acknowledged.as_str())?;
        self.config.limits.check_deleted(contested.as_str())?;
        shadow.contested = contested;
        let open = answered.common(&state.pending);
        // What waits no more was withdrawn, or answered: what is desired in its place by now may be
        // just as it is reported, and is not known here.
        let over = open != *answered && {
            let over = answered.without(&state.pending).minus(&state.answered);
            !over.without_empty().is_empty()
        };
        let answered = open;
        let pending = state.pending.minus(&answered);
        let all = state.answered.without(&answered).merged(&answered);
        // A cloud has no more to be answered than it can say at once. What is forgotten here comes
        // again as not answered.
        let fits = all.as_str().len() <= self.config.maximum_packet_size;
        let answered = if fits { all } else { answered };
        // Most devices report all the time, and seldom anything new: that need not be stored.
        let kept = [
            &state.reported,
            &state.acknowledged,
            &state.pending,
            &state.answered,
        ];
        let changed = kept != [&reported, &acknowledged, &pending, &answered];
        state.reported = reported;
        state.acknowledged = acknowledged;
        state.pending = pending;
        state.answered = answered;
        shadow.unsynchronized = true;
        shadow.link.unsaid |= over;
        shadow.ask_for_unsaid();
        shadow.link.paused = false;
        shadow.link.conflicts = 0;
        if changed {
            self.session.touch();
        }
        let request = match reason {
            None => self.requests.join_report(id, REPORTS_APART),
            Some(_) => None,
        };
        let request = request.unwrap_or_else(|| {
            let task = Task::Report {
                shadow: id,
                covered: false,
                reason: reason.map(Box::from),
            };
            self.requests
                .register(Owner::Application, None, Progress::Sent, task)
        });
        self.flush(now);
        Ok(request)
    }

    /// Largest text that the parts of an update may have together.
    fn largest_update(&self) -> usize {
        let limit = self.config.limits.largest_payload();
        let limit = limit.min(self.config.maximum_queued_bytes);
        limit.saturating_sub(ENVELOPE) / self.stretch()
    }

    /// How many times longer than compact text it becomes when it is written, at most.
    fn stretch(&self) -> usize {
        match self.config.effective_behaviour().json_style.is_python() {
            false => 1,
            // A character of two bytes takes six there.
            true => 3,
        }
    }

    /// Sends the gets that shadows need to be in step, where a change was missed.
    pub(super) fn close_gaps(&mut self, now: Instant) {
        if !self.config.effective_behaviour().get_on_subscribe {
            return;
        }
        let waits = self.config.effective_behaviour().wait_for_suback;
        for index in 0..self.shadows.len() {
            let gap = self.shadows.at(index).filter(|shadow| {
                let live = !waits || shadow.link.subscription == Subscribed::Live;
                live && shadow.link.knowledge == Knowledge::Gap && !shadow.link.fetching
            });
            if let Some(id) = gap.map(|shadow| shadow.id) {
                self.close_gap(now, id);
            }
        }
    }

    /// Sends updates of the shadows whose device is ahead of the cloud; whether one left. Where not
    /// all may leave at once, each shadow has its turn.
    pub(super) fn send_updates(&mut self, now: Instant) -> bool {
        let waits = self.config.effective_behaviour().wait_for_suback;
        let (count, start) = (self.shadows.len(), self.shadows.turn());
        let mut sent = false;
        for index in (start..count).chain(0..start) {
            let ahead = self.shadows.at(index).filter(|shadow| {
                let live = !waits || shadow.link.subscription == Subscribed::Live;
                live && shadow.unsynchronized && shadow.link.update.is_none()
            });
            let Some((id, paced)) = ahead.map(|shadow| (shadow.id, shadow.link.paced)) else {
                continue;
            };
            let open = !paced || self.connection.may_publish(now);
            if open && self.may_update(id) && self.send_update(now, id) {
                self.shadows.end_turn(id);
                sent = true;
            }
        }
        sent
    }

    /// Asks what was missed, at most once in [`SHORTEST_RETRY`].
    fn close_gap(&mut self, now: Instant, id: ShadowId) {
        let Some(shadow) = self.shadows.get_mut(id) else {
            return;
        };
        let due = shadow.link.asked.map(|at| at + SHORTEST_RETRY);
        match due.filter(|due| *due > now) {
            None => self.get_after_subscription(now, id),
            Some(due) => {
                shadow.link.fetching = true;
                self.requests.ask_again(id, Some(due));
            }
        }
    }

    /// Whether the engine may send an update of its own now.
    fn may_update(&self, id: ShadowId) -> bool {
        let Some(shadow) = self.shadows.get(id) else {
            return false;
        };
        let known = match shadow.link.knowledge {
            Knowledge::Complete | Knowledge::Refused => true,
            Knowledge::None | Knowledge::Gap => !self.config.effective_behaviour().get_on_subscribe,
        };
        let window = self.config.effective_shadow_qos() == QoS::AtMostOnce
            || self.connection.has_window(&self.session.mqtt);
        // What was reported behind a one-shot update must not overtake it.
        let first = !self.requests.has_held_update_of(id);
        known && window && first && !shadow.link.paused && shadow.link.update.is_none()
    }

    /// Sends what is ahead of the cloud, or ends what waited for it when nothing is. Whether an
    /// update was made.
    fn send_update(&mut self, now: Instant, id: ShadowId) -> bool {
        let limit = self.largest_update();
        let Some(shadow) = self.shadows.get_mut(id) else {
            return false;
        };
        let Some(state) = self.session.shadow(shadow.place) else {
            return false;
        };
        let plan = Plan::of(&self.config, shadow, state, limit);
        let Some(plan) = plan else {
            let (settled, version) = (state.answered.is_empty(), state.version);
            // What is only to be deleted waits for something new, or a while.
            shadow.unsynchronized = !settled;
            shadow.link.paused = !settled;
            shadow.link.paced = false;
            if !settled && shadow.link.conflicts > 0 && !shadow.link.fetching {
                shadow.link.fetching = true;
                let at = self.request_deadline(now, Owner::Engine);
                self.requests.ask_again(id, at);
            }
            self.settle_reports(id, version, &|_, reason| settled || reason.is_none());
            return false;
        };
        shadow.link.paced = !self.connection.may_publish(now);
        if shadow.link.paced {
            return false;
        }
        let queued = self.connection.queued_bytes() + self.requests.held_bytes();
        if queued > 0 && queued + plan.size() > self.config.maximum_queued_bytes {
            self.waits_for_room = true;
            return false;
        }
        let sent = self.ask(now, id, Owner::Engine, &plan.update());
        debug_assert!(sent.is_ok(), "sizes and shadow were checked");
        let (Ok(_), Some(shadow)) = (sent, self.shadows.get_mut(id)) else {
            return false;
        };
        let Some(state) = self.session.shadow_mut(shadow.place) else {
            return false;
        };
        state.acknowledged = state.acknowledged.unsettled_by(&plan.reported);
        for (_, covered, reason) in self.requests.reports_of(id) {
            *covered = plan.whole && (plan.clears || reason.is_none());
        }
        shadow.link.update = Some(Box::new(UpdateUnderWay {
            reported: plan.reported,
            answered: plan.answered,
            version: plan.version,
        }));
        self.session.touch();
        true
    }

    /// Ends the reports for which `wanted` holds.
    pub(super) fn settle_reports(
        &mut self,
        id: ShadowId,
        version: Option<u64>,
        wanted: &dyn Fn(bool, Option<&str>) -> bool,
    ) {
        let outcome = Outcome::Reported { version };
        settle_reports(&mut self.requests, &mut self.events, id, wanted, &outcome);
    }

    /// The engine's update was not answered in time: whether the cloud has it, a get will show.
    pub(super) fn update_timed_out(&mut self, id: ShadowId) {
        if let Some(shadow) = self.shadows.get_mut(id) {
            shadow.link.update = None;
            shadow.link.knowledge = Knowledge::Gap;
        }
        self.requests.uncover(id);
    }

    /// An application's own update, in the payload, becomes the last writer of the keys of
    /// `reported` that it names.
    pub(super) fn hand_over(&mut self, id: ShadowId, written: &Written) {
        let Some(shadow) = self.shadows.get_mut(id) else {
            return;
        };
        let Some(state) = self.session.shadow_mut(shadow.place) else {
            return;
        };
        let parts = [&state.reported, &state.acknowledged, &shadow.contested];
        if parts.into_iter().all(Object::is_empty) {
            return;
        }
        let part = self.payload.get(written.reported.clone());
        let part = part.and_then(|part| core::str::from_utf8(part).ok());
        let named = match part.unwrap_or_default() {
            "" => return,
            text if !written.overwrites => Object::new(text),
            _ => None,
        };
        state.give_up(named.as_ref());
        shadow.contested = match &named {
            Some(named) => shadow.contested.without(named),
            None => Object::default(),
        };
        if let Some(update) = &mut shadow.link.update {
            update.reported = match &named {
                Some(named) => update.reported.without(named),
                None => Object::default(),
            };
        }
        self.session.touch();
    }
}

/// Ends the reports of a shadow for which `wanted` holds, given whether the update under way covers
/// them and the reason of a rejection, which then says so if it was carried out.
pub(super) fn settle_reports(
    requests: &mut super::Requests,
    events: &mut super::Events,
    id: ShadowId,
    wanted: &dyn Fn(bool, Option<&str>) -> bool,
    outcome: &Outcome,
) {
    let ended = |request: &Request| match &request.task {
        Task::Report {
            shadow,
            covered,
            reason,
        } => *shadow == id && wanted(*covered, reason.as_deref()),
        _ => false,
    };
    while let Some(request) = requests.remove_first(ended) {
        let outcome = match (outcome, request.task) {
            (
                Outcome::Reported { .. },
                Task::Report {
                    reason: Some(reason),
                    ..
                },
            ) => Outcome::DeltaRejected {
                reason: reason.into(),
            },
            (outcome, _) => outcome.clone(),
        };
        events.end(request.id, outcome);
    }
}

/// What a delta says, to be compared with what waits for an answer.
fn answer(delta: &Delta) -> Object {
    Object::new(delta.state.as_str()).unwrap_or_default()
}
