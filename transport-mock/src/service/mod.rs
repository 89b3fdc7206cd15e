//! A model of the cloud's shadow service: request payloads in, reply payloads out.
//!
//! [`ShadowService`] holds the shadow documents of any number of devices and answers what devices
//! publish on `$shadow/operation/{productId}/{deviceName}` with the payloads that the cloud
//! publishes on `$shadow/operation/result/{productId}/{deviceName}`. It is a pure state machine
//! without clock or I/O: the same calls give the same bytes. Whoever carries the payloads (an MQTT
//! server in memory, a client of a real broker, a test) calls
//! [`handle_request`](ShadowService::handle_request) for each payload of a device and publishes
//! what it returns, in order. The application's side, which the vendor serves over HTTP, is
//! [`set_desired`](ShadowService::set_desired) and [`shadow`](ShadowService::shadow).
//!
//! ```
//! use shadow_core::WallTime;
//! use shadow_core::tencent::ShadowName;
//! use transport_mock::service::ShadowService;
//!
//! let mut cloud = ShadowService::new();
//! let device = ShadowName::new("ABCDE12345", "test01").unwrap();
//! let wall = WallTime::from_unix_millis(1_626_770_697_670);
//!
//! let replies = cloud.handle_request(wall, &device, br#"{"type":"get","clientToken":8480}"#);
//! assert_eq!(
//!     replies,
//!     [concat!(
//!         r#"{"clientToken":"8480","payload":{"state":{"reported":{}},"timestamp":1626770697,"#,
//!         r#""version":0},"result":0,"timestamp":1626770697,"type":"get"}"#,
//!         "\n"
//!     ).as_bytes()]
//! );
//!
//! let change = cloud.set_desired(wall, &device, r#"{"power":true}"#, None)?;
//! assert_eq!(change.version, 1);
//! assert!(change.push.is_some());
//! # Ok::<(), transport_mock::service::ChangeError>(())
//! ```
//!
//! # Where the sources are silent
//!
//! The vendor documents the result codes 0 and 5005 only. What the model does beyond that is its
//! own choice, made so that a device under test sees a definite answer:
//!
//! * Every other refusal carries one of this model's own codes, 9000 and above ([`ResultCode`]),
//!   and, like 5005, the full current document.
//! * A refusal repeats `type` and `clientToken` where they could be read and leaves them out
//!   otherwise.
//! * An update reply's `state` has the parts that the request named. A key that was deleted shows
//!   as `null`, so the `state` is the patch from the document before to the one after; a part that
//!   the request cleared shows as `null`; a part in which nothing changed shows as `{}`.
//! * A device may change `desired`, as the shape of its request allows; it then gets the delta push
//!   like everyone else, after the reply.

mod config;
mod document;
mod node;
mod part;
mod reader;
mod refusal;
mod request;
mod shadow;

use std::collections::BTreeMap;

use shadow_core::WallTime;
use shadow_core::tencent::ShadowName;

use document::{Document, write_number};
use node::{MAX_LEVELS, Node, Object, write_quoted};
use request::{Kind, Operation, PartPatch, Patch, Request};
use shadow::{Next, Outcome};

pub use config::{DeltaPush, Limits, ServiceConfig};
pub use refusal::{ChangeError, ResultCode};
pub use shadow::Shadow;

/// A change that the application's side made.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a push that is not published is a delta that the device never learns of"]
pub struct Change {
    /// The document's version now; as before if nothing changed.
    pub version: u64,
    /// The delta to publish on the device's result topic: there if `desired` changed and holds
    /// something that is not reported.
    pub push: Option<Vec<u8>>,
}

