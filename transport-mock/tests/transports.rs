//! One device, one cloud, one driver loop: over a memory stream, WebSocket, TCP and TLS. The first two
//! run under the virtual clock, the others over real sockets on the loopback interface.

#[cfg(test)]
mod transports {
    use std::cell::Cell;
    use std::future::{Future, ready};
    use std::io::Write;
    use std::rc::Rc;
    use std::sync::Arc;

    use futures_lite::{Stream, StreamExt};
    use futures_rustls::TlsAcceptor;
    use futures_rustls::rustls::ServerConfig;
    use futures_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
    use serde_json::json;
    use shadow_core::{Config, Event, Session, WallTime};
    use smol::LocalExecutor;
    use smol::net::TcpListener;
    use transport_mock::cloud::{Cloud, example_device, example_name};
    use transport_mock::server::ServerEvent;
    use transport_mock::stream::{Connect, Fault, Faults, memory_network};
    use transport_mock::{SharedCloud, VirtualClock, serve};
    use transport_tcp::websocket::{WebSocketConnector, accept};
    use transport_tcp::{
        Clock, Connector, Notification, SystemClock, TcpConnector, TlsConnector, TlsOptions, client,
    };

    /// What a device does, whatever carries its bytes; the same code for all of them. Gives the
    /// shadow in the end.
    async fn session<C, K, I, F, S>(
        connector: C,
        incoming: I,
        clock: K,
        executor: &LocalExecutor<'_>,
    ) -> String
    where
        C: Connector + 'static,
        K: Clock,
        I: Stream<Item = F> + 'static,
        F: Future<Output = Option<S>> + 'static,
        S: futures_io::AsyncRead + futures_io::AsyncWrite + Unpin + 'static,
    {
        let wall = clock.wall_time().unwrap_or(WallTime::from_unix_millis(0));
        let cloud = SharedCloud::new(Cloud::example(clock.now(), wall));
        let serving = serve(cloud.clone(), incoming, clock.clone(), |_| {});
        let serving = executor.spawn(serving);
        let config = Config::new(&example_device());
        let (device, mut events, driver) =
            client(config, Session::new(), 3, connector, clock.clone());
        let driving = executor.spawn(driver.run());

        let shadow = device.own_shadow().unwrap();
        let document = shadow.get().await.unwrap();
        assert_eq!(document.version(), Some(8));
        let receipt = shadow.report(&json!({"updateCount": 12})).await.unwrap();
        receipt.acknowledged().await.unwrap();
        let now = clock.now();
        let desired = r#"{"power":true}"#;
        cloud
            .with(|cloud| cloud.set_desired(now, &example_name(), desired, Some(9)))
            .unwrap();
        loop {
            match events.next().await.unwrap() {
                Notification::Event(Event::Delta(delta)) => {
                    assert_eq!(delta.state.as_str(), desired);
                    break;
                }
                Notification::Event(_) => {}
                other => panic!("{other:?}"),
            }
        }
        let receipt = shadow.report(&json!({"power": true})).await.unwrap();
        receipt.acknowledged().await.unwrap();
        shadow.clear_desired().await.unwrap();
        device.close().await;
        driving.await;
        drop(serving);
        let shadow = cloud
            .with(|cloud| cloud.shadow(&example_name()).cloned())
            .unwrap();
        format!(
            "{} {:?} {}",
            shadow.version(),
            shadow.desired(),
            shadow.reported()
        )
    }

    const END: &str = r#"12 None {"power":true,"updateCount":12,"updateCount11":"shadow"}"#;

    #[test]
    fn memory() {
        let clock = VirtualClock::new(WallTime::from_unix_millis(1_626_770_697_670));
        let executor = LocalExecutor::new();
        let (connector, listener) = memory_network(256, 4);
        let incoming = listener.map(|stream| ready(Some(stream)));
        let end = clock.run(
            &executor,
            session(connector, incoming, clock.clone(), &executor),
        );
        assert_eq!(end, END);
    }

    #[test]
    fn websocket() {
        let clock = VirtualClock::new(WallTime::from_unix_millis(1_626_770_697_670));
        let executor = LocalExecutor::new();
        let (connector, listener) = memory_network(256, 4);
        let connector = WebSocketConnector::over(connector, "cloud.example");
        let incoming = listener.map(|stream| Box::pin(async { accept(stream).await.ok() }));
        let end = clock.run(
            &executor,
            session(connector, incoming, clock.clone(), &executor),
        );
        assert_eq!(end, END);
    }

