//! Servers to run the program against.

use std::convert::Infallible;
use std::future::ready;
use std::io;
use std::net::Ipv4Addr;
use std::sync::mpsc::{Receiver, channel};
use std::thread::{JoinHandle, spawn};
use std::time::Duration;

use futures_rustls::TlsAcceptor;
use shadow_core::WallTime;
use shadow_core::mqtt::{Incoming, Oversized, Packet, ProtocolVersion, StreamDecoder};
use smol::channel::Sender;
use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::net::{TcpListener, TcpStream};
use smol::stream::StreamExt;
use transport_mock::cloud::{Cloud, CloudConfig};
use transport_mock::server::{ServerConfig, ServerEvent};
use transport_mock::{SharedCloud, serve};
use transport_tcp::{Clock, SystemClock, websocket};

/// How long a test waits for what has to come.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server on a free port, until it is dropped.
pub(crate) struct Peer {
    pub(crate) port: u16,
    /// Dropped first, which ends the thread.
    stop: Option<Sender<Infallible>>,
    thread: Option<JoinHandle<()>>,
}

/// A cloud on a free port, until it is dropped.
pub(crate) struct TestCloud {
    pub(crate) peer: Peer,
    pub(crate) cloud: SharedCloud,
    pub(crate) clock: SystemClock,
    events: Receiver<ServerEvent>,
}

/// What carries the packets to a cloud.
enum Transport {
    Tcp,
    Tls(TlsAcceptor),
    WebSocket,
}

impl Peer {
    fn start(run: impl AsyncFnOnce(TcpListener) + Send + 'static) -> Peer {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (stop, stopped) = smol::channel::bounded::<Infallible>(1);
        let thread = spawn(move || {
            smol::block_on(async {
                let listener = TcpListener::try_from(listener).unwrap();
                let stopped = async {
                    // Nothing is ever sent: it ends when the sender is dropped.
                    let Err(_) = stopped.recv().await;
                };
                smol::future::or(run(listener), stopped).await;
            });
        });
        Peer {
            port,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// Something that answers whatever it is sent with these bytes and hangs up.
    pub(crate) fn answering(answer: &'static [u8]) -> Peer {
        Peer::start(async move |listener| {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                drop(stream.read(&mut [0; 1024]).await);
                drop(stream.write_all(answer).await);
            }
        })
    }

    /// A server that refuses every login; what it was sent.
    pub(crate) fn refusing() -> (Peer, Receiver<Vec<u8>>) {
        let (sender, received) = channel();
        let peer = Peer::start(async move |listener| {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut login = vec![0; 1024];
                let length = stream.read(&mut login).await.unwrap_or(0);
                login.truncate(length);
                drop(sender.send(login));
                // Not authorized.
                drop(stream.write_all(&[0x20, 2, 0, 5]).await);
            }
        });
        (peer, received)
    }

    /// A server that lets everyone in and subscribe, and hangs up at the first message.
    pub(crate) fn hanging_up() -> Peer {
        Peer::start(async |listener| {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                for answer in [&[0x20, 2, 0, 0][..], &[0x90, 3, 0, 1, 0]] {
                    drop(stream.read(&mut [0; 1024]).await);
                    drop(stream.write_all(answer).await);
                }
                drop(stream.read(&mut [0; 1024]).await);
            }
        })
    }

    /// A server that accepts every login and says no more.
    pub(crate) fn silent() -> Peer {
        Peer::start(async |listener| {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                drop(stream.read(&mut [0; 1024]).await);
                drop(stream.write_all(&[0x20, 2, 0, 0]).await);
                // Until the client hangs up.
                while matches!(stream.read(&mut [0; 1024]).await, Ok(1..)) {}
            }
        })
    }

    /// A server that lets everyone in and subscribe, and has nobody behind it who would answer.
    pub(crate) fn without_service() -> Peer {
        Peer::start(async |listener| {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                // The next client comes when the last has gone.
                drop(acknowledge(stream).await);
            }
        })
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

impl TestCloud {
    /// The example device's.
    pub(crate) fn example() -> TestCloud {
        TestCloud::start(Cloud::example, Transport::Tcp)
    }

    /// The example device's, by TLS.
    pub(crate) fn with_tls(acceptor: TlsAcceptor) -> TestCloud {
        TestCloud::start(Cloud::example, Transport::Tls(acceptor))
    }

    /// The example device's, by WebSocket.
    pub(crate) fn with_websocket() -> TestCloud {
        TestCloud::start(Cloud::example, Transport::WebSocket)
    }

    /// An empty one.
    pub(crate) fn with_server(server: ServerConfig) -> TestCloud {
        let config = CloudConfig {
            server,
            ..CloudConfig::default()
        };
        TestCloud::start(|now, wall| Cloud::new(config, now, wall), Transport::Tcp)
    }

    fn start(
        cloud: impl FnOnce(shadow_core::Instant, WallTime) -> Cloud,
        transport: Transport,
    ) -> TestCloud {
        let clock = SystemClock::new();
        let cloud = SharedCloud::new(cloud(clock.now(), clock.wall_time().unwrap()));
        let (sender, events) = channel();
        let served = cloud.clone();
        let peer = Peer::start(async move |listener| {
            let on_event = |event| drop(sender.send(event));
            let incoming = listener.incoming();
            match transport {
                Transport::Tcp => {
                    let incoming = incoming.map(|stream| ready(stream.ok()));
                    serve(served, incoming, clock, on_event).await;
                }
                Transport::Tls(acceptor) => {
                    let incoming = incoming.map(|stream| {
                        let acceptor = acceptor.clone();
                        async move { acceptor.accept(stream.ok()?).await.ok() }
                    });
                    serve(served, incoming, clock, on_event).await;
                }
                Transport::WebSocket => {
                    let incoming = incoming.map(|stream| {
                        Box::pin(async { websocket::accept(stream.ok()?).await.ok() })
                    });
                    serve(served, incoming, clock, on_event).await;
                }
            }
        });
        TestCloud {
            peer,
            cloud,
            clock,
            events,
        }
    }

    pub(crate) fn port(&self) -> u16 {
        self.peer.port
    }

    /// The next event of the server for which `wanted` finds something.
    #[track_caller]
    pub(crate) fn await_event<T>(&self, wanted: impl Fn(ServerEvent) -> Option<T>) -> T {
        loop {
            let event = self.events.recv_timeout(PATIENCE).unwrap();
            if let Some(found) = wanted(event) {
                return found;
            }
        }
    }
}

/// A port of this machine at which nobody listens.
pub(crate) fn closed_port() -> u16 {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().port()
}

/// Answers CONNECT and SUBSCRIBE and swallows the rest.
async fn acknowledge(mut stream: TcpStream) -> io::Result<()> {
    let mut decoder = StreamDecoder::new(ProtocolVersion::V311, 32 * 1024, Oversized::Refuse);
    let mut buffer = [0; 1024];
    loop {
        let length = stream.read(&mut buffer).await?;
        if length == 0 {
            return Ok(());
        }
        let mut input = &buffer[..length];
        let mut answers = Vec::new();
        while let Some(Incoming::Packet(packet)) = decoder.next(&mut input).unwrap() {
            match packet {
                Packet::Connect(_) => answers.extend([0x20, 2, 0, 0]),
                Packet::Subscribe(subscribe) => {
                    let [high, low] = subscribe.packet_id.get().to_be_bytes();
                    answers.extend([0x90, 3, high, low, 0]);
                }
                _ => {}
            }
        }
        stream.write_all(&answers).await?;
    }
}
