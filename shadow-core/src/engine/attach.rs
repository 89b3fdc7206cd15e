//! Attaching and detaching shadows beside the device's own.

use super::Engine;
use super::requests::Request;
use super::shadows::Subscribed;
use crate::event::Outcome;
use crate::request::{RequestError, ShadowId};
use crate::tencent::ShadowName;
use crate::time::Instant;

impl Engine {
    /// Attaches one more shadow, as that of a gateway's sub-device: subscribes its result topic on
    /// this link and every later one. What the session holds of it goes on. Attaching a shadow whose
    /// subscription was refused tries again under the same id.
    ///
    /// # Errors
    ///
    /// [`RequestError::AlreadyAttached`], [`RequestError::TooManySubscriptions`],
    /// [`RequestError::LimitExceeded`] for its names or [`RequestError::Closed`].
    pub fn attach(&mut self, now: Instant, name: &ShadowName) -> Result<ShadowId, RequestError> {
        let now = self.advance(now);
        if self.connection.is_closed() {
            return Err(RequestError::Closed);
        }
        let known = self
            .shadows
            .by_name(name)
            .map(|shadow| (shadow.id, shadow.link.subscription));
        let id = match known {
            Some((id, Subscribed::Refused)) => {
                if let Some(shadow) = self.shadows.get_mut(id) {
                    shadow.link.subscription = Subscribed::No;
                }
                id
            }
            Some((id, _)) => return Err(RequestError::AlreadyAttached(id)),
            None => {
                self.config.limits.check_name(name)?;
                self.admit_subscription()?;
                let place = self.session.keep_shadow(name);
                let first = self.config.effective_behaviour().token_style.first();
                let id = self.shadows.attach(name.clone(), place, first);
                self.keep_subscriptions();
                id
            }
        };
        self.flush(now);
        Ok(id)
    }

    /// Detaches a shadow: its open requests end as cancelled, its result topic is unsubscribed, and
    /// what the session kept of it is forgotten. A shadow of an earlier run that is not attached any
    /// more stays in the session until it is attached and detached.
    ///
    /// # Errors
    ///
    /// [`RequestError::UnknownShadow`].
    pub fn detach(&mut self, now: Instant, shadow: ShadowId) -> Result<(), RequestError> {
        let now = self.advance(now);
        let detached = self
            .shadows
            .detach(shadow)
            .ok_or(RequestError::UnknownShadow(shadow))?;
        let of_shadow = |request: &Request| request.task.shadow() == Some(shadow);
        while let Some(request) = self.requests.remove_first(of_shadow) {
            self.withdraw(&request);
            self.end(&request, Outcome::Cancelled);
        }
        self.session.forget_shadow(detached.place);
        if self.connection.is_online() || !self.config.clean_session {
            self.end_subscription(&detached.name.result_topic());
        }
        self.flush(now);
        Ok(())
    }
}