/// The shadow documents of any number of devices and the rules by which they change.
///
/// * Devices: [`handle_request`](Self::handle_request). Publish every payload that it returns, in
///   order, on that device's result topic.
/// * The application: [`shadow`](Self::shadow) and [`document`](Self::document) read,
///   [`set_desired`](Self::set_desired) changes; publish the push that it returns.
/// * The test: [`seed`](Self::seed), [`set_reported`](Self::set_reported), [`reset`](Self::reset).
///
/// A document begins with the first change; until then its device sees the empty one, version 0.
/// `wall` is the cloud's clock. It is not checked to run forward: timestamps are what it says.
#[derive(Clone, Debug, Default)]
pub struct ShadowService {
    config: ServiceConfig,
    /// Each by itself: a tree keeps room for nearly as many more as it has.
    shadows: BTreeMap<ShadowName, Box<Shadow>>,
}

impl ShadowService {
    /// A service without documents, with the default configuration.
    #[must_use]
    pub fn new() -> ShadowService {
        ShadowService::default()
    }

    /// A service without documents.
    #[must_use]
    pub fn with_config(config: ServiceConfig) -> ShadowService {
        ShadowService {
            config,
            shadows: BTreeMap::new(),
        }
    }

    /// How it was configured.
    #[must_use]
    pub fn config(&self) -> &ServiceConfig {
        &self.config
    }

    /// Answers one payload that device `name` published on its operation topic.
    ///
    /// Returns the payloads for its result topic, in order: always one reply, then a delta push if
    /// the request changed `desired` to something that is not reported. Never fails: what cannot be
    /// carried out is refused by the reply's `result` ([`ResultCode`]) and changes nothing.
    ///
    /// A reply is compact JSON with sorted keys and a newline at the end:
    /// `{"clientToken":"..","payload":{..},"result":0,"timestamp":t,"type":"get"}`, its `timestamp`
    /// in seconds for a get and in milliseconds otherwise.
    pub fn handle_request(
        &mut self,
        wall: WallTime,
        name: &ShadowName,
        payload: &[u8],
    ) -> Vec<Vec<u8>> {
        let Answer { reply, push } = self.answer(wall, name, payload);
        [Some(reply), push].into_iter().flatten().collect()
    }

