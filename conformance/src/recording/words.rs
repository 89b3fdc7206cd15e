//! Lines of a recording in words.

use std::fmt::Write as _;

use super::fields::Fields;

/// What a line of a recording says, in words and without its time: `sends PUBLISH id 3, QoS 1,
/// a/b: {"on":true}`, `ticks`, `tells Ended, request 2, outcome TimedOut`. The subject is the
/// engine. A line that cannot be read is given back as it is.
///
/// ```
/// use conformance::recording::describe;
///
/// assert_eq!(describe(r#"{"at":7,"out":"deadline","due":61000000,"timer":"KeepAlive"}"#),
///     "waits until 61.000000s (KeepAlive)");
/// assert_eq!(describe(r#"{"at":7,"in":"get","shadow":0}"#), "is asked: get, shadow 0");
/// ```
#[must_use]
pub fn describe(line: &str) -> String {
    let Some(fields) = Fields::parse(line) else {
        return line.to_owned();
    };
    if let Some(input) = fields.text("in") {
        return describe_input(&fields, &input);
    }
    match fields.text("out") {
        Some(output) => describe_output(&fields, &output),
        None => line.to_owned(),
    }
}

fn describe_input(fields: &Fields<'_>, kind: &str) -> String {
    match kind {
        "start" => {
            let session = fields.json("session").is_some_and(|json| json != "null");
            let with = if session {
                ", with what an earlier run left"
            } else {
                ""
            };
            format!("begins{with}")
        }
        "wall" => format!("is told the wall time{}", rest(fields, &["at", "in"])),
        "connected" => "is connected".to_owned(),
        "bytes" => {
            let bytes = fields.text("bytes").unwrap_or_default().chars().count();
            format!("receives {bytes} bytes")
        }
        "disconnected" => {
            let mut text = "loses the connection".to_owned();
            for key in ["failure", "why"] {
                if let Some(why) = fields.text(key) {
                    // Text cannot fail to be written.
                    let _ = write!(text, ": {why}");
                }
            }
            text
        }
        "tick" => "ticks".to_owned(),
        "reconnect" => "is to connect now".to_owned(),
        "close" => "is to close".to_owned(),
        "poll" => "is polled and gives nothing".to_owned(),
        "end" => "is given up".to_owned(),
        request => format!(
            "is asked: {request}{}",
            rest(fields, &["at", "in", "pending"])
        ),
    }
}

fn describe_output(fields: &Fields<'_>, kind: &str) -> String {
    match kind {
        "accepted" => format!("accepts it{}", rest(fields, &["at", "out"])),
        "refused" => {
            let why = fields.text("why").unwrap_or_default();
            format!("refuses it: {why}")
        }
        "connect" => "asks for a connection".to_owned(),
        "close" => "closes the connection".to_owned(),
        "packet" => describe_packet(fields),
        "event" => {
            let event = fields.text("event").unwrap_or_default();
            format!("tells {event}{}", rest(fields, &["at", "out", "event"]))
        }
        "deadline" => describe_deadline(fields),
        "unfaithful" => {
            let what = fields.text("what").unwrap_or_default();
            format!("differs, as it is masked, from the engine that was recorded, in {what}")
        }
        other => format!("{other}{}", rest(fields, &["at", "out"])),
    }
}

fn describe_packet(fields: &Fields<'_>) -> String {
    let kind = fields.text("packet").unwrap_or_default();
    let mut text = format!("sends {kind}");
    if let Some(id) = fields.json("id") {
        let _ = write!(text, " id {id}");
    }
    match &*kind {
        "PUBLISH" => {
            if let Some(qos) = fields.json("qos") {
                let _ = write!(text, ", QoS {qos}");
            }
            for flag in ["dup", "retain"] {
                if fields.json(flag).is_some() {
                    let _ = write!(text, ", {flag}");
                }
            }
            let topic = fields.text("topic").unwrap_or_default();
            let payload = fields.json("payload").or(fields.json("payload_bytes"));
            let _ = write!(text, ", {topic}: {}", payload.unwrap_or_default());
        }
        _ => text.push_str(&rest(fields, &["at", "out", "packet", "id"])),
    }
    text
}

fn describe_deadline(fields: &Fields<'_>) -> String {
    match (fields.number("due"), fields.text("timer")) {
        (Some(due), Some(timer)) => format!("waits until {} ({timer})", seconds(due)),
        (Some(due), None) => format!("waits until {}", seconds(due)),
        (None, _) => "waits for nothing".to_owned(),
    }
}

/// The members that were not named, as `, key value`.
fn rest(fields: &Fields<'_>, named: &[&str]) -> String {
    let mut text = String::new();
    for (key, value) in &fields.members {
        if named.contains(&&**key) {
            continue;
        }
        let value = value.get();
        // A plain word needs no quotes.
        let bare = value
            .strip_prefix('"')
            .and_then(|rest| rest.strip_suffix('"'));
        let bare = bare.filter(|bare| !bare.contains(['"', '\\', ',']));
        let _ = write!(text, ", {key} {}", bare.unwrap_or(value));
    }
    text
}

/// Microseconds as `12.345678s`.
pub(super) fn seconds(micros: u64) -> String {
    shadow_core::Instant::from_micros(micros).to_string()
}
