//! What comes out: polled until nothing is left.

use shadow_core::{Instant, ShadowId};

use super::{guard, null, write};
use crate::engine::shadow_engine;
use crate::event::shadow_event;
use crate::result::shadow_result::{self, *};
use crate::views::{shadow_bytes, shadow_transmit};

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

/// A number that is another one whenever something has changed that a restart should not forget.
/// Store the session then, before `shadow_poll_transmit` and `shadow_poll_event` are called. Of NULL
/// 0.
///
/// # Safety
/// The rules at the top of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn shadow_session_revision(engine: *mut shadow_engine) -> u64 {
    let mut revision = 0;
    let work = |engine: &mut shadow_engine| {
        revision = engine.engine.session().revision();
        Ok(SHADOW_OK)
    };
    // SAFETY: rules 1 and 3.
    let result = unsafe { guard(engine, work) };
    if result == SHADOW_OK { revision } else { 0 }
}

/// What outlives the program, to be stored and given to the next engine as `shadow_config.session`:
/// what was reported and not acknowledged, what is desired and was not answered, messages of QoS 1
/// and 2. It has no secret. Lent until the next call of this function.
///
/// `SHADOW_NULL_ARGUMENT`, `SHADOW_PANICKED`; then `*session` is empty.
///
/// # Safety
/// The rules at the top of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn shadow_session(
    engine: *mut shadow_engine,
    session: *mut shadow_bytes,
) -> shadow_result {
    // SAFETY: rule 2.
    unsafe { write(session, shadow_bytes::EMPTY) };
    let work = |engine: &mut shadow_engine| {
        if session.is_null() {
            return Err(null("session"));
        }
        let lent = engine.session();
        // SAFETY: rule 2.
        unsafe { write(session, lent) };
        Ok(SHADOW_OK)
    };
    // SAFETY: rules 1 and 3.
    unsafe { guard(engine, work) }
}
