//! The place at which a device's own driver is plugged into a simulation.
//!
//! A [`Port`] is to the simulation what an engine is: it has wishes for the transport and takes what
//! comes of them. To a driver it is a connector and a stream.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use futures_io::{AsyncRead, AsyncWrite};
use shadow_core::{Config, Instant, Session, TransportFailure};
use transport_tcp::Connector;

use super::body::{Body, Output};
use super::fault::FaultKind;
use super::{DeviceId, Simulation};
use crate::trace::LineKind;

/// All clones are the same port.
#[derive(Clone, Debug)]
pub(crate) struct Port {
    config: Arc<Config>,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Debug, Default)]
struct Shared {
    wishes: VecDeque<Wish>,
    /// The beginning of a packet that was not written as a whole yet.
    partial: Vec<u8>,
    link: LinkState,
    /// Counts the connections that were asked for. Streams of earlier ones are dead.
    attempt: u64,
    inbox: VecDeque<u8>,
    /// Who waits for the connection or for bytes.
    waiting: Option<Waker>,
    clock_ahead: i32,
    power: PowerNews,
}

enum Wish {
    Connect,
    Packet(Vec<u8>),
    Close,
}

/// Without the bytes, which may be a login.
impl std::fmt::Debug for Wish {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Wish::Connect => "Connect",
            Wish::Packet(_) => "Packet",
            Wish::Close => "Close",
        })
    }
}

#[derive(Debug, Default)]
enum LinkState {
    #[default]
    None,
    Connecting,
    Failed(String),
    Up,
    /// What was received is still to be read; then the stream has ended, with this error if with
    /// any.
    Ended(Option<String>),
}

/// What has become of a device's power since somebody asked.
#[derive(Debug, Default)]
pub(crate) struct PowerNews {
    pub(crate) lost: bool,
    /// It is back: the session that was found and the new engine's seed.
    pub(crate) begin: Option<(Session, u64)>,
}

/// The simulation's side.
impl Port {
    pub(super) fn config(&self) -> &Config {
        &self.config
    }

    pub(super) fn has_output(&self) -> bool {
        !self.lock().wishes.is_empty()
    }

    pub(super) fn poll_output(&self, buffer: &mut Vec<u8>) -> Option<Output> {
        Some(match self.lock().wishes.pop_front()? {
            Wish::Connect => Output::Connect,
            Wish::Packet(bytes) => {
                buffer.extend(bytes);
                Output::Packet
            }
            Wish::Close => Output::Close,
        })
    }

    pub(super) fn connected(&self) {
        let mut shared = self.lock();
        shared.link = LinkState::Up;
        shared.wake();
    }

    pub(super) fn disconnected(&self, failure: TransportFailure) {
        let mut shared = self.lock();
        let (refused, ended) = match failure {
            TransportFailure::ClosedByPeer => ("closed".to_owned(), None),
            TransportFailure::ConnectFailed(why)
            | TransportFailure::Broken(why)
            | TransportFailure::Untrusted(why) => (why.clone(), Some(why)),
        };
        match shared.link {
            LinkState::Connecting => shared.link = LinkState::Failed(refused),
            LinkState::Up => shared.link = LinkState::Ended(ended),
            LinkState::None | LinkState::Failed(_) | LinkState::Ended(_) => {}
        }
        shared.wake();
    }

    pub(super) fn received(&self, bytes: &[u8]) {
        let mut shared = self.lock();
        shared.inbox.extend(bytes);
        shared.wake();
    }

    pub(super) fn set_clock_ahead(&self, seconds: i32) {
        self.lock().clock_ahead = seconds;
    }

    /// Whatever its driver still does goes nowhere.
    pub(super) fn lose_power(&self) {
        let mut shared = self.lock();
        *shared = Shared {
            attempt: shared.attempt + 1,
            clock_ahead: shared.clock_ahead,
            power: PowerNews {
                lost: true,
                begin: None,
            },
            ..Shared::default()
        };
    }

