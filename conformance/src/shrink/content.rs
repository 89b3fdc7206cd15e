//! Simpler contents of causes, and simpler starts.

use serde::Deserialize;
use serde_json::value::RawValue;
use shadow_core::json::Json;
use shadow_core::mqtt::{Packet, ProtocolVersion};
use shadow_core::recording::{Input, Mask, Part, Recorder, Request, Start};
use shadow_core::{Config, Instant, Session};

use super::cause::{Asked, Received, What};
use super::rewrite::with_payload;
use super::tree::Tree;

/// The result of the n-th way to make something simpler.
pub(super) enum Simpler {
    /// There are not so many ways.
    No,
    /// There is this way, but it leads nowhere.
    Impossible,
    What(What),
}

/// The n-th way to make a cause simpler.
pub(super) fn simpler(what: &What, way: usize, version: ProtocolVersion) -> Simpler {
    match what {
        What::Packet(packet) => simpler_packet(packet, way, version),
        What::Request(asked) => simpler_request(asked, way),
        _ => Simpler::No,
    }
}

/// What of a shadow message is no part of its document: without it, it would be none of the cloud's.
const ENVELOPE: [&[&str]; 5] = [
    &["clientToken"],
    &["type"],
    &["result"],
    &["payload", "version"],
    &["payload", "state"],
];

/// Whether two shadow messages differ in their documents alone.
fn is_alike(one: &mut Tree, other: &mut Tree) -> bool {
    ENVELOPE.iter().all(|path| {
        let [one, other] = [&mut *one, &mut *other].map(|tree| {
            path.iter()
                .try_fold(tree, |tree, name| tree.member_mut(name))
        });
        match (one, other) {
            // Of this, what is in it may change.
            (Some(Tree::Object(_)), Some(Tree::Object(_))) => true,
            (one, other) => one == other,
        }
    })
}

fn simpler_packet(packet: &Received, way: usize, version: ProtocolVersion) -> Simpler {
    let Ok(Packet::Publish(publish)) = Packet::decode(&packet.bytes, version) else {
        return Simpler::No;
    };
    let text = std::str::from_utf8(publish.payload).ok();
    let Some(tree) = text.and_then(Tree::parse) else {
        return Simpler::No;
    };
    let ways = tree.simplifications();
    let Some(simplification) = ways.get(way) else {
        return Simpler::No;
    };
    let mut simpler = tree.simplified(simplification);
    if !is_alike(&mut tree.clone(), &mut simpler) {
        return Simpler::Impossible;
    }
    match with_payload(&publish, simpler.to_string().as_bytes()) {
        Some(bytes) => Simpler::What(What::Packet(Received {
            bytes,
            ..packet.clone()
        })),
        None => Simpler::Impossible,
    }
}

fn simpler_request(asked: &Asked, way: usize) -> Simpler {
    let mut request = asked.request.clone();
    let changed = match &mut request {
        Request::Update {
            reported, desired, ..
        } => {
            let parts = reported.iter_mut().chain(desired.iter_mut());
            simplify_parts(parts, way)
        }
        Request::Report { reported, .. } | Request::AcceptAs { reported, .. } => {
            simplify_parts([reported].into_iter(), way)
        }
        Request::Publish { payload, .. } => simplify_payload(payload, way),
        _ => None,
    };
    match changed {
        None => Simpler::No,
        Some(false) => Simpler::Impossible,
        Some(true) => Simpler::What(What::Request(Asked {
            request,
            ..asked.clone()
        })),
    }
}

/// Makes one of these parts simpler; `None` if there are not so many ways, false if this one leads
/// nowhere.
fn simplify_parts<'p>(parts: impl Iterator<Item = &'p mut Part>, way: usize) -> Option<bool> {
    let mut left = way;
    for part in parts {
        let Part::Json(json) = part else {
            continue;
        };
        let Some(tree) = Tree::parse(json.as_str()) else {
            continue;
        };
        let ways = tree.simplifications();
        let Some(simplification) = ways.get(left) else {
            left -= ways.len();
            continue;
        };
        let simpler = Json::new(tree.simplified(simplification).to_string());
        return Some(simpler.map(|simpler| *json = simpler).is_ok());
    }
    None
}

fn simplify_payload(payload: &mut Vec<u8>, way: usize) -> Option<bool> {
    let tree = Tree::parse(std::str::from_utf8(payload).ok()?)?;
    let ways = tree.simplifications();
    *payload = tree.simplified(ways.get(way)?).to_string().into_bytes();
    Some(true)
}

