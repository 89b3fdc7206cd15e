//! In which fields two lines differ.

use std::fmt;
use std::ops::Range;

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use crate::recording::fields::{Fields, string};

/// One field in which a replay differs from the recording.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldDifference {
    /// Where it is in the line: `payload.state.reported.power`, `filters[0][1]`. A key that is more
    /// than letters, digits, `_` and `-` stands as `["a key"]`.
    pub path: String,
    /// The recorded value as JSON text; `None` if the recording has no such field.
    #[serde(serialize_with = "shortened")]
    pub expected: Option<String>,
    /// The engine's value as JSON text; `None` if it has no such field.
    #[serde(serialize_with = "shortened")]
    pub found: Option<String>,
    /// What of it is drawn at random, if that is in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub random: Option<Random>,
    /// Which bytes of the recorded line it is.
    #[serde(skip)]
    pub(super) expected_at: Option<Range<usize>>,
    /// Which bytes of the engine's line it is.
    #[serde(skip)]
    pub(super) found_at: Option<Range<usize>>,
}

/// What is drawn at random from the engine's seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub enum Random {
    /// The nonce of a client token. Nothing else differs in the field.
    Nonce,
    /// The connection id in a user name. Nothing else differs in the field.
    ConnectionId,
    /// The wait before the next try to connect, in which there is jitter. The rest of it is not
    /// random.
    Wait,
}

impl Random {
    /// Whether the field differs in nothing but that, so that the engine does not behave otherwise.
    #[must_use]
    pub const fn is_all(self) -> bool {
        match self {
            Random::Nonce | Random::ConnectionId => true,
            Random::Wait => false,
        }
    }
}

impl fmt::Display for Random {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Random::Nonce => "the nonce of the client token",
            Random::ConnectionId => "the connection id",
            Random::Wait => "there is jitter in it",
        })
    }
}

/// Values inside values are told apart down to here; what is deeper is compared as text.
const DEEPEST: usize = 64;

/// Above this many differences in one line the rest is not listed.
const MOST: usize = 100;

/// The longest value that is marked whole, in bytes.
const SHORT: usize = 24;

/// The longest value that is shown whole, in characters.
const LONGEST: usize = 100;

/// Compares two lines, or two JSON texts, member by member. Numbers are compared as text: 1 and 1.0
/// differ. If either is no JSON they differ as a whole.
pub(super) fn differences(expected: &str, found: &str) -> Vec<FieldDifference> {
    let mut comparison = Comparison {
        lines: (expected, found),
        path: String::new(),
        differences: Vec::new(),
    };
    let parse = |text| {
        serde_json::from_str::<&RawValue>(text)
            .ok()
            .map(RawValue::get)
    };
    match (parse(expected), parse(found)) {
        (Some(expected), Some(found)) => comparison.values(expected, found, 0),
        _ => comparison.differ(Some(expected), Some(found)),
    }
    let Comparison {
        mut differences, ..
    } = comparison;
    for difference in &mut differences {
        difference.random = randomness(difference, expected);
    }
    differences
}

struct Comparison<'a> {
    lines: (&'a str, &'a str),
    path: String,
    differences: Vec<FieldDifference>,
}

/// A value, opened.
enum Opened<'a> {
    Object(Fields<'a>),
    Array(Vec<&'a RawValue>),
    Text(String),
    Other,
}

fn open(json: &str, depth: usize) -> Opened<'_> {
    if depth < DEEPEST {
        match json.as_bytes().first() {
            Some(b'{') => {
                if let Some(fields) = Fields::parse(json) {
                    return Opened::Object(fields);
                }
            }
            Some(b'[') => {
                if let Ok(items) = serde_json::from_str(json) {
                    return Opened::Array(items);
                }
            }
            Some(b'"') => {
                if let Some(text) = string(json) {
                    return Opened::Text(text.into_owned());
                }
            }
            _ => {}
        }
    }
    Opened::Other
}

impl<'a> Comparison<'a> {
    fn values(&mut self, expected: &'a str, found: &'a str, depth: usize) {
        if expected == found {
            return;
        }
        match (open(expected, depth), open(found, depth)) {
            (Opened::Object(recorded), Opened::Object(engine)) => {
                for (key, value) in &recorded.members {
                    let other = engine.json(key);
                    self.within(&member(key), |this| match other {
                        Some(other) => this.values(value.get(), other, depth + 1),
                        None => this.differ(Some(value.get()), None),
                    });
                }
                for (key, value) in &engine.members {
                    if recorded.json(key).is_none() {
                        self.within(&member(key), |this| this.differ(None, Some(value.get())));
                    }
                }
            }
            (Opened::Array(recorded), Opened::Array(engine)) => {
                for index in 0..recorded.len().max(engine.len()) {
                    let pair = (recorded.get(index), engine.get(index));
                    self.within(&format!("[{index}]"), |this| match pair {
                        (Some(recorded), Some(engine)) => {
                            this.values(recorded.get(), engine.get(), depth + 1);
                        }
                        (recorded, engine) => {
                            this.differ(recorded.map(|v| v.get()), engine.map(|v| v.get()));
                        }
                    });
                }
            }
            // However they are escaped.
            (Opened::Text(recorded), Opened::Text(engine)) if recorded == engine => {}
            _ => self.differ(Some(expected), Some(found)),
        }
    }

