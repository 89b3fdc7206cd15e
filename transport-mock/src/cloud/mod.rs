//! The model of the shadow cloud: the MQTT server with the shadow service behind it.
//!
//! A [`Cloud`] is what a device under test connects to. It is a state machine like its two parts:
//! carry bytes in and out ([`serve`](crate::serve()) does it over any byte streams,
//! [`Simulation`](crate::simulation::Simulation) in memory without any), and play the application
//! with [`set_desired`](Cloud::set_desired) and the others.
//!
//! ```
//! use shadow_core::{Instant, WallTime};
//! use transport_mock::cloud::{Cloud, example_name};
//!
//! let now = Instant::ZERO;
//! let mut cloud = Cloud::example(now, WallTime::from_unix_millis(1_626_770_697_670));
//! let name = example_name();
//! assert_eq!(cloud.shadow(&name).unwrap().version(), 8);
//! assert_eq!(cloud.set_desired(now, &name, r#"{"power":true}"#, None), Ok(9));
//! assert_eq!(cloud.shadow(&name).unwrap().delta().as_deref(), Some(r#"{"power":true}"#));
//! ```

mod dispatch;
mod example;
mod replies;

use shadow_core::mqtt::{ConnectReturnCode, QoS};
use shadow_core::tencent::ShadowName;
use shadow_core::{Instant, WallTime};

use crate::server::{ConnectionId, Message, Server, ServerConfig, ServerEvent, ServerTransmit};
use crate::service::{Answer, Change, ChangeError, ServiceConfig, Shadow, ShadowService};

pub use dispatch::{REQUEST_FILTERS, Response, dispatch};
use replies::Replies;

pub use example::{
    EXAMPLE_DEVICE_NAME, EXAMPLE_DEVICE_SECRET, EXAMPLE_PRODUCT_ID, TEST_DEVICES, example_device,
    example_name, test_device,
};
pub use replies::{HandledRequest, ReplyCounts, ReplyFault};

/// The settings of a [`Cloud`].
#[derive(Clone, Debug, Default)]
pub struct CloudConfig {
    /// Of the MQTT server.
    pub server: ServerConfig,
    /// Of the shadow service.
    pub service: ServiceConfig,
}

/// The model of the cloud: devices and applications on one side, the test on the other.
///
/// * The network: the same inputs and outputs as [`Server`]; its documentation says in which order.
///   What a device publishes on `$shadow/operation/{productId}/{deviceName}` is answered on its
///   result topic, and what an application publishes on its topics on its own
///   ([`application`](crate::application)), at once and in the order in which the packets came.
/// * The test plays the application: [`shadow`](Self::shadow), [`document`](Self::document),
///   [`set_desired`](Self::set_desired); and the operator: [`seed`](Self::seed),
///   [`reset`](Self::reset), [`set_reported`](Self::set_reported),
///   [`disconnect`](Self::disconnect).
///
/// Replies and deltas are published with QoS 1, so a device gets them with the QoS of its
/// subscription, and one with a persistent session and a QoS 1 subscription gets those that it
/// missed.
#[derive(Debug)]
pub struct Cloud {
    server: Server,
    service: ShadowService,
    replies: Replies,
    addressed: Addressed,
}

/// Whose operation topic a device has published on last, as the next message is mostly of the same
/// device: to check the names in a topic, and to write the other topic, takes an eighth of the
/// instructions of a get.
#[derive(Debug, Default)]
struct Addressed {
    last: Option<(ShadowName, String)>,
}

impl Addressed {
    /// The shadow whose operation topic this is, and its result topic; `None` for other topics.
    fn by(&mut self, topic: &str) -> Option<(&ShadowName, &str)> {
        if !matches!(&self.last, Some((name, _)) if name.is_operation_topic(topic)) {
            let name = ShadowName::from_operation_topic(topic)?;
            let result_topic = name.result_topic();
            self.last = Some((name, result_topic));
        }
        let (name, result_topic) = self.last.as_ref()?;
        Some((name, result_topic))
    }
}

impl Cloud {
    /// A cloud without clients and documents, at `now` on its monotonic clock and `wall` on its
    /// wall clock, which runs with the monotonic one.
    #[must_use]
    pub fn new(config: CloudConfig, now: Instant, wall: WallTime) -> Cloud {
        Cloud {
            server: Server::new(config.server, now, wall),
            service: ShadowService::with_config(config.service),
            replies: Replies::default(),
            addressed: Addressed::default(),
        }
    }

    /// Sets the wall clock.
    pub fn handle_wall_time(&mut self, now: Instant, wall: WallTime) {
        self.server.handle_wall_time(now, wall);
    }

