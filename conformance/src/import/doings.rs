//! What the engine does, in the log's words: which lines it calls for on which thread.

use shadow_core::mqtt::{Packet, QoS};
use shadow_core::{DisconnectCause, Event, TransportFailure};

use super::device::Output;
use super::driver::{Driver, Expected};
use super::numbers::after;
use super::queue::Queue;
use crate::log::{Statement, Thread};

impl Driver<'_> {
    /// Turns what the engine does into the lines that it calls for; returns the events.
    pub(super) fn absorb(&mut self, cause: usize) -> Vec<Event> {
        self.absorb_as(cause, None, false)
    }

    /// As [`absorb`](Driver::absorb). With a reason the doings are not printed, but their callbacks
    /// may be; `resent` says that messages are sent again.
    pub(super) fn absorb_as(
        &mut self,
        cause: usize,
        unprinted: Option<&str>,
        resent: bool,
    ) -> Vec<Event> {
        let outputs = self.device.drain();
        self.translate(cause, outputs, unprinted, resent)
    }

    pub(super) fn translate(
        &mut self,
        cause: usize,
        outputs: Vec<Output>,
        unprinted: Option<&str>,
        resent: bool,
    ) -> Vec<Event> {
        let mut events = Vec::new();
        for output in outputs {
            match output {
                Output::Packet { number, bytes } => {
                    self.activity.sent = true;
                    let version = self.device.version();
                    if let Ok(packet) = Packet::decode(&bytes, version) {
                        self.packet(cause, number, &packet, unprinted, resent);
                    }
                }
                Output::Connect | Output::Close => {}
                Output::Event(event) => {
                    self.event(cause, &event);
                    events.push(event);
                }
            }
        }
        events
    }

    pub(super) fn packet(
        &mut self,
        cause: usize,
        number: Option<u16>,
        packet: &Packet<'_>,
        unprinted: Option<&str>,
        resent: bool,
    ) {
        let message_number = number.unwrap_or_default();
        let mut application = Vec::new();
        let mut network = Vec::new();
        let mut callback = Vec::new();
        match packet {
            Packet::Connect(connect) => network.push(Statement::SendingConnect {
                user_name: connect.user_name.is_some(),
                password: connect.password.is_some(),
                will_retain: connect.will.is_some_and(|will| will.retain),
                will_qos: connect.will.map_or(0, |will| will.qos.number()),
                will: connect.will.is_some(),
                clean_session: connect.clean_session,
                keep_alive: connect.keep_alive,
                client_id: connect.client_id.to_owned(),
            }),
            Packet::Subscribe(subscribe) => {
                let filters: Vec<(String, u8)> = subscribe
                    .filters
                    .iter()
                    .map(|(filter, qos)| (filter.to_owned(), qos.number()))
                    .collect();
                let names = filters.iter().map(|(filter, _)| filter.clone()).collect();
                let qos = filters.first().map_or(0, |(_, qos)| *qos);
                self.pending_subacks.push_back((message_number, qos));
                self.subscribed = true;
                application.push(Statement::SendingSubscribe {
                    dup: subscribe.dup,
                    message_number,
                    filters,
                });
                application.push(Statement::SubscribeSuccess { filters: names });
            }
            Packet::Unsubscribe(unsubscribe) => {
                application.push(Statement::SendingUnsubscribe {
                    dup: unsubscribe.dup,
                    message_number,
                    filters: unsubscribe.filters.iter().map(str::to_owned).collect(),
                });
            }
            Packet::Publish(publish) => {
                let sending = Statement::SendingPublish {
                    dup: publish.dup && !(resent && self.is_unsent(message_number)),
                    qos: publish.qos.number(),
                    retain: publish.retain,
                    message_number,
                    topic: publish.topic.to_owned(),
                    length: publish.payload.len(),
                };
                if resent {
                    network.push(sending);
                } else {
                    application.push(sending);
                    application.push(Statement::PublishSuccess);
                }
                if publish.qos == QoS::AtMostOnce {
                    callback.push(Statement::OnPublish { message_number });
                }
            }
            Packet::PubAck(_) => network.push(Statement::SendingPubAck { message_number }),
            Packet::PubRec(_) => network.push(Statement::SendingPubRec { message_number }),
            Packet::PubRel(_) => network.push(Statement::SendingPubRel { message_number }),
            Packet::PubComp(_) => network.push(Statement::SendingPubComp { message_number }),
            Packet::PingReq => {
                self.ping_outstanding = true;
                network.push(Statement::SendingPingReq);
            }
            Packet::Disconnect => {
                application.push(Statement::SendingDisconnect);
                callback.push(Statement::OnDisconnect { rc: 0 });
            }
            _ => {}
        }
        if matches!(
            packet,
            Packet::Subscribe(_) | Packet::Unsubscribe(_) | Packet::Publish(_)
        ) && !resent
        {
            self.took_number();
        }
        if unprinted.is_none() {
            for statement in application {
                self.expect(cause, Thread::Application, statement);
            }
            for statement in network {
                self.expect(cause, Thread::Network, statement);
            }
        }
        for statement in callback {
            match unprinted {
                None => self.expect(cause, Thread::Callback, statement),
                Some(_) => self.expect_maybe(cause, Thread::Callback, statement),
            }
        }
    }

    pub(super) fn event(&mut self, cause: usize, event: &Event) {
        match event {
            Event::Disconnected { cause: why, .. } => {
                self.lost_at = Some(self.device.now);
                self.ping_outstanding = false;
                self.pending_subacks.clear();
                for shadow in self.shadows.values_mut() {
                    shadow.refused = false;
                }
                match why {
                    DisconnectCause::Refused(_) => {
                        let state = "HubState.CONNECTING".to_owned();
                        self.expect(cause, Thread::Network, Statement::StateError { state });
                    }
                    DisconnectCause::Transport(
                        TransportFailure::ConnectFailed(_) | TransportFailure::Untrusted(_),
                    ) => {}
                    _ => {}
                }
            }
            Event::Connected { .. } => {
                self.ping_outstanding = false;
                self.logins += 1;
                self.subscribed = false;
                for _ in 0..std::mem::take(&mut self.owed_numbers) {
                    self.device.stand_in();
                }
            }
            _ => {}
        }
    }

    /// The next number is taken.
    pub(super) fn took_number(&mut self) {
        self.next_number = after(self.next_number);
    }

    pub(super) fn expect(&mut self, cause: usize, thread: Thread, statement: Statement) {
        if self.silent.contains(statement.name()) {
            return;
        }
        let queue = self.queue_for(cause, thread);
        self.queues[queue].push_back(Expected {
            statement,
            cause,
            inferred: None,
            problem: None,
            optional: false,
            queued_by: None,
        });
    }

    /// Which queue a line of `thread` goes to that `cause` calls for.
    pub(super) fn queue_for(&self, cause: usize, thread: Thread) -> Queue {
        match (
            thread,
            self.outline.lines.get(cause).and_then(|line| line.thread),
        ) {
            (Thread::Callback, Some(Thread::Application)) => Queue::FromApplication,
            (Thread::Callback, _) => Queue::FromNetwork,
            (thread, _) => Queue::of(thread),
        }
    }

    pub(super) fn expect_maybe(&mut self, cause: usize, thread: Thread, statement: Statement) {
        let queue = self.queue_for(cause, thread);
        self.queues[queue].push_back(Expected {
            statement,
            cause,
            inferred: Some("belongs to a packet that is not printed".to_owned()),
            problem: None,
            optional: true,
            queued_by: None,
        });
    }
}
