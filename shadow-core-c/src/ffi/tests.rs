//! That no panic gets out, which only a bug could cause.

#![expect(
    clippy::multiple_unsafe_ops_per_block,
    reason = "calls in a row that one comment speaks for"
)]

use alloc::boxed::Box;
use core::ffi::CStr;
use core::ptr;

use super::*;
use crate::config::shadow_config;
use crate::counters::shadow_counts;
use crate::event::shadow_event;
use crate::views::{shadow_bytes, shadow_text, shadow_transmit};

fn engine() -> *mut shadow_engine {
    let config = shadow_config {
        product_id: c"PRODUCT001".as_ptr(),
        device_name: c"lamp".as_ptr(),
        device_secret: c"c2VjcmV0".as_ptr(),
        ..shadow_config::defaults()
    };
    let mut engine = ptr::null_mut();
    // SAFETY: all of it is valid.
    let result = unsafe { shadow_new(&config, 0, &mut engine, ptr::null_mut(), 0) };
    assert_eq!(result, SHADOW_OK);
    engine
}

#[test]
fn an_engine_that_panicked_does_nothing_more_and_can_be_freed() {
    let engine = engine();
    // SAFETY: it was just made.
    let result = unsafe { guard(engine, |_| panic!("a bug, played")) };
    assert_eq!(result, SHADOW_PANICKED);
    let mut request = 7;
    let (mut transmit, mut event) = (shadow_transmit::NONE, shadow_event::NONE);
    let (mut micros, mut shadow, mut session) = (7, 7, shadow_bytes::EMPTY);
    let mut counts = shadow_counts {
        connects: 7,
        ..shadow_counts::NONE
    };
    let mut reported = shadow_text {
        length: 7,
        ..shadow_text::EMPTY
    };
    let text = c"{}".as_ptr();
    let none = ptr::null();
    // SAFETY: the engine was not freed, and all pointers are valid or NULL.
    let results = unsafe {
        [
            shadow_handle_wall_time(engine, 0, 1),
            shadow_handle_connected(engine, 0),
            shadow_handle_bytes(engine, 0, ptr::null(), 0),
            shadow_handle_disconnected(engine, 0, 0, text),
            shadow_handle_tick(engine, 0),
            shadow_reconnect(engine, 0),
            shadow_report(engine, 0, SHADOW_OWN, text, &mut request),
            shadow_get(engine, 0, SHADOW_OWN, &mut request),
            shadow_update(engine, 0, SHADOW_OWN, text, text, 0, false, &mut request),
            shadow_accept(engine, 0, SHADOW_OWN, text, &mut request),
            shadow_accept_only(engine, 0, SHADOW_OWN, text, none, 0, &mut request),
            shadow_accept_as(engine, 0, SHADOW_OWN, text, text, &mut request),
            shadow_reject(engine, 0, SHADOW_OWN, text, text, &mut request),
            shadow_reject_except(engine, 0, SHADOW_OWN, text, none, 0, text, &mut request),
            shadow_publish(engine, 0, text, ptr::null(), 0, 0, false, &mut request),
            shadow_subscribe(engine, 0, text, 0, &mut request),
            shadow_unsubscribe(engine, 0, text, &mut request),
            shadow_cancel(engine, 0, 0),
            shadow_set_timeout(engine, 0, 0, 1),
            shadow_attach(engine, 0, text, text, &mut shadow),
            shadow_detach(engine, 0, SHADOW_OWN),
            shadow_close(engine, 0),
            shadow_poll_transmit(engine, 0, &mut transmit),
            shadow_poll_event(engine, &mut event),
            shadow_poll_deadline(engine, &mut micros),
            shadow_session(engine, &mut session),
            shadow_counters(engine, &mut counts),
            shadow_reported(engine, SHADOW_OWN, &mut reported),
        ]
    };
    assert_eq!(results, [SHADOW_PANICKED; 28]);
    assert_eq!(
        (request, shadow, micros),
        (SHADOW_NO_REQUEST, u32::MAX, u64::MAX)
    );
    assert_eq!((counts, reported.length), (shadow_counts::NONE, 0));
    // SAFETY: it was not freed, and the text is lent until then.
    unsafe {
        assert!(!shadow_is_online(engine) && !shadow_is_synchronized(engine, SHADOW_OWN));
        assert_eq!(shadow_session_revision(engine), 0);
        assert_eq!(
            CStr::from_ptr(shadow_last_error(engine)),
            SHADOW_PANICKED.text()
        );
        shadow_free(engine);
    }
}

#[test]
fn a_panic_without_an_engine_is_a_result_too() {
    let panicked: Option<()> = caught(|| panic!("a bug, played"));
    assert!(panicked.is_none());
}

/// A drop that panics, as the last thing that could.
#[test]
fn a_panic_while_something_is_freed_stays_inside() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("a bug, played");
        }
    }
    let bomb = Box::new(Bomb);
    assert!(caught(move || drop(bomb)).is_none());
}

/// The header says that an engine may be moved from thread to thread.
#[test]
fn an_engine_can_be_sent() {
    fn sent<T: Send>() {}
    sent::<shadow_engine>();
}

/// The login's password is in a packet that C was lent, and is gone with the loan.
#[test]
fn a_login_is_wiped_when_its_loan_ends() {
    let engine = engine();
    let mut transmit = shadow_transmit::NONE;
    // SAFETY: the engine was not freed, and all pointers are valid. The memory behind the first packet
    // was written to, and is still the engine's buffer, which the second poll has emptied.
    let (login, wiped) = unsafe {
        shadow_handle_wall_time(engine, 0, 1_700_000_000_000);
        shadow_poll_transmit(engine, 0, &mut transmit);
        shadow_handle_connected(engine, 0);
        shadow_poll_transmit(engine, 0, &mut transmit);
        let bytes = slice::from_raw_parts(transmit.bytes.data, transmit.bytes.length);
        let (login, length) = (bytes.to_vec(), transmit.bytes.length);
        let empty = shadow_poll_transmit(engine, 0, &mut transmit);
        assert_eq!(empty, SHADOW_EMPTY);
        let packet = &mut (*engine).packet;
        assert!(packet.is_empty() && packet.capacity() >= length);
        packet.set_len(length);
        let wiped = packet.clone();
        shadow_free(engine);
        (login, wiped)
    };
    assert_eq!(login.first(), Some(&0x10), "a CONNECT [MQTT-3.1]");
    assert!(login.ends_with(b";hmacsha256"));
    assert!(wiped.iter().all(|byte| *byte == 0));
}

#[test]
fn texts_are_cut_between_characters() {
    for (size, expected) in [(1, ""), (2, "a"), (3, "a"), (4, "aé"), (9, "aé")] {
        let mut buffer = [b'x'; 9];
        // SAFETY: there is room for that many.
        unsafe { write_text(buffer.as_mut_ptr().cast(), size, "aé") };
        let text = CStr::from_bytes_until_nul(&buffer).unwrap();
        assert_eq!(text.to_str().unwrap(), expected, "{size}");
        assert!(
            buffer
                .iter()
                .skip(expected.len() + 1)
                .all(|byte| *byte == b'x')
        );
    }
}
