//! Versions of the cloud's documents, counted anew in each run.
//!
//! In a run the cloud has done less than in the recording: what a message that is gone added to the
//! version is not in those that follow. So each version is kept as what it is to the highest one
//! that the cloud told of that shadow before. As long as nothing is gone it is the recorded one.
//!
//! Where it is the number itself that makes it fail, those before it cannot go so; then versions are
//! those of the recording.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use serde::Deserialize;
use serde_json::value::RawValue;
use shadow_core::mqtt::Publish;
use shadow_core::tencent::{ShadowName, VERSION_CONFLICT};

use super::note::index32;

/// What a version is to the highest one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// By so much higher; 0 if it is the same.
    Up(u64),
    /// By so much lower, in a message that came late.
    Late(u64),
    /// Lower, in a message that shows the whole document: that was reset.
    Reset,
}

impl Step {
    fn new(version: u64, highest: u64, shows: bool) -> Step {
        match version.checked_sub(highest) {
            Some(up) => Step::Up(up),
            None if shows => Step::Reset,
            None => Step::Late(highest - version),
        }
    }

    /// The version that is this to `highest`, where it was `recorded` in the recording. Only a
    /// recorded 0 becomes 0: it says that there are no versions.
    fn version(self, highest: u64, recorded: u64) -> u64 {
        let version = match self {
            Step::Up(up) => highest.saturating_add(up),
            Step::Late(late) => highest.saturating_sub(late),
            Step::Reset => recorded.min(highest.saturating_sub(1)),
        };
        version.max(recorded.min(1))
    }
}

/// A version of one shadow's document, as it was recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Version {
    /// The number of the shadow's history.
    history: u32,
    /// The highest version before the first message.
    base: u64,
    recorded: u64,
    step: Step,
    /// What it has to be to the one that the answered update carried.
    fit: Fit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fit {
    Any,
    /// The update was accepted, and carried none.
    Unchecked,
    /// It was accepted, and carried the first of these versions when the other was the highest.
    Accepted(u64, u64),
    /// It was not, as it carried this version.
    Conflict(u64),
}

/// What the cloud told of the versions, while a recording is taken apart.
#[derive(Debug, Default)]
pub(super) struct Histories(BTreeMap<ShadowName, History>);

#[derive(Debug)]
struct History {
    number: u32,
    base: u64,
    highest: u64,
}

impl Histories {
    /// Those of the stored session that a start line has.
    pub(super) fn of_start(line: &str) -> Histories {
        #[derive(Deserialize)]
        struct Start<'a> {
            #[serde(borrow)]
            session: Option<Stored<'a>>,
        }
        #[derive(Deserialize)]
        struct Stored<'a> {
            #[serde(borrow, default)]
            shadows: Vec<Shadow<'a>>,
        }
        #[derive(Deserialize)]
        struct Shadow<'a> {
            #[serde(borrow)]
            product_id: Cow<'a, str>,
            #[serde(borrow)]
            device_name: Cow<'a, str>,
            version: Option<u64>,
        }
        let mut histories = Histories::default();
        let start: Option<Start<'_>> = serde_json::from_str(line).ok();
        let session = start.and_then(|start| start.session);
        for shadow in session.into_iter().flat_map(|session| session.shadows) {
            let name = ShadowName::new(&shadow.product_id, &shadow.device_name);
            if let (Ok(name), Some(version)) = (name, shadow.version) {
                histories.history(name, version);
            }
        }
        histories
    }

    fn history(&mut self, name: ShadowName, base: u64) -> &mut History {
        let number = index32(self.0.len());
        self.0.entry(name).or_insert(History {
            number,
            base,
            highest: base,
        })
    }

    /// Takes a message of the cloud, and the version that the update carried which it answers.
    /// `None` for a message that tells no version.
    pub(super) fn told(&mut self, publish: &Publish<'_>, carried: Option<u64>) -> Option<Version> {
        let name = ShadowName::from_result_topic(publish.topic)?;
        let told = Told::read(publish.payload)?;
        let history = self.history(name, told.version);
        let step = Step::new(told.version, history.highest, told.shows());
        let fit = match (told.code, carried) {
            (Some(0), Some(carried)) if told.is_update => Fit::Accepted(carried, history.highest),
            (Some(0), None) if told.is_update => Fit::Unchecked,
            (Some(VERSION_CONFLICT), Some(carried)) if carried != told.version => {
                Fit::Conflict(carried)
            }
            _ => Fit::Any,
        };
        if !matches!(step, Step::Late(_)) {
            history.highest = told.version;
        }
        Some(Version {
            history: history.number,
            base: history.base,
            recorded: told.version,
            step,
            fit,
        })
    }

    /// The version that the application asks for in an update; `None` if it cannot have it from what
    /// the cloud told.
    pub(super) fn asked(&self, name: &ShadowName, version: u64) -> Option<Version> {
        let history = self.0.get(name).filter(|_| version > 0)?;
        Some(Version {
            history: history.number,
            base: history.base,
            recorded: version,
            step: Step::new(version, history.highest, false),
            fit: Fit::Any,
        })
    }
}

