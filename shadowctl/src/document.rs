//! A shadow as it is printed.

use std::fmt::{self, Write as _};

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use shadow_core::json::{Json, JsonStyle, restyle};
use shadow_core::tencent::{Document, ShadowName, VERSION_CONFLICT};
use transport_mock::service::ResultCode;
use transport_tcp::ClientError;

use crate::failure::Failure;
use crate::output::{FAINT, HEADING, Output};

/// A whole shadow: that of a get reply.
///
/// Text: the parts with a line for each key. JSON: the reply's `payload` as the cloud sent it,
/// without white space.
#[derive(Clone, Debug)]
pub struct ShadowReport<'a> {
    /// Whose.
    pub name: &'a ShadowName,
    /// The reply's payload.
    pub document: &'a Document,
}

/// What an update changed.
///
/// Text: a line that says so. JSON: the reply's `payload` as the cloud sent it, without white
/// space.
#[derive(Clone, Debug)]
pub struct UpdateReport<'a> {
    /// What was done, as in `reported`.
    pub done: &'static str,
    /// The reply's payload: the keys whose value changed.
    pub document: &'a Document,
}

/// A refusal by the cloud, for scripts: `{"rejected":5005,"document":{..}}`.
#[derive(Clone, Debug, Serialize)]
struct Rejection {
    rejected: i64,
    document: Compact,
}

impl fmt::Display for ShadowReport<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let document = self.document;
        write!(f, "{HEADING}{}{HEADING:#}", self.name)?;
        match (document.version(), document.timestamp()) {
            // Its time is that of the reply.
            (Some(0) | None, _) => write!(f, "  version 0: nothing was ever stored")?,
            (Some(version), None) => write!(f, "  version {version}")?,
            (Some(version), Some(time)) => {
                let time = UtcTime(time.as_unix_millis());
                write!(f, "  version {version}, of {time}")?;
            }
        }
        part(f, "reported", document.reported())?;
        part(f, "desired", document.desired())?;
        part(f, "delta", document.delta())
    }
}

impl Serialize for ShadowReport<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Compact::of(self.document).serialize(serializer)
    }
}

impl fmt::Display for UpdateReport<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.done)?;
        if let Some(version) = self.document.version() {
            write!(f, "; the shadow is at version {version}")?;
        }
        match self.document.state() {
            Some(state) if !is_empty(state) => write!(f, "; changed: {}", Printable(state)),
            _ => write!(f, "; nothing changed by it"),
        }
    }
}

impl Serialize for UpdateReport<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Compact::of(self.document).serialize(serializer)
    }
}

/// The document of a request of the device's that was accepted.
///
/// # Errors
///
/// [`FailureKind::Operation`](crate::failure::FailureKind::Operation): how it failed otherwise. For
/// scripts a refusal by the cloud is printed as well, `{"rejected":5005,"document":{..}}`.
pub fn finish(
    result: Result<Document, ClientError>,
    output: &mut Output,
) -> Result<Document, Failure> {
    result.map_err(|error| match error {
        ClientError::Rejected { code, document } => rejected(code, &document, output),
        ClientError::TimedOut => Failure::operation(
            "no answer in time: is there a shadow service at this server? The cloud may have \
             carried it out all the same",
        ),
        error => Failure::operation(error),
    })
}

/// What a result code means that this project's model of the cloud made up; the vendor documents
/// none but 0 and 5005.
fn meaning(code: i64) -> Option<&'static str> {
    let meanings = [
        (ResultCode::MALFORMED, "the request is not understood"),
        (ResultCode::TOO_LARGE, "the document would be too large"),
        (ResultCode::TOO_DEEP, "the state nests too deep"),
        (ResultCode::TOO_MANY_SHADOWS, "it keeps no more shadows"),
    ];
    let known = |(own, _): &&(ResultCode, _)| i64::from(own.value()) == code;
    meanings.iter().find(known).map(|(_, meaning)| *meaning)
}

/// The failure that a refusal by the cloud ends with; for scripts, the refusal is printed as well.
pub fn rejected(code: i64, document: &Document, output: &mut Output) -> Failure {
    let printed = output.json(&Rejection {
        rejected: code,
        document: Compact::of(document),
    });
    let error = ClientError::Rejected {
        code,
        document: document.clone(),
    };
    match (printed, code) {
        (Err(failure), _) => failure,
        (Ok(()), VERSION_CONFLICT) => Failure::operation(format_args!(
            "{error}. Look at it with `get`, then ask again for that version"
        )),
        (Ok(()), code) => match meaning(code) {
            Some(meaning) => Failure::operation(format_args!(
                "{error}, with which `shadowctl serve` means: {meaning}"
            )),
            None => Failure::operation(error),
        },
    }
}

