//! JSON objects read one level deep.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The members of a JSON object in its order, each value unread. The keys are strings, or whatever
/// else a JSON string can be read as.
#[derive(Clone, Debug)]
pub(crate) struct Members<'a, K = String>(pub(crate) Vec<(K, &'a RawValue)>);

impl<'a, K: Deserialize<'a>> Members<'a, K> {
    /// `None` if the text is no JSON object.
    pub(crate) fn of(text: &'a str) -> Option<Members<'a, K>> {
        serde_json::from_str(text).ok()
    }
}

impl<'a, K: AsRef<str>> Members<'a, K> {
    /// Of a key that comes twice the last one holds.
    pub(crate) fn get(&self, key: &str) -> Option<&'a str> {
        let found = self.0.iter().rev().find(|(name, _)| name.as_ref() == key);
        found.map(|(_, value)| value.get())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &'a str)> {
        let members = self.0.iter();
        members.map(|(key, value)| (key.as_ref(), value.get()))
    }
}

impl<'de, K: Deserialize<'de>> Deserialize<'de> for Members<'de, K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder<K>(PhantomData<K>);
        impl<'de, K: Deserialize<'de>> Visitor<'de> for InOrder<K> {
            type Value = Members<'de, K>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(InOrder(PhantomData))
    }
}
