//! How an operation is repeated.

/// One operation of one subject, with all that it needs.
///
/// Its inputs lie in the value, out of the compiler's sight, and what comes out goes to
/// [`black_box`](std::hint::black_box), so that nothing can be worked out beforehand or left out.
pub trait Work {
    /// How many runs one preparation is good for.
    fn batch(&self) -> u32 {
        u32::MAX
    }

    /// Makes ready for [`batch`](Work::batch) runs. Is not measured.
    fn prepare(&mut self) {}

    /// The operation. What it gives is dropped in it.
    fn run(&mut self);

    /// Does it once more, prepared as for a run, and tells what came out in a form that all
    /// subjects share: this is how the tests see that they all do the same.
    fn outcome(&mut self) -> String;
}

/// Runs it `repetitions` times, each in `around`.
pub fn repeat(work: &mut dyn Work, repetitions: u32, mut around: impl FnMut(&mut dyn Work)) {
    let mut prepared = 0;
    for _ in 0..repetitions {
        if prepared == 0 {
            work.prepare();
            prepared = work.batch();
        }
        around(work);
        prepared -= 1;
    }
}

/// One run. Callgrind counts from the entry of this function to its return, and nothing else, so
/// neither preparations nor the loop are in the count. It finds it by this name.
#[inline(never)]
pub fn counted_run(work: &mut dyn Work) {
    work.run();
}

/// Packets written into a buffer that is used again.
pub(crate) struct Encoding<F> {
    pub(crate) buffer: Vec<u8>,
    pub(crate) encode: F,
}

impl<F: FnMut(&mut Vec<u8>)> Work for Encoding<F> {
    fn run(&mut self) {
        self.buffer.clear();
        (self.encode)(&mut self.buffer);
        std::hint::black_box(&self.buffer);
    }

    fn outcome(&mut self) -> String {
        self.run();
        self.buffer.escape_ascii().to_string()
    }
}

/// `encode` appends a packet to the buffer.
pub(crate) fn encoding(encode: impl FnMut(&mut Vec<u8>) + 'static) -> Box<dyn Work> {
    Box::new(Encoding {
        buffer: Vec::with_capacity(32 * 1024),
        encode,
    })
}

/// Packets read from the same bytes.
pub(crate) struct Decoding<F, G> {
    bytes: Vec<u8>,
    decode: F,
    describe: G,
}

impl<F: FnMut(&[u8]), G: FnMut(&[u8]) -> String> Work for Decoding<F, G> {
    fn run(&mut self) {
        (self.decode)(std::hint::black_box(&self.bytes));
    }

    fn outcome(&mut self) -> String {
        (self.describe)(&self.bytes)
    }
}

/// `decode` reads the packet and hands it to the black box; `describe` says what it read.
pub(crate) fn decoding(
    bytes: Vec<u8>,
    decode: impl FnMut(&[u8]) + 'static,
    describe: impl FnMut(&[u8]) -> String + 'static,
) -> Box<dyn Work> {
    Box::new(Decoding {
        bytes,
        decode,
        describe,
    })
}

/// Nothing at all.
pub(crate) struct Nothing;

impl Work for Nothing {
    fn run(&mut self) {}

    fn outcome(&mut self) -> String {
        String::new()
    }
}
