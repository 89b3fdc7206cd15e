//! The shadow service as a client of an MQTT broker.
//!
//! A broker such as mosquitto carries messages and knows nothing of shadows. [`bridge`] logs in to
//! it as one more client, subscribes [`REQUEST_FILTERS`], hands what devices and applications
//! publish there to a [`ShadowService`], and publishes what the service answers. Devices of that
//! broker then have shadows as on the vendor's cloud.
//!
//! ```text
//!  device ── $shadow/operation/P/D ──────────► broker ──► bridge ──► ShadowService
//!  device ◄─ $shadow/operation/result/P/D ──── broker ◄── bridge ◄── replies, deltas
//! ```
//!
//! What it cannot see, it cannot tell: a broker may drop what a client has no right to publish or
//! to receive without a word to either side [MQTT-3.3.5-2].

use std::collections::VecDeque;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_lite::Stream;
use shadow_core::event::Message;
use shadow_core::mqtt::QoS;
use shadow_core::{Config, DisconnectCause, Event, Publication, WallTime};
use transport_tcp::{Client, ClientError, Clock, Events, Notification};

use crate::cloud::{REQUEST_FILTERS, Response, dispatch};
use crate::service::ShadowService;

/// The longest wait before the bridge tries again to reach its broker: shorter than the engine's
/// default of a minute, as every device of the broker waits for this one client.
const MAXIMUM_BACKOFF: Duration = Duration::from_secs(5);

/// The largest response in bytes. With the service's default limits a document has 16 KiB, its
/// delta no more than that, and a client token fits into a request of 16 KiB.
const MAXIMUM_RESPONSE_SIZE: usize = 64 * 1024;

/// How many responses are on their way to the broker at a time.
const MAXIMUM_IN_FLIGHT: usize = 16;

/// How often all of those may be sent again on a link that takes nothing, before they are refused:
/// a link is taken for dead before that.
const MAXIMUM_ROUNDS: usize = 8;

/// How many messages may wait to be handled, before the oldest are dropped.
const MAXIMUM_EVENTS: usize = 1_000;

/// How many responses may wait for the broker before requests are dropped unread.
const MAXIMUM_WAITING: usize = 1_000;

/// How many bytes of responses may wait for the broker before requests are dropped unread. It may
/// be exceeded by the responses to one request.
const MAXIMUM_WAITING_BYTES: usize = 1024 * 1024;

/// The configuration of the client that a [`bridge`] runs on: that of a
/// [plain client](Config::plain) with room for the service's replies, which looks for its broker
/// every 5 s at least, and leaves subscribing to the bridge.
///
/// Credentials go into [`Config::login`].
///
/// The client id must not be that of another client. That two bridges with one id keep kicking each
/// other off the broker is intended: with two ids they would answer every request twice.
#[must_use]
pub fn config(client_id: &str) -> Config {
    let mut config = Config::plain(client_id);
    config.backoff.maximum = MAXIMUM_BACKOFF;
    config.backoff.slow_initial = MAXIMUM_BACKOFF;
    config.backoff.slow_maximum = MAXIMUM_BACKOFF;
    config.limits.payload_size = MAXIMUM_RESPONSE_SIZE as u32;
    config.maximum_in_flight = MAXIMUM_IN_FLIGHT;
    config.maximum_requests = MAXIMUM_ROUNDS * MAXIMUM_IN_FLIGHT + REQUEST_FILTERS.len();
    config.maximum_queued_bytes = MAXIMUM_ROUNDS * MAXIMUM_IN_FLIGHT * MAXIMUM_RESPONSE_SIZE;
    config.maximum_events = MAXIMUM_EVENTS;
    config.behaviour.resubscribe = false;
    config
}

/// Something that happened at a [`bridge`].
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum BridgeEvent {
    /// The bridge is logged in and subscribed: requests are answered from now on.
    Online {
        /// The lower of the two QoS that the broker granted. With QoS 0 requests can get lost
        /// between broker and bridge.
        granted: QoS,
    },
    /// The broker is not reachable, refused the login or closed the connection. Documents stay, and
    /// so does what waits to be published.
    Offline {
        /// Why.
        cause: DisconnectCause,
        /// When it is tried again.
        retry_in: Duration,
    },
    /// The service has handled a request.
    Handled {
        /// The request.
        request: Message,
        /// What is published for it: the reply, and a delta if there is one.
        responses: Vec<Response>,
    },
    /// A message was left alone.
    Ignored {
        /// Its topic.
        topic: String,
        /// Why.
        reason: IgnoredReason,
    },
    /// Messages were lost unseen, as the bridge did not keep up.
    MessagesLost {
        /// How many, at most: other events of the client count too.
        count: u64,
    },
    /// The broker did not acknowledge a response in time. It and those that follow it are published
    /// again, in order, as soon as the broker is there.
    Unacknowledged {
        /// The response's topic.
        topic: String,
        /// What became of it.
        error: ClientError,
    },
    /// A response is given up: it cannot be sent, or the bridge has ended before the broker
    /// acknowledged it.
    Undelivered {
        /// Its topic.
        topic: String,
        /// Why.
        error: ClientError,
    },
}

