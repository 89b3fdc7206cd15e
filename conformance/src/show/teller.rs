//! What is known from the lines so far, and what the next one adds.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use serde::Deserialize;
use shadow_core::mqtt::{Oversized, ProtocolVersion, StreamDecoder};

use super::call;
use super::document::{Documents, Effect, Saying};
use super::event;
use super::exchange::{Exchanges, Waiting};
use super::line::{Fields, LineError};
use super::packet;
use super::step::{Answer, Content, Deadline, Kind, Link, Route, Step};
use super::story::Time;
use super::words::Span;

/// The largest packet that is read, in bytes; the engine's own bound is lower unless it was set to
/// more. A larger PUBLISH is told without its payload.
const MAXIMUM_PACKET: usize = 16 * 1024 * 1024;

/// How many shadows' names are kept by their numbers.
const MAXIMUM_NAMES: usize = 4096;

/// In how many of the last messages a document is looked for.
const RECENT: usize = 4;

/// Takes the steps of one line.
pub(super) struct Told<'a> {
    pub(super) at: Duration,
    line: u64,
    steps: &'a mut VecDeque<Step>,
    count: &'a mut u64,
    deadline: Option<Deadline>,
}

impl<'a> Told<'a> {
    /// Takes the steps of line `line`, which came when `deadline` was in force, into `steps`, of
    /// which there were `count`. The time has to be set before the first.
    pub(super) fn new(
        line: u64,
        deadline: Option<Deadline>,
        steps: &'a mut VecDeque<Step>,
        count: &'a mut u64,
    ) -> Told<'a> {
        Told {
            at: Duration::ZERO,
            line,
            steps,
            count,
            deadline,
        }
    }

    /// The number that the next step gets.
    pub(super) fn next_number(&self) -> u64 {
        *self.count + 1
    }

    /// The next step, if it has to be answered.
    pub(super) fn next_waiting(&self) -> Waiting {
        Waiting {
            step: self.next_number(),
            at: self.at,
        }
    }

    /// A step that has nothing yet but what every step has.
    pub(super) fn step(&self, kind: Kind, route: Route, name: impl Into<String>) -> Step {
        Step {
            number: self.next_number(),
            at: self.at,
            line: self.line,
            kind,
            route,
            name: name.into(),
            words: String::new(),
            detail: String::new(),
            shadow: None,
            topic: None,
            token: None,
            request: None,
            content: None,
            document_of: None,
            fault: None,
            answers: Vec::new(),
            expects: 0,
            version: None,
            changes: Vec::new(),
            link: Link::Down,
            deadline: self.deadline.clone(),
        }
    }

    /// Adds the step that was made last.
    pub(super) fn push(&mut self, mut step: Step, link: Link) {
        step.link = link;
        *self.count = step.number;
        self.steps.push_back(step);
    }

    /// The step before, which is the call that this line is the result of.
    fn held(&mut self) -> Option<&mut Step> {
        self.steps.back_mut()
    }
}

/// What is known from the lines so far.
pub(super) struct Teller {
    pub(super) version: ProtocolVersion,
    pub(super) link: Link,
    /// `None` once the bytes made no sense, until the next link.
    pub(super) decoder: Option<StreamDecoder>,
    pub(super) exchanges: Exchanges,
    pub(super) documents: Documents,
    pub(super) deadline: Option<Deadline>,
    /// Whether the link is known from a line that tells of it. A file can begin in the middle.
    link_known: bool,
    /// Names of shadows by their numbers.
    names: BTreeMap<u64, String>,
    /// The last messages of the cloud: what their steps are, and their texts.
    recent: VecDeque<(u64, String)>,
}

impl Teller {
    pub(super) fn new() -> Teller {
        Teller {
            version: ProtocolVersion::V311,
            link: Link::Down,
            decoder: None,
            exchanges: Exchanges::default(),
            documents: Documents::default(),
            deadline: None,
            link_known: false,
            names: BTreeMap::new(),
            recent: VecDeque::new(),
        }
    }