/// Whether the state of an update's reply names no key and clears no part.
fn is_empty(state: &str) -> bool {
    let is_empty_object = |text: &str| matches!(serde_json::from_str::<Members<'_>>(text), Ok(Members(members)) if members.is_empty());
    match serde_json::from_str::<Members<'_>>(state) {
        Ok(Members(parts)) => parts.iter().all(|(_, part)| is_empty_object(part.get())),
        Err(_) => state == "null",
    }
}

/// One part of the shadow, with a line for each key.
fn part(f: &mut fmt::Formatter<'_>, name: &str, text: Option<&str>) -> fmt::Result {
    write!(f, "\n  {name:<8}")?;
    let text = match text {
        None | Some("null") => return write!(f, "  {FAINT}none{FAINT:#}"),
        Some(text) => text,
    };
    match serde_json::from_str::<Members<'_>>(text) {
        Ok(Members(members)) if members.is_empty() => write!(f, "  {FAINT}empty{FAINT:#}"),
        Ok(Members(members)) => {
            let keys: Vec<String> = members.iter().map(|(key, _)| printable_key(key)).collect();
            let widths = keys.iter().map(|key| key.chars().count());
            let width = widths.max().unwrap_or(0).min(32);
            for (index, (key, (_, value))) in keys.iter().zip(&members).enumerate() {
                let indent = if index == 0 { "  " } else { "\n            " };
                write!(f, "{indent}{key:<width$}  {}", Printable(value.get()))?;
            }
            Ok(())
        }
        Err(_) => write!(f, "  {}", Printable(text)),
    }
}

/// A key as it is; in quotes, with JSON's escapes, where it would be mistaken otherwise.
fn printable_key(key: &str) -> String {
    let plain = |c: char| !(c.is_whitespace() || c.is_control() || c == '"' || c == '\\');
    if !key.is_empty() && key.chars().all(plain) {
        return key.to_owned();
    }
    let quoted = serde_json::to_string(key).unwrap_or_default();
    Printable(&quoted).to_string()
}

/// The members of a JSON object in its order.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

/// Text from the network without what could command a terminal: control characters, and those that
/// turn the direction of text around, are written as JSON escapes.
#[derive(Clone, Copy, Debug)]
pub struct Printable<'a>(pub &'a str);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_harmless(f, self.0, |_| false)
    }
}

/// What is displayed, made [printable](Printable) on as many lines as it has. It has no styles of its
/// own: they would be foreign too.
#[derive(Clone, Copy, Debug)]
pub struct Foreign<T>(pub T);

impl<T: fmt::Display> fmt::Display for Foreign<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Harmless(f, &['\n']), "{}", self.0)
    }
}

/// What is displayed with styles of this program in it. Only line feeds and the escape character,
/// with which a style begins, are let through: text of others has to be [`Printable`] or
/// [`Foreign`] before, lest it brings styles along.
#[derive(Clone, Copy, Debug)]
pub struct Styled<T>(pub T);

impl<T: fmt::Display> fmt::Display for Styled<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Harmless(f, &['\n', '\u{1b}']), "{}", self.0)
    }
}

/// Writes on what it is given, with escapes for all that is harmful and not let through.
struct Harmless<'a, 'f>(&'a mut fmt::Formatter<'f>, &'static [char]);

impl fmt::Write for Harmless<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        write_harmless(self.0, text, |character| self.1.contains(&character))
    }
}

