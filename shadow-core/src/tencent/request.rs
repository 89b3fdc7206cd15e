//! What a device sends on its operation topic: get and update, written by the device and read by
//! the cloud.

use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

use serde::Serialize;

use super::envelope::{self, Operation, ParseError};
use crate::json::{
    Json, JsonStyle, Reader, SerializeError, write_literal, write_string, write_value,
};

/// Appends `{"type":"get","clientToken":".."}` (634/14072).
pub fn write_get(client_token: &str, style: JsonStyle, out: &mut Vec<u8>) {
    write_get_up_to_token(style, out);
    finish(client_token, style, out);
}

/// Appends a get but for the token, a JSON string, and the `}` behind it.
pub(crate) fn write_get_up_to_token(style: JsonStyle, out: &mut Vec<u8>) {
    write_literal(r#"{"type":"get","clientToken":"#, style, out);
}

/// A change of the shadow document, to be sent as an update request.
///
/// A part that is not named stays as it is. Within a named part, keys with a value are set, keys
/// with `null` are deleted, and keys not named stay; arrays are replaced whole (634/11918).
///
/// `R` and `D` are the types of the two parts: anything that serializes as a JSON object. `()`
/// serializes as `null`, which clears the whole part.
///
/// ```
/// use serde::Serialize;
/// use shadow_core::json::JsonStyle;
/// use shadow_core::tencent::Update;
///
/// #[derive(Serialize)]
/// struct Lamp<'a> {
///     colour: &'a str,
/// }
///
/// let mut payload = Vec::new();
/// Update::new()
///     .reported(Lamp { colour: "r\"ed" })
///     .clear_desired()
///     .version(7)
///     .write("P-1", JsonStyle::Compact, &mut payload)?;
/// let expected = concat!(
///     r#"{"type":"update","state":{"reported":{"colour":"r\"ed"},"desired":null},"#,
///     r#""version":7,"clientToken":"P-1"}"#,
/// );
/// assert_eq!(payload, expected.as_bytes());
/// # Ok::<(), shadow_core::tencent::UpdateError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "an update does nothing until it is sent"]
pub struct Update<R = (), D = ()> {
    reported: Option<R>,
    desired: Option<D>,
    version: Option<u64>,
    overwrite: bool,
}

impl Update {
    /// An update that names no part yet.
    pub const fn new() -> Update {
        Update {
            reported: None,
            desired: None,
            version: None,
            overwrite: false,
        }
    }
}

impl Default for Update {
    fn default() -> Update {
        Update::new()
    }
}

impl<R, D> Update<R, D> {
    /// Merges `value` into `reported`, the state the device is in.
    pub fn reported<T: Serialize>(self, value: T) -> Update<T, D> {
        self.with_reported(value)
    }

    /// Merges `value` into `desired`, the state the application wants.
    pub fn desired<T: Serialize>(self, value: T) -> Update<R, T> {
        self.with_desired(value)
    }

    /// Deletes all of `reported`: `"reported":null`.
    pub fn clear_reported(self) -> Update<(), D> {
        self.with_reported(())
    }

    /// Deletes all of `desired`: `"desired":null`. A device does this once it has applied a delta.
    pub fn clear_desired(self) -> Update<R, ()> {
        self.with_desired(())
    }

    /// Has the cloud refuse the update, with result 5005, unless its document is at version
    /// `number`. 0 is not checked (634/14072), nor is an update without a version.
    pub fn version(mut self, number: u64) -> Update<R, D> {
        self.version = Some(number);
        self
    }

    /// Whether the given `reported` replaces the cloud's instead of being merged into it:
    /// `"overwriteUpdate":true`, which only the vendor's C SDK sends.
    pub fn overwrite(mut self, overwrite: bool) -> Update<R, D> {
        self.overwrite = overwrite;
        self
    }

    pub(crate) const fn of_parts(
        reported: Option<R>,
        desired: Option<D>,
        version: Option<u64>,
        overwrite: bool,
    ) -> Update<R, D> {
        Update {
            reported,
            desired,
            version,
            overwrite,
        }
    }

    fn with_reported<T>(self, value: T) -> Update<T, D> {
        Update {
            reported: Some(value),
            desired: self.desired,
            version: self.version,
            overwrite: self.overwrite,
        }
    }

    fn with_desired<T>(self, value: T) -> Update<R, T> {
        Update {
            reported: self.reported,
            desired: Some(value),
            version: self.version,
            overwrite: self.overwrite,
        }
    }
}

/// What a recording writes down.
#[cfg(feature = "recording")]
impl<R, D> Update<R, D> {
    pub(crate) const fn reported_part(&self) -> Option<&R> {
        self.reported.as_ref()
    }

    pub(crate) const fn desired_part(&self) -> Option<&D> {
        self.desired.as_ref()
    }

    pub(crate) const fn expected_version(&self) -> Option<u64> {
        self.version
    }

    pub(crate) const fn overwrites(&self) -> bool {
        self.overwrite
    }
}

impl<R: Serialize, D: Serialize> Update<R, D> {
    /// The same update with its parts as JSON text, which can be kept and sent to another thread.
    ///
    /// # Errors
    /// [`SerializeError`] if a part has no JSON form.
    pub fn to_json(&self) -> Result<Update<Json, Json>, SerializeError> {
        let reported = self.reported.as_ref().map(Json::from_serialize);
        let desired = self.desired.as_ref().map(Json::from_serialize);
        Ok(Update {
            reported: reported.transpose()?,
            desired: desired.transpose()?,
            version: self.version,
            overwrite: self.overwrite,
        })
    }

    /// Appends the request's payload: `type`, `state` with `reported` before `desired`, `version`,
    /// `overwriteUpdate`, `clientToken`, of which `version` and `overwriteUpdate` only when set.
    /// Takes no memory once `out` has room, beyond what the parts' `Serialize` takes.
    ///
    /// JSON text among the values (serde_json's `RawValue`, or [`Json`]) is
    /// restyled too.
    ///
    /// # Errors
    /// [`UpdateError`]; `out` is then as it was.
    pub fn write(
        &self,
        client_token: &str,
        style: JsonStyle,
        out: &mut Vec<u8>,
    ) -> Result<(), UpdateError> {
        let start = out.len();
        let written = self.write_up_to_token(style, out);
        if written.is_err() {
            out.truncate(start);
        } else {
            finish(client_token, style, out);
        }
        written.map(drop)
    }

    /// Appends the request but for the token, a JSON string, and the `}` behind it. After an error
    /// `out` holds a part of it.
    pub(crate) fn write_up_to_token(
        &self,
        style: JsonStyle,
        out: &mut Vec<u8>,
    ) -> Result<Written, UpdateError> {
        let mut deepest = 0;
        let mut reported_at = 0..0;
        match (&self.reported, &self.desired) {
            (None, None) => return Err(UpdateError::Empty),
            (Some(reported), desired) => {
                write_literal(r#"{"type":"update","state":{"reported":"#, style, out);
                let start = out.len();
                deepest = deepest.max(write_part(UpdatePart::Reported, reported, style, out)?);
                reported_at = start..out.len();
                if let Some(desired) = desired {
                    write_literal(r#","desired":"#, style, out);
                    deepest = deepest.max(write_part(UpdatePart::Desired, desired, style, out)?);
                }
            }
            (None, Some(desired)) => {
                write_literal(r#"{"type":"update","state":{"desired":"#, style, out);
                deepest = deepest.max(write_part(UpdatePart::Desired, desired, style, out)?);
            }
        }
        let written = Written {
            deepest,
            reported: reported_at,
            overwrites: self.overwrite,
        };
        if self.version.is_none() && !self.overwrite {
            write_literal(r#"},"clientToken":"#, style, out);
            return Ok(written);
        }
        out.push(b'}');
        if let Some(version) = self.version {
            write_literal(r#","version":"#, style, out);
            write_value(&version, style, out).map_err(UpdateError::Serialize)?;
        }
        if self.overwrite {
            write_literal(r#","overwriteUpdate":true"#, style, out);
        }
        write_literal(r#","clientToken":"#, style, out);
        Ok(written)
    }
}

/// What there is to know of a request's text without reading it again.
#[derive(Default)]
pub(crate) struct Written {
    /// How deep its parts nest, at most.
    pub(crate) deepest: usize,
    /// Where `reported` is; empty when it names none.
    pub(crate) reported: Range<usize>,
    /// Whether `reported` replaces the cloud's.
    pub(crate) overwrites: bool,
}

/// One of the two parts of a document that an update can change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UpdatePart {
    /// The state the device is in.
    Reported,
    /// The state the application wants.
    Desired,
}

impl UpdatePart {
    /// The key in `state`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            UpdatePart::Reported => "reported",
            UpdatePart::Desired => "desired",
        }
    }
}

impl fmt::Display for UpdatePart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why an [`Update`] cannot be written. The caller's values are at fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UpdateError {
    /// Neither `reported` nor `desired` is named.
    Empty,
    /// The part serializes as something else than a JSON object or `null`.
    NotAnObject {
        /// Which part.
        part: UpdatePart,
    },
    /// The values have no JSON form, for example a NaN (which serde_json would turn into `null`,
    /// and so into the deletion of a key) or a map whose keys are not strings.
    Serialize(SerializeError),
}

impl fmt::Display for UpdateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            UpdateError::Empty => f.write_str("the update names neither `reported` nor `desired`"),
            UpdateError::NotAnObject { part } => {
                write!(f, "`{part}` is not a JSON object and not null")
            }
            UpdateError::Serialize(reason) => write!(f, "the update has no JSON form: {reason}"),
        }
    }
}

impl core::error::Error for UpdateError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            UpdateError::Serialize(error) => Some(error),
            UpdateError::Empty | UpdateError::NotAnObject { .. } => None,
        }
    }
}

