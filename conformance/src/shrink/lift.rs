//! From lines to causes.

use std::collections::BTreeMap;
use std::rc::Rc;

use serde::Deserialize;
use shadow_core::event::DeltaOrigin;
use shadow_core::mqtt::{Packet, PacketKind, ProtocolVersion, topic};
use shadow_core::recording::{Input, Request};
use shadow_core::tencent::ShadowName;
use shadow_core::{Delta, Instant, RequestId, ShadowId};

use super::cause::{Answer, Asked, Case, Cause, How, Poll, Received, Stage, Told, What};
use super::framing::{Framer, Piece};
use super::note::{Fields, Notes, index32, note_of_delta};
use super::source::Recording;
use super::version::{Histories, Version};
use crate::recording::ReadError;

/// A recording taken apart.
pub(super) struct Lifted {
    pub(super) case: Case,
    /// Of each line, from the first one: the step of the input that it is, or comes of.
    pub(super) steps: Vec<u32>,
}

/// Takes a recording apart.
///
/// # Errors
///
/// [`ReadError`]: a line cannot be read, or there is no start.
pub(super) fn lift(recording: &Recording) -> Result<Lifted, ReadError> {
    let mut reader = recording.reader()?;
    let mask = reader.header().mask;
    let Some(line) = reader.next_line()? else {
        return Err(reader.error(1, "the recording ends before its start"));
    };
    let text = line.text.to_owned();
    let input = Input::parse(&text).map_err(|error| reader.line_error(&error))?;
    let Some((from, Input::Start(start))) = input else {
        return Err(reader.error(1, "the second line of a recording is its start"));
    };
    let mut lifter = Lifter {
        version: start.config.protocol_version,
        step: 0,
        at: from,
        causes: Vec::new(),
        notes: Notes::default(),
        polls: Vec::new(),
        stage: Stage::None,
        framer: Framer::default(),
        heads: Vec::new(),
        latest: BTreeMap::new(),
        tokens: BTreeMap::new(),
        subscriptions: Vec::new(),
        request: None,
        requests: BTreeMap::new(),
        shadows: BTreeMap::new(),
        own_shadow: start.config.own_shadow.clone(),
        histories: Histories::of_start(&text),
        told: BTreeMap::new(),
    };
    // The header and the start.
    let mut steps = vec![0, 0];
    while let Some(line) = reader.next_line()? {
        let text = line.text.to_owned();
        match Input::parse(&text).map_err(|error| reader.line_error(&error))? {
            Some((_, Input::Start(_))) => return Err(reader.error(1, "there is a second start")),
            Some((at, input)) => lifter.input(at, input, &text),
            None => lifter.output(&text),
        }
        steps.push(lifter.step);
    }
    let case = Case {
        mask,
        start: Rc::new((text, *start)),
        from,
        recorded_versions: false,
        ids: lifter.causes.len(),
        causes: lifter.causes,
        notes: Rc::new(lifter.notes),
    };
    Ok(Lifted { case, steps })
}

