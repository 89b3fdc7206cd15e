//! In what an engine differs from the recorded one, in one sentence.

use super::difference::{FieldDifference, Random, shown};
use crate::recording::fields::Fields;
use crate::recording::words::{describe, seconds};

/// How many changed fields a sentence names.
const NAMED: usize = 3;

/// What the engine does instead; its subject, "the engine", is left to the caller.
pub(super) fn sentence(
    expected: Option<&str>,
    found: Option<&str>,
    reordered: bool,
    differences: &[FieldDifference],
) -> String {
    if reordered {
        return "sends the same packets in another order".to_owned();
    }
    match (expected.map(Said::of), found.map(Said::of)) {
        (None, None) => "does something else".to_owned(),
        (Some(expected), None) => missing(&expected),
        (None, Some(found)) => surplus(&found),
        (Some(expected), Some(found)) => match (expected.kind, found.kind) {
            // What goes in was not reached: the engine had more to give before.
            (Kind::Input, Kind::Input) => input(&expected, differences),
            (Kind::Input, _) => surplus(&found),
            (_, Kind::Input) => missing(&expected),
            _ if !differences.is_empty() && differences.iter().all(is_random) => {
                random(differences)
            }
            (expected_kind, found_kind) if expected_kind == found_kind => {
                instead(&expected, &found, differences)
            }
            _ => format!("{} where the recording {}", found.brief(), expected.brief()),
        },
    }
}

/// What kind of line it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Input,
    Packet,
    Event,
    Deadline,
    Answer,
    Transport,
}

/// A line, opened.
struct Said<'a> {
    line: &'a str,
    fields: Fields<'a>,
    kind: Kind,
}

