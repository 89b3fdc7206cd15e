//! What the program wants.

use core::ffi::c_char;
use core::time::Duration;

use shadow_core::{Instant, RequestId, ShadowId};

use super::life::SHADOW_NO_REQUEST;
use super::{guard, optional_text, text, texts, words, write};
use crate::engine::{Keys, shadow_engine};
use crate::result::Refusal;
use crate::result::shadow_result::{self, *};

/// Does the work of a request; its id is written to `request` if that is not NULL.
///
/// # Safety
///
/// As of [`guard`], and `request` is NULL or may be written to.
pub(super) unsafe fn ask(
    engine: *mut shadow_engine,
    request: *mut u64,
    work: impl FnOnce(&mut shadow_engine) -> Result<Option<RequestId>, Refusal>,
) -> shadow_result {
    // SAFETY: the caller's.
    unsafe { write(request, SHADOW_NO_REQUEST) };
    let work = |engine: &mut shadow_engine| {
        let Some(id) = work(engine)? else {
            return Ok(SHADOW_EMPTY);
        };
        // SAFETY: the caller's.
        unsafe { write(request, id.as_u64()) };
        Ok(SHADOW_OK)
    };
    // SAFETY: the caller's.
    unsafe { guard(engine, work) }
}

/// Reports that these keys have these values now: `patch` is a JSON object, null deletes a key. The
/// engine keeps what was reported and brings the cloud up to date on this link and every later one,
/// so it may be called at any time. Ends as `SHADOW_OUTCOME_REPORTED`; reports that leave together
/// are one request.
///
/// `SHADOW_NULL_ARGUMENT`, `SHADOW_NOT_UTF8`, `SHADOW_INVALID_JSON`, `SHADOW_INVALID_UPDATE` when it
/// is no object, `SHADOW_LIMIT_EXCEEDED`, `SHADOW_QUEUE_FULL`, `SHADOW_TOO_MANY_REQUESTS` when too
/// many ends wait to be polled, `SHADOW_UNKNOWN_SHADOW`, `SHADOW_CLOSED`, `SHADOW_PANICKED`.
///
/// # Safety
/// The rules at the top of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn shadow_report(
    engine: *mut shadow_engine,
    now: u64,
    shadow: u32,
    patch: *const c_char,
    request: *mut u64,
) -> shadow_result {
    let work = |engine: &mut shadow_engine| {
        // SAFETY: rule 2.
        let patch = unsafe { text("patch", patch) }?;
        let (now, shadow) = (Instant::from_micros(now), ShadowId::from_u32(shadow));
        engine.report(now, shadow, patch).map(Some)
    };
    // SAFETY: rules 1 to 3.
    unsafe { ask(engine, request, work) }
}

/// Asks for the whole shadow. Ends as `SHADOW_OUTCOME_ACCEPTED` with the document.
///
/// `SHADOW_NULL_ARGUMENT`, `SHADOW_UNKNOWN_SHADOW`, `SHADOW_TOO_MANY_REQUESTS`, `SHADOW_QUEUE_FULL`,
/// `SHADOW_CLOSED`, `SHADOW_PANICKED`.
///
/// # Safety
/// The rules at the top of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn shadow_get(
    engine: *mut shadow_engine,
    now: u64,
    shadow: u32,
    request: *mut u64,
) -> shadow_result {
    let work = |engine: &mut shadow_engine| {
        let (now, shadow) = (Instant::from_micros(now), ShadowId::from_u32(shadow));
        Ok(Some(engine.engine.get(now, shadow)?))
    };
    // SAFETY: rules 1 to 3.
    unsafe { ask(engine, request, work) }
}

