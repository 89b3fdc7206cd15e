//! The functions of the header.
//!
//! Each one reads its pointers here and nowhere else, and does its work in `guard` or `caught`, so
//! that no panic gets out. What `# Safety` names are the rules at the top of the header, which are
//! those of the README's "Rules".

mod inputs;
mod json;
mod life;
#[cfg(feature = "messages")]
mod messages;
mod outputs;
mod requests;
#[cfg(feature = "session")]
mod session;

use alloc::borrow::Cow;
use alloc::vec::Vec;
use core::ffi::{CStr, c_char};
use core::slice;

use crate::engine::shadow_engine;
use crate::result::Refusal;
use crate::result::shadow_result::{self, *};

pub use inputs::*;
pub use json::*;
pub use life::*;
#[cfg(feature = "messages")]
pub use messages::*;
pub use outputs::*;
pub use requests::*;
#[cfg(feature = "session")]
pub use session::*;

/// Does the work of a function that has an engine: not with a NULL, not with one that has panicked.
/// What it refuses is kept for `shadow_last_error`.
///
/// # Safety
///
/// `engine` is NULL, or came from `shadow_new`, was not freed, and nobody else uses it now.
unsafe fn guard(
    engine: *mut shadow_engine,
    work: impl FnOnce(&mut shadow_engine) -> Result<shadow_result, Refusal>,
) -> shadow_result {
    // SAFETY: the caller's.
    let Some(engine) = (unsafe { engine.as_mut() }) else {
        return SHADOW_NULL_ARGUMENT;
    };
    if engine.panicked {
        return SHADOW_PANICKED;
    }
    let work = || {
        let result = work(engine);
        result.unwrap_or_else(|refusal| {
            engine.note(&refusal);
            refusal.result
        })
    };
    if let Some(result) = caught(work) {
        return result;
    }
    engine.panicked = true;
    SHADOW_PANICKED
}

/// What `work` gives; `None` if it panicked.
#[cfg(not(target_os = "none"))]
fn caught<T>(work: impl FnOnce() -> T) -> Option<T> {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    // What it leaves behind in an engine is marked as panicked, and of no further use.
    catch_unwind(AssertUnwindSafe(work)).ok()
}

/// What `work` gives. A panic ends in the program's own `shadow_panic`.
#[cfg(target_os = "none")]
fn caught<T>(work: impl FnOnce() -> T) -> Option<T> {
    Some(work())
}

fn null(name: &str) -> Refusal {
    Refusal::new(SHADOW_NULL_ARGUMENT, alloc::format!("`{name}` is NULL"))
}

/// A text that may be missing.
///
/// # Safety
///
/// `pointer` is NULL or points to a text with a NUL at its end that stays as it is for `'a`.
unsafe fn optional_text<'a>(
    name: &str,
    pointer: *const c_char,
) -> Result<Option<&'a str>, Refusal> {
    if pointer.is_null() {
        return Ok(None);
    }
    // SAFETY: the caller's.
    let text = unsafe { CStr::from_ptr(pointer) };
    let refuse = |_| Refusal::new(SHADOW_NOT_UTF8, alloc::format!("`{name}` is not UTF-8"));
    text.to_str().map(Some).map_err(refuse)
}

/// A text that has to be there.
///
/// # Safety
///
/// As of [`optional_text`].
unsafe fn text<'a>(name: &str, pointer: *const c_char) -> Result<&'a str, Refusal> {
    // SAFETY: the caller's.
    unsafe { optional_text(name, pointer) }?.ok_or_else(|| null(name))
}

/// Words for a person, which are never a reason to refuse: none for NULL, and whatever is not UTF-8
/// is replaced.
///
/// # Safety
///
/// As of [`optional_text`].
unsafe fn words<'a>(pointer: *const c_char) -> Cow<'a, str> {
    if pointer.is_null() {
        return Cow::Borrowed("");
    }
    // SAFETY: the caller's.
    unsafe { CStr::from_ptr(pointer) }.to_string_lossy()
}

/// A table of so many of something; NULL is one of none.
///
/// # Safety
///
/// `pointer` is NULL or points to `length` of them that stay as they are for `'a`.
unsafe fn table<'a, T>(name: &str, pointer: *const T, length: usize) -> Result<&'a [T], Refusal> {
    if length == 0 {
        return Ok(&[]);
    }
    if pointer.is_null() {
        return Err(null(name));
    }
    if length > isize::MAX as usize / size_of::<T>() {
        let text = alloc::format!("`{name}` cannot have {length} entries");
        return Err(Refusal::new(SHADOW_INVALID_ARGUMENT, text));
    }
    // SAFETY: the caller's, and no longer than there can be.
    Ok(unsafe { slice::from_raw_parts(pointer, length) })
}

/// A table of texts.
///
/// # Safety
///
/// As of [`table`], and of each entry as of [`text`].
unsafe fn texts<'a>(
    name: &str,
    pointer: *const *const c_char,
    length: usize,
) -> Result<Vec<&'a str>, Refusal> {
    // SAFETY: the caller's.
    let pointers = unsafe { table(name, pointer, length) }?;
    let read = |entry: &*const c_char| {
        // SAFETY: the caller's.
        unsafe { text(name, *entry) }
    };
    pointers.iter().map(read).collect()
}

/// Writes to where C wants it, if it wants it.
///
/// # Safety
///
/// `place` is NULL or may be written to.
unsafe fn write<T>(place: *mut T, value: T) {
    if !place.is_null() {
        // SAFETY: the caller's.
        unsafe { place.write(value) };
    }
}

/// Writes a text with a NUL behind it to a buffer of C, if it is one.
///
/// # Safety
///
/// `buffer` is NULL or has room for `capacity` bytes.
unsafe fn write_text(buffer: *mut c_char, capacity: usize, text: &str) {
    if buffer.is_null() || capacity == 0 {
        return;
    }
    let mut length = text.len().min(capacity - 1);
    while !text.is_char_boundary(length) {
        length -= 1;
    }
    // SAFETY: `length` is within the text and below `capacity`; nobody has written to the text.
    unsafe { buffer.cast::<u8>().copy_from(text.as_ptr(), length) };
    // SAFETY: `length` is below `capacity`.
    let end = unsafe { buffer.add(length) };
    // SAFETY: so it is in the buffer.
    unsafe { end.write(0) };
}

#[cfg(all(test, feature = "messages", feature = "session"))]
mod tests;
