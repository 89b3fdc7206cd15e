//! What happens: the transport, the clocks.

use core::ffi::c_char;

use shadow_core::{Instant, WallTime};

use super::{guard, table, words};
use crate::engine::shadow_engine;
use crate::result::shadow_result::{self, *};

/// The wall time, in milliseconds since 1970 (UTC). Logins are signed with it, so pass it in at the
/// start, and whenever it was set.
///
/// `SHADOW_NULL_ARGUMENT`, `SHADOW_PANICKED`.
///
/// # Safety
/// The rules at the top of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn shadow_handle_wall_time(
    engine: *mut shadow_engine,
    now: u64,
    unix_millis: u64,
) -> shadow_result {
    let work = |engine: &mut shadow_engine| {
        let wall = WallTime::from_unix_millis(unix_millis);
        engine
            .engine
            .handle_wall_time(Instant::from_micros(now), wall);
        Ok(SHADOW_OK)
    };
    // SAFETY: rules 1 and 3.
    unsafe { guard(engine, work) }
}

/// The transport has the connection that `SHADOW_TRANSMIT_CONNECT` asked for. Ignored when none was
/// asked for.
///
/// `SHADOW_NULL_ARGUMENT`, `SHADOW_PANICKED`.
///
/// # Safety
/// The rules at the top of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn shadow_handle_connected(
    engine: *mut shadow_engine,
    now: u64,
) -> shadow_result {
    let work = |engine: &mut shadow_engine| {
        engine.engine.handle_connected(Instant::from_micros(now));
        Ok(SHADOW_OK)
    };
    // SAFETY: rules 1 and 3.
    unsafe { guard(engine, work) }
}

/// The transport received `length` bytes, in any cutting. They are copied as far as they are needed.
/// Ignored when there is no connection. What the server sends is never an error of this call.
///
/// `SHADOW_NULL_ARGUMENT`, `SHADOW_INVALID_ARGUMENT`, `SHADOW_PANICKED`.
///
/// # Safety
/// The rules at the top of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn shadow_handle_bytes(
    engine: *mut shadow_engine,
    now: u64,
    bytes: *const u8,
    length: usize,
) -> shadow_result {
    let work = |engine: &mut shadow_engine| {
        // SAFETY: rule 2.
        let bytes = unsafe { table("bytes", bytes, length) }?;
        engine.engine.handle_bytes(Instant::from_micros(now), bytes);
        Ok(SHADOW_OK)
    };
    // SAFETY: rules 1 and 3.
    unsafe { guard(engine, work) }
}

/// The transport lost its connection, or could not make one. `failure` is a `shadow_failure`; `why`
/// says it in words, as of `strerror`, and comes back in the event: what is not UTF-8 in it is
/// replaced, and NULL is no words. Ignored when no connection is asked for. Not for a connection that
/// `SHADOW_TRANSMIT_CLOSE` has ended.
///
/// `SHADOW_NULL_ARGUMENT` for `engine`, `SHADOW_INVALID_ARGUMENT`, `SHADOW_PANICKED`.
///
/// # Safety
/// The rules at the top of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn shadow_handle_disconnected(
    engine: *mut shadow_engine,
    now: u64,
    failure: u32,
    why: *const c_char,
) -> shadow_result {
    let work = |engine: &mut shadow_engine| {
        // SAFETY: rule 2.
        let why = unsafe { words(why) };
        engine.handle_disconnected(Instant::from_micros(now), failure, &why)?;
        Ok(SHADOW_OK)
    };
    // SAFETY: rules 1 and 3.
    unsafe { guard(engine, work) }
}

/// Time has passed. Does what is due by `now`; too early is harmless.
///
/// `SHADOW_NULL_ARGUMENT`, `SHADOW_PANICKED`.
///
/// # Safety
/// The rules at the top of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn shadow_handle_tick(engine: *mut shadow_engine, now: u64) -> shadow_result {
    let work = |engine: &mut shadow_engine| {
        engine.engine.handle_tick(Instant::from_micros(now));
        Ok(SHADOW_OK)
    };
    // SAFETY: rules 1 and 3.
    unsafe { guard(engine, work) }
}

/// Connects now instead of waiting for the next try, as when the network is known to be back; at the
/// earliest `backoff_least_interval_micros` after the last login.
///
/// `SHADOW_NULL_ARGUMENT`, `SHADOW_PANICKED`.
///
/// # Safety
/// The rules at the top of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn shadow_reconnect(engine: *mut shadow_engine, now: u64) -> shadow_result {
    let work = |engine: &mut shadow_engine| {
        engine.engine.reconnect(Instant::from_micros(now));
        Ok(SHADOW_OK)
    };
    // SAFETY: rules 1 and 3.
    unsafe { guard(engine, work) }
}
