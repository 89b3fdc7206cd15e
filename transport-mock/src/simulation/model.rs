//! What must hold, in terms of a document's leaves.
//!
//! A [`Model`] stands beside one device. It knows what the device last said of each leaf, what the
//! application desires of it, and which requests are open; nothing of MQTT, tokens, versions or
//! retries. Each method is told what happened and says whether it may be so.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use shadow_core::mqtt::QoS;
use shadow_core::{Delta, Outcome, RequestId};

use super::invariant::{Checks, Invariant, Violation};
use super::script::{KEYS, Key, Policy};

/// Of each leaf its value, if it is there.
pub(super) type Leaves = [Option<u64>; KEYS];

/// How many answers to a key an older session may be behind: more than there are sessions to go back.
const LAST_ANSWERED: usize = 16;

/// What an open request is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Get,
    /// A one-shot update that writes a value.
    Update(u64),
    /// Leaves that were reported.
    Report(Vec<(Key, usize)>),
    /// Values that were rejected.
    Reject(Leaves),
    /// A plain message, which holds a value.
    Publish {
        qos: u8,
        value: u64,
    },
}

/// How the device says something of a leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Voice {
    /// By a one-shot update.
    Update,
    /// By a report of its own.
    Report,
    /// In answer to what it was told.
    Answer,
}

/// Who wrote a leaf of `reported` last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Writer {
    #[default]
    Nobody,
    /// The engine keeps it.
    Report,
    /// A one-shot update; whether it is known to be in the cloud.
    Update { settled: bool },
}

#[derive(Clone, Debug, Default)]
struct Leaf {
    writer: Writer,
    /// All that the device ever said of it.
    said: Vec<Option<u64>>,
    /// How much of that a one-shot update has taken over: no report of it is kept.
    taken_over: usize,
    /// Whether what it said last was its own idea, and no answer to what is desired.
    own: bool,
}

/// What became of what is desired of a leaf.
#[derive(Clone, Copy, Debug, Default)]
struct Wish {
    /// What the application of the device was told last, unless it has answered that and all was
    /// over with it before it was desired again.
    told: Option<u64>,
    /// Whether it was desired no more at some time since then.
    withdrawn: bool,
    /// Whether the cloud has had reported what is desired now: then it does not count as a change.
    agreed: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Model {
    policy: Policy,
    reported: [Leaf; KEYS],
    /// What the cloud's `desired` is.
    desired: Leaves,
    /// What the application desired last since all was at rest, and has not withdrawn.
    wanted: Leaves,
    wishes: [Wish; KEYS],
    /// What was desired since all was at rest, and whether more than once.
    again: BTreeMap<u64, bool>,
    /// All that was told, as far as it can be told again.
    told: BTreeSet<u64>,
    /// With the number of the store in which the device remembers that it was told.
    told_as_new: Vec<(u64, Option<u64>, String)>,
    answered: [BTreeSet<u64>; KEYS],
    /// The last that were, of each key, as an older session may have them for unsent.
    last_answered: [Vec<u64>; KEYS],
    /// Those that were answered and not told again since.
    done: BTreeSet<u64>,
    has_answered: bool,
    pub(super) open: BTreeMap<RequestId, Asked>,
    /// The values of one-shot updates that the cloud has got, and whether it took them.
    arrived: BTreeMap<u64, bool>,
    /// Those that can never arrive.
    never: BTreeSet<u64>,
    /// The values of plain messages that the server has got.
    delivered: BTreeSet<u64>,
    /// Whether a message of QoS 2 can reach the server twice, as either end has lost a session.
    pub(super) twice: bool,
    /// How often the cloud's documents were lost since all was at rest.
    losses_since_rest: u64,
    /// Whether the device has lost its power since all was at rest, and so may have told what its
    /// application forgot.
    forgetful: bool,
    /// Whether the device has begun again from an older session, or from none.
    went_back: bool,
    /// Whether it ever has.
    pub(super) has_begun_again: bool,
}

impl Model {
    pub(super) fn new(policy: Policy, clean_session: bool) -> Model {
        Model {
            policy,
            reported: Default::default(),
            desired: Leaves::default(),
            wanted: Leaves::default(),
            wishes: Default::default(),
            again: BTreeMap::new(),
            told: BTreeSet::new(),
            told_as_new: Vec::new(),
            answered: Default::default(),
            last_answered: Default::default(),
            done: BTreeSet::new(),
            has_answered: false,
            open: BTreeMap::new(),
            arrived: BTreeMap::new(),
            never: BTreeSet::new(),
            delivered: BTreeSet::new(),
            twice: clean_session,
            has_begun_again: false,
            losses_since_rest: 0,
            forgetful: false,
            went_back: false,
        }
    }

