//! The packets that wait for the transport.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::fmt;

use zeroize::Zeroizing;

use crate::engine::QueuedTransmit;
use crate::mqtt::{self, EncodeError, PacketId, PacketKind};

/// What the driver has to do next on its transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Transmit {
    /// Open a connection, then call `handle_connected`, or `handle_disconnected` if that fails.
    Connect,
    /// Send the bytes that were appended to the buffer: one whole packet.
    Packet {
        /// Its kind.
        kind: PacketKind,
        /// Its packet id. A QoS 0 PUBLISH has one too, although it is not on the wire: one counter
        /// numbers everything that the application sends.
        packet_id: Option<PacketId>,
        /// How many bytes were appended.
        len: usize,
    },
    /// Close the connection, after what was sent before; or stop connecting. Do not answer with
    /// `handle_disconnected`.
    Close,
}

enum Item {
    Connect,
    /// CONNECT, in a buffer of its own. Seldom there, so boxed: an engine keeps room for an item.
    Login(Box<Zeroizing<Vec<u8>>>),
    Packet {
        kind: PacketKind,
        packet_id: Option<PacketId>,
        /// At most 268,435,460 (section 2.2.3).
        len: u32,
        ticket: Option<u64>,
    },
    Close,
}

/// A queue of packets, encoded one behind the other in one buffer that is used again.
///
/// CONNECT has a buffer of its own, which is wiped when the packet has left, or is dropped: there
/// can be a password in it. The common buffer grows and moves, and would leave copies behind.
#[derive(Default)]
pub(crate) struct Outbox {
    bytes: Vec<u8>,
    taken: usize,
    items: VecDeque<Item>,
    /// Bytes of waiting packets that answer one of the peer's.
    acknowledgements: usize,
}

/// Without the bytes: there may be a CONNECT with its password.
impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox")
            .field("items", &self.items.len())
            .finish_non_exhaustive()
    }
}

/// A buffer of at most this many bytes is kept when it has run empty; a larger one is given back.
const KEPT_BYTES: usize = 256;

/// Likewise of items: more than this seldom wait, and every idle engine holds as many.
const KEPT_ITEMS: usize = 1;

impl Outbox {
    pub(crate) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Bytes waiting.
    pub(crate) fn len(&self) -> usize {
        // Nothing is before it: what waited for an earlier connection is gone.
        let login = match self.items.front() {
            Some(Item::Login(login)) => login.len(),
            _ => 0,
        };
        login + self.bytes.len() - self.taken
    }

    /// Bytes waiting in PUBACK, PUBREC, PUBREL and PUBCOMP, of which the peer decides how many are
    /// pushed.
    pub(crate) fn acknowledgements(&self) -> usize {
        self.acknowledgements
    }

    /// Whether a packet of this kind waits.
    pub(crate) fn has(&self, wanted: PacketKind) -> bool {
        let is_wanted = |item: &Item| matches!(item, Item::Packet { kind, .. } if *kind == wanted);
        self.items.iter().any(is_wanted)
    }

    /// What waits, the next one first.
    pub(crate) fn inspect(&self) -> Vec<QueuedTransmit> {
        let items = self.items.iter();
        items
            .map(|item| match item {
                Item::Connect => QueuedTransmit::Connect,
                Item::Close => QueuedTransmit::Close,
                Item::Login(login) => QueuedTransmit::Packet {
                    kind: PacketKind::Connect,
                    bytes: login.len(),
                },
                Item::Packet { kind, len, .. } => QueuedTransmit::Packet {
                    kind: *kind,
                    bytes: *len as usize,
                },
            })
            .collect()
    }

    pub(crate) fn push_connect(&mut self) {
        self.push(Item::Connect);
    }

    pub(crate) fn push_close(&mut self) {
        self.push(Item::Close);
    }

    /// Appends CONNECT, unless it cannot be encoded. There is one on a link.
    pub(crate) fn push_login(&mut self, connect: &mqtt::Connect<'_>) -> Result<(), EncodeError> {
        // Encoding takes the memory for the whole packet at once.
        let mut login = Box::new(Zeroizing::new(Vec::new()));
        connect.encode(&mut login)?;
        self.push(Item::Login(login));
        Ok(())
    }

