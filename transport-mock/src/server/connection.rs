//! One network connection of a client.

use std::sync::Arc;
use std::time::Duration;

use shadow_core::Instant;
use shadow_core::mqtt::{Oversized, ProtocolVersion, StreamDecoder};

use super::authorization::Role;
use super::outbox::Outbox;

/// What dies with the connection. What waits to leave on it lies beside it, in
/// [`Connections`](super::connections::Connections).
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) phase: Phase,
    /// The beginning of a packet; `None` while there is none.
    partial: Option<Box<StreamDecoder>>,
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
    pub(super) client_id: Arc<str>,
    pub(super) role: Role,
    pub(super) version: ProtocolVersion,
    pub(super) clean_session: bool,
    /// What the client asked for, in seconds; 0 for none.
    pub(super) keep_alive: u16,
    /// When its last packet came.
    pub(super) heard: Instant,
}

impl Connection {
    pub(super) fn new(deadline: Instant) -> Connection {
        Connection {
            phase: Phase::Opening { deadline },
            partial: None,
        }
    }

    /// When the server closes the connection if nothing comes: for one that is online, one and a
    /// half times its keep alive after its last packet.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match &self.phase {
            Phase::Opening { deadline } => Some(*deadline),
            Phase::Online(online) => {
                let keep_alive = Duration::from_secs(online.keep_alive.into());
                (!keep_alive.is_zero()).then(|| online.heard + keep_alive * 3 / 2)
            }
            Phase::Closing => None,
        }
    }

    pub(super) fn online(&self) -> Option<&Online> {
        match &self.phase {
            Phase::Online(online) => Some(online),
            Phase::Opening { .. } | Phase::Closing => None,
        }
    }

    /// The decoder, to take the next packet with and to be handed back to
    /// [`put_decoder`](Self::put_decoder); `None` once nothing more is read.
    ///
    /// Between two packets there is none to keep: a decoder that holds no bytes is as good as a
    /// new one.
    pub(super) fn take_decoder(&mut self, maximum_packet_size: usize) -> Option<StreamDecoder> {
        let version = match &self.phase {
            Phase::Closing => return None,
            Phase::Opening { .. } => ProtocolVersion::V311,
            Phase::Online(online) => online.version,
        };
        Some(match self.partial.take() {
            Some(decoder) => *decoder,
            None => StreamDecoder::new(version, maximum_packet_size, Oversized::Refuse),
        })
    }

    pub(super) fn put_decoder(&mut self, decoder: StreamDecoder) {
        if decoder.buffered() > 0 && !matches!(self.phase, Phase::Closing) {
            self.partial = Some(Box::new(decoder));
        }
    }

    /// Ends the connection once all that is queued has left.
    pub(super) fn close(&mut self, outbox: &mut Outbox) {
        self.partial = None;
        self.phase = Phase::Closing;
        outbox.push_close();
    }
}