    pub(super) fn is_strict(&self) -> bool {
        self.policy == Policy::Strict
    }

    /// The application desires this. `settled` says whether the device knows that its answers have
    /// arrived, and so that what is desired now is not what it has answered.
    pub(super) fn desired(&mut self, key: Key, value: Option<u64>, settled: bool) {
        let at = key as usize;
        let (Some(desired), Some(wanted), Some(wish), Some(answered)) = (
            self.desired.get_mut(at),
            self.wanted.get_mut(at),
            self.wishes.get_mut(at),
            self.answered.get_mut(at),
        ) else {
            return;
        };
        *wanted = value;
        if *desired == value {
            return;
        }
        *desired = value;
        wish.agreed = false;
        let Some(value) = value else {
            wish.withdrawn = true;
            return;
        };
        // It is another change, though it has a value that was answered once.
        if self.done.remove(&value) && settled {
            answered.remove(&value);
            wish.told = wish.told.filter(|told| *told != value);
        }
        let again = |again: &mut bool| *again = true;
        self.again.entry(value).and_modify(again).or_insert(false);
    }

    /// Sees what is desired as the cloud has it reported.
    pub(super) fn compare(&mut self, reported: &Leaves) {
        let parts = self.desired.iter().zip(reported);
        for (wish, (desired, reported)) in self.wishes.iter_mut().zip(parts) {
            wish.agreed |= desired.is_some() && desired == reported;
        }
    }

    /// The device says this of a leaf.
    pub(super) fn said(&mut self, key: Key, value: Option<u64>, voice: Voice) -> usize {
        let at = key as usize;
        let Some(leaf) = self.reported.get_mut(at) else {
            return 0;
        };
        leaf.said.push(value);
        leaf.own = voice != Voice::Answer;
        leaf.writer = match voice {
            Voice::Update => Writer::Update { settled: false },
            Voice::Report | Voice::Answer => Writer::Report,
        };
        if voice == Voice::Update {
            leaf.taken_over = leaf.said.len();
        }
        leaf.said.len() - 1
    }

    /// The leaves that the engine keeps, as the device last reported them.
    pub(super) fn kept(&self) -> impl Iterator<Item = (Key, Option<u64>)> + '_ {
        Key::ALL
            .into_iter()
            .zip(&self.reported)
            .filter_map(|(key, leaf)| {
                let kept = leaf.writer == Writer::Report;
                kept.then(|| (key, leaf.said.last().copied().flatten()))
            })
    }

    /// A request was accepted by the engine.
    pub(super) fn asked(
        &mut self,
        checks: &mut Checks,
        request: RequestId,
        asked: Asked,
    ) -> Result<(), Violation> {
        let old = self.open.remove(&request);
        let (asked, fits) = match (old, asked) {
            (None, asked) => (asked, true),
            // Reports that leave together are one request.
            (Some(Asked::Report(mut leaves)), Asked::Report(more)) => {
                leaves.extend(more);
                (Asked::Report(leaves), true)
            }
            (Some(_), asked) => (asked, false),
        };
        checks.that(Invariant::EndsOnce, fits, || {
            format!("{request} names two requests")
        })?;
        self.open.insert(request, asked);
        Ok(())
    }

