//! Reading what a device publishes on its operation topic.

use std::borrow::Cow;

use super::node::{MAX_LEVELS, Node, Object, ParseError};
use super::reader::{Reader, string};
use super::{Limits, ResultCode};

/// A request payload, as far as it could be read: a refusal still names the kind and the token, so
/// that the device can tell which of its requests was refused.
pub(crate) struct Request<'a> {
    pub(crate) kind: Option<Kind>,
    pub(crate) token: Option<Cow<'a, str>>,
    pub(crate) operation: Result<Operation<'a>, ResultCode>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Get,
    Update,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Get => "get",
            Kind::Update => "update",
        }
    }
}

pub(crate) enum Operation<'a> {
    Get,
    /// `version` is `None` where the request says 0 or nothing: then it is not checked.
    Update {
        patch: Patch<'a>,
        version: Option<u64>,
    },
}

/// What happens to each part of a document; `None` leaves it alone.
#[derive(Default)]
pub(crate) struct Patch<'a> {
    pub(crate) reported: Option<PartPatch<'a>>,
    pub(crate) desired: Option<PartPatch<'a>>,
}

pub(crate) enum PartPatch<'a> {
    Clear,
    Merge(Object<'a>),
    /// As [`PartPatch::Merge`] into an empty part.
    Replace(Object<'a>),
}

impl<'a> Request<'a> {
    pub(crate) fn parse(payload: &'a [u8], limits: &Limits) -> Request<'a> {
        let unread = |code| Request {
            kind: None,
            token: None,
            operation: Err(code),
        };
        if payload.len() > limits.payload_bytes {
            return unread(ResultCode::TOO_LARGE);
        }
        let members = std::str::from_utf8(payload)
            .ok()
            .and_then(|text| Members::parse(text, limits).ok());
        let Some(members) = members else {
            return unread(ResultCode::MALFORMED);
        };

        let kind = match members.kind.and_then(string).as_deref() {
            Some("get") => Some(Kind::Get),
            Some("update") => Some(Kind::Update),
            _ => None,
        };
        let (token, operation) = match (token(members.token), kind) {
            (Err(code), _) => (None, Err(code)),
            (Ok(token), None) => (token, Err(ResultCode::MALFORMED)),
            (Ok(token), Some(Kind::Get)) => (token, Ok(Operation::Get)),
            (Ok(token), Some(Kind::Update)) => (token, update(members)),
        };
        Request {
            kind,
            token,
            operation,
        }
    }
}

/// The members of a request that say something, as text; of each the last one.
#[derive(Default)]
struct Members<'a> {
    kind: Option<&'a str>,
    token: Option<&'a str>,
    version: Option<&'a str>,
    overwrite: Option<&'a str>,
    /// An error is one of an update only: nobody looks at it in other requests.
    state: Option<Result<State<'a>, ParseError>>,
}

/// The values of the parts that a request names; of each the last one.
#[derive(Default)]
struct State<'a> {
    reported: Option<Result<Node<'a>, ParseError>>,
    desired: Option<Result<Node<'a>, ParseError>>,
}

impl<'a> Members<'a> {
    /// Fails if the whole is no JSON object.
    fn parse(text: &'a str, limits: &Limits) -> Result<Members<'a>, ParseError> {
        let levels = limits.levels.min(MAX_LEVELS);
        let mut members = Members::default();
        let mut reader = Reader::new(text);
        reader.members(|key, reader| {
            let member = match &*key {
                "type" => &mut members.kind,
                "clientToken" => &mut members.token,
                "version" => &mut members.version,
                "overwriteUpdate" => &mut members.overwrite,
                "state" => {
                    let state = reader.attempt(|reader| State::read(reader, levels))?;
                    members.state = Some(state);
                    return Ok(());
                }
                _ => return reader.value().map(|_| ()),
            };
            *member = Some(reader.value()?);
            Ok(())
        })?;
        reader.end()?;
        Ok(members)
    }
}

impl<'a> State<'a> {
    fn read(reader: &mut Reader<'a>, levels: usize) -> Result<State<'a>, ParseError> {
        let mut state = State::default();
        reader.members(|key, reader| {
            let part = match &*key {
                "reported" => &mut state.reported,
                "desired" => &mut state.desired,
                _ => return reader.value().map(|_| ()),
            };
            *part = Some(reader.attempt(|reader| Node::read(reader, levels))?);
            Ok(())
        })?;
        Ok(state)
    }
}

/// The token as the reply will carry it: a string stays, a number becomes its text.
fn token(raw: Option<&str>) -> Result<Option<Cow<'_, str>>, ResultCode> {
    let Some(raw) = raw else {
        return Ok(None);
    };
    match raw.as_bytes().first() {
        Some(b'n') => Ok(None),
        Some(b'"') => string(raw).map(Some).ok_or(ResultCode::MALFORMED),
        Some(b'-' | b'0'..=b'9') => Ok(Some(Cow::Borrowed(raw))),
        _ => Err(ResultCode::MALFORMED),
    }
}

fn update(members: Members<'_>) -> Result<Operation<'_>, ResultCode> {
    let version = match members.version {
        None | Some("null") => None,
        Some(text) => match text.parse().map_err(|_| ResultCode::MALFORMED)? {
            0 => None,
            version => Some(version),
        },
    };
    let overwrite = match members.overwrite {
        None | Some("null" | "false") => false,
        Some("true") => true,
        Some(_) => return Err(ResultCode::MALFORMED),
    };
    let state = members.state.ok_or(ResultCode::MALFORMED)??;

    let mut patch = Patch::default();
    if let Some(value) = state.reported {
        patch.reported = Some(match part(value?)? {
            PartPatch::Merge(members) if overwrite => PartPatch::Replace(members),
            part => part,
        });
    }
    if let Some(value) = state.desired {
        patch.desired = Some(part(value?)?);
    }
    Ok(Operation::Update { patch, version })
}

fn part(value: Node<'_>) -> Result<PartPatch<'_>, ResultCode> {
    match value {
        Node::Object(members) => Ok(PartPatch::Merge(members)),
        node if node.is_null() => Ok(PartPatch::Clear),
        _ => Err(ResultCode::MALFORMED),
    }
}
