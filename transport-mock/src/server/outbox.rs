//! What waits to leave on a connection.

use std::collections::VecDeque;

use shadow_core::mqtt::{EncodeError, PacketKind};

use super::ServerTransmit;

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

    /// Nothing is to follow.
    pub(super) fn push_close(&mut self) {
        self.queue.push_back(Queued::Close);
    }

    pub(super) fn pop(&mut self, buffer: &mut Vec<u8>) -> Option<ServerTransmit> {
        Some(match self.queue.pop_front()? {
            Queued::Packet { kind, len } => {
                let len = usize::try_from(len).unwrap_or(usize::MAX);
                let end = self.left.saturating_add(len);
                let packet = self.bytes.get(self.left..end);
                buffer.extend_from_slice(packet.unwrap_or_default());
                self.left = end;
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
    }

    /// Gives back the room beyond what an empty one keeps.
    pub(super) fn shrink(&mut self) {
        self.queue.shrink_to(KEPT_PACKETS);
        self.bytes.shrink_to(KEPT_BYTES);
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
