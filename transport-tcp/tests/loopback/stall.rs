//! The driver loop while a write makes no progress.

use std::collections::BTreeMap;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_io::{AsyncRead, AsyncWrite};
use futures_lite::{AsyncWriteExt, future};
use shadow_core::{Config, DisconnectCause, Event, Publication, RequestError, Session};
use smol::Executor;
use smol::net::TcpStream;
use transport_tcp::{ClientError, Connector, SystemClock, TcpConnector};

use crate::clock::{FastClock, ManualClock};
use crate::peer::{Seen, Server, event_where, lamp_config, start, start_by, within};

#[test]
fn a_peer_that_never_reads_stops_nothing() {
    within(async {
        let server = Server::bind().await;
        let mut config = Config::plain("talker");
        config.request_timeout = Duration::from_secs(5);
        config.keep_alive = 0;
        config.limits.keep_alive_minimum = 0;
        let connector = server.connector();
        let clock = FastClock(SystemClock::new());
        let (client, _events, driver) = start_by(clock, config, connector);
        let mut peer = server.accept().await;
        peer.log_in().await;

        // Until the buffers of both ends are full; then messages stay in the engine. One stall may
        // be the kernel's, which does not say when the last few bytes have room again.
        let payload = vec![b'x'; 16 * 1024 - 1];
        let (mut sent, mut stalls) = (0, 0);
        while stalls < 3 {
            match client.publish(&Publication::new("a", &payload)).await {
                Ok(()) => (sent, stalls) = (sent + 1, 0),
                Err(ClientError::TimedOut) => stalls += 1,
                Err(other) => panic!("{other}"),
            }
            assert!(sent < 10_000, "160 MB do not fit into any socket buffer");
        }
        assert!(sent > 0);

        // Commands are taken all the while, and closing does not wait for the peer.
        assert!(client.session().await.is_ok());
        client.close().await;
        driver.await;
    });
}

/// Streams that take so many bytes and no more.
struct Jammed {
    tcp: TcpConnector,
    room: usize,
}

struct JammedStream {
    stream: TcpStream,
    room: usize,
}

impl Connector for Jammed {
    type Stream = JammedStream;

    async fn connect(&mut self) -> io::Result<JammedStream> {
        let (stream, room) = (self.tcp.connect().await?, self.room);
        Ok(JammedStream { stream, room })
    }
}

impl AsyncRead for JammedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for JammedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.room == 0 {
            return Poll::Pending;
        }
        let bytes = &bytes[..bytes.len().min(self.room)];
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes))?;
        self.room -= written;
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_close(cx)
    }
}

#[test]
fn a_stalled_write_leaves_packets_to_the_engine() {
    within(async {
        let server = Server::bind().await;
        let mut config = Config::plain("talker");
        config.maximum_queued_bytes = 250;
        config.request_timeout = Duration::from_secs(5);
        let tcp = server.connector();
        // CONNECT with this client id has 20 bytes.
        let connector = Jammed { tcp, room: 30 };
        let clock = ManualClock::default();
        let (client, mut events, driver) = start_by(clock.clone(), config, connector);
        let mut peer = server.accept().await;
        peer.log_in().await;

        // The first is on its way, two wait, and there is no room for a fourth.
        let payload = [b'x'; 100];
        let publication = Publication::new("a", &payload);
        assert_eq!(client.publish(&publication).await, Ok(()));
        let mut open = [(); 2].map(|()| Box::pin(client.publish(&publication)));
        for publish in &mut open {
            assert!(future::poll_once(publish).await.is_none());
        }
        let full = RequestError::QueueFull { limit: 250 };
        assert_eq!(client.publish(&publication).await, Err(full.into()));

        // What the server says still comes in.
        peer.stream.write_all(b"\x30\x05\x00\x01bhi").await.unwrap();
        event_where(&mut events, |event| matches!(event, Event::Message(_))).await;

        // Deadlines are kept.
        clock.advance(Duration::from_secs(5));
        for publish in open {
            assert_eq!(publish.await, Err(ClientError::TimedOut));
        }

        // So are those of the link, whose end drops the stalled write.
        let lost = event_where(&mut events, |event| {
            matches!(event, Event::Disconnected { .. })
        });
        let event = future::or(lost, clock.keep_moving()).await;
        assert!(
            matches!(
                &event,
                Event::Disconnected {
                    cause: DisconnectCause::PingTimedOut,
                    ..
                }
            ),
            "{event:?}"
        );
        let ended = async { assert_eq!(peer.next().await, Seen::Ended) };
        future::or(ended, clock.keep_moving()).await;
        driver.cancel().await;
    });
}

