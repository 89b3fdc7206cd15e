//! What the engine tells a `defmt` logger by itself: what somebody at a device's debugger asks first,
//! and neither payloads nor secrets. Without the feature `defmt` all of it compiles to nothing.
//!
//! `docs/logs.md` lists the lines.

use crate::event::{Event, Outcome};
use crate::mqtt::link::Transmit;
use crate::request::RequestId;

#[cfg(feature = "defmt")]
pub(super) fn transmit(transmit: Transmit) {
    if transmit == Transmit::Connect {
        defmt::debug!("connecting");
    }
}

#[cfg(feature = "defmt")]
pub(super) fn event(event: &Event) {
    use crate::mqtt::link::DisconnectCause;
    match event {
        Event::Connected { session_present } => {
            defmt::info!("connected, session present: {=bool}", session_present);
        }
        Event::Disconnected {
            cause: DisconnectCause::Refused(code),
            retry_in,
        } => defmt::warn!("login refused: {}, next try in {}", code, retry_in),
        Event::Disconnected { cause, retry_in } => {
            defmt::warn!("disconnected: {}, next try in {}", cause, retry_in);
        }
        Event::WallTimeNeeded => defmt::warn!("no login without the wall time"),
        Event::ShadowRefused { shadow } => defmt::warn!("subscription of {} refused", shadow),
        // Its error may quote it.
        Event::InvalidMessage { shadow, size, .. } => {
            defmt::warn!(
                "invalid message for {} dropped, {=usize} bytes",
                shadow,
                size
            );
        }
        Event::OversizedMessage { size, .. } => {
            defmt::warn!("oversized message dropped, {=usize} bytes", size);
        }
        Event::Closed => defmt::info!("closed"),
        _ => {}
    }
}

#[cfg(feature = "defmt")]
pub(super) fn end(request: RequestId, outcome: &Outcome) {
    match outcome {
        Outcome::TimedOut => defmt::warn!("{} timed out", request),
        Outcome::Disconnected { maybe_applied } => {
            defmt::warn!(
                "{} lost with the link, maybe applied: {=bool}",
                request,
                maybe_applied
            );
        }
        _ => {}
    }
}

/// The first of some in a row.
#[cfg(feature = "defmt")]
pub(super) fn event_lost() {
    defmt::warn!("events are lost, as the application does not poll them");
}

#[cfg(not(feature = "defmt"))]
pub(super) fn transmit(_: Transmit) {}

#[cfg(not(feature = "defmt"))]
pub(super) fn event(_: &Event) {}

#[cfg(not(feature = "defmt"))]
pub(super) fn end(_: RequestId, _: &Outcome) {}

#[cfg(not(feature = "defmt"))]
pub(super) fn event_lost() {}
