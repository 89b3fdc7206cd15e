//! The requests on shadows.

use alloc::boxed::Box;
use alloc::vec::Vec;

use serde::Serialize;

use super::requests::{Owner, Progress, Task};
use super::shadows::Subscribed;
use super::{Engine, token};
use crate::config::TokenStyle;
use crate::json::JsonStyle;
use crate::mqtt::link::Publication;
use crate::request::{RequestError, RequestId, ShadowId, account};
use crate::tencent::request::{Written, write_get_up_to_token};
use crate::tencent::{Operation, ShadowName, Update, UpdateError};
use crate::time::Instant;

/// Appends a request up to its client token to a buffer.
type Write<'w> = dyn Fn(JsonStyle, &mut Vec<u8>) -> Result<Written, UpdateError> + 'w;

impl Engine {
    /// The device's own shadow, if [`Config::own_shadow`](crate::Config::own_shadow) names one.
    #[must_use]
    pub fn own_shadow(&self) -> Option<ShadowId> {
        let name = self.config.own_shadow.as_ref()?;
        self.shadows.by_name(name).map(|shadow| shadow.id)
    }

    /// The name of an attached shadow.
    #[must_use]
    pub fn shadow_name(&self, shadow: ShadowId) -> Option<&ShadowName> {
        self.shadows.get(shadow).map(|shadow| &shadow.name)
    }

    /// Asks for the whole shadow. If the link is lost it is asked again on the next, until its time
    /// is over.
    ///
    /// # Errors
    ///
    /// [`RequestError::Closed`], [`RequestError::UnknownShadow`],
    /// [`RequestError::TooManyRequests`] or [`RequestError::QueueFull`].
    pub fn get(&mut self, now: Instant, shadow: ShadowId) -> Result<RequestId, RequestError> {
        let now = self.advance(now);
        self.admit(0)?;
        self.ask_get(now, shadow, Owner::Application)
    }

    /// Sends an update of `reported`, `desired` or both, once: if the link is lost before the answer
    /// it ends as [`Outcome::Disconnected`](crate::Outcome::Disconnected). Keys of `reported` that it
    /// names are no longer kept by [`Engine::report`]: the update is their last writer.
    ///
    /// # Errors
    ///
    /// Those of [`Engine::get`]; [`RequestError::InvalidUpdate`] when a part is given that is no
    /// object, or none is given, or JSON cannot hold a value;
    /// [`RequestError::LimitExceeded`] for the payload's size or a part's depth.
    pub fn update<R: Serialize, D: Serialize>(
        &mut self,
        now: Instant,
        shadow: ShadowId,
        update: &Update<R, D>,
    ) -> Result<RequestId, RequestError> {
        let now = self.advance(now);
        self.admit(0)?;
        self.ask(now, shadow, Owner::Application, update)
    }

    /// Deletes all of `reported` (`"reported":null`).
    ///
    /// # Errors
    ///
    /// Those of [`Engine::get`].
    pub fn clear_reported(
        &mut self,
        now: Instant,
        shadow: ShadowId,
    ) -> Result<RequestId, RequestError> {
        self.update(now, shadow, &Update::new().clear_reported())
    }

    /// Deletes all of `desired` (`"desired":null`): the device has obeyed it.
    ///
    /// # Errors
    ///
    /// Those of [`Engine::get`].
    pub fn clear_desired(
        &mut self,
        now: Instant,
        shadow: ShadowId,
    ) -> Result<RequestId, RequestError> {
        self.update(now, shadow, &Update::new().clear_desired())
    }

    /// Has the shadow's next client token carry `number`, for replaying a recording in which
    /// numbers were left out or given twice. With a
    /// [`TokenStyle::FixedNonce`](crate::config::TokenStyle) it is that of all shadows, as they are
    /// numbered together; tokens of [`TokenStyle::Nonce`](crate::config::TokenStyle) stay as they
    /// are. Replies to a larger number than the next one count as foreign.
    ///
    /// # Errors
    ///
    /// [`RequestError::UnknownShadow`].
    pub fn set_next_token(&mut self, shadow: ShadowId, number: u64) -> Result<(), RequestError> {
        let shadow = self
            .shadows
            .get_mut(shadow)
            .ok_or(RequestError::UnknownShadow(shadow))?;
        shadow.next_token = number;
        if let TokenStyle::FixedNonce(_) = self.config.effective_behaviour().token_style {
            self.session.set_next_token(number);
        }
        Ok(())
    }

