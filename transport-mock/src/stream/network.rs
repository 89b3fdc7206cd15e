//! A connector and a listener in memory.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use async_channel::{Receiver, Sender};
use futures_lite::Stream;
use transport_tcp::Connector;

use super::{Faults, MemoryStream, memory_pair_with};

/// What becomes of one attempt to connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Connect {
    /// It succeeds; the connection has these faults.
    Accepted(Faults),
    /// It fails at once with an error of this kind.
    Refused(io::ErrorKind),
    /// It never ends, as when packets to the server are dropped.
    Silent,
}

/// A network with one server in it: [`MemoryConnector`]s reach the [`MemoryListener`].
///
/// `capacity` is how many bytes each direction of a connection holds, `backlog` how many
/// connections may wait to be accepted (both at least 1); one more is refused. A connector can be
/// cloned, so that several clients reach the same server.
#[must_use]
pub fn memory_network(capacity: usize, backlog: usize) -> (MemoryConnector, MemoryListener) {
    let (sender, receiver) = async_channel::bounded(backlog.max(1));
    let connector = MemoryConnector {
        capacity,
        sender,
        script: VecDeque::new(),
    };
    let incoming = Box::pin(receiver);
    (connector, MemoryListener { incoming })
}

/// Connects to the [`MemoryListener`] that it was made with.
///
/// Connecting takes no time. It fails with [`ConnectionRefused`](io::ErrorKind::ConnectionRefused)
/// when the listener is gone or its backlog is full.
#[derive(Clone, Debug)]
pub struct MemoryConnector {
    capacity: usize,
    sender: Sender<MemoryStream>,
    script: VecDeque<Connect>,
}

impl MemoryConnector {
    /// The same connector with a script: the first attempt to connect becomes the first of
    /// `attempts`, and so on; attempts beyond succeed without faults.
    #[must_use]
    pub fn with_script(self, attempts: impl IntoIterator<Item = Connect>) -> MemoryConnector {
        MemoryConnector {
            script: attempts.into_iter().collect(),
            ..self
        }
    }
}

impl Connector for MemoryConnector {
    type Stream = MemoryStream;

    async fn connect(&mut self) -> io::Result<MemoryStream> {
        let attempt = self.script.pop_front();
        match attempt.unwrap_or_else(|| Connect::Accepted(Faults::default())) {
            Connect::Accepted(faults) => {
                let (client, server) = memory_pair_with(self.capacity, faults);
                let sent = self.sender.try_send(server);
                sent.map(|()| client).map_err(|_| {
                    let text = "memory network: nobody accepts connections";
                    io::Error::new(io::ErrorKind::ConnectionRefused, text)
                })
            }
            Connect::Refused(kind) => Err(io::Error::new(kind, "memory network: as scripted")),
            Connect::Silent => futures_lite::future::pending().await,
        }
    }
}

/// The server's end of a [`memory_network`]: a stream of the connections that come in, in order. It
/// ends when every connector is gone. Dropping it refuses whoever connects from then on, and ends
/// the connections that wait to be accepted.
#[derive(Debug)]
pub struct MemoryListener {
    incoming: Pin<Box<Receiver<MemoryStream>>>,
}

impl Stream for MemoryListener {
    type Item = MemoryStream;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<MemoryStream>> {
        self.incoming.as_mut().poll_next(cx)
    }
}

/// A channel keeps what is in it for as long as somebody could send.
impl Drop for MemoryListener {
    fn drop(&mut self) {
        self.incoming.close();
        while self.incoming.try_recv().is_ok() {}
    }
}
