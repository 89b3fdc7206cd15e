//! What a library without some of its features says of what it cannot do.
#![expect(unsafe_code, reason = "it calls what C calls")]

use std::ffi::{CStr, c_char};
use std::ptr;

use shadow_core_c::ffi::{shadow_config_init, shadow_free, shadow_new};
use shadow_core_c::shadow_config;
use shadow_core_c::shadow_result::{self, *};

const DEVICE_INFO: &CStr = c"{\"auth_mode\":\"KEY\",\"productId\":\"P\",\"deviceName\":\"d\",
    \"key_deviceinfo\":{\"deviceSecret\":\"c2VjcmV0\"}}";

/// What `shadow_new` says of the example device with a change, and in words.
fn made(change: impl FnOnce(&mut shadow_config)) -> (shadow_result, String) {
    let mut config = std::mem::MaybeUninit::uninit();
    // SAFETY: it may be written to.
    let result = unsafe { shadow_config_init(config.as_mut_ptr()) };
    assert_eq!(result, SHADOW_OK);
    // SAFETY: that has filled it in.
    let mut config: shadow_config = unsafe { config.assume_init() };
    config.product_id = c"P".as_ptr();
    config.device_name = c"d".as_ptr();
    config.device_secret = c"c2VjcmV0".as_ptr();
    change(&mut config);
    let mut error: [c_char; 200] = [1; 200];
    let mut engine = ptr::null_mut();
    // SAFETY: all of it is valid.
    let result = unsafe { shadow_new(&config, 0, &mut engine, error.as_mut_ptr(), error.len()) };
    assert_eq!(engine.is_null(), result != SHADOW_OK);
    // SAFETY: it was just made, or is NULL.
    unsafe { shadow_free(engine) };
    // SAFETY: the buffer has a text with a NUL in it.
    let error = unsafe { CStr::from_ptr(error.as_ptr()) };
    (result, error.to_string_lossy().into_owned())
}

/// `with` when the feature is on, and a refusal that names it when it is not.
#[track_caller]
fn expect(
    (result, error): (shadow_result, String),
    is_on: bool,
    with: shadow_result,
    without: &str,
) {
    if is_on {
        assert_eq!(result, with, "{error}");
    } else {
        assert_eq!((result, error.as_str()), (SHADOW_NOT_BUILT_IN, without));
    }
}

#[test]
fn what_is_not_built_in_is_refused_by_name() {
    assert_eq!(made(|_| {}), (SHADOW_OK, String::new()));
    expect(
        made(|config| config.device_info = DEVICE_INFO.as_ptr()),
        cfg!(feature = "device-info"),
        SHADOW_OK,
        "`device_info` takes the library's feature `device-info`, which is off",
    );
    expect(
        made(|config| config.shadow_qos = 1),
        cfg!(feature = "messages"),
        SHADOW_OK,
        "`shadow_qos` takes the library's feature `messages`, which is off",
    );
    expect(
        made(|config| (config.session, config.session_length) = (b"???".as_ptr(), 3)),
        cfg!(feature = "session"),
        SHADOW_INVALID_SESSION,
        "`session` takes the library's feature `session`, which is off",
    );
}