/// A request as the cloud reads it, borrowed from the PUBLISH payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// What is asked for. A get has no other field than the token; what stands there is not kept.
    pub operation: Operation,
    /// `state.reported`.
    pub reported: Part<'a>,
    /// `state.desired`.
    pub desired: Part<'a>,
    /// The version the update asks to be checked against; 0 asks for no check.
    pub version: Option<u64>,
    /// `overwriteUpdate`.
    pub overwrite: bool,
    /// `clientToken` as JSON text, a string in its quotes or a number.
    pub token: Option<&'a str>,
}

/// One part of an update's `state`, as JSON text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Part<'a> {
    /// Not named: it stays as it is.
    #[default]
    Absent,
    /// `null`: it is to be cleared.
    Null,
    /// A JSON object to merge into it.
    Object(&'a str),
}

/// Reads one request. As forgiving about order, other fields, white space and nulls as
/// [`reply::parse`](super::reply::parse).
///
/// # Errors
/// [`ParseError`]: not UTF-8, not JSON, not an object, no `type` or one that is neither `get` nor
/// `update`; in an update a `state` that is no object, a part that is neither object nor null, a
/// `version` that is no integer from 0, an `overwriteUpdate` that is no boolean; a `clientToken`
/// that is neither string nor number.
pub fn parse_request(payload: &[u8]) -> Result<Request<'_>, ParseError> {
    let text = envelope::text(payload)?;
    let (mut kind, mut token, mut version, mut overwrite) = (None, None, None, None);
    let mut state = State::default();
    envelope::read(text, &KNOWN, |field, reader| match field {
        Some(Field::Type) => kind = Some(reader.value()),
        Some(Field::State) => state = State::read(reader),
        Some(Field::Version) => version = Some(reader.value()),
        Some(Field::OverwriteUpdate) => overwrite = Some(reader.value()),
        Some(Field::ClientToken) => token = Some(reader.value()),
        None => drop(reader.value_span()),
    })?;
    let operation = envelope::kind(kind, |name| match name {
        "get" => Some(Operation::Get),
        "update" => Some(Operation::Update),
        _ => None,
    })?;
    envelope::token(token)?;
    let mut request = Request {
        operation,
        reported: Part::Absent,
        desired: Part::Absent,
        version: None,
        overwrite: false,
        token: envelope::present(token),
    };
    if operation == Operation::Update {
        request.version = envelope::version("version", version)?;
        request.overwrite = boolean("overwriteUpdate", overwrite)?;
        if !state.is_object {
            return Err(ParseError::InvalidField {
                field: "state",
                expected: "an object",
            });
        }
        request.reported = part("state.reported", state.reported)?;
        request.desired = part("state.desired", state.desired)?;
    }
    Ok(request)
}

