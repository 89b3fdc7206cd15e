//! The server's end of a connection, as a test wants it to be.

use std::future::Future;
use std::panic::resume_unwind;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use futures_io::{AsyncRead, AsyncWrite};
use futures_lite::{AsyncReadExt, AsyncWriteExt, StreamExt};
use shadow_core::mqtt::{
    ConnAck, ConnectReturnCode, EncodeError, Entries, Incoming, Oversized, Packet, PacketId,
    ProtocolVersion, Publish, QoS, StreamDecoder, SubAck, SubscribeReturnCode,
};
use shadow_core::tencent::DeviceInfo;
use shadow_core::tencent::request::parse_request;
use shadow_core::{Backoff, Config, Event, Session};
use smol::Task;
use smol::net::{TcpListener, TcpStream};
use transport_tcp::{Client, Clock, Connector, Events, Notification, SystemClock, TcpConnector};

/// What the peer answers to a get.
pub(crate) const DOCUMENT: &str = r#"{"state":{"reported":{"power":false}},"version":3}"#;

/// Runs a test that must not hang, not even if it never lets its thread go.
pub(crate) fn within<T: Send + 'static>(test: impl Future<Output = T> + Send + 'static) -> T {
    let (ending, ended) = mpsc::channel();
    let thread = thread::spawn(move || {
        // Dropped when the test ends, with or without a panic.
        let _ending: mpsc::Sender<()> = ending;
        smol::block_on(test)
    });
    if ended.recv_timeout(Duration::from_secs(30)) == Err(RecvTimeoutError::Timeout) {
        panic!("the test hangs");
    }
    thread.join().unwrap_or_else(|panic| resume_unwind(panic))
}

/// A device with a shadow that connects again at once.
pub(crate) fn lamp_config() -> Config {
    let device = DeviceInfo::with_key("PRODUCT001", "lamp", "c2VjcmV0").unwrap();
    let mut config = Config::new(&device);
    config.backoff = Backoff {
        initial: Duration::from_millis(1),
        maximum: Duration::from_millis(1),
        least_interval: Duration::ZERO,
        contested_after: 0,
        ..Backoff::default()
    };
    config
}

/// A client with a driver that runs.
pub(crate) fn start_by<C: Connector + 'static>(
    clock: impl Clock,
    config: Config,
    connector: C,
) -> (Client, Events, Task<Session>) {
    let (client, events, driver) =
        transport_tcp::client(config, Session::new(), 1, connector, clock);
    (client, events, smol::spawn(driver.run()))
}

/// A client with a driver that runs by the system's clock.
pub(crate) fn start<C: Connector + 'static>(
    config: Config,
    connector: C,
) -> (Client, Events, Task<Session>) {
    start_by(SystemClock::new(), config, connector)
}

/// The next event; there must be one.
pub(crate) async fn next_event(events: &mut Events) -> Event {
    match events.next().await {
        Some(Notification::Event(event)) => event,
        other => panic!("no event but {other:?}"),
    }
}

/// Drops events until one fits.
pub(crate) async fn event_where(events: &mut Events, fits: impl Fn(&Event) -> bool) -> Event {
    loop {
        let event = next_event(events).await;
        if fits(&event) {
            return event;
        }
    }
}

/// A server that waits for connections.
pub(crate) struct Server {
    listener: TcpListener,
}

impl Server {
    pub(crate) async fn bind() -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Server { listener }
    }

    pub(crate) fn port(&self) -> u16 {
        self.listener.local_addr().unwrap().port()
    }

    pub(crate) async fn accept_stream(&self) -> TcpStream {
        self.listener.accept().await.unwrap().0
    }

    pub(crate) async fn accept(&self) -> Peer<TcpStream> {
        Peer::new(self.accept_stream().await)
    }

    pub(crate) fn connector(&self) -> TcpConnector {
        TcpConnector::new("127.0.0.1", self.port())
    }

    /// A lamp that has connected and is ready.
    pub(crate) async fn lamp(&self) -> (Client, Events, Task<Session>, Peer<TcpStream>) {
        let (client, events, driver) = start(lamp_config(), self.connector());
        let mut peer = self.accept().await;
        peer.welcome().await;
        (client, events, driver, peer)
    }
}

/// A packet of the device.
#[derive(Debug, PartialEq)]
pub(crate) enum Seen {
    Connect {
        user_name: String,
    },
    Subscribe {
        packet_id: PacketId,
    },
    Publish {
        topic: String,
        payload: String,
    },
    Disconnect,
    /// The device closed its direction.
    Ended,
    Other(String),
}

