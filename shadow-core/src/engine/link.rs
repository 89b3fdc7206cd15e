//! What the engine does when its link comes, goes, or takes something.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::counters::count;
use super::login::Credentials;
use super::plain::PLAIN;
use super::requests::{Owner, Progress, Request, Task};
use super::shadows::{ShadowLink, Subscribed};
use super::{Engine, KEPT_BYTES, token};
use crate::config::{Behaviour, Config};
use crate::event::{Event, Outcome};
use crate::mqtt::link::{DisconnectCause, Notice, Publication, Timing};
use crate::mqtt::{Oversized, QoS, StreamDecoder, SubscribeReturnCode};
use crate::request::{RequestId, ShadowId};
use crate::tencent::Operation;
use crate::tencent::request::write_get_up_to_token;
use crate::time::Instant;

/// Below this not even a SUBACK came through, and no link would last.
const SMALLEST_PACKET_SIZE: usize = 128;

/// The largest packet that is read, in bytes.
pub(crate) fn maximum_packet_size(config: &Config) -> usize {
    config.maximum_packet_size.max(SMALLEST_PACKET_SIZE)
}

/// A decoder for one link.
pub(super) fn decoder(config: &Config) -> StreamDecoder {
    StreamDecoder::new(
        config.protocol_version,
        maximum_packet_size(config),
        Oversized::SkipPublish,
    )
}

impl Engine {
    /// Whether everything is at hand that a CONNECT needs.
    pub(super) fn may_connect(&self) -> bool {
        self.wall.is_some() || !self.config.login.needs_wall_time()
    }

    /// Sends CONNECT on a connection that has just come.
    pub(super) fn send_connect(&mut self, now: Instant) {
        if !self.connection.is_connecting() {
            return;
        }
        if self.config.effective_behaviour().renew_credentials || self.credentials.is_none() {
            let wall = self.wall_time(now);
            let credentials = Credentials::new(&self.config.login, wall, &mut self.random);
            self.credentials = credentials.map(Box::new);
        }
        let Some(credentials) = self.credentials.take() else {
            return;
        };
        self.decoder = decoder(&self.config);
        let connect = credentials.connect(&self.config);
        let timing = &mut Timing::new(&self.config.backoff, &mut self.random);
        if let Some(notice) = self.connection.handle_connected(now, &connect, timing) {
            self.handle_notice(now, notice);
        }
        if !self.config.effective_behaviour().renew_credentials {
            self.credentials = Some(credentials);
        }
    }

    pub(super) fn handle_notice(&mut self, now: Instant, notice: Notice) {
        match notice {
            Notice::Online { session_present } => self.go_online(session_present),
            Notice::Lost { cause, retry_in } => {
                self.events.push(Event::Disconnected { cause, retry_in });
                self.go_offline();
            }
            Notice::Subscribed { ticket, code } => {
                if let Some(request) = self.requests.remove(RequestId(ticket)) {
                    self.subscribed(now, &request, code);
                }
            }
            Notice::Unsubscribed { ticket } => {
                if let Some(request) = self.requests.remove(RequestId(ticket)) {
                    if let Task::Unsubscribe { filter, .. } = &request.task {
                        self.session.forget_subscription(filter);
                    }
                    self.end(&request, Outcome::Unsubscribed);
                }
            }
            Notice::Published { ticket } => {
                if let Some(ticket) = ticket {
                    self.published(RequestId(ticket));
                }
            }
            Notice::UnexpectedAcknowledgement { kind, packet_id } => {
                self.events
                    .push(Event::UnexpectedAcknowledgement { kind, packet_id });
            }
        }
    }

    fn go_online(&mut self, session_present: bool) {
        self.events.push(Event::Connected { session_present });
        for ticket in self
            .connection
            .resume(&mut self.session.mqtt, session_present)
        {
            self.published(RequestId(ticket));
        }
        if self.config.effective_behaviour().resubscribe
            && let Some(plain) = PLAIN
        {
            for subscription in &self.session.subscriptions {
                // What the application has asked for since goes out anyway.
                if self.requests.has_held_filter(&subscription.filter) {
                    continue;
                }
                let task = Task::Subscribe {
                    filter: subscription.filter.as_str().into(),
                    qos: subscription.qos,
                    _plain: plain,
                };
                self.requests
                    .register(Owner::Engine, None, Progress::Held, task);
            }
        }
    }

    /// A message of QoS 1 or 2 is with the server. That of a shadow request awaits its reply yet.
    fn published(&mut self, id: RequestId) {
        let plain =
            |request: &Request| request.id == id && matches!(request.task, Task::Publish { .. });
        if let Some(request) = self.requests.remove_first(plain) {
            self.end(&request, Outcome::Published);
        }
    }

