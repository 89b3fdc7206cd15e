//! A member of a patch: absent, null or a value.

use core::fmt;
use core::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Visitor};
use serde::ser::{Error, Serialize, Serializer};

/// A member of an object of which only a part is sent, as in `desired`, a delta or a report: it is
/// not there, it is null, or it has a value. An `Option` tells only two of these apart.
///
/// In a struct it wants two attributes of serde, without which reading what has no such member, or
/// writing one that is absent, fails and says so:
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use shadow_core::typed::Field;
///
/// #[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
/// #[serde(default)]
/// struct Light {
///     #[serde(skip_serializing_if = "Field::is_absent")]
///     color: Field<String>,
///     #[serde(skip_serializing_if = "Field::is_absent")]
///     hue: Field<u16>,
/// }
///
/// let light: Light = serde_json::from_str(r#"{"color":null}"#)?;
/// assert_eq!(light, Light { color: Field::Null, hue: Field::Absent });
/// assert_eq!(serde_json::to_string(&light)?, r#"{"color":null}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Field<T> {
    /// There is no such member: nothing is said about it.
    #[default]
    Absent,
    /// It is null: the key is to be deleted.
    Null,
    /// It has this value.
    Value(T),
}

impl<T> Field<T> {
    /// Whether there is no such member; for `skip_serializing_if`.
    #[must_use]
    pub const fn is_absent(&self) -> bool {
        matches!(self, Field::Absent)
    }

    /// The same with the value borrowed.
    #[must_use]
    pub const fn as_ref(&self) -> Field<&T> {
        match self {
            Field::Absent => Field::Absent,
            Field::Null => Field::Null,
            Field::Value(value) => Field::Value(value),
        }
    }

    /// The value, if it has one.
    #[must_use]
    pub const fn value(&self) -> Option<&T> {
        match self {
            Field::Value(value) => Some(value),
            Field::Absent | Field::Null => None,
        }
    }

    /// The value, if it has one.
    #[must_use]
    pub fn into_value(self) -> Option<T> {
        match self {
            Field::Value(value) => Some(value),
            Field::Absent | Field::Null => None,
        }
    }

    /// Merges it into a state: absent leaves that as it is, null clears it, a value sets it.
    ///
    /// ```
    /// use shadow_core::typed::Field;
    ///
    /// let mut hue = Some(120);
    /// Field::Absent.apply_to(&mut hue);
    /// assert_eq!(hue, Some(120));
    /// Field::Value(240).apply_to(&mut hue);
    /// assert_eq!(hue, Some(240));
    /// Field::Null.apply_to(&mut hue);
    /// assert_eq!(hue, None);
    /// ```
    pub fn apply_to(self, state: &mut Option<T>) {
        match self {
            Field::Absent => {}
            Field::Null => *state = None,
            Field::Value(value) => *state = Some(value),
        }
    }
}

/// What a state that may be empty is in a report: `None` deletes the key.
impl<T> From<Option<T>> for Field<T> {
    fn from(state: Option<T>) -> Field<T> {
        state.map_or(Field::Null, Field::Value)
    }
}

/// Null and values as they are.
///
/// # Errors
/// For [`Field::Absent`], which no value stands for.
impl<T: Serialize> Serialize for Field<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Field::Absent => Err(S::Error::custom(
                "an absent field has no value: it wants skip_serializing_if = \"Field::is_absent\"",
            )),
            Field::Null => serializer.serialize_none(),
            Field::Value(value) => serializer.serialize_some(value),
        }
    }
}

/// Null and values; [`Field::Absent`] is what `#[serde(default)]` makes of a member that is not
/// there.
impl<'de, T: Deserialize<'de>> Deserialize<'de> for Field<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Field<T>, D::Error> {
        // As an option, a member that is not there would be read as null where `default` is
        // forgotten, and clear what it should leave alone. As a newtype it is an error.
        deserializer.deserialize_newtype_struct("Field", Present(PhantomData))
    }
}

/// Reads a member that is there.
struct Present<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Present<T> {
    type Value = Field<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("null or a value")
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> Result<Field<T>, D::Error> {
        Option::deserialize(deserializer).map(Field::from)
    }
}