    pub(super) fn begin_again(&self, session: Session, seed: u64) {
        self.lock().power.begin = Some((session, seed));
    }
}

/// The driver's side.
impl Port {
    /// A port for a device that is configured so.
    pub(crate) fn new(config: Config) -> Port {
        Port {
            config: Arc::new(config),
            shared: Arc::default(),
        }
    }

    pub(crate) fn take_power_news(&self) -> PowerNews {
        std::mem::take(&mut self.lock().power)
    }

    /// How many seconds the device's wall clock is ahead.
    pub(crate) fn clock_ahead(&self) -> i32 {
        self.lock().clock_ahead
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        // No code of others runs while it is held, so it is never left half changed.
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    fn wake(&mut self) {
        if let Some(waker) = self.waiting.take() {
            waker.wake();
        }
    }

    fn sleep<T>(&mut self, cx: &Context<'_>) -> Poll<T> {
        self.waiting = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Takes bytes, packet by packet.
    fn write(&mut self, bytes: &[u8]) {
        self.partial.extend_from_slice(bytes);
        while let Some(length) = packet_length(&self.partial) {
            let rest = self.partial.split_off(length);
            let packet = std::mem::replace(&mut self.partial, rest);
            self.wishes.push_back(Wish::Packet(packet));
        }
    }
}

/// How many bytes the first packet has [MQTT-2.2.3]; `None` as long as they are not all there. What
/// is no MQTT counts as one packet.
fn packet_length(bytes: &[u8]) -> Option<usize> {
    let mut remaining = 0;
    for (index, byte) in bytes.iter().skip(1).take(4).enumerate() {
        remaining |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            let length = 2 + index + remaining;
            return (bytes.len() >= length).then_some(length);
        }
    }
    (bytes.len() > 4).then_some(bytes.len())
}

/// Tells whoever carries what ports want that there is something to carry.
#[derive(Clone, Debug, Default)]
pub(crate) struct Signal {
    raised: Arc<AtomicBool>,
}

impl Signal {
    pub(crate) fn raise(&self) {
        self.raised.store(true, Ordering::Relaxed);
    }

    /// Whether it was raised since this was last asked.
    pub(crate) fn take(&self) -> bool {
        self.raised.swap(false, Ordering::Relaxed)
    }
}

/// Connects through a [`Port`].
#[derive(Debug)]
pub(crate) struct PortConnector {
    port: Port,
    signal: Signal,
}

impl PortConnector {
    pub(crate) fn new(port: Port, signal: Signal) -> PortConnector {
        PortConnector { port, signal }
    }
}

impl Connector for PortConnector {
    type Stream = PortStream;

    async fn connect(&mut self) -> io::Result<PortStream> {
        let stream = {
            let mut shared = self.port.lock();
            shared.attempt += 1;
            shared.link = LinkState::Connecting;
            shared.inbox.clear();
            shared.partial.clear();
            shared.wishes.push_back(Wish::Connect);
            // Dropped half-way, it takes the wish back.
            PortStream {
                port: self.port.clone(),
                signal: self.signal.clone(),
                attempt: shared.attempt,
            }
        };
        self.signal.raise();
        poll_fn(|cx| stream.poll_connected(cx)).await?;
        Ok(stream)
    }
}

/// A connection through a [`Port`], from when it is asked for. It takes all that is written at once;
/// what happens on the way is the simulation's.
#[derive(Debug)]
pub(crate) struct PortStream {
    port: Port,
    signal: Signal,
    attempt: u64,
}

impl PortStream {
    /// The port's state, unless this is a connection of the past.
    fn present(&self) -> Option<MutexGuard<'_, Shared>> {
        let shared = self.port.lock();
        (shared.attempt == self.attempt).then_some(shared)
    }

    fn poll_connected(&self, cx: &Context<'_>) -> Poll<io::Result<()>> {
        let Some(mut shared) = self.present() else {
            return Poll::Pending;
        };
        match &shared.link {
            LinkState::Up | LinkState::Ended(_) => Poll::Ready(Ok(())),
            LinkState::Failed(why) => {
                let error = io::Error::new(io::ErrorKind::ConnectionRefused, why.clone());
                Poll::Ready(Err(error))
            }
            LinkState::None | LinkState::Connecting => shared.sleep(cx),
        }
    }

