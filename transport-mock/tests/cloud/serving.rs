//! What `serve` does for many connections, and about those that behave badly.

use std::cell::Cell;
use std::future::ready;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;

use futures_io::{AsyncRead, AsyncWrite};
use futures_lite::{AsyncReadExt, AsyncWriteExt, StreamExt};
use serde_json::json;
use shadow_core::mqtt::{Connect, Packet, QoS};
use shadow_core::tencent::{DeviceInfo, ShadowName};
use shadow_core::{Config, Session};
use smol::net::TcpListener;
use smol::{Executor, LocalExecutor};
use transport_mock::cloud::{Cloud, CloudConfig};
use transport_mock::server::{Departure, Message, ServerEvent};
use transport_mock::stream::{MemoryStream, memory_network};
use transport_mock::{SharedCloud, VirtualClock, serve};
use transport_tcp::{Clock, Connector, SystemClock, TcpConnector, client};

use crate::support::{WALL, anonymous, bytes, publish, subscribe};

fn anyones_cloud(clock: &VirtualClock) -> SharedCloud {
    SharedCloud::new(Cloud::new(CloudConfig::default(), clock.now(), WALL))
}

async fn log_in(stream: &mut MemoryStream, client_id: &str, keep_alive: u16) {
    let connect = Connect {
        keep_alive,
        ..anonymous(client_id)
    };
    let connect = bytes(&Packet::Connect(connect));
    stream.write_all(&connect).await.unwrap();
    let mut answer = [0; 4];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, [0x20, 2, 0, 0]);
}

async fn subscribed(stream: &mut MemoryStream, filter: &str) {
    let request = subscribe(filter, QoS::AtMostOnce);
    stream.write_all(&request).await.unwrap();
    let mut answer = [0; 5];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, [0x90, 3, 0, 9, 0]);
}

/// The server ends a connection while its peer takes nothing: what is queued has a moment to leave,
/// then the connection is over all the same.
#[test]
fn a_client_that_takes_nothing_is_let_go() {
    let clock = VirtualClock::new(WALL);
    let executor = LocalExecutor::new();
    let cloud = anyones_cloud(&clock);
    let (mut connector, listener) = memory_network(64, 8);
    let departures = Rc::new(Cell::new(0));
    let counted = Rc::clone(&departures);
    let on_event = move |event| {
        if let ServerEvent::Disconnected { departure, .. } = event {
            assert_eq!(departure, Departure::KeepAlive);
            counted.set(counted.get() + 1);
        }
    };
    let incoming = listener.map(|stream| ready(Some(stream)));
    let serving = serve(cloud.clone(), incoming, clock.clone(), on_event);
    executor.spawn(serving).detach();
    clock.run(&executor, async {
        let mut stream = connector.connect().await.unwrap();
        log_in(&mut stream, "me", 10).await;
        subscribed(&mut stream, "a").await;
        let message = Message {
            topic: "a".to_owned(),
            payload: vec![b'x'; 600],
            qos: QoS::AtMostOnce,
        };
        assert!(cloud.with(|cloud| cloud.publish(clock.now(), &message)));
        clock
            .sleep_until(clock.now() + Duration::from_millis(15_999))
            .await;
        assert_eq!(departures.get(), 1);
        stream.write_all(b"\xc0\x00").await.unwrap();
        clock
            .sleep_until(clock.now() + Duration::from_millis(2))
            .await;
        let error = stream.write_all(b"\xc0\x00").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    });
}

/// A stream that counts how often it is polled for reading.
struct Counted {
    stream: MemoryStream,
    reads: Rc<Cell<usize>>,
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.reads.set(self.reads.get() + 1);
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_close(cx)
    }
}

