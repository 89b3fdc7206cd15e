//! What did not fit, and where.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Write};

use serde_path_to_error::Segment;

use crate::event::Delta;
use crate::json::{Json, JsonStyle, write_string};

/// A member of a delta that does not fit the type that the delta was read as, and was left out.
///
/// `Display` prints the path and the reason: `light.hue: invalid type: string "red", expected u16`;
/// where it stands for others as well, how many: `…, and 983 more`.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct FieldError {
    /// Where.
    pub path: FieldPath,
    /// Why, in the words of serde.
    pub reason: String,
    /// What stands there.
    pub value: Json,
    /// How many more wrong members this stands for, beside the one at `path`; 0 but in the last of
    /// [too many errors](super#how-much-can-be-wrong).
    pub others: usize,
    /// The same delta with nothing but what was left out on account of this: for
    /// [`Engine::reject`](crate::Engine::reject), which then answers this and nothing else. It is
    /// the member at [`path`](Self::path), or as said under [what is left out](super#what-is-left-out)
    /// an object around it; with the others, if there are any.
    pub delta: Delta,
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.segments().is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.reason)?;
        match self.others {
            0 => Ok(()),
            others => write!(f, ", and {others} more"),
        }
    }
}

impl core::error::Error for FieldError {}

/// The way from the whole of a delta's state to a value in it; empty for the whole.
///
/// `Display` prints it as an expression of JavaScript would name it: `light.levels[2]`. Keys that
/// are more than ASCII letters, digits, `_`, `-` and characters beyond ASCII stand in brackets and
/// quotes, so that no two paths look alike: `light["a.b"].hue`. A key that is unknown is a `?`, and
/// the whole a single `.`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct FieldPath(Vec<PathSegment>);

/// A step of a [`FieldPath`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum PathSegment {
    /// To the member of an object with this key.
    Key(String),
    /// To an element of an array, counted from 0.
    Index(usize),
    /// Into this variant of an enum.
    Variant(String),
    /// To a member whose key could not be read as a key of a map, for example as a number.
    Unknown,
}

impl FieldPath {
    /// Its steps, the outermost first.
    #[must_use]
    pub fn segments(&self) -> &[PathSegment] {
        &self.0
    }

    /// The way to the whole.
    pub(super) const fn whole() -> FieldPath {
        FieldPath(Vec::new())
    }

    /// The way to a member of the whole.
    pub(super) fn of_key(key: &str) -> FieldPath {
        FieldPath(Vec::from([PathSegment::Key(key.into())]))
    }
}

impl From<&serde_path_to_error::Path> for FieldPath {
    fn from(path: &serde_path_to_error::Path) -> FieldPath {
        let segments = path.iter().map(|segment| match segment {
            Segment::Map { key } => PathSegment::Key(key.clone()),
            Segment::Seq { index } => PathSegment::Index(*index),
            Segment::Enum { variant } => PathSegment::Variant(variant.clone()),
            Segment::Unknown => PathSegment::Unknown,
        });
        FieldPath(segments.collect())
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_char('.');
        }
        for (index, segment) in self.0.iter().enumerate() {
            let name = match segment {
                PathSegment::Key(name) | PathSegment::Variant(name) => name,
                PathSegment::Unknown => "?",
                PathSegment::Index(index) => {
                    write!(f, "[{index}]")?;
                    continue;
                }
            };
            if is_plain(name) || *segment == PathSegment::Unknown {
                if index > 0 {
                    f.write_char('.')?;
                }
                f.write_str(name)?;
            } else {
                let mut quoted = Vec::new();
                write_string(name, JsonStyle::Compact, &mut quoted);
                write!(f, "[{}]", String::from_utf8_lossy(&quoted))?;
            }
        }
        Ok(())
    }
}

/// Whether nothing in a key could be taken for a part of the path around it.
fn is_plain(key: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-') || !c.is_ascii();
    !key.is_empty() && key.chars().all(is_plain)
}
