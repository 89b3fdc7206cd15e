//! Several logs that are excerpts of one session, put in one order.

use std::collections::{BTreeMap, BTreeSet};

use super::line::{Level, LogTime, SourceTag};
use super::{Entry, Log, SessionError, Statement};

/// How many milliseconds late a thread may write a line.
const LATE: u64 = 3;
/// How many lines are written within that time.
const MOST_LATE: usize = 64;

/// Which entry of which log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Index into [`Session::logs`].
    pub log: usize,
    /// Index into that log's [`lines`](Log::lines).
    pub entry: usize,
}

/// One session, from one or more logs.
///
/// Every entry of every log is in [`order`](Session::order) or in [`repeats`](Session::repeats),
/// once. The order of each log is kept. Between logs the time decides, then the message numbers of
/// packets sent in the same millisecond, then which log begins and ends first, as the files of a log
/// that was rotated follow each other, then the order in which the logs were given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The logs as given.
    pub logs: Vec<Log>,
    /// The session's entries, first to last.
    pub order: Vec<Place>,
    /// Entries that an overlapping log prints once more, each with the place that is kept. Two
    /// records are the same if time, tag, level and message agree; the n-th of several such in
    /// one log is the n-th in the other.
    pub repeats: Vec<(Place, Place)>,
}

impl Session {
    /// Joins logs.
    ///
    /// # Errors
    /// [`SessionError`] where two logs contradict each other: the same two records in opposite
    /// order, CONNECTs of different clients, or message numbers that run backwards from one log to
    /// the other although the SDK counts upwards until it is started anew.
    pub fn from_logs(logs: Vec<Log>) -> Result<Self, SessionError> {
        let records = Records::find(&logs);
        let mut session = Session {
            order: Vec::new(),
            repeats: Vec::new(),
            logs,
        };
        session.merge(&records)?;
        session.check_clients()?;
        session.check_numbers(&records)?;
        Ok(session)
    }

    /// The session's entries with the log that each is from, first to last.
    pub fn entries(&self) -> impl Iterator<Item = (&Log, &Entry)> {
        self.order.iter().filter_map(|&place| self.at(place))
    }

    fn at(&self, place: Place) -> Option<(&Log, &Entry)> {
        let log = self.logs.get(place.log)?;
        Some((log, log.lines.get(place.entry)?))
    }

    fn merge(&mut self, records: &Records) -> Result<(), SessionError> {
        let mut heads: Vec<Head> = vec![Head::default(); self.logs.len()];
        let mut ranked: Vec<usize> = (0..self.logs.len()).collect();
        ranked.sort_by_key(|&log| {
            let times = self.logs.get(log).map(|log| &log.lines);
            let times = times.into_iter().flatten().map(|entry| entry.line.at);
            (times.clone().min(), times.max())
        });
        loop {
            let waiting: Vec<Place> = ranked
                .iter()
                .filter_map(|&log| {
                    let place = Place {
                        log,
                        entry: heads.get(log)?.entry,
                    };
                    self.at(place).map(|_| place)
                })
                .collect();
            if waiting.is_empty() {
                return Ok(());
            }
            let is_head = |place: &Place| {
                heads
                    .get(place.log)
                    .is_some_and(|head| head.entry == place.entry)
            };
            let follows = |place: &Place| {
                waiting
                    .iter()
                    .take_while(|other| other.log != place.log)
                    .any(|other| records.follows(place.log, other.log))
            };
            let ready = waiting
                .iter()
                .filter(|place| records.places(**place).iter().all(is_head) && !follows(place));
            let next = ready
                .copied()
                .reduce(|a, b| if self.goes_first(&heads, b, a) { b } else { a });
            let Some(next) = next else {
                return Err(self.opposite_order(&waiting));
            };
            for &place in records.places(next) {
                if place == next {
                    self.order.push(place);
                } else {
                    self.repeats.push((place, next));
                }
                let at = self.at(place).map(|(_, entry)| entry.line.at);
                if let Some(head) = heads.get_mut(place.log) {
                    head.entry += 1;
                    head.latest = head.latest.max(at);
                }
            }
        }
    }

