//! What outlives the program: the feature `session`.

use super::{guard, null, write};
use crate::engine::shadow_engine;
use crate::result::shadow_result::{self, *};
use crate::views::shadow_bytes;

/// A number that is another one whenever something has changed that a restart should not forget.
/// Store the session then, before `shadow_poll_transmit` and `shadow_poll_event` are called. Of NULL
/// 0.
///
/// Only in a library with the feature `session`.
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
/// Only in a library with the feature `session`.
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
