//! One network connection of a client.

use std::collections::VecDeque;
use std::time::Duration;

use shadow_core::Instant;
use shadow_core::mqtt::{EncodeError, PacketKind, ProtocolVersion, StreamDecoder};

use super::ServerTransmit;
use super::authorization::Role;

/// What dies with the connection.
#[derive(Debug)]
pub(super) struct Connection {
    /// `None` while a packet of it is being handled, and once nothing more is read.
    pub(super) decoder: Option<StreamDecoder>,
    pub(super) phase: Phase,
    pub(super) outbox: Outbox,
}

#[derive(Debug)]
pub(super) enum Phase {
    /// CONNECT has to come.
    Opening { deadline: Instant },
    /// CONNACK accepted the client.
    Online(Online),
    /// What is queued still leaves; nothing is read any more.
    Closing,
}

#[derive(Clone, Debug)]
pub(super) struct Online {
    pub(super) client_id: String,
    pub(super) role: Role,
    pub(super) version: ProtocolVersion,
    pub(super) clean_session: bool,
    /// One and a half times what the client asked for; `None` if it asked for 0.
    pub(super) silence: Option<Duration>,
    /// When its last packet came.
    pub(super) heard: Instant,
}

impl Connection {
    pub(super) fn new(decoder: StreamDecoder, deadline: Instant) -> Connection {
        Connection {
            decoder: Some(decoder),
            phase: Phase::Opening { deadline },
            outbox: Outbox::default(),
        }
    }

    /// When the server closes the connection if nothing comes.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match &self.phase {
            Phase::Opening { deadline } => Some(*deadline),
            Phase::Online(online) => online.silence.map(|silence| online.heard + silence),
            Phase::Closing => None,
        }
    }

    pub(super) fn online(&self) -> Option<&Online> {
        match &self.phase {
            Phase::Online(online) => Some(online),
            Phase::Opening { .. } | Phase::Closing => None,
        }
    }

    /// Ends the connection once all that is queued has left.
    pub(super) fn close(&mut self) {
        self.decoder = None;
        self.phase = Phase::Closing;
        self.outbox.queue.push_back(Queued::Close);
    }
}

/// What waits to leave on a connection.
///
/// The bytes lie in one piece: a client that takes nothing can make a server queue some hundred
/// thousand answers of two bytes each, and an allocation for each would be many times their size.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    queue: VecDeque<Queued>,
    /// The packets of the queue, behind those that have left.
    bytes: Vec<u8>,
    /// How many of `bytes` have left.
    left: usize,
}

#[derive(Debug)]
enum Queued {
    Packet { kind: PacketKind, len: u32 },
    Close,
}

/// An empty queue keeps at most room for so many packets of so many bytes in all.
const KEPT_PACKETS: usize = 16;
const KEPT_BYTES: usize = 1024;

impl Outbox {
    /// How many bytes wait.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.len() - self.left
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub(super) fn push(
        &mut self,
        kind: PacketKind,
        write: impl FnOnce(&mut Vec<u8>) -> Result<usize, EncodeError>,
    ) -> Result<(), EncodeError> {
        let before = self.bytes.len();
        if let Err(error) = write(&mut self.bytes) {
            self.bytes.truncate(before);
            return Err(error);
        }
        let len = u32::try_from(self.bytes.len() - before);
        let len = len.expect("no MQTT packet is longer than 256 MB");
        self.queue.push_back(Queued::Packet { kind, len });
        Ok(())
    }

    pub(super) fn pop(&mut self, buffer: &mut Vec<u8>) -> Option<ServerTransmit> {
        Some(match self.queue.pop_front()? {
            Queued::Packet { kind, len } => {
                let len = usize::try_from(len).unwrap_or(usize::MAX);
                let packet = self.bytes.iter().skip(self.left).take(len);
                buffer.extend(packet);
                self.left += len;
                self.reclaim();
                ServerTransmit::Packet { kind, len }
            }
            Queued::Close => ServerTransmit::Close,
        })
    }

    /// Gives back the room of what has left, once it is at least half.
    fn reclaim(&mut self) {
        if self.left >= self.bytes.len() / 2 {
            self.bytes.drain(..self.left);
            self.left = 0;
        }
        if self.queue.is_empty() {
            self.queue.shrink_to(KEPT_PACKETS);
            self.bytes.shrink_to(KEPT_BYTES);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_leave_whole_and_in_order() {
        let mut outbox = Outbox::default();
        let push = |outbox: &mut Outbox, packet: &[u8]| {
            let kind = PacketKind::Publish;
            outbox.push(kind, |out| {
                out.extend_from_slice(packet);
                Ok(packet.len())
            })
        };
        let packets: Vec<Vec<u8>> = (0..=255).map(|n| vec![n; usize::from(n) + 1]).collect();
        let mut popped = Vec::new();
        let mut waiting = 0;
        for packet in &packets {
            push(&mut outbox, packet).unwrap();
            waiting += packet.len();
            // Two out of three leave at once.
            if packet.len() % 3 > 0 {
                let mut buffer = vec![b'!'];
                outbox.pop(&mut buffer).unwrap();
                waiting -= buffer.len() - 1;
                popped.push(buffer.split_off(1));
            }
            assert_eq!(outbox.bytes(), waiting);
        }
        // What cannot be encoded leaves no trace.
        let failed = outbox.push(PacketKind::Publish, |out| {
            out.push(b'?');
            Err(EncodeError::PacketIdMissing)
        });
        assert!(failed.is_err());
        assert_eq!(outbox.bytes(), waiting);
        while !outbox.is_empty() {
            let mut buffer = Vec::new();
            outbox.pop(&mut buffer).unwrap();
            popped.push(buffer);
        }
        assert_eq!(popped, packets);
        assert_eq!(outbox.bytes(), 0);
    }

    #[test]
    fn many_small_packets_take_little_more_than_their_bytes() {
        let mut outbox = Outbox::default();
        for _ in 0..100_000 {
            let pushed = outbox.push(PacketKind::PingResp, |out| {
                out.extend_from_slice(b"\xd0\x00");
                Ok(2)
            });
            pushed.unwrap();
        }
        let taken = outbox.bytes.capacity() + outbox.queue.capacity() * size_of::<Queued>();
        assert!(taken <= 10 * outbox.bytes(), "{taken}");
    }
}