/// The result of the n-th way to make a start simpler.
pub(super) enum SimplerStart {
    No,
    Impossible,
    Start(Box<(String, Start)>),
}

/// What is read of a start line.
#[derive(Deserialize)]
struct Line<'a> {
    at: u64,
    seed: u64,
    #[serde(borrow)]
    config: &'a RawValue,
    #[serde(borrow)]
    session: Option<&'a RawValue>,
}

/// The settings that say who the device is.
const IDENTITY: [&str; 2] = ["login", "own_shadow"];

/// The n-th way to make a start simpler: another seed, a session with less in it, a setting as it is
/// by default.
pub(super) fn simpler_start(text: &str, way: usize) -> SimplerStart {
    let Ok(line) = serde_json::from_str::<Line<'_>>(text) else {
        return SimplerStart::No;
    };
    let at = line.at;
    let seed = line.seed;
    let config = line.config.get();
    let session = line.session.map_or("null", RawValue::get);
    let made = |seed: u64, config: &str, session: &str| {
        let text = format!(
            r#"{{"at":{at},"in":"start","seed":{seed},"config":{config},"session":{session}}}"#
        );
        match Input::parse(&text) {
            Ok(Some((_, Input::Start(start)))) => SimplerStart::Start(Box::new((text, *start))),
            _ => SimplerStart::Impossible,
        }
    };
    let mut left = way;
    let mut next = || {
        let is_it = left == 0;
        left = left.wrapping_sub(1);
        is_it
    };
    if seed != 0 && next() {
        return made(0, config, session);
    }
    if session != "null" {
        if next() {
            return made(seed, config, "null");
        }
        let tree = Tree::parse(session);
        for way in tree.iter().flat_map(Tree::simplifications) {
            if next() {
                let simpler = tree.as_ref().map(|tree| tree.simplified(&way));
                let simpler = simpler.map(|tree| tree.to_string()).unwrap_or_default();
                return made(seed, config, &simpler);
            }
        }
    }
    let (Some(Tree::Object(members)), Some(mut default)) = (Tree::parse(config), default_config())
    else {
        return SimplerStart::No;
    };
    for (index, (key, value)) in members.iter().enumerate() {
        let name = key.trim_matches('"');
        if IDENTITY.contains(&name) {
            continue;
        }
        let usual = default.member_mut(name).cloned();
        if usual.as_ref() == Some(value) {
            continue;
        }
        if next() {
            let mut members = members.clone();
            match usual {
                Some(usual) => {
                    if let Some((_, value)) = members.get_mut(index) {
                        *value = usual;
                    }
                }
                None => drop(members.remove(index)),
            }
            return made(seed, &Tree::Object(members).to_string(), session);
        }
        // Settings within a setting, each on its own.
        let (Tree::Object(inner), Some(mut usual)) = (value, usual) else {
            continue;
        };
        for (key, value) in inner {
            let name = key.trim_matches('"');
            let Some(usual) = usual.member_mut(name).filter(|usual| *usual != value) else {
                continue;
            };
            if next() {
                let mut members = Tree::Object(members.clone());
                let outer = members.member_mut(members_key(config, index).as_str());
                if let Some(value) = outer.and_then(|outer| outer.member_mut(name)) {
                    *value = usual.clone();
                }
                return made(seed, &members.to_string(), session);
            }
        }
    }
    SimplerStart::No
}

/// The name of the n-th setting.
fn members_key(config: &str, index: usize) -> String {
    match Tree::parse(config) {
        Some(Tree::Object(members)) => members
            .get(index)
            .map(|(key, _)| key.trim_matches('"').to_owned())
            .unwrap_or_default(),
        _ => String::new(),
    }
}

/// The settings that are not set, as a recording has them.
fn default_config() -> Option<Tree> {
    let info = shadow_core::tencent::DeviceInfo::with_key("P", "d", "AAAA").ok()?;
    let config = Config::new(&info);
    let (session, mask) = (Session::new(), Mask::default());
    let mut recorder = Recorder::new(config, session, 0, Instant::ZERO, mask, String::new());
    let text = recorder.sink_mut().map(std::mem::take)?;
    let line = text.lines().nth(1)?;
    let line: Line<'_> = serde_json::from_str(line).ok()?;
    Tree::parse(line.config.get())
}
