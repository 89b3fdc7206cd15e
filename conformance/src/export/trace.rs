//! A recording as text for snapshots.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::value::RawValue;
use shadow_core::json::{JsonStyle, restyle};

use crate::members::Members;
use crate::recording::{ReadError, Reader};
use crate::show::{Content, Kind, Route, Step, Story};

/// Values within values beyond this depth stay as they are.
const DEEPEST: usize = 32;

/// A recording as text, one line for each thing that happened: see [`Trace`].
///
/// ```
/// use conformance::export::trace;
/// use conformance::recording::{Part, Reader};
///
/// let recording = concat!(
///     r#"{"shadow-recording":1,"engine":"0.1.0","part":1,"mask":[]}"#, "\n",
///     r#"{"at":5000000,"in":"get","shadow":0}"#, "\n",
///     r#"{"at":5000000,"out":"accepted","request":1}"#, "\n",
///     r#"{"at":5000000,"out":"packet","packet":"PUBLISH","#,
///     r#""topic":"$shadow/operation/P/lamp","qos":0,"#,
///     r#""payload":{"type":"get","clientToken":"k3Jp0QzX-17"}}"#, "\n",
///     r#"{"at":5250000,"in":"tick"}"#, "\n",
///     r#"{"at":15000000,"out":"event","event":"Ended","request":1,"outcome":"TimedOut"}"#, "\n",
/// );
/// let reader = Reader::new(vec![Part::of_text("lamp", recording)])?;
/// assert_eq!(
///     trace(reader)?,
///     r#"
///     0.000000 call get {"shadow":0} #1
///     0.000000 -> PUBLISH QoS 0, $shadow/operation/P/lamp {"clientToken":"t1","type":"get"}
///    10.000000 event Ended {"outcome":"TimedOut","request":1}
/// "#
///     .trim_start_matches('\n')
/// );
/// # Ok::<(), conformance::recording::ReadError>(())
/// ```
///
/// # Errors
///
/// Those of reading the recording.
pub fn trace(reader: Reader<'_>) -> Result<String, ReadError> {
    let mut text = String::new();
    for line in Trace::new(reader) {
        text.push_str(&line?);
        text.push('\n');
    }
    Ok(text)
}

/// The lines of a trace, as `insta` and a person can compare them.
///
/// Equal behaviour is equal text, whatever the seed and wherever the clock began:
///
/// * Times are seconds since the recording began, `{:>5}.{:06}`.
/// * The keys of JSON objects are sorted, and there is no white space between the tokens. Numbers and
///   strings are written as they were.
/// * Client tokens are `t1`, `t2`, … in the order in which they first came. What the time of day and
///   chance decide is `*`: connection ids and the expiry of a login, and each number under a key
///   `timestamp`. Wall times are left out, as are the seed, the configuration and the stored
///   session.
/// * There are no secrets in it, as there are none in a recording.
/// * Ticks without effect and polls are left out. What a timer is for stands in its line.
///
/// What remains of chance are the pauses before connecting again, which a seed decides.
pub struct Trace<'a> {
    story: Story<'a>,
    tokens: BTreeMap<String, usize>,
}