impl<'a> Said<'a> {
    fn of(line: &'a str) -> Said<'a> {
        let fields = Fields::parse(line).unwrap_or_default();
        let kind = match fields.text("out").as_deref() {
            Some("packet") => Kind::Packet,
            Some("event") => Kind::Event,
            Some("deadline") => Kind::Deadline,
            Some("accepted" | "refused") => Kind::Answer,
            Some(_) => Kind::Transport,
            None => Kind::Input,
        };
        Said { line, fields, kind }
    }

    /// What it is without its details: `sends PUBLISH`, `tells Ended/TimedOut`.
    fn brief(&self) -> String {
        let name = |key| self.fields.text(key).unwrap_or_default();
        match self.kind {
            Kind::Packet => format!("sends {}", name("packet")),
            Kind::Event => format!("tells {}", self.event()),
            Kind::Deadline | Kind::Transport | Kind::Input | Kind::Answer => describe(self.line),
        }
    }

    /// `Ready`, `Ended/TimedOut`, `Disconnected/Refused`.
    fn event(&self) -> String {
        let mut event = self.fields.text("event").unwrap_or_default().into_owned();
        let detail = match event.as_str() {
            "Ended" => self.fields.text("outcome"),
            "Disconnected" => self.fields.text("kind"),
            _ => None,
        };
        if let Some(detail) = detail {
            event.push('/');
            event.push_str(&detail);
        }
        event
    }
}

fn missing(expected: &Said<'_>) -> String {
    match expected.kind {
        Kind::Packet => format!("sends nothing where the recording {}", expected.brief()),
        Kind::Event => format!("tells nothing where the recording {}", expected.brief()),
        Kind::Deadline => format!(
            "does not change its timer where the recording {}",
            expected.brief()
        ),
        Kind::Answer | Kind::Transport | Kind::Input => {
            format!("does nothing where the recording {}", expected.brief())
        }
    }
}

fn surplus(found: &Said<'_>) -> String {
    match found.kind {
        Kind::Deadline => format!(
            "{} where the recording's timer stays as it was",
            found.brief()
        ),
        _ => format!("{} where the recording has nothing", found.brief()),
    }
}

fn input(expected: &Said<'_>, differences: &[FieldDifference]) -> String {
    let pending = differences.iter().find(|d| d.path == "pending");
    match pending {
        Some(pending) if pending.found.is_some() => {
            format!(
                "has output that waits where the recording has none when it {}",
                describe(expected.line)
            )
        }
        Some(_) => {
            format!(
                "has given all its output when it {}, and the recorded engine had not",
                describe(expected.line)
            )
        }
        None => format!("takes an input otherwise: {}", changes(differences)),
    }
}

fn is_random(difference: &FieldDifference) -> bool {
    difference.random.is_some_and(Random::is_all)
}

fn random(differences: &[FieldDifference]) -> String {
    let mut names: Vec<String> = differences
        .iter()
        .filter_map(|d| d.random)
        .map(|random| random.to_string())
        .collect();
    names.dedup();
    format!("draws other random values: {}", names.join(", "))
}

/// Two lines of one kind.
fn instead(expected: &Said<'_>, found: &Said<'_>, differences: &[FieldDifference]) -> String {
    match found.kind {
        Kind::Packet => {
            let (was, is) = (expected.fields.text("packet"), found.fields.text("packet"));
            if was != is {
                return format!("{} where the recording {}", found.brief(), expected.brief());
            }
            packet(&is.unwrap_or_default(), differences)
        }
        Kind::Event => {
            let (was, is) = (expected.event(), found.event());
            if was == is {
                format!("tells another {is}: {}", changes(differences))
            } else {
                format!("tells {is} instead of {was}")
            }
        }
        Kind::Deadline => deadline(expected, found, differences),
        Kind::Answer => answer(expected, found, differences),
        Kind::Transport | Kind::Input => match expected.brief() == found.brief() {
            true => format!("{} otherwise: {}", found.brief(), changes(differences)),
            false => format!("{} where the recording {}", found.brief(), expected.brief()),
        },
    }
}

fn packet(kind: &str, differences: &[FieldDifference]) -> String {
    let payload =
        |d: &FieldDifference| d.path.starts_with("payload.") || d.path.starts_with("payload[");
    if !differences.is_empty() && differences.iter().all(payload) {
        // Its own paths are those of the document, which people know.
        let inner: Vec<FieldDifference> = differences
            .iter()
            .map(|difference| FieldDifference {
                path: difference
                    .path
                    .trim_start_matches("payload")
                    .trim_start_matches('.')
                    .to_owned(),
                ..difference.clone()
            })
            .collect();
        return format!("sends {kind} with another payload: {}", changes(&inner));
    }
    format!("sends another {kind}: {}", changes(differences))
}

fn deadline(expected: &Said<'_>, found: &Said<'_>, differences: &[FieldDifference]) -> String {
    let due = |said: &Said<'_>| said.fields.number("due").map(seconds);
    let timer = |said: &Said<'_>| said.fields.text("timer").unwrap_or_default().into_owned();
    let (was, is) = (timer(expected), timer(found));
    if (due(expected), &was) == (due(found), &is) {
        return format!("sets its timer otherwise: {}", changes(differences));
    }
    match (due(expected), due(found)) {
        (Some(expected), Some(found)) if was == is => {
            format!("ticks at {found} instead of {expected} (timer {is})")
        }
        (Some(expected), Some(found)) => {
            format!("ticks at {found} (timer {is}) instead of {expected} (timer {was})")
        }
        (Some(expected), None) => {
            format!("waits for nothing instead of ticking at {expected} (timer {was})")
        }
        (None, Some(found)) => {
            format!("ticks at {found} (timer {is}) instead of waiting for nothing")
        }
        (None, None) => "waits for nothing otherwise".to_owned(),
    }
}

fn answer(expected: &Said<'_>, found: &Said<'_>, differences: &[FieldDifference]) -> String {
    let why = |said: &Said<'_>| said.fields.text("why").map(std::borrow::Cow::into_owned);
    match (why(expected), why(found)) {
        (None, Some(why)) => format!("refuses the request: {why}"),
        (Some(why), None) => format!("accepts the request, which was refused: {why}"),
        (Some(was), Some(why)) => format!("refuses the request: {why}; the recording has: {was}"),
        (None, None) => format!("accepts the request otherwise: {}", changes(differences)),
    }
}

/// `payload.state.power is true, was false; id is 3, was 2; and 4 more`.
pub(super) fn changes(differences: &[FieldDifference]) -> String {
    // What is drawn at random comes last.
    let mut ordered: Vec<&FieldDifference> = differences.iter().collect();
    ordered.sort_by_key(|difference| is_random(difference));
    let mut named: Vec<String> = ordered.iter().take(NAMED).map(|d| change(d)).collect();
    if named.is_empty() {
        named.push("it says the same, with other white space or escapes".to_owned());
    }
    if let more @ 1.. = ordered.len().saturating_sub(NAMED) {
        named.push(format!("and {more} more"));
    }
    named.join("; ")
}

fn change(difference: &FieldDifference) -> String {
    let FieldDifference { path, random, .. } = difference;
    let path = if path.is_empty() {
        "the line"
    } else {
        path.as_str()
    };
    let change = match shown(difference) {
        (Some(was), Some(is)) => format!("{path} is {is}, was {was}"),
        (Some(was), None) => format!("{path} is missing, was {was}"),
        (None, Some(is)) => format!("{path} is {is}, was not there"),
        (None, None) => path.to_owned(),
    };
    match random {
        Some(random) => format!("{change} ({random})"),
        None => change,
    }
}
