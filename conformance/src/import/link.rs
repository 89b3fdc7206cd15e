//! The link: how it comes, goes, and is closed.

use shadow_core::{Session, Timer, TransportFailure};

use super::device::Link;
use super::driver::{Driver, Pending};
use super::fault::Fault;
use super::keep_alive::{Activity, ROUNDING};
use super::queue::Queue;
use super::report::Verdict;
use crate::log::{Statement, Thread};

impl Driver<'_> {
    pub(super) fn thread_enter(&mut self, at: usize) -> Verdict {
        // A program that was started anew counts from 1 again.
        let later = self.outline.lines.get(at..).unwrap_or_default();
        let next = later
            .iter()
            .find_map(|line| line.statement.allocated_number());
        let anew = next == Some(1) && self.next_number != 1;
        if anew {
            self.reopen(Some(Session::new()));
            self.left.clear();
            self.next_number = 1;
            self.remembered_updates.clear();
            let place = self.place(at);
            self.findings
                .push(format!("{place}: the program was started anew"));
        } else if self.device.link == Link::Closed {
            self.reopen(None);
        }
        Verdict::environment("the SDK's connection thread starts")
    }

    /// A new engine, as after `disconnect` and `connect`: it goes on with numbers and tokens.
    pub(super) fn reopen(&mut self, session: Option<Session>) {
        self.device.renew(session);
        self.device.drain();
        for (name, mut shadow) in std::mem::take(&mut self.shadows) {
            shadow.give_up_requests();
            self.left.insert(name, shadow);
        }
        self.pending = Pending::default();
    }

    pub(super) fn connect_async(&mut self, at: usize) -> Verdict {
        let before = self.outline.lines.get(..at).unwrap_or_default();
        let entered = before
            .iter()
            .rev()
            .find(|line| line.thread == Some(Thread::Network))
            .is_none_or(|line| {
                matches!(
                    line.statement,
                    Statement::ThreadEnter | Statement::Environment { .. }
                )
            });
        if entered
            || before
                .iter()
                .all(|line| line.thread != Some(Thread::Network))
        {
            Verdict::environment("the SDK opens a socket")
        } else {
            Verdict::unexplained(
                "expected `LoopThread thread enter` before it, which the log does not print",
            )
        }
    }

    pub(super) fn connect_failed(&mut self, at: usize) -> Verdict {
        if self.device.is_online() {
            self.lose_silently(at);
        }
        self.want_link(at);
        let failure = TransportFailure::ConnectFailed("as the log says".to_owned());
        self.device
            .engine
            .handle_disconnected(self.device.now, failure);
        self.absorb(at);
        Verdict::environment("the connection could not be made; the engine tries again")
    }

    pub(super) fn socket_error(&mut self, at: usize, text: &str) -> Verdict {
        match self.device.link {
            Link::Online | Link::Handshake => {
                self.lose(at, TransportFailure::Broken(text.to_owned()));
                Verdict::environment("the connection broke")
            }
            _ => Verdict::unexplained("expected no failing socket, as there is no link"),
        }
    }

    pub(super) fn lose(&mut self, at: usize, failure: TransportFailure) {
        self.find_silence();
        let (online, handshake) = (self.device.is_online(), self.device.link == Link::Handshake);
        self.device
            .engine
            .handle_disconnected(self.device.now, failure);
        self.absorb(at);
        self.expect_loss(at, online, handshake);
    }

    pub(super) fn expect_loss(&mut self, at: usize, online: bool, handshake: bool) {
        if online {
            self.expect(at, Thread::Callback, Statement::OnDisconnect { rc: 1 });
        } else if handshake {
            let state = "HubState.CONNECTING".to_owned();
            self.expect(at, Thread::Network, Statement::StateError { state });
        }
    }

    /// The server closed the connection, for which the SDK prints nothing.
    pub(super) fn lose_silently(&mut self, at: usize) {
        self.lose(at, TransportFailure::ClosedByPeer);
    }

    /// Has the engine ask for a connection if it does not yet.
    pub(super) fn want_link(&mut self, at: usize) {
        self.device.drain();
        if self.device.link != Link::Down {
            return;
        }
        if let Some(deadline) = self.device.engine.poll_deadline()
            && deadline.timer == Timer::Reconnect
            && deadline.at > self.device.now
        {
            if !self.tolerance.reconnects_too_soon {
                return;
            }
            self.faults.insert(Fault::ReconnectsTooSoon);
            self.findings.push(format!(
                "{}: the SDK connects again {:.1} s sooner than the engine's back-off would",
                self.place(at),
                deadline.at.saturating_since(self.device.now).as_secs_f32()
            ));
        }
        self.device.engine.reconnect(self.device.now);
        self.device.drain();
    }

    pub(super) fn sending_connect(&mut self, at: usize) -> Verdict {
        if matches!(self.device.link, Link::Online | Link::Handshake) {
            if !self.is_due_later(at) && self.complete {
                return Verdict::unexplained(
                    "expected no CONNECT while there is a link that did not end",
                );
            }
            self.lose_silently(at);
        }
        if self.device.link == Link::Closed {
            self.reopen(None);
        }
        let lines = self.outline.lines.get(self.stretch..at).unwrap_or_default();
        let before = lines
            .iter()
            .rev()
            .find(|line| line.thread == Some(Thread::Network));
        if before.is_some_and(|line| line.statement == Statement::ThreadEnter) {
            let what = "connect_async";
            let verdict = Verdict::unexplained(
                "expected `connect_async` before CONNECT, which the log does not print",
            );
            self.not_printed(at, what, verdict);
        }
        self.want_link(at);
        self.device.engine.handle_connected(self.device.now);
        self.absorb(at);
        self.activity = Activity::all(true);
        self.effect(at, Thread::Network)
    }

    /// Whether the end of the present link is printed after `at`.
    pub(super) fn is_due_later(&self, at: usize) -> bool {
        let later = self.outline.lines.get(at..).unwrap_or_default();
        later.iter().take(200).any(|line| {
            matches!(
                line.statement,
                Statement::OnDisconnect { .. } | Statement::StateError { .. }
            )
        })
    }

    pub(super) fn on_disconnect(&mut self, at: usize, rc: i32) -> Verdict {
        if rc == 0
            && !self.is_due(at, Thread::Callback)
            && !self.complete
            && !self.seen[Queue::FromApplication]
        {
            self.device.engine.close(self.device.now);
            self.device.drain();
            return Verdict::inferred("what caused it is before the excerpt");
        }
        if !self.is_due(at, Thread::Callback)
            && rc != 0
            && self.device.is_online()
            && !self.give_up_unanswered_ping(at)
        {
            self.lose_silently(at);
            if let Some(last) = self.queues[Queue::FromNetwork].back_mut() {
                last.inferred = Some(
                    "the server closed the connection, for which the SDK prints nothing else"
                        .to_owned(),
                );
            }
        }
        if rc != 0
            && !self.device.is_online()
            && !self.is_due(at, Thread::Callback)
            && !self.complete
            && !self.seen[Queue::FromNetwork]
        {
            return Verdict::inferred("what caused it is before the excerpt");
        }
        self.effect(at, Thread::Callback)
    }

    pub(super) fn state_error(&mut self, at: usize, state: &str) -> Verdict {
        if state.contains("DISCONNECTED") {
            if !self.give_up_unanswered_ping(at) && self.device.is_online() {
                return Verdict::unexplained("expected no end of the link, which still stands");
            }
            // Its keep alive and its wait for PINGRESP each tell of the same end.
            let since = self
                .lost_at
                .map(|lost| self.device.now.saturating_since(lost));
            return if since.is_some_and(|since| since <= ROUNDING) {
                Verdict::environment("paho tells the end of a link a second time")
            } else if !self.complete && !self.seen[Queue::Network] {
                Verdict::inferred("what caused it is before the excerpt")
            } else {
                Verdict::unexplained("expected the end of a link before it")
            };
        }
        if !self.is_due(at, Thread::Network)
            && matches!(self.device.link, Link::Handshake | Link::Wanted)
        {
            // The server closed the connection, or sent no CONNACK.
            self.device
                .engine
                .handle_disconnected(self.device.now, TransportFailure::ClosedByPeer);
            self.absorb(at);
            self.expect_loss(at, false, true);
        }
        self.effect(at, Thread::Network)
    }

    /// Ends the link if a PINGREQ was not answered in time.
    fn give_up_unanswered_ping(&mut self, at: usize) -> bool {
        let is_over = self.device.is_online()
            && self.device.engine.poll_deadline().is_some_and(|deadline| {
                deadline.timer == Timer::PingResponse && deadline.at <= self.device.now + ROUNDING
            });
        if is_over {
            self.device.engine.handle_tick(self.device.now + ROUNDING);
            self.absorb(at);
            self.expect_loss(at, true, false);
        }
        is_over
    }

    pub(super) fn sending_disconnect(&mut self, at: usize) -> Verdict {
        if self.pending.disconnect.take().is_none()
            && (self.complete || self.seen[Queue::Application])
        {
            return Verdict::unexplained(
                "expected the application's `disconnect` before it, which the log does not print",
            );
        }
        self.seen[Queue::Application] = true;
        self.device.engine.close(self.device.now);
        self.absorb(at);
        self.effect(at, Thread::Application)
    }

    pub(super) fn received_connack(&mut self, at: usize, flags: u8, code: u8) -> Verdict {
        if self.device.link != Link::Handshake {
            return Verdict::unexplained(match self.device.link {
                Link::Online => "expected no second CONNACK on one link",
                _ => "expected CONNECT before CONNACK, which the log does not print",
            });
        }
        self.activity.received = true;
        self.device
            .engine
            .handle_bytes(self.device.now, &[0x20, 2, flags, code]);
        let outputs = self.device.drain();
        let accepted = self.device.is_online();
        if accepted {
            let rc = code;
            let flags = flags & 1;
            self.expect(at, Thread::Callback, Statement::OnConnect { flags, rc });
        }
        self.translate(at, outputs, None, true);
        for expected in &mut self.queues[Queue::Network] {
            if let Statement::SendingPublish { message_number, .. } = expected.statement {
                // What was sent before a seam may have been acknowledged there.
                let first = self.printed_numbers.get(&message_number);
                expected.optional = first.is_none_or(|line| *line < self.stretch);
            }
        }
        if flags > 1 {
            return Verdict::unexplained(format!(
                "expected 0 or 1 as CONNACK's flags, of which the other bits are reserved, found \
                 {flags}"
            ));
        }
        if code != 0 && accepted {
            return Verdict::unexplained(format!("expected a refusal, as the code is {code}"));
        }
        Verdict::reproduced(match code {
            0 => "the engine is logged in".to_owned(),
            code => format!("the engine takes code {code} as a refusal"),
        })
    }
}
