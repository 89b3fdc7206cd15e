//! What an engine is told once, at its start.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use crate::json::JsonStyle;
use crate::limit::LimitExceeded;
use crate::mqtt::link::Backoff;
use crate::mqtt::{ProtocolVersion, QoS};
use crate::random::Random;
#[cfg(feature = "behaviours")]
use crate::tencent::python_sdk;
use crate::tencent::{
    Authentication, DEFAULT_SDK_APP_ID, DeviceInfo, Limits, Secret, ShadowName, SignatureMethod,
    limits,
};

/// Everything that an [`Engine`](crate::Engine) is told at its start.
///
/// Three constructors give the three starting points; every field may be changed afterwards. Each
/// value of each field is legal, so there is nothing that [`Engine::new`](crate::Engine::new) could
/// refuse; bounds that would make no sense are lifted to the smallest that does, as the field says.
/// What the server would not take is another matter: [`Config::check`] finds it beforehand.
#[derive(Clone, Debug)]
pub struct Config {
    /// Who logs in, and how.
    pub login: Login,
    /// The shadow that is attached from the start: the device's own. `None` for a plain MQTT
    /// client, or where the application attaches it itself. Default: the device's own.
    pub own_shadow: Option<ShadowName>,
    /// Protocol version of CONNECT. Default: MQTT 3.1.1, which the vendor documents.
    pub protocol_version: ProtocolVersion,
    /// Keep alive in seconds; 0 turns it off. Default 60, as the vendor's Python and Java SDK.
    /// Without one in the range of [`limits`](Config::limits) the engine does not connect.
    pub keep_alive: u16,
    /// How long the peer may take to answer a PINGREQ before the link counts as dead. Default
    /// 10 s; never more than half of `keep_alive`, so that a dead link is noticed within one and a half
    /// times that, as a server does it [MQTT-3.1.2-24].
    pub ping_timeout: Duration,
    /// How long a connection may take, from [`Transmit::Connect`](crate::Transmit::Connect) to
    /// CONNACK. Default 20 s, at least 1 s; from CONNECT on never more than `keep_alive`.
    pub connect_timeout: Duration,
    /// CONNECT's clean session flag. Default true: the server forgets this client with the link, and
    /// the engine subscribes and gets anew on the next. That keeps the guarantee at QoS 0.
    ///
    /// False makes it a *persistent session*: the server keeps subscriptions and queues messages of
    /// QoS 1 while the device is away, and unacknowledged messages are sent again with DUP. It takes
    /// [`shadow_qos`](Config::shadow_qos) 1 (a QoS 0 subscription misses what is sent meanwhile) and
    /// a [`Session`](crate::Session) that is stored, since both ends have to remember. It brings
    /// every change of `desired` on the way as a delta, also those that were superseded, where a get
    /// shows the last state only; the engine subscribes and gets all the same, as the server may
    /// have dropped the session.
    pub clean_session: bool,
    /// CONNECT's will. Default none: the vendor's server has no wills (vendor doc 634/46346).
    pub will: Option<Will>,
    /// How long a request may stay unanswered, unless
    /// [`Engine::set_timeout`](crate::Engine::set_timeout) says otherwise. Default 10 s.
    pub request_timeout: Duration,
    /// When and how often to connect again.
    pub backoff: Backoff,
    /// QoS of the shadow topics: of the subscription, and of requests. Default 0, as all the
    /// vendor's SDKs. Only with the feature `messages`.
    #[cfg(feature = "messages")]
    pub shadow_qos: QoS,
    /// Whether the updates that the engine makes of reports and answers are checked against the
    /// document's version. Default [`VersionPolicy::Rebase`] with 3 tries.
    pub version_policy: VersionPolicy,
    /// Largest inbound packet in bytes, all told. A larger PUBLISH is skipped and reported; another
    /// packet of that size ends the link. Default 128 KiB, at least 128 bytes.
    ///
    /// It has to have room for a get reply, in which the document stands with `delta` beside
    /// `desired` and with a time for each value: several times the vendor's 16 KB. A reply that goes
    /// by unread is a get that is never answered.
    pub maximum_packet_size: usize,
    /// What the server takes: checked before anything is sent. Default [`Limits::current`];
    /// [`Limits::NONE`] in [`Config::plain`], [`python_sdk::LIMITS`] in [`Config::python_sdk`].
    pub limits: Limits,
    /// How many requests may be open at a time; one more is refused. Reports and answers count
    /// apart: what is reported while there are four of a shadow ends with the last of them, and as
    /// many rejections may be open as this says. Default 64.
    pub maximum_requests: usize,
    /// How many bytes may wait for [`Engine::poll_transmit`](crate::Engine::poll_transmit), and
    /// how many payload bytes may wait for the link; a request beyond is refused. As many bytes of
    /// acknowledgements may wait beside them, at least 256; a server that makes them more without
    /// reading them loses the link. Default 64 KiB.
    pub maximum_queued_bytes: usize,
    /// How many QoS 1 and 2 messages may be unacknowledged; more wait. Default 16, at least 1, at
    /// most 32,768.
    pub maximum_in_flight: usize,
    /// How many events may wait for [`Engine::poll_event`](crate::Engine::poll_event) before
    /// messages are dropped, which [`Event::EventsLost`](crate::Event::EventsLost) counts. Ends of
    /// requests are never dropped. Default 256, at least 1.
    pub maximum_events: usize,
    /// How many bytes of documents, tokens, topics and payloads waiting events may hold before
    /// messages are dropped likewise. One event alone may hold more, and ends are never dropped.
    /// Default 256 KiB.
    pub maximum_event_bytes: usize,
    /// How many shadows and plain subscriptions may exist together. Default 1,024.
    pub maximum_subscriptions: usize,
    /// In what the engine copies another client; the default copies none. Only with the feature
    /// `behaviours`.
    #[cfg(feature = "behaviours")]
    pub behaviour: Behaviour,
}