    /// How many reports and answers are open, and how many other requests.
    pub(super) fn open_by_kind(&self) -> (usize, usize) {
        let report = |asked: &&Asked| matches!(asked, Asked::Report(..) | Asked::Reject(..));
        let reports = self.open.values().filter(report).count();
        (reports, self.open.len() - reports)
    }

    /// The device was told of a change of `desired`.
    pub(super) fn told(
        &mut self,
        checks: &mut Checks,
        delta: &Delta,
        store: u64,
    ) -> Result<Leaves, Violation> {
        let text = delta.state.as_str();
        let values = leaves(text);
        let known = |value: &Option<u64>| value.is_none_or(|value| self.told.contains(&value));
        if delta.redelivered {
            let holds = self.forgetful || values.iter().all(known);
            checks.that(Invariant::ToldOnce, holds, || {
                format!("{text} is told again, and never was before")
            })?;
        } else if delta.version.is_some() {
            let (version, state) = (delta.version, text.to_owned());
            let same = |(_, other, text): &&(u64, Option<u64>, String)| {
                *other == version && *text == state
            };
            let before = self.told_as_new.iter().filter(same).count() as u64;
            checks.that(
                Invariant::ToldOnce,
                before <= self.losses_since_rest,
                || format!("version {version:?} with {state} is told twice as new"),
            )?;
            self.told_as_new.push((store, version, state));
        }
        self.told.extend(values.iter().flatten());
        for (wish, value) in self.wishes.iter_mut().zip(&values) {
            if value.is_some() {
                (wish.told, wish.withdrawn) = (*value, false);
            }
        }
        // An answer to what is told again is void: it has to be answered anew.
        self.done.retain(|value| !values.contains(&Some(*value)));
        for asked in self.open.values_mut() {
            if let Asked::Reject(rejected) = asked {
                for (rejected, told) in rejected.iter_mut().zip(&values) {
                    *rejected = rejected.filter(|value| Some(*value) != *told);
                }
            }
        }
        Ok(values)
    }

    /// The device answers these values: whatever happens, they may be deleted from now on.
    pub(super) fn answered(&mut self, values: &Leaves) {
        self.has_answered = true;
        let parts = self.answered.iter_mut().zip(&mut self.last_answered);
        for (((answered, last), wish), value) in parts.zip(&self.wishes).zip(values) {
            answered.extend(value);
            last.extend(value);
            last.drain(..last.len().saturating_sub(LAST_ANSWERED));
            // An older delta's value may be desired anew, and not be told as it is reported.
            let value = value.filter(|value| wish.told == Some(*value) && !wish.withdrawn);
            self.done.extend(value);
        }
    }

    /// The cloud has handled an update with these values of `reported`.
    pub(super) fn arrived(
        &mut self,
        checks: &mut Checks,
        values: &Leaves,
        accepted: bool,
    ) -> Result<(), Violation> {
        for value in values.iter().flatten() {
            checks.that(Invariant::Truth, !self.never.contains(value), || {
                format!("{value} arrives, although it was said never to have left")
            })?;
            *self.arrived.entry(*value).or_default() |= accepted;
        }
        Ok(())
    }

    /// The server has got a plain message.
    pub(super) fn delivered(
        &mut self,
        checks: &mut Checks,
        value: u64,
        qos: QoS,
    ) -> Result<(), Violation> {
        let new = self.delivered.insert(value);
        let holds = new || qos != QoS::ExactlyOnce || self.twice;
        checks.that(Invariant::Truth, holds, || {
            format!("message {value} of QoS 2 arrives twice")
        })
    }

