//! Lines read back.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use serde::de::IgnoredAny;
use serde::ser::Error as _;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;

use super::output::split_output;
use super::{Recorder, Sink, configuration};
use crate::config::Config;
use crate::event::{Delta, DeltaOrigin};
use crate::json::Json;
use crate::mqtt::QoS;
use crate::mqtt::link::{Publication, TransportFailure};
use crate::request::{RequestId, ShadowId};
use crate::session::Session;
use crate::tencent::{ShadowName, Update};
use crate::time::{Instant, WallTime};

/// What an engine was made of.
#[derive(Clone, Debug)]
pub struct Start {
    /// The configuration. Its secrets are stand-ins.
    pub config: Config,
    /// What survived the run before.
    pub session: Session,
    /// Where everything random comes from.
    pub seed: u64,
}

/// One recorded input: a call of one of the engine's methods.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Input {
    /// `Engine::new`.
    Start(Box<Start>),
    /// The engine was given up.
    End,
    /// `handle_wall_time`.
    WallTime(WallTime),
    /// `handle_connected`.
    Connected,
    /// `handle_bytes`.
    Bytes(Vec<u8>),
    /// `handle_disconnected`.
    Disconnected(TransportFailure),
    /// `handle_tick`.
    Tick,
    /// `reconnect`.
    Reconnect,
    /// `close`.
    Close,
    /// A `poll_transmit` that gave nothing.
    Poll,
    /// A request of the application.
    Request(Request),
}

/// One recorded request.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Request {
    /// `get`.
    Get(ShadowId),
    /// `update`, `clear_reported` and `clear_desired`.
    Update {
        /// Whose shadow.
        shadow: ShadowId,
        /// The part `reported`, if it was given.
        reported: Option<Part>,
        /// The part `desired`, if it was given.
        desired: Option<Part>,
        /// The version that it asked for.
        version: Option<u64>,
        /// `Update::overwrite`.
        overwrite: bool,
    },
    /// `report`.
    Report {
        /// Whose shadow.
        shadow: ShadowId,
        /// What was reported.
        reported: Part,
    },
    /// `accept`.
    Accept(Delta),
    /// `accept_as`.
    AcceptAs {
        /// What was answered.
        delta: Delta,
        /// What was reported instead.
        reported: Part,
    },
    /// `reject`.
    Reject {
        /// What was answered.
        delta: Delta,
        /// Why.
        reason: String,
    },
    /// `attach`.
    Attach(ShadowName),
    /// `detach`.
    Detach(ShadowId),
    /// `publish`.
    Publish {
        /// The topic.
        topic: String,
        /// The payload.
        payload: Vec<u8>,
        /// The QoS.
        qos: QoS,
        /// Whether the server was to keep it.
        retain: bool,
    },
    /// `subscribe`.
    Subscribe {
        /// The filter.
        filter: String,
        /// The QoS.
        qos: QoS,
    },
    /// `unsubscribe`.
    Unsubscribe(String),
    /// `cancel`.
    Cancel(RequestId),
    /// `set_timeout`.
    SetTimeout {
        /// Of which request.
        request: RequestId,
        /// How long it may take from then on.
        timeout: Duration,
    },
    /// `set_next_token`.
    SetNextToken {
        /// Of which shadow.
        shadow: ShadowId,
        /// The number.
        number: u64,
    },
}

/// What the application gave as a part of a document: JSON text, or what failed to become some.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// As JSON.
    Json(Json),
    /// It had no JSON form, for this reason.
    Error(String),
}

impl Part {
    pub(super) fn of<T: Serialize + ?Sized>(value: &T) -> Part {
        match Json::from_serialize(value) {
            Ok(json) => Part::Json(json),
            Err(error) => Part::Error(error.to_string()),
        }
    }
}

impl Serialize for Part {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Part::Json(json) => json.serialize(serializer),
            Part::Error(why) => Err(S::Error::custom(why)),
        }
    }
}

impl Input {
    /// Reads one line of a recording behind its header: when, and what went in; `None` for an
    /// output. White space around and within it does not matter.
    ///
    /// ```
    /// use shadow_core::Instant;
    /// use shadow_core::recording::Input;
    ///
    /// let line = r#"{"at":7,"in":"bytes","bytes":"\u00d0\u0000"}"#;
    /// let (at, input) = Input::parse(line)?.unwrap();
    /// assert_eq!(at, Instant::from_micros(7));
    /// assert!(matches!(input, Input::Bytes(bytes) if bytes == [0xd0, 0]));
    /// # Ok::<(), shadow_core::recording::LineError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`LineError`]: no JSON, not of this format, or something that cannot have been an input.
    pub fn parse(line: &str) -> Result<Option<(Instant, Input)>, LineError> {
        // Most lines are outputs, and need not be read.
        if split_output(line).is_some() {
            return Ok(None);
        }
        let kind: Kind<'_> = serde_json::from_str(line)?;
        let at = Instant::from_micros(kind.at);
        let input = match (kind.input, kind.output) {
            (Some(input), None) => input,
            (None, Some(_)) => return Ok(None),
            _ => return Err(LineError::new(1, "it is neither an input nor an output")),
        };
        let fields: Fields<'_> = serde_json::from_str(line)?;
        let input = fields.input(&input).map_err(|why| {
            // Where its fields begin.
            let column = line.find(&*input).map_or(1, |at| at + 1);
            LineError::new(column, why)
        })?;
        Ok(Some((at, input)))
    }