    /// Appends one packet that `write` encodes and measures, unless it cannot; `ticket` is told
    /// when it leaves.
    pub(crate) fn push_packet(
        &mut self,
        kind: PacketKind,
        packet_id: Option<PacketId>,
        ticket: Option<u64>,
        write: impl FnOnce(&mut Vec<u8>) -> Result<usize, EncodeError>,
    ) -> Result<(), EncodeError> {
        let len = write(&mut self.bytes)?;
        if is_acknowledgement(kind) {
            self.acknowledgements += len;
        }
        self.push(Item::Packet {
            kind,
            packet_id,
            len: len as u32,
            ticket,
        });
        Ok(())
    }

    /// Adds a packet that is no more than its kind: PINGREQ or DISCONNECT.
    pub(crate) fn push_bare(&mut self, kind: PacketKind) {
        let pushed = self.push_packet(kind, None, None, |out| Ok(kind.encode_bare(out)));
        debug_assert!(pushed.is_ok(), "it has a fixed form");
    }

    fn push(&mut self, item: Item) {
        if self.items.capacity() == 0 {
            self.items.reserve_exact(KEPT_ITEMS);
        }
        self.items.push_back(item);
    }

    /// Drops everything that waits, as its link is gone.
    pub(crate) fn clear(&mut self) {
        *self = Outbox::default();
    }

    /// Takes the packet with this ticket out of the queue, if it has not left yet.
    pub(crate) fn withdraw(&mut self, wanted: u64) -> bool {
        let mut start = self.taken;
        for (index, item) in self.items.iter().enumerate() {
            let Item::Packet { len, ticket, .. } = item else {
                continue;
            };
            let len = *len as usize;
            if *ticket == Some(wanted) {
                self.bytes.drain(start..start + len);
                // Each to the end, but for the one: what VecDeque has for it takes 400 bytes.
                for place in 0..self.items.len() {
                    let item = self.items.pop_front().filter(|_| place != index);
                    self.items.extend(item);
                }
                return true;
            }
            start += len;
        }
        false
    }

    /// The next thing to do; a packet's bytes are appended to `buffer`. Also the ticket of a packet
    /// that now leaves.
    pub(crate) fn pop(&mut self, buffer: &mut Vec<u8>) -> Option<(Transmit, Option<u64>)> {
        let (transmit, ticket) = match self.items.pop_front()? {
            Item::Connect => (Transmit::Connect, None),
            Item::Close => (Transmit::Close, None),
            Item::Login(login) => {
                buffer.extend_from_slice(&login);
                let packet = Transmit::Packet {
                    kind: PacketKind::Connect,
                    packet_id: None,
                    len: login.len(),
                };
                (packet, None)
            }
            Item::Packet {
                kind,
                packet_id,
                len,
                ticket,
            } => {
                let len = len as usize;
                let end = self.taken + len;
                buffer.extend_from_slice(self.bytes.get(self.taken..end).unwrap_or_default());
                self.taken = end;
                if is_acknowledgement(kind) {
                    self.acknowledgements -= len;
                }
                (
                    Transmit::Packet {
                        kind,
                        packet_id,
                        len,
                    },
                    ticket,
                )
            }
        };
        if self.taken == self.bytes.len() {
            self.taken = 0;
            self.bytes.clear();
            if self.bytes.capacity() > KEPT_BYTES {
                self.bytes = Vec::new();
            }
        }
        if self.items.is_empty() && self.items.capacity() > KEPT_ITEMS {
            self.items = VecDeque::new();
        }
        Some((transmit, ticket))
    }
}