struct Lifter {
    version: ProtocolVersion,
    step: u32,
    at: Instant,
    causes: Vec<Cause>,
    notes: Notes,
    /// Since the last input.
    polls: Vec<Poll>,
    stage: Stage,
    framer: Framer,
    /// The causes that hold the beginning of the packet that is incomplete.
    heads: Vec<usize>,
    /// The latest note that left with this kind and identifier, 0 for none.
    latest: BTreeMap<(&'static str, u16), u32>,
    /// The first note with this client token, and the version that it carried.
    tokens: BTreeMap<String, (u32, Option<u64>)>,
    /// The filters that were subscribed, each with its latest note.
    subscriptions: Vec<(String, u32)>,
    /// The request whose answer comes next.
    request: Option<u32>,
    /// Which cause a request was.
    requests: BTreeMap<u64, u32>,
    /// Which cause attached a shadow.
    shadows: BTreeMap<ShadowId, u32>,
    own_shadow: Option<ShadowName>,
    histories: Histories,
    /// The latest delta that was told of this shadow, origin and version.
    told: BTreeMap<(ShadowId, bool, Option<u64>), (u32, String)>,
}

#[derive(Deserialize)]
struct Pending {
    pending: Option<bool>,
}

impl Lifter {
    fn input(&mut self, at: Instant, input: Input, text: &str) {
        // A poll that gave nothing is no cause, and how it was polled is kept otherwise.
        if let Input::Poll = input {
            self.polls.push(Poll::Transmit);
            return;
        }
        let polls = std::mem::take(&mut self.polls);
        let pending = text.contains("\"pending\"")
            && serde_json::from_str(text).is_ok_and(|line: Pending| line.pending == Some(true));
        let polls: Option<Rc<[Poll]>> = pending.then(|| polls.into());
        self.step += 1;
        self.request = None;
        let delay = at.as_micros().saturating_sub(self.at.as_micros());
        self.at = self.at.max(at);
        let first = self.causes.len();
        match input {
            Input::Connected => {
                let asked = self.stage == Stage::Asked;
                if asked {
                    self.stage = Stage::Up;
                    self.forget_stream();
                }
                self.push(What::Connected { asked });
            }
            Input::Disconnected(failure) => {
                let stage = std::mem::replace(&mut self.stage, Stage::None);
                self.forget_stream();
                self.push(What::Disconnected { failure, stage });
            }
            Input::Bytes(bytes) => self.bytes(&bytes),
            Input::Request(request) => {
                let asked = self.asked(request);
                self.push(What::Request(asked));
                self.request = Some(index32(first));
            }
            other => self.push(What::Plain(other)),
        }
        if let Some(cause) = self.causes.get_mut(first) {
            cause.delay = delay;
            cause.polls = polls;
            cause.joined = false;
        } else if let Some(pending) = polls {
            // A call without bytes: what it waited for still counts.
            self.polls = pending.to_vec();
        }
    }

    /// Adds a cause that follows the one before at once.
    fn push(&mut self, what: What) {
        self.causes.push(Cause {
            id: index32(self.causes.len()),
            step: self.step,
            delay: 0,
            lateness: 0,
            joined: true,
            polls: None,
            what: Rc::new(what),
        });
    }

    fn bytes(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            self.push(What::Raw {
                bytes: Vec::new(),
                stage: self.stage,
            });
            return;
        }
        let mut rest = bytes;
        while let Some(piece) = self.framer.next(&mut rest) {
            match piece {
                Piece::Packet(packet) => {
                    let of = index32(self.causes.len());
                    let mut length = 0;
                    for head in std::mem::take(&mut self.heads) {
                        if let Some(cause) = self.causes.get_mut(head)
                            && let What::Raw { bytes, .. } = &*cause.what
                        {
                            length += bytes.len();
                            cause.what = Rc::new(What::Head { of, length });
                        }
                    }
                    self.packet(packet);
                }
                Piece::Beginning(bytes) => {
                    self.heads.push(self.causes.len());
                    let stage = self.stage;
                    self.push(What::Raw { bytes, stage });
                }
                Piece::Opaque(bytes) => {
                    let stage = self.stage;
                    self.push(What::Raw { bytes, stage });
                }
            }
        }
    }

    fn packet(&mut self, bytes: Vec<u8>) {
        let stage = self.stage;
        let Ok(packet) = Packet::decode(&bytes, self.version) else {
            self.push(What::Raw { bytes, stage });
            return;
        };
        let answer = self.answer(&packet);
        let (mut subscription, mut version) = (None, None);
        match packet {
            Packet::ConnAck(_) if stage == Stage::Up => self.stage = Stage::LoggedIn,
            Packet::Publish(publish) => {
                subscription = self
                    .subscriptions
                    .iter()
                    .filter(|(filter, _)| topic::filter_matches(filter, publish.topic))
                    .map(|(_, note)| *note)
                    .max();
                let carried = answer.as_ref().and_then(|answer| match &answer.how {
                    How::Token(token) => self.tokens.get(token)?.1,
                    _ => None,
                });
                version = self.histories.told(&publish, carried);
            }
            _ => {}
        }
        self.push(What::Packet(Received {
            bytes,
            stage,
            answer,
            subscription,
            version,
        }));
    }

