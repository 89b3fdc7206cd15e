//! What goes wrong with a byte stream, as data.

use std::collections::VecDeque;

/// A fault in one direction of a stream. Bytes are counted from 0, as they are written.
///
/// A test says beforehand what will happen, so that the same run can be had again. Several faults
/// may hold at a time; of two of one kind the later one counts.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The connection breaks as soon as this many bytes were written: they still arrive, then both
    /// ends, in both directions, get [`ConnectionReset`](std::io::ErrorKind::ConnectionReset) when
    /// they read and [`BrokenPipe`](std::io::ErrorKind::BrokenPipe) when they write. With 0 it is
    /// broken from the start.
    CutAfter(u64),
    /// After this many bytes nothing arrives any more, and nobody is told: the writer may go on
    /// until the buffer is full, as with a cable that was pulled.
    StallAfter(u64),
    /// After this many bytes the reader sees the end of the stream, as if the writer had closed it
    /// in order; the writer gets [`BrokenPipe`](std::io::ErrorKind::BrokenPipe). The other
    /// direction goes on.
    EndAfter(u64),
    /// One read gives at most this many bytes: the sizes are used in turn, over and over. A 0
    /// counts as 1; no size at all is no fault.
    SplitReads(Vec<usize>),
    /// One write takes at most this many bytes: the sizes are used in turn, over and over. A 0
    /// counts as 1; no size at all is no fault.
    SplitWrites(Vec<usize>),
}

/// The faults of both directions of one connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// From the first stream of the pair (the client's) to the second (the server's).
    pub to_server: Vec<Fault>,
    /// From the second stream of the pair to the first.
    pub to_client: Vec<Fault>,
}

/// The faults of one direction, in the form that the pipe asks for.
#[derive(Debug, Default)]
pub(super) struct Script {
    pub(super) cut_after: Option<u64>,
    pub(super) stall_after: Option<u64>,
    pub(super) end_after: Option<u64>,
    reads: VecDeque<usize>,
    writes: VecDeque<usize>,
}

impl Script {
    pub(super) fn new(faults: Vec<Fault>) -> Script {
        let mut script = Script::default();
        for fault in faults {
            match fault {
                Fault::CutAfter(bytes) => script.cut_after = Some(bytes),
                Fault::StallAfter(bytes) => script.stall_after = Some(bytes),
                Fault::EndAfter(bytes) => script.end_after = Some(bytes),
                Fault::SplitReads(sizes) => script.reads = sizes.into(),
                Fault::SplitWrites(sizes) => script.writes = sizes.into(),
            }
        }
        script
    }

    /// How many bytes the next read may give.
    pub(super) fn next_read(&mut self) -> usize {
        next(&mut self.reads)
    }

    /// How many bytes the next write may take.
    pub(super) fn next_write(&mut self) -> usize {
        next(&mut self.writes)
    }
}

fn next(sizes: &mut VecDeque<usize>) -> usize {
    let Some(size) = sizes.pop_front() else {
        return usize::MAX;
    };
    sizes.push_back(size);
    size.max(1)
}
