//! smol TCP, TLS and WebSocket for [`shadow_core`]'s engine, and an async client on top.
//!
//! [`client()`] makes three things from a configuration, a [`Connector`] and a [`Clock`]:
//!
//! * a [`Driver`], the loop that carries bytes between the engine and the network: spawn its
//!   [`run`](Driver::run) on any executor;
//! * a [`Client`] and its [`Shadow`]s, to ask for things and await how they end;
//! * the [`Events`]: deltas, connection states and whatever else comes unasked; or, with deltas read
//!   as a type of the application's own, the [`TypedEvents`].
//!
//! Everything that is a decision (when to connect again, what to subscribe, how long to wait) is
//! the engine's, and set in [`shadow_core::Config`].
//!
//! ```
//! use futures_lite::StreamExt;
//! use serde::Serialize;
//! use shadow_core::tencent::DeviceInfo;
//! use shadow_core::{Config, Event, Session};
//! use transport_tcp::{NetworkConnector, Notification, SystemClock};
//!
//! #[derive(Serialize)]
//! struct Lamp {
//!     power: bool,
//! }
//!
//! # let (host, port) = ("127.0.0.1", cloud::start());
//! # smol::block_on(async {
//! let device = DeviceInfo::with_key("PRODUCT001", "lamp", "c2VjcmV0")?;
//! let connector = NetworkConnector::tcp(host, port);
//! let clock = SystemClock::new();
//! let seed = 42; // random numbers of the system, in earnest
//! let (client, mut events, driver) =
//!     transport_tcp::client(Config::new(&device), Session::new(), seed, connector, clock);
//! let driver = smol::spawn(driver.run());
//!
//! // Report. What the cloud has not got goes out as soon as it can.
//! let lamp = client.own_shadow().ok_or("the configuration names one")?;
//! let receipt = lamp.report(&Lamp { power: false }).await?;
//!
//! // Ask. Requests wait for the connection themselves.
//! let document = lamp.get().await?;
//! assert_eq!(document.desired(), Some(r#"{"power":true}"#));
//!
//! // Listen. What was desired while the device was away comes as a delta too.
//! while let Some(notification) = events.next().await {
//!     match notification {
//!         Notification::Event(Event::Delta(delta)) => {
//!             println!("to do: {}", delta.state);
//!             // Done: the cloud learns it, now or on a later link.
//!             lamp.accept(&delta).await?.acknowledged().await?;
//!             break;
//!         }
//!         Notification::Event(event) => println!("{event:?}"),
//!         Notification::Lagged { missed } => println!("{missed} events were dropped"),
//!         // Only where the driver was given a store.
//!         Notification::NotStored(error) => println!("{error}"),
//!         Notification::StoredAgain => println!("stored again"),
//!         // Only where it was given a recording.
//!         Notification::NotRecorded(error) => println!("{error}"),
//!     }
//! }
//!
//! // End: DISCONNECT is sent, and the driver gives back what a later run should begin with.
//! client.close().await;
//! let session = driver.await;
//! # assert_ne!(session, Session::new());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! #
//! # /// A cloud with one document and one device, on a thread of its own.
//! # mod cloud {
//! #     use std::io::{Read, Write};
//! #     use std::net::TcpListener;
//! #
//! #     use shadow_core::mqtt::{Incoming, Oversized, Packet, ProtocolVersion, Publish, QoS};
//! #     use shadow_core::mqtt::StreamDecoder;
//! #     use shadow_core::tencent::request::parse_request;
//! #
//! #     pub fn start() -> u16 {
//! #         let listener = TcpListener::bind("127.0.0.1:0").unwrap();
//! #         let port = listener.local_addr().unwrap().port();
//! #         std::thread::spawn(move || serve(&listener));
//! #         port
//! #     }
//! #
//! #     fn serve(listener: &TcpListener) {
//! #         let (mut stream, _) = listener.accept().unwrap();
//! #         let mut decoder = StreamDecoder::new(ProtocolVersion::V311, 4096, Oversized::Refuse);
//! #         let mut buffer = [0; 512];
//! #         while let Ok(len @ 1..) = stream.read(&mut buffer) {
//! #             let mut input = &buffer[..len];
//! #             while let Some(Incoming::Packet(packet)) = decoder.next(&mut input).unwrap() {
//! #                 stream.write_all(&answer(&packet)).unwrap();
//! #             }
//! #         }
//! #     }
//! #
//! #     fn answer(packet: &Packet<'_>) -> Vec<u8> {
//! #         match packet {
//! #             Packet::Connect(_) => vec![0x20, 2, 0, 0],
//! #             Packet::Subscribe(subscribe) => {
//! #                 let id = subscribe.packet_id.get().to_be_bytes();
//! #                 vec![0x90, 3, id[0], id[1], 0]
//! #             }
//! #             Packet::Publish(publish) => {
//! #                 let request = parse_request(publish.payload).unwrap();
//! #                 let payload = format!(
//! #                     r#"{{"type":"{}","clientToken":{},"result":0,"payload":{{"state":{{
//! #                         "desired":{{"power":true}},"delta":{{"power":true}}}},"version":3}}}}"#,
//! #                     request.operation, request.token.unwrap()
//! #                 );
//! #                 let mut bytes = Vec::new();
//! #                 let publish = Publish {
//! #                     dup: false,
//! #                     qos: QoS::AtMostOnce,
//! #                     retain: false,
//! #                     topic: "$shadow/operation/result/PRODUCT001/lamp",
//! #                     packet_id: None,
//! #                     payload: payload.as_bytes(),
//! #                 };
//! #                 publish.encode(&mut bytes).unwrap();
//! #                 bytes
//! #             }
//! #             _ => Vec::new(),
//! #         }
//! #     }
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! So that a restart or a power cut forgets nothing, give the driver a [`store`]. To see afterwards
//! what happened, and to have it happen again on a desk, give it a [`recording`].
//!
//! For TLS, [`NetworkConnector::tls`] takes a CA file, and the certificate and key of a device that
//! has them. Where only the web's ports are open, MQTT goes over WebSocket, with or without TLS: that
//! is `NetworkConnector::websocket` of the feature `websocket`. For anything else, implement [`Connector`]: the same driver runs over every stream.
//!
//! The guide in the repository's `docs/guide` begins with a whole device, and has tables of which calls
//! of other SDKs are which here.
//!
//! # Threads
//!
//! The driver is a task like any other. Spawned on a `smol::LocalExecutor` beside the tasks that
//! ask, as `shadowctl` does it, a request changes threads nowhere: on loopback that takes half the
//! time of a driver on [`smol::spawn`]'s thread, and half the processor time. Answers that come
//! together are told together before the driver goes on, so what is asked next leaves in one write.
//!
//! # Logs and counters
//!
//! The driver speaks through [`tracing`]. Each record has a field `event` with its stable name, and no
//! other text. No payload and no secret is ever written.
//!
//! | event | level | fields | when |
//! |---|---|---|---|
//! | `connecting` | debug | | the connector is asked for a connection |
//! | `connected` | debug | `session_present` | the server accepted the login |
//! | `disconnected` | debug | `cause`, `retry_in` | there is no link any more, or it did not come about; a refused login too |
//! | `disconnected` | warn | `cause`, `retry_in` | the same where waiting alone does not help: a contested client id, an exceeded limit |
//! | `wall_time_needed` | warn | | a login has to be signed and the clock has no wall time |
//! | `events_lost` | warn | `count` | events of the engine were dropped |
//! | `sending` | trace | `kind`, `len` | a packet is handed to the connection |
//! | `received` | trace | `len` | so many bytes came |
//! | `closing` | debug | | the client was closed, or its last handle dropped |
//! | `close_failed` | debug | `error` | a connection could not be closed in order |
//! | `closed` | debug | | the engine has ended |
//! | `not_stored` | warn | `error` | the session could not be stored; it is tried again |
//! | `stored_again` | debug | | it is stored, after it could not be |
//! | `not_recorded` | warn | `error` | the recording has ended before its time |
//!
//! For metrics, [`Client::counters`] gives what the engine has counted.
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
pub mod recording;
pub mod store;
mod tcp;
#[cfg(feature = "tls")]
mod tls;
#[cfg(feature = "websocket")]
pub mod websocket;

pub use client::{Client, Receipt, Shadow, client};
pub use clock::{Alarm, Clock, SystemClock};
pub use connector::{Connector, UntrustedPeer};
pub use driver::Driver;
pub use error::ClientError;
pub use events::{Events, Notification, TypedEvents};
pub use network::{NetworkConnector, NetworkStream};
pub use tcp::TcpConnector;
#[cfg(feature = "tls")]
pub use tls::{ClientCertificate, TlsConnector, TlsError, TlsOptions};