    /// As [`Server::accept`].
    pub fn accept(&mut self, now: Instant) -> ConnectionId {
        self.server.accept(now)
    }

    /// As [`Server::handle_bytes`].
    pub fn handle_bytes(&mut self, now: Instant, id: ConnectionId, bytes: &[u8]) {
        let (service, replies) = (&mut self.service, &mut self.replies);
        let addressed = &mut self.addressed;
        self.server
            .handle_bytes_with(now, id, bytes, |server, publish| {
                let mut answering = Answering {
                    now,
                    server,
                    replies,
                };
                answering.answer(service, addressed, publish.topic, publish.payload);
            });
    }

    /// As [`Server::handle_closed`].
    pub fn handle_closed(&mut self, now: Instant, id: ConnectionId) {
        self.server.handle_closed(now, id);
    }

    /// As [`Server::handle_tick`]; and the replies that were held back until now are sent.
    pub fn handle_tick(&mut self, now: Instant) {
        while let Some(reply) = self.replies.take_due(now) {
            self.answering(now).send(&reply);
        }
        self.server.handle_tick(now);
    }

    /// As [`Server::poll_transmit`].
    pub fn poll_transmit(
        &mut self,
        now: Instant,
        buffer: &mut Vec<u8>,
    ) -> Option<(ConnectionId, ServerTransmit)> {
        self.server.poll_transmit(now, buffer)
    }

    /// As [`Server::poll_transmit_to`].
    pub fn poll_transmit_to(
        &mut self,
        now: Instant,
        id: ConnectionId,
        buffer: &mut Vec<u8>,
    ) -> Option<ServerTransmit> {
        self.server.poll_transmit_to(now, id, buffer)
    }

    /// As [`Server::poll_event`].
    pub fn poll_event(&mut self) -> Option<ServerEvent> {
        self.server.poll_event()
    }

    /// As [`Server::poll_deadline`].
    #[must_use]
    pub fn poll_deadline(&self) -> Option<Instant> {
        let server = self.server.poll_deadline();
        server.into_iter().chain(self.replies.deadline()).min()
    }

    /// As [`Server::has_output`].
    #[must_use]
    pub fn has_output(&self) -> bool {
        self.server.has_output()
    }

    /// The MQTT server, to look at.
    #[must_use]
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// Cuts off the client that is logged in as `client_id`; whether there was one.
    pub fn disconnect(&mut self, now: Instant, client_id: &str) -> bool {
        self.server.disconnect(now, client_id)
    }

    /// Cuts off every connection, as a server does that is restarted. Documents and persistent
    /// sessions stay.
    pub fn disconnect_all(&mut self, now: Instant) {
        self.server.disconnect_all(now);
    }

    /// Cuts off every connection as [`disconnect_all`](Self::disconnect_all), and forgets the
    /// sessions of all clients if they are not to be kept.
    pub fn restart(&mut self, now: Instant, keep_sessions: bool) {
        self.server.disconnect_all(now);
        if !keep_sessions {
            self.server.forget_sessions();
        }
    }

    /// As [`Server::refuse_logins`].
    pub fn refuse_logins(&mut self, client_id: &str, code: ConnectReturnCode, count: u32) {
        self.server.refuse_logins(client_id, code, count);
    }

    /// Something happens to the next `count` replies to requests about `name`.
    pub fn disturb_replies(&mut self, name: &ShadowName, fault: ReplyFault, count: u32) {
        self.replies.disturb(name, fault, count);
    }

    /// Nothing happens to the replies that follow. What is held back stays so until its time.
    pub fn leave_replies_alone(&mut self) {
        self.replies.leave_alone();
    }

    /// How often something happened to a reply.
    #[must_use]
    pub fn reply_counts(&self) -> ReplyCounts {
        self.replies.counts()
    }

    /// Has the cloud remember the requests of devices from now on, or forget them. They are not
    /// bounded: take them in time.
    pub fn record_requests(&mut self, record: bool) {
        self.replies.record(record);
    }

    /// Takes the requests that were remembered, in the order in which they were handled.
    pub fn take_requests(&mut self) -> Vec<HandledRequest> {
        self.replies.take_requests()
    }

    /// The shadow service with all its documents, to look at or to copy as a backup.
    #[must_use]
    pub fn service(&self) -> &ShadowService {
        &self.service
    }

    /// Puts another shadow service in the place of this one, as when a backup is restored: versions
    /// may fall. Nothing is sent.
    pub fn replace_service(&mut self, service: ShadowService) {
        self.service = service;
    }

