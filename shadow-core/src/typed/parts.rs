//! Telling apart what of an object fits a type and what does not, without knowing the type.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::mem;

use super::MAXIMUM_SINGLE_ERRORS;
use super::error::{FieldPath, PathSegment};
use crate::json::{DEEPEST, Json, JsonStyle, Object, Reader, write_string};

use super::sift::sift;

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
    /// How many more members than that of the fault are wrong in what was left out.
    pub(super) others: usize,
}

/// The largest part of `whole` that `read` takes, as far as that can be found by leaving out what
/// it complains of, and what was left out: [`MAXIMUM_SINGLE_ERRORS`] and one for all others. `read`
/// has then read that part last.
///
/// The complaint alone when `read` does not even take the empty object.
pub(super) fn take_apart(
    whole: &Object,
    read: &mut dyn FnMut(&str) -> Result<(), Fault>,
) -> Result<(Object, Vec<Wrong>), Wrong> {
    let mut parts = Parts {
        read,
        rest: whole.clone(),
        wrong: Vec::new(),
        room: 2 * whole.as_str().len() + SLACK,
        size: whole.as_str().len(),
        budget: None,
    };
    match parts.fit() {
        Ok(()) => Ok((parts.rest, parts.wrong)),
        Err(fault) => Err(match parts.wrong.into_iter().next() {
            // The rest does not fit since this is missing.
            Some(first) => Wrong {
                left_out: whole.clone(),
                others: 0,
                ..first
            },
            None => Wrong {
                value: Json::of_valid(find(whole.as_str(), fault.path.segments()).1),
                left_out: whole.clone(),
                fault,
                others: 0,
            },
        }),
    }
}

/// What single errors may hold of a delta beyond twice its size: the keys around a member are in
/// the error of each.
const SLACK: usize = 2 * 1024;

/// How often the size of the whole is read once there are too many errors. Some 3 times will do
/// where members stand side by side, and some 2 more for each level of objects around them.
const READS_OF_MANY: usize = 64;

pub(super) struct Parts<'r> {
    read: &'r mut dyn FnMut(&str) -> Result<(), Fault>,
    rest: Object,
    wrong: Vec<Wrong>,
    /// How many bytes single errors may hold yet.
    room: usize,
    /// How many bytes the whole has.
    size: usize,
    /// How many bytes may be read yet, once there are too many errors: what is left out then goes
    /// to the last of them.
    budget: Option<usize>,
}