    fn within(&mut self, step: &str, work: impl FnOnce(&mut Self)) {
        let length = self.path.len();
        self.path.push_str(if length == 0 {
            step.strip_prefix('.').unwrap_or(step)
        } else {
            step
        });
        work(self);
        self.path.truncate(length);
    }

    fn differ(&mut self, expected: Option<&'a str>, found: Option<&'a str>) {
        if self.differences.len() == MOST {
            return;
        }
        let (expected_part, found_part) = match (expected, found) {
            (Some(expected), Some(found)) => differing_parts(expected, found),
            _ => (expected.unwrap_or_default(), found.unwrap_or_default()),
        };
        self.differences.push(FieldDifference {
            path: self.path.clone(),
            expected: expected.map(str::to_owned),
            found: found.map(str::to_owned),
            random: None,
            expected_at: expected.and_then(|_| place(self.lines.0, expected_part)),
            found_at: found.and_then(|_| place(self.lines.1, found_part)),
        });
    }
}

fn member(key: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if !key.is_empty() && key.bytes().all(plain) {
        format!(".{key}")
    } else {
        // A string is always written.
        format!("[{}]", serde_json::to_string(key).unwrap_or_default())
    }
}

/// Which bytes of `line` its part is.
fn place(line: &str, part: &str) -> Option<Range<usize>> {
    let start = (part.as_ptr() as usize).checked_sub(line.as_ptr() as usize)?;
    let end = start + part.len();
    (end <= line.len()).then_some(start..end)
}

/// What to mark of two values: all of short ones, of long ones what differs.
fn differing_parts<'a>(expected: &'a str, found: &'a str) -> (&'a str, &'a str) {
    if expected.len().max(found.len()) <= SHORT {
        return (expected, found);
    }
    let same = |(a, b): &(char, char)| a == b;
    let before = expected.chars().zip(found.chars()).take_while(same);
    let before: usize = before.map(|(a, _)| a.len_utf8()).sum();
    let (expected, found) = (
        expected.get(before..).unwrap_or_default(),
        found.get(before..).unwrap_or_default(),
    );
    let behind = expected
        .chars()
        .rev()
        .zip(found.chars().rev())
        .take_while(same);
    let behind: usize = behind.map(|(a, _)| a.len_utf8()).sum();
    let cut = |text: &'a str| text.get(..text.len() - behind).unwrap_or(text);
    (cut(expected), cut(found))
}

/// What is drawn at random, if the two values differ in nothing else.
fn randomness(difference: &FieldDifference, line: &str) -> Option<Random> {
    let expected = difference.expected.as_deref()?;
    let found = difference.found.as_deref()?;
    let last = difference.path.rsplit('.').next()?;
    match last {
        "clientToken" | "token" => {
            let (expected, found) = (string(expected)?, string(found)?);
            let ((nonce, number), (other, other_number)) =
                (expected.rsplit_once('-')?, found.rsplit_once('-')?);
            let drawn =
                |text: &str| text.len() == 8 && text.bytes().all(|b| b.is_ascii_alphanumeric());
            (number == other_number && drawn(nonce) && drawn(other)).then_some(Random::Nonce)
        }
        "user_name" => {
            let (expected, found) = (string(expected)?, string(found)?);
            let (expected, found): (Vec<&str>, Vec<&str>) =
                (expected.split(';').collect(), found.split(';').collect());
            let same = expected.len() == found.len()
                && expected
                    .iter()
                    .zip(&found)
                    .enumerate()
                    .all(|(index, (a, b))| index == 2 || a == b);
            same.then_some(Random::ConnectionId)
        }
        "retry_in" => Some(Random::Wait),
        "due" => {
            let timer = Fields::parse(line)?.text("timer")?;
            (timer == "Reconnect").then_some(Random::Wait)
        }
        _ => None,
    }
}

/// Both values, each shortened around the first character in which they differ if it is long.
pub(super) fn shown(difference: &FieldDifference) -> (Option<String>, Option<String>) {
    let (expected, found) = (difference.expected.as_deref(), difference.found.as_deref());
    let at = match (expected, found) {
        (Some(expected), Some(found)) => {
            let same = expected.chars().zip(found.chars());
            same.take_while(|(a, b)| a == b).count()
        }
        _ => 0,
    };
    let shorten = |text: &str| shorten(text, at, LONGEST);
    (expected.map(shorten), found.map(shorten))
}

