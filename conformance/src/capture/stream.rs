//! One side's bytes, put in order by their sequence numbers (RFC 9293 section 3.4).

use std::collections::BTreeMap;

/// Most bytes of one stream that wait for missing ones before them.
const MAX_WAITING: usize = 1 << 20;
/// Most segments that they may be in.
const MAX_WAITING_SEGMENTS: usize = 1024;

/// One side's bytes.
///
/// Of bytes that were sent more than once, those that came first in the capture count.
#[derive(Default)]
pub(super) struct Stream {
    /// Sequence number of the next byte to deliver; none before anything tells where it begins.
    next: Option<u32>,
    /// Segments ahead of `next`, by sequence number.
    waiting: BTreeMap<u32, Vec<u8>>,
    waiting_bytes: usize,
    /// Whether a segment was dropped because too much was waiting.
    lossy: bool,
    /// How many bytes were in those.
    dropped: usize,
    /// Where it began.
    first: Option<u32>,
    /// One past the last byte that was sent, as far as segments and a FIN tell.
    end: Option<u32>,
    /// What the other side has, a FIN included.
    acknowledged: Option<u32>,
    /// Whether a FIN was seen.
    finished: bool,
}

impl Stream {
    /// Where the stream begins or goes on, unless it is known.
    pub(super) fn begin(&mut self, sequence: u32) {
        self.next.get_or_insert(sequence);
        self.first.get_or_insert(sequence);
    }

    /// Whether the stream may begin here: it does, or nothing of it was seen.
    pub(super) fn may_begin(&self, sequence: u32) -> bool {
        self.first.is_none_or(|first| first == sequence)
    }

    /// Whether a segment with this number may be of this stream: within 64 MiB, which is more than
    /// anything sends ahead of what was acknowledged.
    pub(super) fn is_near(&self, sequence: u32) -> bool {
        const NEAR: u32 = 1 << 26;
        self.next.is_none_or(|next| {
            let ahead = sequence.wrapping_sub(next);
            ahead < NEAR || ahead.wrapping_neg() < NEAR
        })
    }

    /// Takes a segment; returns what can be delivered now.
    pub(super) fn take(&mut self, sequence: u32, payload: &[u8]) -> Vec<u8> {
        let mut delivered = Vec::new();
        if payload.is_empty() {
            return delivered;
        }
        self.begin(sequence);
        let next = self.next.unwrap_or(sequence);
        match new_part(next, sequence, payload) {
            Part::Next(bytes) => {
                delivered.extend_from_slice(bytes);
                self.next = Some(advance(next, bytes.len()));
                self.take_waiting(&mut delivered);
            }
            Part::Early => self.keep(sequence, payload),
            Part::Old => {}
        }
        delivered
    }

    /// Sequence number of the first of the last `length` bytes that were delivered.
    pub(super) fn start_of(&self, length: usize) -> Option<u32> {
        let next = self.next?;
        Some(next.wrapping_sub(advance(0, length)))
    }

    /// Notes that the side has sent everything before this number.
    pub(super) fn reaches(&mut self, sequence: u32) {
        later(&mut self.end, sequence);
    }

    /// Notes that the side has sent everything before this number, and will send no more.
    pub(super) fn finishes(&mut self, sequence: u32) {
        self.reaches(sequence);
        self.finished = true;
    }

    /// Notes that the other side has everything before this number.
    pub(super) fn acknowledged(&mut self, sequence: u32) {
        self.begin(sequence);
        later(&mut self.acknowledged, sequence);
    }

    /// Whether bytes are missing that were sent.
    pub(super) fn has_gap(&self) -> bool {
        let Some(next) = self.next else {
            return false;
        };
        // A FIN has a number too: one more than the bytes is acknowledged.
        let last = advance(next, usize::from(self.finished));
        let beyond = |end: Option<u32>, next| end.is_some_and(|end| is_ahead(end, next));
        self.lossy
            || !self.waiting.is_empty()
            || beyond(self.end, next)
            || beyond(self.acknowledged, last)
    }

    /// How many bytes wait for others, and in how many segments.
    pub(super) fn waiting(&self) -> (usize, usize) {
        (self.waiting_bytes, self.waiting.len())
    }

    /// How many bytes came and cannot be delivered, for what is missing before them.
    pub(super) fn undelivered(&self) -> usize {
        self.waiting_bytes.saturating_add(self.dropped)
    }

    fn keep(&mut self, sequence: u32, payload: &[u8]) {
        let known = self.waiting.get(&sequence).map_or(0, Vec::len);
        if payload.len() <= known {
            return;
        }
        let full = known == 0 && self.waiting.len() == MAX_WAITING_SEGMENTS;
        if full || self.waiting_bytes - known + payload.len() > MAX_WAITING {
            self.lossy = true;
            self.dropped = self.dropped.saturating_add(payload.len());
            return;
        }
        self.waiting_bytes += payload.len() - known;
        self.waiting.insert(sequence, payload.to_vec());
    }

    /// Delivers what waited for the bytes before it.
    fn take_waiting(&mut self, delivered: &mut Vec<u8>) {
        while let Some(next) = self.next {
            let due = self
                .waiting
                .iter()
                .find(|(sequence, bytes)| !matches!(new_part(next, **sequence, bytes), Part::Early))
                .map(|(sequence, _)| *sequence);
            let Some(bytes) = due.and_then(|sequence| self.waiting.remove(&sequence)) else {
                return;
            };
            self.waiting_bytes -= bytes.len();
            if let Some(Part::Next(bytes)) = due.map(|sequence| new_part(next, sequence, &bytes)) {
                delivered.extend_from_slice(bytes);
                self.next = Some(advance(next, bytes.len()));
            }
        }
    }
}

/// What a segment has for a stream.
enum Part<'a> {
    /// These bytes come next.
    Next(&'a [u8]),
    /// Bytes before it are missing.
    Early,
    /// All of it was delivered before.
    Old,
}

fn new_part(next: u32, sequence: u32, payload: &[u8]) -> Part<'_> {
    if is_ahead(sequence, next) {
        return Part::Early;
    }
    match usize::try_from(next.wrapping_sub(sequence))
        .ok()
        .and_then(|behind| payload.get(behind..))
    {
        Some(bytes) if !bytes.is_empty() => Part::Next(bytes),
        _ => Part::Old,
    }
}

fn later(known: &mut Option<u32>, sequence: u32) {
    if known.is_none_or(|known| is_ahead(sequence, known)) {
        *known = Some(sequence);
    }
}

/// Compares modulo 2^32: a number is ahead if it is less than 2^31 ahead.
pub(super) fn is_ahead(a: u32, b: u32) -> bool {
    b.wrapping_sub(a) > u32::MAX / 2
}

pub(super) fn advance(sequence: u32, length: usize) -> u32 {
    // A frame of a capture is far below 4 GiB.
    sequence.wrapping_add(u32::try_from(length).unwrap_or(u32::MAX))
}
