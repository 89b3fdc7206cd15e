//! Looks for a smaller case that fails the same way.

use std::rc::Rc;

use super::cause::{Case, Cause};
use super::content;
use super::run::run;
use super::tape::Run;

/// What the search has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// How many times inputs were run.
    pub runs: u64,
    /// How many inputs are left behind the start.
    pub inputs: usize,
}

/// As many causes may be left for each pair of them to be tried.
const PAIRS: usize = 32;

/// Into how many chunks a case is cut to see how much can go at first.
const CHUNKS: usize = 32;

/// As many delays may be left for each to be made as short as can be.
const SHORTENED: usize = 16;

/// What is asked of each run.
pub(super) trait Question {
    /// Whether it fails.
    fn fails(&mut self, run: &Run) -> bool;

    /// The steps of the recording have other numbers now: each old one with its new one.
    fn renumber(&mut self, _steps: &[(u32, u32)]) {}
}

pub(super) struct Search<'f> {
    pub(super) case: Case,
    pub(super) run: Run,
    pub(super) runs: u64,
    pub(super) limit: u64,
    /// Whether the limit kept something from being tried.
    pub(super) stopped: bool,
    pub(super) question: &'f mut dyn Question,
    pub(super) progress: &'f mut dyn FnMut(Progress),
}