/// The choices in which the safe default and the vendor's Python SDK differ.
///
/// [`Behaviour::default`] is the safe one. [`Behaviour::python_sdk`] is what makes recorded
/// sessions of that SDK come out byte for byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Behaviour {
    /// White space and escapes of JSON. Default compact.
    pub json_style: JsonStyle,
    /// Form of client tokens. Default with a nonce.
    pub token_style: TokenStyle,
    /// Whether a shadow's requests wait for the SUBACK of its result topic, so that no reply can
    /// come before anybody listens. Default true; the Python SDK sends them right away.
    pub wait_for_suback: bool,
    /// Whether a get follows each subscription that went live, so that a change of `desired` made
    /// while the device was away is found; and another when versions show that a change was missed.
    /// [`report`](crate::Engine::report) waits for the first. Default true; the Python SDK sends
    /// none of its own.
    pub get_on_subscribe: bool,
    /// Whether subscriptions are made again on a new link. Default true; the Python SDK forgets
    /// them and stays silent while it is "connected".
    pub resubscribe: bool,
    /// Whether each CONNECT is signed anew. Default true; the Python SDK signs once in its life.
    pub renew_credentials: bool,
    /// Whether plain messages and subscriptions on the topics of attached shadows are refused
    /// ([`RequestError::ShadowTopic`](crate::RequestError::ShadowTopic)). Default true; the Python
    /// SDK publishes whatever document the application gives it. The engine then knows of no
    /// request: a reply is [`Event::Unmatched`](crate::Event::Unmatched).
    pub guard_shadow_topics: bool,
    /// Whether a message that is sent again carries DUP also where the server kept no session, to
    /// which it is a new one. Default false; paho, under the Python SDK, sets it on every link but
    /// the first.
    pub duplicate_without_session: bool,
    /// Whether a request of QoS 0 that is made while there is no connection is dropped: it ends at
    /// once as [`Outcome::Disconnected`](crate::Outcome::Disconnected), and a get, an update or a
    /// message has used up its packet identifier, and its token. Default false: it waits for the
    /// link. The Python SDK writes `publish failed`, and paho under it numbers a message before it
    /// looks for a socket. Messages of QoS 1 and 2 wait there too, and so do
    /// [reports](crate::Engine::report), answers and attached shadows, which the SDK has none of.
    pub drop_without_link: bool,
    /// How many seconds pass between two looks at the keep alive time while nothing is sent or
    /// received, so that PINGREQ leaves up to that late: its deadline is a multiple of them after the
    /// last packet in either direction. Default 0: it leaves in time. The Python SDK has paho's loop
    /// wait for 5 s. There it is also up to that late that a missing PINGRESP is noticed; here that
    /// is [`Config::ping_timeout`].
    pub keep_alive_check: u16,
}

impl Default for Behaviour {
    fn default() -> Behaviour {
        Behaviour::SAFE
    }
}