fn is_acknowledgement(kind: PacketKind) -> bool {
    use PacketKind::{PubAck, PubComp, PubRec, PubRel};
    matches!(kind, PubAck | PubRec | PubRel | PubComp)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(outbox: &mut Outbox, bytes: &[u8], ticket: u64) {
        let write = |out: &mut Vec<u8>| {
            out.extend_from_slice(bytes);
            Ok(bytes.len())
        };
        outbox
            .push_packet(PacketKind::Publish, None, Some(ticket), write)
            .unwrap();
    }

    fn drain(outbox: &mut Outbox) -> (Vec<u8>, Vec<u64>) {
        let (mut bytes, mut tickets) = (Vec::new(), Vec::new());
        while let Some((_, ticket)) = outbox.pop(&mut bytes) {
            tickets.extend(ticket);
        }
        (bytes, tickets)
    }

    #[test]
    fn leaves_in_order() {
        let mut outbox = Outbox::default();
        outbox.push_connect();
        packet(&mut outbox, b"one", 1);
        packet(&mut outbox, b"two", 2);
        outbox.push_close();
        let mut bytes = Vec::new();
        assert_eq!(outbox.pop(&mut bytes), Some((Transmit::Connect, None)));
        let first = Transmit::Packet {
            kind: PacketKind::Publish,
            packet_id: None,
            len: 3,
        };
        assert_eq!(outbox.pop(&mut bytes), Some((first, Some(1))));
        assert_eq!(outbox.len(), 3);
        assert_eq!(outbox.pop(&mut bytes), Some((first, Some(2))));
        assert_eq!(outbox.pop(&mut bytes), Some((Transmit::Close, None)));
        assert_eq!(outbox.pop(&mut bytes), None);
        assert_eq!(bytes, b"onetwo");
    }

    fn connect(password: &[u8]) -> mqtt::Connect<'_> {
        mqtt::Connect {
            version: mqtt::ProtocolVersion::V311,
            client_id: "id",
            clean_session: true,
            keep_alive: 60,
            user_name: Some("user"),
            password: Some(password),
            will: None,
        }
    }

    /// What safe code can see of it: the password is in no buffer but the one that is wiped.
    #[test]
    fn a_password_is_in_one_buffer_only_and_that_is_wiped() {
        fn wipes<T: zeroize::ZeroizeOnDrop>(_: &T) {}
        let holds = |buffer: &[u8]| buffer.windows(6).any(|part| part == b"s3cret");
        let mut outbox = Outbox::default();
        outbox.push_login(&connect(b"s3cret")).unwrap();
        let Some(Item::Login(login)) = outbox.items.front() else {
            panic!("it is first");
        };
        wipes(&**login);
        let size = login.len();
        assert!(holds(login) && size == login.capacity(), "it never moved");
        packet(&mut outbox, b"one", 1);
        assert_eq!(outbox.len(), size + 3);
        assert!(!holds(&outbox.bytes));
        assert!(outbox.withdraw(1));
        let (sent, _) = drain(&mut outbox);
        assert!(holds(&sent) && sent.len() == size);
        assert_eq!(outbox.len(), 0);
    }

    #[test]
    fn a_connect_that_cannot_be_encoded_leaves_nothing() {
        let mut outbox = Outbox::default();
        let password = alloc::vec![b'x'; 65_536];
        assert!(outbox.push_login(&connect(&password)).is_err());
        assert!(outbox.is_empty());
        assert_eq!(outbox.len(), 0, "no bytes either");
    }

    #[test]
    fn withdraws_only_what_has_not_left() {
        let mut outbox = Outbox::default();
        packet(&mut outbox, b"one", 1);
        packet(&mut outbox, b"second", 2);
        packet(&mut outbox, b"3", 3);
        let mut bytes = Vec::new();
        outbox.pop(&mut bytes);
        assert!(!outbox.withdraw(1));
        assert!(outbox.withdraw(2));
        assert_eq!(drain(&mut outbox), (b"3".to_vec(), alloc::vec![3]));
    }

    #[test]
    fn a_large_buffer_is_given_back() {
        let mut outbox = Outbox::default();
        packet(&mut outbox, &[0; 10_000], 1);
        drain(&mut outbox);
        assert!(outbox.bytes.capacity() <= KEPT_BYTES);
    }

    #[test]
    fn a_long_queue_is_given_back_and_a_short_one_kept() {
        let mut outbox = Outbox::default();
        packet(&mut outbox, b"one", 1);
        drain(&mut outbox);
        let kept = outbox.items.capacity();
        assert!((1..=KEPT_ITEMS).contains(&kept));
        for ticket in 0..50 {
            packet(&mut outbox, b"one", ticket);
        }
        drain(&mut outbox);
        assert!(outbox.items.capacity() <= KEPT_ITEMS);
    }
}
