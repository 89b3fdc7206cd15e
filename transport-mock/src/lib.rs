//! In-memory streams, a virtual clock and a model of the shadow cloud, for tests of device code.
//!
//! # What to take
//!
//! | to test | take |
//! |---|---|
//! | device code on an async client, whole | [`serve()`] a [`Cloud`](cloud::Cloud) over a [`memory_network`](stream::memory_network) under the [`VirtualClock`] |
//! | a driver's or a client's dealings with one connection | [`MockConnector`] and [`memory_pair`](stream::memory_pair) |
//! | an engine, or code around it, without async | a [`Simulation`](simulation::Simulation) |
//! | anything against a server over real sockets | [`serve()`] with TCP or TLS streams and the system's clock |
//! | the rules of the shadow alone | the [`ShadowService`](service::ShadowService) |
//!
//! All of it is deterministic: the same test gives the same bytes, events and instants every time,
//! and no test waits for real time. What goes wrong on the way is data: a
//! [`Fault`](stream::Fault) of a stream, a [`Reachability`](simulation::Reachability) of a device.
//!
//! [`MockConnector`] and the streams do not know of shadows, and the cloud does not know of async:
//! the [server], the [service] behind it and both together as the [cloud] are state machines
//! like the engine they are there to test. `serve` and `Simulation` carry their bytes.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod application;
pub mod bridge;
mod clock;
pub mod cloud;
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
pub use mock::MockConnector;
/// The crate that [`MockConnector`] is made with, for its sequences and predicates.
pub use mockall;
pub use serve::{SharedCloud, serve};
pub use test_cloud::{Act, TestCloud, TestDevice};

/// The code in the guide's chapter on tests compiles, and what it asserts holds.
#[cfg(all(doctest, feature = "proptest"))]
#[doc = include_str!("../../docs/guide/testing.md")]
struct Guide;
