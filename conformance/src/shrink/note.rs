//! What an engine gave and inputs refer to: packets that are answered, and deltas.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;
use shadow_core::Delta;

/// How many notes of one step are compared: no engine gives more at once, but a forged recording may.
const MAXIMUM_COMPARED: usize = 1024;

/// One output that an input can refer to.
#[derive(Clone, Debug, Default)]
pub(super) struct Note {
    /// What is alike in all of which one can stand for another: kind and topic.
    pub(super) class: String,
    /// What tells those of one class apart, without ids and tokens.
    pub(super) content: String,
    pub(super) id: Option<u16>,
    pub(super) token: Option<String>,
    /// The version that an update carries, if it is to be checked.
    pub(super) version: Option<u64>,
    pub(super) delta: Option<Delta>,
    /// On the how-manieth link it left.
    pub(super) link: u32,
}

/// What is read of an output's line.
#[derive(Deserialize)]
pub(super) struct Fields<'a> {
    #[serde(borrow)]
    pub(super) out: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) packet: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) event: Option<Cow<'a, str>>,
    id: Option<u16>,
    #[serde(borrow)]
    topic: Option<Cow<'a, str>>,
    #[serde(borrow)]
    payload: Option<&'a RawValue>,
    #[serde(borrow)]
    filters: Option<&'a RawValue>,
    pub(super) request: Option<u64>,
    pub(super) shadow: Option<u32>,
}

/// What is read of a request to a shadow.
#[derive(Deserialize)]
struct Operation<'a> {
    #[serde(rename = "type", borrow)]
    operation: Cow<'a, str>,
    #[serde(rename = "clientToken", borrow)]
    token: Cow<'a, str>,
    #[serde(borrow)]
    state: Option<&'a RawValue>,
    #[serde(borrow)]
    version: Option<&'a RawValue>,
}

impl<'a> Fields<'a> {
    /// Reads an output; `None` for what is none.
    pub(super) fn read(line: &'a str) -> Option<Fields<'a>> {
        serde_json::from_str(line).ok()
    }

    /// The filters of a SUBSCRIBE.
    pub(super) fn subscribes(&self) -> Vec<String> {
        let filters = self.filters.map(RawValue::get);
        let filters: Vec<(String, u8)> = filters
            .and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or_default();
        filters.into_iter().map(|(filter, _)| filter).collect()
    }

    /// The note of it, if inputs can refer to it.
    pub(super) fn note(&self) -> Option<Note> {
        let kind = match (&*self.out, &self.packet) {
            ("connect", _) => "connect",
            ("packet", Some(kind)) => kind,
            _ => return None,
        };
        let text = |raw: Option<&'a RawValue>| raw.map_or("", RawValue::get);
        let mut note = Note {
            id: self.id,
            ..Note::default()
        };
        match kind {
            "connect" | "CONNECT" | "PINGREQ" => note.class = kind.to_owned(),
            "SUBSCRIBE" | "UNSUBSCRIBE" => note.class = format!("{kind} {}", text(self.filters)),
            "PUBREC" | "PUBREL" => {
                note.class = kind.to_owned();
                note.content = self.id.unwrap_or_default().to_string();
            }
            "PUBLISH" => {
                let topic = self.topic.as_deref().unwrap_or_default();
                let payload = text(self.payload);
                match serde_json::from_str::<Operation<'_>>(payload) {
                    Ok(request) => {
                        note.class = format!("{} {topic}", request.operation);
                        note.content = text(request.state).to_owned();
                        let version = request.version.and_then(|raw| raw.get().parse().ok());
                        note.version = version.filter(|version| *version > 0);
                        note.token = Some(request.token.into_owned());
                    }
                    Err(_) => {
                        note.class = format!("PUBLISH {topic}");
                        note.content = payload.to_owned();
                    }
                }
            }
            _ => return None,
        }
        Some(note)
    }
}