    /// What a packet answers, as far as it can be told.
    fn answer(&self, packet: &Packet<'_>) -> Option<Answer> {
        let latest = |kinds: &[&'static str], id: u16| {
            let notes = kinds
                .iter()
                .filter_map(|kind| self.latest.get(&(*kind, id)));
            notes.max().copied()
        };
        let (to, how) = match packet {
            Packet::ConnAck(_) => (latest(&["CONNECT"], 0), How::Link),
            Packet::PingResp => (latest(&["PINGREQ"], 0), How::Link),
            Packet::SubAck(answer) => (latest(&["SUBSCRIBE"], answer.packet_id.get()), How::Id),
            Packet::UnsubAck(answer) => (latest(&["UNSUBSCRIBE"], answer.packet_id.get()), How::Id),
            Packet::PubAck(answer) => (latest(&["PUBLISH"], answer.packet_id.get()), How::Id),
            Packet::PubRec(answer) => (latest(&["PUBLISH"], answer.packet_id.get()), How::Id),
            Packet::PubComp(answer) => (latest(&["PUBREL"], answer.packet_id.get()), How::Id),
            Packet::PubRel(answer) => (latest(&["PUBREC"], answer.packet_id.get()), How::Id),
            Packet::Publish(publish) => {
                let token = token_of(publish.payload)?;
                let to = self.tokens.get(&token).map(|(note, _)| *note);
                (to, How::Token(token))
            }
            _ => return None,
        };
        Some(Answer { to: to?, how })
    }

    fn output(&mut self, text: &str) {
        let Some(fields) = Fields::read(text) else {
            return;
        };
        match &*fields.out {
            "connect" | "close" | "packet" => self.polls.push(Poll::Transmit),
            "event" => self.polls.push(Poll::Event),
            "accepted" => {
                if let Some(cause) = self.request.take() {
                    if let Some(request) = fields.request {
                        self.requests.insert(request, cause);
                    }
                    if let Some(shadow) = fields.shadow.and_then(shadow_id) {
                        self.shadows.insert(shadow, cause);
                    }
                }
            }
            _ => {}
        }
        match &*fields.out {
            "connect" => self.stage = Stage::Asked,
            "close" => {
                self.stage = Stage::None;
                self.forget_stream();
            }
            "event" if fields.event.as_deref() == Some("Delta") => self.delta(text),
            _ => {}
        }
        let Some(note) = fields.note() else {
            return;
        };
        let number = self.notes.push(self.step, &note);
        let kind = match fields.packet.as_deref() {
            Some("CONNECT") => "CONNECT",
            Some("PINGREQ") => "PINGREQ",
            Some("SUBSCRIBE") => "SUBSCRIBE",
            Some("UNSUBSCRIBE") => "UNSUBSCRIBE",
            Some("PUBLISH") => "PUBLISH",
            Some("PUBREL") => "PUBREL",
            Some("PUBREC") => "PUBREC",
            _ => return,
        };
        self.latest.insert((kind, note.id.unwrap_or(0)), number);
        if let Some(token) = note.token {
            self.tokens.entry(token).or_insert((number, note.version));
        }
        if kind == "SUBSCRIBE" {
            for filter in fields.subscribes() {
                let mut known = self.subscriptions.iter_mut();
                if let Some((_, note)) = known.find(|(known, _)| *known == filter) {
                    *note = number;
                } else if self.subscriptions.len() < MAXIMUM_SUBSCRIPTIONS {
                    self.subscriptions.push((filter, number));
                }
            }
        }
    }

