//! Captures: formats, what networks do to segments, TLS, and files for Wireshark.
//!
//! Expected streams are those that were put into the frames, or what tshark says of the same file.
//! Tests that need tshark, editcap, mergecap or text2pcap say SKIPPED where one is missing, and
//! fail instead with `SHADOW_REQUIRE_TSHARK=1`.

#[cfg(test)]
mod export;
#[cfg(test)]
mod formats;
#[cfg(test)]
mod network;
#[cfg(test)]
mod times;
#[cfg(test)]
mod tls;
#[cfg(test)]
mod tools;
#[cfg(test)]
mod variants;
#[cfg(test)]
mod wire;
