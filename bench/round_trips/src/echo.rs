//! The limit of the machine: the same bytes, carried by the same stack, and nobody looks at them.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::Instant;

use futures_lite::{AsyncReadExt, AsyncWriteExt};
use smol::Async;

use crate::Failure;
use crate::server::{announce, end_with_parent};
use crate::tally::{Operation, Tally, Task, Trips};
use crate::wire::Exchange;

/// As much as the driver reads at a time.
const READ_SIZE: usize = 4 * 1024;

/// Answers requests by their length alone. Which ones come, the first byte that is sent says.
pub(crate) fn serve() -> Result<(), Failure> {
    end_with_parent();
    let listener = Async::<TcpListener>::bind((Ipv4Addr::LOCALHOST, 0))?;
    announce(listener.get_ref().local_addr()?.port());
    smol::block_on(async {
        loop {
            let (mut stream, _) = listener.accept().await?;
            stream.get_ref().set_nodelay(true)?;
            let mut operation = [0];
            stream.read_exact(&mut operation).await?;
            let operation = match operation {
                [0] => Operation::Get,
                _ => Operation::Update,
            };
            let Exchange { request, reply } = Exchange::new(operation)?;
            let mut buffer = [0; READ_SIZE];
            let (mut received, mut replies) = (0, Vec::new());
            // One connection after the other: there is one client at a time.
            while let Ok(len @ 1..) = stream.read(&mut buffer).await {
                received += len;
                replies.clear();
                while received >= request.len() {
                    received -= request.len();
                    replies.extend_from_slice(&reply);
                }
                if stream.write_all(&replies).await.is_err() {
                    break;
                }
            }
        }
    })
}

/// Sends requests and counts replies, by their length alone.
pub(crate) fn run(task: &Task) -> Result<Trips, Failure> {
    let Exchange { request, reply } = Exchange::new(task.operation)?;
    smol::block_on(async {
        let address = (Ipv4Addr::LOCALHOST, task.port);
        let mut stream = Async::<TcpStream>::connect(address).await?;
        stream.get_ref().set_nodelay(true)?;
        stream.write_all(&[task.operation as u8]).await?;
        let mut tally = Tally::new();
        let mut buffer = [0; READ_SIZE];
        let (mut received, mut requests) = (0, Vec::new());
        let mut open: VecDeque<Instant> = (0..task.in_flight).map(|_| Instant::now()).collect();
        for _ in &open {
            requests.extend_from_slice(&request);
        }
        loop {
            stream.write_all(&requests).await?;
            requests.clear();
            let len = stream.read(&mut buffer).await?;
            if len == 0 {
                return Err("the server has closed the connection".into());
            }
            received += len;
            while received >= reply.len() {
                received -= reply.len();
                let start = open.pop_front().ok_or("more replies than requests")?;
                if !tally.add(start) {
                    return Ok(tally.finish());
                }
                open.push_back(Instant::now());
                requests.extend_from_slice(&request);
            }
        }
    })
}
