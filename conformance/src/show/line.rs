//! The fields of one line of a recording.

use serde::de::Deserialize;
use shadow_core::recording::decode_bytes;

use crate::members::Members;

/// Why a line is none that can be told.
#[derive(Debug)]
pub(super) struct LineError {
    /// Where in it, in bytes from 1.
    pub(super) column: usize,
    /// What is wrong there. Never what the line holds.
    pub(super) what: String,
}

/// The members of the object that is one line, in its order.
pub(super) struct Fields<'a> {
    text: &'a str,
    members: Members<'a>,
}

impl<'a> Fields<'a> {
    pub(super) fn parse(text: &'a str) -> Result<Fields<'a>, LineError> {
        let members = serde_json::from_str(text).map_err(|error| LineError {
            column: error.column().max(1),
            what: without_place(&error).to_owned(),
        })?;
        Ok(Fields { text, members })
    }

    /// JSON as it stands in the line.
    pub(super) fn raw(&self, key: &str) -> Option<&'a str> {
        self.members.get(key)
    }

    /// JSON as it stood before the line was written: that under `key`, or the text under
    /// `{key}_text`.
    pub(super) fn json(&self, key: &str) -> Result<Option<String>, LineError> {
        match self.raw(key) {
            Some(raw) => Ok(Some(raw.to_owned())),
            None => self.string(&format!("{key}_text")),
        }
    }

    pub(super) fn u64(&self, key: &str) -> Result<Option<u64>, LineError> {
        self.read(key, "a whole number from 0")
    }

    pub(super) fn i64(&self, key: &str) -> Result<Option<i64>, LineError> {
        self.read(key, "a whole number")
    }

    pub(super) fn string(&self, key: &str) -> Result<Option<String>, LineError> {
        self.read(key, "a string")
    }

    /// Whether the flag is there and true.
    pub(super) fn flag(&self, key: &str) -> Result<bool, LineError> {
        Ok(self.read(key, "true or false")?.unwrap_or(false))
    }

    /// Bytes that are written as the characters of their numbers.
    pub(super) fn bytes(&self, key: &str) -> Result<Option<Vec<u8>>, LineError> {
        let Some(text) = self.string(key)? else {
            return Ok(None);
        };
        match decode_bytes(&text) {
            Some(bytes) => Ok(Some(bytes)),
            None => Err(self.wrong(key, "bytes, each the character of its number")),
        }
    }

    /// A field as a `T`.
    pub(super) fn read<T: Deserialize<'a>>(
        &self,
        key: &str,
        expected: &str,
    ) -> Result<Option<T>, LineError> {
        let Some(raw) = self.raw(key) else {
            return Ok(None);
        };
        match serde_json::from_str(raw) {
            Ok(value) => Ok(Some(value)),
            Err(_) => Err(self.wrong(key, expected)),
        }
    }

    /// What a field must be there for.
    pub(super) fn required<T>(&self, key: &str, value: Option<T>) -> Result<T, LineError> {
        value.ok_or_else(|| LineError {
            column: self.text.len(),
            what: format!("there is no `{key}`"),
        })
    }

    /// A field that is not what it should be.
    pub(super) fn wrong(&self, key: &str, expected: &str) -> LineError {
        let raw = self.raw(key).unwrap_or(self.text);
        // The value is a part of the line, so the difference of their addresses is where it stands.
        let offset = (raw.as_ptr() as usize).saturating_sub(self.text.as_ptr() as usize);
        LineError {
            column: offset + 1,
            what: format!("`{key}` is not {expected}"),
        }
    }

    /// A JSON object of the members whose keys are wanted, in their order.
    pub(super) fn object(&self, wanted: impl Fn(&str) -> bool) -> Option<String> {
        let mut object = String::from("{");
        for (key, value) in self.members.iter().filter(|(key, _)| wanted(key)) {
            if object.len() > 1 {
                object.push(',');
            }
            // A string always has a JSON form.
            object.push_str(&serde_json::to_string(key).unwrap_or_default());
            object.push(':');
            object.push_str(value);
        }
        object.push('}');
        (object.len() > 2).then_some(object)
    }
}

/// What serde_json says, without the place, which is told apart, and without what it found, which
/// could be anything.
fn without_place(error: &serde_json::Error) -> &'static str {
    match error.classify() {
        serde_json::error::Category::Eof => "the line ends too early",
        serde_json::error::Category::Data => "not a JSON object",
        _ => "not JSON",
    }
}