    /// A request has ended; `reported` and `desired` are what the cloud has now.
    pub(super) fn ended(
        &mut self,
        checks: &mut Checks,
        request: RequestId,
        outcome: &Outcome,
        reported: &Leaves,
        desired: &Leaves,
    ) -> Result<Asked, Violation> {
        let asked = self.open.remove(&request);
        checks.that(Invariant::EndsOnce, asked.is_some(), || {
            format!("{request} ended though it was not open: {outcome:?}")
        })?;
        let Some(asked) = asked else {
            return Ok(Asked::Get);
        };
        let holds = match (&asked, outcome) {
            (_, Outcome::Cancelled) => true,
            (Asked::Get, Outcome::Accepted(_) | Outcome::TimedOut) => true,
            (Asked::Update(value), Outcome::Accepted(_)) => {
                if self.losses_since_rest == 0 {
                    self.settle(*value);
                }
                self.arrived.get(value) == Some(&true)
            }
            (Asked::Update(value), Outcome::Rejected { .. }) => {
                self.arrived.get(value) == Some(&false)
            }
            (Asked::Update(..), Outcome::TimedOut) => true,
            (Asked::Update(value), Outcome::Disconnected { maybe_applied }) => {
                if !maybe_applied {
                    self.never.insert(*value);
                }
                *maybe_applied || !self.arrived.contains_key(value)
            }
            // Whether the cloud has lost it again meanwhile, a device cannot know.
            (Asked::Report(said), Outcome::Reported { .. }) => {
                self.losses_since_rest > 0
                    || said.iter().all(|(key, at)| self.has(*key, *at, reported))
            }
            (Asked::Report(..) | Asked::Reject(..), Outcome::Rejected { code, .. }) => {
                *code == 5005 && self.policy == Policy::Strict
            }
            (Asked::Reject(values), Outcome::DeltaRejected { .. }) => {
                // Of two changes to one value the device may have heard of the first.
                let other = |value: u64| self.again.get(&value) == Some(&true);
                let gone = |(value, desired): (&Option<u64>, &Option<u64>)| {
                    value != desired || value.is_none_or(other)
                };
                self.losses_since_rest > 0 || values.iter().zip(desired).all(gone)
            }
            (Asked::Publish { qos, value }, Outcome::Published) => {
                // The server may hold the packet id of a message that an older session has
                // forgotten, and takes a new one with that id for the same (section 4.3.3).
                let reused = *qos == 2 && self.went_back;
                *qos == 0 || reused || self.delivered.contains(value)
            }
            (Asked::Publish { .. }, Outcome::TimedOut) => true,
            (Asked::Publish { qos, .. }, Outcome::Disconnected { .. }) => *qos == 0,
            _ => false,
        };
        checks.that(Invariant::Truth, holds, || {
            format!("{asked:?} ended as {outcome:?}; the cloud has {reported:?}, {desired:?}")
        })?;
        Ok(asked)
    }

    /// Whether the cloud has what was said then, or something that was said later.
    fn has(&self, key: Key, at: usize, reported: &Leaves) -> bool {
        let (Some(leaf), Some(value)) =
            (self.reported.get(key as usize), reported.get(key as usize))
        else {
            return false;
        };
        let later = leaf.said.get(at..).unwrap_or_default();
        later.contains(value) || at < leaf.taken_over
    }

    fn settle(&mut self, value: u64) {
        for leaf in &mut self.reported {
            if leaf.said.last() == Some(&Some(value)) {
                leaf.writer = Writer::Update { settled: true };
            }
        }
    }

    /// The cloud's document is this now, with or without the application's doing.
    pub(super) fn document_is(
        &mut self,
        checks: &mut Checks,
        reported: &Leaves,
        desired: &Leaves,
    ) -> Result<(), Violation> {
        let unchecked = self.policy == Policy::Unchecked && self.has_answered;
        let begun_again = self.losses_since_rest > 0;
        let parts = self.desired.iter_mut().zip(&mut self.wishes);
        let parts = parts.zip(self.answered.iter().zip(&self.reported));
        for ((key, (now, reported)), ((model, wish), (answered, leaf))) in Key::ALL
            .into_iter()
            .zip(desired.iter().zip(reported))
            .zip(parts)
        {
            let before = *model;
            *model = *now;
            wish.withdrawn |= before != *now;
            // What the device has as it is desired counts as obeyed, and so goes with any answer.
            let obeyed = wish.agreed && (*reported == before || leaf.own) && self.has_answered;
            // Without a check of the version an answer may meet a newer value; and so it may where
            // versions begin again, if it was under way by then.
            let deleted = now.is_none()
                && before
                    .is_some_and(|value| answered.contains(&value) || unchecked || begun_again)
                || (now.is_none() && obeyed);
            checks.that(Invariant::Answered, before == *now || deleted, || {
                format!("desired {key:?} went from {before:?} to {now:?}, which nobody answered")
            })?;
        }
        self.compare(reported);
        Ok(())
    }

