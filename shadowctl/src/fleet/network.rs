//! A fleet's connections over TCP or TLS.
//!
//! One task carries them all. A driver and a client for each device would cost it a task, two
//! channels and buffers of its own; here an idle connection has its socket, its place among the
//! reactor's sources and a waker, and the buffers are those of the fleet.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use shadow_core::{Instant, Transmit, TransportFailure};
use smol::io::{AsyncRead, AsyncWrite};
use transport_tcp::{Clock, Connector, NetworkConnector, NetworkStream, UntrustedPeer};

use super::crowd::Crowd;
use super::drive::Carrier;
use super::ready::Ready;

/// How many bytes are read at a time.
const CHUNK: usize = 16 * 1024;

/// How often a connection is read in its turn, before the others get theirs.
const READS_PER_TURN: usize = 4;

/// Connections to a server.
pub(super) struct Network {
    connector: NetworkConnector,
    links: Vec<Link>,
    ready: Arc<Ready>,
    /// Devices whose connections are to be looked at; kept for its memory.
    woken: Vec<u32>,
    /// Packets that leave; kept for its memory.
    outgoing: Vec<u8>,
    incoming: Vec<u8>,
}

type Connecting = Pin<Box<dyn Future<Output = io::Result<NetworkStream>>>>;

/// One device's connection.
enum Link {
    None,
    Opening(Connecting, Waker),
    Open(Open),
}

struct Open {
    stream: NetworkStream,
    waker: Waker,
    /// What the stream did not take.
    waiting: Vec<u8>,
}

impl Network {
    pub(super) fn new(devices: u32, connector: NetworkConnector) -> Network {
        let mut links = Vec::new();
        links.resize_with(devices as usize, || Link::None);
        Network {
            connector,
            links,
            ready: Arc::default(),
            woken: Vec::new(),
            outgoing: Vec::new(),
            incoming: vec![0; CHUNK],
        }
    }

    /// Goes on with a connection that was woken.
    fn receive(&mut self, device: u32, clock: &impl Clock, crowd: &mut Crowd) {
        let Some(link) = self.links.get_mut(device as usize) else {
            return;
        };
        if let Link::Opening(connecting, waker) = link {
            let Poll::Ready(stream) = connecting.as_mut().poll(&mut Context::from_waker(waker))
            else {
                return;
            };
            match stream {
                Ok(stream) => {
                    let waker = waker.clone();
                    *link = Link::Open(Open {
                        stream,
                        waker,
                        waiting: Vec::new(),
                    });
                    crowd.handle_connected(device, clock.now());
                }
                Err(error) => {
                    *link = Link::None;
                    crowd.handle_disconnected(device, clock.now(), failure(&error));
                    return;
                }
            }
        }
        let Link::Open(open) = link else {
            return;
        };
        let stalled = !open.waiting.is_empty();
        let waiting = std::mem::take(&mut open.waiting);
        if let Err(error) = open.write(&waiting) {
            return self.lost(device, clock.now(), crowd, broken(&error));
        }
        if stalled && open.waiting.is_empty() {
            // The engine may have held packets back.
            crowd.touch(device);
        }
        for _ in 0..READS_PER_TURN {
            match open.read(&mut self.incoming) {
                Poll::Pending => return,
                Poll::Ready(Ok(0)) => {
                    let closed = TransportFailure::ClosedByPeer;
                    return self.lost(device, clock.now(), crowd, closed);
                }
                Poll::Ready(Ok(len)) => {
                    let received = self.incoming.get(..len).unwrap_or_default();
                    crowd.handle_bytes(device, clock.now(), received);
                }
                Poll::Ready(Err(error)) => {
                    return self.lost(device, clock.now(), crowd, broken(&error));
                }
            }
        }
        // There may be more, which nobody will tell.
        open.waker.wake_by_ref();
    }

    fn lost(&mut self, device: u32, now: Instant, crowd: &mut Crowd, failure: TransportFailure) {
        self.drop_link(device);
        crowd.handle_disconnected(device, now, failure);
    }