    /// Whether `later`, of a log that was given later, goes before `earlier` all the same.
    fn goes_first(&self, heads: &[Head], later: Place, earlier: Place) -> bool {
        // Threads write a millisecond late now and then; the file's order counts, so a line is
        // never earlier than the one before it.
        let time = |place: Place| {
            let at = self.at(place).map(|(_, entry)| entry.line.at);
            heads.get(place.log).and_then(|head| head.latest).max(at)
        };
        let number = |place: Place| {
            self.at(place)
                .and_then(|(_, entry)| entry.statement.allocated_number())
        };
        match time(later).cmp(&time(earlier)) {
            std::cmp::Ordering::Less => true,
            std::cmp::Ordering::Greater => false,
            std::cmp::Ordering::Equal => match (number(later), number(earlier)) {
                (Some(later), Some(earlier)) => later < earlier,
                _ => false,
            },
        }
    }

    fn opposite_order(&self, waiting: &[Place]) -> SessionError {
        let place = |index: usize| {
            waiting
                .get(index)
                .copied()
                .unwrap_or(Place { log: 0, entry: 0 })
        };
        let why = "both logs have both records, in opposite order".to_owned();
        self.contradiction(place(0), place(1), why)
    }

    fn contradiction(&self, first: Place, second: Place, why: String) -> SessionError {
        let name = |place: Place| {
            self.at(place)
                .map(|(log, entry)| (log.name.clone(), entry.line.number))
        };
        SessionError {
            first: name(first).unwrap_or_default(),
            second: name(second).unwrap_or_default(),
            why,
        }
    }

    fn check_clients(&self) -> Result<(), SessionError> {
        let connects = self
            .order
            .iter()
            .filter_map(|&place| match &self.at(place)?.1.statement {
                Statement::SendingConnect { client_id, .. } => Some((place, client_id)),
                _ => None,
            });
        let mut first: Option<(Place, &String)> = None;
        for (place, client_id) in connects {
            match first {
                Some((other, known)) if known != client_id && other.log != place.log => {
                    let why = format!("the client ids are `{known}` and `{client_id}`");
                    return Err(self.contradiction(other, place, why));
                }
                Some(_) => {}
                None => first = Some((place, client_id)),
            }
        }
        Ok(())
    }

    fn check_numbers(&self, records: &Records) -> Result<(), SessionError> {
        let mut last: Option<(Place, u16)> = None;
        for &place in &self.order {
            let Some((_, entry)) = self.at(place) else {
                continue;
            };
            if entry.statement == Statement::ThreadEnter {
                last = None;
            }
            let Some(number) = entry.statement.allocated_number() else {
                continue;
            };
            if let Some((other, before)) = last {
                // One log alone may well be odd; that is for the replay to say.
                let one_log = records.places(place).iter().any(|here| {
                    records
                        .places(other)
                        .iter()
                        .any(|there| there.log == here.log)
                });
                // After 65535 paho goes on with 1.
                let wrapped = before > u16::MAX - 0x1000 && number < 0x1000;
                if !one_log && number <= before && !wrapped {
                    let why =
                        format!("m{number} is sent after m{before}, but the SDK counts upwards");
                    return Err(self.contradiction(other, place, why));
                }
            }
            last = Some((place, number));
        }
        Ok(())
    }
}

/// How far a log has been merged.
#[derive(Clone, Copy, Default)]
struct Head {
    entry: usize,
    /// Latest time of the entries before.
    latest: Option<LogTime>,
}

/// What makes two records the same one; the count tells apart equal records of one log.
type Identity<'a> = (LogTime, &'a SourceTag, Level, &'a str, usize);

/// The distinct records and all places at which each stands.
struct Records {
    /// For every log and entry: which record it is.
    ids: Vec<Vec<usize>>,
    places: Vec<Vec<Place>>,
    /// Pairs of logs of which the second goes on where the first ends.
    following: BTreeSet<(usize, usize)>,
}

