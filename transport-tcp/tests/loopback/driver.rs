//! The driver loop where the network is not kind.

use std::future::pending;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use async_channel::Sender;
use futures_io::{AsyncRead, AsyncWrite};
use futures_lite::{AsyncWriteExt, future};
use shadow_core::mqtt::ConnectReturnCode;
use shadow_core::tencent::Update;
use shadow_core::{
    Config, DisconnectCause, Event, Instant, Publication, Session, TransportFailure, WallTime,
};
use smol::net::TcpStream;
use transport_tcp::{
    ClientError, Clock, Connector, NetworkConnector, Notification, SystemClock, TcpConnector,
};

use crate::peer::{
    DOCUMENT, Seen, Server, event_where, lamp_config, next_event, start, start_by, within,
};

fn is_disconnected(event: &Event) -> bool {
    matches!(event, Event::Disconnected { .. })
}

fn is_ready(event: &Event) -> bool {
    matches!(event, Event::Ready { .. })
}

#[test]
fn a_lost_link_comes_back_with_its_subscription() {
    within(async {
        let server = Server::bind().await;
        let connector = NetworkConnector::tcp("127.0.0.1", server.port());
        let (client, mut events, driver) = start(lamp_config(), connector);
        let mut peer = server.accept().await;
        peer.welcome().await;
        event_where(&mut events, is_ready).await;
        let lamp = client.own_shadow().unwrap();
        let update = Update::new().clear_desired();
        let mut open = Box::pin(lamp.update(update));
        assert!(future::poll_once(&mut open).await.is_none());
        assert!(matches!(peer.next().await, Seen::Publish { .. }));
        let mut asked = Box::pin(lamp.get());
        assert!(future::poll_once(&mut asked).await.is_none());
        assert!(matches!(peer.next().await, Seen::Publish { .. }));

        drop(peer);
        let maybe_applied = true;
        assert_eq!(open.await, Err(ClientError::Disconnected { maybe_applied }));
        let event = event_where(&mut events, is_disconnected).await;
        let Event::Disconnected { cause, .. } = event else {
            panic!("{event:?}");
        };
        assert_eq!(
            cause,
            DisconnectCause::Transport(TransportFailure::ClosedByPeer)
        );

        let mut peer = server.accept().await;
        peer.welcome().await;
        event_where(&mut events, is_ready).await;
        // The get is asked again, as it changes nothing.
        let (got, _) = future::zip(asked, peer.answer("get", 0, DOCUMENT)).await;
        assert!(got.is_ok());
        let (got, _) = future::zip(lamp.get(), peer.answer("get", 0, DOCUMENT)).await;
        assert!(got.is_ok());
        driver.cancel().await;
    });
}

#[test]
fn a_refused_connection_names_the_address() {
    within(async {
        let server = Server::bind().await;
        let port = server.port();
        drop(server);
        let (client, mut events, driver) =
            start(lamp_config(), TcpConnector::new("localhost", port));
        let event = next_event(&mut events).await;
        let Event::Disconnected { cause, .. } = event else {
            panic!("{event:?}");
        };
        let text = cause.to_string();
        assert!(
            text.starts_with(&format!("cannot connect: localhost:{port}: ")),
            "{text}"
        );
        assert!(text.contains(&format!("127.0.0.1:{port}: ")), "{text}");
        assert!(text.contains("refused"), "{text}");
        drop(client);
        driver.await;
    });
}

#[test]
fn a_name_without_an_address_is_said_so() {
    // RFC 6761, section 6.4: "invalid" never resolves.
    let mut connector = TcpConnector::new("device.invalid", 1883);
    let error = within(async move { connector.connect().await }).unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("device.invalid:1883: "), "{text}");
}

#[test]
fn a_refused_login_closes_the_connection_and_tries_again() {
    within(async {
        let server = Server::bind().await;
        let connector = server.connector();
        let (_client, mut events, driver) = start(lamp_config(), connector);
        let mut peer = server.accept().await;
        assert!(matches!(peer.next().await, Seen::Connect { .. }));
        let code = ConnectReturnCode::BadUserNameOrPassword;
        peer.answer_connect(code).await;
        assert_eq!(peer.next().await, Seen::Ended);
        let event = next_event(&mut events).await;
        assert!(
            matches!(&event, Event::Disconnected { cause, .. } if *cause == DisconnectCause::Refused(code))
        );
        server.accept().await.welcome().await;
        event_where(&mut events, is_ready).await;
        driver.cancel().await;
    });
}

#[test]
fn bytes_that_are_no_packet_end_the_link() {
    within(async {
        let server = Server::bind().await;
        let (_client, mut events, driver, mut peer) = server.lamp().await;
        peer.stream
            .write_all(b"HTTP/1.1 400\r\n\r\n")
            .await
            .unwrap();
        let event = event_where(&mut events, is_disconnected).await;
        assert!(
            matches!(
                &event,
                Event::Disconnected {
                    cause: DisconnectCause::Malformed(_),
                    ..
                }
            ),
            "{event:?}"
        );
        assert_eq!(peer.next().await, Seen::Ended);
        driver.cancel().await;
    });
}

/// A connector that never gets a connection. Tells when a try begins and when it is given up.
struct Unreachable {
    tries: Sender<&'static str>,
}