/// The highest version of each history that the cloud has told in a run.
#[derive(Debug)]
pub(super) struct Counts {
    highest: BTreeMap<u32, u64>,
    /// Whether versions are those of the recording.
    recorded: bool,
}

/// A version of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Counted {
    pub(super) version: u64,
    history: u32,
    highest: u64,
}

impl Counts {
    /// Nothing is told yet.
    pub(super) fn new(recorded: bool) -> Counts {
        Counts {
            highest: BTreeMap::new(),
            recorded,
        }
    }

    /// What a version is in this run, where the answered update carried `carried`; `None` if the
    /// cloud would not have answered it so.
    pub(super) fn count(&self, version: &Version, carried: Option<u64>) -> Option<Counted> {
        let highest = self.highest.get(&version.history).copied();
        let highest = highest.unwrap_or(version.base);
        let recorded = version.recorded;
        let mut number = match self.recorded {
            true => recorded,
            false => version.step.version(highest, recorded),
        };
        match (version.fit, carried) {
            // It is checked now: only a document that is as it was told accepts it, and makes one
            // version of it at most.
            (Fit::Unchecked, Some(carried))
                if carried != highest || number.checked_sub(carried).is_none_or(|up| up > 1) =>
            {
                return None;
            }
            (Fit::Accepted(then, before), Some(carried)) => {
                // Only what is late is told after what changed the document again.
                let late = matches!(version.step, Step::Late(_));
                if !late && carried != highest && carried.cmp(&highest) != then.cmp(&before) {
                    return None;
                }
                // It follows the version that it was accepted for, whatever else was told.
                number = moved(recorded, then, carried);
            }
            (Fit::Conflict(_), None) => return None,
            // The change that it conflicted with was told by what is gone, and now is by this.
            (Fit::Conflict(then), Some(carried)) if carried == number => {
                number = moved(recorded, then, carried);
            }
            _ => {}
        }
        // Where they are not counted anew, none is moved to where it would fit.
        (!self.recorded || number == recorded).then(|| Counted {
            version: number,
            history: version.history,
            highest: match version.step {
                Step::Reset => number,
                _ => number.max(highest),
            },
        })
    }

    /// A version has been told.
    pub(super) fn tell(&mut self, counted: Counted) {
        self.highest.insert(counted.history, counted.highest);
    }
}

/// What is to `to` as `version` is to `from`.
fn moved(version: u64, from: u64, to: u64) -> u64 {
    match version.checked_sub(from) {
        Some(up) => to.saturating_add(up),
        None => to.saturating_sub(from - version),
    }
}

/// What a message of the cloud tells of a version.
#[derive(Debug, PartialEq, Eq)]
struct Told {
    version: u64,
    /// Where it stands in the payload.
    place: Range<usize>,
    code: Option<i64>,
    is_get: bool,
    is_update: bool,
}

impl Told {
    fn read(payload: &[u8]) -> Option<Told> {
        #[derive(Deserialize)]
        struct Message<'a> {
            #[serde(rename = "type", borrow)]
            operation: Option<Cow<'a, str>>,
            result: Option<i64>,
            #[serde(borrow)]
            payload: &'a RawValue,
        }
        #[derive(Deserialize)]
        struct Document<'a> {
            #[serde(borrow)]
            version: &'a RawValue,
        }
        let text = std::str::from_utf8(payload).ok()?;
        let message: Message<'_> = serde_json::from_str(text).ok()?;
        let document: Document<'_> = serde_json::from_str(message.payload.get()).ok()?;
        let version = document.version.get();
        // It is a part of the text.
        let start = version.as_ptr().addr().checked_sub(text.as_ptr().addr())?;
        let operation = message.operation.as_deref();
        Some(Told {
            version: version.parse().ok()?,
            place: start..start + version.len(),
            code: message.result,
            is_get: operation == Some("get"),
            is_update: operation == Some("update"),
        })
    }

    /// Whether the whole document is shown, as it is now.
    fn shows(&self) -> bool {
        (self.is_get && self.code == Some(0)) || self.code == Some(VERSION_CONFLICT)
    }
}

