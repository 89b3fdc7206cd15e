//! Everything that goes into an engine, masked.

use alloc::string::String;
use alloc::vec::Vec;

use super::Mask;
use super::characters::{Characters, Domain};
use super::json::{Leaf, Place, rewrite};
use super::names::Names;
use crate::config::{Config, Login, Nonce, TokenStyle, Will};
use crate::event::Delta;
use crate::json::{Json, Object};
use crate::mqtt::link::TransportFailure;
use crate::mqtt::{Packet, ProtocolVersion, Publish};
use crate::recording::input::{Part, Request};
use crate::recording::{configuration, input::Start};
use crate::session::Session;
use crate::tencent::{Operation, ShadowName};

/// Masks inputs. The same input is always masked the same way, but for names in free text that were
/// attached meanwhile.
pub(super) struct Masker {
    names: Option<Names>,
    values: Option<Characters>,
}

impl Masker {
    pub(super) fn new(mask: Mask, key: &[u8; 16], config: &Config, session: &Session) -> Masker {
        let characters = Characters::new(key);
        let names = || Names::new(characters.clone(), config, session);
        Masker {
            names: mask.hides_names().then(names),
            values: mask.hides_values().then(|| characters.clone()),
        }
    }

    /// What the masked engine is made of: exactly what a replay reads from the recording.
    pub(super) fn start(&self, config: &Config, session: &Session, seed: u64) -> Start {
        let (mut config, mut session) = (config.clone(), session.clone());
        self.configuration(&mut config);
        self.session(&mut session);
        // Both are masked text of what they were, and so as valid. If they were not, nothing of the
        // device's may take their place.
        let config = configuration::from_json(&configuration::to_json(&config));
        Start {
            config: config.unwrap_or_else(|_| Config::plain("")),
            session: Session::from_json(&session.to_json()).unwrap_or_default(),
            seed,
        }
    }

    fn configuration(&self, config: &mut Config) {
        if let Some(Will(will)) = &mut config.will {
            will.payload = self.payload(&will.topic, &will.payload);
            will.topic = self.topic(&will.topic);
        }
        let Some(names) = &self.names else {
            return;
        };
        // As in the tokens that it is the beginning of.
        if let TokenStyle::FixedNonce(nonce) = &mut config.behaviour.token_style
            && let Some(masked) = Nonce::new(&names.in_document(nonce.as_str()))
        {
            *nonce = masked;
        }
        if let Some(name) = &mut config.own_shadow {
            *name = names.shadow(name);
        }
        match &mut config.login {
            Login::Key { device, .. } | Login::Certificate { device, .. } => {
                *device = names.shadow(device);
            }
            Login::Plain {
                client_id,
                user_name,
                ..
            } => {
                *client_id = names.own(client_id);
                if let Some(user_name) = user_name {
                    *user_name = names.own(user_name);
                }
            }
        }
    }

    fn session(&self, session: &mut Session) {
        for message in session.mqtt.outgoing_mut() {
            if let Ok(Packet::Publish(publish)) =
                Packet::decode(&message.packet, ProtocolVersion::V311)
            {
                let (topic, payload) = self.message(publish.topic, publish.payload);
                let masked = Publish {
                    topic: &topic,
                    payload: &payload,
                    ..publish
                };
                let mut packet = Vec::new();
                let written = masked.encode(&mut packet);
                debug_assert!(written.is_ok(), "a masked topic is as valid as the topic");
                message.packet = packet;
            }
        }
        for subscription in &mut session.subscriptions {
            subscription.filter = self.topic(&subscription.filter);
        }
        for state in session.shadow_states_mut() {
            if let Some(names) = &self.names {
                state.name = names.shadow(&state.name);
            }
            for part in [
                &mut state.reported,
                &mut state.acknowledged,
                &mut state.pending,
                &mut state.answered,
            ] {
                *part = Object::new(&self.document(part.as_str())).unwrap_or_default();
            }
        }
    }

