//! A byte stream cut into packets that keep their bytes.

/// Puts the pieces of a stream together to packets.
#[derive(Debug, Default)]
pub(super) struct Framer {
    held: Vec<u8>,
    /// Whether there are no packet boundaries any more.
    broken: bool,
}

/// What a piece of a stream holds.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// A packet that is complete, with what came of it before.
    Packet(Vec<u8>),
    /// The bytes of a packet that goes on; those of this piece alone.
    Beginning(Vec<u8>),
    /// Bytes behind something that has no length.
    Opaque(Vec<u8>),
}

impl Framer {
    /// Takes the next piece off the front of `rest`; `None` when it is used up.
    pub(super) fn next(&mut self, rest: &mut &[u8]) -> Option<Piece> {
        if rest.is_empty() {
            return None;
        }
        if self.broken {
            return Some(Piece::Opaque(std::mem::take(rest).to_vec()));
        }
        let before = self.held.len();
        loop {
            let needed = match size(&self.held) {
                Ok(Some(size)) => size,
                Ok(None) => self.held.len() + 1,
                Err(()) => {
                    self.broken = true;
                    let mut bytes = self.held.split_off(before);
                    bytes.extend_from_slice(std::mem::take(rest));
                    self.held = Vec::new();
                    return Some(Piece::Opaque(bytes));
                }
            };
            if self.held.len() == needed {
                return Some(Piece::Packet(std::mem::take(&mut self.held)));
            }
            let missing = (needed - self.held.len()).min(rest.len());
            let (taken, left) = rest.split_at(missing);
            self.held.extend_from_slice(taken);
            *rest = left;
            if taken.is_empty() {
                let new = self.held.get(before..).unwrap_or_default();
                return Some(Piece::Beginning(new.to_vec()));
            }
        }
    }
}

/// The size of the packet that begins with these bytes, once that is known. An error if its length
/// takes more than four bytes (MQTT section 2.2.3).
fn size(bytes: &[u8]) -> Result<Option<usize>, ()> {
    let mut remaining = 0;
    for (index, byte) in bytes.iter().skip(1).take(4).enumerate() {
        remaining |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Ok(Some(index + 2 + remaining));
        }
    }
    if bytes.len() > 4 { Err(()) } else { Ok(None) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(framer: &mut Framer, bytes: &[u8]) -> Vec<Piece> {
        let mut rest = bytes;
        std::iter::from_fn(|| framer.next(&mut rest)).collect()
    }

    #[test]
    fn any_cutting_gives_the_same_packets() {
        // CONNACK, PINGRESP, and a PUBLISH of 200 bytes, whose length takes two.
        let mut stream = vec![0x20, 2, 0, 0, 0xd0, 0, 0x30, 0xc8, 1, 0, 1, b't'];
        stream.resize(stream.len() + 197, b'x');
        let whole = pieces(&mut Framer::default(), &stream);
        assert_eq!(whole.len(), 3);
        assert_eq!(whole[0], Piece::Packet(vec![0x20, 2, 0, 0]));
        assert_eq!(whole[1], Piece::Packet(vec![0xd0, 0]));
        for first in 0..stream.len() {
            let mut framer = Framer::default();
            let mut found = pieces(&mut framer, &stream[..first]);
            let held: usize = found
                .iter()
                .map(|piece| match piece {
                    Piece::Packet(bytes) | Piece::Beginning(bytes) | Piece::Opaque(bytes) => {
                        bytes.len()
                    }
                })
                .sum();
            assert_eq!(held, first);
            found.extend(pieces(&mut framer, &stream[first..]));
            found.retain(|piece| matches!(piece, Piece::Packet(_)));
            assert_eq!(found, whole, "{first}");
        }
    }

    #[test]
    fn a_length_without_an_end_ends_the_packets() {
        let mut framer = Framer::default();
        assert_eq!(
            pieces(&mut framer, &[0xd0, 0, 0x30, 0xff, 0xff]),
            [
                Piece::Packet(vec![0xd0, 0]),
                Piece::Beginning(vec![0x30, 0xff, 0xff])
            ]
        );
        assert_eq!(
            pieces(&mut framer, &[0xff, 0xff, 1, 0xd0, 0]),
            [Piece::Opaque(vec![0xff, 0xff, 1, 0xd0, 0])]
        );
        assert_eq!(pieces(&mut framer, &[0xd0]), [Piece::Opaque(vec![0xd0])]);
    }
}
