//! Fragments of IP packets, put together (RFC 791 section 3.2, RFC 8200 section 4.5).

use std::collections::BTreeMap;

use etherparse::IpNumber;
use etherparse::defrag::IpDefragBuf;

use super::packet::{Fragment, PacketKey};

/// Most packets that wait for fragments, each of at most 64 KiB.
const MAX_PACKETS: usize = 64;
/// How long a packet waits for its last fragment: as long as Linux waits.
const PATIENCE_MICROS: u64 = 30_000_000;

/// Packets of which fragments are missing.
#[derive(Default)]
pub(super) struct Fragments {
    packets: BTreeMap<PacketKey, Packet>,
}

struct Packet {
    at_micros: u64,
    buffer: IpDefragBuf,
    /// The fragment with the TCP header.
    first: Option<Vec<u8>>,
    frames: usize,
    /// Whether it was put together, and all that comes may be captured twice.
    completed: bool,
}

impl Packet {
    fn new(at_micros: u64) -> Self {
        Packet {
            at_micros,
            buffer: IpDefragBuf::new(IpNumber::TCP, Vec::new(), Vec::new()),
            first: None,
            frames: 0,
            completed: false,
        }
    }
}

/// What came of fragments.
pub(super) struct Payload {
    pub(super) packet: PacketKey,
    pub(super) bytes: Vec<u8>,
    /// How many bytes are missing at its end, at least.
    pub(super) cut: usize,
    /// How many frames it was in.
    pub(super) frames: usize,
}

impl Fragments {
    /// Takes a fragment. Returns packets that were given up, then the one that it completes.
    pub(super) fn add(&mut self, at_micros: u64, fragment: &Fragment<'_>) -> Vec<Payload> {
        let mut done = Vec::new();
        let late = |packet: &Packet| at_micros.saturating_sub(packet.at_micros) > PATIENCE_MICROS;
        while let Some(key) = self.packets.iter().find(|(_, packet)| late(packet)) {
            let key = *key.0;
            done.extend(self.give_up(key));
        }
        if self.packets.len() == MAX_PACKETS && !self.packets.contains_key(&fragment.packet) {
            let oldest = self
                .packets
                .iter()
                .min_by_key(|(_, packet)| packet.at_micros);
            if let Some(key) = oldest.map(|(key, _)| *key) {
                done.extend(self.give_up(key));
            }
        }
        let packet = self
            .packets
            .entry(fragment.packet)
            .or_insert_with(|| Packet::new(at_micros));
        packet.frames += 1;
        if fragment.offset.value() == 0 && packet.first.is_none() {
            packet.first = Some(fragment.payload.to_vec());
        }
        // A fragment that is cut short, or contradicts the others, leaves a hole.
        let added = !fragment.cut
            && packet
                .buffer
                .add(fragment.offset, fragment.more, fragment.payload)
                .is_ok();
        if added && packet.buffer.is_complete() {
            let again = Packet {
                completed: true,
                ..Packet::new(at_micros)
            };
            let packet = std::mem::replace(packet, again);
            done.push(Payload {
                packet: fragment.packet,
                bytes: packet.buffer.take_bufs().0,
                cut: 0,
                frames: packet.frames,
            });
        }
        done
    }

    /// What is left at the end of the capture.
    pub(super) fn finish(mut self) -> Vec<Payload> {
        let keys: Vec<_> = self.packets.keys().copied().collect();
        keys.into_iter()
            .filter_map(|key| self.give_up(key))
            .collect()
    }

    /// The beginning of a packet that lacks fragments.
    fn give_up(&mut self, key: PacketKey) -> Option<Payload> {
        let packet = self
            .packets
            .remove(&key)
            .filter(|packet| !packet.completed)?;
        let bytes = packet.first.unwrap_or_default();
        let end = packet.buffer.end().map_or(0, usize::from);
        Some(Payload {
            packet: key,
            cut: end.saturating_sub(bytes.len()).max(1),
            bytes,
            frames: packet.frames,
        })
    }
}
