//! What the cloud sends on a result topic: replies to get and update, and delta pushes.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use core::fmt;

use serde::de::DeserializeOwned;

use super::envelope::{self, Operation, ParseError};
use crate::json::{Reader, Span};

/// The result code of an update whose `version` is not the server's; the reply's payload is then
/// the full current document (634/14072). Success is 0; no other code is documented.
pub const VERSION_CONFLICT: i64 = 5005;

/// A message from the cloud, borrowed from the PUBLISH payload it came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// `{"type":"get"|"update","clientToken":..,"result":..,"payload":{..}}`: the answer to one
    /// request.
    Reply {
        /// What the request asked for.
        operation: Operation,
        /// The request's token, a number as its digits; `None` when the reply has none.
        token: Option<Cow<'a, str>>,
        /// 0 for success, which a reply without a code counts as; [`VERSION_CONFLICT`]; or a code
        /// the vendor does not document.
        result: i64,
        /// The document, or the part of it that changed.
        body: Body<'a>,
    },
    /// `{"type":"delta","payload":{..}}`: the application changed `desired`. A token or a result
    /// code beside it means nothing and is not kept.
    Delta {
        /// The changed part of `desired`.
        body: Body<'a>,
    },
}

/// Reads one PUBLISH payload.
///
/// Fields may come in any order and with any others between them, white space may stand before and
/// behind, `null` counts as absent, and of a key that comes twice the last one holds. The message's
/// own `timestamp`, which is the time of sending in seconds or milliseconds, is not looked at; the
/// document's is in [`Document::timestamp`]. Nesting costs no stack. Takes no memory when all is
/// well and neither keys nor token are escaped.
///
/// ```
/// use shadow_core::tencent::{Message, Operation, reply};
///
/// let payload = br#"{"clientToken":"P-0","payload":{"state":{"reported":{"level":3}},
///     "timestamp":1626770626087,"version":8},"result":0,"timestamp":1626770697,"type":"get"}"#;
/// let Message::Reply { operation, token, result, body } = reply::parse(payload)? else {
///     panic!("a delta")
/// };
/// assert_eq!((operation, token.as_deref(), result), (Operation::Get, Some("P-0"), 0));
/// let document = body.to_document();
/// assert_eq!(document.reported(), Some(r#"{"level":3}"#));
/// assert_eq!(document.version(), Some(8));
/// # Ok::<(), shadow_core::tencent::ParseError>(())
/// ```
///
/// # Errors
/// [`ParseError`]: not UTF-8, not JSON, a value nested deeper than 128 levels, not an object, no
/// `type` or an unknown one, a `clientToken` that is neither string nor number, a `result` that is no
/// integer, a `payload.version` or `payload.timestamp` that is negative or no integer.
pub fn parse(payload: &[u8]) -> Result<Message<'_>, ParseError> {
    let text = envelope::text(payload)?;
    let (mut kind, mut token, mut result) = (None, None, None);
    let mut fields = Fields::default();
    envelope::read(text, &KNOWN, |field, reader| match field {
        Some(Field::Type) => kind = Some(reader.value()),
        Some(Field::ClientToken) => token = Some(reader.value()),
        Some(Field::Result) => result = Some(reader.value()),
        Some(Field::Payload) => fields = Fields::read(reader),
        Some(Field::Timestamp) | None => drop(reader.value_span()),
    })?;
    let operation = envelope::kind(kind, |name| match name {
        "get" => Some(Some(Operation::Get)),
        "update" => Some(Some(Operation::Update)),
        "delta" => Some(None),
        _ => None,
    })?;
    let body = fields.into_body(text, operation)?;
    Ok(match operation {
        Some(operation) => Message::Reply {
            operation,
            token: envelope::token(token)?,
            result: result_code(result)?,
            body,
        },
        None => Message::Delta { body },
    })
}

/// The fields of a message.
#[derive(Clone, Copy)]
enum Field {
    ClientToken,
    Payload,
    Result,
    Timestamp,
    Type,
}

/// In the order in which the vendor's server writes them.
const KNOWN: [(&str, Field); 5] = [
    (r#""clientToken":"#, Field::ClientToken),
    (r#""payload":"#, Field::Payload),
    (r#""result":"#, Field::Result),
    (r#""timestamp":"#, Field::Timestamp),
    (r#""type":"#, Field::Type),
];

/// The `payload` of a message, borrowed. [`Body::to_document`] makes it last.
#[derive(Clone, PartialEq, Eq)]
pub struct Body<'a> {
    text: &'a str,
    layout: Layout,
}

impl Body<'_> {
    /// The payload's version, if it has one.
    #[must_use]
    pub fn version(&self) -> Option<u64> {
        self.layout.version
    }

    /// As [`Document::delta`].
    pub(crate) fn delta(&self) -> Option<&str> {
        self.layout.delta.of(self.text)
    }

    /// A copy that owns its text. Takes one allocation.
    #[must_use]
    pub fn to_document(&self) -> Document {
        Document {
            text: self.text.into(),
            layout: self.layout,
        }
    }
}

impl fmt::Debug for Body<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text)
    }
}

