//! What the application hears without having asked.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use async_channel::{Receiver, Sender};
use futures_lite::Stream;
use serde::de::DeserializeOwned;
use shadow_core::Event;
use shadow_core::typed::TypedEvent;

use crate::recording::{RecordingError, RecordingSink};
use crate::store::StoreError;

/// An item of [`Events`]; of [`TypedEvents`] one with a [`TypedEvent`] in it.
#[derive(Clone, Debug, PartialEq)]
pub enum Notification<E = Event> {
    /// Something happened. Never [`Event::Ended`], which goes to its request.
    Event(E),
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

impl Events {
    /// The same with every delta read as a `D`, whichever shadow's it is: what fits comes first, and
    /// then what does not, as up to 17 [`TypedEvent::Invalid`]. See
    /// [`shadow_core::typed`](mod@shadow_core::typed).
    ///
    /// ```
    /// use futures_lite::StreamExt;
    /// use serde::Deserialize;
    /// use shadow_core::typed::{Field, TypedEvent};
    /// use transport_tcp::{Events, Notification, Shadow};
    ///
    /// #[derive(Debug, Default, Deserialize)]
    /// #[serde(default, deny_unknown_fields)]
    /// struct Desired {
    ///     color: Field<String>,
    /// }
    ///
    /// async fn obey(lamp: &Shadow, events: Events) {
    ///     let mut events = events.typed::<Desired>();
    ///     while let Some(notification) = events.next().await {
    ///         let answered = match notification {
    ///             Notification::Event(TypedEvent::Delta { state, delta }) => {
    ///                 println!("the color is to be {:?}", state.color);
    ///                 lamp.accept(&delta).await
    ///             }
    ///             Notification::Event(TypedEvent::Invalid(error)) => {
    ///                 lamp.reject(&error.delta, &error.to_string()).await
    ///             }
    ///             other => {
    ///                 println!("{other:?}");
    ///                 continue;
    ///             }
    ///         };
    ///         // No reason to stop: what is not answered comes again on the next link.
    ///         if let Err(refused) = answered {
    ///             println!("not answered: {refused}");
    ///         }
    ///     }
    /// }
    /// ```
    #[must_use]
    pub fn typed<D: DeserializeOwned>(self) -> TypedEvents<D> {
        TypedEvents {
            events: self,
            waiting: VecDeque::new(),
        }
    }
}

/// [`Events`] with every delta read as a `D`.
#[derive(Debug)]
pub struct TypedEvents<D> {
    events: Events,
    /// What else came of the delta that was read last.
    waiting: VecDeque<TypedEvent<D>>,
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

/// Nothing in it is pinned.
impl<D> Unpin for TypedEvents<D> {}

impl<D: DeserializeOwned> Stream for TypedEvents<D> {
    type Item = Notification<TypedEvent<D>>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                return Poll::Ready(Some(Notification::Event(event)));
            }
            let told = match ready!(Pin::new(&mut self.events).poll_next(cx)) {
                Some(Notification::Event(event)) => {
                    self.waiting.extend(event.typed());
                    continue;
                }
                Some(Notification::Lagged { missed }) => Notification::Lagged { missed },
                Some(Notification::NotStored(error)) => Notification::NotStored(error),
                Some(Notification::StoredAgain) => Notification::StoredAgain,
                Some(Notification::NotRecorded(error)) => Notification::NotRecorded(error),
                None => return Poll::Ready(None),
            };
            return Poll::Ready(Some(told));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_lite::{StreamExt, future};
    use serde::Deserialize;
    use shadow_core::event::DeltaOrigin;
    use shadow_core::tencent::DeviceInfo;
    use shadow_core::typed::Field;
    use shadow_core::{Config, Delta, DisconnectCause, Engine, Instant, Session};

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
    fn what_a_delta_is_read_as_comes_in_its_place() {
        #[derive(Debug, Default, PartialEq, Deserialize)]
        #[serde(default)]
        struct Desired {
            color: Field<String>,
            level: Field<u8>,
        }
        let device = DeviceInfo::with_key("PRODUCT001", "lamp", "c2VjcmV0").unwrap();
        let engine = Engine::new(Config::new(&device), Session::new(), 1, Instant::ZERO);
        let shadow = engine.own_shadow().unwrap();
        let delta = |state: &str| Delta {
            shadow,
            origin: DeltaOrigin::Pushed,
            version: Some(3),
            state: state.parse().unwrap(),
            redelivered: false,
        };
        let told = |state| Notification::Event(Event::Delta(delta(state)));

        let (mut sender, events) = channel(4);
        sender.send(event(0));
        sender.send(told(r#"{"color":"blue","level":"very"}"#));
        sender.send(told(r#"{"level":-1}"#));
        sender.send(Notification::StoredAgain);
        sender.send(event(1));
        drop(sender);
        let all: Vec<_> = future::block_on(events.typed::<Desired>().collect());
        let [
            Notification::Lagged { missed: 1 },
            Notification::Event(TypedEvent::Delta { state, delta: rest }),
            Notification::Event(TypedEvent::Invalid(level)),
            Notification::Event(TypedEvent::Invalid(again)),
            Notification::StoredAgain,
            Notification::Event(TypedEvent::Other(Event::Disconnected { .. })),
        ] = &all[..]
        else {
            panic!("{all:?}");
        };
        assert_eq!(level.delta, delta(r#"{"level":"very"}"#));
        assert_eq!(state.color, Field::Value("blue".into()));
        assert_eq!(state.level, Field::Absent);
        assert_eq!(*rest, delta(r#"{"color":"blue"}"#));
        assert_eq!(again.delta, delta(r#"{"level":-1}"#));
    }

    #[test]
    fn nobody_need_listen() {
        let (mut sender, events) = channel(0);
        drop(events);
        sender.send(event(0));
        sender.send(event(1));
    }
}