    /// Has `recorder` do what was done. `Start` is the caller's to carry out, who makes a recorder of
    /// it; at `End` the recorder notes the end and goes on.
    pub fn apply<S: Sink>(&self, now: Instant, recorder: &mut Recorder<S>) {
        match self {
            Input::Start(_) => {}
            Input::End => recorder.note_end(),
            Input::WallTime(wall) => recorder.handle_wall_time(now, *wall),
            Input::Connected => recorder.handle_connected(now),
            Input::Bytes(bytes) => recorder.handle_received(now, bytes),
            Input::Disconnected(failure) => recorder.handle_disconnected(now, failure.clone()),
            Input::Tick => recorder.handle_tick(now),
            Input::Reconnect => recorder.reconnect(now),
            Input::Close => recorder.close(now),
            Input::Poll => {
                recorder.poll_transmit(now, &mut Vec::new());
            }
            // How it was answered is written down.
            Input::Request(request) => request.apply(now, recorder),
        }
    }
}

impl Request {
    fn apply<S: Sink>(&self, now: Instant, recorder: &mut Recorder<S>) {
        match self {
            Request::Get(shadow) => drop(recorder.get(now, *shadow)),
            Request::Update {
                shadow,
                reported,
                desired,
                version,
                overwrite,
            } => {
                let update =
                    Update::of_parts(reported.as_ref(), desired.as_ref(), *version, *overwrite);
                drop(recorder.update(now, *shadow, &update));
            }
            Request::Report { shadow, reported } => drop(recorder.report(now, *shadow, reported)),
            Request::Accept(delta) => drop(recorder.accept(now, delta)),
            Request::AcceptAs { delta, reported } => {
                drop(recorder.accept_as(now, delta, reported));
            }
            Request::Reject { delta, reason } => drop(recorder.reject(now, delta, reason)),
            Request::Attach(name) => drop(recorder.attach(now, name)),
            Request::Detach(shadow) => drop(recorder.detach(now, *shadow)),
            Request::Publish {
                topic,
                payload,
                qos,
                retain,
            } => {
                let publication = Publication {
                    topic,
                    payload,
                    qos: *qos,
                    retain: *retain,
                };
                drop(recorder.publish(now, &publication));
            }
            Request::Subscribe { filter, qos } => drop(recorder.subscribe(now, filter, *qos)),
            Request::Unsubscribe(filter) => drop(recorder.unsubscribe(now, filter)),
            Request::Cancel(request) => drop(recorder.cancel(now, *request)),
            Request::SetTimeout { request, timeout } => {
                drop(recorder.set_timeout(now, *request, *timeout));
            }
            Request::SetNextToken { shadow, number } => {
                drop(recorder.set_next_token(*shadow, *number));
            }
        }
    }
}

#[derive(Deserialize)]
struct Kind<'a> {
    at: u64,
    #[serde(rename = "in", borrow)]
    input: Option<Cow<'a, str>>,
    #[serde(rename = "out")]
    output: Option<IgnoredAny>,
}

/// All that an input can have; which has what is checked afterwards.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields<'a> {
    #[serde(rename = "at")]
    _at: IgnoredAny,
    #[serde(rename = "in")]
    _input: IgnoredAny,
    #[serde(rename = "pending")]
    _pending: Option<bool>,
    seed: Option<u64>,
    #[serde(borrow)]
    config: Option<&'a RawValue>,
    #[serde(borrow, default)]
    session: Option<&'a RawValue>,
    unix_ms: Option<u64>,
    #[serde(borrow)]
    bytes: Option<Cow<'a, str>>,
    #[serde(borrow)]
    failure: Option<Cow<'a, str>>,
    why: Option<String>,
    shadow: Option<u32>,
    #[serde(borrow, default, deserialize_with = "raw")]
    reported: Option<&'a RawValue>,
    reported_error: Option<String>,
    #[serde(borrow, default, deserialize_with = "raw")]
    desired: Option<&'a RawValue>,
    desired_error: Option<String>,
    version: Option<u64>,
    overwrite: Option<bool>,
    #[serde(borrow)]
    origin: Option<Cow<'a, str>>,
    #[serde(borrow)]
    state: Option<&'a RawValue>,
    state_text: Option<String>,
    redelivered: Option<bool>,
    reason: Option<String>,
    product_id: Option<String>,
    device_name: Option<String>,
    topic: Option<String>,
    qos: Option<u8>,
    retain: Option<bool>,
    #[serde(borrow)]
    payload: Option<&'a RawValue>,
    #[serde(borrow)]
    payload_bytes: Option<Cow<'a, str>>,
    filter: Option<String>,
    request: Option<u64>,
    micros: Option<u64>,
    number: Option<u64>,
}

