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
#[derive(Debug, Default)]
pub(super) struct Outbox {
    queue: VecDeque<Queued>,
    bytes: usize,
}

#[derive(Debug)]
enum Queued {
    Packet { kind: PacketKind, bytes: Vec<u8> },
    Close,
}

impl Outbox {
    /// How many bytes wait.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub(super) fn push(
        &mut self,
        kind: PacketKind,
        write: impl FnOnce(&mut Vec<u8>) -> Result<usize, EncodeError>,
    ) -> Result<(), EncodeError> {
        let mut bytes = Vec::new();
        self.bytes += write(&mut bytes)?;
        self.queue.push_back(Queued::Packet { kind, bytes });
        Ok(())
    }

    pub(super) fn pop(&mut self, buffer: &mut Vec<u8>) -> Option<ServerTransmit> {
        Some(match self.queue.pop_front()? {
            Queued::Packet { kind, bytes } => {
                self.bytes -= bytes.len();
                buffer.extend_from_slice(&bytes);
                let len = bytes.len();
                ServerTransmit::Packet { kind, len }
            }
            Queued::Close => ServerTransmit::Close,
        })
    }
}