#[test]
fn what_a_lost_link_did_not_take_is_not_for_the_next() {
    within(async {
        let server = Server::bind().await;
        let tcp = server.connector();
        let connector = Jammed { tcp, room: 30 };
        let mut config = Config::plain("talker");
        config.backoff = lamp_config().backoff;
        let (client, _events, driver) = start(config, connector);
        let mut peer = server.accept().await;
        peer.log_in().await;
        let publication = Publication::new("a", &[b'x'; 100]);
        assert_eq!(client.publish(&publication).await, Ok(()));
        drop(peer);
        // Anything before CONNECT would fail here.
        server.accept().await.log_in().await;
        driver.cancel().await;
    });
}

#[test]
fn closing_gives_a_stalled_write_a_moment_and_no_more() {
    within(async {
        let server = Server::bind().await;
        let tcp = server.connector();
        let connector = Jammed { tcp, room: 20 };
        let clock = ManualClock::default();
        let config = Config::plain("talker");
        let (client, _events, driver) = start_by(clock.clone(), config, connector);
        let mut peer = server.accept().await;
        peer.log_in().await;
        let publication = Publication::new("a", b"x");
        assert_eq!(client.publish(&publication).await, Ok(()));

        let mut close = Box::pin(client.close());
        assert!(future::poll_once(&mut close).await.is_none());
        // It still listens.
        let refused = client.publish(&publication).await;
        assert_eq!(refused, Err(RequestError::Closed.into()));
        clock.advance(Duration::from_millis(999));
        assert!(future::poll_once(&mut close).await.is_none());
        future::or(close, clock.keep_moving()).await;
        driver.await;
        assert_eq!(peer.next().await, Seen::Ended);
    });
}

/// Reports of what the cloud has already end in the driver's own turn, without a packet. An
/// application that makes one after the other must not keep the driver from the link.
#[test]
fn answers_without_packets_do_not_keep_the_link_from_being_read() {
    within(async {
        let server = Server::bind().await;
        let (clock, connector) = (SystemClock::new(), server.connector());
        let (client, mut events, driver) =
            transport_tcp::client(lamp_config(), Session::new(), 1, connector, clock);
        let executor = Arc::new(Executor::new());
        let driving = executor.spawn(driver.run());
        let test = async {
            let mut peer = server.accept().await;
            peer.welcome().await;
            event_where(&mut events, |event| matches!(event, Event::Ready { .. })).await;
            let lamp = client.own_shadow().unwrap();
            let off = BTreeMap::from([("power", false)]);
            let (receipt, _) = future::zip(lamp.report(&off), peer.answer("update", 0, "{}")).await;
            assert_eq!(receipt.unwrap().acknowledged().await, Ok(()));

            let (busy, is_busy) = smol::channel::bounded(100);
            let reporting = executor.spawn(async move {
                loop {
                    let receipt = lamp.report(&off).await;
                    receipt.unwrap().acknowledged().await.unwrap();
                    let _ = busy.try_send(());
                }
            });
            while !is_busy.is_full() {
                future::yield_now().await;
            }
            peer.push_delta(4, r#"{"power":true}"#).await;
            event_where(&mut events, |event| matches!(event, Event::Delta(_))).await;
            drop(reporting);
        };
        executor.run(test).await;
        drop(driving);
    });
}