/// A value that is there even if it is `null`.
fn raw<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

impl Fields<'_> {
    fn input(self, kind: &str) -> Result<Input, String> {
        Ok(match kind {
            "start" => Input::Start(Box::new(self.start()?)),
            "end" => Input::End,
            "wall" => Input::WallTime(WallTime::from_unix_millis(need(self.unix_ms, "unix_ms")?)),
            "connected" => Input::Connected,
            "bytes" => Input::Bytes(bytes(&need(self.bytes, "bytes")?)?),
            "disconnected" => Input::Disconnected(self.failure()?),
            "tick" => Input::Tick,
            "reconnect" => Input::Reconnect,
            "close" => Input::Close,
            "poll" => Input::Poll,
            _ => Input::Request(self.request(kind)?),
        })
    }

    fn start(self) -> Result<Start, String> {
        let config = need(self.config, "config")?;
        let config = configuration::from_json(config.get()).map_err(|error| {
            let what = without_place(&error);
            format!("its configuration cannot be read: {what}")
        })?;
        let session = match self.session.map(RawValue::get) {
            None | Some("null") => Session::new(),
            Some(text) => Session::from_json(text).map_err(|error| error.to_string())?,
        };
        let seed = need(self.seed, "seed")?;
        Ok(Start {
            config,
            session,
            seed,
        })
    }

    fn failure(self) -> Result<TransportFailure, String> {
        let failure = need(self.failure, "failure")?;
        let why = self.why.unwrap_or_default();
        Ok(match &*failure {
            "ConnectFailed" => TransportFailure::ConnectFailed(why),
            "Untrusted" => TransportFailure::Untrusted(why),
            "ClosedByPeer" => TransportFailure::ClosedByPeer,
            "Broken" => TransportFailure::Broken(why),
            other => return Err(format!("a transport does not fail as `{other}`")),
        })
    }

    fn request(mut self, kind: &str) -> Result<Request, String> {
        let reported = part((self.reported.take(), self.reported_error.take()))?;
        Ok(match kind {
            "get" => Request::Get(self.shadow()?),
            "update" => Request::Update {
                shadow: self.shadow()?,
                reported,
                desired: part((self.desired, self.desired_error))?,
                version: self.version,
                overwrite: self.overwrite.unwrap_or(false),
            },
            "report" => Request::Report {
                shadow: self.shadow()?,
                reported: need(reported, "reported")?,
            },
            "accept" => Request::Accept(self.delta()?),
            "accept_as" => Request::AcceptAs {
                reported: need(reported, "reported")?,
                delta: self.delta()?,
            },
            "reject" => Request::Reject {
                reason: need(self.reason.take(), "reason")?,
                delta: self.delta()?,
            },
            "attach" => {
                let product_id = need(self.product_id, "product_id")?;
                let device_name = need(self.device_name, "device_name")?;
                let name = ShadowName::new(&product_id, &device_name);
                Request::Attach(name.map_err(|error| error.to_string())?)
            }
            "detach" => Request::Detach(self.shadow()?),
            "publish" => Request::Publish {
                payload: self.payload()?,
                qos: self.qos()?,
                topic: need(self.topic, "topic")?,
                retain: self.retain.unwrap_or(false),
            },
            "subscribe" => Request::Subscribe {
                qos: self.qos()?,
                filter: need(self.filter, "filter")?,
            },
            "unsubscribe" => Request::Unsubscribe(need(self.filter, "filter")?),
            "cancel" => Request::Cancel(self.request_id()?),
            "set_timeout" => Request::SetTimeout {
                request: self.request_id()?,
                timeout: Duration::from_micros(need(self.micros, "micros")?),
            },
            "set_next_token" => Request::SetNextToken {
                shadow: self.shadow()?,
                number: need(self.number, "number")?,
            },
            other => return Err(format!("there is no input `{other}`")),
        })
    }

    fn shadow(&self) -> Result<ShadowId, String> {
        need(self.shadow, "shadow").map(ShadowId)
    }

    fn request_id(&self) -> Result<RequestId, String> {
        need(self.request, "request").map(RequestId)
    }

    fn qos(&self) -> Result<QoS, String> {
        let number = need(self.qos, "qos")?;
        QoS::from_number(number).ok_or_else(|| format!("there is no QoS {number}"))
    }

    fn delta(self) -> Result<Delta, String> {
        let state = match self.state_text {
            Some(text) => text,
            None => need(self.state, "state")?.get().into(),
        };
        Ok(Delta {
            shadow: need(self.shadow, "shadow").map(ShadowId)?,
            origin: match need(self.origin.as_deref(), "origin")? {
                "Pushed" => DeltaOrigin::Pushed,
                "Fetched" => DeltaOrigin::Fetched,
                other => return Err(format!("a delta is not learnt as `{other}`")),
            },
            version: self.version,
            state: Json::new(state).map_err(|error| format!("`state` is no JSON: {error}"))?,
            redelivered: self.redelivered.unwrap_or(false),
        })
    }

    fn payload(&self) -> Result<Vec<u8>, String> {
        if let Some(text) = &self.payload_bytes {
            return bytes(text);
        }
        let raw = need(self.payload, "payload")?.get();
        Ok(if raw.starts_with('"') {
            let text: String = serde_json::from_str(raw).map_err(|error| without_place(&error))?;
            text.into_bytes()
        } else {
            raw.into()
        })
    }
}