impl BridgeEvent {
    /// Writes a [`tracing`] record of it, as [`bridge`] does of each. Of a message its topic and
    /// length; never its payload. The crate's documentation lists the records.
    pub fn trace(&self) {
        match self {
            BridgeEvent::Online { granted } => {
                tracing::debug!(event = "bridge_online", qos = *granted as u8);
            }
            BridgeEvent::Offline { cause, retry_in } => {
                tracing::debug!(event = "bridge_offline", %cause, ?retry_in);
            }
            BridgeEvent::Handled { request, responses } => tracing::trace!(
                event = "handled",
                topic = request.topic,
                len = request.payload.len(),
                responses = responses.len()
            ),
            BridgeEvent::Ignored { topic, reason } => {
                tracing::debug!(event = "ignored", topic, %reason);
            }
            BridgeEvent::MessagesLost { count } => tracing::warn!(event = "messages_lost", count),
            BridgeEvent::Unacknowledged { topic, error } => {
                tracing::debug!(event = "unacknowledged", topic, %error);
            }
            BridgeEvent::Undelivered { topic, error } => {
                tracing::warn!(event = "undelivered", topic, %error);
            }
        }
    }
}

/// Why a [`bridge`] left a message alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum IgnoredReason {
    /// The broker had kept it from before the subscription, so it would be carried out again each
    /// time the bridge connects.
    Retained,
    /// The topic names no product id and device name.
    NoShadowTopic,
    /// The packet is above [`Config::maximum_packet_size`].
    Oversized {
        /// Its size in bytes.
        size: usize,
    },
    /// Too many responses wait for the broker.
    Busy,
}

impl fmt::Display for IgnoredReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            IgnoredReason::Retained => f.write_str("it was retained by the broker"),
            IgnoredReason::NoShadowTopic => {
                f.write_str("its topic has no product id and device name")
            }
            IgnoredReason::Oversized { size } => write!(f, "its {size} bytes are too many"),
            IgnoredReason::Busy => f.write_str("too many responses wait for the broker"),
        }
    }
}

/// Why a [`bridge`] gave up.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BridgeError {
    /// The broker refuses the subscription (SUBACK 0x80), so no request would ever come.
    SubscriptionRefused {
        /// The topic filter.
        filter: &'static str,
    },
}

impl fmt::Display for BridgeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BridgeError::SubscriptionRefused { filter } => write!(
                f,
                "the broker refuses the subscription of {filter} (SUBACK 0x80): its access rules \
                 must let the shadow service subscribe to that"
            ),
        }
    }
}

impl std::error::Error for BridgeError {}

/// Answers what devices and applications of a broker ask, until the driver of `client` has ended.
///
/// `client` and `events` belong together, are made with [`config`], and are the bridge's own; a
/// clone of `client` may be kept to close it. The documents stay in `service`. `clock` gives the
/// documents their timestamps, 0 as long as it does not know the wall time.
///
/// * Requests are handled in the order in which the broker delivers them.
/// * Responses are published with QoS 1 in the order of the requests. One that the broker does not
///   acknowledge in time is published again, and all that follow it too: a response may reach a
///   device more than once, but the last that a device gets is the latest.
/// * While the broker is away the responses to earlier requests wait.
/// * Nothing is lost silently: what is not handled or not delivered is a [`BridgeEvent`].
///
/// It spawns nothing and needs no particular executor. Dropping the future loses what waits.
///
/// # Errors
///
/// [`BridgeError::SubscriptionRefused`], on the first connection to the broker or on a later one. A
/// refused login is a [`BridgeEvent::Offline`] and tried again.
pub async fn bridge<K: Clock>(
    service: &mut ShadowService,
    client: &Client,
    events: Events,
    clock: &K,
    on_event: impl FnMut(BridgeEvent),
) -> Result<(), BridgeError> {
    let mut events = pin!(events);
    let mut bridging = Bridging {
        service,
        client,
        on_event,
        connected: false,
        online: false,
        subscribing: None,
        in_flight: VecDeque::new(),
        waiting: VecDeque::new(),
        waiting_bytes: 0,
    };
    loop {
        bridging.publish_waiting();
        match poll_fn(|cx| bridging.poll(cx, events.as_mut())).await {
            Step::Notified(None) => break,
            Step::Notified(Some(Notification::Lagged { missed })) => bridging.lagged(missed),
            Step::Notified(Some(Notification::Event(event))) => {
                bridging.handle_event(event, clock);
            }
            // Its client has no store, as the service keeps the documents, and is not recorded.
            Step::Notified(Some(
                Notification::NotStored(_)
                | Notification::StoredAgain
                | Notification::NotRecorded(_),
            )) => {}
            Step::Subscribed(result) => bridging.handle_subscribed(&result)?,
            Step::Published(index, result) => bridging.handle_published(index, result),
        }
    }
    bridging.finish().await;
    Ok(())
}