    /// The first connection is lost in the handshake, in a frame's header, in its payload and
    /// between frames, until it lasts for all there is to say; the second one makes up for it.
    #[test]
    fn websocket_is_cut_at_every_byte() {
        let to_server = |fault| Faults {
            to_server: vec![fault],
            ..Faults::default()
        };
        let to_client = |fault| Faults {
            to_client: vec![fault],
            ..Faults::default()
        };
        let ways: [fn(Fault) -> Faults; 2] = [to_server, to_client];
        for way in ways {
            let (mut before_login, mut after_login) = (0, 0);
            for cut in 0.. {
                match reported_in_spite_of(way(Fault::CutAfter(cut))) {
                    (2, 1) => before_login += 1,
                    (2, 2) => after_login += 1,
                    (1, 1) => break,
                    other => panic!("{other:?} connections and logins, cut after {cut}"),
                }
            }
            let least = before_login.min(after_login);
            assert!(least > 100, "{before_login} {after_login}");
        }
    }

    /// Reports over WebSocket, the first connection of which has these faults. How many connections
    /// it took, and how many logins.
    fn reported_in_spite_of(faults: Faults) -> (usize, usize) {
        let wall = WallTime::from_unix_millis(1_626_770_697_670);
        let clock = VirtualClock::new(wall);
        let executor = LocalExecutor::new();
        let cloud = SharedCloud::new(Cloud::example(clock.now(), wall));
        let (connector, listener) = memory_network(256, 4);
        let connector = connector.with_script([Connect::Accepted(faults)]);
        let connector = WebSocketConnector::over(connector, "cloud.example");
        let (connections, logins) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
        let count = |counter: &Rc<Cell<usize>>| {
            let counter = Rc::clone(counter);
            move || counter.set(counter.get() + 1)
        };
        let (connection, login) = (count(&connections), count(&logins));
        let incoming = listener.map(move |stream| {
            connection();
            Box::pin(async { accept(stream).await.ok() })
        });
        let on_event = move |event| {
            if matches!(event, ServerEvent::Connected { .. }) {
                login();
            }
        };
        let serving = serve(cloud.clone(), incoming, clock.clone(), on_event);
        executor.spawn(serving).detach();
        let config = Config::new(&example_device());
        let (device, _events, driver) = client(config, Session::new(), 3, connector, clock.clone());
        let driving = executor.spawn(driver.run());
        clock.run(&executor, async {
            let shadow = device.own_shadow().unwrap();
            let receipt = shadow.report(&json!({"updateCount": 12})).await.unwrap();
            receipt.acknowledged().await.unwrap();
            device.close().await;
            driving.await;
        });
        let shadow = cloud.with(|cloud| cloud.shadow(&example_name()).cloned());
        let reported = shadow.unwrap().reported();
        let expected = r#"{"updateCount":12,"updateCount11":"shadow"}"#;
        assert_eq!(reported, expected);
        (connections.get(), logins.get())
    }

    #[test]
    fn tcp() {
        let executor = LocalExecutor::new();
        let end = smol::block_on(executor.run(async {
            let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
            let connector = TcpConnector::new("127.0.0.1", listener.local_addr().unwrap().port());
            let incoming = async_stream(listener).map(|stream| ready(stream.ok()));
            session(connector, incoming, SystemClock::new(), &executor).await
        }));
        assert_eq!(end, END);
    }

    #[test]
    fn tls() {
        let authority = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let mut ca_file = tempfile::NamedTempFile::new().unwrap();
        ca_file.write_all(authority.cert.pem().as_bytes()).unwrap();
        let key = PrivatePkcs8KeyDer::from(authority.signing_key.serialize_der());
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(
                vec![authority.cert.der().clone()],
                PrivateKeyDer::Pkcs8(key),
            )
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let options = TlsOptions {
            ca_file: Some(ca_file.path().to_owned()),
            server_name: Some("localhost".to_owned()),
            ..TlsOptions::default()
        };
        let executor = LocalExecutor::new();
        let end = smol::block_on(executor.run(async {
            let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
            let port = listener.local_addr().unwrap().port();
            let connector = TlsConnector::new("127.0.0.1", port, &options).unwrap();
            let incoming = async_stream(listener).map(move |stream| {
                let acceptor = acceptor.clone();
                async move { acceptor.accept(stream.ok()?).await.ok() }
            });
            let incoming = incoming.map(Box::pin);
            session(connector, incoming, SystemClock::new(), &executor).await
        }));
        assert_eq!(end, END);
    }

    /// The connections of a listener that the stream owns.
    fn async_stream(
        listener: TcpListener,
    ) -> impl Stream<Item = std::io::Result<smol::net::TcpStream>> + 'static {
        futures_lite::stream::unfold(listener, |listener| async move {
            let accepted = listener.accept().await.map(|(stream, _)| stream);
            Some((accepted, listener))
        })
    }
}
