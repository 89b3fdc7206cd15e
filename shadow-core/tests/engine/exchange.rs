//! What tests of reports and deltas say to a device, and hear from it.

use serde_json::Value;
use shadow_core::{Delta, Event, Outcome, RequestId, Timer, TransportFailure};

use crate::device::{Device, token};

pub(crate) fn report(device: &mut Device, patch: &Value) -> RequestId {
    let shadow = device.shadow();
    device.engine.report(device.now, shadow, patch).unwrap()
}

/// The update that comes out, without its token, and its token.
pub(crate) fn update(device: &mut Device) -> (Value, String) {
    let payload = device.published();
    let token = token(&payload);
    let mut value: Value = serde_json::from_str(&payload).unwrap();
    value.as_object_mut().unwrap().remove("clientToken");
    (value, token)
}

pub(crate) fn accept_update(device: &mut Device, token: &str, version: u64) {
    let payload = format!(r#"{{"state":{{"reported":{{}}}},"version":{version}}}"#);
    device.reply(token, "update", 0, &payload);
}

pub(crate) fn push(device: &mut Device, version: u64, state: &str) -> Delta {
    device.result(&format!(
        r#"{{"type":"delta","payload":{{"state":{state},"version":{version}}}}}"#
    ));
    match device.event() {
        Event::Delta(delta) => delta,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn lose_link(device: &mut Device) {
    let failure = TransportFailure::ClosedByPeer;
    device.engine.handle_disconnected(device.now, failure);
}

/// A new link, up to the engine's own get; its token.
pub(crate) fn reconnect(device: &mut Device) -> String {
    device.tick_until(Timer::Reconnect);
    device.connect(false);
    device.subscribe_own();
    token(&device.published())
}

pub(crate) fn reported(version: Option<u64>) -> Outcome {
    Outcome::Reported { version }
}