impl Behaviour {
    const SAFE: Behaviour = Behaviour {
        json_style: JsonStyle::Compact,
        token_style: TokenStyle::Nonce,
        wait_for_suback: true,
        get_on_subscribe: true,
        resubscribe: true,
        renew_credentials: true,
        guard_shadow_topics: true,
        duplicate_without_session: false,
        drop_without_link: false,
        keep_alive_check: 0,
    };

    /// What the vendor's Python SDK does (seen in its source and on the wire).
    #[cfg(feature = "behaviours")]
    #[must_use]
    pub const fn python_sdk() -> Behaviour {
        Behaviour {
            json_style: python_sdk::JSON_STYLE,
            token_style: TokenStyle::ProductCounter { first: 0 },
            wait_for_suback: false,
            get_on_subscribe: false,
            resubscribe: false,
            renew_credentials: false,
            guard_shadow_topics: false,
            duplicate_without_session: true,
            drop_without_link: true,
            keep_alive_check: 5,
        }
    }
}

/// Whether the updates that the engine makes itself, of
/// [`report`](crate::Engine::report), [`accept`](crate::Engine::accept) and
/// [`reject`](crate::Engine::reject), carry the document's version, so that the cloud refuses them
/// with result 5005 when it has changed meanwhile (vendor doc 634/14072).
///
/// The version is what keeps an answer from deleting a change of `desired` that is newer than the
/// one it answers. An [`update`](crate::Engine::update) carries what its caller gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VersionPolicy {
    /// Without a version, as the vendor's SDKs. Answers delete the keys of `desired` that they
    /// answer, and so a change of such a key that has not arrived yet.
    Unchecked,
    /// With the version last seen. A conflict ends the reports as
    /// [`Outcome::Rejected`](crate::Outcome::Rejected) with code 5005 and the whole document. The
    /// values stay; they go out again with the next report or answer, or on the next link.
    Strict,
    /// With the version last seen. After a conflict the document that came with it is taken over,
    /// newer changes of `desired` are told, and the update is made anew at the new version. After
    /// `tries` conflicts in a row `reported` goes out without a version, as it is the device's
    /// alone, and deleting from `desired` waits for a later update, at most as long as
    /// [`Config::request_timeout`]; then it is tried again.
    Rebase {
        /// How many conflicts in a row are put up with; at least 1.
        tries: u8,
    },
}

impl Default for VersionPolicy {
    fn default() -> VersionPolicy {
        VersionPolicy::Rebase { tries: 3 }
    }
}

/// How client tokens look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenStyle {
    /// `{nonce}-{n}`: the nonce comes from the engine's seed and tells this run's replies from
    /// those of an earlier one; `n` counts all requests of the session.
    Nonce,
    /// As `Nonce` with this nonce instead of one from the seed, and with numbers that
    /// [`Engine::set_next_token`](crate::Engine::set_next_token) may set: for replaying what another
    /// run sent. Two runs with one nonce take late replies to each other's requests for their own,
    /// so it is not for devices.
    FixedNonce(Nonce),
    /// `{productId}-{n}`: as the vendor's SDKs; `n` counts from `first`, for each shadow apart.
    /// Every run begins with the same tokens, so a late reply of the last run can be mistaken.
    ProductCounter {
        /// The first number; 0 in the SDKs, larger where a recording begins in the middle.
        first: u64,
    },
}

impl TokenStyle {
    /// The first number of a counter.
    pub(crate) fn first(self) -> u64 {
        match self {
            TokenStyle::Nonce | TokenStyle::FixedNonce(_) => 0,
            TokenStyle::ProductCounter { first } => first,
        }
    }
}

/// Eight ASCII letters and digits that tell one run's tokens from those of others.
///
/// ```
/// use shadow_core::config::Nonce;
///
/// let nonce = Nonce::new("k3Jd82hs").unwrap();
/// assert_eq!(nonce.as_str(), "k3Jd82hs");
/// assert_eq!(Nonce::new("k3Jd82h-"), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nonce([u8; 8]);

impl Nonce {
    /// `None` if `text` is not eight ASCII letters and digits.
    #[must_use]
    pub fn new(text: &str) -> Option<Nonce> {
        let bytes = <[u8; 8]>::try_from(text.as_bytes()).ok()?;
        let plain = bytes.iter().all(u8::is_ascii_alphanumeric);
        plain.then_some(Nonce(bytes))
    }

