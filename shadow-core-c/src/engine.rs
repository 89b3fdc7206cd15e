//! An engine with what it lends to C.

use alloc::vec::Vec;

use shadow_core::event::DeltaOrigin;
use shadow_core::json::Json;
use shadow_core::tencent::{DeviceInfo, Update};
use shadow_core::{
    Delta, Engine, Instant, RequestError, RequestId, Session, ShadowId, Transmit, TransportFailure,
};
use zeroize::Zeroize;

use crate::config::shadow_config;
use crate::event::shadow_event;
use crate::result::{Refusal, shadow_result};
use crate::views::{
    Lent, shadow_bytes, shadow_failure, shadow_text, shadow_transmit, shadow_transmit_kind,
};

/// A device's half of its shadows; see `shadow_new`.
// In C it has no known size. Whoever knows an address has it from `shadow_new`.
// It cannot be printed, as there may be a login in the packet.
#[expect(non_camel_case_types, reason = "these are C's names")]
pub struct shadow_engine {
    pub(crate) engine: Engine,
    /// What `shadow_poll_transmit` has lent.
    pub(crate) packet: Vec<u8>,
    /// What `shadow_poll_event` has lent.
    event: Lent,
    /// What `shadow_session` has lent.
    #[cfg(feature = "session")]
    session: Lent,
    /// What `shadow_reported` has lent.
    reported: Lent,
    /// What `shadow_last_error` lends.
    pub(crate) error: Lent,
    /// Whether it has panicked: nobody knows what state it is in.
    pub(crate) panicked: bool,
}

/// Which keys of a delta an answer is for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Keys<'a> {
    All,
    Only(&'a [&'a str]),
    Except(&'a [&'a str]),
}

impl shadow_engine {
    pub(crate) fn new(
        config: &shadow_config,
        device: &DeviceInfo,
        session: &[u8],
        now: Instant,
    ) -> Result<shadow_engine, Refusal> {
        let stored = match session {
            [] => Session::new(),
            bytes => stored(bytes, device)?,
        };
        Ok(shadow_engine {
            engine: Engine::new(config.of(device)?, stored, config.seed, now),
            packet: Vec::new(),
            event: Lent::default(),
            #[cfg(feature = "session")]
            session: Lent::default(),
            reported: Lent::default(),
            error: Lent::default(),
            panicked: false,
        })
    }

    pub(crate) fn handle_disconnected(
        &mut self,
        now: Instant,
        failure: u32,
        why: &str,
    ) -> Result<(), Refusal> {
        const CONNECT_FAILED: u32 = shadow_failure::SHADOW_CONNECT_FAILED as u32;
        const UNTRUSTED: u32 = shadow_failure::SHADOW_UNTRUSTED as u32;
        const CLOSED_BY_PEER: u32 = shadow_failure::SHADOW_CLOSED_BY_PEER as u32;
        const BROKEN: u32 = shadow_failure::SHADOW_BROKEN as u32;
        let failure = match failure {
            CONNECT_FAILED => TransportFailure::connect_failed(why),
            UNTRUSTED => TransportFailure::Untrusted(why.into()),
            CLOSED_BY_PEER => TransportFailure::ClosedByPeer,
            BROKEN => TransportFailure::broken(why),
            other => {
                let text = alloc::format!("{other} is no `shadow_failure`");
                return Err(Refusal::new(shadow_result::SHADOW_INVALID_ARGUMENT, text));
            }
        };
        self.engine.handle_disconnected(now, failure);
        Ok(())
    }

    pub(crate) fn report(
        &mut self,
        now: Instant,
        shadow: ShadowId,
        patch: &str,
    ) -> Result<RequestId, Refusal> {
        Ok(self.engine.report(now, shadow, &json(patch)?)?)
    }

    pub(crate) fn update(
        &mut self,
        now: Instant,
        shadow: ShadowId,
        reported: Option<&str>,
        desired: Option<&str>,
        version: u64,
        overwrite: bool,
    ) -> Result<RequestId, Refusal> {
        let reported = reported.map(json).transpose()?;
        let desired = desired.map(json).transpose()?;
        let update = Update::new().overwrite(overwrite);
        // Version 0 is not checked by the cloud (vendor doc 634/14072), so it need not be sent.
        let update = match version {
            0 => update,
            version => update.version(version),
        };
        Ok(match (reported, desired) {
            (None, None) => self.engine.update(now, shadow, &update),
            (Some(reported), None) => self.engine.update(now, shadow, &update.reported(reported)),
            (None, Some(desired)) => self.engine.update(now, shadow, &update.desired(desired)),
            (Some(reported), Some(desired)) => {
                let update = update.reported(reported).desired(desired);
                self.engine.update(now, shadow, &update)
            }
        }?)
    }

    /// `None` when there is nothing to answer.
    pub(crate) fn accept(
        &mut self,
        now: Instant,
        shadow: ShadowId,
        text: &str,
        keys: Keys<'_>,
    ) -> Result<Option<RequestId>, Refusal> {
        answer(shadow, text, keys, |delta| self.engine.accept(now, delta))
    }