    /// The engine's own get, whose answer makes the shadow ready, or shows what was missed.
    pub(super) fn get_after_subscription(&mut self, now: Instant, shadow: ShadowId) {
        if let Some(asking) = self.shadows.get_mut(shadow) {
            asking.link.fetching = true;
            asking.link.precedes_update = self.requests.has_update_of(shadow);
            asking.link.asked = Some(now);
            asking.link.risen = false;
        }
        let asked = self.ask_get(now, shadow, Owner::Engine);
        debug_assert!(asked.is_ok(), "the shadow is attached and a get is small");
    }

    /// Registers and, if it may, sends an update.
    pub(super) fn ask<R: Serialize, D: Serialize>(
        &mut self,
        now: Instant,
        id: ShadowId,
        owner: Owner,
        update: &Update<R, D>,
    ) -> Result<RequestId, RequestError> {
        // What depends on the types is kept apart, as there is one of it for each.
        let write = |style, out: &mut Vec<u8>| update.write_up_to_token(style, out);
        self.ask_with(now, id, Operation::Update, owner, &write)
    }

    fn ask_get(
        &mut self,
        now: Instant,
        id: ShadowId,
        owner: Owner,
    ) -> Result<RequestId, RequestError> {
        let write = |style, out: &mut Vec<u8>| {
            write_get_up_to_token(style, out);
            Ok(Written::default())
        };
        self.ask_with(now, id, Operation::Get, owner, &write)
    }

    /// As [`Engine::ask`], with what writes the payload up to the client token.
    fn ask_with(
        &mut self,
        now: Instant,
        id: ShadowId,
        operation: Operation,
        owner: Owner,
        write: &Write<'_>,
    ) -> Result<RequestId, RequestError> {
        let behaviour = *self.config.effective_behaviour();
        let (style, json) = (behaviour.token_style, behaviour.json_style);
        let shadow = self
            .shadows
            .get(id)
            .ok_or(RequestError::UnknownShadow(id))?;
        let number = token::peek(style, &self.session, shadow);
        let payload = &mut self.payload;
        payload.clear();
        let written = write(json, payload);
        token::append(style, &self.session, shadow, number, json, payload);
        payload.push(b'}');
        let written = written.map_err(|error| {
            RequestError::InvalidUpdate(account(&error, "the update is not valid"))
        })?;
        if owner == Owner::Application {
            self.admit(self.payload.len())?;
            // It may have counted too much.
            if written.deepest > self.config.limits.document_depth as usize {
                // The parts are within the request and its `state`.
                self.config.limits.check_depth(&self.payload, 2)?;
            }
            if operation == Operation::Update {
                self.hand_over(id, &written);
            }
        }
        let deadline = self.request_deadline(now, owner);
        let shadow = self
            .shadows
            .get_mut(id)
            .ok_or(RequestError::UnknownShadow(id))?;
        let token = token::take(style, &mut self.session, shadow);
        // The engine's own get goes first: a request that waited, such as clearing `desired`, must
        // not do away with a change that nobody was told of.
        let held = owner == Owner::Application && self.requests.has_held_for(id);
        let task = |payload| Task::Shadow {
            shadow: id,
            operation,
            token,
            payload,
        };
        let live = shadow.link.subscription == Subscribed::Live || !behaviour.wait_for_suback;
        let window = self.config.effective_shadow_qos() == crate::mqtt::QoS::AtMostOnce
            || self.connection.has_window(&self.session.mqtt);
        let free = live && window && !held && self.connection.is_online();
        if free && self.connection.may_publish(now) {
            // The hot path: straight from one buffer that is used again into another.
            let request =
                self.requests
                    .register(owner, deadline, Progress::Queued, task(Box::default()));
            let publication = Publication::new(&shadow.operation_topic, &self.payload)
                .qos(self.config.effective_shadow_qos());
            let sent =
                self.connection
                    .publish(now, &mut self.session.mqtt, &publication, request.0);
            debug_assert!(
                sent.is_ok(),
                "a shadow's topic is valid and the size is checked"
            );
            return Ok(request);
        }
        let task = task(self.payload.as_slice().into());
        let request = self
            .requests
            .register(owner, deadline, Progress::Held, task);
        if owner == Owner::Application {
            self.drop_without_link(request);
            self.flush(now);
        }
        Ok(request)
    }
}
