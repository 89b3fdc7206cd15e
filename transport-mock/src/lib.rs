//! In-memory streams, a virtual clock and a model of the shadow cloud, for tests of device code.

mod clock;
mod mock;
mod serve;

pub mod application;
pub mod cloud;
pub mod server;
pub mod service;
pub mod simulation;
pub mod stream;
pub mod trace;
mod wall_clock;

pub use clock::VirtualClock;
pub use mock::MockConnector;
/// The crate that [`MockConnector`] is made with, for its sequences and predicates.
pub use mockall;
pub use serve::{SharedCloud, serve};