/// One of the two ways to write a part down, or none.
fn part(written: (Option<&RawValue>, Option<String>)) -> Result<Option<Part>, String> {
    Ok(match written {
        (_, Some(why)) => Some(Part::Error(why)),
        (Some(raw), None) => {
            let json = Json::new(raw.get()).map_err(|error| error.to_string())?;
            Some(Part::Json(json))
        }
        (None, None) => None,
    })
}

fn need<T>(field: Option<T>, name: &str) -> Result<T, String> {
    field.ok_or_else(|| format!("`{name}` is missing"))
}

/// The bytes that a recorded text stands for, each character that of its number; `None` if one is
/// above U+00FF and stands for no byte.
///
/// ```
/// use shadow_core::recording::decode_bytes;
///
/// assert_eq!(decode_bytes("\u{d0}\0"), Some(vec![0xd0, 0]));
/// assert_eq!(decode_bytes("\u{100}"), None);
/// ```
#[must_use]
pub fn decode_bytes(text: &str) -> Option<Vec<u8>> {
    // As many as characters, and those above U+007F have two bytes.
    let mut bytes = Vec::with_capacity(text.len());
    for character in text.chars() {
        bytes.push(u8::try_from(character).ok()?);
    }
    Some(bytes)
}

fn bytes(text: &str) -> Result<Vec<u8>, String> {
    decode_bytes(text).ok_or_else(|| {
        let is_none = |character: &char| u8::try_from(*character).is_err();
        let character = text.chars().find(is_none).unwrap_or_default();
        format!("`{character}` stands for no byte")
    })
}

/// What is wrong with a line, and where in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineError {
    column: usize,
    what: String,
}

/// How many characters of a quotation from a line are told.
const LONGEST_QUOTATION: usize = 100;
/// How many characters are told of all that is wrong: more than any list of what could be.
const LONGEST_ERROR: usize = 1_000;

/// Text with its quotations, which stand between back quotes, cut; and then as a whole at its end.
fn bounded(what: &str) -> String {
    let cut = |text: &str, longest: usize| match text.char_indices().nth(longest) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text.to_string(),
    };
    if what.chars().nth(LONGEST_QUOTATION).is_none() {
        return what.to_string();
    }
    let mut text = String::new();
    for (index, run) in what.split('`').enumerate() {
        if index > 0 {
            text.push('`');
        }
        if index % 2 == 1 {
            text.push_str(&cut(run, LONGEST_QUOTATION));
        } else {
            text.push_str(run);
        }
    }
    cut(&text, LONGEST_ERROR)
}

/// What serde_json says without the place, which counts from elsewhere or is told already.
fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    text.strip_suffix(&place).unwrap_or(&text).to_string()
}

impl LineError {
    /// Of `what` no more is kept than can be printed: quotations from the line are cut.
    pub(super) fn new(column: usize, what: impl AsRef<str>) -> LineError {
        LineError {
            column: column.max(1),
            what: bounded(what.as_ref()),
        }
    }

    /// The byte of the line at which it was noticed, from 1.
    #[must_use]
    pub fn column(&self) -> usize {
        self.column
    }

    /// What is wrong there.
    #[must_use]
    pub fn what(&self) -> &str {
        &self.what
    }
}

impl From<serde_json::Error> for LineError {
    fn from(error: serde_json::Error) -> LineError {
        // It is one line: only the column tells something.
        LineError::new(error.column(), without_place(&error))
    }
}

impl fmt::Display for LineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "column {}: {}", self.column, self.what)
    }
}

impl core::error::Error for LineError {}
