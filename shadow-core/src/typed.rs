//! What is reported and desired as types of the application's own.
//!
//! A delta of the cloud holds whatever somebody desired, and only what changed. [`Delta::typed`] reads
//! it as a type: a member that does not fit is told as a [`FieldError`], and the rest arrives.
//! [`Field`] tells a member that is absent from one that is null.
//!
//! ```
//! use serde::{Deserialize, Serialize};
//! use shadow_core::event::DeltaOrigin;
//! use shadow_core::tencent::DeviceInfo;
//! use shadow_core::typed::Field;
//! use shadow_core::{Config, Delta, Engine, Instant, Session};
//!
//! /// What may be desired: any part of it at a time.
//! #[derive(Debug, Default, PartialEq, Deserialize)]
//! #[serde(default, deny_unknown_fields)]
//! struct Desired {
//!     color: Field<String>,
//!     brightness: Field<u8>,
//! }
//!
//! /// What the lamp is like: `None` deletes the key in the cloud.
//! #[derive(Serialize)]
//! struct Reported {
//!     color: Option<String>,
//!     #[serde(skip_serializing_if = "Field::is_absent")]
//!     hours: Field<u32>,
//! }
//!
//! let device = DeviceInfo::with_key("PRODUCT001", "lamp", "c2VjcmV0").unwrap();
//! let now = Instant::ZERO;
//! let mut engine = Engine::new(Config::new(&device), Session::new(), 42, now);
//! let shadow = engine.own_shadow().expect("the configuration names one");
//!
//! // As it comes out of an `Event::Delta`.
//! let delta = Delta {
//!     shadow,
//!     origin: DeltaOrigin::Pushed,
//!     version: Some(7),
//!     state: r#"{"color":"blue","brightness":"very"}"#.parse()?,
//!     redelivered: false,
//! };
//! let typed = delta.typed::<Desired>()?;
//!
//! // What does not fit.
//! let error = &typed.errors[0];
//! assert_eq!(error.to_string(), r#"brightness: invalid type: string "very", expected u8"#);
//! assert_eq!(error.delta.state.as_str(), r#"{"brightness":"very"}"#);
//! let rejected = typed.rejected().expect("there is an error");
//!
//! // What fits is obeyed and accepted, and only then is the rest refused: so the device obeys
//! // even if the engine has no room for one more request.
//! let mut lamp = Reported { color: Some("red".into()), hours: Field::Absent };
//! typed.state.color.apply_to(&mut lamp.color);
//! assert_eq!(typed.delta.state.as_str(), r#"{"color":"blue"}"#);
//! engine.accept_as(now, &typed.delta, &lamp)?;
//! assert_eq!(engine.reported(shadow), Some(r#"{"color":"blue"}"#));
//! if let Err(refused) = engine.reject(now, &rejected, &error.to_string()) {
//!     println!("{refused}"); // What is not answered comes again on the next link.
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`Event::typed`] does the same to a stream of events. Reported state needs nothing of this module:
//! [`Engine::report`](crate::Engine::report) and [`accept_as`](crate::Engine::accept_as) take whatever
//! serializes to an object, and [`Document::reported_as`](crate::tencent::Document::reported_as) reads
//! it back.
//!
//! # Types for deltas
//!
//! A delta holds any part of `desired`, so no member of the type may be required: `#[serde(default)]`
//! on the struct makes them optional. `#[serde(deny_unknown_fields)]`, on the nested structs too, makes
//! an error of what the type does not know. Without it serde passes such members over; they stand in
//! [`TypedDelta::delta`], and accepting that tells the cloud that the device has obeyed them.
//!
//! # What is left out
//!
//! The smallest thing that is left out is a member of an object: `hue` of
//! `{"light":{"hue":"red","on":true}}`, so that `on` still arrives. More than what is wrong goes
//!
//! * where it is inside an array or an enum: with the member that holds the array or enum;
//! * where serde says no more than that something in an object is wrong (a required member is missing,
//!   in structs with `#[serde(flatten)]`, tagged and untagged enums, where a key of a map is none): with
//!   the member that is this object. Of the whole state it is then the member with which those before
//!   it, in the order of their keys, do not fit any more;
//! * where the object around it does not fit without it, as the member is required: with that object.
//!   This stays one error, that of the member.
//!
//! An object of which nothing is left goes with its last member.
//!
//! Of keys that come twice the last one holds, as everywhere in the engine.
//!
//! # How much can be wrong
//!
//! Anybody who may desire something may desire thousands of keys that the device does not know. So
//! [`MAXIMUM_SINGLE_ERRORS`] wrong members are told each by an error of its own, fewer where these
//! would hold more than twice the delta and 2 KiB (below long keys), and one more error stands for
//! all others ([`FieldError::others`]).
//!
//! These others are found by reading each member without those beside it. A member that fits like
//! this arrives, unless what then remains does not fit together and cannot be made to by leaving out
//! some of it.
//!
//! One that fits is read once. One with `n` errors is read `n + 1` times; where no member is said to
//! be wrong and the whole has `m` members, about log₂ `m` times more for each error. All others, even
//! in the worst case of objects in objects, take no more than 64 times. What is still undecided
//! by then goes. Beside what the type itself takes while it is read, memory stays within a few times
//! the delta, however many members are wrong: 5 times for thousands of unknown keys.

mod error;
mod field;
mod parts;
mod sift;

use alloc::vec::Vec;

use serde::de::DeserializeOwned;

pub use error::{FieldError, FieldPath, PathSegment};
pub use field::Field;
use parts::{Fault, Wrong, take_apart};

use crate::event::{Delta, Event};
use crate::json::Object;

/// How many wrong members are told one by one; one more error stands for all others. So a delta has
/// at most 17 errors, whatever was desired.
pub const MAXIMUM_SINGLE_ERRORS: usize = 16;