    /// Ends the connection from this side, if it has not ended.
    fn close(&self) {
        if let Some(mut shared) = self.present()
            && matches!(shared.link, LinkState::Connecting | LinkState::Up)
        {
            shared.wishes.push_back(Wish::Close);
            // What still comes is for nobody.
            shared.link = LinkState::Ended(None);
            shared.wake();
            drop(shared);
            self.signal.raise();
        }
    }
}

impl AsyncRead for PortStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let Some(mut shared) = self.present() else {
            return Poll::Pending;
        };
        if !shared.inbox.is_empty() {
            return Poll::Ready(io::Read::read(&mut shared.inbox, buffer));
        }
        match &shared.link {
            LinkState::Ended(None) => Poll::Ready(Ok(0)),
            LinkState::Ended(Some(why)) => {
                let error = io::Error::new(io::ErrorKind::ConnectionReset, why.clone());
                Poll::Ready(Err(error))
            }
            _ => shared.sleep(cx),
        }
    }
}

impl AsyncWrite for PortStream {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let Some(mut shared) = self.present() else {
            return Poll::Pending;
        };
        if !matches!(shared.link, LinkState::Up) {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        shared.write(bytes);
        drop(shared);
        self.signal.raise();
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.close();
        Poll::Ready(Ok(()))
    }
}

impl Drop for PortStream {
    fn drop(&mut self) {
        self.close();
    }
}

/// What whoever plugs a driver in asks of the simulation.
impl Simulation {
    /// Adds a device whose engine is elsewhere, at the other end of this port. `seed` is that of
    /// its first engine.
    pub(crate) fn add_port(&mut self, label: &str, port: Port, seed: u64) -> DeviceId {
        let device = self.add_body(label, Body::Port(port));
        let power = &mut self.device_mut(device).power;
        power.seed = seed;
        power.stores = true;
        device
    }

    /// Stores the session of a device whose engine is elsewhere.
    pub(crate) fn store_session(&mut self, device: DeviceId, session: &Session) {
        self.device_mut(device).power.store(session);
    }

    /// Writes that a device's firmware has returned.
    pub(crate) fn note_firmware_end(&mut self, device: DeviceId) {
        self.note_of(device, LineKind::Note, |label| {
            format!("{label}'s firmware has ended")
        });
    }

    /// Whether a device's application takes no events now.
    pub(crate) fn is_deaf(&self, device: DeviceId) -> bool {
        self.device_at(device).is_deaf(self.now)
    }

    /// Until when it takes none.
    pub(crate) fn deaf_until(&self, device: DeviceId) -> Option<Instant> {
        self.is_deaf(device)
            .then(|| self.device_at(device).ills.deaf_until)
    }

    /// Counts that an application that takes no events had something to do.
    pub(crate) fn count_deaf(&mut self) {
        self.network.counts.count(FaultKind::Deaf);
    }
}

#[cfg(test)]
mod tests {
    use super::packet_length;

    #[test]
    fn packets_are_told_apart() {
        assert_eq!(packet_length(&[]), None);
        assert_eq!(packet_length(&[0xc0]), None);
        assert_eq!(packet_length(&[0xc0, 0, 0xe0]), Some(2));
        assert_eq!(packet_length(&[0x30, 3, 1, 2]), None);
        assert_eq!(packet_length(&[0x30, 3, 1, 2, 3, 4]), Some(5));
        // 321 is 0xc1 0x02 [MQTT-2.2.3, non-normative comment].
        let mut long = vec![0x30, 0xc1, 0x02];
        long.resize(3 + 321, 7);
        assert_eq!(packet_length(&long), Some(324));
        long.pop();
        assert_eq!(packet_length(&long), None);
        assert_eq!(packet_length(&[0x30, 0xff, 0xff, 0xff, 0xff, 1]), Some(6));
    }
}
