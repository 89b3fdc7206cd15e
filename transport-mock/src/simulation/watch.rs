//! What the cloud's server sees of its clients, apart from shadows.

use super::Simulation;
use super::fault::FaultKind;
use crate::server::{Departure, Message, Refusal, ServerEvent};
use crate::trace::LineKind;

/// What a player has to know of it.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// Messages on topics that are no shadow's, with their client's id, as they came.
    pub(super) messages: Vec<(String, Message)>,
    /// What no server may see of a client that obeys the protocol.
    pub(super) offences: Vec<String>,
}

impl Simulation {
    /// Watches the server from now on.
    pub(super) fn watch(&mut self) {
        self.watch = Some(Watch::default());
    }

    /// What was seen since this was last asked.
    pub(super) fn take_watch(&mut self) -> Watch {
        self.watch.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Counts, keeps and traces what the server tells.
    pub(super) fn heed(&mut self, event: ServerEvent) {
        if let ServerEvent::Refused { refusal, .. } = event {
            match refusal {
                Refusal::Ordered(code) => {
                    let kind = FaultKind::login_refused(code as u8);
                    self.network.counts.count(kind);
                }
                Refusal::Expired => self.network.counts.count(FaultKind::WrongClock),
                _ => {}
            }
        }
        if let Some(watch) = &mut self.watch
            && is_offence(&event)
        {
            watch.offences.push(format!("{event:?}"));
        }
        if let ServerEvent::Published { client_id, message } = event {
            if let Some(watch) = &mut self.watch
                && !message.topic.starts_with('$')
            {
                watch.messages.push((client_id, message));
            }
            return;
        }
        self.note_with(LineKind::Cloud, || format!("cloud ! {event}"));
    }
}

/// Whatever is cut, delayed or swallowed: what arrives is the beginning of what a client sent.
fn is_offence(event: &ServerEvent) -> bool {
    match event {
        ServerEvent::Refused { refusal, .. } => !matches!(
            refusal,
            Refusal::Ordered(_)
                | Refusal::Expired
                | Refusal::Stopped
                | Refusal::ClosedByPeer
                | Refusal::NoConnect
        ),
        ServerEvent::Disconnected { departure, .. } => {
            matches!(departure, Departure::Malformed(_) | Departure::Violation(_))
        }
        ServerEvent::Subscribed { granted, .. } => granted.is_none(),
        ServerEvent::PublishForbidden { .. } => true,
        _ => false,
    }
}
