//! One device and the model of the cloud, joined by a memory stream.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_io::{AsyncRead, AsyncWrite};
use shadow_core::Instant;
use transport_mock::cloud::{Cloud, example_device};
use transport_mock::server::{ConnectionId, ServerTransmit};
use transport_mock::stream::{MemoryStream, memory_pair};

use crate::device::WALL;
use crate::{Device, Kind};

/// How many bytes a direction of the stream holds, and are read at a time.
const CAPACITY: usize = 64 * 1024;

/// How often the two take turns until a device knows its shadow: CONNECT, SUBSCRIBE and a get.
pub(crate) const LOGIN: usize = 3;

/// A device that is logged in to the cloud and knows its shadow.
#[derive(Debug)]
pub struct Exchange {
    now: Instant,
    device: Device,
    cloud: Cloud,
    connection: ConnectionId,
    devices_end: MemoryStream,
    clouds_end: MemoryStream,
    outgoing: Vec<u8>,
    incoming: Vec<u8>,
    /// How many bytes of `incoming` the cloud has sent last.
    replied: usize,
}

impl Exchange {
    /// The example device on the example cloud, which checks its login and what it may publish, and
    /// holds the vendor's example of a document.
    #[must_use]
    pub fn new() -> Exchange {
        let mut exchange = Exchange::begin();
        for _ in 0..LOGIN {
            exchange.carry();
        }
        exchange
    }

    /// Before the login.
    pub(crate) fn begin() -> Exchange {
        let now = Instant::ZERO;
        let mut cloud = Cloud::example(now, WALL);
        let connection = cloud.accept(now);
        let (devices_end, clouds_end) = memory_pair(CAPACITY);
        Exchange {
            now,
            device: Device::new(&example_device()),
            cloud,
            connection,
            devices_end,
            clouds_end,
            outgoing: Vec::new(),
            incoming: vec![0; CAPACITY],
            replied: 0,
        }
    }

    /// At least so many round trips, `in_flight` at a time; how many.
    ///
    /// # Panics
    /// If one of them does not end with an accepted reply.
    pub fn round_trips(&mut self, kind: Kind, count: usize, in_flight: usize) -> usize {
        let mut ended = 0;
        while ended < count {
            ended += self.round(kind, in_flight);
        }
        ended
    }

    pub(crate) fn round(&mut self, kind: Kind, in_flight: usize) -> usize {
        self.now = next(self.now);
        for _ in 0..in_flight {
            self.device.ask(self.now, kind);
        }
        let ended = self.carry();
        assert_eq!(ended, in_flight, "every request is answered at once");
        ended
    }

    /// To the cloud and back; how many requests ended.
    pub(crate) fn carry(&mut self) -> usize {
        let now = self.now;
        self.outgoing.clear();
        self.device.send(now, &mut self.outgoing);
        write(&mut self.devices_end, &self.outgoing);
        let requests = read(&mut self.clouds_end, &mut self.incoming);
        self.cloud.handle_bytes(now, self.connection, requests);
        while self.cloud.poll_event().is_some() {}
        self.outgoing.clear();
        while let Some((_, transmit)) = self.cloud.poll_transmit(now, &mut self.outgoing) {
            assert!(matches!(transmit, ServerTransmit::Packet { .. }));
        }
        write(&mut self.clouds_end, &self.outgoing);
        let replies = read(&mut self.devices_end, &mut self.incoming);
        self.replied = replies.len();
        self.device.receive(now, replies)
    }

    /// What the cloud has sent last.
    pub(crate) fn replies(&self) -> &[u8] {
        self.incoming.get(..self.replied).unwrap_or_default()
    }
}

impl Default for Exchange {
    fn default() -> Exchange {
        Exchange::new()
    }
}

/// A moment later.
pub(crate) fn next(now: Instant) -> Instant {
    now + Duration::from_micros(1)
}

fn write(stream: &mut MemoryStream, bytes: &[u8]) {
    let cx = &mut Context::from_waker(Waker::noop());
    let written = Pin::new(stream).poll_write(cx, bytes);
    assert!(matches!(written, Poll::Ready(Ok(len)) if len == bytes.len()));
}

fn read<'a>(stream: &mut MemoryStream, buffer: &'a mut [u8]) -> &'a [u8] {
    let cx = &mut Context::from_waker(Waker::noop());
    match Pin::new(stream).poll_read(cx, buffer) {
        Poll::Ready(Ok(len)) => buffer.get(..len).unwrap_or_default(),
        Poll::Ready(Err(_)) | Poll::Pending => &[],
    }
}
