//! What the engine learns of a shadow from the cloud: which changes of `desired` the application is
//! to be told, and what of `reported` has arrived.

use core::time::Duration;

use super::counters::count;
use super::events::Events;
use super::requests::{Request, Requests};
use super::shadows::{Knowledge, Shadow};
use super::synchronize::settle_reports;
use crate::config::VersionPolicy;
use crate::event::{Delta, DeltaOrigin, Event, Outcome};
use crate::json::Object;
use crate::session::Session;
use crate::tencent::{Document, VERSION_CONFLICT};
use crate::time::Instant;

/// One shadow with all that a message about it can change. Nothing here sends anything: what there
/// is to send, the engine finds in the state afterwards.
pub(super) struct Learning<'a> {
    pub(super) now: Instant,
    pub(super) policy: VersionPolicy,
    /// Whether the engine keeps the shadow in step by gets of its own.
    pub(super) in_step: bool,
    /// How many bytes of changes may wait for an answer.
    pub(super) most: usize,
    /// After how long a delta that did not fit into the queue of events is asked for again.
    pub(super) retry: Duration,
    pub(super) session: &'a mut Session,
    pub(super) shadow: &'a mut Shadow,
    pub(super) requests: &'a mut Requests,
    pub(super) events: &'a mut Events,
}