    pub(crate) fn accept_as(
        &mut self,
        now: Instant,
        shadow: ShadowId,
        text: &str,
        reported: &str,
    ) -> Result<Option<RequestId>, Refusal> {
        let reported = json(reported)?;
        answer(shadow, text, Keys::All, |delta| {
            self.engine.accept_as(now, delta, &reported)
        })
    }

    /// `None` when there is nothing to answer.
    pub(crate) fn reject(
        &mut self,
        now: Instant,
        shadow: ShadowId,
        text: &str,
        keys: Keys<'_>,
        reason: &str,
    ) -> Result<Option<RequestId>, Refusal> {
        answer(shadow, text, keys, |delta| {
            self.engine.reject(now, delta, reason)
        })
    }

    pub(crate) fn poll_transmit(&mut self, now: Instant) -> Option<shadow_transmit> {
        // There may be a login in it.
        self.packet.as_mut_slice().zeroize();
        self.packet.clear();
        self.packet.shrink_to(KEPT_BYTES);
        let transmit = self.engine.poll_transmit(now, &mut self.packet)?;
        let kind = match transmit {
            Transmit::Connect => shadow_transmit_kind::SHADOW_TRANSMIT_CONNECT,
            Transmit::Packet { .. } => shadow_transmit_kind::SHADOW_TRANSMIT_SEND,
            Transmit::Close => shadow_transmit_kind::SHADOW_TRANSMIT_CLOSE,
        };
        let bytes = match self.packet.as_slice() {
            [] => shadow_bytes::EMPTY,
            packet => shadow_bytes {
                data: packet.as_ptr(),
                length: packet.len(),
            },
        };
        Some(shadow_transmit { kind, bytes })
    }

    pub(crate) fn poll_event(&mut self) -> Option<shadow_event> {
        let event = self.engine.poll_event();
        if event.is_none() {
            self.event.clear();
        }
        Some(shadow_event::new(&event?, &mut self.event))
    }

    #[cfg(feature = "session")]
    pub(crate) fn session(&mut self) -> shadow_bytes {
        self.session.clear();
        let bytes = self.engine.session().to_bytes();
        let place = self.session.push(&bytes);
        self.session.bytes(place)
    }

    pub(crate) fn reported(&mut self, shadow: ShadowId) -> Result<shadow_text, Refusal> {
        self.reported.clear();
        let unknown = RequestError::UnknownShadow(shadow);
        let reported = self.engine.reported(shadow).ok_or(unknown)?;
        let place = self.reported.push(reported.as_bytes());
        Ok(self.reported.text(place))
    }

    /// Keeps the words of a refusal.
    pub(crate) fn note(&mut self, refusal: &Refusal) {
        self.error.clear();
        self.error.push(refusal.text.as_bytes());
    }
}

impl Drop for shadow_engine {
    fn drop(&mut self) {
        self.packet.as_mut_slice().zeroize();
    }
}

/// Packets of at most this many bytes leave their memory for the next one.
const KEPT_BYTES: usize = 1024;

/// The session that was stored, if it is this device's.
#[cfg(feature = "session")]
fn stored(bytes: &[u8], device: &DeviceInfo) -> Result<Session, Refusal> {
    let stored = Session::from_bytes(bytes)
        .map_err(|error| Refusal::new(shadow_result::SHADOW_INVALID_SESSION, error))?;
    let is_empty = stored.shadows().next().is_none();
    if !is_empty && !stored.shadows().any(|name| *name == device.name) {
        let text = "the session is that of another device";
        return Err(Refusal::new(shadow_result::SHADOW_INVALID_SESSION, text));
    }
    Ok(stored)
}

#[cfg(not(feature = "session"))]
fn stored(_bytes: &[u8], _device: &DeviceInfo) -> Result<Session, Refusal> {
    Err(Refusal::without("session", "session"))
}

fn json(text: &str) -> Result<Json, Refusal> {
    Json::new(text).map_err(|error| Refusal::new(shadow_result::SHADOW_INVALID_JSON, error))
}

/// Answers what `keys` names of the delta with this text; `None` when that is nothing.
///
/// Of a delta an answer takes its shadow and its text alone, so C has no need of handles for them.
fn answer(
    shadow: ShadowId,
    text: &str,
    keys: Keys<'_>,
    answer: impl FnOnce(&Delta) -> Result<RequestId, RequestError>,
) -> Result<Option<RequestId>, Refusal> {
    let state = json(text)?;
    if !state.as_str().starts_with('{') {
        let text = "a delta is a JSON object";
        return Err(Refusal::new(shadow_result::SHADOW_INVALID_JSON, text));
    }
    let delta = Delta {
        shadow,
        origin: DeltaOrigin::Pushed,
        version: None,
        state,
        redelivered: false,
    };
    let delta = match keys {
        Keys::All => delta,
        Keys::Only(keys) => delta.only(keys),
        Keys::Except(keys) => delta.without(keys),
    };
    // Without a member there is nothing between the braces.
    let inside = delta.state.as_str().trim_matches(['{', '}']);
    if inside.trim_ascii().is_empty() {
        return Ok(None);
    }
    Ok(Some(answer(&delta)?))
}
