//! Printed lines against those that are due.

use super::driver::{Driver, Expected};
use super::numbers::distance;
use super::queue::Queue;
use super::report::{Unprinted, Verdict, shorten};
use super::words::describe;
use crate::log::{Statement, Thread};

/// How far a line is looked for among those that are due.
const REACH: usize = 40;

impl Driver<'_> {
    pub(super) fn is_due(&self, at: usize, thread: Thread) -> bool {
        let Some(found) = self.outline.statement(at) else {
            return false;
        };
        Queue::all_of(thread).iter().any(|slot| {
            let queue = self.queues[*slot].iter().take(REACH);
            queue
                .into_iter()
                .any(|expected| agrees(&expected.statement, found))
        })
    }

    /// Compares a line with what is due on its thread.
    pub(super) fn effect(&mut self, at: usize, thread: Thread) -> Verdict {
        let outline = self.outline;
        let Some(found) = outline.statement(at) else {
            return Verdict::unexplained("no such line");
        };
        let place = Queue::all_of(thread).iter().find_map(|slot| {
            let queue = self.queues[*slot].iter().take(REACH);
            let place = queue
                .into_iter()
                .position(|due| agrees(&due.statement, found))?;
            Some((*slot, place))
        });
        let Some((slot, place)) = place else {
            return self.not_due(at, thread, found);
        };
        let (position, mut early) = self.pass_over(at, thread, slot, place);
        let Some(expected) = self.queues[slot].remove(position) else {
            return Verdict::unexplained("nothing is due");
        };
        for other in Queue::all_of(thread).iter().filter(|other| **other != slot) {
            // What the other thread had queued before this one's cause comes first.
            let ahead = self.queues[*other].iter().take(REACH);
            let ahead = ahead
                .into_iter()
                .take_while(|due| due.queued_by.is_some_and(|by| by < expected.cause))
                .count();
            let (_, first) = self.pass_over(at, thread, *other, ahead);
            early = early.or(first);
        }
        // Behind what was called for before this stretch, more of that kind may follow.
        self.seen[slot] |= expected.cause >= self.stretch && !expected.optional;
        self.note_delay(at, &expected);
        if let Statement::PublishSuccess = found {
            // The SDK has queued the callback of a QoS 0 message by then.
            for due in self.queues[Queue::FromApplication].iter_mut().rev() {
                if due.cause < expected.cause {
                    break;
                }
                if due.cause == expected.cause {
                    due.queued_by = Some(at);
                }
            }
        }
        if early.is_some() && thread == Thread::Application && self.outline.several_threads {
            return Verdict::inferred("the application calls the SDK from several threads");
        }
        if let Some(first) = early {
            return Verdict::unexplained(format!(
                "out of order: expected {first} before it on the {} thread, found {}",
                name(thread),
                describe(found)
            ));
        }
        match (expected.problem, expected.inferred) {
            (Some(problem), _) => Verdict::unexplained(problem),
            (None, Some(reason)) => Verdict::inferred(reason),
            (None, None) => Verdict::reproduced(what(found)),
        }
    }

    /// Passes over the first `count` lines of a queue. Those that are printed later stay; returns
    /// how many, and the first of them.
    pub(super) fn pass_over(
        &mut self,
        at: usize,
        thread: Thread,
        slot: Queue,
        count: usize,
    ) -> (usize, Option<String>) {
        let (mut position, mut early) = (0, None);
        for _ in 0..count {
            let Some(ahead) = self.queues[slot].get(position) else {
                break;
            };
            if self.fails_later(at, &ahead.statement) {
                position += 1;
                continue;
            }
            let may_be_missing = ahead.optional || ahead.cause < self.stretch;
            if !may_be_missing && self.comes_later(at, thread, &ahead.statement) {
                early.get_or_insert_with(|| describe(&ahead.statement));
                position += 1;
            } else if let Some(gone) = self.queues[slot].remove(position) {
                self.missing(at, &gone);
            }
        }
        (position, early)
    }

    pub(super) fn not_due(&mut self, at: usize, thread: Thread, found: &Statement) -> Verdict {
        if self.is_orphan(at, thread, found) {
            return Verdict::inferred("what caused it is before the excerpt");
        }
        let mut due = None;
        for &slot in Queue::all_of(thread) {
            // What may be unprinted does not count as expected.
            while let Some(head) = self.queues[slot].front()
                && (head.optional || head.cause < self.stretch)
            {
                if let Some(gone) = self.queues[slot].pop_front() {
                    self.missing(at, &gone);
                }
            }
            let Some(head) = self.queues[slot].front() else {
                continue;
            };
            let alike = std::mem::discriminant(&head.statement) == std::mem::discriminant(found);
            if alike || due.is_none() {
                due = Some((slot, alike, describe(&head.statement)));
            }
            if alike {
                break;
            }
        }
        if let Some((slot, true, _)) = due
            && let Some(head) = self.queues[slot].pop_front()
        {
            self.seen[slot] = true;
            self.note_delay(at, &head);
        }
        let due = due.map_or_else(
            || format!("no line of the {} thread", name(thread)),
            |(_, _, due)| due,
        );
        Verdict::unexplained(format!("expected {due}, found {}", describe(found)))
    }

    /// Whether the line's cause may be before the stretch that is printed.
    pub(super) fn is_orphan(&self, at: usize, thread: Thread, found: &Statement) -> bool {
        let slot = match (thread, found) {
            (Thread::Callback, Statement::OnPublish { .. }) => Queue::FromApplication,
            (Thread::Callback, _) => Queue::FromNetwork,
            (thread, _) => Queue::of(thread),
        };
        if let Statement::SendingPublish {
            dup: true,
            message_number,
            ..
        } = found
        {
            // Sent again, after it was sent before the excerpt.
            let first = self.printed_numbers.get(message_number);
            return !self.complete && first.is_none_or(|line| *line < self.stretch);
        }
        if let Statement::OnSubscribe { message_number, .. }
        | Statement::OnUnsubscribe { message_number } = found
        {
            return !self.complete && self.is_before_stretch(*message_number);
        }
        if self.complete || self.seen[slot] {
            return false;
        }
        match found {
            Statement::OnPublish { message_number } => self.is_before_stretch(*message_number),
            Statement::OnPayload { .. } | Statement::OnMessage { .. } => {
                self.outline.cause_of.get(at).is_none_or(Option::is_none)
            }
            Statement::OnConnect { rc, .. } => *rc == 0 && self.device.is_online(),
            Statement::PublishSuccess
            | Statement::SubscribeSuccess { .. }
            | Statement::SendingPubAck { .. }
            | Statement::SendingPubRec { .. }
            | Statement::SendingPubRel { .. }
            | Statement::SendingPubComp { .. }
            | Statement::StateError { .. } => true,
            _ => false,
        }
    }

    /// Whether the number was given out before the stretch that is printed.
    pub(super) fn is_before_stretch(&self, number: u16) -> bool {
        let here = self.printed_numbers.get(&number);
        let first = self.first_of_stretch.map(|first| distance(number, first));
        first.is_none_or(|ahead| (1..0x4000).contains(&ahead))
            && here.is_none_or(|line| *line < self.stretch)
    }

    pub(super) fn comes_later(&self, at: usize, thread: Thread, statement: &Statement) -> bool {
        let later = self.outline.lines.get(at + 1..).unwrap_or_default();
        later
            .iter()
            .take(200)
            .filter(|line| line.thread == Some(thread))
            .take(8)
            .any(|line| agrees(statement, &line.statement))
    }

    /// Whether the callback of a message without a printed payload fails after `at`: paho tells of
    /// a link that broke under its PUBACK before it hands the message on.
    fn fails_later(&self, at: usize, statement: &Statement) -> bool {
        let is_unknown =
            matches!(statement, Statement::OnPayload { function, .. } if function.is_empty());
        let later = self.outline.lines.get(at + 1..).unwrap_or_default();
        let mut later = later
            .iter()
            .take(200)
            .filter(|line| line.thread == Some(Thread::Callback));
        let next = later.next().map(|line| &line.statement);
        is_unknown && matches!(next, Some(Statement::CallbackError { .. }))
    }

    /// A line that should have come before `at` did not.
    pub(super) fn missing(&mut self, at: usize, gone: &Expected) {
        if gone.optional {
            return;
        }
        let what = describe(&gone.statement);
        let verdict = if gone.cause < self.stretch {
            Verdict::inferred("lines are left out between the excerpts")
        } else {
            Verdict::unexplained(format!(
                "expected {what} before this line, which the log does not print"
            ))
        };
        self.not_printed(at, &what, verdict);
    }

    pub(super) fn not_printed(&mut self, before: usize, what: &str, verdict: Verdict) {
        self.unprinted.push(Unprinted {
            before,
            what: shorten(what),
            verdict,
        });
    }

    pub(super) fn note_delay(&mut self, at: usize, expected: &Expected) {
        let time = |index: usize| self.outline.lines.get(index).map_or(0, |line| line.at);
        let took = time(at).saturating_sub(time(expected.cause));
        let longest = self.delays.entry(expected.statement.name()).or_default();
        *longest = took.max(*longest);
    }

    /// What the application did before must be complete before it does something new.
    pub(super) fn settle(&mut self, at: usize) {
        self.settle_pending(at);
        while let Some(head) = self.queues[Queue::Application].front() {
            if !head.optional
                && head.cause >= self.stretch
                && self.comes_later(at, Thread::Application, &head.statement)
            {
                break;
            }
            if let Some(gone) = self.queues[Queue::Application].pop_front() {
                self.missing(at, &gone);
            }
        }
    }

    /// A request that was announced and did not leave.
    pub(super) fn settle_pending(&mut self, at: usize) {
        if let Some((line, json)) = self.pending.update.take() {
            let left_out = line < self.stretch;
            let what = format!("Sending PUBLISH ({} bytes)", json.len());
            let verdict = if left_out {
                Verdict::inferred("lines are left out between the excerpts")
            } else {
                Verdict::unexplained(format!(
                    "expected {what} after `[shadow update]`, which the log does not print"
                ))
            };
            self.not_printed(at, &what, verdict);
            let name = self.identity.name.clone();
            if let Err(error) = self.send_update(line, &name, &json, None) {
                let place = self.place(line);
                self.findings
                    .push(format!("{place}: the engine refuses this update: {error}"));
            }
            self.absorb_as(line, Some("not printed"), false);
            // Its other lines are printed all the same.
            if !left_out {
                self.expect(line, Thread::Application, Statement::PublishSuccess);
            }
        }
        self.pending.publish = None;
    }

    pub(super) fn remember_update(&mut self, json: &str) -> bool {
        !self.remembered_updates.insert(json.to_owned())
    }
}

