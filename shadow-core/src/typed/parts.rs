//! Telling apart what of an object fits a type and what does not, without knowing the type.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::error::{FieldPath, PathSegment};
use crate::json::{DEEPEST, Json, JsonStyle, Object, Reader, write_string};

/// Why a text does not fit a type.
pub(super) struct Fault {
    pub(super) path: FieldPath,
    pub(super) reason: String,
}

/// What was left out of an object.
pub(super) struct Wrong {
    pub(super) fault: Fault,
    pub(super) value: Json,
    pub(super) left_out: Object,
}

/// The largest part of `whole` that `read` takes, as far as that can be found by leaving out what
/// it complains of, and what was left out. `read` has then read that part last.
///
/// The complaint alone when `read` does not even take the empty object.
pub(super) fn take_apart(
    whole: &Object,
    read: &mut dyn FnMut(&str) -> Result<(), Fault>,
) -> Result<(Object, Vec<Wrong>), Wrong> {
    let rest = whole.clone();
    let mut parts = Parts {
        read,
        rest,
        wrong: Vec::new(),
    };
    match parts.fit_all() {
        Ok(()) => Ok((parts.rest, parts.wrong)),
        Err(fault) => Err(match parts.wrong.into_iter().next() {
            // The rest does not fit since this is missing.
            Some(first) => Wrong {
                left_out: whole.clone(),
                ..first
            },
            None => Wrong {
                value: Json::of_valid(find(whole.as_str(), fault.path.segments()).1),
                left_out: whole.clone(),
                fault,
            },
        }),
    }
}

struct Parts<'r> {
    read: &'r mut dyn FnMut(&str) -> Result<(), Fault>,
    rest: Object,
    wrong: Vec<Wrong>,
}

impl Parts<'_> {
    fn fit_all(&mut self) -> Result<(), Fault> {
        let Err(fault) = self.fit(None) else {
            return Ok(());
        };
        // No member is said to be at fault, as what is flattened is read behind all members. So
        // they are added one by one.
        if (self.read)("{}").is_err() {
            return Err(fault);
        }
        let mut keys = Vec::new();
        Reader::new(self.rest.as_str()).members(|key, reader| {
            keys.push(String::from_utf8_lossy(key).into_owned());
            reader.value_span();
        });
        keys.iter().try_for_each(|key| self.fit(Some(key)))
    }

    /// Leaves out of the members up to `last`, or of all, what does not fit. What is no member's
    /// fault is that of `last`.
    fn fit(&mut self, last: Option<&str>) -> Result<(), Fault> {
        loop {
            let tried = match last {
                Some(last) => self.rest.members_where(|key| key <= last),
                None => self.rest.clone(),
            };
            let Err(mut fault) = (self.read)(tried.as_str()) else {
                return Ok(());
            };
            let (mut depth, mut value) = find(tried.as_str(), fault.path.segments());
            if let (0, Some(last)) = (depth, last) {
                fault.path = FieldPath::of_key(last);
                (depth, value) = find(tried.as_str(), fault.path.segments());
            }
            let value = Json::of_valid(value);
            self.leave_out(fault, depth, value)?;
        }
    }

    /// Leaves out the member that the first `depth` segments of the path lead to. Gives the fault
    /// back if there is none: so each round of [`Parts::fit`] leaves less, and they end.
    fn leave_out(&mut self, fault: Fault, depth: usize, value: Json) -> Result<(), Fault> {
        let way = fault.path.segments().get(..depth).unwrap_or_default();
        let member = naming(way);
        let rest = self.rest.without(&member);
        if rest == self.rest {
            return Err(fault);
        }
        let left_out = self.rest.restricted_to(&member, &Object::default());
        self.rest = rest;
        let mut before = self.wrong.iter_mut();
        match before.find(|wrong| wrong.fault.path.segments().starts_with(way)) {
            // An object does not fit without a part of it: that part is still what is wrong.
            Some(part) => part.left_out = part.left_out.united(&left_out),
            None => self.wrong.push(Wrong {
                fault,
                value,
                left_out,
            }),
        }
        Ok(())
    }
}

/// How many segments, from the first, lead from object to object in `text`, and what stands at the
/// end of them all, or as near to it as `text` goes.
fn find<'a>(text: &'a str, way: &[PathSegment]) -> (usize, &'a str) {
    let (mut depth, mut value) = (0, text);
    for (index, segment) in way.iter().enumerate() {
        let Some(found) = step(value, segment) else {
            break;
        };
        value = found;
        let is_key = matches!(segment, PathSegment::Key(_));
        depth += usize::from(is_key && depth == index && index < DEEPEST);
    }
    (depth, value)
}

fn step<'a>(text: &'a str, segment: &PathSegment) -> Option<&'a str> {
    let mut reader = Reader::new(text);
    let mut found = None;
    match segment {
        PathSegment::Key(wanted) | PathSegment::Variant(wanted) => {
            reader.members(|key, reader| {
                let value = reader.value();
                if key == wanted.as_bytes() {
                    found = Some(value);
                }
            });
        }
        PathSegment::Index(wanted) => {
            let mut index = 0;
            reader.elements(|reader| {
                let value = reader.value();
                if index == *wanted {
                    found = Some(value);
                }
                index += 1;
            });
        }
        PathSegment::Unknown => {}
    }
    found
}

/// An object with nothing but a null there.
fn naming(way: &[PathSegment]) -> Object {
    let mut text = Vec::new();
    let mut closing = String::new();
    for segment in way {
        if let PathSegment::Key(key) = segment {
            text.push(b'{');
            write_string(key, JsonStyle::Compact, &mut text);
            text.push(b':');
            closing.push('}');
        }
    }
    text.extend_from_slice(b"null");
    text.extend_from_slice(closing.as_bytes());
    let text = String::from_utf8(text).unwrap_or_default();
    Object::new(&text).unwrap_or_default()
}

/// What serde_json says, without the place in a text that nobody has seen.
pub(super) fn reason(error: &serde_json::Error) -> String {
    let (text, line, column) = (error.to_string(), error.line(), error.column());
    let place = alloc::format!(" at line {line} column {column}");
    text.strip_suffix(place.as_str()).unwrap_or(&text).into()
}
