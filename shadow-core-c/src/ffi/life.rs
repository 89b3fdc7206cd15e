//! Making and freeing an engine.

use core::ffi::{CStr, c_char};
use core::ptr;

use alloc::boxed::Box;
use alloc::string::String;

use shadow_core::Instant;
use shadow_core::tencent::DeviceInfo;

use super::{caught, null, optional_text, table, text, write, write_text};
use crate::config::shadow_config;
use crate::engine::shadow_engine;
use crate::result::Refusal;
use crate::result::shadow_result::{self, *};

/// The device's own shadow, where a function asks which shadow. Others come from `shadow_attach`.
pub const SHADOW_OWN: u32 = 0;

/// No request: what a function that refuses writes where it would have written the request's id.
pub const SHADOW_NO_REQUEST: u64 = 0xFFFF_FFFF_FFFF_FFFF;

/// The library's version, such as "0.1.0". Before 1.0 a header goes with the library of its version
/// alone, so a program that may meet another one, as with a shared library, asks first:
///
/// ```c
/// if (strcmp(shadow_version(), SHADOW_VERSION) != 0)
///     return 1;
/// ```
#[unsafe(no_mangle)]
pub extern "C" fn shadow_version() -> *const c_char {
    const VERSION: &CStr =
        match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
            Ok(version) => version,
            Err(_) => c"",
        };
    VERSION.as_ptr()
}

/// What a result means, in a few words; of a number that is none "unknown result". Never freed.
#[unsafe(no_mangle)]
pub extern "C" fn shadow_result_text(result: i32) -> *const c_char {
    let text = shadow_result::from_number(result).map_or(c"unknown result", shadow_result::text);
    text.as_ptr()
}

/// Fills in the defaults. Call it before anything else is done with a configuration: a later version
/// may have more in it.
///
/// `SHADOW_NULL_ARGUMENT`.
///
/// # Safety
/// The rules at the top of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn shadow_config_init(config: *mut shadow_config) -> shadow_result {
    if config.is_null() {
        return SHADOW_NULL_ARGUMENT;
    }
    let Some(defaults) = caught(shadow_config::defaults) else {
        return SHADOW_PANICKED;
    };
    // SAFETY: rule 2.
    unsafe { write(config, defaults) };
    SHADOW_OK
}

/// Makes an engine, which wants to connect at once: pass in the wall time, and poll. `now` is the
/// time on a clock of the program that does not go back, in microseconds; so is every other `now`.
///
/// On success `*engine` is to be freed with `shadow_free`; else it is NULL, and `error`, a buffer of
/// `error_size` bytes, has why, in words, cut off where it is too small. `error` may be NULL.
///
/// `SHADOW_NULL_ARGUMENT`, `SHADOW_INVALID_ARGUMENT`, `SHADOW_NOT_UTF8`, `SHADOW_INVALID_DEVICE`,
/// `SHADOW_INVALID_CONFIG`, `SHADOW_INVALID_SESSION`, `SHADOW_NOT_BUILT_IN`, `SHADOW_PANICKED`.
///
/// # Safety
/// The rules at the top of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn shadow_new(
    config: *const shadow_config,
    now: u64,
    engine: *mut *mut shadow_engine,
    error: *mut c_char,
    error_size: usize,
) -> shadow_result {
    // SAFETY: rule 2.
    unsafe { write(engine, ptr::null_mut()) };
    let made = caught(|| {
        if engine.is_null() {
            return Err(null("engine"));
        }
        // SAFETY: rule 2; it has numbers and pointers alone, of which any value is one.
        let config = unsafe { config.as_ref() }.ok_or_else(|| null("config"))?;
        // SAFETY: rule 2.
        let made = unsafe { make(config, now) }?;
        Ok(Box::into_raw(Box::new(made)))
    });
    let refusal = match made {
        Some(Ok(made)) => {
            // SAFETY: rule 2.
            unsafe { write(engine, made) };
            // SAFETY: rule 2.
            unsafe { write_text(error, error_size, "") };
            return SHADOW_OK;
        }
        Some(Err(refusal)) => refusal,
        None => Refusal::new(SHADOW_PANICKED, "the library has a bug"),
    };
    // SAFETY: rule 2.
    unsafe { write_text(error, error_size, &refusal.text) };
    refusal.result
}

/// # Safety
///
/// What `config` points to can be read.
unsafe fn make(config: &shadow_config, now: u64) -> Result<shadow_engine, Refusal> {
    // SAFETY: the caller's.
    let session = unsafe { table("session", config.session, config.session_length) }?;
    // SAFETY: the caller's.
    let device = match unsafe { optional_text("device_info", config.device_info) }? {
        #[cfg(feature = "device-info")]
        Some(json) => DeviceInfo::from_json(json),
        #[cfg(not(feature = "device-info"))]
        Some(_) => return Err(Refusal::without("device-info", "device_info")),
        None => {
            // SAFETY: the caller's.
            let product_id = unsafe { text("product_id", config.product_id) }?;
            // SAFETY: the caller's.
            let device_name = unsafe { text("device_name", config.device_name) }?;
            if config.has_certificate != 0 {
                // Which files it is in the program's transport knows.
                let (certificate, key) = (String::new(), String::new());
                DeviceInfo::with_certificate(product_id, device_name, None, certificate, key)
            } else {
                // SAFETY: the caller's.
                let secret = unsafe { text("device_secret", config.device_secret) }?;
                DeviceInfo::with_key(product_id, device_name, secret)
            }
        }
    };
    let device = device.map_err(|error| Refusal::new(SHADOW_INVALID_DEVICE, error))?;
    shadow_engine::new(config, &device, session, Instant::from_micros(now))
}

/// Frees an engine with everything it has lent. It sends nothing: `shadow_close` does that before.
/// NULL is nothing to free.
///
/// # Safety
/// The rules at the top of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn shadow_free(engine: *mut shadow_engine) {
    if engine.is_null() {
        return;
    }
    // SAFETY: rule 1; it came from `Box::into_raw`.
    let engine = unsafe { Box::from_raw(engine) };
    // A bug in there has nobody left to be told of it.
    let _freed: Option<()> = caught(move || drop(engine));
}

/// Why the last call that was refused was so, in words; empty if none was. Lent until the next call
/// that is refused. Of NULL the empty text.
///
/// # Safety
/// The rules at the top of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn shadow_last_error(engine: *const shadow_engine) -> *const c_char {
    // SAFETY: rules 1 and 3.
    match unsafe { engine.as_ref() } {
        None => c"".as_ptr(),
        Some(engine) if engine.panicked => SHADOW_PANICKED.text().as_ptr(),
        Some(engine) => engine.error.last_text(),
    }
}