    pub(super) fn request(&mut self, request: Request) -> Request {
        match request {
            Request::Update {
                shadow,
                reported,
                desired,
                version,
                overwrite,
            } => Request::Update {
                shadow,
                reported: reported.map(|part| self.part(part)),
                desired: desired.map(|part| self.part(part)),
                version,
                overwrite,
            },
            Request::Report { shadow, reported } => Request::Report {
                shadow,
                reported: self.part(reported),
            },
            Request::Accept(delta) => Request::Accept(self.delta(&delta)),
            Request::AcceptAs { delta, reported } => Request::AcceptAs {
                delta: self.delta(&delta),
                reported: self.part(reported),
            },
            Request::Reject { delta, reason } => Request::Reject {
                delta: self.delta(&delta),
                reason: self.words(&reason),
            },
            Request::Attach(name) => Request::Attach(self.attached(name)),
            Request::Publish {
                topic,
                payload,
                qos,
                retain,
            } => Request::Publish {
                payload: self.payload(&topic, &payload),
                topic: self.topic(&topic),
                qos,
                retain,
            },
            Request::Subscribe { filter, qos } => Request::Subscribe {
                filter: self.topic(&filter),
                qos,
            },
            Request::Unsubscribe(filter) => Request::Unsubscribe(self.topic(&filter)),
            Request::Get(_)
            | Request::Detach(_)
            | Request::Cancel(_)
            | Request::SetTimeout { .. }
            | Request::SetNextToken { .. } => request,
        }
    }

    /// Why a transport failed: no value, but it may name the host.
    pub(super) fn failure(&self, failure: TransportFailure) -> TransportFailure {
        let Some(names) = &self.names else {
            return failure;
        };
        match failure {
            TransportFailure::ConnectFailed(why) => {
                TransportFailure::ConnectFailed(names.in_failure(&why))
            }
            TransportFailure::Untrusted(why) => TransportFailure::Untrusted(names.in_failure(&why)),
            TransportFailure::Broken(why) => TransportFailure::Broken(names.in_failure(&why)),
            TransportFailure::ClosedByPeer => failure,
        }
    }

    /// Topic and payload of a message, each as long as it was.
    pub(super) fn message(&self, topic: &str, payload: &[u8]) -> (String, Vec<u8>) {
        (self.topic(topic), self.payload(topic, payload))
    }

    pub(super) fn topic(&self, topic: &str) -> String {
        let names = self.names.as_ref();
        names.map_or_else(|| topic.into(), |names| names.topic(topic))
    }

    fn attached(&mut self, name: ShadowName) -> ShadowName {
        match &mut self.names {
            None => name,
            Some(names) => {
                names.attach(&name);
                names.shadow(&name)
            }
        }
    }

    fn delta(&self, delta: &Delta) -> Delta {
        Delta {
            state: self.json(&delta.state),
            ..delta.clone()
        }
    }

    fn part(&self, part: Part) -> Part {
        match part {
            Part::Json(json) => Part::Json(self.json(&json)),
            // The serializer's own words quote nothing.
            Part::Error(why) if SERIALIZER_ERRORS.contains(&&*why) => Part::Error(why),
            Part::Error(why) => Part::Error(self.words(&why)),
        }
    }

    fn json(&self, json: &Json) -> Json {
        Json::new(self.document(json.as_str())).unwrap_or_else(|_| Json::null())
    }

    /// The leafs of a document.
    fn document(&self, text: &str) -> String {
        rewrite(text, &mut |_, leaf| self.leaf(leaf, Names::in_document))
    }

    /// Text of a person's, or of the application's.
    fn words(&self, text: &str) -> String {
        match (&self.values, &self.names) {
            (Some(values), _) => {
                let mut characters: Vec<char> = text.chars().collect();
                values.text(Domain::Text, &mut characters);
                characters.into_iter().collect()
            }
            (None, Some(names)) => names.in_text(text),
            (None, None) => text.into(),
        }
    }

