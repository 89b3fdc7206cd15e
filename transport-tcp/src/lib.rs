//! smol TCP and TLS for [`shadow_core`]'s engine: thin, all policy stays in the core.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod client;
mod clock;
mod connector;
mod driver;
mod error;
mod events;
mod link;
mod network;
mod tcp;
#[cfg(feature = "tls")]
mod tls;

pub use client::{Client, Shadow, client};
pub use clock::{Clock, SystemClock};
pub use connector::Connector;
pub use driver::Driver;
pub use error::ClientError;
pub use events::{Events, Notification};
pub use network::{NetworkConnector, NetworkStream};
pub use tcp::TcpConnector;
#[cfg(feature = "tls")]
pub use tls::{ClientCertificate, TlsConnector, TlsError, TlsOptions};