/// Sends one update of `reported`, `desired` or both, each a JSON object, "null" to delete all of
/// it, or NULL to leave it as it is. If the link is lost before the answer it ends as
/// `SHADOW_OUTCOME_DISCONNECTED`; `shadow_report` is for state that has to arrive. Unless `version`
/// is 0 the cloud refuses it, with code 5005, if its document has another version. With `overwrite`
/// the given `reported` replaces the cloud's instead of being merged into it.
///
/// `SHADOW_NULL_ARGUMENT` for `engine`, `SHADOW_NOT_UTF8`, `SHADOW_INVALID_JSON`,
/// `SHADOW_INVALID_UPDATE` when both parts are NULL or one is no object, `SHADOW_LIMIT_EXCEEDED`, and
/// those of `shadow_get`.
///
/// # Safety
/// The rules at the top of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn shadow_update(
    engine: *mut shadow_engine,
    now: u64,
    shadow: u32,
    reported: *const c_char,
    desired: *const c_char,
    version: u64,
    overwrite: bool,
    request: *mut u64,
) -> shadow_result {
    let work = |engine: &mut shadow_engine| {
        // SAFETY: rule 2.
        let reported = unsafe { optional_text("reported", reported) }?;
        // SAFETY: rule 2.
        let desired = unsafe { optional_text("desired", desired) }?;
        let (now, shadow) = (Instant::from_micros(now), ShadowId::from_u32(shadow));
        let id = engine.update(now, shadow, reported, desired, version, overwrite)?;
        Ok(Some(id))
    };
    // SAFETY: rules 1 to 3.
    unsafe { ask(engine, request, work) }
}

/// Answers a change of what is desired: the device has applied it. Reports the values of `delta` as
/// `shadow_report` does and deletes them from what is desired, unless a newer change has replaced
/// them. `shadow` and `delta` are those of the event, or copies of them: now or at any later time.
///
/// `SHADOW_EMPTY` when nothing is left to answer, as no key is in it; `SHADOW_INVALID_JSON` when
/// `delta` is no JSON object; and those of `shadow_report`.
///
/// # Safety
/// The rules at the top of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn shadow_accept(
    engine: *mut shadow_engine,
    now: u64,
    shadow: u32,
    delta: *const c_char,
    request: *mut u64,
) -> shadow_result {
    let work = |engine: &mut shadow_engine| {
        // SAFETY: rule 2.
        let delta = unsafe { text("delta", delta) }?;
        let (now, shadow) = (Instant::from_micros(now), ShadowId::from_u32(shadow));
        engine.accept(now, shadow, delta, Keys::All)
    };
    // SAFETY: rules 1 to 3.
    unsafe { ask(engine, request, work) }
}

/// As `shadow_accept`, of these top-level keys alone. With `shadow_reject_except` for the rest.
///
/// # Safety
/// The rules at the top of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn shadow_accept_only(
    engine: *mut shadow_engine,
    now: u64,
    shadow: u32,
    delta: *const c_char,
    keys: *const *const c_char,
    key_count: usize,
    request: *mut u64,
) -> shadow_result {
    let work = |engine: &mut shadow_engine| {
        // SAFETY: rule 2.
        let delta = unsafe { text("delta", delta) }?;
        // SAFETY: rule 2.
        let keys = unsafe { texts("keys", keys, key_count) }?;
        let (now, shadow) = (Instant::from_micros(now), ShadowId::from_u32(shadow));
        engine.accept(now, shadow, delta, Keys::Only(&keys))
    };
    // SAFETY: rules 1 to 3.
    unsafe { ask(engine, request, work) }
}

/// As `shadow_accept`, but reports `reported`, a JSON object: what the device has now, as when 150
/// was asked for and 100 is the most it can do.
///
/// # Safety
/// The rules at the top of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn shadow_accept_as(
    engine: *mut shadow_engine,
    now: u64,
    shadow: u32,
    delta: *const c_char,
    reported: *const c_char,
    request: *mut u64,
) -> shadow_result {
    let work = |engine: &mut shadow_engine| {
        // SAFETY: rule 2.
        let delta = unsafe { text("delta", delta) }?;
        // SAFETY: rule 2.
        let reported = unsafe { text("reported", reported) }?;
        let (now, shadow) = (Instant::from_micros(now), ShadowId::from_u32(shadow));
        engine.accept_as(now, shadow, delta, reported)
    };
    // SAFETY: rules 1 to 3.
    unsafe { ask(engine, request, work) }
}