impl Search<'_> {
    /// Makes the case smaller until nothing more can go.
    pub(super) fn reduce(&mut self, keep_start: bool) {
        self.truncate();
        loop {
            let mut changed = self.hurry();
            changed |= self.remove();
            changed |= self.straighten();
            changed |= self.remove_pairs();
            changed |= self.shorten();
            changed |= self.simplify_causes();
            if !keep_start {
                changed |= self.simplify_start();
            }
            if !changed || self.stopped {
                return;
            }
        }
    }

    /// Decides whether versions are counted anew, by how much can go at first.
    ///
    /// As what is gone is not counted, a failure that takes one number would keep all that it counts.
    pub(super) fn choose_versions(&mut self) {
        self.truncate();
        let coarse = self.case.causes.len() / CHUNKS;
        if coarse == 0 {
            return;
        }
        let whole = (self.case.clone(), self.run.clone());
        self.remove_chunks(coarse);
        let anew = std::mem::replace(&mut self.case, whole.0);
        let anew = (anew, std::mem::replace(&mut self.run, whole.1));
        // All of it is what it was recorded as, either way.
        self.case.recorded_versions = true;
        self.remove_chunks(coarse);
        if self.run.inputs() >= anew.1.inputs() / 2 {
            (self.case, self.run) = anew;
        }
    }

    /// Makes the case smaller with versions of the other kind, if more can go so.
    pub(super) fn reduce_by_other_versions(&mut self, keep_start: bool) {
        let before = (self.case.clone(), self.run.clone());
        let mut candidate = self.case.clone();
        candidate.recorded_versions = !candidate.recorded_versions;
        if !self.attempt(candidate) {
            return;
        }
        self.reduce(keep_start);
        if self.run.inputs() >= before.1.inputs() {
            (self.case, self.run) = before;
        }
    }

    /// Runs a case; whether it fails without being larger. Then it is the case.
    fn attempt(&mut self, candidate: Case) -> bool {
        let Some(run) = self.failing(&candidate) else {
            return false;
        };
        self.adopt(candidate, run);
        true
    }

    fn failing(&mut self, candidate: &Case) -> Option<Run> {
        if self.runs >= self.limit {
            self.stopped = true;
            return None;
        }
        self.runs += 1;
        let run = run(candidate);
        let fails = !run.endless && run.inputs() <= self.run.inputs() && self.question.fails(&run);
        if self.runs.is_multiple_of(16) {
            self.report();
        }
        fails.then_some(run)
    }

    fn adopt(&mut self, candidate: Case, run: Run) {
        let unused = run.used.iter().any(|used| !used);
        self.case = candidate;
        self.run = run;
        if unused {
            // What referred to something that is gone goes with it.
            let mut used = self.run.used.iter();
            let mut smaller = self.case.clone();
            keep(&mut smaller.causes, |_| used.next() == Some(&true));
            if let Some(run) = self.failing(&smaller) {
                self.case = smaller;
                self.run = run;
            }
        }
    }

    fn report(&mut self) {
        (self.progress)(Progress {
            runs: self.runs,
            inputs: self.run.inputs(),
        });
    }

    /// Cuts the end off, as if what fails fails from some input on.
    fn truncate(&mut self) {
        let (mut passing, mut failing) = (0, self.case.causes.len());
        while passing + 1 < failing && !self.stopped {
            let middle = passing.midpoint(failing);
            let mut candidate = self.case.clone();
            candidate.causes.truncate(middle);
            if self.attempt(candidate) {
                // More may have gone than was cut off.
                failing = self.case.causes.len().min(middle);
                passing = passing.min(failing);
            } else {
                passing = middle;
            }
        }
    }

    /// Tries a change on all of the causes that are eligible, on halves of them, and so on down to
    /// single ones, the last first. Whether anything came of it.
    fn sweep(
        &mut self,
        eligible: impl Fn(&Cause) -> bool,
        change: impl Fn(&mut Case, &[usize]),
    ) -> bool {
        self.sweep_chunks(1, eligible, change)
    }

    /// As [`sweep`](Self::sweep), but down to chunks of `least` causes.
    fn sweep_chunks(
        &mut self,
        least: usize,
        eligible: impl Fn(&Cause) -> bool,
        change: impl Fn(&mut Case, &[usize]),
    ) -> bool {
        let places = |case: &Case| -> Vec<usize> {
            let causes = case.causes.iter().enumerate();
            let found = causes.filter(|(_, cause)| eligible(cause));
            found.map(|(place, _)| place).collect()
        };
        let mut changed = false;
        let mut size = places(&self.case).len();
        while size >= least.max(1) {
            let mut again = false;
            let mut end = usize::MAX;
            loop {
                let places = places(&self.case);
                end = end.min(places.len());
                let begin = end.saturating_sub(size);
                let Some(chunk) = places.get(begin..end).filter(|chunk| !chunk.is_empty()) else {
                    break;
                };
                let mut candidate = self.case.clone();
                change(&mut candidate, chunk);
                again |= self.attempt(candidate);
                if self.stopped {
                    return changed | again;
                }
                end = begin;
            }
            changed |= again;
            if size == 1 && !again {
                break;
            }
            // What could not go before may go now.
            size = size.div_ceil(2).min(if size == 1 { 1 } else { size - 1 });
        }
        changed
    }

    /// Leaves out time.
    fn hurry(&mut self) -> bool {
        self.sweep(
            |cause| cause.delay > 0,
            |case, places| {
                for place in places {
                    if let Some(cause) = case.causes.get_mut(*place) {
                        cause.delay = 0;
                    }
                }
            },
        )
    }

    /// Leaves out causes. The time that they took stays.
    fn remove(&mut self) -> bool {
        self.sweep(|_| true, remove)
    }

    fn remove_chunks(&mut self, least: usize) -> bool {
        self.sweep_chunks(least, |_| true, remove)
    }

    fn remove_pairs(&mut self) -> bool {
        let mut changed = false;
        let mut first = 0;
        while self.case.causes.len() <= PAIRS && first < self.case.causes.len() {
            let mut second = first + 1;
            let mut found = false;
            while second < self.case.causes.len() && !self.stopped {
                let mut candidate = self.case.clone();
                remove(&mut candidate, &[first, second]);
                if self.attempt(candidate) {
                    found = true;
                    break;
                }
                second += 1;
            }
            changed |= found;
            first = if found { 0 } else { first + 1 };
        }
        changed
    }

    /// One packet a piece, and everything polled after each input.
    fn straighten(&mut self) -> bool {
        let apart = self.sweep(
            |cause| cause.joined,
            |case, places| {
                for place in places {
                    if let Some(cause) = case.causes.get_mut(*place) {
                        cause.joined = false;
                    }
                }
            },
        );
        let polled = self.sweep(
            |cause| cause.polls.is_some(),
            |case, places| {
                for place in places {
                    if let Some(cause) = case.causes.get_mut(*place) {
                        cause.polls = None;
                    }
                }
            },
        );
        apart | polled
    }

    /// Makes the time that has to pass as short as can be.
    fn shorten(&mut self) -> bool {
        let needed = self.case.causes.iter().filter(|cause| cause.delay > 0);
        if needed.count() > SHORTENED {
            return false;
        }
        let mut changed = false;
        let mut place = self.case.causes.len();
        while place > 0 {
            place = (place - 1).min(self.case.causes.len().saturating_sub(1));
            let delay = |case: &Case| case.causes.get(place).map_or(0, |cause| cause.delay);
            let (mut passing, mut failing) = (0, delay(&self.case));
            while passing + 1 < failing && !self.stopped {
                let middle = passing.midpoint(failing);
                let mut candidate = self.case.clone();
                if let Some(cause) = candidate.causes.get_mut(place) {
                    cause.delay = middle;
                }
                let count = self.case.causes.len();
                if self.attempt(candidate) {
                    changed = true;
                    failing = middle;
                    if self.case.causes.len() != count {
                        break;
                    }
                } else {
                    passing = middle;
                }
            }
        }
        changed
    }

    /// Makes what causes carry simpler: documents, payloads, texts.
    fn simplify_causes(&mut self) -> bool {
        let mut changed = false;
        let mut place = self.case.causes.len();
        while place > 0 {
            place = (place - 1).min(self.case.causes.len().saturating_sub(1));
            let version = self.case.start.1.config.protocol_version;
            let mut way = 0;
            while let Some(cause) = self.case.causes.get(place).filter(|_| !self.stopped) {
                let simpler = match content::simpler(&cause.what, way, version) {
                    content::Simpler::No => break,
                    content::Simpler::Impossible => {
                        way += 1;
                        continue;
                    }
                    content::Simpler::What(what) => what,
                };
                let mut candidate = self.case.clone();
                if let Some(cause) = candidate.causes.get_mut(place) {
                    cause.what = Rc::new(simpler);
                }
                if self.attempt(candidate) {
                    changed = true;
                } else {
                    way += 1;
                }
            }
        }
        changed
    }

    /// Makes the start simpler: seed, session, settings.
    fn simplify_start(&mut self) -> bool {
        let mut changed = false;
        let mut way = 0;
        while !self.stopped {
            let start = match content::simpler_start(&self.case.start.0, way) {
                content::SimplerStart::No => break,
                content::SimplerStart::Impossible => {
                    way += 1;
                    continue;
                }
                content::SimplerStart::Start(start) => start,
            };
            let mut candidate = self.case.clone();
            candidate.start = Rc::new(*start);
            if self.attempt(candidate) {
                changed = true;
            } else {
                way += 1;
            }
        }
        changed
    }
}

/// Removes the causes at these places, which ascend.
fn remove(case: &mut Case, places: &[usize]) {
    let mut places = places.iter().copied().peekable();
    let mut place = 0;
    keep(&mut case.causes, |_| {
        let gone = places.next_if_eq(&place).is_some();
        place += 1;
        !gone
    });
}

/// Keeps some of the causes. The time before those that go passes before the next one.
fn keep(causes: &mut Vec<Cause>, mut keeps: impl FnMut(&Cause) -> bool) {
    let mut delay: u64 = 0;
    let mut apart = false;
    causes.retain_mut(|cause| {
        if !keeps(cause) {
            delay = delay.saturating_add(cause.delay);
            // What follows in the same piece begins it.
            apart |= !cause.joined;
            return false;
        }
        cause.delay = cause.delay.saturating_add(std::mem::take(&mut delay));
        if std::mem::take(&mut apart) {
            cause.joined = false;
        }
        true
    });
}
