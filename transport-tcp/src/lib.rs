//! smol TCP and TLS for [`shadow_core`]'s engine: thin, all policy stays in the core.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod clock;
mod connector;

pub use clock::{Clock, SystemClock};
pub use connector::Connector;
