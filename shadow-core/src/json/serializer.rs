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

/// Appends `value` to `out` and returns how many objects and arrays begin in it, at most; after an
/// error `out` holds a part of it.
pub(crate) fn write_value<T: Serialize + ?Sized>(
    value: &T,
    style: JsonStyle,
    out: &mut Vec<u8>,
) -> Result<usize, SerializeError> {
    let mut serializer = Serializer {
        style,
        raw: false,
        opened: 0,
        out,
    };
    value.serialize(&mut serializer)?;
    Ok(serializer.opened)
}

struct Serializer<'o> {
    style: JsonStyle,
    /// Whether the next string is JSON text, to be written without quotes.
    raw: bool,
    /// Objects and arrays begun, or what looks like them in JSON text that was handed through.
    opened: usize,
    out: &'o mut Vec<u8>,
}

type Written = Result<(), SerializeError>;

impl<'o> Serializer<'o> {
    fn display(&mut self, value: impl Display) -> Written {
        // Writing to a vector cannot fail.
        let _ = write!(Text(self.out), "{value}");
        Ok(())
    }

    fn comma(&mut self) {
        match self.style {
            JsonStyle::Compact => self.out.push(b','),
            JsonStyle::Python => self.out.extend_from_slice(b", "),
        }
    }

    fn colon(&mut self) {
        match self.style {
            JsonStyle::Compact => self.out.push(b':'),
            JsonStyle::Python => self.out.extend_from_slice(b": "),
        }
    }

    /// `{"variant":`, for a variant with content; the closing brace is the caller's.
    fn variant(&mut self, variant: &str) {
        self.opened += 1;
        self.out.push(b'{');
        write_string(variant, self.style, self.out);
        self.colon();
    }

    fn compound(&mut self, open: u8, close: &'static str) -> Compound<'_, 'o> {
        self.opened += 1;
        self.out.push(open);
        Compound {
            serializer: self,
            first: true,
            close,
            raw: false,
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
    close: &'static str,
    raw: bool,
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
        if self.raw {
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
        self.serializer.raw = true;
        let written = value.serialize(&mut *self.serializer);
        self.serializer.raw = false;
        written
    }

    fn close(self) -> Written {
        self.serializer.out.extend_from_slice(self.close.as_bytes());
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
        finite(value.is_finite())?;
        self.display(format_args!("{value:?}"))
    }

    fn serialize_char(self, value: char) -> Written {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Written {
        if self.raw {
            self.opened += value
                .bytes()
                .filter(|byte| matches!(byte, b'{' | b'['))
                .count();
            restyle(value, self.style, self.out);
        } else {
            write_string(value, self.style, self.out);
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
        if name == RAW_VALUE {
            return Ok(Compound {
                serializer: self,
                first: true,
                close: "",
                raw: true,
            });
        }
        Ok(self.compound(b'{', "}"))
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

fn finite(is_finite: bool) -> Written {
    if is_finite {
        Ok(())
    } else {
        Err(ser::Error::custom("NaN and infinity have no JSON form"))
    }
}
