//! A serde serializer that appends to a caller's vector.
//!
//! serde_json has one only with `std`; without, it hands out a new `String` for every value. This
//! one takes no memory of its own, writes either [`JsonStyle`] directly, and refuses NaN and
//! infinity, which serde_json turns into `null`: in a shadow, `null` deletes the key.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Display, Write};

use serde::ser::{self, Serialize};

use super::{JsonStyle, restyle, write_string};
use crate::request::account;

/// The name under which serde_json's `RawValue` passes its text to a serializer.
pub(super) const RAW_VALUE: &str = "$serde_json::private::RawValue";

/// The name under which text that is compact JSON already comes.
pub(super) const COMPACT_TEXT: &str = "$shadow_core::CompactText";

/// Why a value has no JSON form: a NaN or infinite number, a map key that is no string, number or
/// boolean, or whatever the value's own `Serialize` reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SerializeError(String);

impl Display for SerializeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl core::error::Error for SerializeError {}

impl ser::Error for SerializeError {
    fn custom<T: Display>(message: T) -> SerializeError {
        SerializeError(account(&message, "a value has no JSON form"))
    }
}

/// Appends `value` to `out` and returns how deep it nests, at most: how deep does not count for JSON
/// text that was handed through, only what looks like a beginning there. After an error `out` holds a
/// part of it.
pub(crate) fn write_value<T: Serialize + ?Sized>(
    value: &T,
    style: JsonStyle,
    out: &mut Vec<u8>,
) -> Result<usize, SerializeError> {
    let mut serializer = Serializer {
        style,
        next: Next::String,
        depth: 0,
        deepest: 0,
        out,
    };
    value.serialize(&mut serializer)?;
    Ok(serializer.deepest)
}

struct Serializer<'o> {
    style: JsonStyle,
    next: Next,
    /// Objects and arrays that are open, and the most that were.
    depth: usize,
    deepest: usize,
    out: &'o mut Vec<u8>,
}

/// What the next string is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    String,
    /// JSON text, to be written without quotes.
    Json,
    /// As [`Next::Json`], without white space.
    CompactJson,
}

type Written = Result<(), SerializeError>;

impl<'o> Serializer<'o> {
    fn display(&mut self, value: impl Display) -> Written {
        // Writing to a vector cannot fail.
        let _ = write!(Text(self.out), "{value}");
        Ok(())
    }

    /// Appends a number of thousandths, with no zeros at its end but one for the point.
    fn decimal(&mut self, is_negative: bool, thousandths: u64) {
        if is_negative {
            self.out.push(b'-');
        }
        let mut digits = itoa::Buffer::new();
        let whole = digits.format(thousandths / 1_000);
        self.out.extend_from_slice(whole.as_bytes());
        let digit = |scale: u64| b'0' + (thousandths / scale % 10) as u8;
        let decimals = [b'.', digit(100), digit(10), digit(1)];
        let used = match thousandths {
            rest if rest % 100 == 0 => 2,
            rest if rest % 10 == 0 => 3,
            _ => 4,
        };
        self.out
            .extend_from_slice(decimals.get(..used).unwrap_or_default());
    }

    fn comma(&mut self) {
        self.out.push(b',');
        if self.style.is_python() {
            self.out.push(b' ');
        }
    }

    fn colon(&mut self) {
        self.out.push(b':');
        if self.style.is_python() {
            self.out.push(b' ');
        }
    }

    /// `{"variant":`, for a variant with content; the closing brace is the caller's.
    fn variant(&mut self, variant: &str) {
        self.enter();
        self.out.push(b'{');
        write_string(variant, self.style, self.out);
        self.colon();
    }

    /// One more object or array is open.
    fn enter(&mut self) {
        self.depth += 1;
        self.deepest = self.deepest.max(self.depth);
    }

    fn compound(&mut self, open: u8, close: &'static str) -> Compound<'_, 'o> {
        self.enter();
        self.out.push(open);
        Compound {
            serializer: self,
            first: true,
            close,
            text: Next::String,
        }
    }

    /// Something whose one field is the text of a value.
    fn text(&mut self, text: Next) -> Compound<'_, 'o> {
        Compound {
            serializer: self,
            first: true,
            close: "",
            text,
        }
    }