/// A delta that was read as a `D`, and what of it did not fit.
///
/// `delta` and the `delta` of each error are together the delta that was read, each leaf in one of
/// them. It is answered by two requests, whatever was desired: [`Engine::accept`] of `delta` first,
/// then [`Engine::reject`] of [`rejected`](TypedDelta::rejected), if that is some.
///
/// [`Engine::accept`]: crate::Engine::accept
/// [`Engine::reject`]: crate::Engine::reject
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct TypedDelta<D> {
    /// What is desired, as far as it fits.
    pub state: D,
    /// The delta with that part of its state only: to accept it. Without errors it is the delta that
    /// was read.
    pub delta: Delta,
    /// What did not fit, in the order in which it was met; at most [`MAXIMUM_SINGLE_ERRORS`] and
    /// one for all others.
    pub errors: Vec<FieldError>,
}

impl<D> TypedDelta<D> {
    /// The delta with all that did not fit, of all errors: to reject it by one request. `None` when
    /// all of it fits.
    #[must_use]
    pub fn rejected(&self) -> Option<Delta> {
        let left_out = |error: &FieldError| Object::new(error.delta.state.as_str());
        let parts = self.errors.iter().filter_map(left_out);
        let all = parts.reduce(|all, part| all.united(&part))?;
        Some(self.delta.with_state(all))
    }
}

/// An [`Event`] with its delta read as a `D`.
///
/// A delta is at most one [`TypedEvent::Delta`] and 17 [`TypedEvent::Invalid`], each for a request of
/// its own; that the engine refuses one ([`Config::maximum_requests`](crate::Config)) should not end
/// the device, as what was not answered comes again on the next link. With less room take
/// [`Delta::typed`], which is answered by two.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum TypedEvent<D> {
    /// `desired` has changed, as [`Event::Delta`] says.
    Delta {
        /// What is desired, as far as it fits.
        state: D,
        /// The delta with that part of its state only: to accept it.
        delta: Delta,
    },
    /// A member of a delta that does not fit, or all that are too many to be told one by one: to
    /// reject it. What fits came before as [`TypedEvent::Delta`].
    Invalid(FieldError),
    /// Any other event; never [`Event::Delta`].
    Other(Event),
}

impl Delta {
    /// Reads the state as a `D`, but for the members that do not fit; see
    /// [what is left out](crate::typed#what-is-left-out).
    ///
    /// # Errors
    ///
    /// When no part of the state is a `D`, not even the empty object (the type requires members, or is
    /// no object), or the state is none, or nests deeper than the engine takes it from a message. The
    /// error holds the whole delta; its path and reason are those of the first member that did not
    /// fit, if there was one.
    pub fn typed<D: DeserializeOwned>(&self) -> Result<TypedDelta<D>, FieldError> {
        let mut state = None;
        let parts = self.take_apart(&mut |text| {
            state = Some(read(text)?);
            Ok(())
        });
        let (delta, errors) = parts?;
        Ok(TypedDelta {
            state: state.expect("what is left was read last"),
            delta,
            errors,
        })
    }

    /// What of the state `read` takes, and what is wrong with the rest.
    fn take_apart(
        &self,
        read: &mut dyn FnMut(&str) -> Result<(), Fault>,
    ) -> Result<(Delta, Vec<FieldError>), FieldError> {
        let Some(whole) = Object::new(self.state.as_str()) else {
            return Err(FieldError {
                path: FieldPath::whole(),
                reason: "not an object, or nested too deep".into(),
                value: self.state.clone(),
                others: 0,
                delta: self.clone(),
            });
        };
        let (fits, wrong) = take_apart(&whole, read).map_err(|wrong| self.error(wrong))?;
        if wrong.is_empty() {
            return Ok((self.clone(), Vec::new()));
        }
        let errors = wrong.into_iter().map(|wrong| self.error(wrong));
        Ok((self.with_state(fits), errors.collect()))
    }

    fn error(&self, wrong: Wrong) -> FieldError {
        FieldError {
            path: wrong.fault.path,
            reason: wrong.fault.reason,
            value: wrong.value,
            others: wrong.others,
            delta: self.with_state(wrong.left_out),
        }
    }

    fn with_state(&self, state: Object) -> Delta {
        Delta {
            state: state.into(),
            ..*self
        }
    }
}

impl Event {
    /// The event with its delta read as a `D`: the delta with what fits, unless that is nothing, then
    /// one [`TypedEvent::Invalid`] for each error. Any other event as it is.
    ///
    /// Where shadows have different types, look at [`Delta::shadow`] and take [`Delta::typed`].
    pub fn typed<D: DeserializeOwned>(self) -> impl Iterator<Item = TypedEvent<D>> {
        let (first, errors) = match self {
            Event::Delta(delta) => match delta.typed() {
                Ok(typed) => {
                    let is_left = typed.errors.is_empty() || typed.delta.state.as_str() != "{}";
                    let (state, delta) = (typed.state, typed.delta);
                    let fits = is_left.then_some(TypedEvent::Delta { state, delta });
                    (fits, typed.errors)
                }
                Err(error) => (Some(TypedEvent::Invalid(error)), Vec::new()),
            },
            other => (Some(TypedEvent::Other(other)), Vec::new()),
        };
        let errors = errors.into_iter().map(TypedEvent::Invalid);
        first.into_iter().chain(errors)
    }
}

fn read<D: DeserializeOwned>(text: &str) -> Result<D, Fault> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    serde_path_to_error::deserialize(&mut deserializer).map_err(|error| Fault {
        path: error.path().into(),
        reason: parts::reason(error.inner()),
    })
}

#[cfg(test)]
mod tests;
