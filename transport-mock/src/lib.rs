//! In-memory streams, a virtual clock and a model of the shadow cloud, for tests of device code.
//!
//! # What to take
//!
//! | to test | take |
//! |---|---|
//! | device code on an async client, whole | a [`TestCloud`] |
//! | an engine, or code around it, without async | a [`Simulation`](simulation::Simulation), by [`Simulation::example`](simulation::Simulation::example) |
//! | what must hold on every schedule | either, with `strategies` for proptest (feature `proptest`) |
//! | a driver's or a client's dealings with one connection | [`MockConnector`] and [`memory_pair`](stream::memory_pair) |
//! | a driver over streams that are cut at a byte | [`serve()`] a [`Cloud`](cloud::Cloud) over a [`memory_network`](stream::memory_network) under the [`VirtualClock`] |
//! | anything against a server over real sockets | [`serve()`] with TCP or TLS streams and the system's clock |
//! | the rules of the shadow alone | the [`ShadowService`](service::ShadowService) |
//!
//! ```
//! use serde_json::json;
//! use transport_mock::TestCloud;
//!
//! let cloud = TestCloud::new();
//! let (lamp, _events) = cloud.device();
//! cloud.run(async { lamp.own_shadow().unwrap().report(&json!({"power": false})).await }).unwrap();
//! assert_eq!(cloud.reported(), json!({"power": false}));
//! ```
//!
//! All of it is deterministic: the same test gives the same bytes, events and instants every time,
//! and no test waits for real time. What goes wrong on the way is data: a
//! [`Fault`](simulation::fault::Fault) of the simulator, which is also the test cloud's, or a
//! [`Fault`](stream::Fault) of a stream. What happened is a
//! [`Transcript`](trace::Transcript), for snapshots.
//!
//! [`MockConnector`] and the streams do not know of shadows, and the cloud does not know of async:
//! the [server], the [service] behind it and both together as the [cloud] are state machines
//! like the engine they are there to test. `serve`, `Simulation` and `TestCloud` carry their bytes.
//!
//! # Features
//!
//! | feature | default | gives |
//! |---|---|---|
//! | `mockall` | on | [`MockConnector`], and the crate that it is made with |
//! | `proptest` | off | `strategies` |
//!
//! # Logs
//!
//! [`serve()`] and the [`bridge`](bridge::bridge) speak through [`tracing`], as `transport-tcp` does.
//! Each record has a field `event` with its stable name, and no other text. No payload and no secret
//! is ever written. A record is at debug unless it says otherwise:
//!
//! | event | fields | when |
//! |---|---|---|
//! | `accepted`, `connection_ended` | `connection` | a connection comes and goes |
//! | `login_accepted` | `client_id`, `connection`, `session_present` | a client logged in |
//! | `login_refused` | `client_id`, `connection`, `refusal` | a client was not let in |
//! | `client_left` | `client_id`, `connection`, `departure` | a client that was logged in is gone |
//! | `subscribed` | `client_id`, `filter`, `qos` | a subscription was granted |
//! | `subscription_refused`, `unsubscribed` | `client_id`, `filter` | one was not, or ended |
//! | `published` (trace) | `client_id`, `len`, `qos`, `topic` | a client published |
//! | `publish_forbidden` | `client_id`, `topic` | it was on a topic that the client may not use |
//! | `message_dropped` | `client_id`, `qos`, `topic` | a subscriber did not get a message |
//! | `events_lost` (warn) | `count` | nobody polled the server's events |
//! | `bridge_online` | `qos` | the bridge is subscribed at its broker |
//! | `bridge_offline` | `cause`, `retry_in` | it has lost its broker, or did not reach it |
//! | `handled` (trace) | `len`, `responses`, `topic` | it has handled a request |
//! | `ignored` | `reason`, `topic` | it left a message alone |
//! | `messages_lost` (warn) | `count` | it did not keep up |
//! | `unacknowledged` | `error`, `topic` | it publishes a response again |
//! | `undelivered` (warn) | `error`, `topic` | it gives a response up |
#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod application;
pub mod bridge;
mod clock;
pub mod cloud;
#[cfg(feature = "mockall")]
mod mock;
pub mod observe;
mod serve;
pub mod server;
pub mod service;
pub mod simulation;
#[cfg(feature = "proptest")]
pub mod strategies;
pub mod stream;
mod test_cloud;
pub mod trace;
mod wall_clock;

pub use clock::VirtualClock;
#[cfg(feature = "mockall")]
pub use mock::MockConnector;
/// The crate that [`MockConnector`] is made with, for its sequences and predicates.
#[cfg(feature = "mockall")]
pub use mockall;
pub use serve::{SharedCloud, serve};
pub use test_cloud::{Act, TestCloud, TestDevice};

/// The code in the guide's chapter on tests compiles, and what it asserts holds.
#[cfg(all(doctest, feature = "proptest"))]
#[doc = include_str!("../../docs/guide/testing.md")]
struct Guide;
