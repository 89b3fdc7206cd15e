//! One device, one cloud, one driver loop: over a memory stream, TCP and TLS. The first runs under
//! the virtual clock, the other two over real sockets on the loopback interface.

#[cfg(test)]
mod three_transports {
    use std::future::{Future, ready};
    use std::io::Write;
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
    use transport_mock::stream::memory_network;
    use transport_mock::{SharedCloud, VirtualClock, serve};
    use transport_tcp::{
        Clock, Connector, Notification, SystemClock, TcpConnector, TlsConnector, TlsOptions, client,
    };

    /// What a device does, whatever carries its bytes; the same code for all three. Gives the
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
