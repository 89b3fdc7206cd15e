//! A mock of the connector, made with mockall.

use std::future::Future;
use std::io;

use transport_tcp::Connector;

use crate::stream::MemoryStream;

mockall::mock! {
    /// A [`Connector`] that does what a test expects of it, call by call. Its streams are
    /// [`MemoryStream`]s, whose other end the test keeps.
    ///
    /// For a whole server behind the connection [`memory_network`](crate::stream::memory_network)
    /// is the shorter way; this one is for tests that look at the connections themselves.
    ///
    /// ```
    /// use std::io;
    ///
    /// use futures_lite::AsyncReadExt;
    /// use shadow_core::{Config, Instant, Session, WallTime};
    /// use smol::LocalExecutor;
    /// use transport_mock::cloud::example_device;
    /// use transport_mock::stream::memory_pair;
    /// use transport_mock::{MockConnector, VirtualClock, mockall};
    /// use transport_tcp::{Clock, client};
    ///
    /// let (near, mut far) = memory_pair(1024);
    /// let mut connector = MockConnector::new();
    /// let mut order = mockall::Sequence::new();
    /// // The first attempt fails, the second succeeds, and there is no third.
    /// connector.expect_connect().once().in_sequence(&mut order).return_once(|| {
    ///     Box::pin(async { Err(io::Error::other("no route")) })
    /// });
    /// connector.expect_connect().once().in_sequence(&mut order).return_once(|| {
    ///     Box::pin(async { Ok(near) })
    /// });
    ///
    /// let clock = VirtualClock::new(WallTime::from_unix_millis(1_626_770_697_670));
    /// let config = Config::new(&example_device());
    /// let (_client, _events, driver) = client(config, Session::new(), 1, connector, clock.clone());
    /// let executor = LocalExecutor::new();
    /// executor.spawn(driver.run()).detach();
    ///
    /// let mut first_byte = [0];
    /// clock.run(&executor, far.read_exact(&mut first_byte)).unwrap();
    /// assert_eq!(first_byte, [0x10]); // CONNECT
    /// assert!(clock.now() > Instant::ZERO); // after the first wait for a new try
    /// ```
    #[derive(Debug)]
    pub Connector {}

    impl Connector for Connector {
        type Stream = MemoryStream;

        fn connect(&mut self) -> impl Future<Output = io::Result<MemoryStream>> + Send;
    }
}
