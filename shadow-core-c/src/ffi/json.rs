//! Just enough JSON to read what is desired.

use core::ffi::c_char;
use core::ptr;

use shadow_core::json::Json;

use super::{caught, null, table, text, write, write_text};
use crate::result::Refusal;
use crate::result::shadow_result::{self, *};

/// Finds a member of a JSON object. `*value` points into `object`, to the value's JSON text of
/// `*value_length` bytes, for `shadow_json_string`, `shadow_json_number`, `shadow_json_integer` or
/// `shadow_json_bool`, or for this function, where it is an object. Of a key that comes twice the last
/// one.
///
/// `SHADOW_OK`, or `SHADOW_EMPTY` when there is no such member; `SHADOW_NULL_ARGUMENT`,
/// `SHADOW_INVALID_ARGUMENT`, `SHADOW_NOT_UTF8`, `SHADOW_INVALID_JSON` when it is no object. Unless
/// it is `SHADOW_OK`, `*value` is NULL.
///
/// # Safety
/// The rules at the top of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn shadow_json_member(
    object: *const c_char,
    length: usize,
    key: *const c_char,
    value: *mut *const c_char,
    value_length: *mut usize,
) -> shadow_result {
    // SAFETY: rule 2.
    unsafe { write(value, ptr::null()) };
    // SAFETY: rule 2.
    unsafe { write(value_length, 0) };
    let work = || {
        if value.is_null() || value_length.is_null() {
            return Err(null("value"));
        }
        // SAFETY: rule 2.
        let object = unsafe { json("object", object, length) }?;
        // SAFETY: rule 2.
        let key = unsafe { text("key", key) }?;
        let Some(found) = shadow_core::json::member(object, key).map_err(invalid)? else {
            return Ok(SHADOW_EMPTY);
        };
        // SAFETY: rule 2.
        unsafe { write(value, found.as_ptr().cast()) };
        // SAFETY: rule 2.
        unsafe { write(value_length, found.len()) };
        Ok(SHADOW_OK)
    };
    finish(caught(work))
}

/// Reads a JSON string: what it says is written to `buffer`, with a NUL behind it. It never takes
/// more than `length` bytes, the NUL included.
///
/// `SHADOW_NULL_ARGUMENT`, `SHADOW_INVALID_ARGUMENT`, `SHADOW_NOT_UTF8`; `SHADOW_INVALID_JSON` when
/// it is no string, or one with a NUL in it; `SHADOW_BUFFER_TOO_SMALL`. Then `buffer` is the empty
/// text.
///
/// # Safety
/// The rules at the top of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn shadow_json_string(
    value: *const c_char,
    length: usize,
    buffer: *mut c_char,
    capacity: usize,
) -> shadow_result {
    // SAFETY: rule 2.
    unsafe { write_text(buffer, capacity, "") };
    let work = || {
        if buffer.is_null() {
            return Err(null("buffer"));
        }
        // SAFETY: rule 2.
        let value = unsafe { json("value", value, length) }?;
        let read = shadow_core::json::string(value).ok_or_else(|| invalid("it is no string"))?;
        if read.contains('\0') {
            return Err(Refusal::new(SHADOW_INVALID_JSON, "there is a NUL in it"));
        }
        if read.len() >= capacity {
            return Ok(SHADOW_BUFFER_TOO_SMALL);
        }
        // SAFETY: rule 2.
        unsafe { write_text(buffer, capacity, &read) };
        Ok(SHADOW_OK)
    };
    finish(caught(work))
}

/// Reads a JSON number as the nearest double, whatever the locale is.
///
/// `SHADOW_NULL_ARGUMENT`, `SHADOW_INVALID_ARGUMENT`, `SHADOW_NOT_UTF8`; `SHADOW_INVALID_JSON` when
/// it is no number, such as `true` or `"7"`, or one beyond the largest double. Then `*number` is 0.
///
/// # Safety
/// The rules at the top of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn shadow_json_number(
    value: *const c_char,
    length: usize,
    number: *mut f64,
) -> shadow_result {
    // SAFETY: rule 2.
    unsafe {
        read(value, length, number, |text| {
            text.parse().ok().filter(|number: &f64| number.is_finite())
        })
    }
}

/// Reads a JSON number that is an integer: one without a fraction and an exponent, so neither `1.0`
/// nor `1e3`.
///
/// `SHADOW_NULL_ARGUMENT`, `SHADOW_INVALID_ARGUMENT`, `SHADOW_NOT_UTF8`; `SHADOW_INVALID_JSON` when
/// it is no integer, or one beyond 64 bits with a sign. Then `*integer` is 0.
///
/// # Safety
/// The rules at the top of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn shadow_json_integer(
    value: *const c_char,
    length: usize,
    integer: *mut i64,
) -> shadow_result {
    // SAFETY: rule 2.
    unsafe { read(value, length, integer, |text| text.parse().ok()) }
}

/// Reads `true` or `false`.
///
/// `SHADOW_NULL_ARGUMENT`, `SHADOW_INVALID_ARGUMENT`, `SHADOW_NOT_UTF8`; `SHADOW_INVALID_JSON` when
/// it is neither. Then `*truth` is false.
///
/// # Safety
/// The rules at the top of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn shadow_json_bool(
    value: *const c_char,
    length: usize,
    truth: *mut bool,
) -> shadow_result {
    // SAFETY: rule 2.
    unsafe { read(value, length, truth, |text| text.parse().ok()) }
}

/// Writes what `parse` makes of a JSON value, or the default.
///
/// Rust's `str::parse` reads all of JSON's numbers and more, such as `inf`, `+1` and `01`. None of
/// that is JSON, and JSON is all that `parse` is given.
///
/// # Safety
///
/// As of [`json`], and `place` is NULL or may be written to.
unsafe fn read<T: Default>(
    value: *const c_char,
    length: usize,
    place: *mut T,
    parse: impl FnOnce(&str) -> Option<T>,
) -> shadow_result {
    // SAFETY: the caller's.
    unsafe { write(place, T::default()) };
    let work = || {
        if place.is_null() {
            return Err(null("place"));
        }
        // SAFETY: the caller's.
        let value = unsafe { json("value", value, length) }?;
        let value = Json::new(value).map_err(invalid)?;
        let read = parse(value.as_str()).ok_or_else(|| invalid("it is of another kind"))?;
        // SAFETY: the caller's.
        unsafe { write(place, read) };
        Ok(SHADOW_OK)
    };
    finish(caught(work))
}

/// JSON text of a given length.
///
/// # Safety
///
/// As of [`table`].
unsafe fn json<'a>(name: &str, pointer: *const c_char, length: usize) -> Result<&'a str, Refusal> {
    if pointer.is_null() {
        return Err(null(name));
    }
    // SAFETY: the caller's.
    let bytes = unsafe { table(name, pointer.cast::<u8>(), length) }?;
    let refuse = |_| Refusal::new(SHADOW_NOT_UTF8, alloc::format!("`{name}` is not UTF-8"));
    core::str::from_utf8(bytes).map_err(refuse)
}

fn invalid(error: impl core::fmt::Display) -> Refusal {
    Refusal::new(SHADOW_INVALID_JSON, error)
}

fn finish(result: Option<Result<shadow_result, Refusal>>) -> shadow_result {
    match result {
        Some(Ok(result)) => result,
        Some(Err(refusal)) => refusal.result,
        None => SHADOW_PANICKED,
    }
}