/// A shadow document, or the part of one that a message carried: its JSON text and where the parts
/// are in it.
///
/// Raw accessors give JSON text, exactly as the cloud sent it; a part that is `null` is
/// `Some("null")`. The `*_as` accessors read a part as a type of the caller's, and give `None` for
/// `null` as for an absent part. Equal means equal text. `Debug` prints the text.
#[derive(Clone, PartialEq, Eq)]
pub struct Document {
    text: Box<str>,
    layout: Layout,
}

impl Document {
    /// The whole payload as JSON text; `null` when the message had none.
    #[must_use]
    pub fn as_json(&self) -> &str {
        &self.text
    }

    /// The document's version: 0 while nothing was ever stored, then one more with every change.
    #[must_use]
    pub fn version(&self) -> Option<u64> {
        self.layout.version
    }

    /// When the document changed last, by the server's clock.
    #[must_use]
    pub fn timestamp(&self) -> Option<Timestamp> {
        let digits = self.layout.timestamp.of(&self.text)?;
        // They are digits, so what does not fit is a time later than any that does.
        Some(Timestamp::from_number(digits.parse().unwrap_or(u64::MAX)))
    }

    /// `state`. Of a get reply: `reported`, `desired` and their `delta`; of an update reply: what
    /// changed of them; of a delta push: the changed part of `desired` itself.
    #[must_use]
    pub fn state(&self) -> Option<&str> {
        self.layout.state.of(&self.text)
    }

    /// `state.reported`; always `None` of a delta push.
    #[must_use]
    pub fn reported(&self) -> Option<&str> {
        self.layout.reported.of(&self.text)
    }

    /// `state.desired`; always `None` of a delta push.
    #[must_use]
    pub fn desired(&self) -> Option<&str> {
        self.layout.desired.of(&self.text)
    }

    /// What is desired and not reported: `state.delta` of a reply, the whole `state` of a delta
    /// push.
    #[must_use]
    pub fn delta(&self) -> Option<&str> {
        self.layout.delta.of(&self.text)
    }

    /// `metadata`, which holds a timestamp for every key of `state`.
    #[must_use]
    pub fn metadata(&self) -> Option<&str> {
        self.layout.metadata.of(&self.text)
    }

    /// [`Document::state`] as a `T`.
    ///
    /// # Errors
    /// serde_json's error when the part does not fit `T`, or nests deeper than 128 levels.
    pub fn state_as<T: DeserializeOwned>(&self) -> Result<Option<T>, serde_json::Error> {
        read(self.state())
    }

    /// [`Document::reported`] as a `T`.
    ///
    /// # Errors
    /// As for [`Document::state_as`].
    pub fn reported_as<T: DeserializeOwned>(&self) -> Result<Option<T>, serde_json::Error> {
        read(self.reported())
    }

    /// [`Document::desired`] as a `T`.
    ///
    /// # Errors
    /// As for [`Document::state_as`].
    pub fn desired_as<T: DeserializeOwned>(&self) -> Result<Option<T>, serde_json::Error> {
        read(self.desired())
    }

    /// [`Document::delta`] as a `T`.
    ///
    /// # Errors
    /// As for [`Document::state_as`].
    pub fn delta_as<T: DeserializeOwned>(&self) -> Result<Option<T>, serde_json::Error> {
        read(self.delta())
    }

    /// [`Document::metadata`] as a `T`.
    ///
    /// # Errors
    /// As for [`Document::state_as`].
    pub fn metadata_as<T: DeserializeOwned>(&self) -> Result<Option<T>, serde_json::Error> {
        read(self.metadata())
    }
}

impl From<&Body<'_>> for Document {
    fn from(body: &Body<'_>) -> Document {
        body.to_document()
    }
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A server time, in milliseconds since 1970 whichever unit it came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Timestamp(u64);

impl Timestamp {
    /// Reads the number of a message: seconds below 100,000,000,000, milliseconds from there on.
    /// The vendor sends both. The bound is the year 5138 in seconds and March 1973 in milliseconds,
    /// so no real time is misread.
    #[must_use]
    pub const fn from_number(number: u64) -> Timestamp {
        if number < 100_000_000_000 {
            Timestamp(number * 1_000)
        } else {
            Timestamp(number)
        }
    }

    /// Milliseconds since 1970.
    #[must_use]
    pub const fn as_unix_millis(self) -> u64 {
        self.0
    }
}

