//! The host as a [`Board`]: its sockets, its clock and its standard output.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::time::SystemTime;

use async_net::TcpStream;
use embedded_io_adapters::futures_03::FromFutures;
use shadow_core::WallTime;

use crate::Board;

/// Where the cloud is.
struct Host {
    address: String,
}

/// The board, for the cloud that the command line names.
pub(crate) fn start() -> impl Board {
    let mut arguments = std::env::args().skip(1);
    let (Some(host), Some(port)) = (arguments.next(), arguments.next()) else {
        eprintln!("usage: embassy HOST PORT");
        std::process::exit(2)
    };
    Host {
        address: format!("{host}:{port}"),
    }
}

impl Board for Host {
    type Stream = FromFutures<TcpStream>;
    type Error = io::Error;

    fn server(&self) -> &str {
        &self.address
    }

    async fn connect(&mut self) -> io::Result<FromFutures<TcpStream>> {
        let stream = TcpStream::connect(&*self.address).await?;
        stream.set_nodelay(true)?;
        Ok(FromFutures::new(stream))
    }

    fn wall_time(&self) -> WallTime {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        WallTime::UNIX_EPOCH + since.unwrap_or_default()
    }

    fn seed(&self) -> u64 {
        RandomState::new().hash_one(0)
    }

    fn print(&self, line: fmt::Arguments<'_>) {
        println!("{line}");
    }
}