    /// A delta that was told: its line has the fields of one that is accepted.
    fn delta(&mut self, text: &str) {
        let as_input = text.replacen(
            "\"out\":\"event\",\"event\":\"Delta\"",
            "\"in\":\"accept\"",
            1,
        );
        if let Ok(Some((_, Input::Request(Request::Accept(delta))))) = Input::parse(&as_input) {
            let note = self.notes.push(self.step, &note_of_delta(&delta));
            let state = delta.state.as_str().to_owned();
            self.told.insert(told_as(&delta), (note, state));
        }
    }

    fn asked(&self, request: Request) -> Asked {
        let (mut shadow, mut about, mut told, mut version) = (None, None, None, None);
        match &request {
            Request::Get(id) | Request::Detach(id) => shadow = Some(*id),
            Request::Update {
                shadow: id,
                version: asked,
                ..
            } => {
                shadow = Some(*id);
                version = asked.and_then(|asked| self.version(*id, asked));
            }
            Request::Report { shadow: id, .. } | Request::SetNextToken { shadow: id, .. } => {
                shadow = Some(*id);
            }
            Request::Cancel(request) | Request::SetTimeout { request, .. } => {
                about = self.requests.get(&request.as_u64()).copied();
            }
            Request::Accept(delta)
            | Request::AcceptAs { delta, .. }
            | Request::Reject { delta, .. } => {
                shadow = Some(delta.shadow);
                told = self.told.get(&told_as(delta)).map(|(note, state)| Told {
                    note: *note,
                    whole: delta.state.as_str() == state,
                });
            }
            _ => {}
        }
        Asked {
            // That of the engine's own shadow is in no answer.
            shadow: shadow.and_then(|shadow| self.shadows.get(&shadow).copied()),
            request,
            about,
            told,
            version,
        }
    }

    /// The version that an update of this shadow asks for.
    fn version(&self, shadow: ShadowId, asked: u64) -> Option<Version> {
        let name = match self.shadows.get(&shadow) {
            None => self.own_shadow.as_ref()?,
            Some(attach) => match &*self.causes.get(*attach as usize)?.what {
                What::Request(Asked {
                    request: Request::Attach(name),
                    ..
                }) => name,
                _ => return None,
            },
        };
        self.histories.asked(name, asked)
    }

    /// A new stream begins; what was cut off of the old one is no packet.
    fn forget_stream(&mut self) {
        self.framer = Framer::default();
        self.heads.clear();
    }
}

/// How many subscriptions are told apart: a forged recording may have any number of them.
const MAXIMUM_SUBSCRIPTIONS: usize = 4096;

fn told_as(delta: &Delta) -> (ShadowId, bool, Option<u64>) {
    (
        delta.shadow,
        delta.origin == DeltaOrigin::Pushed,
        delta.version,
    )
}

/// The id of this number: there is no other way to one than a line.
pub(super) fn shadow_id(number: u32) -> Option<ShadowId> {
    let line = format!(r#"{{"at":0,"in":"detach","shadow":{number}}}"#);
    match Input::parse(&line) {
        Ok(Some((_, Input::Request(Request::Detach(shadow))))) => Some(shadow),
        _ => None,
    }
}

/// The id of this number.
pub(super) fn request_id(number: u64) -> Option<RequestId> {
    let line = format!(r#"{{"at":0,"in":"cancel","request":{number}}}"#);
    match Input::parse(&line) {
        Ok(Some((_, Input::Request(Request::Cancel(request))))) => Some(request),
        _ => None,
    }
}

/// The client token of a reply.
fn token_of(payload: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Reply<'a> {
        #[serde(rename = "clientToken", borrow)]
        token: std::borrow::Cow<'a, str>,
    }
    let text = std::str::from_utf8(payload).ok()?;
    let reply: Reply<'_> = serde_json::from_str(text).ok()?;
    Some(reply.token.into_owned())
}

/// Whether a packet is a login accepted.
pub(super) fn accepts_login(bytes: &[u8]) -> bool {
    bytes.first().map(|byte| byte >> 4) == Some(PacketKind::ConnAck.number())
}
