//! The session's lines made ready for the replay: ids filled in, threads told apart, messages
//! paired with the callbacks that print them.

use std::collections::{BTreeMap, BTreeSet};

use shadow_core::tencent::ShadowName;

use super::identity::Identity;
use super::inbound::{self, SPELLINGS, Spelling};
use super::tokens::initialised_by;
use super::window;
use crate::log::{Payload, Place, Session, Statement, Thread};

/// One line of the session.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    /// Milliseconds on the log's clock.
    pub(crate) at: u64,
    /// With the ids filled in.
    pub(crate) statement: Statement,
    pub(crate) thread: Option<Thread>,
    /// Whether its tag is that of paho's source.
    pub(crate) by_paho: bool,
    /// What to call it in findings.
    pub(crate) label: String,
    /// Whether lines may be missing between the one before and this one: another file begins.
    pub(crate) seam: bool,
}

/// All lines, and what belongs together.
#[derive(Debug)]
pub(crate) struct Outline {
    pub(crate) lines: Vec<Line>,
    /// For a received PUBLISH: the callback line that prints its payload.
    pub(crate) callback_of: Vec<Option<usize>>,
    /// For a callback line with a payload: the received PUBLISH.
    pub(super) cause_of: Vec<Option<usize>>,
    /// Of shadow messages, which one program writes.
    pub(super) spelling: Spelling,
    /// Where the clock was set back, and by how many milliseconds; the times after it are corrected.
    pub(super) set_back: Vec<(usize, u64)>,
    /// Whether any callback with a payload is printed at all.
    pub(super) prints_payloads: bool,
    /// Topics whose messages are printed by `on_message`.
    pub(super) told_topics: BTreeSet<String>,
    /// Whether the application calls the SDK from several threads, so that order does not hold
    /// among its lines.
    pub(super) several_threads: bool,
    /// Messages that waited for their turn ([`window`]).
    pub(super) waiting: BTreeMap<usize, usize>,
    /// The lines that subscribe a shadow's result topic.
    subscriptions: Vec<(usize, ShadowName)>,
}

/// What the clock is set back by at least, in milliseconds, and how many lines show it.
const LEAST_STEP: u64 = 500;
const STEP_LINES: usize = 4;
/// The source file of paho that logs.
const PAHO: &str = "client.py";
/// From this many calls on that overlap, the application has several threads. Two lines in each
/// other's place make one.
const OVERLAPS: usize = 2;
/// How long a call takes at most, in milliseconds.
const CALL: u64 = 50;
/// How many lines a message may be ahead of the one that its callback is printed beside.
const LOOK_AHEAD: usize = 20;

impl Outline {
    pub(crate) fn new(session: &Session, identity: &Identity) -> Outline {
        let mut lines = Vec::with_capacity(session.order.len());
        let adjacent = Adjacency::new(session);
        let mut before: Option<Place> = None;
        let many = session.logs.len() > 1;
        for (&place, (log, entry)) in session.order.iter().zip(session.entries()) {
            let mut statement = entry.statement.clone();
            identity.fill(&mut statement);
            lines.push(Line {
                at: entry.line.at.millis(),
                label: match many {
                    true => format!("{}: line {}", log.name, entry.line.number),
                    false => format!("line {}", entry.line.number),
                },
                thread: statement.thread(),
                by_paho: entry.line.tag.file == PAHO,
                statement,
                seam: before.is_some_and(|before| !adjacent.follow(before, place)),
            });
            before = Some(place);
        }
        let set_back = set_back(&mut lines);
        let mut outline = Outline {
            callback_of: vec![None; lines.len()],
            cause_of: vec![None; lines.len()],
            spelling: SPELLINGS[0],
            set_back,
            prints_payloads: false,
            told_topics: lines
                .iter()
                .filter_map(|line| match &line.statement {
                    Statement::OnMessage { topic, .. } => Some(topic.clone()),
                    _ => None,
                })
                .collect(),
            several_threads: overlaps(&lines) >= OVERLAPS,
            waiting: window::waiting(&lines),
            subscriptions: Vec::new(),
            lines,
        };
        for sending in outline.waiting.values() {
            if let Some(line) = outline.lines.get_mut(*sending) {
                line.thread = Some(Thread::Network);
            }
        }
        for (index, line) in outline.lines.iter().enumerate() {
            if let Statement::SendingSubscribe {
                dup: false,
                filters,
                ..
            } = &line.statement
            {
                let names = initialised_by(filters).map(|name| (index, name));
                outline.subscriptions.extend(names);
            }
        }
        outline.pair();
        outline.vote();
        outline
    }