    /// An input. Whether the next line is its result.
    pub(super) fn input(
        &mut self,
        kind: &str,
        fields: &Fields<'_>,
        told: &mut Told<'_>,
    ) -> Result<bool, LineError> {
        match kind {
            "start" | "end" | "connected" | "disconnected" => {
                self.link_input(kind, fields, told)?;
            }
            "bytes" => packet::inbound(self, fields, told)?,
            "tick" => self.tick(told),
            "wall" => {
                let mut step = told.step(Kind::Clock, Route::Device, "wall");
                let millis = fields.required("unix_ms", fields.u64("unix_ms")?)?;
                step.words = format!("{millis} ms since 1970");
                told.push(step, self.link);
            }
            "poll" => {
                let step = told.step(Kind::Clock, Route::Device, "poll");
                told.push(step, self.link);
            }
            _ => {
                call::call(self, kind, fields, told)?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// An output. `held` says that a call came just before.
    pub(super) fn output(
        &mut self,
        kind: &str,
        fields: &Fields<'_>,
        held: bool,
        time: &Time,
        told: &mut Told<'_>,
    ) -> Result<(), LineError> {
        match kind {
            "accepted" if held => {
                let shadow = fields.u64("shadow")?;
                let request = fields.u64("request")?;
                let Some(call) = told.held() else {
                    return Ok(());
                };
                call.request = request;
                call.expects = u8::from(request.is_some());
                let waiting = Waiting {
                    step: call.number,
                    at: call.at,
                };
                let name = call.shadow.clone();
                if let Some(request) = request {
                    self.exchanges.open_call(request, waiting);
                }
                if let (Some(number), Some(name)) = (shadow, name) {
                    self.name(number, &name);
                }
            }
            "refused" if held => {
                let why = fields.string("why")?;
                if let Some(call) = told.held() {
                    call.fault = Some(format!("refused: {}", why.unwrap_or_default()));
                }
            }
            "connect" => {
                self.exchanges.link_lost();
                self.exchanges.connect(told.next_waiting());
                self.link = Link::Connecting;
                self.link_known = true;
                let mut step = told.step(Kind::Link, Route::DeviceToLink, "connect");
                step.expects = 1;
                told.push(step, self.link);
            }
            "close" => {
                self.lose_link();
                let step = told.step(Kind::Link, Route::DeviceToLink, "close");
                told.push(step, self.link);
            }
            "packet" => packet::outbound(self, fields, told)?,
            "event" => event::event(self, fields, told)?,
            "deadline" => {
                let timer = fields.string("timer")?.unwrap_or_default();
                let due: Option<u64> = fields
                    .read::<Option<u64>>("due", "a whole number or null")?
                    .flatten();
                self.deadline = due.map(|due| Deadline {
                    due: time.future(due),
                    timer,
                });
            }
            other => {
                let mut step = told.step(Kind::Event, Route::DeviceToApplication, other);
                step.content = rest(fields, &[]);
                told.push(step, self.link);
            }
        }
        Ok(())
    }

    fn link_input(
        &mut self,
        kind: &str,
        fields: &Fields<'_>,
        told: &mut Told<'_>,
    ) -> Result<(), LineError> {
        let route = match kind {
            "connected" | "disconnected" => Route::LinkToDevice,
            _ => Route::Device,
        };
        let mut step = told.step(Kind::Link, route, kind);
        match kind {
            "connected" => {
                step.answers = self.answer_connect(told);
                self.link = Link::Connected;
                self.link_known = true;
                self.decoder = Some(self.new_decoder());
            }
            "disconnected" => {
                step.answers = self.answer_connect(told);
                let failure = fields.string("failure")?.unwrap_or_default();
                let why = fields.string("why")?;
                let reason = match failure.as_str() {
                    "ConnectFailed" => "cannot connect",
                    "Untrusted" => "not trusted",
                    "ClosedByPeer" => "closed by the peer",
                    "Broken" => "broken",
                    other => other,
                };
                let mut fault = reason.to_owned();
                if let Some(why) = why {
                    fault.push_str(": ");
                    fault.push_str(&why);
                }
                let cut = self.decoder.as_ref().map_or(0, StreamDecoder::buffered);
                if cut > 0 {
                    fault.push_str(&format!("; {cut} bytes of a packet that was cut are lost"));
                }
                step.fault = Some(fault);
                self.lose_link();
            }
            "start" => {
                self.lose_link();
                self.deadline = None;
                self.names.clear();
                let stored = !matches!(fields.raw("session"), None | Some("null"));
                step.words = match stored {
                    true => "with a stored session".to_owned(),
                    false => "without a stored session".to_owned(),
                };
                step.content = rest(fields, &["seed"]);
                if let Some(own) = own_shadow(fields) {
                    self.name(0, &own);
                    step.shadow = Some(own);
                }
            }
            _ => self.lose_link(),
        }
        told.push(step, self.link);
        Ok(())
    }

    fn tick(&mut self, told: &mut Told<'_>) {
        let due = self.deadline.take_if(|deadline| deadline.due <= told.at);
        let step = match due {
            Some(Deadline { timer, due }) => {
                let mut step = told.step(Kind::Timer, Route::Device, timer);
                step.words = timer_words(&step.name).to_owned();
                let late = told.at.saturating_sub(due);
                if !late.is_zero() {
                    step.detail = format!("{} after it was due", Span(late));
                }
                step
            }
            None => told.step(Kind::Clock, Route::Device, "tick"),
        };
        told.push(step, self.link);
    }

    fn answer_connect(&mut self, told: &Told<'_>) -> Vec<Answer> {
        let connect = self.exchanges.connected();
        connect
            .map(|waiting| waiting.answered(told.at))
            .into_iter()
            .collect()
    }

    /// A packet passes: if nothing was told of the link until now, it is up.
    pub(super) fn link_in_use(&mut self) {
        if !std::mem::replace(&mut self.link_known, true) {
            self.link = Link::Online;
            self.decoder = Some(self.new_decoder());
        }
    }

    pub(super) fn lose_link(&mut self) {
        self.link_known = true;
        self.link = Link::Down;
        self.decoder = None;
        self.exchanges.link_lost();
    }

    pub(super) fn new_decoder(&self) -> StreamDecoder {
        StreamDecoder::new(self.version, MAXIMUM_PACKET, Oversized::SkipPublish)
    }

    /// Notes a shadow's number.
    pub(super) fn name(&mut self, number: u64, name: &str) {
        if self.names.len() < MAXIMUM_NAMES {
            self.names.insert(number, name.to_owned());
        }
    }

    /// The name of the shadow of this number, if it is known.
    pub(super) fn shadow_name(&self, number: u64) -> Option<String> {
        self.names.get(&number).cloned()
    }

    /// Notes what a message says of a document, in the step that tells it.
    pub(super) fn hear(
        &mut self,
        step: &mut Step,
        shadow: &str,
        version: Option<u64>,
        saying: Saying<'_>,
    ) {
        let Effect {
            version,
            changes,
            fault,
        } = self.documents.hear(shadow, step.number, version, saying);
        step.version = version;
        step.changes = changes;
        step.fault = step.fault.take().or(fault);
    }

    /// Keeps a message of the cloud for [`Teller::document_step`].
    pub(super) fn keep(&mut self, step: u64, text: &str) {
        if self.recent.len() >= RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back((step, text.to_owned()));
    }

    /// The recent step that carries this document.
    pub(super) fn document_step(&self, document: &str) -> Option<u64> {
        let mut recent = self.recent.iter().rev();
        let found = recent.find(|(_, text)| text.contains(document));
        found.map(|(step, _)| *step)
    }
}

/// The fields of a line that are not told otherwise.
pub(super) fn rest(fields: &Fields<'_>, told: &[&str]) -> Option<Content> {
    let always = ["at", "in", "out", "pending"];
    let object = fields.object(|key| !always.contains(&key) && !told.contains(&key));
    object.map(Content::Json)
}

/// The shadow that is attached from the start; it has number 0.
fn own_shadow(fields: &Fields<'_>) -> Option<String> {
    #[derive(Deserialize)]
    struct Config {
        own_shadow: Option<Name>,
    }
    #[derive(Deserialize)]
    struct Name {
        product_id: String,
        device_name: String,
    }
    let config: Config = serde_json::from_str(fields.raw("config")?).ok()?;
    let name = config.own_shadow?;
    Some(format!("{}/{}", name.product_id, name.device_name))
}

fn timer_words(timer: &str) -> &'static str {
    match timer {
        "Reconnect" => "time to connect",
        "Connect" => "no CONNACK in time",
        "KeepAlive" => "time to send PINGREQ",
        "PingResponse" => "no PINGRESP in time",
        "Acknowledgement" => "no SUBACK or UNSUBACK in time",
        "Pace" => "the next message may leave",
        "Request" => "no reply in time",
        _ => "",
    }
}