/// Whether the two are the same line. Codes and states that the engine has no word for only need
/// to be of the same class.
fn agrees(expected: &Statement, found: &Statement) -> bool {
    match (expected, found) {
        (Statement::OnDisconnect { rc: expected }, Statement::OnDisconnect { rc: found }) => {
            (*expected == 0) == (*found == 0)
        }
        (Statement::StateError { .. }, Statement::StateError { state }) => {
            state.contains("CONNECTING")
        }
        _ => expected == found,
    }
}

fn name(thread: Thread) -> &'static str {
    match thread {
        Thread::Application => "application",
        Thread::Network => "network",
        Thread::Callback => "callback",
    }
}

fn what(found: &Statement) -> String {
    match found {
        Statement::SendingPublish { length, .. } => {
            format!("the engine sends the same {length} bytes")
        }
        Statement::SendingConnect { .. }
        | Statement::SendingSubscribe { .. }
        | Statement::SendingUnsubscribe { .. }
        | Statement::SendingPingReq
        | Statement::SendingDisconnect
        | Statement::SendingPubAck { .. }
        | Statement::SendingPubRec { .. }
        | Statement::SendingPubRel { .. }
        | Statement::SendingPubComp { .. } => "the engine sends the same packet".to_owned(),
        Statement::OnPayload { .. } | Statement::OnMessage { .. } => {
            "the engine tells the same".to_owned()
        }
        _ => "called for by what the engine did".to_owned(),
    }
}