    pub(super) fn statement(&self, index: usize) -> Option<&Statement> {
        self.lines.get(index).map(|line| &line.statement)
    }

    /// The first line after `at` that subscribes the shadow's result topic, or the end.
    pub(super) fn next_subscription(&self, name: &ShadowName, at: usize) -> usize {
        let after = self.subscriptions.partition_point(|(line, _)| *line <= at);
        let later = self.subscriptions.get(after..).unwrap_or_default();
        later
            .iter()
            .find(|(_, shadow)| shadow == name)
            .map_or(self.lines.len(), |(line, _)| *line)
    }

    /// The payload that a callback line prints.
    pub(crate) fn payload(&self, index: usize) -> Option<&Payload> {
        match self.statement(index)? {
            Statement::OnPayload { payload, .. } | Statement::OnMessage { payload, .. } => {
                Some(payload)
            }
            _ => None,
        }
    }

    fn pair(&mut self) {
        let (mut received, mut callbacks) = (Vec::new(), Vec::new());
        for (index, line) in self.lines.iter().enumerate() {
            match &line.statement {
                Statement::ReceivedPublish { .. } => received.push(index),
                Statement::OnPayload { .. } | Statement::OnMessage { .. } => callbacks.push(index),
                _ => {}
            }
        }
        self.prints_payloads = !callbacks.is_empty();
        let (mut next, mut first_of_stretch) = (0, true);
        let mut at = 0;
        while let Some(&message) = received.get(at) {
            while callbacks
                .get(next)
                .is_some_and(|&callback| callback < message)
            {
                next += 1;
            }
            let Some(&callback) = callbacks.get(next) else {
                break;
            };
            if self.seam_between(at.checked_sub(1).and_then(|i| received.get(i)), message) {
                first_of_stretch = true;
            }
            // Between the excerpts a callback may be missing; then it is the next message's.
            let next_message = received.get(at + 1).filter(|next| **next < callback);
            if let Some(&other) = next_message
                && self.seam_between(Some(&message), other)
                && self.fits(other, callback)
            {
                at += 1;
                continue;
            }
            if self.fits(message, callback) {
                self.join(message, callback);
                (next, at, first_of_stretch) = (next + 1, at + 1, false);
                continue;
            }
            // Callbacks of messages that came before the excerpt may come late.
            let late = (1..=LOOK_AHEAD).find(|ahead| {
                callbacks
                    .get(next + ahead)
                    .is_some_and(|&other| self.fits(message, other))
            });
            if let (true, Some(late)) = (first_of_stretch, late) {
                next += late;
                continue;
            }
            // A message whose callback prints nothing.
            let silent = (1..=3).any(|ahead| {
                received
                    .get(at + ahead)
                    .is_some_and(|&other| other < callback && self.fits(other, callback))
            });
            // Lines left out in between may have had its callback.
            let left_out = self.seam_between(Some(&message), callback);
            if !silent && !left_out && self.plausible(message, callback) {
                self.join(message, callback);
                (next, first_of_stretch) = (next + 1, false);
            }
            at += 1;
        }
    }

    fn seam_between(&self, before: Option<&usize>, message: usize) -> bool {
        before.is_some_and(|&before| {
            self.lines
                .get(before + 1..=message)
                .is_some_and(|lines| lines.iter().any(|line| line.seam))
        })
    }

    fn join(&mut self, message: usize, callback: usize) {
        if let Some(slot) = self.callback_of.get_mut(message) {
            *slot = Some(callback);
        }
        if let Some(slot) = self.cause_of.get_mut(callback) {
            *slot = Some(message);
        }
    }

    /// Whether the callback may be this message's by its kind.
    fn plausible(&self, message: usize, callback: usize) -> bool {
        let Some(Statement::ReceivedPublish { topic, .. }) = self.statement(message) else {
            return false;
        };
        match self.statement(callback) {
            Some(Statement::OnMessage { topic: printed, .. }) => topic == printed,
            Some(Statement::OnPayload { .. }) => ShadowName::from_result_topic(topic).is_some(),
            _ => false,
        }
    }