/// The payload with another version, and not a byte of it changed otherwise.
pub(super) fn payload_with_version(payload: &[u8], version: u64) -> Option<Vec<u8>> {
    let told = Told::read(payload)?;
    let mut changed = payload.get(..told.place.start)?.to_vec();
    changed.extend_from_slice(version.to_string().as_bytes());
    changed.extend_from_slice(payload.get(told.place.end..)?);
    Some(changed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use shadow_core::mqtt::QoS;

    const CONFLICT: &str = r#"{"result":5005,"type":"update","payload":{"version":N}}"#;
    const ACCEPTED: &str = r#"{"result":0,"type":"update","payload":{"version":N}}"#;
    const DELTA: &str = r#"{"type":"delta","payload":{"version":N}}"#;
    const GOT: &str = r#"{"result":0,"type":"get","payload":{"version":N}}"#;

    /// Tells messages, each with its version and that of the answered update.
    fn recorded(messages: &[(&str, u64, Option<u64>)]) -> Vec<Version> {
        let mut histories = Histories::default();
        let told = messages.iter().map(|(message, version, carried)| {
            let payload = message.replace('N', &version.to_string());
            let topic = "$shadow/operation/result/PRODUCT001/lamp";
            let publish = Publish {
                dup: false,
                qos: QoS::AtMostOnce,
                packet_id: None,
                retain: false,
                topic,
                payload: payload.as_bytes(),
            };
            histories.told(&publish, *carried).unwrap()
        });
        told.collect()
    }

    /// The versions of those that are left, each with that of the answered update.
    fn counted(versions: &[Version], left: &[(usize, Option<u64>)]) -> Vec<Option<u64>> {
        told_by(Counts::new(false), versions, left)
    }

    /// As [`counted`], from these counts on.
    fn told_by(
        mut counts: Counts,
        versions: &[Version],
        left: &[(usize, Option<u64>)],
    ) -> Vec<Option<u64>> {
        let told = left.iter().map(|(index, carried)| {
            let counted = counts.count(&versions[*index], *carried)?;
            counts.tell(counted);
            Some(counted.version)
        });
        told.collect()
    }

    #[test]
    fn what_is_gone_is_not_counted() {
        let life = [
            (GOT, 8, None),
            (DELTA, 9, None),
            (ACCEPTED, 10, Some(9)),
            (ACCEPTED, 10, Some(10)),
            (DELTA, 11, None),
            // Late.
            (DELTA, 9, None),
            // One is missing.
            (DELTA, 13, None),
            // Reset, to what it never was before.
            (GOT, 3, None),
            (DELTA, 4, None),
        ];
        let versions = recorded(&life);
        let all: Vec<_> = (0..)
            .zip(life)
            .map(|(index, (_, _, v))| (index, v))
            .collect();
        let same: Vec<_> = life.iter().map(|(_, version, _)| Some(*version)).collect();
        assert_eq!(counted(&versions, &all), same);
        let rest = |left: &[usize]| {
            let left: Vec<_> = left.iter().map(|index| (*index, None)).collect();
            let counted = counted(&versions, &left);
            counted.into_iter().map(Option::unwrap).collect::<Vec<_>>()
        };
        assert_eq!(rest(&[0, 4]), [8, 9]);
        assert_eq!(rest(&[1, 4]), [9, 10]);
        assert_eq!(rest(&[0, 3, 4, 5]), [8, 8, 9, 7]);
        // What is late is gone, and what follows is what it was.
        assert_eq!(rest(&[0, 4, 6]), [8, 9, 11]);
        assert_eq!(rest(&[0, 6, 7, 8]), [8, 10, 3, 4]);
        assert_eq!(rest(&[0, 8]), [8, 9]);
        assert_eq!(rest(&[5, 7]), [6, 3]);
    }

    #[test]
    fn a_reply_fits_its_update() {
        let versions = recorded(&[
            (GOT, 8, None),
            (DELTA, 9, None),
            (CONFLICT, 9, Some(8)),
            (ACCEPTED, 10, Some(9)),
        ]);
        let all = [(0, None), (1, None), (2, Some(8)), (3, Some(9))];
        assert_eq!(
            counted(&versions, &all),
            [Some(8), Some(9), Some(9), Some(10)]
        );
        // Without the delta the conflict is the first that is heard of the change.
        let rest = [(0, None), (2, Some(8)), (3, Some(9))];
        assert_eq!(counted(&versions, &rest), [Some(8), Some(9), Some(10)]);
        // What is not checked is not in conflict, and what is, is not accepted.
        let rest = [(0, None), (2, None), (3, Some(7)), (3, None)];
        assert_eq!(counted(&versions, &rest), [Some(8), None, None, Some(9)]);
    }

    /// An update is accepted for the version that the document has, and makes one of it.
    #[test]
    fn a_reply_follows_what_its_update_carried() {
        let versions = recorded(&[
            (GOT, 8, None),
            // Two changes of which nothing was told.
            (ACCEPTED, 11, None),
            (DELTA, 12, None),
            (ACCEPTED, 13, Some(12)),
            // Two more, of which the application knew elsewhere.
            (ACCEPTED, 16, Some(15)),
            (DELTA, 18, None),
            // Late, behind the delta.
            (ACCEPTED, 17, Some(16)),
        ]);
        let all = [
            (0, None),
            (1, None),
            (2, None),
            (3, Some(12)),
            (4, Some(15)),
            (5, None),
            (6, Some(16)),
        ];
        let same = [8, 11, 12, 13, 16, 18, 17].map(Some);
        let whole = |recorded| told_by(Counts::new(recorded), &versions, &all);
        assert_eq!([whole(false), whole(true)], [same, same]);
        // The recorded version would be too high for what is carried.
        let rest = [(0, None), (3, Some(8))];
        assert_eq!(counted(&versions, &rest), [Some(8), Some(9)]);
        let kept = told_by(Counts::new(true), &versions, &rest);
        assert_eq!(kept, [Some(8), None]);
        // An update that is checked now was not accepted over changes that were not told.
        assert_eq!(counted(&versions, &[(0, None), (1, Some(8))])[1], None);
        // Without what made it late, and without what it knew of.
        assert_eq!(counted(&versions, &[(0, None), (6, Some(8))])[1], Some(9));
        assert_eq!(counted(&versions, &[(0, None), (4, Some(10))])[1], Some(11));
        assert_eq!(counted(&versions, &[(0, None), (4, Some(7))])[1], None);
    }

    #[test]
    fn nothing_else_of_a_payload_changes() {
        let text = "{\"version\":7, \"payload\" : {\"state\":{\"version\":7},\"version\" : 7 },\
                    \"result\":0,\"type\":\"get\"}\n";
        let changed = payload_with_version(text.as_bytes(), 1234).unwrap();
        let expected = text.replacen("\"version\" : 7 ", "\"version\" : 1234 ", 1);
        assert_eq!(String::from_utf8(changed).unwrap(), expected);
        for text in [
            "",
            "{}",
            "{\"payload\":{}}",
            "{\"payload\":{\"version\":null}}",
            "{\"payload\":{\"version\":-1}}",
            "{\"payload\":{\"version\":\"1\"}}",
            "{\"payload\":{\"version\":1,\"version\":2}}",
            "{\"payload\":{\"version\":18446744073709551616}}",
        ] {
            assert_eq!(payload_with_version(text.as_bytes(), 1), None, "{text}");
        }
    }

    #[test]
    fn a_stored_session_is_what_is_known_before() {
        let line = r#"{"at":0,"in":"start","seed":1,"config":{},"session":{"nonce":"a","shadows":[{"product_id":"PRODUCT001","device_name":"lamp","version":12,"reported":{}}]}}"#;
        let histories = Histories::of_start(line);
        let name = ShadowName::new("PRODUCT001", "lamp").unwrap();
        assert_eq!(histories.asked(&name, 12).unwrap().step, Step::Up(0));
        assert_eq!(histories.asked(&name, 10).unwrap().step, Step::Late(2));
        assert_eq!(histories.asked(&name, 0), None);
        let other = ShadowName::new("PRODUCT001", "other").unwrap();
        assert_eq!(histories.asked(&other, 12), None);
    }
}
