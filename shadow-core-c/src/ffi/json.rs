//! Just enough JSON to read what is desired.

use core::ffi::c_char;
use core::ptr;

use super::{caught, null, table, text, write, write_text};
use crate::result::Refusal;
use crate::result::shadow_result::{self, *};

/// Finds a member of a JSON object. `*value` points into `object`, to the value's JSON text of
/// `*value_length` bytes; `strtod` reads a number there, `shadow_json_string` a string, and this
/// function an object within. Of a key that comes twice the last one.
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