    /// A key is a string, or a number or boolean put in quotes, as with serde_json.
    fn key<T: Serialize + ?Sized>(&mut self, key: &T) -> Written {
        let start = self.out.len();
        key.serialize(&mut *self)?;
        match self.out.get(start) {
            Some(b'"') => Ok(()),
            Some(b'-' | b'0'..=b'9' | b't' | b'f') => {
                self.out.insert(start, b'"');
                self.out.push(b'"');
                Ok(())
            }
            _ => Err(ser::Error::custom("a map key has to be a string")),
        }
    }
}

/// An array or object being written, or a `RawValue` about to hand over its text.
struct Compound<'s, 'o> {
    serializer: &'s mut Serializer<'o>,
    first: bool,
    /// The brackets of all that it opened.
    close: &'static str,
    /// What its field is, if not a value of its own.
    text: Next,
}

impl Compound<'_, '_> {
    fn separate(&mut self) {
        if !self.first {
            self.serializer.comma();
        }
        self.first = false;
    }

    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
        self.separate();
        value.serialize(&mut *self.serializer)
    }

    fn field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Written {
        if self.text != Next::String {
            return self.raw_text(value);
        }
        self.separate();
        write_string(key, self.serializer.style, self.serializer.out);
        self.serializer.colon();
        value.serialize(&mut *self.serializer)
    }

    /// The text of a `RawValue` arrives as a string. Only serde_json makes such values, and only
    /// from valid JSON.
    fn raw_text<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
        self.serializer.next = self.text;
        let written = value.serialize(&mut *self.serializer);
        self.serializer.next = Next::String;
        written
    }

    fn close(self) -> Written {
        self.serializer.out.extend_from_slice(self.close.as_bytes());
        self.serializer.depth -= self.close.len();
        Ok(())
    }
}

/// Adapts a vector to formatting; takes text that needs no escape.
struct Text<'a>(&'a mut Vec<u8>);

impl Write for Text<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

macro_rules! integers {
    ($($method:ident: $type:ty as $written:ty),*) => {
        $(fn $method(self, value: $type) -> Written {
            let value = <$written>::from(value);
            self.out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
            Ok(())
        })*
    };
}

impl<'s, 'o> ser::Serializer for &'s mut Serializer<'o> {
    type Ok = ();
    type Error = SerializeError;
    type SerializeSeq = Compound<'s, 'o>;
    type SerializeTuple = Compound<'s, 'o>;
    type SerializeTupleStruct = Compound<'s, 'o>;
    type SerializeTupleVariant = Compound<'s, 'o>;
    type SerializeMap = Compound<'s, 'o>;
    type SerializeStruct = Compound<'s, 'o>;
    type SerializeStructVariant = Compound<'s, 'o>;

    fn serialize_bool(self, value: bool) -> Written {
        let text: &[u8] = if value { b"true" } else { b"false" };
        self.out.extend_from_slice(text);
        Ok(())
    }

    // Short ones as long ones, so that there is the code for few of them.
    integers!(
        serialize_i8: i8 as i64,
        serialize_i16: i16 as i64,
        serialize_i32: i32 as i64,
        serialize_i64: i64 as i64,
        serialize_i128: i128 as i128,
        serialize_u8: u8 as u64,
        serialize_u16: u16 as u64,
        serialize_u32: u32 as u64,
        serialize_u64: u64 as u64,
        serialize_u128: u128 as u128
    );

    fn serialize_f32(self, value: f32) -> Written {
        finite(value.is_finite())?;
        self.display(format_args!("{value:?}"))
    }

    /// The shortest digits that read back as the same number, always with a point or an exponent.
    fn serialize_f64(self, value: f64) -> Written {
        if let Some((is_negative, thousandths)) = thousandths(value) {
            self.decimal(is_negative, thousandths);
            return Ok(());
        }
        finite(value.is_finite())?;
        self.display(format_args!("{value:?}"))
    }