impl Records {
    fn find(logs: &[Log]) -> Self {
        let mut known: BTreeMap<Identity<'_>, usize> = BTreeMap::new();
        let mut records = Records {
            ids: Vec::new(),
            places: Vec::new(),
            following: following(logs),
        };
        for (log_index, log) in logs.iter().enumerate() {
            let mut seen: BTreeMap<Identity<'_>, usize> = BTreeMap::new();
            let mut ids = Vec::with_capacity(log.lines.len());
            for (entry_index, entry) in log.lines.iter().enumerate() {
                let line = &entry.line;
                let mut identity = (line.at, &line.tag, line.level, line.message.as_str(), 0);
                let count = seen.entry(identity).or_default();
                identity.4 = *count;
                *count += 1;
                // Lines of the same text and time in two logs that follow each other are two.
                while known
                    .get(&identity)
                    .is_some_and(|id| records.is_apart(*id, log_index))
                {
                    identity.4 += logs.len() * log.lines.len();
                }
                let id = *known.entry(identity).or_insert(records.places.len());
                let place = Place {
                    log: log_index,
                    entry: entry_index,
                };
                match records.places.get_mut(id) {
                    Some(places) => places.push(place),
                    None => records.places.push(vec![place]),
                }
                ids.push(id);
            }
            records.ids.push(ids);
        }
        records
    }

    /// Whether the second log goes on where the first ends.
    fn follows(&self, second: usize, first: usize) -> bool {
        self.following.contains(&(first, second))
    }

    /// Whether the record stands in a log that this one follows, or that follows this one.
    fn is_apart(&self, record: usize, log: usize) -> bool {
        let places = self.places.get(record).into_iter().flatten();
        places
            .map(|place| place.log)
            .any(|other| self.follows(log, other) || self.follows(other, log))
    }

    /// Every place of the record that stands at `place`.
    fn places(&self, place: Place) -> &[Place] {
        self.ids
            .get(place.log)
            .and_then(|ids| ids.get(place.entry))
            .and_then(|&id| self.places.get(id))
            .map_or(&[], Vec::as_slice)
    }
}

/// Pairs of logs of which the second goes on where the first ends: it begins no earlier than the
/// first one's last lines, which may be out of order by what threads are late, and repeats none.
fn following(logs: &[Log]) -> BTreeSet<(usize, usize)> {
    let times: Vec<_> = logs
        .iter()
        .map(|log| {
            let times = log.lines.iter().map(|entry| entry.line.at.millis());
            (times.clone().min(), times.max())
        })
        .collect();
    let mut pairs = BTreeSet::new();
    for (first, (a, (from, end))) in logs.iter().zip(&times).enumerate() {
        for (second, (b, (begin, to))) in logs.iter().zip(&times).enumerate() {
            let (Some(end), Some(begin)) = (*end, *begin) else {
                continue;
            };
            let key = |place: usize, from: &Option<u64>, to: &Option<u64>| (*from, *to, place);
            let is_after =
                begin + LATE >= end && key(first, from, &Some(end)) < key(second, &Some(begin), to);
            if first != second && is_after && !pairs.contains(&(second, first)) && !overlap(a, b) {
                pairs.insert((first, second));
            }
        }
    }
    pairs
}

/// Whether the end of a log and the beginning of another have a record in common that can be
/// written only once, or numbers that run backwards from one to the other.
fn overlap(first: &Log, second: &Log) -> bool {
    let tail = || first.lines.iter().rev().take(MOST_LATE);
    let mut head = second.lines.iter().take(MOST_LATE);
    let last = tail().find_map(|entry| entry.statement.allocated_number());
    let next = head
        .clone()
        .find_map(|entry| entry.statement.allocated_number());
    let backwards = last.zip(next).is_some_and(|(last, next)| next <= last);
    backwards
        || head.any(|entry| {
            is_written_once(&entry.statement)
                && tail().any(|other| {
                    other.line.at == entry.line.at && other.line.message == entry.line.message
                })
        })
}

/// Whether two lines of this text are hardly ever written in one millisecond.
fn is_written_once(statement: &Statement) -> bool {
    !matches!(
        statement,
        Statement::PublishSuccess
            | Statement::PublishFailed
            | Statement::SubscribeSuccess { .. }
            | Statement::ReceivedSubAck
            | Statement::ReceivedPingResp
            | Statement::ReceivedPublish { qos: 0, .. }
            | Statement::Environment { .. }
            | Statement::Fault { .. }
    )
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
