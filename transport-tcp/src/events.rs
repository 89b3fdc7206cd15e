//! What the application hears without having asked.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use async_channel::{Receiver, Sender};
use futures_lite::Stream;
use shadow_core::Event;

use crate::recording::{RecordingError, RecordingSink};
use crate::store::StoreError;

/// An item of [`Events`].
#[derive(Clone, Debug, PartialEq)]
pub enum Notification {
    /// Something happened. Never [`Event::Ended`], which goes to its request.
    Event(Event),
    /// The application did not keep up: the oldest events were dropped, at this place in the order.
    Lagged {
        /// How many; at least 1.
        missed: u64,
    },
    /// The session could not be stored. The link goes on, and the driver tries again: but what
    /// changes now, a power cut takes. Told for each try, also after [`Event::Closed`].
    NotStored(StoreError),
    /// The session is stored, after [`Notification::NotStored`].
    StoredAgain,
    /// The recording ends here: it could not be written. The link goes on, and what was recorded
    /// until now stays. Told once, also after [`Event::Closed`].
    NotRecorded(RecordingError),
}

/// The stream of deltas, connection states, messages and whatever else an engine tells.
///
/// It holds as many events as [`Config::maximum_events`](shadow_core::Config) says. When the
/// application does not read them in time the oldest are dropped, and a [`Notification::Lagged`] in
/// their place tells how many: a slow reader never stops the driver. A delta that is dropped like this
/// counts as told: [`Shadow::get`](crate::Shadow::get) shows it, and it comes again on the next link
/// unless it was answered. Dropping the stream discards
/// all events to come. It ends, after the last event, with the driver.
#[derive(Debug)]
pub struct Events {
    numbered: Pin<Box<Receiver<Numbered>>>,
    /// The number of the event that comes next if none was dropped.
    next: u64,
    /// One whose gap before it was just told.
    held: Option<Notification>,
}

/// A notification and its number, counted from 0.
type Numbered = (u64, Notification);

/// The driver's end of [`Events`].
#[derive(Debug)]
pub(crate) struct EventSender {
    numbered: Sender<Numbered>,
    next: u64,
}

/// A stream that holds up to `capacity` events, at least 1.
pub(crate) fn channel(capacity: usize) -> (EventSender, Events) {
    let (sender, receiver) = async_channel::bounded(capacity.max(1));
    let sender = EventSender {
        numbered: sender,
        next: 0,
    };
    let events = Events {
        numbered: Box::pin(receiver),
        next: 0,
        held: None,
    };
    (sender, events)
}

impl EventSender {
    /// Adds one, in place of the oldest if there is no room.
    pub(crate) fn send(&mut self, notification: Notification) {
        // Fails only when the application has dropped the stream: it wants no events.
        drop(self.numbered.force_send((self.next, notification)));
        self.next += 1;
    }

    /// Tells that a recording has ended, if it has and that was not told.
    pub(crate) fn tell_unrecorded(&mut self, sink: &mut dyn RecordingSink) {
        if let Some(error) = sink.take_error() {
            tracing::warn!(event = "not_recorded", %error);
            self.send(Notification::NotRecorded(error));
        }
    }
}

impl Stream for Events {
    type Item = Notification;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Notification>> {
        if let Some(notification) = self.held.take() {
            return Poll::Ready(Some(notification));
        }
        let Some((number, notification)) = ready!(self.numbered.as_mut().poll_next(cx)) else {
            return Poll::Ready(None);
        };
        let missed = number.saturating_sub(self.next);
        self.next = number.saturating_add(1);
        if missed > 0 {
            self.held = Some(notification);
            return Poll::Ready(Some(Notification::Lagged { missed }));
        }
        Poll::Ready(Some(notification))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_lite::{StreamExt, future};
    use shadow_core::DisconnectCause;

    use super::*;

    fn event(number: u64) -> Notification {
        Notification::Event(Event::Disconnected {
            cause: DisconnectCause::PingTimedOut,
            retry_in: Duration::from_secs(number),
        })
    }

    #[test]
    fn the_oldest_are_dropped_and_counted_in_their_place() {
        let (mut sender, mut events) = channel(2);
        let kept = |number| Some(event(number));
        let lagged = |missed| Some(Notification::Lagged { missed });
        sender.send(event(0));
        assert_eq!(future::block_on(events.next()), kept(0));
        for number in 1..=5 {
            sender.send(event(number));
        }
        assert_eq!(future::block_on(events.next()), lagged(3));
        // One more gap behind an event that is held already.
        sender.send(event(6));
        sender.send(event(7));
        drop(sender);
        let rest: Vec<_> = future::block_on(events.map(Some).collect());
        assert_eq!(rest, [kept(4), lagged(1), kept(6), kept(7)]);
    }

    #[test]
    fn nobody_need_listen() {
        let (mut sender, events) = channel(0);
        drop(events);
        sender.send(event(0));
        sender.send(event(1));
    }
}