    /// The cloud has lost its documents, or has others; `desired` is what it has now.
    pub(super) fn documents_replaced(&mut self, desired: &Leaves) {
        self.desired = *desired;
        for wish in &mut self.wishes {
            (wish.withdrawn, wish.agreed) = (true, false);
        }
        // A version can stand for something else now, and for the same once more.
        self.losses_since_rest += 1;
        self.wanted = *desired;
        // What was answered and deleted may be there again.
        self.done.clear();
        self.unsettle();
        // Of a deletion that the cloud had acknowledged, nobody remembers anything.
        for leaf in &mut self.reported {
            if leaf.said.last() == Some(&None) {
                leaf.writer = Writer::Nobody;
            }
        }
    }

    /// The device has begun again, from what it had stored by then: `None` if all was there.
    pub(super) fn booted(&mut self, forgotten_after: Option<u64>) {
        self.open.clear();
        self.forgetful = true;
        self.has_begun_again = true;
        // The application has forgotten what it has not answered: it has to be told again.
        let done = &self.done;
        self.told.retain(|value| done.contains(value));
        for wish in &mut self.wishes {
            wish.told = wish.told.filter(|value| done.contains(value));
        }
        if let Some(kept) = forgotten_after {
            self.went_back = true;
            self.told.clear();
            for (answered, last) in self.answered.iter_mut().zip(&self.last_answered) {
                answered.extend(last);
            }
            for wish in &mut self.wishes {
                wish.told = None;
            }
            self.told_as_new.retain(|(store, ..)| *store <= kept);
            self.done.clear();
            self.unsettle();
        }
    }

    fn unsettle(&mut self) {
        for leaf in &mut self.reported {
            if leaf.writer == (Writer::Update { settled: true }) {
                leaf.writer = Writer::Update { settled: false };
            }
        }
    }

    /// The engine's copy of `reported` is this.
    pub(super) fn copy_is(&self, checks: &mut Checks, copy: &Leaves) -> Result<(), Violation> {
        for (key, kept) in self.kept() {
            let has = copy.get(key as usize).copied().flatten();
            checks.that(Invariant::Copy, has == kept, || {
                format!("{key:?} is {has:?} in the engine's copy, and was reported as {kept:?}")
            })?;
        }
        Ok(())
    }

    /// Everything is at rest, and this is what the cloud has.
    pub(super) fn rests(
        &mut self,
        checks: &mut Checks,
        reported: &Leaves,
        desired: &Leaves,
    ) -> Result<(), Violation> {
        self.document_is(checks, reported, desired)?;
        for ((key, leaf), cloud) in Key::ALL.into_iter().zip(&self.reported).zip(reported) {
            let last = leaf.said.last().copied().flatten();
            let holds = match leaf.writer {
                Writer::Report | Writer::Update { settled: true } => last == *cloud,
                Writer::Nobody | Writer::Update { settled: false } => true,
            };
            checks.that(Invariant::Reported, holds, || {
                format!("{key:?} is {cloud:?} in the cloud, and the device last said {last:?}")
            })?;
        }
        // What nobody was told of may be gone only where versions do not tell one from another.
        let may_be_gone = self.policy == Policy::Unchecked || self.losses_since_rest > 0;
        let parts = self.wanted.iter().zip(desired).zip(reported);
        let parts = parts.zip(&self.answered).zip(&self.wishes);
        let parts = parts.zip(&self.reported);
        for (key, (((((wanted, desired), reported), answered), wish), leaf)) in
            Key::ALL.into_iter().zip(parts)
        {
            let Some(value) = wanted.or(*desired) else {
                continue;
            };
            // What the cloud had reported makes no delta, nor will it once the device departs from
            // it of its own accord.
            let left = wish.agreed && (leaf.own || *desired != Some(value));
            let told = wish.told == Some(value)
                || *reported == Some(value)
                || left
                || ((may_be_gone || answered.contains(&value)) && *desired != Some(value));
            checks.that(Invariant::Told, told, || {
                format!("{value} was desired of {key:?}, and the device was never told")
            })?;
        }
        for (key, desired) in Key::ALL.into_iter().zip(desired) {
            let Some(value) = desired else { continue };
            let left = self.done.contains(value) && matches!(self.policy, Policy::Rebase { .. });
            checks.that(Invariant::Answered, !left, || {
                format!("{value} of {key:?} was answered and is desired still")
            })?;
        }
        self.forget();
        Ok(())
    }