    pub(crate) fn fits(&self, message: usize, callback: usize) -> bool {
        let Some(Statement::ReceivedPublish { length, topic, .. }) = self.statement(message) else {
            return false;
        };
        if let Some(Statement::OnMessage { topic: printed, .. }) = self.statement(callback)
            && printed != topic
        {
            return false;
        }
        self.payload(callback)
            .is_some_and(|payload| inbound::fitting(payload, *length) != 0)
    }

    /// The spelling that most shadow messages have. Another than the vendor's takes two of them.
    fn vote(&mut self) {
        let mut votes = [0_usize; SPELLINGS.len()];
        for (message, callback) in self.callback_of.iter().enumerate() {
            let Some(payload) = callback.and_then(|callback| self.payload(callback)) else {
                continue;
            };
            if let Some(Statement::ReceivedPublish { length, topic, .. }) = self.statement(message)
                && ShadowName::from_result_topic(topic).is_some()
            {
                let fits = inbound::fitting(payload, *length);
                for (index, count) in votes.iter_mut().enumerate() {
                    *count += usize::from(fits >> index & 1);
                }
            }
        }
        let usual = votes.first().copied().unwrap_or_default();
        let most = votes.iter().copied().max().unwrap_or_default();
        if most >= 2
            && most > usual
            && let Some(index) = votes.iter().position(|count| *count == most)
            && let Some(spelling) = SPELLINGS.get(index)
        {
            self.spelling = *spelling;
        }
    }
}

/// Corrects the times after the clock was set back, as if it had stood still: every line of a stretch
/// from there on is earlier than the one before. A few alone are out of order.
fn set_back(lines: &mut [Line]) -> Vec<(usize, u64)> {
    let mut found = Vec::new();
    let mut added = 0;
    for index in 1..lines.len() {
        let time = |index: usize| lines.get(index).map_or(0, |line| line.at);
        // The one before is corrected already.
        let before = time(index - 1);
        let now = time(index) + added;
        let after = lines.get(index..).unwrap_or_default();
        let is_step = now + LEAST_STEP <= before
            && after.len() >= STEP_LINES
            && after
                .iter()
                .take(STEP_LINES)
                .all(|line| line.at + added < before);
        if is_step {
            found.push((index, before - now));
            added += before - now;
        }
        if let Some(line) = lines.get_mut(index) {
            line.at += added;
        }
    }
    found
}

/// How often the application makes a call while one that sent a packet has yet to return.
/// 0 if some never return, but for those that a seam cuts off.
fn overlaps(lines: &[Line]) -> usize {
    let (mut open, mut found) = (Vec::new(), 0);
    for line in lines {
        if line.seam {
            open.clear();
        }
        if open.first().is_some_and(|at| line.at > at + CALL) {
            return 0;
        }
        match &line.statement {
            Statement::SendingPublish { dup: false, .. } | Statement::SendingSubscribe { .. } => {
                found += usize::from(!open.is_empty());
                open.push(line.at);
            }
            Statement::ShadowUpdate { .. } => found += usize::from(!open.is_empty()),
            Statement::PublishSuccess | Statement::SubscribeSuccess { .. } if !open.is_empty() => {
                open.remove(0);
            }
            _ => {}
        }
    }
    found
}

/// Which places hold the same record as another place.
struct Adjacency {
    /// Sorted: a kept place and one that repeats it.
    repeats: Vec<(Place, Place)>,
}

impl Adjacency {
    fn new(session: &Session) -> Adjacency {
        let mut repeats: Vec<_> = session
            .repeats
            .iter()
            .map(|&(repeat, kept)| (kept, repeat))
            .collect();
        repeats.sort_unstable();
        Adjacency { repeats }
    }

    fn all(&self, place: Place) -> impl Iterator<Item = Place> + '_ {
        let start = self.repeats.partition_point(|(kept, _)| *kept < place);
        let others = self.repeats.get(start..).unwrap_or_default();
        let same = others.iter().take_while(move |(kept, _)| *kept == place);
        std::iter::once(place).chain(same.map(|(_, repeat)| *repeat))
    }

    /// Whether some log has the two records one right after the other.
    fn follow(&self, before: Place, after: Place) -> bool {
        self.all(before).any(|before| {
            self.all(after)
                .any(|after| before.log == after.log && before.entry + 1 == after.entry)
        })
    }
}
