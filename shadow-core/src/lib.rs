//! Device shadows over MQTT as a state machine: bytes, ticks and requests go in; packets and events
//! come out.
//!
//! A *device shadow* is a JSON document that the cloud keeps for a device: what the device last
//! `reported`, and what applications have `desired` of it. An [`Engine`] is the device's half of
//! it. It opens no socket, reads no clock, starts no thread and needs no `std`, so it runs in any
//! runtime, in a test under virtual time, or in a replay of yesterday's session.
//!
//! # The drive loop
//!
//! A driver owns the transport and the clock. It passes in what happens and carries out what comes
//! out; after each input it polls until nothing is left. This one talks to a server that is a few
//! lines of canned bytes:
//!
//! ```
//! use shadow_core::mqtt::{Packet, ProtocolVersion, Publish, QoS};
//! use shadow_core::tencent::DeviceInfo;
//! use shadow_core::{Config, Engine, Event, Instant, Session, Transmit, WallTime};
//!
//! let device = DeviceInfo::with_key("PRODUCT001", "lamp", "c2VjcmV0").unwrap();
//! let mut now = Instant::ZERO;
//! let mut engine = Engine::new(Config::new(&device), Session::new(), 42, now);
//! engine.handle_wall_time(now, WallTime::from_unix_millis(1_700_000_000_000));
//!
//! let mut to_device: Vec<u8> = Vec::new(); // what the "network" holds
//! let mut buffer = Vec::new();
//! loop {
//!     // 1. Carry out what the engine wants of the transport.
//!     buffer.clear();
//!     while let Some(transmit) = engine.poll_transmit(now, &mut buffer) {
//!         match transmit {
//!             Transmit::Connect => engine.handle_connected(now), // open a socket here
//!             Transmit::Packet { .. } => to_device = answer(&buffer), // write the buffer here
//!             Transmit::Close => return,                         // close the socket here
//!         }
//!         buffer.clear();
//!     }
//!     // 2. Tell the application.
//!     while let Some(event) = engine.poll_event() {
//!         if let Event::Ready { document, .. } = event {
//!             assert_eq!(document.reported(), Some(r#"{"power":false}"#));
//!             return;
//!         }
//!     }
//!     // 3. What the application answered is to be carried out first.
//!     if engine.has_output() {
//!         continue;
//!     }
//!     // 4. Wait for bytes or for the deadline, whichever comes first.
//!     if to_device.is_empty() {
//!         now = engine.poll_deadline().expect("a connected engine keeps its link alive").at;
//!         engine.handle_tick(now);
//!     } else {
//!         engine.handle_bytes(now, &std::mem::take(&mut to_device));
//!     }
//! }
//!
//! /// A server that accepts the login, grants the subscription and knows one document.
//! fn answer(packet: &[u8]) -> Vec<u8> {
//!     match Packet::decode(packet, ProtocolVersion::V311).unwrap() {
//!         Packet::Connect(_) => vec![0x20, 2, 0, 0],
//!         Packet::Subscribe(subscribe) => {
//!             let id = subscribe.packet_id.get().to_be_bytes();
//!             vec![0x90, 3, id[0], id[1], 0]
//!         }
//!         Packet::Publish(Publish { payload, .. }) => {
//!             let get = std::str::from_utf8(payload).unwrap();
//!             let token = get.split('"').nth(7).unwrap();
//!             let reply = format!(
//!                 r#"{{"type":"get","clientToken":"{token}","result":0,
//!                     "payload":{{"state":{{"reported":{{"power":false}}}},"version":3}}}}"#
//!             );
//!             let mut bytes = Vec::new();
//!             let publish = Publish {
//!                 dup: false,
//!                 qos: QoS::AtMostOnce,
//!                 retain: false,
//!                 topic: "$shadow/operation/result/PRODUCT001/lamp",
//!                 packet_id: None,
//!                 payload: reply.as_bytes(),
//!             };
//!             publish.encode(&mut bytes).unwrap();
//!             bytes
//!         }
//!         _ => Vec::new(),
//!     }
//! }
//! ```
//!
//! # Where things are
//!
//! * [`Engine`]: the state machine; [`Config`], [`Session`], [`Event`] and the requests around it.
//! * [`mqtt`]: plain MQTT 3.1 and 3.1.1, which knows nothing of shadows.
//! * [`tencent`]: everything that is peculiar to this vendor's cloud.
//! * [`recording`]: what went into an engine and came out, to be replayed.
//! * [`json`]: JSON as text, for what is handed through unread.
//! * [`typed`]: what is reported and desired as types of the application's own.
//!
//! The guide in the repository's `docs/guide` says how the engine thinks, how to embed and to test it,
//! and which calls of other SDKs are which here.
//!
//! # Features
//!
//! All but `defmt` are on. Each of the others only takes code away where it is off, for devices that
//! count every kilobyte:
//!
//! | feature | what goes without it | Thumb code | tables and texts |
//! |---|---|--:|--:|
//! | `behaviours` | [`Config::behaviour`], which copies other clients, and JSON as Python prints it | 1.6 KiB | |
//! | `defmt` | `defmt::Format` for what a firmware logs, and log lines of the engine's own about its link; links only with a logger | | |
//! | `diagnostics` | where and why a message of the cloud is not JSON, and what of a refused request is at fault; both are reported all the same | 4.0 KiB | 1.8 KiB |
//! | `floats` | numbers are the same when their doubles are; without, when all their digits are | 6.0 KiB | 12 KiB |
//! | `hmac-sha1` | logins signed with HMAC-SHA1, and with them the profile of the vendor's Python SDK | 3.8 KiB | |
//! | `messages` | messages and subscriptions of the application's own, shadows beside the device's own, QoS 1 and 2 | 4.5 KiB | |
//! | `recording` | [`recording`]; takes `behaviours`, `hmac-sha1`, `messages` and `server` | | |
//! | `server` | reading CONNECT, SUBSCRIBE and UNSUBSCRIBE, as a server does | 1.3 KiB | |
//!
//! What is not called is not linked: recording, reading `device_info.json` and reading documents and
//! deltas into types cost nothing where they are not used.
#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod config;
pub mod engine;
pub mod event;
#[cfg(feature = "defmt")]
mod format;
pub mod json;
mod limit;
pub mod mqtt;
mod random;
#[cfg(feature = "recording")]
pub mod recording;
pub mod request;
mod session;
pub mod tencent;
mod time;
pub mod typed;

pub use config::{Config, VersionPolicy};
pub use engine::{Counters, Deadline, Engine, Timer};
pub use event::{Delta, Event, Outcome};
pub use limit::{Limit, LimitExceeded};
pub use mqtt::link::{Backoff, DisconnectCause, Publication, Transmit, TransportFailure};
pub use request::{RequestError, RequestId, ShadowId};
pub use session::{Session, SessionError};
pub use time::{Instant, WallTime};