    /// Publishes any message, as another client or service of the cloud would. False if its topic
    /// is no valid topic name; then nothing happened. It is not handed to the shadow service.
    #[must_use = "a message on an invalid topic goes nowhere"]
    pub fn publish(&mut self, now: Instant, message: &Message) -> bool {
        self.server.publish(now, message)
    }

    /// The shadow of `name`; `None` as long as nothing was ever written to it.
    #[must_use]
    pub fn shadow(&self, name: &ShadowName) -> Option<&Shadow> {
        self.service.shadow(name)
    }

    /// The shadow of `name` as a get reply's `payload`: compact JSON, no newline.
    #[must_use]
    pub fn document(&self, now: Instant, name: &ShadowName) -> String {
        let wall = self.server.wall_time(now);
        self.service.document(wall, name)
    }

    /// The application changes what it desires, and the device is sent the delta. As
    /// [`ShadowService::set_desired`]; returns the version now.
    ///
    /// # Errors
    /// As [`ShadowService::set_desired`].
    pub fn set_desired(
        &mut self,
        now: Instant,
        name: &ShadowName,
        patch: &str,
        expected_version: Option<u64>,
    ) -> Result<u64, ChangeError> {
        let wall = self.server.wall_time(now);
        let change = self
            .service
            .set_desired(wall, name, patch, expected_version)?;
        Ok(self.publish_change(now, name, change))
    }

    /// Changes the reported part in the device's place. As [`ShadowService::set_reported`]; returns
    /// the version now.
    ///
    /// # Errors
    /// As [`ShadowService::set_reported`].
    pub fn set_reported(
        &mut self,
        now: Instant,
        name: &ShadowName,
        patch: &str,
        expected_version: Option<u64>,
    ) -> Result<u64, ChangeError> {
        let wall = self.server.wall_time(now);
        let change = self
            .service
            .set_reported(wall, name, patch, expected_version)?;
        Ok(self.publish_change(now, name, change))
    }

    /// Resets the shadow to what it was seeded with, and the device is sent the delta if there is
    /// one. As [`ShadowService::reset`]; returns the version now.
    pub fn reset(&mut self, now: Instant, name: &ShadowName) -> u64 {
        let change = self.service.reset(self.server.wall_time(now), name);
        self.publish_change(now, name, change)
    }

    /// Begins a shadow at a given point. As [`ShadowService::seed`]; nothing is sent.
    ///
    /// # Errors
    /// As [`ShadowService::seed`].
    pub fn seed(
        &mut self,
        name: &ShadowName,
        state: &str,
        version: u64,
        last_change: WallTime,
    ) -> Result<(), ChangeError> {
        self.service.seed(name, state, version, last_change)
    }

    fn publish_change(&mut self, now: Instant, name: &ShadowName, change: Change) -> u64 {
        if let Some(payload) = change.push {
            let topic = name.result_topic();
            self.answering(now).push(name, &Response { topic, payload });
        }
        change.version
    }

    fn answering(&mut self, now: Instant) -> Answering<'_> {
        Answering {
            now,
            server: &mut self.server,
            replies: &mut self.replies,
        }
    }
}

/// What sends the answers of the service.
struct Answering<'a> {
    now: Instant,
    server: &'a mut Server,
    replies: &'a mut Replies,
}

impl Answering<'_> {
    fn answer(
        &mut self,
        service: &mut ShadowService,
        addressed: &mut Addressed,
        topic: &str,
        payload: &[u8],
    ) {
        let wall = self.server.wall_time(self.now);
        let Some((name, topic)) = addressed.by(topic) else {
            for response in dispatch(service, wall, topic, payload) {
                self.send(&response);
            }
            return;
        };
        let Answer { reply, push } = service.answer(wall, name, payload);
        self.replies.note(name, payload, &reply);
        let response = |payload| Response {
            topic: topic.to_owned(),
            payload,
        };
        if self.replies.are_disturbed(name) {
            for reply in self.replies.pass(self.now, name, response(reply)) {
                self.send(&reply);
            }
        } else {
            self.publish(topic, &reply);
        }
        if let Some(push) = push {
            self.push(name, &response(push));
        }
    }

    /// Sends a delta, and after it the replies that waited for one.
    fn push(&mut self, name: &ShadowName, push: &Response) {
        self.send(push);
        while let Some(reply) = self.replies.take_overtaken(name) {
            self.send(&reply);
        }
    }

    fn send(&mut self, Response { topic, payload }: &Response) {
        self.publish(topic, payload);
    }

    /// A shadow's topics are topic names.
    fn publish(&mut self, topic: &str, payload: &[u8]) {
        self.server
            .publish_valid(self.now, topic, payload, QoS::AtLeastOnce);
    }
}
