//! The requests on topics that are no shadow's.

use super::Engine;
use super::requests::{Owner, Progress, Task};
use crate::mqtt::link::Publication;
use crate::mqtt::{QoS, topic};
use crate::request::{RequestError, RequestId, account};
use crate::time::Instant;

/// What a task on such a topic has, so that the compiler knows where there is none.
pub(super) type Plain = ();

/// How to make such a task, where there are any.
pub(super) const PLAIN: Option<Plain> = Some(());

impl Engine {
    /// Publishes a message on a topic that is no shadow's; the vendor's server retains nothing.
    /// Without a link it waits for one until its deadline. A QoS 1 or 2 message that was sent stays
    /// in the session until it is acknowledged, over any number of links; once its request has ended
    /// otherwise, only where the server kept the session too.
    ///
    /// # Errors
    ///
    /// [`RequestError::InvalidTopic`], [`RequestError::ShadowTopic`] while
    /// [`guard_shadow_topics`](crate::config::Behaviour::guard_shadow_topics) is on,
    /// [`RequestError::LimitExceeded`] for topic or payload, [`RequestError::TooManyRequests`],
    /// [`RequestError::QueueFull`] or [`RequestError::Closed`].
    pub fn publish(
        &mut self,
        now: Instant,
        publication: &Publication<'_>,
    ) -> Result<RequestId, RequestError> {
        let Publication {
            topic,
            payload,
            qos,
            retain,
        } = *publication;
        topic::validate_name(topic).map_err(|error| {
            RequestError::InvalidTopic(account(&error, "the topic is not valid"))
        })?;
        self.take(now, topic, payload.len(), || Task::Publish {
            topic: topic.into(),
            payload: payload.into(),
            qos,
            retain,
            _plain: (),
        })
    }

    /// Subscribes a topic filter, on this link and every later one. Its messages are
    /// [`Event::Message`](crate::Event::Message)s.
    ///
    /// # Errors
    ///
    /// Those of [`Engine::publish`], and [`RequestError::TooManySubscriptions`].
    pub fn subscribe(
        &mut self,
        now: Instant,
        filter: &str,
        qos: QoS,
    ) -> Result<RequestId, RequestError> {
        validate_filter(filter)?;
        if !self.session.is_subscribed(filter) {
            self.admit_subscription()?;
        }
        self.take(now, filter, 0, || Task::Subscribe {
            filter: filter.into(),
            qos,
            _plain: (),
        })
    }

    /// Unsubscribes a topic filter.
    ///
    /// # Errors
    ///
    /// Those of [`Engine::publish`].
    pub fn unsubscribe(&mut self, now: Instant, filter: &str) -> Result<RequestId, RequestError> {
        validate_filter(filter)?;
        let request = self.take(now, filter, 0, || Task::Unsubscribe {
            filter: filter.into(),
            _plain: (),
        })?;
        self.session.forget_subscription(filter);
        Ok(request)
    }

    /// Whether one more subscription fits. Those on their way count, and so do those that end with
    /// a detached shadow, until the server has said so.
    pub(super) fn admit_subscription(&self) -> Result<(), RequestError> {
        let limit = self.config.maximum_subscriptions;
        let subscriptions = self.shadows.len()
            + self.session.subscriptions.len()
            + self.requests.open_subscriptions();
        if subscriptions >= limit {
            return Err(RequestError::TooManySubscriptions { limit });
        }
        Ok(())
    }

    fn take(
        &mut self,
        now: Instant,
        topic: &str,
        size: usize,
        task: impl FnOnce() -> Task,
    ) -> Result<RequestId, RequestError> {
        let now = self.advance(now);
        self.admit(size)?;
        self.config.limits.check_topic(topic)?;
        if self.config.effective_behaviour().guard_shadow_topics && self.shadows.own(topic) {
            return Err(RequestError::ShadowTopic);
        }
        let deadline = self.request_deadline(now, Owner::Application);
        let request = self
            .requests
            .register(Owner::Application, deadline, Progress::Held, task());
        self.drop_without_link(request);
        self.flush(now);
        Ok(request)
    }
}

fn validate_filter(filter: &str) -> Result<(), RequestError> {
    topic::validate_filter(filter)
        .map_err(|error| RequestError::InvalidTopic(account(&error, "the topic is not valid")))
}
