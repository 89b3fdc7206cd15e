//! Reading what a device publishes on its operation topic.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::node::{MAX_LEVELS, Members, Node, Object, string};
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
        let members: Option<Members<'a>> = std::str::from_utf8(payload)
            .ok()
            .and_then(|text| Members::parse(text).ok());
        let Some(members) = members else {
            return unread(ResultCode::MALFORMED);
        };

        let kind = match members.get("type").and_then(string).as_deref() {
            Some("get") => Some(Kind::Get),
            Some("update") => Some(Kind::Update),
            _ => None,
        };
        let (token, operation) = match (token(&members), kind) {
            (Err(code), _) => (None, Err(code)),
            (Ok(token), None) => (token, Err(ResultCode::MALFORMED)),
            (Ok(token), Some(Kind::Get)) => (token, Ok(Operation::Get)),
            (Ok(token), Some(Kind::Update)) => (token, update(&members, limits)),
        };
        Request {
            kind,
            token,
            operation,
        }
    }
}

/// The token as the reply will carry it: a string stays, a number becomes its text.
fn token<'a>(members: &Members<'a>) -> Result<Option<Cow<'a, str>>, ResultCode> {
    let Some(raw) = members.get("clientToken") else {
        return Ok(None);
    };
    match raw.get().as_bytes().first() {
        Some(b'n') => Ok(None),
        Some(b'"') => string(raw).map(Some).ok_or(ResultCode::MALFORMED),
        Some(b'-' | b'0'..=b'9') => Ok(Some(Cow::Borrowed(raw.get()))),
        _ => Err(ResultCode::MALFORMED),
    }
}

fn update<'a>(members: &Members<'a>, limits: &Limits) -> Result<Operation<'a>, ResultCode> {
    let version = match members.get("version").map(|raw| raw.get()) {
        None | Some("null") => None,
        Some(text) => match text.parse().map_err(|_| ResultCode::MALFORMED)? {
            0 => None,
            version => Some(version),
        },
    };
    let overwrite = match members.get("overwriteUpdate").map(|raw| raw.get()) {
        None | Some("null" | "false") => false,
        Some("true") => true,
        Some(_) => return Err(ResultCode::MALFORMED),
    };
    let state = members.get("state").ok_or(ResultCode::MALFORMED)?;
    let state = Members::parse(state.get())?;

    let mut patch = Patch::default();
    if let Some(raw) = state.get("reported") {
        patch.reported = Some(match part(raw, limits)? {
            PartPatch::Merge(members) if overwrite => PartPatch::Replace(members),
            part => part,
        });
    }
    if let Some(raw) = state.get("desired") {
        patch.desired = Some(part(raw, limits)?);
    }
    Ok(Operation::Update { patch, version })
}

fn part<'a>(raw: &'a RawValue, limits: &Limits) -> Result<PartPatch<'a>, ResultCode> {
    match Node::from_raw(raw, limits.levels.min(MAX_LEVELS))? {
        Node::Object(members) => Ok(PartPatch::Merge(members)),
        node if node.is_null() => Ok(PartPatch::Clear),
        _ => Err(ResultCode::MALFORMED),
    }
}