/// Where the parts are in the payload's text, and the version read from it.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
struct Layout {
    version: Option<u64>,
    timestamp: Span,
    state: Span,
    reported: Span,
    desired: Span,
    delta: Span,
    metadata: Span,
}

/// The places of the payload and its fields in the message; empty means absent.
#[derive(Clone, Copy, Default)]
struct Fields {
    payload: Span,
    version: Span,
    timestamp: Span,
    metadata: Span,
    state: State,
}

#[derive(Clone, Copy, Default)]
struct State {
    whole: Span,
    reported: Span,
    desired: Span,
    delta: Span,
}

/// The fields of a message's `payload`.
#[derive(Clone, Copy)]
enum PayloadField {
    State,
    Timestamp,
    Version,
    Metadata,
}

const PAYLOAD: [(&str, PayloadField); 4] = [
    (r#""state":"#, PayloadField::State),
    (r#""timestamp":"#, PayloadField::Timestamp),
    (r#""version":"#, PayloadField::Version),
    (r#""metadata":"#, PayloadField::Metadata),
];

/// The fields of a document's `state`.
#[derive(Clone, Copy)]
enum StateField {
    Reported,
    Desired,
    Delta,
}

const STATE: [(&str, StateField); 3] = [
    (r#""reported":"#, StateField::Reported),
    (r#""desired":"#, StateField::Desired),
    (r#""delta":"#, StateField::Delta),
];

impl Fields {
    fn read(reader: &mut Reader<'_>) -> Fields {
        let mut fields = Fields::default();
        if reader.peek() != Some(b'{') {
            fields.payload = reader.value_span();
            return fields;
        }
        let start = reader.position();
        reader.fields(&PAYLOAD, |field, reader| match field {
            Some(PayloadField::State) => fields.state = State::read(reader),
            Some(PayloadField::Timestamp) => fields.timestamp = reader.value_span(),
            Some(PayloadField::Version) => fields.version = reader.value_span(),
            Some(PayloadField::Metadata) => fields.metadata = reader.value_span(),
            None => drop(reader.value_span()),
        });
        fields.payload = Span {
            start,
            end: reader.position(),
        };
        fields
    }

    fn into_body(self, text: &str, operation: Option<Operation>) -> Result<Body<'_>, ParseError> {
        let span = |span: Span| span.behind(self.payload.start);
        let mut layout = Layout {
            version: envelope::version("payload.version", self.version.of(text))?,
            state: span(self.state.whole),
            metadata: span(self.metadata),
            ..Layout::default()
        };
        if is_timestamp(self.timestamp.of(text))? {
            layout.timestamp = span(self.timestamp);
        }
        if operation.is_some() {
            layout.reported = span(self.state.reported);
            layout.desired = span(self.state.desired);
            layout.delta = span(self.state.delta);
        } else {
            // A device's property may itself be called "reported".
            layout.delta = layout.state;
        }
        Ok(Body {
            text: self.payload.of(text).unwrap_or("null"),
            layout,
        })
    }
}

impl State {
    fn read(reader: &mut Reader<'_>) -> State {
        let mut state = State::default();
        if reader.peek() != Some(b'{') {
            state.whole = reader.value_span();
            return state;
        }
        let start = reader.position();
        reader.fields(&STATE, |field, reader| match field {
            Some(StateField::Reported) => state.reported = reader.value_span(),
            Some(StateField::Desired) => state.desired = reader.value_span(),
            Some(StateField::Delta) => state.delta = reader.value_span(),
            None => drop(reader.value_span()),
        });
        state.whole = Span {
            start,
            end: reader.position(),
        };
        state
    }
}

fn read<T: DeserializeOwned>(part: Option<&str>) -> Result<Option<T>, serde_json::Error> {
    part.map_or(Ok(None), serde_json::from_str)
}

/// An integer, or a string that holds one; 0 where there is none.
fn result_code(raw: Option<&str>) -> Result<i64, ParseError> {
    let Some(raw) = envelope::present(raw) else {
        return Ok(0);
    };
    let inner = raw.strip_prefix('"').and_then(|raw| raw.strip_suffix('"'));
    inner
        .unwrap_or(raw)
        .parse()
        .map_err(|_| ParseError::InvalidField {
            field: "result",
            expected: "an integer of 64 bits",
        })
}

/// False of an absent one and null.
fn is_timestamp(raw: Option<&str>) -> Result<bool, ParseError> {
    match envelope::present(raw) {
        None => Ok(false),
        Some(raw) if raw.bytes().all(|byte| byte.is_ascii_digit()) => Ok(true),
        Some(_) => Err(ParseError::InvalidField {
            field: "payload.timestamp",
            expected: "an integer that is not negative",
        }),
    }
}

#[cfg(test)]
mod tests;