/// At most `longest` characters of a text, those around the character `at`.
pub(in crate::recording) fn shorten(text: &str, at: usize, longest: usize) -> String {
    let count = text.chars().count();
    if count <= longest {
        return text.to_owned();
    }
    let start = at.saturating_sub(longest / 3).min(count - longest);
    let mut short = String::new();
    if start > 0 {
        short.push('…');
    }
    short.extend(text.chars().skip(start).take(longest));
    if start + longest < count {
        short.push('…');
    }
    short
}

/// A value that is long is not repeated whole: the lines have it.
fn shortened<S: Serializer>(value: &Option<String>, serializer: S) -> Result<S::Ok, S::Error> {
    value
        .as_deref()
        .map(|text| shorten(text, 0, 1_000))
        .serialize(serializer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(expected: &str, found: &str) -> Vec<String> {
        let differences = differences(expected, found);
        let line = |FieldDifference {
                        path,
                        expected,
                        found,
                        ..
                    }| {
            let text = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
            format!("{path}: {} / {}", text(expected), text(found))
        };
        differences.into_iter().map(line).collect()
    }

    #[test]
    fn paths_lead_to_what_differs() {
        assert_eq!(
            paths(
                r#"{"filters":[["a",0],["b",1]],"id":1}"#,
                r#"{"filters":[["a",1],["b",1],["c",0]],"id":1}"#
            ),
            ["filters[0][1]: 0 / 1", "filters[2]: - / [\"c\",0]"]
        );
        assert_eq!(
            paths(
                r#"{"payload":{"state":{"a.b":{"c":1},"gone":null}}}"#,
                r#"{"payload":{"state":{"new":"x","a.b":{"c":1.0}}}}"#
            ),
            [
                r#"payload.state["a.b"].c: 1 / 1.0"#,
                "payload.state.gone: null / -",
                r#"payload.state.new: - / "x""#
            ]
        );
        // Another kind of value; and nothing in common at all.
        assert_eq!(paths(r#"{"a":{}}"#, r#"{"a":[]}"#), ["a: {} / []"]);
        assert_eq!(paths("{}", "x"), [": {} / x"]);
        assert_eq!(paths(r#"{"a": "\u0041"}"#, r#"{"a":"A"}"#), [""; 0]);
    }

    #[test]
    fn no_depth_or_number_of_differences_is_too_much() {
        let deep = |inner: &str| format!("{}{inner}{}", "[".repeat(100_000), "]".repeat(100_000));
        let found = differences(&deep("1"), &deep("2"));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].path, "[0]".repeat(DEEPEST));
        let wide = |item: &str| format!("[{item}{}]", format!(",{item}").repeat(10_000));
        assert_eq!(differences(&wide("1"), &wide("2")).len(), MOST);
    }

    #[test]
    fn long_values_are_shown_where_they_differ() {
        let text = |middle: &str| format!("\"{}{middle}{}\"", "ä".repeat(5_000), "x".repeat(5_000));
        let found = differences(&text("on"), &text("off"));
        let (expected, found) = shown(&found[0]);
        let (expected, found) = (expected.unwrap(), found.unwrap());
        assert_eq!(expected.chars().count(), LONGEST + 2);
        assert!(
            expected.contains("ääonxx") && found.contains("ääoffxx"),
            "{expected} {found}"
        );
    }

    #[test]
    fn what_is_drawn_at_random_is_told() {
        let random = |expected: &str, found: &str| {
            let found = differences(expected, found);
            assert_eq!(found.len(), 1, "{found:?}");
            found[0].random
        };
        let token = |token: &str| format!(r#"{{"payload":{{"clientToken":"{token}"}}}}"#);
        let nonce = Some(Random::Nonce);
        assert_eq!(random(&token("abcdefgh-0"), &token("ABCDEFGH-0")), nonce);
        assert_eq!(random(&token("abcdefgh-0"), &token("ABCDEFGH-1")), None);
        assert_eq!(random(&token("abcdefgh-0"), &token("abcdefgh-1")), None);
        assert_eq!(random(&token("PRODUCT001-0"), &token("PRODUCT002-0")), None);
        let user = |name: &str| format!(r#"{{"user_name":"{name}"}}"#);
        let id = Some(Random::ConnectionId);
        assert_eq!(random(&user("a;1;xxxxx;9"), &user("a;1;yyyyy;9")), id);
        assert_eq!(random(&user("a;1;xxxxx;9"), &user("a;1;yyyyy;8")), None);
    }
}
