//! The events that wait for the application.

use alloc::collections::VecDeque;

use super::counters::{Counters, count};
use super::log;
use crate::event::{Event, Outcome};
use crate::request::RequestId;

/// A queue, bounded by count and by the bytes of text and payload in it, that never drops the end
/// of a request. Ends that wait count as open requests, so they are bounded too.
#[derive(Debug)]
pub(super) struct Events {
    queue: VecDeque<Event>,
    maximum_bytes: usize,
    bytes: usize,
    maximum: u32,
    ends: u32,
    /// How many were dropped that the application has not been told of.
    lost: u32,
    /// What was counted, of all that the engine does: most of it is told by an event.
    pub(super) counters: Counters,
}

impl Events {
    pub(super) fn new(maximum: usize, maximum_bytes: usize) -> Events {
        Events {
            queue: VecDeque::new(),
            maximum_bytes,
            bytes: 0,
            maximum: u32::try_from(maximum).unwrap_or(u32::MAX).max(1),
            ends: 0,
            lost: 0,
            counters: Counters::default(),
        }
    }

    /// Adds an event that may be dropped when the application does not keep up; whether it was
    /// kept.
    pub(super) fn push(&mut self, event: Event) -> bool {
        self.counters.count_event(&event);
        log::event(&event);
        let bytes = self.bytes + held_bytes(&event);
        let fits = bytes <= self.maximum_bytes || self.queue.is_empty();
        let kept = self.queue.len() < self.maximum as usize && fits;
        if kept {
            self.bytes = bytes;
            self.queue.push_back(event);
        } else {
            if self.lost == 0 {
                log::event_lost();
            }
            count(&mut self.lost);
            count(&mut self.counters.events_lost);
        }
        kept
    }

    /// Adds the end of a request.
    pub(super) fn end(&mut self, request: RequestId, outcome: Outcome) {
        self.counters.count_end(&outcome);
        log::end(request, &outcome);
        self.ends += 1;
        let event = Event::Ended { request, outcome };
        self.bytes += held_bytes(&event);
        self.queue.push_back(event);
    }

    /// Adds the last event, which is never dropped; what was lost is told before it.
    pub(super) fn close(&mut self) {
        if let Some(lost) = self.take_lost() {
            self.queue.push_back(lost);
        }
        self.queue.push_back(Event::Closed);
    }

    pub(super) fn pop(&mut self) -> Option<Event> {
        if let Some(event) = self.queue.pop_front() {
            self.ends -= u32::from(matches!(event, Event::Ended { .. }));
            self.bytes -= held_bytes(&event);
            if self.queue.is_empty() {
                // Idle engines may be many: an allocation an event is the smaller price.
                self.queue = VecDeque::new();
            }
            return Some(event);
        }
        self.take_lost()
    }

    /// How many were dropped, once.
    fn take_lost(&mut self) -> Option<Event> {
        let count = u64::from(core::mem::take(&mut self.lost));
        (count > 0).then_some(Event::EventsLost { count })
    }

    /// Those that wait, the next one first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Event> {
        self.queue.iter()
    }

    /// How many ends of requests wait.
    pub(super) fn ends(&self) -> usize {
        self.ends as usize
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty() && self.lost == 0
    }
}

/// The bytes of documents, tokens, topics and payloads that an event holds: all that a peer can
/// make long.
fn held_bytes(event: &Event) -> usize {
    match event {
        Event::Ended {
            outcome: Outcome::Accepted(document) | Outcome::Rejected { document, .. },
            ..
        }
        | Event::Ready { document, .. }
        | Event::GetRejected { document, .. } => document.as_json().len(),
        Event::Delta(delta) => delta.state.as_str().len(),
        Event::Message(message) => message.topic.len() + message.payload.len(),
        Event::Unmatched(unmatched) => {
            let token = unmatched.token.as_ref().map_or(0, |token| token.len());
            token + unmatched.document.as_json().len()
        }
        Event::OversizedMessage { topic, .. } => topic.len(),
        Event::SubscriptionLost { filter } => filter.len(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drops_messages_but_never_ends_and_says_how_many() {
        let mut events = Events::new(2, usize::MAX);
        for _ in 0..5 {
            events.push(Event::Closed);
        }
        events.end(RequestId(7), Outcome::TimedOut);
        assert_eq!(events.pop(), Some(Event::Closed));
        assert_eq!(events.pop(), Some(Event::Closed));
        let end = Event::Ended {
            request: RequestId(7),
            outcome: Outcome::TimedOut,
        };
        assert_eq!(events.pop(), Some(end));
        assert_eq!(events.pop(), Some(Event::EventsLost { count: 3 }));
        assert_eq!(events.pop(), None);
        assert!(events.is_empty());
    }
}