/// The fields of a request.
#[derive(Clone, Copy)]
enum Field {
    Type,
    State,
    Version,
    OverwriteUpdate,
    ClientToken,
}

const KNOWN: [(&str, Field); 5] = [
    (r#""type":"#, Field::Type),
    (r#""state":"#, Field::State),
    (r#""version":"#, Field::Version),
    (r#""overwriteUpdate":"#, Field::OverwriteUpdate),
    (r#""clientToken":"#, Field::ClientToken),
];

/// The `state` of an update.
struct State<'a> {
    /// True of an absent one and null too.
    is_object: bool,
    reported: Option<&'a str>,
    desired: Option<&'a str>,
}

impl Default for State<'_> {
    fn default() -> Self {
        State {
            is_object: true,
            reported: None,
            desired: None,
        }
    }
}

impl<'a> State<'a> {
    fn read(reader: &mut Reader<'a>) -> State<'a> {
        let mut state = State::default();
        if reader.peek() != Some(b'{') {
            state.is_object = reader.value() == "null";
            return state;
        }
        reader.members(|key, reader| match key {
            b"reported" => state.reported = Some(reader.value()),
            b"desired" => state.desired = Some(reader.value()),
            _ => drop(reader.value_span()),
        });
        state
    }
}

fn part<'a>(field: &'static str, raw: Option<&'a str>) -> Result<Part<'a>, ParseError> {
    match raw {
        None => Ok(Part::Absent),
        Some("null") => Ok(Part::Null),
        Some(raw) if raw.starts_with('{') => Ok(Part::Object(raw)),
        Some(_) => Err(ParseError::InvalidField {
            field,
            expected: "an object or null",
        }),
    }
}

fn boolean(field: &'static str, raw: Option<&str>) -> Result<bool, ParseError> {
    match envelope::present(raw) {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(_) => Err(ParseError::InvalidField {
            field,
            expected: "true or false",
        }),
    }
}

/// Appends the token and the end of the object.
fn finish(client_token: &str, style: JsonStyle, out: &mut Vec<u8>) {
    write_string(client_token, style, out);
    out.push(b'}');
}

/// Appends a part; returns how deep it nests, at most.
fn write_part<T: Serialize>(
    part: UpdatePart,
    value: &T,
    style: JsonStyle,
    out: &mut Vec<u8>,
) -> Result<usize, UpdateError> {
    let start = out.len();
    let depth = write_value(value, style, out).map_err(UpdateError::Serialize)?;
    let written = out.get(start..).unwrap_or_default();
    if written.starts_with(b"{") || written == b"null" {
        Ok(depth)
    } else {
        Err(UpdateError::NotAnObject { part })
    }
}

#[cfg(test)]
mod tests;
