//! What survives a link, and the engine too.

mod format;
mod shadow;

use alloc::string::String;
use alloc::vec::Vec;

use crate::config::{Nonce, TokenStyle};
use crate::mqtt::QoS;
use crate::mqtt::session::SessionState;
use crate::random::Random;
use crate::tencent::ShadowName;

pub use format::SessionError;
pub(crate) use shadow::ShadowState;

/// What survives the link: of each shadow what the device reported, what of it the cloud has not
/// acknowledged, and which changes of `desired` were told and not answered; unacknowledged QoS 1
/// and 2 messages; plain subscriptions; the numbering of client tokens. What dies with a link is
/// not here.
///
/// Hand a new one to the first engine of a device, and that of
/// [`Engine::into_session`](crate::Engine::into_session) to the next.
///
/// # Over a power cut
///
/// [`to_bytes`](Session::to_bytes) makes text of it that [`from_bytes`](Session::from_bytes) reads
/// back. A driver that stores it whenever [`revision`](Session::revision) has changed, *before* it
/// carries out what [`Engine::poll_transmit`](crate::Engine::poll_transmit) and
/// [`Engine::poll_event`](crate::Engine::poll_event) give, can lose the power between any two steps:
/// the engine made from what is stored goes on as after a lost link. From an older copy it goes on
/// from what that copy knows: the device then reports what it is like, as after every start, and a
/// change of `desired` may be told a second time. It holds no secret, but the device's values.
#[derive(Clone, Debug, Default)]
pub struct Session {
    pub(crate) mqtt: SessionState,
    pub(crate) subscriptions: Vec<Subscription>,
    shadows: Vec<ShadowState>,
    nonce: Option<Nonce>,
    /// The nonce of the run before, whose replies are late now.
    earlier_nonce: Option<Nonce>,
    next_token: u64,
    revision: u32,
}

/// Equal in all that is stored; the revision is not.
impl PartialEq for Session {
    fn eq(&self, other: &Session) -> bool {
        let stored = |session: &Session| {
            let mut session = session.clone();
            // Who waits for a message is the engine's affair.
            session.mqtt.forget_tickets();
            let Session {
                mqtt,
                subscriptions,
                shadows,
                nonce,
                next_token,
                earlier_nonce: _,
                revision: _,
            } = session;
            (mqtt, subscriptions, shadows, nonce, next_token)
        };
        stored(self) == stored(other)
    }
}

impl Eq for Session {}

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

    /// A number that is another one whenever something changed that a restart must not forget. It says
    /// nothing of another session.
    #[must_use]
    pub fn revision(&self) -> u64 {
        u64::from(self.revision) + self.mqtt.revision()
    }

    /// The shadows of which something is kept, to tell whose session it is: that of another device
    /// is of no use to this one, and its unacknowledged messages would leave under a wrong name.
    ///
    /// ```
    /// use shadow_core::tencent::{DeviceInfo, ShadowName};
    /// use shadow_core::{Config, Engine, Instant, Session};
    ///
    /// let lamp = DeviceInfo::with_key("PRODUCT001", "lamp", "c2VjcmV0").unwrap();
    /// let engine = Engine::new(Config::new(&lamp), Session::new(), 1, Instant::ZERO);
    /// let names: Vec<&ShadowName> = engine.session().shadows().collect();
    /// assert_eq!(names, [&lamp.name]);
    /// ```
    pub fn shadows(&self) -> impl Iterator<Item = &ShadowName> {
        self.shadows.iter().map(|state| &state.name)
    }

    /// What is kept of the shadow in a place.
    pub(crate) fn shadow_mut(&mut self, place: u32) -> Option<&mut ShadowState> {
        self.shadows.get_mut(place as usize)
    }

    /// What is kept of each shadow, to be changed without a trace.
    #[cfg(feature = "recording")]
    pub(crate) fn shadow_states_mut(&mut self) -> &mut [ShadowState] {
        &mut self.shadows
    }

    /// What is kept of the shadow in a place.
    pub(crate) fn shadow(&self, place: u32) -> Option<&ShadowState> {
        self.shadows.get(place as usize)
    }

    /// Begins to keep a shadow, unless it is kept; gives its place.
    pub(crate) fn keep_shadow(&mut self, name: &ShadowName) -> u32 {
        let known = self.shadows.iter().position(|state| state.name == *name);
        let place = known.unwrap_or_else(|| {
            if self.shadows.is_empty() {
                // Nearly every device has just this one.
                self.shadows.reserve_exact(1);
            }
            self.shadows.push(ShadowState::new(name.clone()));
            self.shadows.len() - 1
        });
        place as u32
    }

    /// Forgets the shadow in a place. Those behind it move up by one.
    #[cfg(feature = "messages")]
    pub(crate) fn forget_shadow(&mut self, place: u32) {
        if self.shadow(place).is_some() {
            self.shadows.remove(place as usize);
        }
        self.touch();
    }

    /// Something changed that a restart must not forget.
    pub(crate) fn touch(&mut self) {
        self.revision = self.revision.wrapping_add(1);
    }

    /// Keeps a granted subscription for the links to come.
    pub(crate) fn remember_subscription(&mut self, filter: &str, qos: QoS) {
        self.touch();
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
        self.touch();
        self.subscriptions.retain(|known| known.filter != filter);
    }

    pub(crate) fn forget_subscriptions(&mut self) {
        if !self.subscriptions.is_empty() {
            self.touch();
            self.subscriptions.clear();
        }
    }

    /// Draws the nonce of a new run, unless it is fixed: what else is drawn is the same either way.
    pub(crate) fn begin_run(&mut self, style: TokenStyle, random: &mut Random) {
        let earlier = self.nonce.take();
        let drawn = Nonce::draw(random, earlier);
        let nonce = match style {
            TokenStyle::FixedNonce(nonce) => nonce,
            TokenStyle::Nonce | TokenStyle::ProductCounter { .. } => drawn,
        };
        self.nonce = Some(nonce);
        // A run that goes on with the nonce of the one before has no replies that are late for it.
        self.earlier_nonce = earlier.filter(|earlier| *earlier != nonce);
        self.touch();
    }

    /// The nonce of the run before, if there was one.
    pub(crate) fn earlier_nonce(&self) -> Option<&str> {
        self.earlier_nonce.as_ref().map(Nonce::as_str)
    }

    pub(crate) fn nonce(&self) -> &str {
        self.nonce.as_ref().map_or("", Nonce::as_str)
    }

    /// The same as bytes, for which nothing has to be checked.
    pub(crate) fn nonce_bytes(&self) -> &[u8] {
        self.nonce.as_ref().map_or(&[], |nonce| nonce.as_bytes())
    }

    /// How many tokens were given out.
    pub(crate) fn tokens_given(&self) -> u64 {
        self.next_token
    }

    pub(crate) fn set_next_token(&mut self, number: u64) {
        self.next_token = number;
    }

    pub(crate) fn take_token(&mut self) -> u64 {
        let token = self.next_token;
        self.next_token = token.wrapping_add(1);
        token
    }
}

#[cfg(test)]
mod tests;
