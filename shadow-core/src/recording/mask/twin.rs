//! The engine that a masked recording is of.

use alloc::vec::Vec;

use super::Mask;
use super::masker::Masker;
use super::stream::Stream;
use crate::config::Config;
use crate::engine::Engine;
use crate::event::Event;
use crate::mqtt::PacketKind;
use crate::mqtt::link::Transmit;
use crate::recording::event;
use crate::recording::input::{Input, Start};
use crate::recording::{Recorder, Sink};
use crate::session::Session;
use crate::time::Instant;

/// A recorded engine that is fed what another is fed, masked, and polled where that is polled.
pub(in crate::recording) struct Twin<S> {
    masker: Masker,
    stream: Stream,
    recorder: Recorder<S>,
    /// Whether it has done as the other did so far.
    faithful: bool,
    /// What it sends, which goes nowhere; kept for its memory.
    buffer: Vec<u8>,
}

impl<S: Sink> Twin<S> {
    /// The twin of an engine made of this; `None` when there is nothing to mask.
    pub(in crate::recording) fn new(
        config: &Config,
        session: &Session,
        seed: u64,
        now: Instant,
        mask: Mask,
        sink: S,
    ) -> Result<Twin<S>, S> {
        let Some(key) = mask.key() else {
            return Err(sink);
        };
        let masker = Masker::new(mask, key, config, session);
        let Start {
            config,
            session,
            seed,
        } = masker.start(config, session, seed);
        let applied = Mask::applied(mask.hides_names(), mask.hides_values());
        Ok(Twin {
            masker,
            stream: Stream::new(&config),
            recorder: Recorder::new(config, session, seed, now, applied, sink),
            faithful: true,
            buffer: Vec::new(),
        })
    }

    /// The twin gets an input before `original` does.
    pub(in crate::recording) fn input(&mut self, now: Instant, original: &Engine, input: Input) {
        let same = self.recorder.poll_deadline() == original.poll_deadline()
            && self.recorder.has_output() == original.has_output();
        self.check(same, "deadline");
        match input {
            Input::Bytes(bytes) => return self.bytes(now, original, &bytes),
            Input::Connected if !original.is_open() => self.stream.restart(),
            _ => {}
        }
        let input = match input {
            Input::Disconnected(failure) => Input::Disconnected(self.masker.failure(failure)),
            Input::Request(request) => Input::Request(self.masker.request(request)),
            input => input,
        };
        input.apply(now, &mut self.recorder);
    }

    /// What completes no packet counts as well: it shows that the peer is alive.
    pub(in crate::recording) fn bytes(&mut self, now: Instant, original: &Engine, bytes: &[u8]) {
        let mut masked = Vec::new();
        // Nobody reads what comes without a link.
        if original.is_open() {
            self.stream.mask(bytes, &self.masker, &mut masked);
        }
        self.recorder.handle_received(now, &masked);
    }

    /// `original` was polled and gave this.
    pub(in crate::recording) fn poll_transmit(&mut self, now: Instant, expected: Option<Transmit>) {
        self.buffer.clear();
        let found = self.recorder.poll_transmit(now, &mut self.buffer);
        // Passwords are replaced by one of another length.
        let form = |transmit: Transmit| match transmit {
            Transmit::Packet {
                kind: kind @ PacketKind::Connect,
                packet_id,
                ..
            } => Transmit::Packet {
                kind,
                packet_id,
                len: 0,
            },
            transmit => transmit,
        };
        self.check(found.map(form) == expected.map(form), "packet");
    }

    /// `original` was polled and gave this.
    pub(in crate::recording) fn poll_event(&mut self, expected: Option<&Event>) {
        let found = self.recorder.poll_event();
        self.check(
            found.as_ref().map(event::name) == expected.map(event::name),
            "event",
        );
    }

    fn check(&mut self, same: bool, what: &str) {
        if !same && self.faithful {
            self.faithful = false;
            self.recorder.note_unfaithful(what);
        }
    }

    pub(in crate::recording) fn sink_mut(&mut self) -> Option<&mut S> {
        self.recorder.sink_mut()
    }

    pub(in crate::recording) fn finish(self) -> Option<S> {
        self.recorder.finish().1
    }
}