    fn serialize_char(self, value: char) -> Written {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Written {
        if self.next == Next::String {
            write_string(value, self.style, self.out);
            return Ok(());
        }
        let opened = value.bytes().filter(|byte| matches!(byte, b'{' | b'['));
        self.deepest = self.deepest.max(self.depth + opened.count());
        if self.next == Next::CompactJson && self.style == JsonStyle::Compact {
            self.out.extend_from_slice(value.as_bytes());
        } else {
            restyle(value, self.style, self.out);
        }
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> Written {
        self.collect_seq(value)
    }

    fn serialize_none(self) -> Written {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Written {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Written {
        self.out.extend_from_slice(b"null");
        Ok(())
    }

    fn serialize_unit_struct(self, _name: &'static str) -> Written {
        self.serialize_unit()
    }

    fn serialize_unit_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
    ) -> Written {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        value: &T,
    ) -> Written {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        value: &T,
    ) -> Written {
        self.variant(variant);
        value.serialize(&mut *self)?;
        self.out.push(b'}');
        self.depth -= 1;
        Ok(())
    }

    fn serialize_seq(self, _length: Option<usize>) -> Result<Compound<'s, 'o>, SerializeError> {
        Ok(self.compound(b'[', "]"))
    }

    fn serialize_tuple(self, _length: usize) -> Result<Compound<'s, 'o>, SerializeError> {
        Ok(self.compound(b'[', "]"))
    }

    fn serialize_tuple_struct(
        self,
        _name: &'static str,
        _length: usize,
    ) -> Result<Compound<'s, 'o>, SerializeError> {
        Ok(self.compound(b'[', "]"))
    }

    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _length: usize,
    ) -> Result<Compound<'s, 'o>, SerializeError> {
        self.variant(variant);
        Ok(self.compound(b'[', "]}"))
    }

    fn serialize_map(self, _length: Option<usize>) -> Result<Compound<'s, 'o>, SerializeError> {
        Ok(self.compound(b'{', "}"))
    }

    fn serialize_struct(
        self,
        name: &'static str,
        _length: usize,
    ) -> Result<Compound<'s, 'o>, SerializeError> {
        Ok(match name {
            RAW_VALUE => self.text(Next::Json),
            COMPACT_TEXT => self.text(Next::CompactJson),
            _ => self.compound(b'{', "}"),
        })
    }

    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _length: usize,
    ) -> Result<Compound<'s, 'o>, SerializeError> {
        self.variant(variant);
        Ok(self.compound(b'{', "}}"))
    }
}

macro_rules! compound {
    ($($trait:ident, $method:ident ( $($key:ident: $key_type:ty)? ) => $inner:ident;)*) => {
        $(impl ser::$trait for Compound<'_, '_> {
            type Ok = ();
            type Error = SerializeError;

            fn $method<T: Serialize + ?Sized>(
                &mut self,
                $($key: $key_type,)?
                value: &T,
            ) -> Written {
                self.$inner($($key,)? value)
            }

            fn end(self) -> Written {
                self.close()
            }
        })*
    };
}

compound! {
    SerializeSeq, serialize_element() => element;
    SerializeTuple, serialize_element() => element;
    SerializeTupleStruct, serialize_field() => element;
    SerializeTupleVariant, serialize_field() => element;
    SerializeStruct, serialize_field(key: &'static str) => field;
    SerializeStructVariant, serialize_field(key: &'static str) => field;
}

impl ser::SerializeMap for Compound<'_, '_> {
    type Ok = ();
    type Error = SerializeError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Written {
        self.separate();
        self.serializer.key(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
        self.serializer.colon();
        value.serialize(&mut *self.serializer)
    }

    fn end(self) -> Written {
        self.close()
    }
}

/// The sign and the thousandths of a number that is nothing but that, below a million million.
///
/// That is what sensors measure, and it is written with a seventh of the instructions that finding
/// the shortest digits of any number takes. These are the shortest: a number of at most 15 digits is
/// the only one of so many that is read as the double next to it.
fn thousandths(value: f64) -> Option<(bool, u64)> {
    const BOUND: f64 = 1e12;
    let size = value.abs();
    if size >= BOUND {
        return None;
    }
    let thousandths = (size * 1_000.0 + 0.5) as u64;
    (thousandths as f64 / 1_000.0 == size).then_some((value.is_sign_negative(), thousandths))
}

fn finite(is_finite: bool) -> Written {
    if is_finite {
        Ok(())
    } else {
        Err(ser::Error::custom("NaN and infinity have no JSON form"))
    }
}