impl Learning<'_> {
    /// The cloud pushed a delta with these values.
    pub(super) fn pushed(&mut self, version: Option<u64>, content: Object) {
        let Some(state) = self.session.shadow_mut(self.shadow.place) else {
            return;
        };
        if self.in_step
            && let (Some(version), Some(known)) = (version, state.version)
        {
            if version < known {
                // Late, or the document was reset: a get that is sent now tells.
                self.shadow.link.knowledge = Knowledge::Gap;
                return;
            }
            let told = || {
                let new = content.news_to(&state.pending).news_to(&state.answered);
                new.without_empty().is_empty()
            };
            if version == known && told() {
                return;
            }
        }
        // A value that was answered is there still, or again; in doubt the application has to answer
        // it again.
        let link = &self.shadow.link;
        let next = version.is_some() && version == state.version.and_then(|v| v.checked_add(1));
        let still = next && link.knowledge == Knowledge::Complete && {
            let update = link.update.as_deref();
            update.is_none_or(|update| {
                // Another's change has taken the only version that the update could have made.
                update.version == state.version || update.answered.common(&content).is_empty()
            })
        };
        let unsaid =
            |open: &Object| !open.is_empty() && !open.without(&content).without_empty().is_empty();
        let unsaid = next && (unsaid(&state.pending) || unsaid(&state.answered));
        let answered = !state.answered.is_empty();
        let news = match still && answered {
            true => content.minus(&state.answered),
            false => content,
        };
        if answered {
            // An empty object says that a member was withdrawn, and not which.
            state.answered = state.answered.without(&news.without_empty());
        }
        let mut pending = state.pending.merged(&news);
        if pending.as_str().len() > self.most {
            // More than a document can hold: a get shows what of it is so.
            pending = news.clone();
            self.shadow.link.knowledge.miss();
        }
        self.learn_version(version);
        self.shadow.link.unsaid |= unsaid;
        if self.shadow.unsynchronized {
            self.shadow.ask_for_unsaid();
        }
        if news.is_empty() {
            self.session.touch();
        } else {
            // After a reset news can have a version that was seen before.
            self.shadow.link.risen = true;
            self.tell(DeltaOrigin::Pushed, version, news, pending, false);
        }
    }

    /// The cloud showed the whole document: in reply to a get, which may be the engine's own, or
    /// with a version conflict. Whether it is the current one.
    pub(super) fn fetched(&mut self, document: &Document, own: bool) -> bool {
        let Some(state) = self.session.shadow_mut(self.shadow.place) else {
            return false;
        };
        let version = document.version();
        // A conflict that comes without a document shows nothing, least of all that all is gone.
        let shows = own || document.state().is_some();
        let older = version < state.version && version.is_some();
        if !shows || (older && (!own || self.shadow.link.risen)) {
            self.shadow.link.knowledge = Knowledge::Gap;
            return false;
        }
        let moved = version.is_some() && version != state.version;
        self.shadow.link.risen |= moved && !own;
        state.version = version.or(state.version);
        self.shadow.link.knowledge = Knowledge::Complete;
        self.shadow.link.unsaid = false;
        // Reports that brought nothing new have waited for this.
        self.shadow.unsynchronized |= !state.is_blank() || self.requests.reports() > 0;
        if state.is_blank() && document.desired().is_none() && document.delta().is_none() {
            if moved {
                self.session.touch();
            }
            return true;
        }
        let before = state.clone();
        let part = |text: Option<&str>| text.and_then(Object::new).unwrap_or_default();
        let reported = part(document.reported());
        let delta = document.delta().and_then(Object::new);
        let desired = match (document.desired(), &delta) {
            (None, Some(delta)) => delta.clone(),
            (desired, _) => part(desired),
        };
        state.acknowledged = reported.restricted_to(&state.reported, &state.acknowledged);
        // An update that has no reply yet was handled after this, or not at all.
        if let Some(update) = &self.shadow.link.update {
            state.acknowledged = state.acknowledged.unsettled_by(&update.reported);
        }
        if !self.shadow.contested.is_empty() {
            let open = self.requests.has_update_of(self.shadow.id);
            if open || (own && self.shadow.link.precedes_update) {
                let contested = &self.shadow.contested;
                state.acknowledged = state.acknowledged.unsettled_by(contested);
            } else {
                self.shadow.contested = Object::default();
            }
        }
        state.answered = state.answered.common(&desired);
        let mut delta = delta.unwrap_or_else(|| desired.news_to(&reported));
        // What is about to be reported departs from what is desired too, and the cloud, which has
        // not seen it, cannot say so; in its reply to that it will not.
        let unsent = state.acknowledged.patch_to(&state.reported);
        if !unsent.is_empty() {
            let departed = desired.news_to(&reported.merged(&unsent));
            delta = delta.merged(&departed.without_empty());
        }
        // What has taken the place of a told value is no difference where it is as reported. But the
        // application may be about to apply what it was told.
        let superseded = state.pending.minus(&desired);
        if !superseded.is_empty() {
            let newer = desired.restricted_to(&superseded, &Object::default());
            delta = delta.merged(&newer.without_empty());
        }
        let content = delta.minus(&state.answered);
        // What a withdrawn member leaves behind is nothing new.
        let known = content.news_to(&state.pending).without_empty().is_empty();
        // What is desired still waits for its answer, also where the device has reported it.
        let pending = state.pending.common(&desired).merged(&content);
        let content = match self.shadow.link.told {
            true => content,
            false => pending.clone(),
        };
        if content.is_empty() || (known && self.shadow.link.told) {
            state.pending = pending;
            if moved || *state != before {
                self.session.touch();
            }
            return true;
        }
        self.tell(DeltaOrigin::Fetched, version, content, pending, known);
        true
    }

    /// The engine's own update was answered.
    pub(super) fn updated(&mut self, code: i64, document: &Document) {
        let id = self.shadow.id;
        let Some(update) = self.shadow.link.update.take() else {
            return;
        };
        match code {
            0 => {
                let version = document.version();
                self.shadow.link.conflicts = 0;
                if let Some(state) = self.session.shadow_mut(self.shadow.place) {
                    state.acknowledged = state.acknowledged.merged(&update.reported);
                    state.answered = state.answered.minus(&update.answered);
                }
                self.shadow.unsynchronized = true;
                self.learn_version(version);
                self.settle_covered(&Outcome::Reported { version });
            }
            VERSION_CONFLICT
                if update.version.is_some() && self.policy != VersionPolicy::Strict =>
            {
                count(&mut self.events.counters.requests_repeated);
                self.shadow.link.conflicts = self.shadow.link.conflicts.saturating_add(1);
                self.fetched(document, false);
            }
            code => {
                if code == VERSION_CONFLICT {
                    self.fetched(document, false);
                }
                let document = document.clone();
                self.settle_covered(&Outcome::Rejected { code, document });
                // What was reported since is something new.
                self.shadow.link.paused = self.requests.reports_of(id).next().is_none();
            }
        }
        self.requests.uncover(id);
        self.session.touch();
    }

    /// The engine's own get was answered.
    pub(super) fn got(&mut self, request: &Request, code: i64, document: Document) {
        let shadow = self.shadow.id;
        if code != 0 {
            self.shadow.link.knowledge = Knowledge::Refused;
            let rejected = Event::GetRejected {
                shadow,
                code,
                document,
            };
            self.events.push(rejected);
            count(&mut self.events.counters.requests_repeated);
            self.ask_at(request.deadline);
            return;
        }
        self.shadow.link.fetching = false;
        // What has waited out its tries is tried anew.
        if self.shadow.link.paused && self.shadow.link.conflicts > 0 {
            self.shadow.link.conflicts = 0;
            self.shadow.link.paused = false;
        }
        let current = self.fetched(&document, true);
        if current && !self.shadow.link.ready {
            let ready = self.events.push(Event::Ready { shadow, document });
            self.shadow.link.ready = ready;
            // Dropped, it would be waited for in vain.
            if !ready && !self.shadow.link.fetching {
                self.ask_at(Some(self.now + self.retry));
            }
        }
    }

    /// The document has this version now, by an update of the device's or a push.
    pub(super) fn learn_version(&mut self, version: Option<u64>) {
        let (Some(version), Some(state)) = (version, self.session.shadow_mut(self.shadow.place))
        else {
            return;
        };
        let known = state.version.unwrap_or(version);
        self.shadow.link.risen |= version > known || state.version.is_none();
        if version > known.saturating_add(1) && self.in_step {
            self.shadow.link.knowledge.miss();
        }
        if version >= known {
            state.version = Some(version);
            self.shadow.link.paused &= version == known;
        }
    }

    fn tell(
        &mut self,
        origin: DeltaOrigin,
        version: Option<u64>,
        content: Object,
        pending: Object,
        redelivered: bool,
    ) {
        // The first push of a link may hold a part of what waits since an earlier one.
        let all = self.shadow.link.told
            || origin == DeltaOrigin::Fetched
            || pending.news_to(&content).is_empty();
        let told = self.events.push(Event::Delta(Delta {
            shadow: self.shadow.id,
            origin,
            version,
            state: content.into(),
            redelivered,
        }));
        if told {
            self.shadow.link.told = all;
            if let Some(state) = self.session.shadow_mut(self.shadow.place) {
                state.pending = pending;
            }
        } else if self.in_step {
            self.shadow.link.knowledge.miss();
            if !self.shadow.link.fetching {
                self.ask_at(Some(self.now + self.retry));
            }
        }
        self.session.touch();
    }

    /// Ends the reports that the update under way had all of.
    fn settle_covered(&mut self, outcome: &Outcome) {
        let (id, covered) = (self.shadow.id, |covered, _: Option<&str>| covered);
        settle_reports(self.requests, self.events, id, &covered, outcome);
    }

    fn ask_at(&mut self, at: Option<Instant>) {
        self.shadow.link.fetching = true;
        let shadow = self.shadow.id;
        self.requests.ask_again(shadow, at);
    }
}
