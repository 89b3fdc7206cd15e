//! The program as a user meets it: its binary, over loopback TCP.

#[cfg(test)]
mod command;
#[cfg(test)]
mod demo;
#[cfg(test)]
mod device_info;
#[cfg(test)]
mod diagnose;
#[cfg(test)]
mod errors;
#[cfg(test)]
mod export;
#[cfg(test)]
mod fleet;
#[cfg(test)]
mod help;
#[cfg(test)]
mod import;
#[cfg(test)]
mod logs;
#[cfg(test)]
mod peer;
/// Beside `watch`.
#[cfg(test)]
#[cfg(unix)]
mod record;
#[cfg(test)]
mod replay;
#[cfg(test)]
mod replay_recording;
#[cfg(test)]
mod requests;
/// Beside `watch`.
#[cfg(test)]
#[cfg(unix)]
mod session;
#[cfg(test)]
mod show;
#[cfg(test)]
mod shrink;
#[cfg(test)]
mod terminal;
#[cfg(test)]
mod tls;
/// Ctrl-C is sent as a signal.
#[cfg(test)]
#[cfg(unix)]
mod watch;
#[cfg(test)]
mod websocket;
