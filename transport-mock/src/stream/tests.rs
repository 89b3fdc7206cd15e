use std::io::ErrorKind;

use futures_lite::future::{block_on, poll_once};
use futures_lite::{AsyncReadExt, AsyncWriteExt, StreamExt};
use transport_tcp::Connector;

use super::*;

fn to_server(fault: Fault) -> Faults {
    Faults {
        to_server: vec![fault],
        ..Faults::default()
    }
}

#[test]
fn bytes_arrive_in_order_and_a_full_buffer_makes_the_writer_wait() {
    let (mut client, mut server) = memory_pair(4);
    block_on(async {
        let mut writing = Box::pin(client.write_all(b"abcdefgh"));
        assert!(poll_once(&mut writing).await.is_none(), "4 of 8 bytes fit");
        let mut buffer = [0; 3];
        server.read_exact(&mut buffer).await.unwrap();
        assert_eq!(&buffer, b"abc");
        assert!(poll_once(&mut writing).await.is_none(), "7 of 8 bytes fit");
        server.read_exact(&mut buffer).await.unwrap();
        assert_eq!(&buffer, b"def");
        assert!(poll_once(&mut writing).await.unwrap().is_ok());
    });
}

/// Both sides run at once, so a waker that is not woken hangs this test.
#[test]
fn reader_and_writer_wake_each_other() {
    let (mut client, mut server) = memory_pair(1);
    let sent: Vec<u8> = (0..=255).collect();
    let mut received = Vec::new();
    block_on(futures_lite::future::zip(
        async {
            client.write_all(&sent).await.unwrap();
            client.close().await.unwrap();
        },
        async {
            server.read_to_end(&mut received).await.unwrap();
        },
    ));
    assert_eq!(received, sent);
}

#[test]
fn closing_ends_one_direction_and_dropping_both() {
    let (mut client, mut server) = memory_pair(16);
    block_on(async {
        client.write_all(b"bye").await.unwrap();
        client.close().await.unwrap();
        let mut received = Vec::new();
        server.read_to_end(&mut received).await.unwrap();
        assert_eq!(received, b"bye");
        let error = client.write_all(b"x").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);

        server.write_all(b"ok").await.unwrap();
        drop(server);
        received.clear();
        client.read_to_end(&mut received).await.unwrap();
        assert_eq!(received, b"ok");
    });
    let (client, mut server) = memory_pair(16);
    drop(client);
    let error = block_on(server.write_all(b"x")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BrokenPipe);
}

#[test]
fn cut_breaks_both_directions_after_its_byte() {
    let (mut client, mut server) = memory_pair_with(16, to_server(Fault::CutAfter(3)));
    block_on(async {
        server.write_all(b"early").await.unwrap();
        let error = client.write_all(b"hello").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        let mut received = Vec::new();
        let error = server.read_to_end(&mut received).await.unwrap_err();
        assert_eq!(
            (error.kind(), &received[..]),
            (ErrorKind::ConnectionReset, &b"hel"[..])
        );
        let error = server.write_all(b"late").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        received.clear();
        let error = client.read_to_end(&mut received).await.unwrap_err();
        assert_eq!(
            (error.kind(), &received[..]),
            (ErrorKind::ConnectionReset, &b"early"[..])
        );
    });
}

#[test]
fn cut_wakes_who_waits() {
    let (client, mut server) = memory_pair(16);
    block_on(async {
        let mut buffer = [0; 1];
        let mut reading = Box::pin(server.read(&mut buffer));
        assert!(poll_once(&mut reading).await.is_none());
        client.cut();
        let error = poll_once(&mut reading).await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    });
}

#[test]
fn stall_swallows_bytes_and_tells_nobody() {
    let (mut client, mut server) = memory_pair_with(16, to_server(Fault::StallAfter(3)));
    block_on(async {
        client.write_all(b"hello").await.unwrap();
        let mut buffer = [0; 8];
        assert_eq!(server.read(&mut buffer).await.unwrap(), 3);
        assert!(poll_once(server.read(&mut buffer)).await.is_none());
        drop(client);
        assert!(
            poll_once(server.read(&mut buffer)).await.is_none(),
            "not even the end"
        );
    });
}

#[test]
fn end_closes_one_direction_after_its_byte() {
    let (mut client, mut server) = memory_pair_with(16, to_server(Fault::EndAfter(3)));
    block_on(async {
        let error = client.write_all(b"hello").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        let mut received = Vec::new();
        server.read_to_end(&mut received).await.unwrap();
        assert_eq!(received, b"hel");
        server.write_all(b"ok").await.unwrap();
        let mut buffer = [0; 2];
        client.read_exact(&mut buffer).await.unwrap();
        assert_eq!(&buffer, b"ok");
    });
}

#[test]
fn splits_cut_reads_and_writes_to_size() {
    let (mut client, mut server) = memory_pair_with(16, to_server(Fault::SplitReads(vec![1, 3])));
    let sizes = block_on(async {
        client.write_all(b"abcdefg").await.unwrap();
        let mut buffer = [0; 16];
        let mut sizes = Vec::new();
        while sizes.iter().sum::<usize>() < 7 {
            sizes.push(server.read(&mut buffer).await.unwrap());
        }
        sizes
    });
    assert_eq!(sizes, [1, 3, 1, 2]);

    let (mut client, _server) = memory_pair_with(16, to_server(Fault::SplitWrites(vec![2, 0])));
    block_on(async {
        assert_eq!(client.write(b"abcdefg").await.unwrap(), 2);
        assert_eq!(client.write(b"cdefg").await.unwrap(), 1);
        assert_eq!(client.write(b"defg").await.unwrap(), 2);
    });
}