fn write_harmless(
    f: &mut fmt::Formatter<'_>,
    text: &str,
    passes: impl Fn(char) -> bool,
) -> fmt::Result {
    let is_harmful = |c: char| {
        !passes(c)
            && (c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'))
    };
    let mut rest = text;
    while let Some((at, character)) = rest.char_indices().find(|(_, c)| is_harmful(*c)) {
        let (before, behind) = rest.split_at(at);
        f.write_str(before)?;
        match character {
            '\n' | '\r' | '\t' => f.write_str(" ")?,
            other => write!(f, "\\u{:04x}", u32::from(other))?,
        }
        rest = behind.get(character.len_utf8()..).unwrap_or_default();
    }
    f.write_str(rest)
}

/// JSON on one line.
#[derive(Clone, Debug)]
pub struct Compact(Json);

impl Compact {
    /// A document on one line.
    #[must_use]
    pub fn of(document: &Document) -> Compact {
        Compact::from_text(document.as_json())
    }

    /// Any JSON text on one line; what is no JSON becomes a JSON string.
    #[must_use]
    pub fn from_text(text: &str) -> Compact {
        let mut bytes = Vec::with_capacity(text.len());
        restyle(text, JsonStyle::Compact, &mut bytes);
        let compact = String::from_utf8_lossy(&bytes);
        let json = Json::new(&*compact).or_else(|_| Json::from_serialize(text));
        Compact(json.unwrap_or_else(|_| Json::from_serialize(&()).expect("null is JSON")))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl Serialize for Compact {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

/// Milliseconds since 1970, printed as in `2021-07-20 08:43:46.087 UTC`.
#[derive(Clone, Copy, Debug)]
pub struct UtcTime(pub u64);

impl fmt::Display for UtcTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, millis) = (self.0 / 1_000, self.0 % 1_000);
        let (days, second) = (seconds / 86_400, seconds % 86_400);
        let (year, month, day) = civil(days);
        write!(
            f,
            "{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}.{millis:03} UTC",
            second / 3_600,
            second / 60 % 60,
            second % 60
        )
    }
}

/// Year, month and day of the Gregorian calendar, so many days after 1970-01-01.
fn civil(days: u64) -> (u64, u64, u64) {
    // Count from 0000-03-01: a leap day is then the last day of a year, a cycle of 400 years has
    // 146,097 days, and the months from March on follow 31, 30, 31, 30, 31 twice and a half.
    let days = days + 719_468;
    let (cycle, day_of_cycle) = (days / 146_097, days % 146_097);
    let leap_days = day_of_cycle / 1_460 - day_of_cycle / 36_524 + day_of_cycle / 146_096;
    let year_of_cycle = (day_of_cycle - leap_days) / 365;
    let first_day = year_of_cycle * 365 + year_of_cycle / 4 - year_of_cycle / 100;
    let day_of_year = day_of_cycle - first_day;
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = cycle * 400 + year_of_cycle + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expected values are those of `date -u -d @SECONDS`.
    #[test]
    fn times_are_utc() {
        for (millis, text) in [
            (0, "1970-01-01 00:00:00.000 UTC"),
            (951_782_399_999, "2000-02-28 23:59:59.999 UTC"),
            (951_782_400_000, "2000-02-29 00:00:00.000 UTC"),
            (1_626_770_626_087, "2021-07-20 08:43:46.087 UTC"),
            (4_107_542_400_000, "2100-03-01 00:00:00.000 UTC"),
        ] {
            assert_eq!(UtcTime(millis).to_string(), text);
        }
        drop(UtcTime(u64::MAX).to_string());
    }

    #[test]
    fn keys_that_would_be_mistaken_are_quoted() {
        for (key, printed) in [
            ("a.b", "a.b"),
            ("käse😀%", "käse😀%"),
            ("", r#""""#),
            ("a b", r#""a b""#),
            ("a\tb", r#""a\tb""#),
            ("a\"b", r#""a\"b""#),
            ("\u{9b}", r#""\u009b""#),
        ] {
            assert_eq!(printable_key(key), printed);
        }
    }

    #[test]
    fn empty_parts_are_no_change_and_cleared_ones_are() {
        for state in [
            "{}",
            "null",
            r#"{"reported":{}}"#,
            r#"{ "a": { } , "b":{}}"#,
        ] {
            assert!(is_empty(state), "{state}");
        }
        for state in [r#"{"reported":null}"#, r#"{"reported":{"a":1}}"#, "[]"] {
            assert!(!is_empty(state), "{state}");
        }
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(
            Printable("\u{1b}[2Ja\u{9b}b\nc").to_string(),
            r"\u001b[2Ja\u009bb c"
        );
        assert_eq!(Printable("\u{202e}on").to_string(), r"\u202eon");
        let text = "\u{1b}[31ma\r\nb\u{7}\u{2066}é";
        assert_eq!(Foreign(text).to_string(), "\\u001b[31ma \nb\\u0007\\u2066é");
        assert_eq!(Styled(text).to_string(), "\u{1b}[31ma \nb\\u0007\\u2066é");
    }
}
