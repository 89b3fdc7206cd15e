//! The driver, the client and the connectors over loopback sockets, against a peer that a test
//! scripts packet by packet.

#[cfg(test)]
#[cfg(feature = "tls")]
mod authority;
#[cfg(test)]
#[cfg(feature = "tls")]
mod certificates;
#[cfg(test)]
mod client;
#[cfg(test)]
mod clock;
#[cfg(test)]
#[cfg(feature = "tls")]
mod downgrade;
#[cfg(test)]
mod driver;
#[cfg(test)]
mod peer;
#[cfg(test)]
mod recording;
#[cfg(test)]
mod stall;
#[cfg(test)]
mod store;
#[cfg(test)]
#[cfg(feature = "tls")]
mod tls;
#[cfg(test)]
#[cfg(feature = "websocket")]
mod websocket;