    /// The nonce of a run, drawn. That of the run before goes into it, so that a device whose seed
    /// is always the same has another one each time all the same.
    pub(crate) fn draw(random: &mut Random, earlier: Option<Nonce>) -> Nonce {
        Nonce(match earlier {
            None => random.letters_and_digits(),
            Some(Nonce(salt)) => {
                Random::new(random.next() ^ u64::from_le_bytes(salt)).letters_and_digits()
            }
        })
    }

    /// Its eight characters.
    pub(crate) const fn as_bytes(&self) -> &[u8; 8] {
        &self.0
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // They are ASCII letters and digits.
        core::str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// Who logs in, and how the CONNECT proves it.
#[derive(Clone)]
pub enum Login {
    /// A device that signs its user name with its secret.
    Key {
        /// The device; its client id is product id and device name in one.
        device: ShadowName,
        /// The device secret, decoded.
        secret: Secret,
        /// Digest of the signature. Default HMAC-SHA256.
        method: SignatureMethod,
        /// What goes into the user name.
        user_name: UserName,
    },
    /// A device that its TLS client certificate identifies.
    Certificate {
        /// The device; its client id is product id and device name in one.
        device: ShadowName,
        /// What goes into the user name.
        user_name: UserName,
    },
    /// A client whose login is known beforehand, or has none.
    Plain {
        /// CONNECT's client id.
        client_id: String,
        /// CONNECT's user name.
        user_name: Option<String>,
        /// CONNECT's password; a server may refuse one without a user name [MQTT-3.1.2-22], so it
        /// is left out then.
        password: Option<Secret>,
    },
}

impl Login {
    /// CONNECT's client id.
    #[must_use]
    pub fn client_id(&self) -> String {
        match self {
            Login::Key { device, .. } | Login::Certificate { device, .. } => {
                device.client_id().into()
            }
            Login::Plain { client_id, .. } => client_id.clone(),
        }
    }

    /// Whether a CONNECT needs the wall time.
    pub(crate) fn needs_wall_time(&self) -> bool {
        !matches!(self, Login::Plain { .. })
    }
}

/// Without secrets: which kind, and for whom.
impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self {
            Login::Key { .. } => "Key",
            Login::Certificate { .. } => "Certificate",
            Login::Plain { .. } => "Plain",
        };
        f.debug_struct(kind)
            .field("client_id", &self.client_id())
            .finish_non_exhaustive()
    }
}

/// The parts of a user name `{productId}{deviceName};{sdkappid};{connid};{expiry}` that a
/// configuration chooses (vendor doc 634/46346).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserName {
    /// The vendor's number for the kind of client.
    pub sdk_app_id: u32,
    /// Five letters or digits; `None` draws them anew for each CONNECT. A replay sets them.
    pub connection_id: Option<[u8; 5]>,
    /// Until when the signature holds.
    pub expiry: Expiry,
}

impl Default for UserName {
    fn default() -> UserName {
        UserName {
            sdk_app_id: DEFAULT_SDK_APP_ID,
            connection_id: None,
            expiry: Expiry::After(Duration::from_secs(3_600)),
        }
    }
}

/// What the user name states as its expiry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// Unix seconds, this long after the CONNECT. Default one hour.
    After(Duration),
    /// The current time in milliseconds, as the vendor's Python SDK writes it.
    NowInMilliseconds,
}

/// CONNECT's will, owned. Its topic is checked when it is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Will(pub(crate) Box<WillMessage>);

/// Kept apart, since few configurations have one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WillMessage {
    pub(crate) topic: String,
    pub(crate) payload: Vec<u8>,
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
}

impl Will {
    /// A will for `topic`.
    ///
    /// # Errors
    ///
    /// `None` when the topic is not a valid topic name, or topic or payload are above 65,535 bytes.
    #[must_use]
    pub fn new(topic: &str, payload: &[u8], qos: QoS, retain: bool) -> Option<Will> {
        let fits = payload.len() <= usize::from(u16::MAX);
        (fits && crate::mqtt::topic::validate_name(topic).is_ok()).then(|| {
            Will(Box::new(WillMessage {
                topic: topic.into(),
                payload: payload.into(),
                qos,
                retain,
            }))
        })
    }
}

impl Config {
    /// A device with its own shadow, as `device_info.json` describes it: the safe defaults.
    #[must_use]
    pub fn new(device: &DeviceInfo) -> Config {
        let name = device.name.clone();
        let login = match &device.authentication {
            Authentication::Key { secret } => Login::Key {
                device: name.clone(),
                secret: secret.clone(),
                method: SignatureMethod::HmacSha256,
                user_name: UserName::default(),
            },
            Authentication::Certificate { .. } => Login::Certificate {
                device: name.clone(),
                user_name: UserName::default(),
            },
        };
        Config {
            own_shadow: Some(name),
            ..Config::with_login(login)
        }
    }