    fn go_offline(&mut self) {
        let resubscribe = self.config.effective_behaviour().resubscribe;
        for shadow in self.shadows.iter_mut() {
            let asked = shadow.link.subscription != Subscribed::No;
            shadow.link = ShadowLink::default();
            if asked && !resubscribe {
                shadow.link.subscription = Subscribed::Refused;
            }
            shadow.unsynchronized = true;
            self.requests.uncover(shadow.id);
        }
        if !resubscribe {
            self.session.forget_subscriptions();
        }
        for request in self.requests.iter_mut() {
            // What SUBSCRIBE and UNSUBSCRIBE ask for is asked again on the next link.
            let repeatable = matches!(
                request.task,
                Task::Subscribe { .. } | Task::Unsubscribe { .. }
            );
            // A get changes nothing, so it is asked again as well.
            let is_get = matches!(
                request.task,
                Task::Shadow {
                    operation: Operation::Get,
                    ..
                }
            ) && request.owner == Owner::Application;
            if (repeatable || is_get) && resubscribe {
                if request.progress == Progress::Sent && request.owner == Owner::Application {
                    count(&mut self.events.counters.requests_repeated);
                }
                match request.progress {
                    Progress::Sent if is_get => self.session.mqtt.abandon(request.id.0),
                    Progress::Queued if is_get => {
                        let mqtt = &mut self.session.mqtt;
                        self.connection.withdraw(mqtt, request.id.0);
                    }
                    _ => {}
                }
                request.progress = Progress::Held;
            }
        }
        self.requests.recount();
        self.keep_subscriptions();
        let kept_by_server = !self.config.clean_session;
        let lost = |request: &Request| match (&request.task, request.owner) {
            // A server that keeps the session keeps the subscription of a detached shadow too.
            (Task::Unsubscribe { .. }, Owner::Engine) => !(kept_by_server && resubscribe),
            (Task::Report { .. }, _) => false,
            (_, Owner::Engine) => true,
            // The session holds these until they are acknowledged.
            (
                Task::Publish {
                    qos: QoS::AtLeastOnce | QoS::ExactlyOnce,
                    ..
                },
                _,
            ) => false,
            (_, Owner::Application) => request.progress != Progress::Held,
        };
        while let Some(request) = self.requests.remove_first(lost) {
            self.withdraw(&request);
            let maybe_applied = request.progress == Progress::Sent;
            self.end(&request, Outcome::Disconnected { maybe_applied });
        }
    }

    fn subscribed(&mut self, now: Instant, request: &Request, code: SubscribeReturnCode) {
        match (&request.task, code) {
            (Task::Attach { shadow }, code) => self.shadow_subscribed(now, *shadow, code),
            (Task::Subscribe { filter, qos, .. }, SubscribeReturnCode::Granted(granted)) => {
                // The engine's own renews what may have been given up meanwhile.
                if request.owner == Owner::Application {
                    self.session.remember_subscription(filter, *qos);
                }
                self.end(request, Outcome::Subscribed { granted });
            }
            (Task::Subscribe { filter, .. }, SubscribeReturnCode::Failure) => {
                self.session.forget_subscription(filter);
                self.end(request, Outcome::SubscriptionRefused);
                if request.owner == Owner::Engine {
                    self.events.push(Event::SubscriptionLost {
                        filter: filter.as_ref().into(),
                    });
                }
            }
            (
                Task::Shadow { .. }
                | Task::Retry { .. }
                | Task::Report { .. }
                | Task::Publish { .. }
                | Task::Unsubscribe { .. },
                _,
            ) => {}
        }
    }

    fn shadow_subscribed(&mut self, now: Instant, id: ShadowId, code: SubscribeReturnCode) {
        let Some(shadow) = self.shadows.get_mut(id) else {
            return;
        };
        match code {
            SubscribeReturnCode::Granted(_) => {
                shadow.link.subscription = Subscribed::Live;
                self.events.push(Event::ShadowSubscribed { shadow: id });
                if self.config.effective_behaviour().get_on_subscribe {
                    self.get_after_subscription(now, id);
                }
            }
            SubscribeReturnCode::Failure => {
                shadow.link.subscription = Subscribed::Refused;
                self.events.push(Event::ShadowRefused { shadow: id });
            }
        }
    }

    /// A request was not answered in time.
    pub(super) fn time_out(&mut self, now: Instant, request: &Request) {
        self.withdraw(request);
        self.end(request, Outcome::TimedOut);
        // The vendor's server may take seconds before a subscription works (vendor doc 634/15241),
        // so the first get can go unanswered; without it no delta is known to be complete.
        if request.owner == Owner::Engine && matches!(request.task, Task::Shadow { .. }) {
            count(&mut self.events.counters.requests_repeated);
        }
        match (request.owner, &request.task) {
            (
                Owner::Engine,
                Task::Shadow {
                    shadow,
                    operation: Operation::Update,
                    ..
                },
            ) => self.update_timed_out(*shadow),
            (Owner::Engine, Task::Shadow { shadow, .. } | Task::Retry { shadow }) => {
                self.get_after_subscription(now, *shadow);
            }
            _ => {}
        }
    }

