//! What survives a link, and the engine too.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use crate::mqtt::QoS;
use crate::mqtt::session::SessionState;
use crate::random::Random;

/// What survives the link: packet ids and unacknowledged messages, plain subscriptions, and the
/// numbering of client tokens. What dies with a link is not here.
///
/// Hand a new one to the first engine of a device, and that of
/// [`Engine::into_session`](crate::Engine::into_session) to the next.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Session {
    pub(crate) mqtt: SessionState,
    pub(crate) subscriptions: Vec<Subscription>,
    nonce: Option<Box<str>>,
    next_token: u64,
}

/// Letters and digits that tell this session's tokens from others'.
const NONCE_LENGTH: usize = 8;

/// A plain subscription that the server granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Subscription {
    pub(crate) filter: String,
    pub(crate) qos: QoS,
}

impl Session {
    /// A session that has seen nothing.
    #[must_use]
    pub fn new() -> Session {
        Session::default()
    }

    /// A new session whose first packet id is `packet_id`, for replaying a recording that begins in
    /// the middle.
    #[must_use]
    pub fn starting_at(packet_id: u16) -> Session {
        Session {
            mqtt: SessionState::starting_at(packet_id),
            ..Session::default()
        }
    }

    /// Keeps a granted subscription for the links to come.
    pub(crate) fn remember_subscription(&mut self, filter: &str, qos: QoS) {
        match self
            .subscriptions
            .iter_mut()
            .find(|known| known.filter == filter)
        {
            Some(known) => known.qos = qos,
            None => self.subscriptions.push(Subscription {
                filter: filter.into(),
                qos,
            }),
        }
    }

    pub(crate) fn is_subscribed(&self, filter: &str) -> bool {
        self.subscriptions
            .iter()
            .any(|known| known.filter == filter)
    }

    pub(crate) fn forget_subscription(&mut self, filter: &str) {
        self.subscriptions.retain(|known| known.filter != filter);
    }

    /// Draws the nonce unless the session has one.
    pub(crate) fn ensure_nonce(&mut self, random: &mut Random) {
        self.nonce.get_or_insert_with(|| {
            let bytes: [u8; NONCE_LENGTH] = random.letters_and_digits();
            bytes.map(char::from).iter().collect()
        });
    }

    pub(crate) fn nonce(&self) -> &str {
        self.nonce.as_deref().unwrap_or_default()
    }

    /// How many tokens were given out.
    pub(crate) fn tokens_given(&self) -> u64 {
        self.next_token
    }

    pub(crate) fn take_token(&mut self) -> u64 {
        let token = self.next_token;
        self.next_token = token.wrapping_add(1);
        token
    }
}