    fn payload(&self, topic: &str, payload: &[u8]) -> Vec<u8> {
        let text = match core::str::from_utf8(payload) {
            Ok(text) => text,
            Err(error) => return self.bytes(payload, error.valid_up_to()),
        };
        let masked = if topic.starts_with(SHADOW) {
            rewrite(text, &mut |place, leaf| {
                self.shadow_leaf(topic, place, leaf);
            })
        } else if Json::new(text).is_ok() {
            rewrite(text, &mut |_, leaf| self.leaf(leaf, Names::in_text))
        } else {
            self.words(text)
        };
        masked.into_bytes()
    }

    /// A payload that is text no further than `valid` bytes: what is masked of it is so too.
    fn bytes(&self, payload: &[u8], valid: usize) -> Vec<u8> {
        let mut masked = payload.to_vec();
        let Some(values) = &self.values else {
            if let Some(names) = &self.names {
                names.in_bytes(&mut masked);
            }
            return masked;
        };
        let (text, rest) = masked.split_at_mut_checked(valid).unwrap_or_default();
        let words = self.words(core::str::from_utf8(text).unwrap_or_default());
        if words.len() == text.len() {
            text.copy_from_slice(words.as_bytes());
        }
        values.bytes(rest);
        if let Some(first) = rest.first_mut() {
            // It begins nothing in UTF-8.
            *first = 0xff;
        }
        masked
    }

    /// A leaf of a shadow message, be it a request, a reply or a delta.
    fn shadow_leaf(&self, topic: &str, place: &Place, leaf: Leaf<'_>) {
        let role = match (place.depth, &*place.first, &*place.second) {
            (1, "clientToken", _) => Role::Token,
            (1, "type", _) => Role::Type,
            (1, "result" | "timestamp" | "version" | "overwriteUpdate", _)
            | (2, "payload", "version" | "timestamp")
            | (2.., "payload", "metadata") => Role::Count,
            _ => Role::Value,
        };
        match (role, leaf) {
            (Role::Token, Leaf::Text(text)) => {
                if let Some(names) = &self.names {
                    let token: String = text.iter().collect();
                    *text = names.token(&token, topic).chars().collect();
                }
            }
            (Role::Type, Leaf::Text(text)) if is_type(text) => {}
            // A result code may stand in quotes.
            (Role::Count, Leaf::Text(text)) if is_integer(text) => {}
            (Role::Token | Role::Count, Leaf::Number(_)) => {}
            (_, leaf) => self.leaf(leaf, Names::in_document),
        }
    }

    fn leaf(&self, leaf: Leaf<'_>, words: fn(&Names, &str) -> String) {
        match (leaf, &self.values, &self.names) {
            (Leaf::Text(text), Some(values), _) => values.text(Domain::Text, text),
            (Leaf::Number(number), Some(values), _) => values.number(number),
            (Leaf::Text(text), None, Some(names)) => {
                let masked = words(names, &text.iter().collect::<String>());
                *text = masked.chars().collect();
            }
            (Leaf::Text(_), None, None) | (Leaf::Number(_), None, _) => {}
        }
    }
}

/// What a leaf of a shadow message is.
#[derive(Clone, Copy)]
enum Role {
    Token,
    Type,
    /// A version, time or result code.
    Count,
    Value,
}

/// Where all messages are the protocol's.
const SHADOW: &str = "$shadow/operation/";

/// What the serializer says that quotes no value.
const SERIALIZER_ERRORS: [&str; 2] = [
    "NaN and infinity have no JSON form",
    "a map key has to be a string",
];

fn is_type(text: &[char]) -> bool {
    let types = [Operation::Get.as_str(), Operation::Update.as_str(), "delta"];
    types
        .iter()
        .any(|known| known.chars().eq(text.iter().copied()))
}

fn is_integer(text: &[char]) -> bool {
    text.iter().all(|c| c.is_ascii_digit() || *c == '-')
}