    /// As [`handle_request`](Self::handle_request), the two payloads by name.
    pub(crate) fn answer(&mut self, wall: WallTime, name: &ShadowName, payload: &[u8]) -> Answer {
        let request = Request::parse(payload, &self.config.limits);
        let mut reply = String::with_capacity(REPLY_CAPACITY);
        reply.push('{');
        if let Some(token) = &request.token {
            reply.push_str(r#""clientToken":"#);
            write_quoted(token, &mut reply);
            reply.push(',');
        }
        reply.push_str(r#""payload":"#);
        let start = reply.len();
        let carried_out = match &request.operation {
            Ok(Operation::Get) => {
                self.write_document(wall, name, &mut reply);
                Ok(None)
            }
            Ok(Operation::Update { patch, version }) => self
                .apply(wall, name, patch, *version, Some(&mut reply))
                .map_err(ResultCode::from),
            Err(code) => Err(*code),
        };
        let (result, push) = match carried_out {
            Ok(push) => (ResultCode::ACCEPTED, push),
            Err(code) => {
                reply.truncate(start);
                self.write_document(wall, name, &mut reply);
                (code, None)
            }
        };
        let timestamp = match request.kind {
            Some(Kind::Get) => wall.as_unix_seconds(),
            Some(Kind::Update) | None => wall.as_unix_millis(),
        };
        reply.push_str(r#","result":"#);
        write_number(result.value().into(), &mut reply);
        reply.push_str(r#","timestamp":"#);
        write_number(timestamp, &mut reply);
        if let Some(kind) = request.kind {
            reply.push_str(r#","type":""#);
            reply.push_str(kind.name());
            reply.push('"');
        }
        reply.push_str("}\n");
        let reply = reply.into_bytes();
        Answer { reply, push }
    }

    /// Whether a payload is a well-formed request, so that nothing but the document itself can be a
    /// reason to refuse it.
    pub(crate) fn understands(&self, payload: &[u8]) -> bool {
        Request::parse(payload, &self.config.limits)
            .operation
            .is_ok()
    }

    /// The document of `name`; `None` as long as nothing was ever written to it.
    #[must_use]
    pub fn shadow(&self, name: &ShadowName) -> Option<&Shadow> {
        self.shadows.get(name).map(|shadow| &**shadow)
    }

    /// The document of `name` as a get reply's `payload`: compact JSON, no newline.
    #[must_use]
    pub fn document(&self, wall: WallTime, name: &ShadowName) -> String {
        let mut text = String::new();
        self.write_document(wall, name, &mut text);
        text
    }

    /// The application changes what it desires: `patch` is merged into the desired part as in a
    /// device's update, `null` clears the part.
    ///
    /// With `expected_version` the change is made only if the document has that version, 0 being
    /// the version of a document that was never written.
    ///
    /// # Errors
    /// [`ChangeError`] says why the change was refused; every reason can occur.
    pub fn set_desired(
        &mut self,
        wall: WallTime,
        name: &ShadowName,
        patch: &str,
        expected_version: Option<u64>,
    ) -> Result<Change, ChangeError> {
        let patch = Patch {
            desired: Some(self.part(patch)?),
            reported: None,
        };
        self.change(wall, name, &patch, expected_version)
    }

    /// Changes the reported part as [`set_desired`](Self::set_desired) does the desired one: what
    /// the vendor's console can do, and a device that a test does not want to run.
    ///
    /// # Errors
    /// As [`set_desired`](Self::set_desired).
    pub fn set_reported(
        &mut self,
        wall: WallTime,
        name: &ShadowName,
        patch: &str,
        expected_version: Option<u64>,
    ) -> Result<Change, ChangeError> {
        let patch = Patch {
            reported: Some(self.part(patch)?),
            desired: None,
        };
        self.change(wall, name, &patch, expected_version)
    }

    /// Begins the document of `name` at a given point, in place of any it had: `state` is a JSON
    /// object as in a document, `{"desired":{..},"reported":{..}}`, either part optional; other
    /// members are ignored. Nulls are dropped, as nothing in a document but an array holds one.
    ///
    /// Nothing is pushed. [`reset`](Self::reset) comes back to this state.
    ///
    /// # Errors
    /// [`ChangeError`], except for a version conflict.
    pub fn seed(
        &mut self,
        name: &ShadowName,
        state: &str,
        version: u64,
        last_change: WallTime,
    ) -> Result<(), ChangeError> {
        let Node::Object(mut state) = Node::parse(state, self.levels().saturating_add(1))? else {
            return Err(ChangeError::NotAnObject);
        };
        let mut part = |name: &str| match state.remove(name) {
            Some(Node::Object(members)) => {
                let mut values = Object::default();
                node::merge(&mut values, &members);
                Ok(values)
            }
            Some(other) if !other.is_null() => Err(ChangeError::NotAnObject),
            Some(_) | None => Ok(Object::default()),
        };
        let (reported, desired) = (part("reported")?, part("desired")?);
        let shadow = Shadow::seeded(&reported, &desired, version, last_change);
        self.check(name, shadow.document())?;
        self.shadows.insert(name.clone(), Box::new(shadow));
        Ok(())
    }

    /// Resets the cloud's cache of `name`: back to the state that [`seed`](Self::seed) gave, or to
    /// an empty document.
    ///
    /// The version does not restart: a reset is a change and counts as one (as nothing if the
    /// document is already there), so a version never stands for two different documents and a
    /// device that knew an older one gets its 5005. The sources leave this open.
    ///
    /// A document that was never written is left alone.
    pub fn reset(&mut self, wall: WallTime, name: &ShadowName) -> Change {
        let Some(shadow) = self.shadows.get_mut(name) else {
            return Change {
                version: 0,
                push: None,
            };
        };
        let outcome = shadow.apply(wall, &shadow.reset_patch(), false);
        let change = Change {
            version: outcome.document().version,
            push: push(&self.config, wall, &outcome),
        };
        let next = outcome.into_next();
        shadow.keep(next);
        change
    }

    fn change(
        &mut self,
        wall: WallTime,
        name: &ShadowName,
        patch: &Patch<'_>,
        expected_version: Option<u64>,
    ) -> Result<Change, ChangeError> {
        let push = self.apply(wall, name, patch, expected_version, None)?;
        let version = self.shadow(name).map_or(0, Shadow::version);
        Ok(Change { version, push })
    }

    /// Applies a patch; writes the payload of the update's reply and returns the push.
    fn apply(
        &mut self,
        wall: WallTime,
        name: &ShadowName,
        patch: &Patch<'_>,
        expected_version: Option<u64>,
        reply: Option<&mut String>,
    ) -> Result<Option<Vec<u8>>, ChangeError> {
        let unwritten = Shadow::default();
        let shadow = self.shadow(name).unwrap_or(&unwritten);
        let current = shadow.version();
        if expected_version.is_some_and(|expected| expected != current) {
            return Err(ChangeError::VersionConflict { current });
        }
        let outcome = shadow.apply(wall, patch, self.config.count_unchanged);
        let document = outcome.document();
        if let Some(reply) = reply {
            let (reported, desired) = (&outcome.reported, &outcome.desired);
            document.write_update_payload(wall, reported, desired, self.config.metadata, reply);
        }
        let push = push(&self.config, wall, &outcome);
        if outcome.changed {
            self.check(name, document)?;
            let next = outcome.into_next();
            self.keep(name, next);
        }
        Ok(push)
    }

    /// Whether the limits allow a document.
    fn check(&self, name: &ShadowName, document: Document<'_>) -> Result<(), ChangeError> {
        let limits = &self.config.limits;
        let bytes = document.size();
        if bytes > limits.document_bytes {
            return Err(ChangeError::TooLarge { bytes });
        }
        if self.shadows.len() >= limits.shadows && !self.shadows.contains_key(name) {
            return Err(ChangeError::TooManyShadows);
        }
        Ok(())
    }

    fn keep(&mut self, name: &ShadowName, next: Next) {
        if let Some(shadow) = self.shadows.get_mut(name) {
            shadow.keep(next);
        } else {
            let mut shadow = Box::<Shadow>::default();
            shadow.keep(next);
            self.shadows.insert(name.clone(), shadow);
        }
    }

    fn write_document(&self, wall: WallTime, name: &ShadowName, out: &mut String) {
        let unwritten = Shadow::default();
        let shadow = self.shadow(name).unwrap_or(&unwritten);
        shadow
            .document()
            .write_payload(wall, self.config.metadata, out);
    }

    fn part<'a>(&self, patch: &'a str) -> Result<PartPatch<'a>, ChangeError> {
        match Node::parse(patch, self.levels())? {
            Node::Object(members) => Ok(PartPatch::Merge(members)),
            node if node.is_null() => Ok(PartPatch::Clear),
            _ => Err(ChangeError::NotAnObject),
        }
    }

    fn levels(&self) -> usize {
        self.config.limits.levels.min(MAX_LEVELS)
    }
}

/// Room for most replies.
const REPLY_CAPACITY: usize = 256;

/// What answers a request: a payload for its sender, and one for the device if there is a delta.
pub(crate) struct Answer {
    pub(crate) reply: Vec<u8>,
    pub(crate) push: Option<Vec<u8>>,
}

/// The delta push after an update.
fn push(config: &ServiceConfig, wall: WallTime, outcome: &Outcome<'_>) -> Option<Vec<u8>> {
    if outcome.desired.changes.is_empty() {
        return None;
    }
    let document = outcome.document();
    let delta = match config.delta_push {
        DeltaPush::Whole => document.difference(),
        DeltaPush::Changes => document.difference_within(&outcome.desired.changes),
    };
    if delta.is_empty() {
        return None;
    }
    let mut push = String::from(r#"{"payload":"#);
    document.write_delta_payload(wall, &delta, config.metadata, &mut push);
    push.push_str(r#","timestamp":"#);
    write_number(wall.as_unix_millis(), &mut push);
    push.push_str(",\"type\":\"delta\"}\n");
    Some(push.into_bytes())
}