/// The note of a delta that was told.
pub(super) fn note_of_delta(delta: &Delta) -> Note {
    Note {
        class: "delta".to_owned(),
        content: delta.state.as_str().to_owned(),
        delta: Some(delta.clone()),
        ..Note::default()
    }
}

/// The notes of the whole recording, in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Notes {
    classes: BTreeMap<String, u32>,
    /// Step, class and content.
    entries: Vec<(u32, u32, String)>,
}

impl Notes {
    /// Adds what came of a step; its number.
    pub(super) fn push(&mut self, step: u32, note: &Note) -> u32 {
        let number = self.entries.len();
        let class = match self.classes.get(&note.class) {
            Some(class) => *class,
            None => {
                let class = index32(self.classes.len());
                self.classes.insert(note.class.clone(), class);
                class
            }
        };
        self.entries.push((step, class, note.content.clone()));
        index32(number)
    }
}

pub(super) fn index32(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

/// The notes of a run, and which of the recording's each of them is.
///
/// What comes of the same step, of the same class, is the same; that of the same content first. What
/// comes elsewhere, as the cause of it has changed, can stand for one that did not come.
#[derive(Debug)]
pub(super) struct Matching<'n> {
    notes: &'n Notes,
    seen: Vec<Note>,
    /// Which one of `seen` a note of the recording is.
    identified: Vec<Option<u32>>,
    /// Of each class, those of `seen` that are no note of the recording.
    loose: Vec<Vec<u32>>,
    /// Of each class, whether there was one.
    met: Vec<bool>,
}

impl<'n> Matching<'n> {
    pub(super) fn new(notes: &'n Notes) -> Matching<'n> {
        Matching {
            notes,
            seen: Vec::new(),
            identified: vec![None; notes.entries.len()],
            loose: vec![Vec::new(); notes.classes.len()],
            met: vec![false; notes.classes.len()],
        }
    }

    /// Takes what came of a step; `None` for a step of which the recording has nothing.
    pub(super) fn push(&mut self, step: Option<u32>, note: Note) {
        let Some(&class) = self.notes.classes.get(&note.class) else {
            return;
        };
        let number = index32(self.seen.len());
        if let Some(met) = self.met.get_mut(class as usize) {
            *met = true;
        }
        let known = step.and_then(|step| self.same(step, class, &note.content));
        match known {
            Some(known) => {
                if let Some(identified) = self.identified.get_mut(known) {
                    *identified = Some(number);
                }
            }
            None => {
                if let Some(loose) = self.loose.get_mut(class as usize) {
                    loose.push(number);
                }
            }
        }
        self.seen.push(note);
    }

    /// The note of the recording that came of the same step.
    fn same(&self, step: u32, class: u32, content: &str) -> Option<usize> {
        let entries = &self.notes.entries;
        let first = entries.partition_point(|entry| entry.0 < step);
        let mut other = None;
        for (index, entry) in entries
            .iter()
            .enumerate()
            .skip(first)
            .take(MAXIMUM_COMPARED)
        {
            if entry.0 != step {
                break;
            }
            let free = matches!(self.identified.get(index), Some(None));
            if entry.1 != class || !free {
                continue;
            }
            if entry.2 == content {
                return Some(index);
            }
            other = other.or(Some(index));
        }
        other
    }

    /// What a note of the recording is in this run; the latest that can stand for it, if it is not
    /// there itself; `None` if there is nothing to refer to.
    pub(super) fn find(&mut self, number: u32) -> Option<&Note> {
        let identified = self.identified.get_mut(number as usize)?;
        if identified.is_none() {
            let class = self.notes.entries.get(number as usize)?.1;
            *identified = self.loose.get_mut(class as usize)?.pop();
        }
        self.seen.get((*identified)? as usize)
    }

    /// Whether there was one of the class of a note of the recording.
    pub(super) fn has_met(&self, number: u32) -> bool {
        let entry = self.notes.entries.get(number as usize);
        entry.is_some_and(|entry| self.met.get(entry.1 as usize) == Some(&true))
    }
}
