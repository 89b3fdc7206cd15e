//! What every example has to do, checked against the model of the cloud over real sockets.
//!
//! An example's test is two lines:
//!
//! ```no_run
//! use std::process::Command;
//!
//! check::run_device(Command::new("target/debug/std_threads")); // env!("CARGO_BIN_EXE_std_threads")
//! ```

mod program;
mod scenario;

use std::future::{Future, ready};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;

use smol::io::{AsyncRead, AsyncWrite};
use smol::net::TcpStream;
use socket2::{Domain, Socket, Type};

/// Runs `program` with two more arguments, the host and the port of a cloud that it reaches over TCP,
/// and has it do what [`run_device_over`] says.
///
/// # Panics
///
/// As [`run_device_over`].
pub fn run_device(program: Command) {
    let arguments =
        |address: SocketAddr| vec![address.ip().to_string(), address.port().to_string()];
    run_device_over(program, arguments, |stream| ready(Some(stream)));
}

/// Runs `program` as the example device of the model of the cloud. `arguments` are added to its own,
/// and `accept` makes a connection's byte stream of each socket, as a WebSocket handshake does.
///
/// The program has to
///
/// 1. print `disconnected: WHY` while nobody listens, and try again;
/// 2. print `connected` and report `counter` and `temperature`;
/// 3. do what `desired.color` says, print `color COLOR`, report it and delete it from `desired`;
/// 4. delete from `desired` what it does not know or cannot read, without reporting it;
/// 5. print `refused: WHY` where the engine or the device refuses a color that is too long, or what
///    [`Outcome`](shadow_core::Outcome) says where the cloud does, and live on;
/// 6. print `disconnected: WHY` when the cloud cuts it off, come back, obey what was desired while it
///    was away, and go on counting.
///
/// It is killed at the end, and when it failed.
///
/// # Panics
///
/// When it does not, within [`PATIENCE`] for each step, or ends by itself; with what the program
/// printed and the cloud was sent until then.
pub fn run_device_over<A, S>(
    program: Command,
    arguments: impl FnOnce(SocketAddr) -> Vec<String>,
    accept: impl FnMut(TcpStream) -> A,
) where
    A: Future<Output = Option<S>>,
    S: AsyncRead + AsyncWrite + Unpin,
{
    smol::block_on(scenario::play(program, arguments, accept));
}

pub use scenario::PATIENCE;

/// A port of this machine that refuses connections until it is listened on, and that nobody else gets
/// meanwhile.
fn reserve_port() -> std::io::Result<(Socket, SocketAddr)> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
    let address = socket.local_addr()?.as_socket();
    let address = address.ok_or(std::io::ErrorKind::AddrNotAvailable)?;
    Ok((socket, address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "the program ended before it says that it cannot connect")]
    fn a_program_that_ends_fails() {
        run_device(Command::new("true"));
    }
}