    /// The compatibility profile: the same device behaving as the vendor's Python SDK does, whose
    /// CONNECT, SUBSCRIBE and PUBLISH bytes it reproduces. The application attaches the shadow
    /// itself, as there. It connects again as soon as [`Backoff::python_sdk`] says, and checks no
    /// more than the SDK does.
    #[cfg(all(feature = "behaviours", feature = "hmac-sha1"))]
    #[must_use]
    pub fn python_sdk(device: &DeviceInfo) -> Config {
        let mut config = Config::new(device);
        if let Login::Key {
            method, user_name, ..
        } = &mut config.login
        {
            *method = python_sdk::SIGNATURE_METHOD;
            user_name.sdk_app_id = python_sdk::SDK_APP_ID;
            user_name.expiry = Expiry::NowInMilliseconds;
        }
        config.own_shadow = None;
        config.protocol_version = ProtocolVersion::V31;
        config.version_policy = VersionPolicy::Unchecked;
        config.behaviour = Behaviour::python_sdk();
        config.backoff = Backoff::python_sdk();
        config.limits = python_sdk::LIMITS;
        config
    }

    /// A plain MQTT client without a shadow, for any server: without the limits of the vendor's,
    /// and without its floor between two connects.
    ///
    /// An empty client id asks the server for one, which it may do only with a clean session
    /// [MQTT-3.1.3-7].
    #[must_use]
    pub fn plain(client_id: &str) -> Config {
        let mut config = Config::with_login(Login::Plain {
            client_id: client_id.into(),
            user_name: None,
            password: None,
        });
        config.backoff.least_interval = Duration::ZERO;
        config.limits = Limits::NONE;
        config
    }

    /// Whether the server would take what an engine sends of its own accord with this
    /// configuration: keep alive, names, the topics of the own shadow, the will.
    ///
    /// An engine that is made of another configuration never connects: it tells
    /// [`DisconnectCause::LimitExceeded`](crate::DisconnectCause), again and again.
    ///
    /// # Errors
    ///
    /// The first of [`limits`](Config::limits) that is exceeded, and by what.
    pub fn check(&self) -> Result<(), LimitExceeded> {
        self.limits.check_keep_alive(self.keep_alive)?;
        let device = match &self.login {
            Login::Key { device, .. } | Login::Certificate { device, .. } => Some(device),
            Login::Plain { .. } => None,
        };
        for name in device.into_iter().chain(&self.own_shadow) {
            self.limits.check_name(name)?;
        }
        if let Some(will) = &self.will {
            self.limits.check_topic(&will.0.topic)?;
            self.limits.check_payload(will.0.payload.len())?;
        }
        Ok(())
    }

    /// What the engine follows.
    pub(crate) const fn effective_behaviour(&self) -> &Behaviour {
        #[cfg(feature = "behaviours")]
        return &self.behaviour;
        #[cfg(not(feature = "behaviours"))]
        &Behaviour::SAFE
    }

    pub(crate) const fn effective_shadow_qos(&self) -> QoS {
        #[cfg(feature = "messages")]
        return self.shadow_qos;
        #[cfg(not(feature = "messages"))]
        QoS::AtMostOnce
    }

    fn with_login(login: Login) -> Config {
        Config {
            login,
            own_shadow: None,
            protocol_version: ProtocolVersion::V311,
            keep_alive: limits::DEFAULT_KEEP_ALIVE_SECONDS,
            ping_timeout: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(20),
            clean_session: true,
            will: None,
            request_timeout: Duration::from_secs(10),
            backoff: Backoff::default(),
            #[cfg(feature = "messages")]
            shadow_qos: QoS::AtMostOnce,
            version_policy: VersionPolicy::default(),
            maximum_packet_size: 128 * 1024,
            limits: Limits::current(),
            maximum_requests: 64,
            maximum_queued_bytes: 64 * 1024,
            maximum_in_flight: 16,
            maximum_events: 256,
            maximum_event_bytes: 256 * 1024,
            maximum_subscriptions: 1_024,
            #[cfg(feature = "behaviours")]
            behaviour: Behaviour::default(),
        }
    }
}