impl<'a> Trace<'a> {
    /// The trace of what is behind the header.
    #[must_use]
    pub fn new(reader: Reader<'a>) -> Trace<'a> {
        Trace {
            story: Story::new(reader),
            tokens: BTreeMap::new(),
        }
    }

    fn line(&mut self, step: &Step) -> String {
        let (seconds, micros) = (step.at.as_secs(), step.at.subsec_micros());
        let sort = match (step.kind, step.route) {
            (_, Route::DeviceToCloud) => "->",
            (_, Route::CloudToDevice) => "<-",
            (Kind::Call, _) => "call",
            (Kind::Event, _) => "event",
            (Kind::Timer, _) => "timer",
            _ => "link",
        };
        let mut line = format!("{seconds:>5}.{micros:06} {sort} {}", step.name);
        let is_packet = matches!(step.kind, Kind::Message | Kind::Control);
        let mut said: Vec<String> = Vec::new();
        if is_packet {
            said.push(detail(&step.detail));
            said.extend(step.topic.clone());
        }
        if !matches!(step.kind, Kind::Message | Kind::Call | Kind::Event) {
            said.push(step.words.clone());
        }
        said.retain(|part| !part.is_empty());
        if !said.is_empty() {
            line.push(' ');
            line.push_str(&said.join(", "));
        }
        if step.name != "start" {
            self.content(step, &mut line);
        }
        if let (Kind::Call, Some(request)) = (step.kind, step.request) {
            line.push_str(&format!(" #{request}"));
        }
        if step.document_of.is_some() {
            line.push_str(", the document as received");
        }
        // Of an event it stands in the content.
        if let (Some(fault), true) = (&step.fault, step.kind != Kind::Event) {
            line.push_str(&format!(" ! {fault}"));
        }
        // A line is one line, whatever is in it.
        line.chars()
            .map(|c| if c.is_control() { '\u{fffd}' } else { c })
            .collect()
    }

    fn content(&mut self, step: &Step, line: &mut String) {
        match &step.content {
            None => {}
            Some(Content::Json(text)) => {
                line.push(' ');
                let token = match step.kind {
                    _ if step.token.is_none() => None,
                    Kind::Message => Some("clientToken"),
                    _ => Some("token"),
                };
                self.sorted(text, token, 0, line);
            }
            Some(Content::Text(text)) => line.push_str(&format!(" {text:?}")),
            Some(Content::Bytes(digits)) => line.push_str(&format!(" 0x{digits}")),
        }
    }

    /// Appends JSON with sorted keys. The client token, which stands under the key `token` of the
    /// outermost object, is replaced.
    fn sorted(&mut self, text: &str, token: Option<&str>, depth: usize, line: &mut String) {
        let text = text.trim();
        if depth < DEEPEST
            && text.starts_with('{')
            && let Some(members) = Members::<String>::of(text)
        {
            let members: BTreeMap<&str, &str> = members.iter().collect();
            line.push('{');
            for (index, (key, value)) in members.into_iter().enumerate() {
                if index > 0 {
                    line.push(',');
                }
                // A string always has a JSON form.
                line.push_str(&serde_json::to_string(key).unwrap_or_default());
                line.push(':');
                let is_number = value.starts_with(|first: char| first.is_ascii_digit());
                if key == "timestamp" && is_number {
                    line.push_str("\"*\"");
                } else if token == Some(key) {
                    let number = self.token(value);
                    line.push_str(&format!("\"t{number}\""));
                } else {
                    self.sorted(value, None, depth + 1, line);
                }
            }
            line.push('}');
        } else if depth < DEEPEST
            && text.starts_with('[')
            && let Ok(elements) = serde_json::from_str::<Vec<&RawValue>>(text)
        {
            line.push('[');
            for (index, element) in elements.into_iter().enumerate() {
                if index > 0 {
                    line.push(',');
                }
                self.sorted(element.get(), None, depth + 1, line);
            }
            line.push(']');
        } else {
            let mut compact = Vec::with_capacity(text.len());
            restyle(text, JsonStyle::Compact, &mut compact);
            line.push_str(&String::from_utf8_lossy(&compact));
        }
    }

    /// The number of a token, given as JSON. A token that is a number comes back as a string.
    fn token(&mut self, json: &str) -> usize {
        let text = serde_json::from_str(json).unwrap_or_else(|_| json.to_owned());
        let next = self.tokens.len() + 1;
        *self.tokens.entry(text).or_insert(next)
    }
}

impl Iterator for Trace<'_> {
    type Item = Result<String, ReadError>;

    fn next(&mut self) -> Option<Result<String, ReadError>> {
        loop {
            let step = match self.story.next()? {
                Ok(step) => step,
                Err(error) => return Some(Err(error)),
            };
            if step.kind != Kind::Clock {
                return Some(Ok(self.line(&step)));
            }
        }
    }
}

impl fmt::Debug for Trace<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trace")
            .field("story", &self.story)
            .finish_non_exhaustive()
    }
}

/// A packet's fields; of the user name's `{client id};{app id};{connection id};{expiry}` without the
/// connection id, which is random, and the expiry, which the time of day decides.
fn detail(detail: &str) -> String {
    let parts = detail.split(", ").map(|part| {
        let fields: Vec<&str> = part.split(';').collect();
        match fields[..] {
            [user, application, _, _] if user.starts_with("user ") => {
                format!("{user};{application};*;*")
            }
            _ => part.to_owned(),
        }
    });
    parts.collect::<Vec<_>>().join(", ")
}