impl Parts<'_> {
    /// Leaves out what does not fit.
    fn fit(&mut self) -> Result<(), Fault> {
        loop {
            let rest = mem::take(&mut self.rest);
            let read = self.try_read(rest.as_str());
            self.rest = rest;
            let Err(fault) = read else {
                return Ok(());
            };
            if self.budget == Some(0) {
                self.leave_out_all();
                return (self.read)("{}").map_err(|_| fault);
            }
            let fault = self.blame(fault)?;
            self.leave_out(fault)?;
            let is_full = self.wrong.len() > MAXIMUM_SINGLE_ERRORS || self.room == 0;
            if is_full && self.budget.is_none() {
                self.budget = Some(READS_OF_MANY * self.size);
                self.sift_rest();
            }
        }
    }

    /// Reads it, on the budget.
    pub(super) fn try_read(&mut self, text: &str) -> Result<(), Fault> {
        self.spend(text.len());
        (self.read)(text)
    }

    fn spend(&mut self, bytes: usize) {
        if let Some(budget) = &mut self.budget {
            *budget = budget.saturating_sub(bytes);
        }
    }

    /// Whether no more may be read.
    pub(super) fn is_spent(&self) -> bool {
        self.budget == Some(0)
    }

    /// The fault of a member of the rest. Where no member is said to be at fault, as what is
    /// flattened is read behind all members, it is that of the member with which those before it, in
    /// the order of their keys, do not fit any more.
    ///
    /// Gives the fault back if not even nothing fits.
    fn blame(&mut self, mut fault: Fault) -> Result<Fault, Fault> {
        let text = String::from(self.rest.as_str());
        let is_of_member = |fault: &Fault| find(&text, fault.path.segments()).0 > 0;
        if is_of_member(&fault) {
            return Ok(fault);
        }
        if self.try_read("{}").is_err() {
            return Err(fault);
        }
        let (mut fit, mut too_many) = (0, first_members(&text, usize::MAX).count);
        while too_many - fit > 1 {
            let middle = fit + (too_many - fit) / 2;
            match self.try_read(&first_members(&text, middle).text) {
                Ok(()) => fit = middle,
                Err(found) if is_of_member(&found) => return Ok(found),
                Err(found) => (too_many, fault) = (middle, found),
            }
        }
        fault.path = FieldPath::of_key(&first_members(&text, too_many).last_key);
        Ok(fault)
    }

    /// Leaves out the member of the rest that the fault's path leads to, as far as it leads from
    /// object to object. Gives the fault back if there is none: so each round of [`Parts::fit`]
    /// leaves less, and they end.
    fn leave_out(&mut self, fault: Fault) -> Result<(), Fault> {
        let (depth, value) = find(self.rest.as_str(), fault.path.segments());
        let way = fault.path.segments().get(..depth).unwrap_or_default();
        let member = naming(way);
        let rest = self.rest.without(&member);
        if rest == self.rest {
            return Err(fault);
        }
        let left_out = self.rest.restricted_to(&member, &Object::default());
        if self.budget.is_some() {
            self.rest = rest;
            self.leave_out_more(&left_out, 1);
            return Ok(());
        }
        let mut before = self.wrong.iter_mut();
        match before.find(|wrong| wrong.fault.path.segments().starts_with(way)) {
            // An object does not fit without a part of it: that part is still what is wrong.
            Some(part) => part.left_out = part.left_out.united(&left_out),
            None => {
                let value = Json::of_valid(value);
                self.room = self.room.saturating_sub(left_out.as_str().len());
                self.wrong.push(Wrong {
                    fault,
                    value,
                    left_out,
                    others: 0,
                });
            }
        }
        self.rest = rest;
        Ok(())
    }

    /// Adds what was left out to the last error.
    pub(super) fn leave_out_more(&mut self, left_out: &Object, members: usize) {
        if let Some(last) = self.wrong.last_mut() {
            last.left_out = last.left_out.united(left_out);
            last.others += members;
            let size = last.left_out.as_str().len();
            self.spend(size);
        }
    }

    fn leave_out_all(&mut self) {
        let rest = mem::take(&mut self.rest);
        let members = first_members(rest.as_str(), usize::MAX).count;
        self.leave_out_more(&rest, members);
    }

    /// Leaves out of the rest what does not fit without the others.
    fn sift_rest(&mut self) {
        let rest = mem::take(&mut self.rest);
        let sifted = sift(self, rest.as_str());
        drop(rest);
        self.rest = sifted.fits;
        self.leave_out_more(&sifted.left_out, sifted.wrong);
    }
}

/// The first members of an object.
struct FirstMembers {
    count: usize,
    last_key: String,
    text: String,
}

/// At most `count` of them. The text is that of an [`Object`].
fn first_members(text: &str, count: usize) -> FirstMembers {
    let mut first = FirstMembers {
        count: 0,
        last_key: String::new(),
        text: String::new(),
    };
    let mut end = 1;
    Reader::new(text).members(|key, reader| {
        reader.value_span();
        if first.count < count {
            first.count += 1;
            first.last_key = String::from_utf8_lossy(key).into_owned();
            end = reader.position() as usize;
        }
    });
    first.text.push_str(text.get(..end).unwrap_or("{"));
    first.text.push('}');
    first
}

/// How many segments, from the first, lead from object to object in `text`, and what stands at the
/// end of them all, or as near to it as `text` goes.
pub(super) fn find<'a>(text: &'a str, way: &[PathSegment]) -> (usize, &'a str) {
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