/// What the bridge waited for.
enum Step {
    /// The client tells something; `None` when it has ended.
    Notified(Option<Notification>),
    Subscribed(Result<QoS, SubscribeError>),
    /// The response with this index among those in flight.
    Published(usize, Result<(), ClientError>),
}

/// A subscription that was not granted.
struct SubscribeError {
    filter: &'static str,
    error: ClientError,
}

/// A request of the client that has not ended.
type Pending<T> = Option<Pin<Box<dyn Future<Output = T> + Send>>>;

struct InFlight {
    response: Response,
    /// `None` once the broker has acknowledged it.
    publishing: Pending<Result<(), ClientError>>,
}

struct Bridging<'a, E> {
    service: &'a mut ShadowService,
    client: &'a Client,
    on_event: E,
    /// Whether the broker has accepted the login, as far as the events say.
    connected: bool,
    /// Whether [`BridgeEvent::Online`] was told of this connection.
    online: bool,
    subscribing: Pending<Result<QoS, SubscribeError>>,
    /// What was handed to the client and is not acknowledged, in order. The first one never is.
    in_flight: VecDeque<InFlight>,
    /// What is published next, in order.
    waiting: VecDeque<Response>,
    waiting_bytes: usize,
}

impl<E: FnMut(BridgeEvent)> Bridging<'_, E> {
    /// What was published comes first, so that a flood of requests cannot hold back the answers;
    /// subscriptions last, so that a lost link is known before its subscription's end.
    fn poll(&mut self, cx: &mut Context<'_>, events: Pin<&mut Events>) -> Poll<Step> {
        for (index, sent) in self.in_flight.iter_mut().enumerate() {
            if let Some(publishing) = &mut sent.publishing
                && let Poll::Ready(result) = publishing.as_mut().poll(cx)
            {
                sent.publishing = None;
                return Poll::Ready(Step::Published(index, result));
            }
        }
        if let Poll::Ready(notification) = events.poll_next(cx) {
            return Poll::Ready(Step::Notified(notification));
        }
        if let Some(subscribing) = &mut self.subscribing
            && let Poll::Ready(result) = subscribing.as_mut().poll(cx)
        {
            self.subscribing = None;
            return Poll::Ready(Step::Subscribed(result));
        }
        Poll::Pending
    }

    fn handle_event(&mut self, event: Event, clock: &impl Clock) {
        match event {
            Event::Connected { .. } => {
                self.connected = true;
                self.subscribe();
            }
            Event::Disconnected { cause, retry_in } => {
                self.connected = false;
                self.online = false;
                self.subscribing = None;
                self.tell(BridgeEvent::Offline { cause, retry_in });
            }
            Event::Message(message) => self.handle_message(message, clock),
            Event::OversizedMessage { topic, size, .. } => {
                self.ignore(topic, IgnoredReason::Oversized { size });
            }
            Event::EventsLost { count } => self.lagged(count),
            // Those of shadows, of which this client has none, and the end.
            _ => {}
        }
    }

    fn handle_message(&mut self, request: Message, clock: &impl Clock) {
        if request.retain {
            return self.ignore(request.topic, IgnoredReason::Retained);
        }
        if self.waiting.len() >= MAXIMUM_WAITING || self.waiting_bytes >= MAXIMUM_WAITING_BYTES {
            return self.ignore(request.topic, IgnoredReason::Busy);
        }
        let wall = clock.wall_time();
        let wall = wall.unwrap_or(WallTime::from_unix_millis(0));
        let responses = dispatch(self.service, wall, &request.topic, &request.payload);
        if responses.is_empty() {
            return self.ignore(request.topic, IgnoredReason::NoShadowTopic);
        }
        for response in &responses {
            self.waiting_bytes += response.payload.len();
            self.waiting.push_back(response.clone());
        }
        self.tell(BridgeEvent::Handled { request, responses });
    }

    fn tell(&mut self, event: BridgeEvent) {
        event.trace();
        (self.on_event)(event);
    }

    fn ignore(&mut self, topic: String, reason: IgnoredReason) {
        self.tell(BridgeEvent::Ignored { topic, reason });
    }

    /// Events were lost, and a new connection may have been among them.
    fn lagged(&mut self, count: u64) {
        self.tell(BridgeEvent::MessagesLost { count });
        self.subscribe();
    }

    fn subscribe(&mut self) {
        let client = self.client.clone();
        self.subscribing = Some(Box::pin(async move {
            let mut lowest = QoS::AtLeastOnce;
            for filter in REQUEST_FILTERS {
                let granted = client.subscribe(filter, QoS::AtLeastOnce).await;
                let granted = granted.map_err(|error| SubscribeError { filter, error })?;
                lowest = lowest.min(granted);
            }
            Ok(lowest)
        }));
    }

    fn handle_subscribed(
        &mut self,
        result: &Result<QoS, SubscribeError>,
    ) -> Result<(), BridgeError> {
        match result {
            Ok(granted) => {
                self.connected = true;
                if !std::mem::replace(&mut self.online, true) {
                    self.tell(BridgeEvent::Online { granted: *granted });
                }
            }
            Err(SubscribeError {
                filter,
                error: ClientError::SubscriptionRefused,
            }) => return Err(BridgeError::SubscriptionRefused { filter }),
            Err(SubscribeError {
                error: ClientError::TimedOut,
                ..
            }) if self.connected => self.subscribe(),
            // The next connection subscribes again.
            Err(_) => {}
        }
        Ok(())
    }

    fn publish_waiting(&mut self) {
        while self.connected
            && self.in_flight.len() < MAXIMUM_IN_FLIGHT
            && let Some(response) = self.waiting.pop_front()
        {
            self.waiting_bytes -= response.payload.len();
            let client = self.client.clone();
            let Response { topic, payload } = response.clone();
            let publishing = Box::pin(async move {
                let publication = Publication::new(&topic, &payload).qos(QoS::AtLeastOnce);
                client.publish(&publication).await
            });
            self.in_flight.push_back(InFlight {
                response,
                publishing: Some(publishing),
            });
        }
    }

    fn handle_published(&mut self, index: usize, result: Result<(), ClientError>) {
        match result {
            Ok(()) => {}
            Err(error @ (ClientError::TimedOut | ClientError::Disconnected { .. })) => {
                if let Some(topic) = self.put_back(index) {
                    self.tell(BridgeEvent::Unacknowledged { topic, error });
                }
            }
            Err(error) => {
                if let Some(sent) = self.in_flight.remove(index) {
                    let topic = sent.response.topic;
                    self.tell(BridgeEvent::Undelivered { topic, error });
                }
            }
        }
        while let Some(InFlight {
            publishing: None, ..
        }) = self.in_flight.front()
        {
            self.in_flight.pop_front();
        }
    }

    /// Puts back the response with this index and all that follow it, also those that were
    /// acknowledged: were they not sent again, an older one would be the last. The topic of the
    /// first.
    fn put_back(&mut self, index: usize) -> Option<String> {
        let first = self.in_flight.get(index)?.response.topic.clone();
        for sent in self.in_flight.drain(index..).rev() {
            self.waiting_bytes += sent.response.payload.len();
            self.waiting.push_front(sent.response);
        }
        Some(first)
    }

    /// The client has ended, and with it what was being published.
    async fn finish(&mut self) {
        for sent in std::mem::take(&mut self.in_flight) {
            let Some(publishing) = sent.publishing else {
                continue;
            };
            if let Err(error) = publishing.await {
                let topic = sent.response.topic;
                self.tell(BridgeEvent::Undelivered { topic, error });
            }
        }
        for Response { topic, .. } in std::mem::take(&mut self.waiting) {
            let error = ClientError::Cancelled;
            self.tell(BridgeEvent::Undelivered { topic, error });
        }
    }
}

#[cfg(test)]
mod tests;