#[test]
fn connector_follows_its_script_and_reaches_the_listener() {
    let (connector, mut listener) = memory_network(16, 1);
    let mut connector = connector.with_script([
        Connect::Refused(ErrorKind::HostUnreachable),
        Connect::Silent,
        Connect::Accepted(to_server(Fault::EndAfter(1))),
    ]);
    block_on(async {
        let error = connector.connect().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::HostUnreachable);
        assert!(poll_once(connector.connect()).await.is_none());
        let mut client = connector.connect().await.unwrap();
        let error = connector.connect().await.unwrap_err();
        assert_eq!(
            error.kind(),
            ErrorKind::ConnectionRefused,
            "the backlog is full"
        );
        let mut server = listener.next().await.unwrap();
        assert!(client.write_all(b"xy").await.is_err());
        let mut received = Vec::new();
        server.read_to_end(&mut received).await.unwrap();
        assert_eq!(received, b"x");
        drop(listener);
        let error = connector.connect().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused, "nobody listens");
    });
}

/// As a listening socket that is closed resets whoever waits in its backlog.
#[test]
fn a_listener_that_goes_ends_the_connections_in_its_backlog() {
    let (mut connector, listener) = memory_network(16, 8);
    block_on(async {
        let mut client = connector.connect().await.unwrap();
        let mut buffer = [0; 1];
        let mut reading = Box::pin(client.read(&mut buffer));
        assert!(poll_once(&mut reading).await.is_none());
        drop(listener);
        let read = poll_once(&mut reading).await.expect("the read ends");
        assert_eq!(read.unwrap(), 0);
    });
}

/// A waker that is not woken hangs this test.
#[test]
fn a_reader_that_goes_wakes_the_writer() {
    let (mut client, server) = memory_pair(4);
    let (written, ()) = block_on(futures_lite::future::zip(
        client.write_all(b"abcdefgh"),
        async { drop(server) },
    ));
    assert_eq!(written.unwrap_err().kind(), ErrorKind::BrokenPipe);
}

/// The same script over a memory pair and over a TCP pair has the same outcome.
mod beside_a_socket {
    use proptest::prelude::*;
    use smol::net::{TcpListener, TcpStream};

    use super::*;

    #[derive(Clone, Copy, Debug)]
    enum Action {
        Write(usize),
        Read(usize),
        Close,
        Drop,
    }

    /// What has been done to one end.
    #[derive(Default)]
    struct End {
        /// How many bytes wait for it.
        unread: usize,
        closed: bool,
        dropped: bool,
    }

    fn action() -> impl Strategy<Value = Action> {
        prop_oneof![
            4 => prop_oneof![Just(0), 0usize..2_000].prop_map(Action::Write),
            6 => prop_oneof![Just(0), 0usize..3_000].prop_map(Action::Read),
            1 => Just(Action::Close),
            1 => Just(Action::Drop),
        ]
    }

    async fn run<S>(pair: (S, S), script: &[(usize, Action)]) -> Vec<String>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut streams = [Some(pair.0), Some(pair.1)];
        let mut ends = [End::default(), End::default()];
        let mut written: u8 = 0;
        let mut outcomes = Vec::new();
        for &(side, action) in script {
            let Some(stream) = &mut streams[side] else {
                continue;
            };
            let peer_gone = ends[1 - side].dropped;
            let ended = peer_gone || ends[1 - side].closed;
            let outcome = match action {
                // A socket learns only by its first failure that its peer is gone.
                Action::Write(_) if peer_gone => continue,
                Action::Write(len) => {
                    let bytes = vec![written; len];
                    written = written.wrapping_add(1);
                    let result = stream.write_all(&bytes).await;
                    if result.is_ok() {
                        ends[1 - side].unread += len;
                    }
                    format!("{:?}", result.map_err(|error| error.kind()))
                }
                Action::Read(len) => {
                    let mut buffer = vec![0; len];
                    if ends[side].unread > 0 {
                        buffer.truncate(ends[side].unread);
                        stream.read_exact(&mut buffer).await.unwrap();
                        ends[side].unread -= buffer.len();
                        format!("{buffer:?}")
                    } else if ended {
                        format!("{:?}", stream.read(&mut buffer).await.unwrap())
                    } else {
                        format!("{:?}", poll_once(stream.read(&mut buffer)).await.is_some())
                    }
                }
                // The second time says nothing of the stream.
                Action::Close if ends[side].closed => continue,
                Action::Close => {
                    stream.close().await.unwrap();
                    ends[side].closed = true;
                    "closed".to_owned()
                }
                // A socket that is dropped with bytes unread resets the connection.
                Action::Drop if ends[side].unread > 0 => continue,
                Action::Drop => {
                    streams[side] = None;
                    ends[side].dropped = true;
                    "dropped".to_owned()
                }
            };
            outcomes.push(outcome);
        }
        outcomes
    }

    async fn sockets() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap());
        let client = client.await.unwrap();
        (client, listener.accept().await.unwrap().0)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn the_outcome_is_the_same(script in prop::collection::vec((0usize..2, action()), 1..40)) {
            let (memory, tcp) = smol::block_on(async {
                let memory = run(memory_pair(128 * 1024), &script).await;
                (memory, run(sockets().await, &script).await)
            });
            prop_assert_eq!(memory, tcp);
        }
    }
}
