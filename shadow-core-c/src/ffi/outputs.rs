//! What comes out: polled until nothing is left.

use shadow_core::{Instant, ShadowId};

use super::{guard, null, write};
use crate::counters::shadow_counts;
use crate::engine::shadow_engine;
use crate::event::shadow_event;
use crate::result::shadow_result::{self, *};
use crate::views::{shadow_text, shadow_transmit};

/// The next thing to do on the transport. Its bytes are lent until the next call of this function.
///
/// `SHADOW_OK`, or `SHADOW_EMPTY` when nothing is left; `SHADOW_NULL_ARGUMENT`, `SHADOW_PANICKED`.
/// Unless it is `SHADOW_OK`, `*transmit` is `SHADOW_TRANSMIT_NONE`.
///
/// # Safety
/// The rules at the top of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn shadow_poll_transmit(
    engine: *mut shadow_engine,
    now: u64,
    transmit: *mut shadow_transmit,
) -> shadow_result {
    // SAFETY: rule 2.
    unsafe { write(transmit, shadow_transmit::NONE) };
    let work = |engine: &mut shadow_engine| {
        if transmit.is_null() {
            return Err(null("transmit"));
        }
        let Some(polled) = engine.poll_transmit(Instant::from_micros(now)) else {
            return Ok(SHADOW_EMPTY);
        };
        // SAFETY: rule 2.
        unsafe { write(transmit, polled) };
        Ok(SHADOW_OK)
    };
    // SAFETY: rules 1 and 3.
    unsafe { guard(engine, work) }
}

/// The next event. Its texts are lent until the next call of this function.
///
/// `SHADOW_OK`, or `SHADOW_EMPTY` when nothing is left; `SHADOW_NULL_ARGUMENT`, `SHADOW_PANICKED`.
/// Unless it is `SHADOW_OK`, `*event` is `SHADOW_EVENT_NONE`.
///
/// # Safety
/// The rules at the top of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn shadow_poll_event(
    engine: *mut shadow_engine,
    event: *mut shadow_event,
) -> shadow_result {
    // SAFETY: rule 2.
    unsafe { write(event, shadow_event::NONE) };
    let work = |engine: &mut shadow_engine| {
        if event.is_null() {
            return Err(null("event"));
        }
        let Some(polled) = engine.poll_event() else {
            return Ok(SHADOW_EMPTY);
        };
        // SAFETY: rule 2.
        unsafe { write(event, polled) };
        Ok(SHADOW_OK)
    };
    // SAFETY: rules 1 and 3.
    unsafe { guard(engine, work) }
}

/// When to call `shadow_handle_tick` at the latest, on the clock of `now`.
///
/// `SHADOW_OK`, or `SHADOW_EMPTY` when nothing is due ever; `SHADOW_NULL_ARGUMENT`,
/// `SHADOW_PANICKED`. Unless it is `SHADOW_OK`, `*micros` is UINT64_MAX.
///
/// # Safety
/// The rules at the top of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn shadow_poll_deadline(
    engine: *mut shadow_engine,
    micros: *mut u64,
) -> shadow_result {
    // SAFETY: rule 2.
    unsafe { write(micros, u64::MAX) };
    let work = |engine: &mut shadow_engine| {
        if micros.is_null() {
            return Err(null("micros"));
        }
        let Some(deadline) = engine.engine.poll_deadline() else {
            return Ok(SHADOW_EMPTY);
        };
        // SAFETY: rule 2.
        unsafe { write(micros, deadline.at.as_micros()) };
        Ok(SHADOW_OK)
    };
    // SAFETY: rules 1 and 3.
    unsafe { guard(engine, work) }
}

/// Whether the server has accepted the login on the present link. Of NULL false.
///
/// # Safety
/// The rules at the top of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn shadow_is_online(engine: *mut shadow_engine) -> bool {
    let mut online = false;
    let work = |engine: &mut shadow_engine| {
        online = engine.engine.is_online();
        Ok(SHADOW_OK)
    };
    // SAFETY: rules 1 and 3.
    let result = unsafe { guard(engine, work) };
    result == SHADOW_OK && online
}

/// Whether the cloud is known to hold all that was reported, and every answer has arrived. Of NULL,
/// or a shadow that is not attached, false.
///
/// # Safety
/// The rules at the top of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn shadow_is_synchronized(engine: *mut shadow_engine, shadow: u32) -> bool {
    let mut synchronized = false;
    let work = |engine: &mut shadow_engine| {
        let shadow = ShadowId::from_u32(shadow);
        synchronized = engine.engine.is_synchronized(shadow);
        Ok(SHADOW_OK)
    };
    // SAFETY: rules 1 and 3.
    let result = unsafe { guard(engine, work) };
    result == SHADOW_OK && synchronized
}

/// What the engine has counted since `shadow_new`.
///
/// `SHADOW_NULL_ARGUMENT`, `SHADOW_PANICKED`; then all of `*counts` is 0.
///
/// # Safety
/// The rules at the top of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn shadow_counters(
    engine: *mut shadow_engine,
    counts: *mut shadow_counts,
) -> shadow_result {
    // SAFETY: rule 2.
    unsafe { write(counts, shadow_counts::NONE) };
    let work = |engine: &mut shadow_engine| {
        if counts.is_null() {
            return Err(null("counts"));
        }
        let counted = shadow_counts::new(&engine.engine.counters());
        // SAFETY: rule 2.
        unsafe { write(counts, counted) };
        Ok(SHADOW_OK)
    };
    // SAFETY: rules 1 and 3.
    unsafe { guard(engine, work) }
}

/// What the device has reported, as the engine keeps it: a JSON object of all that `shadow_report`,
/// `shadow_accept` and its like have said, whether the cloud knows it yet or not; `{}` before the
/// first. Lent until the next call of this function.
///
/// `SHADOW_NULL_ARGUMENT`, `SHADOW_UNKNOWN_SHADOW`, `SHADOW_PANICKED`; then `*reported` is empty.
///
/// # Safety
/// The rules at the top of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn shadow_reported(
    engine: *mut shadow_engine,
    shadow: u32,
    reported: *mut shadow_text,
) -> shadow_result {
    // SAFETY: rule 2.
    unsafe { write(reported, shadow_text::EMPTY) };
    let work = |engine: &mut shadow_engine| {
        if reported.is_null() {
            return Err(null("reported"));
        }
        let lent = engine.reported(ShadowId::from_u32(shadow))?;
        // SAFETY: rule 2.
        unsafe { write(reported, lent) };
        Ok(SHADOW_OK)
    };
    // SAFETY: rules 1 and 3.
    unsafe { guard(engine, work) }
}