/// One message at a time among 500 connections: only the two that it concerns cost anything.
#[test]
fn idle_connections_cost_nothing() {
    const CLIENTS: usize = 500;
    const MESSAGES: usize = 500;
    let clock = VirtualClock::new(WALL);
    let executor = LocalExecutor::new();
    let cloud = anyones_cloud(&clock);
    let (mut connector, listener) = memory_network(1024, 8);
    let reads = Rc::new(Cell::new(0));
    let counter = Rc::clone(&reads);
    let incoming = listener.map(move |stream| {
        let reads = Rc::clone(&counter);
        ready(Some(Counted { stream, reads }))
    });
    let serving = serve(cloud.clone(), incoming, clock.clone(), |_| {});
    executor.spawn(serving).detach();
    clock.run(&executor, async {
        let mut streams = Vec::new();
        for number in 0..CLIENTS {
            let mut stream = connector.connect().await.unwrap();
            log_in(&mut stream, &format!("client-{number}"), 0).await;
            subscribed(&mut stream, &format!("to/{number}")).await;
            streams.push(stream);
        }
        let mut buffer = [0; 64];
        for number in 0..MESSAGES {
            let (from, to) = (number % CLIENTS, (number * 7 + 1) % CLIENTS);
            let message = publish(&format!("to/{to}"), b"hello", QoS::AtMostOnce);
            streams[from].write_all(&message).await.unwrap();
            let len = message.len();
            streams[to].read_exact(&mut buffer[..len]).await.unwrap();
            assert_eq!(buffer[..len], message);
        }
    });
    let inputs = 2 * CLIENTS + MESSAGES;
    assert!(
        reads.get() <= 6 * inputs,
        "{} reads for {inputs} packets",
        reads.get()
    );
}

/// Over sockets, the server and its clients on several threads: a waker that is not woken hangs
/// this test.
#[test]
fn many_devices_on_many_threads() {
    const DEVICES: usize = 50;
    const REPORTS: usize = 20;
    let executor = Arc::new(Executor::new());
    let (stop, stopped) = async_channel::bounded::<()>(1);
    let threads: Vec<_> = (0..3)
        .map(|_| {
            let (executor, stopped) = (Arc::clone(&executor), stopped.clone());
            thread::spawn(move || smol::block_on(executor.run(stopped.recv())))
        })
        .collect();
    let clock = SystemClock::new();
    let wall = clock.wall_time().unwrap();
    let cloud = SharedCloud::new(Cloud::new(CloudConfig::default(), clock.now(), wall));
    let name = |number: usize| ShadowName::new("PRODUCT001", &format!("d{number}")).unwrap();
    smol::block_on(async {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let incoming = futures_lite::stream::unfold(listener, |listener| async move {
            let stream = listener.accept().await.ok().map(|(stream, _)| stream);
            Some((ready(stream), listener))
        });
        let incoming = Box::pin(incoming);
        let serving = executor.spawn(serve(cloud.clone(), incoming, clock, |_| {}));
        let devices: Vec<_> = (0..DEVICES)
            .map(|number| {
                let info = DeviceInfo::with_key("PRODUCT001", &format!("d{number}"), "c2VjcmV0");
                let config = Config::new(&info.unwrap());
                let connector = TcpConnector::new("127.0.0.1", port);
                let seed = number as u64;
                let (device, _, driver) = client(config, Session::new(), seed, connector, clock);
                let driving = executor.spawn(driver.run());
                let cloud = cloud.clone();
                executor.spawn(async move {
                    let lamp = device.own_shadow().unwrap();
                    for round in 0..REPORTS {
                        let receipt = lamp.report(&json!({"round": round})).await.unwrap();
                        receipt.acknowledged().await.unwrap();
                        let neighbour = name((number + 1) % DEVICES);
                        let desired = format!(r#"{{"round":{round}}}"#);
                        cloud
                            .with(|c| c.set_desired(clock.now(), &neighbour, &desired, None))
                            .unwrap();
                    }
                    device.close().await;
                    driving.await;
                })
            })
            .collect();
        for device in devices {
            device.await;
        }
        assert_eq!(serving.cancel().await, None, "it was still serving");
    });
    for number in 0..DEVICES {
        let shadow = cloud
            .with(|cloud| cloud.shadow(&name(number)).cloned())
            .unwrap();
        assert_eq!(shadow.version(), 2 * REPORTS as u64, "{number}");
    }
    drop(stop);
    for thread in threads {
        thread.join().unwrap().unwrap_err();
    }
}
