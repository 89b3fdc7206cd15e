//! Who it is: names, and where they stand.

use alloc::string::String;
use alloc::vec::Vec;

use super::characters::{Characters, Domain};
use crate::config::{Config, Login};
use crate::session::Session;
use crate::tencent::ShadowName;

/// The topics whose first levels stay, longest first. Names follow.
const SHADOW_TOPICS: [&str; 2] = ["$shadow/operation/result/", "$shadow/operation/"];

/// Masks names, and knows those that it has to look for in other text.
pub(super) struct Names {
    characters: Characters,
    /// Those of the configuration and the session, longest first. They never change, so what holds
    /// them is masked the same way throughout a recording.
    own: Vec<Known>,
    /// Those, and the names of shadows that were attached since, the last ones.
    all: Vec<Known>,
    /// How many more `all` may hold: as many as shadows can be attached at a time.
    most: usize,
    attachments: u64,
}

/// A name and what stands for it, which is as long.
#[derive(Clone, Debug)]
struct Known {
    name: String,
    masked: String,
    /// The attachment that it was last part of; none for the device's own.
    attached: Option<u64>,
}

/// The texts that a shadow is known by: client id, product id and device name.
const NAMES_OF_A_SHADOW: usize = 3;

impl Names {
    pub(super) fn new(characters: Characters, config: &Config, session: &Session) -> Names {
        let mut names = Names {
            characters,
            own: Vec::new(),
            all: Vec::new(),
            most: config
                .maximum_subscriptions
                .saturating_mul(NAMES_OF_A_SHADOW),
            attachments: 0,
        };
        let mut known = Vec::new();
        for name in config.own_shadow.iter().chain(session.shadows()) {
            names.learn(&mut known, name, None);
        }
        match &config.login {
            Login::Key { device, .. } | Login::Certificate { device, .. } => {
                names.learn(&mut known, device, None);
            }
            Login::Plain {
                client_id,
                user_name,
                ..
            } => {
                let masked = known.iter().find(|known| known.name == *client_id);
                let masked = masked.map(|known| known.masked.clone());
                let masked = masked.unwrap_or_else(|| names.name(client_id));
                add(&mut known, client_id, masked.clone(), None);
                if let Some(name) = user_name {
                    // The vendor's begins with the client id: what follows is nobody's name.
                    let rest = name.strip_prefix(&**client_id);
                    let masked = match rest.filter(|rest| rest.starts_with(';')) {
                        Some(rest) => masked + rest,
                        None => known
                            .iter()
                            .find(|known| known.name == *name)
                            .map_or_else(|| names.name(name), |known| known.masked.clone()),
                    };
                    add(&mut known, name, masked, None);
                }
            }
        }
        names.all = known.clone();
        names.own = known;
        names
    }

    /// Notes the names of a shadow that the application attaches.
    pub(super) fn attach(&mut self, name: &ShadowName) {
        let mut all = core::mem::take(&mut self.all);
        self.attachments += 1;
        self.learn(&mut all, name, Some(self.attachments));
        while all.len() > self.own.len().saturating_add(self.most) {
            let attached = all.iter().enumerate();
            let attached = attached.filter_map(|(index, known)| Some((known.attached?, index)));
            let Some((_, oldest)) = attached.min() else {
                break;
            };
            all.remove(oldest);
        }
        self.all = all;
    }

    fn learn(&self, known: &mut Vec<Known>, name: &ShadowName, attached: Option<u64>) {
        let masked = self.shadow(name);
        for (name, masked) in [
            (name.client_id(), masked.client_id()),
            (name.product_id(), masked.product_id()),
            (name.device_name(), masked.device_name()),
        ] {
            add(known, name, masked.into(), attached);
        }
    }

    /// A name that stands alone.
    pub(super) fn name(&self, name: &str) -> String {
        let mut characters: Vec<char> = name.chars().collect();
        self.characters.text(Domain::Name, &mut characters);
        characters.into_iter().collect()
    }

    /// A client id or user name of the configuration.
    pub(super) fn own(&self, name: &str) -> String {
        let known = self.own.iter().find(|known| known.name == name);
        known.map_or_else(|| self.name(name), |known| known.masked.clone())
    }

    /// Both parts on their own, so that every topic and the client id are made of masked parts.
    pub(super) fn shadow(&self, name: &ShadowName) -> ShadowName {
        let (product_id, device_name) = (name.product_id(), name.device_name());
        ShadowName::new(&self.name(product_id), &self.name(device_name))
            .expect("no character becomes a longer one, a control character or a wildcard")
    }