    /// Carries out what a device wants.
    fn send(&mut self, device: u32, now: Instant, crowd: &mut Crowd) {
        self.outgoing.clear();
        // A stalled write holds packets back. Without a session there are none to hold back, and
        // the wish to close must come through.
        while !self.is_stalled(device) || !crowd.is_online(device) {
            match crowd.poll_transmit(device, now, &mut self.outgoing) {
                None => break,
                Some(Transmit::Packet { .. }) => {}
                Some(Transmit::Connect) => self.open(device, now, crowd),
                Some(Transmit::Close) => {
                    // What cannot leave now, never will.
                    drop(self.write(device));
                    self.drop_link(device);
                }
            }
        }
        if let Err(error) = self.write(device) {
            self.lost(device, now, crowd, broken(&error));
        }
    }

    /// Begins to connect.
    fn open(&mut self, device: u32, now: Instant, crowd: &mut Crowd) {
        let mut connector = self.connector.clone();
        let connecting: Connecting = Box::pin(async move { connector.connect().await });
        let waker = self.ready.waker(device);
        // It is polled, and with that begun, in its turn.
        waker.wake_by_ref();
        match self.links.get_mut(device as usize) {
            Some(link) => *link = Link::Opening(connecting, waker),
            None => {
                let failure = TransportFailure::ConnectFailed("there is no such device".into());
                crowd.handle_disconnected(device, now, failure);
            }
        }
    }

    /// Writes what was collected.
    fn write(&mut self, device: u32) -> io::Result<()> {
        if self.outgoing.is_empty() {
            return Ok(());
        }
        if let Some(Link::Open(open)) = self.links.get_mut(device as usize) {
            open.write(&self.outgoing)?;
        }
        self.outgoing.clear();
        Ok(())
    }

    fn is_stalled(&self, device: u32) -> bool {
        match self.links.get(device as usize) {
            Some(Link::Open(open)) => !open.waiting.is_empty(),
            _ => false,
        }
    }

    fn drop_link(&mut self, device: u32) {
        self.outgoing.clear();
        if let Some(link) = self.links.get_mut(device as usize) {
            *link = Link::None;
        }
    }
}

impl Carrier for Network {
    fn carry(&mut self, clock: &impl Clock, crowd: &mut Crowd) {
        let mut woken = std::mem::take(&mut self.woken);
        self.ready.take(&mut woken);
        for device in woken.drain(..) {
            self.receive(device, clock, crowd);
        }
        self.woken = woken;
        while let Some(device) = crowd.next_touched() {
            let now = clock.now();
            self.send(device, now, crowd);
            crowd.settle(device, now);
        }
    }

    fn deadline(&self) -> Option<Instant> {
        None
    }

    async fn ready(&self) {
        poll_fn(|cx| self.ready.poll(cx)).await;
    }
}

impl Open {
    /// Writes as much as the stream takes and keeps the rest, behind what it keeps already.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let cx = &mut Context::from_waker(&self.waker);
        let mut rest = bytes;
        while self.waiting.is_empty() && !rest.is_empty() {
            match Pin::new(&mut self.stream).poll_write(cx, rest) {
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(len)) => rest = rest.get(len..).unwrap_or_default(),
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Pending => break,
            }
        }
        self.waiting.extend_from_slice(rest);
        // TLS keeps bytes of its own; what is left of them goes with the next wake.
        match Pin::new(&mut self.stream).poll_flush(cx) {
            Poll::Ready(Err(error)) => Err(error),
            Poll::Ready(Ok(())) | Poll::Pending => Ok(()),
        }
    }

    fn read(&mut self, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let cx = &mut Context::from_waker(&self.waker);
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

fn broken(error: &io::Error) -> TransportFailure {
    TransportFailure::broken(error)
}

fn failure(error: &io::Error) -> TransportFailure {
    let text = error.to_string();
    let untrusted = error
        .get_ref()
        .is_some_and(|inner| inner.is::<UntrustedPeer>());
    match untrusted {
        true => TransportFailure::Untrusted(text),
        false => TransportFailure::ConnectFailed(text),
    }
}
