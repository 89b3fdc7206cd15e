//! What the cloud sends on a result topic: replies to get and update, and delta pushes.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use core::fmt;
use core::ops::Range;

use serde::de::DeserializeOwned;

use super::envelope::{self, Operation, ParseError};
use crate::json::{Malformed, Reader};

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
/// let Message::Reply { operation, token, result, body } = reply::parse(payload)? else { panic!() };
/// assert_eq!((operation, token.as_deref(), result), (Operation::Get, Some("P-0"), 0));
/// let document = body.to_document();
/// assert_eq!(document.reported(), Some(r#"{"level":3}"#));
/// assert_eq!(document.version(), Some(8));
/// # Ok::<(), shadow_core::tencent::ParseError>(())
/// ```
///
/// # Errors
/// [`ParseError`]: not UTF-8, not JSON, nested deeper than 128 levels, not an object, no `type` or an
/// unknown one, a `clientToken` that is neither string nor number, a `result` that is no integer, a `payload.version` or
/// `payload.timestamp` that is negative or no integer.
pub fn parse(payload: &[u8]) -> Result<Message<'_>, ParseError> {
    let text = envelope::text(payload)?;
    let (mut kind, mut token, mut result) = (None, None, None);
    let mut fields = Fields::default();
    envelope::read(text, |key, reader| {
        match key {
            "type" => kind = Some(reader.value()?),
            "clientToken" => token = Some(reader.value()?),
            "result" => result = Some(reader.value()?),
            "payload" => fields = Fields::read(reader)?,
            _ => drop(reader.value()?),
        }
        Ok(())
    })?;
    let kind = envelope::kind(kind)?;
    let operation = match &*kind {
        "get" => Some(Operation::Get),
        "update" => Some(Operation::Update),
        "delta" => None,
        other => return Err(envelope::unknown_type(other)),
    };
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
        self.layout.timestamp
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

/// Where the parts are in the payload's text, and the two numbers read from it.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
struct Layout {
    version: Option<u64>,
    timestamp: Option<Timestamp>,
    state: Span,
    reported: Span,
    desired: Span,
    delta: Span,
    metadata: Span,
}

/// A range of the payload's text. The empty one means absent, since no JSON value is empty.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
struct Span {
    start: u32,
    end: u32,
}

impl Span {
    /// `range` is of the message, whose text is checked to be shorter than 4 GiB, and inside the
    /// payload, which begins at `origin`.
    fn new(range: &Range<usize>, origin: usize) -> Span {
        Span {
            start: range.start.saturating_sub(origin) as u32,
            end: range.end.saturating_sub(origin) as u32,
        }
    }

    fn of(self, text: &str) -> Option<&str> {
        let range = self.start as usize..self.end as usize;
        text.get(range).filter(|part| !part.is_empty())
    }
}

/// The places of the payload and its fields in the message; empty means absent.
#[derive(Default)]
struct Fields {
    payload: Range<usize>,
    version: Range<usize>,
    timestamp: Range<usize>,
    metadata: Range<usize>,
    state: State,
}

#[derive(Default)]
struct State {
    whole: Range<usize>,
    reported: Range<usize>,
    desired: Range<usize>,
    delta: Range<usize>,
}

impl Fields {
    fn read(reader: &mut Reader<'_>) -> Result<Fields, Malformed> {
        let mut fields = Fields::default();
        if reader.peek() != Some(b'{') {
            fields.payload = reader.value_range()?;
            return Ok(fields);
        }
        let start = reader.position();
        reader.members(|key, reader| {
            match key {
                "state" => fields.state = State::read(reader)?,
                "version" => fields.version = reader.value_range()?,
                "timestamp" => fields.timestamp = reader.value_range()?,
                "metadata" => fields.metadata = reader.value_range()?,
                _ => drop(reader.value()?),
            }
            Ok(())
        })?;
        fields.payload = start..reader.position();
        Ok(fields)
    }

    fn into_body(self, text: &str, operation: Option<Operation>) -> Result<Body<'_>, ParseError> {
        let slice = |range: &Range<usize>| text.get(range.clone()).filter(|part| !part.is_empty());
        let span = |range: &Range<usize>| Span::new(range, self.payload.start);
        let mut layout = Layout {
            version: envelope::version("payload.version", slice(&self.version))?,
            timestamp: timestamp(slice(&self.timestamp))?,
            state: span(&self.state.whole),
            metadata: span(&self.metadata),
            ..Layout::default()
        };
        if operation.is_some() {
            layout.reported = span(&self.state.reported);
            layout.desired = span(&self.state.desired);
            layout.delta = span(&self.state.delta);
        } else {
            // A device's property may itself be called "reported".
            layout.delta = layout.state;
        }
        Ok(Body {
            text: slice(&self.payload).unwrap_or("null"),
            layout,
        })
    }
}

impl State {
    fn read(reader: &mut Reader<'_>) -> Result<State, Malformed> {
        let mut state = State::default();
        if reader.peek() != Some(b'{') {
            state.whole = reader.value_range()?;
            return Ok(state);
        }
        let start = reader.position();
        reader.members(|key, reader| {
            match key {
                "reported" => state.reported = reader.value_range()?,
                "desired" => state.desired = reader.value_range()?,
                "delta" => state.delta = reader.value_range()?,
                _ => drop(reader.value()?),
            }
            Ok(())
        })?;
        state.whole = start..reader.position();
        Ok(state)
    }
}

fn read<T: DeserializeOwned>(part: Option<&str>) -> Result<Option<T>, serde_json::Error> {
    part.map_or(Ok(None), serde_json::from_str)
}

/// An integer, or a string that holds one.
fn result_code(raw: Option<&str>) -> Result<i64, ParseError> {
    let unquoted = raw.map(|raw| {
        let inner = raw.strip_prefix('"').and_then(|raw| raw.strip_suffix('"'));
        inner.unwrap_or(raw)
    });
    match envelope::integer(unquoted) {
        Some(code) => Ok(code.unwrap_or(0)),
        None => Err(ParseError::InvalidField {
            field: "result",
            expected: "an integer of 64 bits",
        }),
    }
}

fn timestamp(raw: Option<&str>) -> Result<Option<Timestamp>, ParseError> {
    let Some(raw) = envelope::present(raw) else {
        return Ok(None);
    };
    if raw.bytes().all(|byte| byte.is_ascii_digit()) {
        // Digits that do not fit are a time later than any that does.
        let number = raw.parse().unwrap_or(u64::MAX);
        return Ok(Some(Timestamp::from_number(number)));
    }
    Err(ParseError::InvalidField {
        field: "payload.timestamp",
        expected: "an integer that is not negative",
    })
}

#[cfg(test)]
mod tests;