    /// Takes a request's packet back if it has not left, and forgets who waits for it otherwise.
    pub(super) fn withdraw(&mut self, request: &Request) {
        let (mqtt, ticket) = (&mut self.session.mqtt, request.id.0);
        match request.progress {
            Progress::Held => {}
            Progress::Queued => self.connection.withdraw(mqtt, ticket),
            Progress::Sent => {
                mqtt.abandon(ticket);
                // The server may grant it yet, and nobody would renew it on the next link.
                if let Task::Subscribe { filter, .. } = &request.task
                    && request.owner == Owner::Application
                    && self.connection.is_online()
                    && !self.session.is_subscribed(filter)
                {
                    self.end_subscription(filter);
                }
            }
        }
    }

    /// Ends the application's request of QoS 0 that was just registered, if there is no connection
    /// and the behaviour is to drop it then.
    pub(super) fn drop_without_link(&mut self, id: RequestId) {
        if !self.config.effective_behaviour().drop_without_link || self.connection.is_open() {
            return;
        }
        let shadow_qos = self.config.effective_shadow_qos();
        let is_message = |task: &Task| match task {
            Task::Shadow { .. } => shadow_qos == QoS::AtMostOnce,
            Task::Publish { qos, .. } => *qos == QoS::AtMostOnce,
            _ => false,
        };
        let is_dropped = |request: &Request| {
            let filter = matches!(
                request.task,
                Task::Subscribe { .. } | Task::Unsubscribe { .. }
            );
            request.id == id && (filter || is_message(&request.task))
        };
        if let Some(request) = self.requests.remove_first(is_dropped) {
            if is_message(&request.task) {
                self.connection.use_up_packet_id(&mut self.session.mqtt);
            }
            let maybe_applied = false;
            self.end(&request, Outcome::Disconnected { maybe_applied });
        }
    }

    /// Has the server end a subscription that is nobody's any more.
    pub(super) fn end_subscription(&mut self, filter: &str) {
        if let Some(plain) = PLAIN {
            let task = Task::Unsubscribe {
                filter: filter.into(),
                _plain: plain,
            };
            self.requests
                .register(Owner::Engine, None, Progress::Held, task);
        }
    }

    /// Attached shadows subscribe anew on this link and every later one: what is held to end such a
    /// subscription would come behind that.
    pub(super) fn keep_subscriptions(&mut self) {
        let shadows = &self.shadows;
        let ends = |request: &Request| {
            request.owner == Owner::Engine
                && request.progress == Progress::Held
                && matches!(&request.task, Task::Unsubscribe { filter, .. } if shadows.own(filter))
        };
        while self.requests.remove_first(ends).is_some() {}
    }

    /// Sends whatever can be sent by now.
    #[inline]
    pub(super) fn flush(&mut self, now: Instant) {
        // Most inputs leave nothing to be sent, as they are a reply, or one byte of many.
        let nothing_waits = self.connection.is_settled()
            && !self.requests.has_held()
            && !self.shadows.want_to_send();
        if !nothing_waits || self.payload.capacity() > KEPT_BYTES {
            self.send_waiting(now);
        }
    }

    #[inline(never)]
    fn send_waiting(&mut self, now: Instant) {
        if self.connection.is_due(now) {
            if let Err(exceeded) = self.config.check() {
                let cause = DisconnectCause::LimitExceeded(exceeded);
                let timing = &mut Timing::new(&self.config.backoff, &mut self.random);
                let notice = self.connection.refuse_start(now, cause, timing);
                self.handle_notice(now, notice);
            } else if self.may_connect() {
                self.connection.start(now);
            } else if !self.wall_asked {
                self.wall_asked = true;
                self.events.push(Event::WallTimeNeeded);
            }
        }
        if self.connection.is_online() {
            let again = self.connection.resume_more(now, &mut self.session.mqtt);
            let counter = &mut self.events.counters.retransmissions;
            *counter = counter.saturating_add(again);
        }
        if self.connection.is_online() && (self.requests.has_held() || self.shadows.want_to_send())
        {
            self.subscribe_shadows(now);
            self.close_gaps(now);
            self.send_held(now, |r| {
                r.owner == Owner::Engine && r.task.shadow().is_some()
            });
            // Both may wait for one message's room, again and again: they take turns.
            self.requests_first = if self.requests_first {
                let sent = self.send_held(now, |_| true);
                self.send_updates(now);
                !sent
            } else {
                let sent = self.send_updates(now);
                // What was reported behind an update that has waited may follow it.
                if self.send_held(now, |_| true) {
                    self.send_updates(now);
                }
                sent
            };
        }
        if self.payload.capacity() > KEPT_BYTES {
            self.payload = Vec::new();
        }
    }

