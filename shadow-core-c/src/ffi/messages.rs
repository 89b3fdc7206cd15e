//! Messages and subscriptions of the program's own, and shadows beside the device's own: the feature
//! `messages`.

use core::ffi::c_char;

use shadow_core::mqtt::QoS;
use shadow_core::tencent::ShadowName;
use shadow_core::{Instant, Publication, ShadowId};

use super::requests::ask;
use super::{guard, null, table, text, write};
use crate::engine::shadow_engine;
use crate::result::Refusal;
use crate::result::shadow_result::{self, *};

/// Publishes a message on a topic that is no shadow's. Without a link it waits for one until its
/// time is over. Ends as `SHADOW_OUTCOME_PUBLISHED`.
///
/// `SHADOW_NULL_ARGUMENT`, `SHADOW_INVALID_ARGUMENT`, `SHADOW_NOT_UTF8`, `SHADOW_INVALID_TOPIC`,
/// `SHADOW_SHADOW_TOPIC`, `SHADOW_LIMIT_EXCEEDED`, `SHADOW_TOO_MANY_REQUESTS`, `SHADOW_QUEUE_FULL`,
/// `SHADOW_CLOSED`, `SHADOW_PANICKED`.
///
/// Only in a library with the feature `messages`.
///
/// # Safety
/// The rules at the top of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn shadow_publish(
    engine: *mut shadow_engine,
    now: u64,
    topic: *const c_char,
    payload: *const u8,
    length: usize,
    qos: u8,
    retain: bool,
    request: *mut u64,
) -> shadow_result {
    let work = |engine: &mut shadow_engine| {
        // SAFETY: rule 2.
        let topic = unsafe { text("topic", topic) }?;
        // SAFETY: rule 2.
        let payload = unsafe { table("payload", payload, length) }?;
        let qos = quality(qos)?;
        let publication = Publication {
            topic,
            payload,
            qos,
            retain,
        };
        let now = Instant::from_micros(now);
        Ok(Some(engine.engine.publish(now, &publication)?))
    };
    // SAFETY: rules 1 to 3.
    unsafe { ask(engine, request, work) }
}

/// Subscribes a topic filter, on this link and every later one. Its messages are events. Ends as
/// `SHADOW_OUTCOME_SUBSCRIBED`.
///
/// Those of `shadow_publish`, and `SHADOW_TOO_MANY_SUBSCRIPTIONS`.
///
/// Only in a library with the feature `messages`.
///
/// # Safety
/// The rules at the top of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn shadow_subscribe(
    engine: *mut shadow_engine,
    now: u64,
    filter: *const c_char,
    qos: u8,
    request: *mut u64,
) -> shadow_result {
    let work = |engine: &mut shadow_engine| {
        // SAFETY: rule 2.
        let filter = unsafe { text("filter", filter) }?;
        let qos = quality(qos)?;
        let now = Instant::from_micros(now);
        Ok(Some(engine.engine.subscribe(now, filter, qos)?))
    };
    // SAFETY: rules 1 to 3.
    unsafe { ask(engine, request, work) }
}

/// Unsubscribes a topic filter. Ends as `SHADOW_OUTCOME_UNSUBSCRIBED`.
///
/// Those of `shadow_publish`.
///
/// Only in a library with the feature `messages`.
///
/// # Safety
/// The rules at the top of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn shadow_unsubscribe(
    engine: *mut shadow_engine,
    now: u64,
    filter: *const c_char,
    request: *mut u64,
) -> shadow_result {
    let work = |engine: &mut shadow_engine| {
        // SAFETY: rule 2.
        let filter = unsafe { text("filter", filter) }?;
        let now = Instant::from_micros(now);
        Ok(Some(engine.engine.unsubscribe(now, filter)?))
    };
    // SAFETY: rules 1 to 3.
    unsafe { ask(engine, request, work) }
}

/// Attaches one more shadow, as that of a gateway's sub-device; `*shadow` is its id from then on.
///
/// `SHADOW_NULL_ARGUMENT`, `SHADOW_NOT_UTF8`, `SHADOW_INVALID_DEVICE` for its names,
/// `SHADOW_ALREADY_ATTACHED`, `SHADOW_TOO_MANY_SUBSCRIPTIONS`, `SHADOW_LIMIT_EXCEEDED`,
/// `SHADOW_CLOSED`, `SHADOW_PANICKED`; then `*shadow` is UINT32_MAX, which is no shadow's.
///
/// Only in a library with the feature `messages`.
///
/// # Safety
/// The rules at the top of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn shadow_attach(
    engine: *mut shadow_engine,
    now: u64,
    product_id: *const c_char,
    device_name: *const c_char,
    shadow: *mut u32,
) -> shadow_result {
    // SAFETY: rule 2.
    unsafe { write(shadow, u32::MAX) };
    let work = |engine: &mut shadow_engine| {
        if shadow.is_null() {
            return Err(null("shadow"));
        }
        // SAFETY: rule 2.
        let product_id = unsafe { text("product_id", product_id) }?;
        // SAFETY: rule 2.
        let device_name = unsafe { text("device_name", device_name) }?;
        let name = ShadowName::new(product_id, device_name);
        let name = name.map_err(|error| Refusal::new(SHADOW_INVALID_DEVICE, error))?;
        let id = engine.engine.attach(Instant::from_micros(now), &name)?;
        // SAFETY: rule 2.
        unsafe { write(shadow, id.as_u32()) };
        Ok(SHADOW_OK)
    };
    // SAFETY: rules 1 and 3.
    unsafe { guard(engine, work) }
}

/// Detaches a shadow: its open requests end as cancelled, and what was kept of it is forgotten.
///
/// `SHADOW_NULL_ARGUMENT`, `SHADOW_UNKNOWN_SHADOW`, `SHADOW_PANICKED`.
///
/// Only in a library with the feature `messages`.
///
/// # Safety
/// The rules at the top of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn shadow_detach(
    engine: *mut shadow_engine,
    now: u64,
    shadow: u32,
) -> shadow_result {
    let work = |engine: &mut shadow_engine| {
        let (now, shadow) = (Instant::from_micros(now), ShadowId::from_u32(shadow));
        engine.engine.detach(now, shadow)?;
        Ok(SHADOW_OK)
    };
    // SAFETY: rules 1 and 3.
    unsafe { guard(engine, work) }
}

fn quality(qos: u8) -> Result<QoS, Refusal> {
    QoS::from_number(qos).ok_or_else(|| {
        let text = alloc::format!("{qos} is no QoS: it has to be 0, 1 or 2");
        Refusal::new(SHADOW_INVALID_ARGUMENT, text)
    })
}