    /// A topic name or filter, level by level.
    pub(super) fn topic(&self, topic: &str) -> String {
        for prefix in SHADOW_TOPICS {
            if let Some(rest) = topic.strip_prefix(prefix) {
                let mut masked = String::from(prefix);
                self.levels(rest, |names, level| names.name(level), &mut masked);
                return masked;
            }
        }
        let mut masked = String::with_capacity(topic.len());
        let level = |names: &Names, level: &str| match level.starts_with('$') {
            true => String::from(level),
            false => names.own(level),
        };
        self.levels(topic, level, &mut masked);
        masked
    }

    fn levels(&self, topic: &str, mask: impl Fn(&Names, &str) -> String, out: &mut String) {
        for (index, level) in topic.split('/').enumerate() {
            if index > 0 {
                out.push('/');
            }
            out.push_str(&mask(self, level));
        }
    }

    /// A client token in a message on `topic`.
    pub(super) fn token(&self, token: &str, topic: &str) -> String {
        let name = ShadowName::from_result_topic(topic)
            .or_else(|| ShadowName::from_operation_topic(topic));
        if let Some(name) = name
            && let Some(rest) = token.strip_prefix(name.product_id())
            && rest.starts_with('-')
        {
            return self.name(name.product_id()) + rest;
        }
        self.in_document(token)
    }

    /// Names that are words in a text that an engine may compare with another.
    pub(super) fn in_document(&self, text: &str) -> String {
        replace_in_text(&self.own, text, Case::Kept)
    }

    /// Names that are words in any other text.
    pub(super) fn in_text(&self, text: &str) -> String {
        replace_in_text(&self.all, text, Case::Kept)
    }

    /// The same in the words of a transport, where a name can stand in a host's: of either case.
    pub(super) fn in_failure(&self, text: &str) -> String {
        replace_in_text(&self.all, text, Case::Ignored)
    }

    /// The same of bytes that are no text.
    pub(super) fn in_bytes(&self, bytes: &mut [u8]) {
        replace(&self.all, bytes, Case::Kept);
    }
}

/// Keeps the list sorted, longest first.
fn add(known: &mut Vec<Known>, name: &str, masked: String, attached: Option<u64>) {
    if let Some(known) = known.iter_mut().find(|known| known.name == name) {
        if known.attached.is_some() {
            known.attached = attached;
        }
        return;
    }
    if name.is_empty() {
        return;
    }
    let place = known.partition_point(|known| known.name.len() >= name.len());
    let name = name.into();
    let entry = Known {
        name,
        masked,
        attached,
    };
    known.insert(place, entry);
}

/// Whether capital letters are others than small ones.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Case {
    Kept,
    /// What stands for a name is written as the name was.
    Ignored,
}

fn replace_in_text(known: &[Known], text: &str, case: Case) -> String {
    let mut bytes = String::from(text).into_bytes();
    replace(known, &mut bytes, case);
    // UTF-8 in the place of UTF-8.
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Puts what stands for it in the place of each known name that no ASCII letter or digit adjoins; of
/// those that overlap the first, and the longest.
fn replace(known: &[Known], bytes: &mut [u8], case: Case) {
    let free = |byte: Option<&u8>| !byte.is_some_and(u8::is_ascii_alphanumeric);
    let mut start = 0;
    while let Some(rest) = bytes.get(start..).filter(|rest| !rest.is_empty()) {
        // What was put before it ends as what was there did.
        let before = start.checked_sub(1).and_then(|before| bytes.get(before));
        let stands = |known: &&Known| {
            let name = known.name.as_bytes();
            let begins = match case {
                Case::Kept => rest.starts_with(name),
                Case::Ignored => rest
                    .get(..name.len())
                    .is_some_and(|start| start.eq_ignore_ascii_case(name)),
            };
            begins && free(rest.get(name.len()))
        };
        let found = free(before).then(|| known.iter().find(stands));
        let Some(found) = found.flatten() else {
            start += 1;
            continue;
        };
        let end = start + found.masked.len();
        let place = bytes.get_mut(start..end).unwrap_or_default();
        for (place, masked) in place.iter_mut().zip(found.masked.bytes()) {
            *place = match place {
                b'a'..=b'z' => masked.to_ascii_lowercase(),
                b'A'..=b'Z' => masked.to_ascii_uppercase(),
                _ => masked,
            };
        }
        start = end;
    }
}
