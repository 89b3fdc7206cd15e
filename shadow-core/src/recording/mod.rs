//! Recordings: what went into an engine and what came out, as lines of JSON that replay exactly.
//!
//! An engine is deterministic: the inputs are the whole truth, and a recording of them is a
//! recording of everything. [`Recorder`] wraps an [`Engine`](crate::Engine), has its methods, and
//! gives one line for each input, and one for each output as it is polled, to a [`Sink`].
//! [`Input`] reads lines back. [`Replay`] is a recorder that is fed the inputs of a recording and
//! polled where it was: it has to write the same lines.
//!
//! ```
//! use shadow_core::recording::{Mask, Recorder};
//! use shadow_core::{Config, Instant, Session};
//!
//! let config = Config::plain("sensor-1");
//! let mut engine =
//!     Recorder::new(config, Session::new(), 7, Instant::ZERO, Mask::default(), String::new());
//! engine.handle_tick(Instant::ZERO);
//! engine.poll_transmit(Instant::ZERO, &mut Vec::new());
//! let (_session, recording) = engine.finish();
//! let recording = recording.unwrap();
//! let lines: Vec<&str> = recording.lines().collect();
//! assert_eq!(lines[2], r#"{"at":0,"out":"deadline","due":0,"timer":"Reconnect"}"#);
//! assert_eq!(lines[3], r#"{"at":0,"in":"tick"}"#);
//! assert_eq!(lines[4], r#"{"at":0,"out":"connect"}"#);
//! ```
//!
//! # Format 1
//!
//! JSON Lines: UTF-8, one object a line, compact, keys in a fixed order, so that equal lines are
//! equal text. A last line without a line feed was torn off and does not count. The first line is the
//! header; `part` counts the files of one recording from 1, and `mask` says what is masked beside
//! secrets ([`Mask`]):
//!
//! ```json
//! {"shadow-recording":1,"engine":"0.1.0","part":1,"mask":[]}
//! ```
//!
//! Every other line begins with `at`, microseconds on the driver's clock ([`Instant`](crate::Instant)), which
//! never falls, and then says what it is by `in` or `out`. What comes without a time (`event`,
//! `deadline`, `set_next_token`, `end`) has that of the line before. Inputs, in the order of the
//! calls:
//!
//! | `in` | and | for |
//! |---|---|---|
//! | `start` | `seed`, `config`, `session` (what [`Session::to_bytes`](crate::Session) has in its second line, or `null`) | `Engine::new`; the first of all |
//! | `wall` | `unix_ms` | `handle_wall_time` |
//! | `connected`, `tick`, `reconnect`, `close` | | the methods of those names |
//! | `bytes` | `bytes`: text in which each character is the byte of its number | `handle_bytes` |
//! | `disconnected` | `failure`: `ConnectFailed`, `Untrusted`, `Broken`, each with its text as `why`, or `ClosedByPeer` ([`TransportFailure`](crate::TransportFailure)) | `handle_disconnected` |
//! | `poll` | | a `poll_transmit` that gave nothing, at a moment when that mattered |
//! | `get`, `detach` | `shadow` | |
//! | `update` | `shadow`, `reported`, `desired`, `version`, `overwrite`, as far as given; `reported_error` or `desired_error` instead of a part that has no JSON form: why | |
//! | `report` | `shadow`, `reported` or `reported_error` | |
//! | `accept`, `accept_as`, `reject` | `shadow`, `origin` (`Pushed` or `Fetched`), `version`, `state`, `redelivered` of the delta; of `accept_as` `reported` or `reported_error`; of `reject` `reason` | |
//! | `attach` | `product_id`, `device_name` | |
//! | `publish` | `topic`, `qos` (0 to 2), `retain`, `payload` | |
//! | `subscribe`, `unsubscribe` | `filter`; of `subscribe` `qos` | |
//! | `cancel`, `set_timeout` | `request`; of `set_timeout` `micros`, at most 2⁶⁴ − 1 | |
//! | `set_next_token` | `shadow`, `number` | |
//! | `end` | | the engine was given up; the last of all |
//!
//! `config` has the fields of [`Config`](crate::Config) by their names, durations as numbers of
//! seconds, the payload of a will in base64; device secret and password are not in it.
//!
//! `"pending":true` on an input says that the engine had more to give when it came.
//!
//! Outputs, in the order in which they were polled:
//!
//! | `out` | and |
//! |---|---|
//! | `accepted`, `refused` | right behind a request: `request` or `shadow`, its number; `why`, the words of the [`RequestError`](crate::RequestError) |
//! | `connect`, `close` | |
//! | `packet` | `packet`, its kind as MQTT spells it, and its fields: see below |
//! | `event` | `event`, the name of an [`Event`](crate::Event), and its fields: see below |
//! | `deadline` | `due` (`null` for none) and `timer`: what was in force until the next input; only when it has changed |
//! | `unfaithful` | `what`: `packet`, `event` or `deadline`: in that the engine of a masked recording does, from here on, something else than the real one ([`Mask`]); written once |
//!
//! | `packet` | and |
//! |---|---|
//! | `CONNECT` | `version` (`MQTT 3.1` or `MQTT 3.1.1`), `client_id`, `user_name`, `password`, `keep_alive` in seconds, `clean_session`, `will`: an object of `topic`, `qos`, `retain`, `payload` |
//! | `PUBLISH` | `topic`, `qos`, `id`, `dup`, `retain`, `payload` |
//! | `SUBSCRIBE`, `UNSUBSCRIBE` | `id`, `filters` (each a filter and its QoS, `["a/b",1]`, or the filter alone), `dup` |
//! | `PUBACK`, `PUBREC`, `PUBREL`, `PUBCOMP` | `id`; of `PUBREL` `dup`, which MQTT 3.1 has |
//! | `PINGREQ`, `DISCONNECT` | |
//!
//! A packet that cannot be read, which an engine never sends, has an `error` instead of fields.
//!
//! | `event` | and |
//! |---|---|
//! | `Connected` | `session_present` |
//! | `Disconnected` | `kind`, the name of a [`DisconnectCause`](crate::DisconnectCause) or of the [`TransportFailure`](crate::TransportFailure) that is it, `cause` in words, `retry_in` in microseconds |
//! | `Closed`, `WallTimeNeeded` | |
//! | `ShadowSubscribed`, `ShadowRefused` | `shadow` |
//! | `Ready` | `shadow`, `document`: the payload of the reply |
//! | `GetRejected` | `shadow`, `code`, `document` |
//! | `Delta` | as in `accept` |
//! | `Ended` | `request`, `outcome`: the name of an [`Outcome`](crate::Outcome); of `Accepted` `document`, of `Rejected` `code` and `document`, of `Reported` `version`, of `DeltaRejected` `reason`, of `Subscribed` `granted`, a QoS, of `Disconnected` `maybe_applied`; of `Published`, `Unsubscribed`, `SubscriptionRefused`, `TimedOut` and `Cancelled` nothing |
//! | `Message` | `topic`, `qos`, `duplicate`, `retain`, `payload` |
//! | `Unmatched` | `shadow`, `reason`, `token`, `operation`, `code`, `document` |
//! | `InvalidMessage` | `shadow`, `error`, `size` in bytes |
//! | `OversizedMessage` | `topic`, `qos`, `size` in bytes |
//! | `SubscriptionLost` | `filter` |
//! | `UnexpectedAcknowledgement` | `kind`, the packet's, and `id` |
//! | `EventsLost` | `count` |
//!
//! What there is nothing of is left out: `version`, `id`, `token`, `user_name`, `password`, `will`.
//! So are `overwrite`, `redelivered`, `retain`, `dup`, `duplicate` and `pending` unless they are `true`.
//!
//! A payload that is a JSON object stands as it is; other text is a string; other bytes are under
//! `payload_bytes`, as those of `bytes`. JSON with a line break in it is a string under a key with
//! `_text` behind it. Passwords are `"***"`.
//!
//! A masked recording is in no way another: inputs and outputs are those of an engine that was told
//! other names and values ([`Mask`]). Only `bytes` are cut otherwise: a packet stands whole in the
//! line in which its last byte came.

mod configuration;
mod event;
mod header;
mod input;
mod line;
mod mask;
mod output;
mod packet;
mod recorder;
mod replay;

use alloc::boxed::Box;
use alloc::string::String;

pub use header::{FORMAT, Header};
pub use input::{Input, LineError, Part, Request, Start, decode_bytes};
pub use mask::Mask;
pub use recorder::Recorder;
pub use replay::{Mismatch, Replay, Summary};

/// Where a recorder's lines go.
///
/// A sink that can fail keeps the error to itself until its owner asks: a device does not stop
/// working because nobody can note down what it does.
pub trait Sink {
    /// Takes one line, with the line feed at its end.
    fn line(&mut self, line: &str);
}

/// Grows without bound: for tests, and for what is known to be short.
impl Sink for String {
    fn line(&mut self, line: &str) {
        self.push_str(line);
    }
}

impl<S: Sink + ?Sized> Sink for &mut S {
    fn line(&mut self, line: &str) {
        (**self).line(line);
    }
}

impl<S: Sink + ?Sized> Sink for Box<S> {
    fn line(&mut self, line: &str) {
        (**self).line(line);
    }
}

#[cfg(test)]
mod tests;
