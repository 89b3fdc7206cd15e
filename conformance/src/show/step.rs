//! One thing that happened.

use std::time::Duration;

use serde::Serialize;

/// One thing that happened in a session: an arrow or a mark of the sequence diagram.
///
/// As JSON, an object with these fields by their names; those that are absent, empty, zero or false
/// are left out, and times are microseconds under keys that end in `_us`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// From 1.
    pub number: u64,
    /// When, since the recording began.
    #[serde(rename = "at_us", serialize_with = "micros")]
    pub at: Duration,
    /// The line of the recording that says so, from 1. Several packets can come with one line.
    pub line: u64,
    /// What sort of thing.
    pub kind: Kind,
    /// From whom to whom.
    pub route: Route,
    /// What it is called in MQTT or in the engine's interface: `PUBLISH`, `report`, `Delta`,
    /// `KeepAlive`.
    pub name: String,
    /// What it means, in a few words: `get ok, version 9`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub words: String,
    /// The fields that [`words`](Step::words) leaves out: `QoS 1, id 7, dup`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// The shadow that it is about, `{productId}/{deviceName}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shadow: Option<String>,
    /// Topic or filter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// Client token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// The engine's number of the application's request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<u64>,
    /// What it carries.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<Content>,
    /// The step whose content holds the document that this one carries too, and that is left out
    /// here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub document_of: Option<u64>,
    /// What went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
    /// What it answers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub answers: Vec<Answer>,
    /// How many answers are due to it.
    #[serde(skip_serializing_if = "is_zero")]
    pub expects: u8,
    /// The version of the document after it, where it tells one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// What it changes in the document, as far as the session shows it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
    /// The link after it.
    pub link: Link,
    /// The deadline that was in force when it came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Deadline>,
}

/// What sort of thing a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The application asks the engine for something.
    Call,
    /// A PUBLISH.
    Message,
    /// Any other packet.
    Control,
    /// The transport connects, breaks or closes; the engine starts and ends.
    Link,
    /// The engine tells the application something.
    Event,
    /// A deadline is there.
    Timer,
    /// The driver tells the time, or ticks although nothing is due.
    Clock,
}

/// From whom to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Route {
    /// The application calls the engine.
    ApplicationToDevice,
    /// The engine tells the application.
    DeviceToApplication,
    /// A packet leaves.
    DeviceToCloud,
    /// A packet arrives.
    CloudToDevice,
    /// The engine asks for a connection, or for its end.
    DeviceToLink,
    /// The transport says what became of the connection.
    LinkToDevice,
    /// Something in the device.
    Device,
}

/// How far a connection has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Link {
    /// There is none.
    #[default]
    Down,
    /// It is being made.
    Connecting,
    /// It is there; CONNACK is not.
    Connected,
    /// The login was accepted.
    Online,
}

/// What a step carries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Content {
    /// JSON text as it was.
    Json(String),
    /// Any other text.
    Text(String),
    /// Bytes that are no text, in hexadecimal digits.
    Bytes(String),
}

impl Content {
    /// The text or the digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Content::Json(text) | Content::Text(text) | Content::Bytes(text) => text,
        }
    }
}

/// That a step answers another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Answer {
    /// The number of the step that is answered.
    pub step: u64,
    /// How long it waited.
    #[serde(rename = "after_us", serialize_with = "micros")]
    pub after: Duration,
}

/// One difference between a document and what it was before: JSON text, on one line.
///
/// `None` before stands for a key that was not there or not known, `None` after for a key that is
/// deleted. An object that is added is told key by key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The keys that lead there: `reported` or `desired` first.
    pub path: Vec<String>,
    /// What was there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// What is there now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

impl Change {
    /// The path as text: `reported.light.on`, with keys that would be mistaken in brackets and
    /// quotes.
    #[must_use]
    pub fn path(&self) -> String {
        let mut text = String::new();
        for key in &self.path {
            let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
            if !key.is_empty() && key.chars().all(plain) {
                if !text.is_empty() {
                    text.push('.');
                }
                text.push_str(key);
            } else {
                // A string always has a JSON form.
                let quoted = serde_json::to_string(key).unwrap_or_default();
                text.push_str(&format!("[{quoted}]"));
            }
        }
        text
    }

    /// `+` for what is new, `-` for what is deleted, `~` for what is another.
    #[must_use]
    pub fn sign(&self) -> char {
        match (&self.before, &self.after) {
            (None, _) => '+',
            (Some(_), None) => '-',
            (Some(_), Some(_)) => '~',
        }
    }
}

/// When the engine wants to be called at the latest, and what for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Deadline {
    /// When, since the recording began.
    #[serde(rename = "due_us", serialize_with = "micros")]
    pub due: Duration,
    /// The name of the [`Timer`](shadow_core::Timer).
    pub timer: String,
}

fn micros<S: serde::Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX))
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_zero(number: &u8) -> bool {
    *number == 0
}
