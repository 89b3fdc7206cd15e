//! The members of a line, in their order and with their places.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::members::Members;

/// An object's members, read one level deep, in the order in which they stand.
#[derive(Debug, Default)]
pub(super) struct Fields<'a> {
    pub(super) members: Vec<(Cow<'a, str>, &'a RawValue)>,
}

impl<'a> Fields<'a> {
    /// `None` if the text is no JSON object.
    pub(super) fn parse(text: &'a str) -> Option<Fields<'a>> {
        let Members(members) = Members::of(text)?;
        Some(Fields { members })
    }

    /// A member's JSON text.
    pub(super) fn json(&self, key: &str) -> Option<&'a str> {
        let found = self.members.iter().find(|(name, _)| name == key);
        found.map(|(_, value)| value.get())
    }

    /// A member that is a string.
    pub(super) fn text(&self, key: &str) -> Option<Cow<'a, str>> {
        string(self.json(key)?)
    }

    /// A member that is a whole number.
    pub(super) fn number(&self, key: &str) -> Option<u64> {
        self.json(key)?.parse().ok()
    }
}

/// What a JSON string says; `None` of other JSON.
pub(super) fn string(json: &str) -> Option<Cow<'_, str>> {
    /// Borrows where there are no escapes.
    #[derive(Deserialize)]
    struct Text<'a>(#[serde(borrow)] Cow<'a, str>);
    let Text(text) = serde_json::from_str(json).ok()?;
    Some(text)
}