/// Answers a change of what is desired: the device will not apply it. Deletes the values of `delta`
/// from what is desired, unless a newer change has replaced them, and reports nothing. The cloud is
/// not told `reason`, words for a log of which NULL is none; it comes back with the end of the
/// request, `SHADOW_OUTCOME_DELTA_REJECTED`.
///
/// Those of `shadow_accept`.
///
/// # Safety
/// The rules at the top of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn shadow_reject(
    engine: *mut shadow_engine,
    now: u64,
    shadow: u32,
    delta: *const c_char,
    reason: *const c_char,
    request: *mut u64,
) -> shadow_result {
    let work = |engine: &mut shadow_engine| {
        // SAFETY: rule 2.
        let delta = unsafe { text("delta", delta) }?;
        // SAFETY: rule 2.
        let reason = unsafe { words(reason) };
        let (now, shadow) = (Instant::from_micros(now), ShadowId::from_u32(shadow));
        engine.reject(now, shadow, delta, Keys::All, &reason)
    };
    // SAFETY: rules 1 to 3.
    unsafe { ask(engine, request, work) }
}

/// As `shadow_reject`, of all top-level keys but these: the ones that the device does not know.
///
/// # Safety
/// The rules at the top of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn shadow_reject_except(
    engine: *mut shadow_engine,
    now: u64,
    shadow: u32,
    delta: *const c_char,
    keys: *const *const c_char,
    key_count: usize,
    reason: *const c_char,
    request: *mut u64,
) -> shadow_result {
    let work = |engine: &mut shadow_engine| {
        // SAFETY: rule 2.
        let delta = unsafe { text("delta", delta) }?;
        // SAFETY: rule 2.
        let keys = unsafe { texts("keys", keys, key_count) }?;
        // SAFETY: rule 2.
        let reason = unsafe { words(reason) };
        let (now, shadow) = (Instant::from_micros(now), ShadowId::from_u32(shadow));
        engine.reject(now, shadow, delta, Keys::Except(&keys), &reason)
    };
    // SAFETY: rules 1 to 3.
    unsafe { ask(engine, request, work) }
}

/// Ends an open request as cancelled. What has left cannot be called back, and what was reported or
/// answered stays so.
///
/// `SHADOW_NULL_ARGUMENT`, `SHADOW_UNKNOWN_REQUEST`, `SHADOW_PANICKED`.
///
/// # Safety
/// The rules at the top of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn shadow_cancel(
    engine: *mut shadow_engine,
    now: u64,
    request: u64,
) -> shadow_result {
    let work = |engine: &mut shadow_engine| {
        let (now, request) = (Instant::from_micros(now), RequestId::from_u64(request));
        engine.engine.cancel(now, request)?;
        Ok(SHADOW_OK)
    };
    // SAFETY: rules 1 and 3.
    unsafe { guard(engine, work) }
}

/// Gives an open request so long from now, instead of `request_timeout_micros`, or of no end for a
/// report or an answer.
///
/// `SHADOW_NULL_ARGUMENT`, `SHADOW_UNKNOWN_REQUEST`, `SHADOW_PANICKED`.
///
/// # Safety
/// The rules at the top of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn shadow_set_timeout(
    engine: *mut shadow_engine,
    now: u64,
    request: u64,
    timeout_micros: u64,
) -> shadow_result {
    let work = |engine: &mut shadow_engine| {
        let (now, request) = (Instant::from_micros(now), RequestId::from_u64(request));
        let timeout = Duration::from_micros(timeout_micros);
        engine.engine.set_timeout(now, request, timeout)?;
        Ok(SHADOW_OK)
    };
    // SAFETY: rules 1 and 3.
    unsafe { guard(engine, work) }
}

/// Ends everything: open requests end as cancelled, a DISCONNECT is sent if there is a link, and the
/// last event is `SHADOW_EVENT_CLOSED`. Poll until it comes, then free the engine. A second time is
/// harmless.
///
/// `SHADOW_NULL_ARGUMENT`, `SHADOW_PANICKED`.
///
/// # Safety
/// The rules at the top of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn shadow_close(engine: *mut shadow_engine, now: u64) -> shadow_result {
    let work = |engine: &mut shadow_engine| {
        engine.engine.close(Instant::from_micros(now));
        Ok(SHADOW_OK)
    };
    // SAFETY: rules 1 and 3.
    unsafe { guard(engine, work) }
}