    fn subscribe_shadows(&mut self, now: Instant) {
        let qos = self.config.effective_shadow_qos();
        for shadow in self.shadows.iter_mut() {
            if shadow.link.subscription != Subscribed::No || !self.connection.may_ask() {
                continue;
            }
            let task = Task::Attach { shadow: shadow.id };
            let id = self
                .requests
                .register(Owner::Engine, None, Progress::Queued, task);
            let (mqtt, topic) = (&mut self.session.mqtt, shadow.name.result_topic());
            let sent = self.connection.subscribe(now, mqtt, &topic, qos, id.0);
            debug_assert!(sent.is_ok(), "a shadow's topic is a valid filter");
            shadow.link.subscription = Subscribed::Asked;
        }
    }

    /// Sends those of the requests that wait for which `wanted` holds, if they need not wait on;
    /// whether one left.
    fn send_held(&mut self, now: Instant, wanted: fn(&Request) -> bool) -> bool {
        if !self.requests.has_held() {
            return false;
        }
        let mut any = false;
        let waits = self.config.effective_behaviour().wait_for_suback;
        let shadow_qos = self.config.effective_shadow_qos();
        let mut window_closed = false;
        let mut refused: Vec<RequestId> = Vec::new();
        for request in self
            .requests
            .iter_mut()
            .filter(|r| r.progress == Progress::Held && wanted(r))
        {
            let mqtt = &mut self.session.mqtt;
            let id = request.id.0;
            let sent = match &mut request.task {
                Task::Shadow {
                    shadow,
                    operation,
                    token,
                    payload,
                } => {
                    let Some(shadow) = self.shadows.get(*shadow) else {
                        continue;
                    };
                    match shadow.link.subscription {
                        Subscribed::No | Subscribed::Asked if waits => continue,
                        Subscribed::Refused if waits => {
                            refused.push(request.id);
                            continue;
                        }
                        _ => {}
                    }
                    window_closed |=
                        shadow_qos != QoS::AtMostOnce && !self.connection.has_window(mqtt);
                    if window_closed && shadow_qos != QoS::AtMostOnce {
                        continue;
                    }
                    if !self.connection.may_publish(now) {
                        continue;
                    }
                    let written: &[u8] = if *operation == Operation::Get {
                        // Its token says all, and it may be sent a second time.
                        let Behaviour {
                            token_style,
                            json_style,
                            ..
                        } = *self.config.effective_behaviour();
                        let get = &mut self.payload;
                        get.clear();
                        write_get_up_to_token(json_style, get);
                        let session = &self.session;
                        token::append(token_style, session, shadow, *token, json_style, get);
                        get.push(b'}');
                        get
                    } else {
                        payload
                    };
                    let mqtt = &mut self.session.mqtt;
                    let publication =
                        Publication::new(&shadow.operation_topic, written).qos(shadow_qos);
                    let sent = self
                        .connection
                        .publish(now, mqtt, &publication, id)
                        .map(drop);
                    *payload = Box::default();
                    sent
                }
                Task::Publish {
                    topic,
                    payload,
                    qos,
                    retain,
                    ..
                } => {
                    window_closed |= *qos != QoS::AtMostOnce && !self.connection.has_window(mqtt);
                    if window_closed && *qos != QoS::AtMostOnce {
                        continue;
                    }
                    if !self.connection.may_publish(now) {
                        continue;
                    }
                    let publication = Publication {
                        topic,
                        payload,
                        qos: *qos,
                        retain: *retain,
                    };
                    let sent = self
                        .connection
                        .publish(now, mqtt, &publication, id)
                        .map(drop);
                    *payload = Box::default();
                    sent
                }
                Task::Subscribe { .. } | Task::Unsubscribe { .. } if !self.connection.may_ask() => {
                    continue;
                }
                Task::Subscribe { filter, qos, .. } => {
                    self.connection.subscribe(now, mqtt, filter, *qos, id)
                }
                Task::Unsubscribe { filter, .. } => {
                    self.connection.unsubscribe(now, mqtt, filter, id)
                }
                Task::Attach { .. } | Task::Retry { .. } | Task::Report { .. } => continue,
            };
            debug_assert!(
                sent.is_ok(),
                "topics and sizes are checked before a request is taken"
            );
            request.progress = Progress::Queued;
            any = true;
        }
        self.requests.recount();
        for id in refused {
            if let Some(request) = self.requests.remove(id) {
                self.end(&request, Outcome::SubscriptionRefused);
            }
        }
        any
    }
}
