//! Serving a cloud over byte streams.

mod carrier;
mod ready;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use futures_io::{AsyncRead, AsyncWrite};
use futures_lite::Stream;
use shadow_core::Instant;
use transport_tcp::{Alarm, Clock};

use crate::cloud::Cloud;
use crate::server::{ConnectionId, ServerEvent};
use carrier::{Carried, Carrier};
use ready::Ready;

/// A [`Cloud`] that [`serve`] runs while a test or a command plays the application. All clones are
/// the same cloud.
#[derive(Clone)]
pub struct SharedCloud {
    shared: Arc<Mutex<Shared>>,
}

struct Shared {
    cloud: Cloud,
    /// Who serves it.
    waker: Option<Waker>,
}

impl SharedCloud {
    /// Shares a cloud.
    #[must_use]
    pub fn new(cloud: Cloud) -> SharedCloud {
        let shared = Shared { cloud, waker: None };
        SharedCloud {
            shared: Arc::new(Mutex::new(shared)),
        }
    }

    /// Looks at the cloud or changes it; what that gives to send is sent. Its events go to
    /// [`serve`]'s caller, so do not poll them here.
    ///
    /// Do not call it from within itself: it would wait for itself.
    pub fn with<T>(&self, work: impl FnOnce(&mut Cloud) -> T) -> T {
        let mut shared = self.lock();
        let result = work(&mut shared.cloud);
        if let Some(waker) = shared.waker.take() {
            waker.wake();
        }
        result
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        // If the caller's code panicked the cloud is at worst between two of its inputs.
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for SharedCloud {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedCloud").finish_non_exhaustive()
    }
}

/// Serves a cloud to every connection that comes in, and hands its events on.
///
/// `incoming` gives for each connection a future of its byte stream: for plain TCP one that is
/// ready (`std::future::ready(Some(stream))`), for TLS the handshake, so that a slow one holds up
/// nobody else. `None` is a connection that did not come about; who makes the future knows why and
/// can tell, and sees to it that it ends: while 64 of them are open, nobody else is accepted. The
/// streams may be of any kind, and the clock is the one that the cloud's instants are of.
///
/// Events and connections are traced (the crate's documentation lists the records).
///
/// Ends when `incoming` has ended and every connection too. Dropping the future closes all
/// connections, and the cloud knows it. It spawns nothing and needs no particular executor.
///
/// ```
/// use std::future::ready;
///
/// use futures_lite::StreamExt;
/// use shadow_core::{Config, Session, WallTime};
/// use smol::LocalExecutor;
/// use transport_mock::cloud::{Cloud, example_device, example_name};
/// use transport_mock::stream::memory_network;
/// use transport_mock::{SharedCloud, VirtualClock, serve};
/// use transport_tcp::{Clock, client};
///
/// let wall = WallTime::from_unix_millis(1_626_770_697_670);
/// let clock = VirtualClock::new(wall);
/// let cloud = SharedCloud::new(Cloud::example(clock.now(), wall));
/// let (connector, listener) = memory_network(1024, 8);
/// let executor = LocalExecutor::new();
/// let incoming = listener.map(|stream| ready(Some(stream)));
/// executor.spawn(serve(cloud.clone(), incoming, clock.clone(), |_event| {})).detach();
///
/// let config = Config::new(&example_device());
/// let (device, _events, driver) = client(config, Session::new(), 1, connector, clock.clone());
/// executor.spawn(driver.run()).detach();
/// clock.run(&executor, async {
///     let shadow = device.own_shadow().unwrap();
///     let receipt = shadow.report(&serde_json::json!({"updateCount": 12})).await.unwrap();
///     receipt.acknowledged().await.unwrap();
/// });
/// assert_eq!(cloud.with(|cloud| cloud.shadow(&example_name()).unwrap().version()), 9);
/// ```
pub async fn serve<I, F, S, K>(
    cloud: SharedCloud,
    incoming: I,
    clock: K,
    on_event: impl FnMut(ServerEvent),
) where
    I: Stream<Item = F>,
    F: Future<Output = Option<S>>,
    S: AsyncRead + AsyncWrite + Unpin,
    K: Clock,
{
    let mut incoming = pin!(incoming);
    let ready = Arc::<Ready>::default();
    let mut serving = Serving {
        cloud,
        clock,
        on_event,
        listening: true,
        handshakes: Vec::new(),
        connections: BTreeMap::new(),
        closing: BTreeSet::new(),
        incoming_waker: ready.incoming_waker(),
        ready,
        alarm: Alarm::new(),
    };
    poll_fn(|cx| serving.poll(cx, incoming.as_mut())).await;
}

/// How many connections may be in their handshake; more wait to be accepted.
const MAXIMUM_HANDSHAKES: usize = 64;

/// After how many rounds that found something to do the other tasks get a turn.
const ROUNDS_PER_POLL: usize = 32;

struct Serving<F, S, K, E> {
    cloud: SharedCloud,
    clock: K,
    on_event: E,
    /// Whether more connections can come.
    listening: bool,
    handshakes: Vec<Pin<Box<F>>>,
    connections: BTreeMap<ConnectionId, Carrier<S>>,
    /// Until when those that are closing have to be carried, as a look at each would take long.
    closing: BTreeSet<(Instant, ConnectionId)>,
    ready: Arc<Ready>,
    /// Wakes for those that are to be accepted.
    incoming_waker: Waker,
    /// Goes off at the next deadline.
    alarm: Alarm,
}

/// Whoever was served is gone, and the cloud may be served again.
impl<F, S, K, E> Drop for Serving<F, S, K, E> {
    fn drop(&mut self) {
        let cloud = &mut self.cloud.lock().cloud;
        for id in self.connections.keys() {
            // An instant of the past counts as the latest.
            cloud.handle_closed(Instant::ZERO, *id);
        }
    }
}

impl<F, S, K, E> Serving<F, S, K, E>
where
    F: Future<Output = Option<S>>,
    S: AsyncRead + AsyncWrite + Unpin,
    K: Clock,
    E: FnMut(ServerEvent),
{
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        mut incoming: Pin<&mut impl Stream<Item = F>>,
    ) -> Poll<()> {
        let before = self.cloud.lock().waker.replace(cx.waker().clone());
        // Not under the lock: it may be the last trace of a task.
        drop(before);
        self.ready.set_task(cx.waker().clone());
        for _ in 0..ROUNDS_PER_POLL {
            let mut busy = self.accept(cx, incoming.as_mut());
            busy |= self.carry();
            busy |= self.tick(cx);
            self.tell();
            if !busy {
                let over =
                    !self.listening && self.handshakes.is_empty() && self.connections.is_empty();
                return if over { Poll::Ready(()) } else { Poll::Pending };
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn accept(
        &mut self,
        cx: &mut Context<'_>,
        mut incoming: Pin<&mut impl Stream<Item = F>>,
    ) -> bool {
        let mut busy = false;
        let mut asking = self.listening && self.ready.take_incoming();
        while asking {
            if self.handshakes.len() >= MAXIMUM_HANDSHAKES {
                self.ready.mark_incoming();
                break;
            }
            let mut listening = Context::from_waker(&self.incoming_waker);
            match incoming.as_mut().poll_next(&mut listening) {
                Poll::Ready(Some(handshake)) => self.handshakes.push(Box::pin(handshake)),
                Poll::Ready(None) => (self.listening, asking) = (false, false),
                Poll::Pending => break,
            }
            busy = true;
        }
        let now = self.clock.now();
        let (cloud, connections, ready) = (&self.cloud, &mut self.connections, &self.ready);
        self.handshakes.retain_mut(|handshake| {
            let Poll::Ready(stream) = handshake.as_mut().poll(cx) else {
                return true;
            };
            if let Some(stream) = stream {
                let id = cloud.lock().cloud.accept(now);
                tracing::debug!(event = "accepted", connection = %id);
                connections.insert(id, Carrier::new(id, stream, ready.waker(id)));
                ready.mark(id);
            }
            busy = true;
            false
        });
        busy
    }

    /// Carries the bytes of the connections that were woken, or that the cloud has something for.
    fn carry(&mut self) -> bool {
        let now = self.clock.now();
        let mut ids = self.ready.take();
        ids.extend(self.cloud.lock().cloud.server().with_output());
        let mut busy = false;
        for id in ids {
            let Some(connection) = self.connections.get_mut(&id) else {
                continue;
            };
            let close_by = connection.close_by();
            let carried = connection.carry(now, &self.cloud);
            if close_by.is_none() {
                let closing = connection.close_by().map(|at| (at, id));
                self.closing.extend(closing);
            }
            match carried {
                Carried::Idle => continue,
                Carried::Busy => self.ready.mark(id),
                Carried::Over => {
                    tracing::debug!(event = "connection_ended", connection = %id);
                    let over = self.connections.remove(&id);
                    if let Some(at) = over.and_then(|connection| connection.close_by()) {
                        self.closing.remove(&(at, id));
                    }
                }
            }
            busy = true;
        }
        busy
    }

    /// Ticks if a deadline is due, and sees to being woken at the next one.
    fn tick(&mut self, cx: &mut Context<'_>) -> bool {
        let next = self.cloud.lock().cloud.poll_deadline();
        let closing = self.closing.first().map(|(at, _)| *at);
        let deadline = next.into_iter().chain(closing).min();
        let due = self.alarm.poll(cx, &self.clock, deadline).is_ready();
        if due {
            let now = self.clock.now();
            self.cloud.lock().cloud.handle_tick(now);
            for (_, id) in self.closing.iter().take_while(|(at, _)| *at <= now) {
                self.ready.mark(*id);
            }
        }
        due
    }

    fn tell(&mut self) {
        loop {
            let event = self.cloud.lock().cloud.poll_event();
            match event {
                Some(event) => {
                    event.trace();
                    (self.on_event)(event);
                }
                None => break,
            }
        }
    }
}