    /// Forgets what no longer matters once all is at rest.
    fn forget(&mut self) {
        for leaf in &mut self.reported {
            let old = leaf.said.len().saturating_sub(1);
            if self.open.is_empty() {
                leaf.said.drain(..old);
                leaf.taken_over = leaf.taken_over.saturating_sub(old);
            }
        }
        self.wanted = Leaves::default();
        self.forgetful = false;
        let desired: BTreeSet<u64> = self.desired.iter().flatten().copied().collect();
        for wish in &mut self.wishes {
            let over = |value: &u64| self.done.contains(value) && !desired.contains(value);
            wish.told = wish.told.filter(|value| !over(value));
        }
        // What is desired no more may come to be so again before the device has seen anything else.
        let told: BTreeSet<u64> = self.wishes.iter().filter_map(|wish| wish.told).collect();
        self.told
            .retain(|value| desired.contains(value) || told.contains(value));
        self.again = desired.iter().map(|value| (*value, false)).collect();
        for answered in &mut self.answered {
            answered.retain(|value| desired.contains(value));
        }
        self.done.retain(|value| desired.contains(value));
        self.arrived.clear();
        if self.open.is_empty() {
            self.delivered.clear();
        }
        if std::mem::take(&mut self.losses_since_rest) > 0 {
            self.told_as_new.clear();
        }
        let old = self.told_as_new.len().saturating_sub(64);
        self.told_as_new.drain(..old);
    }
}

/// The leaves of a JSON object; what is none of the keys is not looked at.
pub(super) fn leaves(object: &str) -> Leaves {
    let mut leaves = Leaves::default();
    if object.len() <= 2 {
        return leaves;
    }
    if let Ok(value) = serde_json::from_str::<Value>(object) {
        read_leaves(&value, &mut leaves);
    }
    leaves
}

/// The leaves of the `reported` part of an update request.
pub(super) fn requested(payload: &[u8]) -> Leaves {
    let mut leaves = Leaves::default();
    if let Ok(request) = serde_json::from_slice::<Value>(payload)
        && let Some(reported) = request.pointer("/state/reported")
    {
        read_leaves(reported, &mut leaves);
    }
    leaves
}

fn read_leaves(value: &Value, leaves: &mut Leaves) {
    for (key, leaf) in Key::ALL.into_iter().zip(leaves) {
        let (outer, inner) = key.path();
        let member = value.get(outer);
        let member = inner.map_or(member, |inner| member?.get(inner));
        *leaf = member.and_then(Value::as_u64);
    }
}

/// A patch of these leaves.
pub(super) fn patch(leaves: impl IntoIterator<Item = (Key, Option<u64>)>) -> Value {
    let mut patch = serde_json::Map::new();
    for (key, value) in leaves {
        let value = value.map_or(Value::Null, Value::from);
        match key.path() {
            (outer, None) => {
                patch.insert(outer.to_owned(), value);
            }
            (outer, Some(inner)) => {
                let object = patch
                    .entry(outer)
                    .or_insert_with(|| Value::Object(serde_json::Map::new()));
                if let Value::Object(members) = object {
                    members.insert(inner.to_owned(), value);
                }
            }
        }
    }
    Value::Object(patch)
}
