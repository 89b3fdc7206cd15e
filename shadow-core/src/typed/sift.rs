//! Telling the members that fit from those that do not by reading each without the others: what is
//! done where there are so many wrong ones that reading all of them again for each would take long.

use alloc::string::String;

use super::parts::{Parts, find};
use crate::json::{Object, Reader};

/// What fits and what does not.
pub(super) struct Sifted {
    pub(super) fits: Object,
    pub(super) left_out: Object,
    /// How many members are at fault.
    pub(super) wrong: usize,
}

/// Reads the members of `text`, that of an [`Object`], each without the others; where one is wrong
/// inside, its members in the same way. What then remains of an object is read once more, and goes
/// if it does not fit. What fits together is left to be found out.
pub(super) fn sift(parts: &mut Parts<'_>, text: &str) -> Sifted {
    let mut sieve = Sieve {
        parts,
        around: String::new(),
        levels: 0,
        fits: String::with_capacity(text.len()),
        left_out: String::with_capacity(text.len()),
        wrong: 0,
    };
    sieve.fits.push('{');
    sieve.left_out.push('{');
    sieve.sift(text);
    sieve.fits.push('}');
    sieve.left_out.push('}');
    let wrong = sieve.wrong;
    let (fits, left_out) = (sieve.fits, sieve.left_out);
    Sifted {
        fits: Object::new(&fits).unwrap_or_default(),
        left_out: Object::new(&left_out).unwrap_or_default(),
        wrong,
    }
}

struct Sieve<'s, 'r> {
    parts: &'s mut Parts<'r>,
    /// What stands before the value that is looked at: the objects around it, each with no more
    /// than the key that leads there.
    around: String,
    /// How many objects these are.
    levels: usize,
    fits: String,
    left_out: String,
    wrong: usize,
}

/// What a member is, read without those beside it.
enum Verdict {
    Fits,
    Wrong,
    /// An object with something wrong in it.
    WrongInside,
}

impl Sieve<'_, '_> {
    /// Puts the members of an object where they belong.
    fn sift(&mut self, object: &str) {
        let mut empty_fits = None;
        let mut start = 1;
        Reader::new(object).members(|_, reader| {
            let value = reader.value();
            let end = reader.position() as usize;
            let member = object.get(start..end).unwrap_or_default();
            // A comma, or the brace at the end.
            start = end + 1;
            match self.judge(member, &mut empty_fits) {
                Verdict::Fits => push_member(&mut self.fits, member),
                Verdict::Wrong => self.leave_out(member),
                Verdict::WrongInside => self.sift_inside(member, value),
            }
        });
    }

    fn judge(&mut self, member: &str, empty_fits: &mut Option<bool>) -> Verdict {
        if self.parts.is_spent() {
            return Verdict::Wrong;
        }
        let text = self.alone(member);
        let Err(fault) = self.parts.try_read(&text) else {
            return Verdict::Fits;
        };
        let (depth, _) = find(&text, fault.path.segments());
        if depth > self.levels {
            return match depth - self.levels {
                1 => Verdict::Wrong,
                _ => Verdict::WrongInside,
            };
        }
        // An object around it lacks something, or does not say what is wrong.
        drop(text);
        let empty = self.alone("");
        let empty_fits = empty_fits.get_or_insert_with(|| self.parts.try_read(&empty).is_ok());
        match empty_fits {
            true => Verdict::Wrong,
            false => Verdict::Fits,
        }
    }

    /// Members with nothing but the objects around them.
    fn alone(&self, members: &str) -> String {
        let size = self.around.len() + members.len() + self.levels + 2;
        let mut text = String::with_capacity(size);
        text.push_str(&self.around);
        text.push('{');
        text.push_str(members);
        text.extend(core::iter::repeat_n('}', self.levels + 1));
        text
    }

    fn leave_out(&mut self, member: &str) {
        push_member(&mut self.left_out, member);
        self.wrong += 1;
    }

    /// Puts the members of the value of a member where they belong.
    fn sift_inside(&mut self, member: &str, value: &str) {
        let key = member.strip_suffix(value).unwrap_or_default();
        let before = (self.around.len(), self.fits.len(), self.left_out.len());
        let wrong = self.wrong;
        self.around.push('{');
        self.around.push_str(key);
        self.levels += 1;
        push_member(&mut self.fits, key);
        push_member(&mut self.left_out, key);
        self.fits.push('{');
        self.left_out.push('{');
        let first = self.fits.len();
        self.sift(value);
        let is_left = self.fits.len() > first;
        let fits = is_left && {
            let text = self.alone(self.fits.get(first..).unwrap_or_default());
            let read = self.parts.try_read(&text);
            // What the objects further out lack is not the fault of this one.
            !read.is_err_and(|fault| find(&text, fault.path.segments()).0 >= self.levels)
        };
        self.levels -= 1;
        self.around.truncate(before.0);
        if fits && self.wrong > wrong {
            self.fits.push('}');
            self.left_out.push('}');
            return;
        }
        self.left_out.truncate(before.2);
        self.fits.truncate(before.1);
        if fits {
            push_member(&mut self.fits, member);
        } else {
            push_member(&mut self.left_out, member);
            self.wrong = self.wrong.max(wrong + 1);
        }
    }
}

fn push_member(members: &mut String, member: &str) {
    if !members.ends_with('{') {
        members.push(',');
    }
    members.push_str(member);
}