struct Try(Sender<&'static str>);

impl Drop for Try {
    fn drop(&mut self) {
        let _ = self.0.try_send("given up");
    }
}

impl Connector for Unreachable {
    type Stream = TcpStream;

    async fn connect(&mut self) -> io::Result<TcpStream> {
        let _ = self.tries.try_send("begun");
        let _try = Try(self.tries.clone());
        pending().await
    }
}

#[test]
fn deadlines_and_commands_do_not_wait_for_a_connection() {
    within(async {
        let (sender, tries) = async_channel::unbounded();
        let mut config = lamp_config();
        config.connect_timeout = Duration::from_millis(5);
        config.request_timeout = Duration::from_millis(20);
        let (client, mut events, driver) = start(config, Unreachable { tries: sender });
        let lamp = client.own_shadow().unwrap();
        assert_eq!(lamp.get().await, Err(ClientError::TimedOut));
        for _ in 0..2 {
            let event = next_event(&mut events).await;
            assert!(
                matches!(
                    &event,
                    Event::Disconnected {
                        cause: DisconnectCause::ConnectTimedOut,
                        ..
                    }
                ),
                "{event:?}"
            );
        }
        for expected in ["begun", "given up", "begun", "given up"] {
            assert_eq!(tries.recv().await, Ok(expected));
        }
        client.close().await;
        driver.await;
    });
}

#[test]
fn closing_does_not_wait_for_a_connection() {
    within(async {
        let (sender, tries) = async_channel::unbounded();
        let (client, mut events, driver) = start(lamp_config(), Unreachable { tries: sender });
        assert_eq!(tries.recv().await, Ok("begun"));
        client.close().await;
        driver.await;
        assert_eq!(next_event(&mut events).await, Event::Closed);
        assert_eq!(tries.recv().await, Ok("given up"));
        assert!(tries.recv().await.is_err());
    });
}

/// The system's clock on a device whose wall clock is set late: milliseconds, 0 before.
#[derive(Clone)]
struct LateClock {
    system: SystemClock,
    wall: Arc<AtomicU64>,
}

impl Clock for LateClock {
    fn now(&self) -> Instant {
        self.system.now()
    }

    fn wall_time(&self) -> Option<WallTime> {
        match self.wall.load(Ordering::SeqCst) {
            0 => None,
            millis => Some(WallTime::from_unix_millis(millis)),
        }
    }

    async fn sleep_until(&self, at: Instant) {
        self.system.sleep_until(at).await;
    }
}

#[test]
fn every_login_is_signed_for_the_wall_time_of_its_own() {
    within(async {
        let server = Server::bind().await;
        let connector = server.connector();
        let wall = Arc::new(AtomicU64::new(0));
        let clock = LateClock {
            system: SystemClock::new(),
            wall: Arc::clone(&wall),
        };
        let (client, mut events, driver) = start_by(clock, lamp_config(), connector);
        assert_eq!(next_event(&mut events).await, Event::WallTimeNeeded);
        let user_name = |seen| match seen {
            Seen::Connect { user_name } => user_name,
            other => panic!("no CONNECT but {other:?}"),
        };
        // 2023-11-14, and a login that is good for an hour.
        wall.store(1_700_000_000_000, Ordering::SeqCst);
        client.reconnect().await.unwrap();
        let mut peer = server.accept().await;
        let first = user_name(peer.next().await);
        assert!(first.ends_with(";1700003600"), "{first}");
        // Somebody sets the clock forward by a day.
        wall.store(1_700_086_400_000, Ordering::SeqCst);
        drop(peer);
        let second = user_name(server.accept().await.next().await);
        assert!(second.ends_with(";1700090000"), "{second}");
        driver.cancel().await;
    });
}

#[test]
fn a_reader_that_lags_is_told_what_it_missed() {
    within(async {
        let server = Server::bind().await;
        let connector = server.connector();
        let mut config = lamp_config();
        config.maximum_events = 4;
        let (client, events, driver) = start(config, connector);
        for _ in 0..5 {
            server.accept().await.welcome().await;
        }
        let mut peer = server.accept().await;
        peer.welcome().await;
        // Once this is answered, everything before it was read.
        let lamp = client.own_shadow().unwrap();
        let (got, _) = future::zip(lamp.get(), peer.answer("get", 0, DOCUMENT)).await;
        assert!(got.is_ok());
        client.close().await;
        driver.await;
        // Each of the six links gives Connected, ShadowSubscribed, Ready; Disconnected stands
        // between two links, and Closed behind the last.
        let all: Vec<_> = futures_lite::StreamExt::collect(events).await;
        assert_eq!(all.len(), 5, "{all:?}");
        assert_eq!(all[0], Notification::Lagged { missed: 20 });
        assert_eq!(all[4], Notification::Event(Event::Closed));
    });
}

/// A server that accepts the login and never stops talking nor makes anyone wait.
struct Flood {
    accepted: bool,
}

impl Connector for Flood {
    type Stream = Flood;

    async fn connect(&mut self) -> io::Result<Flood> {
        Ok(Flood { accepted: false })
    }
}

impl AsyncRead for Flood {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let bytes: &[u8] = if self.accepted {
            b"\x30\x05\x00\x01bhi"
        } else {
            b"\x20\x02\x00\x00"
        };
        self.accepted = true;
        buffer[..bytes.len()].copy_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }
}

impl AsyncWrite for Flood {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[test]
fn a_server_that_never_stops_talking_starves_nobody() {
    // All on one thread, so the driver must let others run, and hear them.
    within(async {
        let flood = Flood { accepted: false };
        let (client, mut events, driver) = transport_tcp::client(
            Config::plain("listener"),
            Session::new(),
            1,
            flood,
            SystemClock::new(),
        );
        let application = async {
            event_where(&mut events, |event| matches!(event, Event::Message(_))).await;
            let publication = Publication::new("a", b"x");
            assert_eq!(client.publish(&publication).await, Ok(()));
            client.close().await;
        };
        future::zip(driver.run(), application).await;
    });
}