/// One connection.
pub(crate) struct Peer<S> {
    pub(crate) stream: S,
    decoder: StreamDecoder,
    unread: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Peer<S> {
    pub(crate) fn new(stream: S) -> Peer<S> {
        Peer {
            stream,
            decoder: StreamDecoder::new(ProtocolVersion::V311, 1 << 16, Oversized::Refuse),
            unread: Vec::new(),
        }
    }

    pub(crate) async fn next(&mut self) -> Seen {
        loop {
            let mut input = self.unread.as_slice();
            if let Some(incoming) = self.decoder.next(&mut input).unwrap() {
                let seen = seen(&incoming);
                self.unread = input.to_vec();
                return seen;
            }
            let mut buffer = [0; 1_024];
            let len = self.stream.read(&mut buffer).await.unwrap();
            if len == 0 {
                return Seen::Ended;
            }
            self.unread = buffer[..len].to_vec();
        }
    }

    pub(crate) async fn send(
        &mut self,
        encode: impl FnOnce(&mut Vec<u8>) -> Result<usize, EncodeError>,
    ) {
        let mut bytes = Vec::new();
        encode(&mut bytes).unwrap();
        self.stream.write_all(&bytes).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    /// Accepts the login.
    pub(crate) async fn log_in(&mut self) {
        let seen = self.next().await;
        assert!(matches!(seen, Seen::Connect { .. }), "{seen:?}");
        self.answer_connect(ConnectReturnCode::Accepted).await;
    }

    pub(crate) async fn answer_connect(&mut self, code: ConnectReturnCode) {
        let answer = ConnAck {
            session_present: false,
            code,
        };
        self.send(|out| answer.encode(ProtocolVersion::V311, out))
            .await;
    }

    /// Grants the next subscription.
    pub(crate) async fn grant(&mut self) {
        let Seen::Subscribe { packet_id } = self.next().await else {
            panic!("no SUBSCRIBE");
        };
        let codes = [SubscribeReturnCode::Granted(QoS::AtMostOnce)];
        let answer = SubAck {
            packet_id,
            return_codes: Entries::from(&codes[..]),
        };
        self.send(|out| answer.encode(ProtocolVersion::V311, out))
            .await;
    }

    /// Login, subscription, and the engine's own get: the lamp is ready then.
    pub(crate) async fn welcome(&mut self) {
        self.log_in().await;
        self.grant().await;
        self.answer("get", 0, DOCUMENT).await;
    }

    /// Answers the lamp's next request, which must be an `operation`; its payload.
    pub(crate) async fn answer(&mut self, operation: &str, code: i64, document: &str) -> String {
        let Seen::Publish { topic, payload } = self.next().await else {
            panic!("no PUBLISH");
        };
        assert_eq!(topic, "$shadow/operation/PRODUCT001/lamp");
        self.reply(&payload, operation, code, document).await;
        payload
    }

    /// Answers a request of the lamp that was read before.
    pub(crate) async fn reply(
        &mut self,
        request: &str,
        operation: &str,
        code: i64,
        document: &str,
    ) {
        let request = parse_request(request.as_bytes()).unwrap();
        assert_eq!(request.operation.to_string(), operation);
        let reply = format!(
            r#"{{"type":"{operation}","clientToken":{},"result":{code},"payload":{document}}}"#,
            request.token.unwrap(),
        );
        self.tell_lamp(&reply).await;
    }

    /// Pushes a change of the lamp's `desired`.
    pub(crate) async fn push_delta(&mut self, version: u64, state: &str) {
        let payload = format!(r#"{{"version":{version},"state":{state}}}"#);
        self.tell_lamp(&format!(r#"{{"type":"delta","payload":{payload}}}"#))
            .await;
    }

    async fn tell_lamp(&mut self, message: &str) {
        let publish = Publish {
            dup: false,
            qos: QoS::AtMostOnce,
            retain: false,
            topic: "$shadow/operation/result/PRODUCT001/lamp",
            packet_id: None,
            payload: message.as_bytes(),
        };
        self.send(|out| publish.encode(out)).await;
    }
}

fn seen(incoming: &Incoming<'_>) -> Seen {
    let Incoming::Packet(packet) = incoming else {
        panic!("skipped a packet");
    };
    match packet {
        Packet::Connect(connect) => Seen::Connect {
            user_name: connect.user_name.unwrap_or_default().into(),
        },
        Packet::Subscribe(subscribe) => Seen::Subscribe {
            packet_id: subscribe.packet_id,
        },
        Packet::Publish(publish) => Seen::Publish {
            topic: publish.topic.into(),
            payload: String::from_utf8_lossy(publish.payload).into(),
        },
        Packet::Disconnect => Seen::Disconnect,
        other => Seen::Other(other.kind().to_string()),
    }
}
