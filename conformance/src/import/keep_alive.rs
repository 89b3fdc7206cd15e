//! Keep alive: when a PINGREQ may come, and when it must.

use std::time::Duration;

use shadow_core::Timer;

use super::driver::Driver;
use super::fault::Fault;
use super::outline::Line;
use super::queue::Queue;
use super::report::Verdict;
use crate::log::{Statement, Thread};

/// How late the SDK may look at its keep alive: its loop waits 5 s, and a bit for the rest.
const KEEP_ALIVE_SLACK: Duration = Duration::from_secs(6);
/// How late a client pings at most that pings in time.
pub(super) const PUNCTUAL: Duration = Duration::from_millis(100);
/// The log's times are cut to milliseconds.
pub(super) const ROUNDING: Duration = Duration::from_millis(20);

/// Which sides have sent something in the stretch at hand.
#[derive(Clone, Copy, Debug)]
pub(super) struct Activity {
    pub(super) sent: bool,
    pub(super) received: bool,
}

impl Activity {
    pub(super) fn all(seen: bool) -> Activity {
        Activity {
            sent: seen,
            received: seen,
        }
    }

    /// Whether the time of the last packet is known in both directions.
    fn is_known(self) -> bool {
        self.sent && self.received
    }
}

impl Driver<'_> {
    pub(super) fn check_silence(&mut self, at: usize, line: &Line) {
        let loss = matches!(
            line.statement,
            Statement::OnDisconnect { .. }
                | Statement::SocketError { .. }
                | Statement::StateError { .. }
                | Statement::SendingConnect { .. }
                | Statement::ThreadExit
                | Statement::ThreadEnter
                | Statement::SendingPingReq
        );
        if !self.device.is_online() || loss || !self.keep_alive_known {
            return;
        }
        let Some(deadline) = self.device.engine.poll_deadline() else {
            return;
        };
        let certain = self.activity.is_known();
        let slack = match deadline.timer {
            Timer::KeepAlive => self.keep_alive_slack(),
            // paho gives a PINGREQ as long as any other silence, the engine half as long.
            Timer::PingResponse => {
                self.keep_alive_slack() + Duration::from_secs(self.keep_alive.into()) / 2
            }
            _ => return,
        };
        if self.device.now <= deadline.at + slack {
            return;
        }
        let late = self.device.now.saturating_since(deadline.at).as_secs();
        let (what, why) = match deadline.timer {
            Timer::KeepAlive => ("Sending PINGREQ", "the keep alive time is over"),
            _ => ("on_disconnect", "PINGREQ was not answered in time"),
        };
        if line.seam || !certain {
            if certain {
                let verdict = Verdict::inferred("lines are left out between the excerpts");
                self.not_printed(at, what, verdict);
            }
        } else {
            let verdict = Verdict::unexplained(format!(
                "expected {what} {late} s before this line, as {why}; the log does not print it"
            ));
            self.not_printed(at, what, verdict);
        }
        // Goes on as if it had been printed, and answered.
        if deadline.timer == Timer::PingResponse {
            self.device.engine.handle_bytes(self.device.now, &[0xD0, 0]);
        }
        self.device.engine.handle_tick(self.device.now);
        self.device.drain();
        self.device.engine.handle_bytes(self.device.now, &[0xD0, 0]);
        self.device.drain();
        self.ping_outstanding = false;
    }

    pub(super) fn sending_pingreq(&mut self, at: usize) -> Verdict {
        if !self.device.is_online() {
            return Verdict::unexplained("expected no PINGREQ, as there is no link");
        }
        let now = self.device.now;
        let Some(deadline) = self.device.engine.poll_deadline() else {
            return Verdict::unexplained("expected no PINGREQ, as keep alive is off");
        };
        if deadline.timer == Timer::PingResponse && self.keep_alive_known {
            return Verdict::unexplained(
                "expected no second PINGREQ before PINGRESP, which the log does not print",
            );
        }
        let certain = self.activity.is_known() && self.keep_alive_known;
        let early = deadline.at > now + ROUNDING;
        if early && certain {
            let wait = deadline.at.saturating_since(now).as_secs_f32();
            return Verdict::unexplained(format!(
                "expected no PINGREQ for another {wait:.1} s, as both sides sent something"
            ));
        }
        let late = now.saturating_since(deadline.at);
        if certain && late > self.keep_alive_slack() {
            return Verdict::unexplained(format!(
                "expected PINGREQ {:.1} s before, as the keep alive time was over",
                late.as_secs_f32()
            ));
        }
        if certain && late > PUNCTUAL {
            self.faults.insert(Fault::PingsLate);
            self.findings.push(format!(
                "{}: PINGREQ comes {:.1} s after the keep alive time: the SDK looks at it every 5 s",
                self.place(at),
                late.as_secs_f32()
            ));
        }
        self.device.engine.handle_tick(now.max(deadline.at));
        self.absorb(at);
        let verdict = self.effect(at, Thread::Network);
        if certain || verdict.is_unexplained() {
            verdict
        } else {
            Verdict::inferred("the silence before it began outside the excerpt")
        }
    }

    pub(super) fn received_pingresp(&mut self, at: usize) -> Verdict {
        if !self.device.is_online() {
            return Verdict::unexplained("expected no PINGRESP, as there is no link");
        }
        let asked = std::mem::take(&mut self.ping_outstanding);
        self.activity.received = true;
        self.device.engine.handle_bytes(self.device.now, &[0xD0, 0]);
        self.absorb(at);
        if asked {
            self.seen[Queue::Network] = true;
            return Verdict::reproduced("the engine takes it as the answer to its PINGREQ");
        }
        if !self.complete && !self.seen[Queue::Network] {
            return Verdict::inferred("its PINGREQ is before the excerpt");
        }
        Verdict::unexplained("expected PINGREQ before it, which the log does not print")
    }

    fn keep_alive_slack(&self) -> Duration {
        match self.tolerance.pings_late {
            true => KEEP_ALIVE_SLACK,
            false => PUNCTUAL,
        }
    }

    pub(super) fn heard(&mut self) {
        self.activity.received = true;
    }
}
