//! The stream over one in memory. Frames are those printed in RFC 6455, section 5.7, with opcode 2
//! for 1 where they are of text, or put together by its section 5.2.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Wake;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// What RFC 6455 masks with in its examples.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
/// "Hello" by the server, and by the client.
const HELLO: &[u8] = b"\x82\x05Hello";
const MASKED_HELLO: &[u8] = b"\x82\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
const PING: &[u8] = b"\x89\x05Hello";
const MASKED_PONG: &[u8] = b"\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";

/// The other end, and what is on the way there.
#[derive(Debug, Default)]
struct Wire {
    /// What it says: a read gives one of them. After them there is nothing yet, or the end.
    says: VecDeque<Vec<u8>>,
    ended: bool,
    /// What it is told, and how much more it takes.
    told: Vec<u8>,
    room: usize,
    closed: bool,
    /// How often it was read, and who waits for room.
    reads: usize,
    writer: Option<Waker>,
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.reads += 1;
        let ended = self.ended;
        let Some(piece) = self.says.front_mut() else {
            return if ended {
                Poll::Ready(Ok(0))
            } else {
                Poll::Pending
            };
        };
        let len = piece.len().min(buffer.len());
        buffer[..len].copy_from_slice(&piece[..len]);
        piece.drain(..len);
        if piece.is_empty() {
            self.says.pop_front();
        }
        Poll::Ready(Ok(len))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let len = bytes.len().min(self.room);
        if len == 0 {
            self.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        self.room -= len;
        self.told.extend(&bytes[..len]);
        Poll::Ready(Ok(len))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.closed = true;
        Poll::Ready(Ok(()))
    }
}

/// One end whose other one says these pieces.
fn stream(peer: Role, mask: Option<fn() -> [u8; 4]>, pieces: &[&[u8]]) -> WebSocketStream<Wire> {
    let pieces = pieces.iter().filter(|piece| !piece.is_empty());
    let wire = Wire {
        says: pieces.map(|piece| piece.to_vec()).collect(),
        room: usize::MAX,
        ..Wire::default()
    };
    WebSocketStream::new(wire, Inbox::new(), peer, mask)
}

fn client(pieces: &[&[u8]]) -> WebSocketStream<Wire> {
    stream(Role::Server, Some(|| MASK), pieces)
}

fn server(pieces: &[&[u8]]) -> WebSocketStream<Wire> {
    stream(Role::Client, None, pieces)
}

fn context() -> Context<'static> {
    Context::from_waker(Waker::noop())
}

/// All the bytes that can be read now, and what follows them: the end, an error, or nothing yet.
fn read(stream: &mut WebSocketStream<Wire>) -> (Vec<u8>, Option<io::Result<()>>) {
    let (mut bytes, mut buffer) = (Vec::new(), [0; 7]);
    let mut pending = 0;
    // Twice in a row: it has not stopped for others only.
    while pending < 2 {
        match Pin::new(&mut *stream).poll_read(&mut context(), &mut buffer) {
            Poll::Ready(Ok(0)) => return (bytes, Some(Ok(()))),
            Poll::Ready(Ok(len)) => bytes.extend(&buffer[..len]),
            Poll::Ready(Err(error)) => return (bytes, Some(Err(error))),
            Poll::Pending if stream.stream.says.is_empty() => pending += 1,
            Poll::Pending => {}
        }
    }
    (bytes, None)
}

fn write(stream: &mut WebSocketStream<Wire>, bytes: &[u8]) -> Poll<io::Result<usize>> {
    Pin::new(stream).poll_write(&mut context(), bytes)
}

fn close(stream: &mut WebSocketStream<Wire>) -> Poll<io::Result<()>> {
    Pin::new(stream).poll_close(&mut context())
}

/// The error that reading ends with, more than once.
#[track_caller]
fn error(stream: &mut WebSocketStream<Wire>) -> io::Error {
    let error = |(_, end): (_, Option<io::Result<()>>)| end.unwrap().unwrap_err();
    let first = error(read(stream));
    assert_eq!(error(read(stream)).to_string(), first.to_string());
    first
}

#[test]
fn what_is_written_is_one_frame_masked_by_a_client_only() {
    let mut client = client(&[]);
    assert!(matches!(write(&mut client, b"Hello"), Poll::Ready(Ok(5))));
    assert_eq!(client.stream.told, MASKED_HELLO, "[MQTT-6.0.0-1] binary");
    let mut server = server(&[]);
    assert!(matches!(write(&mut server, b"Hello"), Poll::Ready(Ok(5))));
    assert_eq!(server.stream.told, HELLO);
    // Nothing is no frame.
    assert!(matches!(write(&mut server, b""), Poll::Ready(Ok(0))));
    assert_eq!(server.stream.told, HELLO);
}

#[test]
fn a_frame_has_at_most_32_kib() {
    let mut server = server(&[]);
    let written = write(&mut server, &[7; 40_000]);
    assert!(matches!(written, Poll::Ready(Ok(32_768))));
    let header = [0x82, 126, 0x80, 0x00];
    assert!(server.stream.told.starts_with(&header));
    assert_eq!(server.stream.told.len(), header.len() + 32_768);
    assert!(server.outgoing.capacity() <= KEPT_BYTES);
}

#[test]
fn every_cutting_gives_the_same_bytes_and_answers() {
    // A message, one in fragments with a ping inside, an empty one, a ping, a pong that nobody asked
    // for, the end.
    let says = [
        HELLO,
        b"\x02\x03Hel",
        PING,
        b"\x00\x00",
        b"\x80\x02lo",
        b"\x82\x00",
        b"\x8a\x00",
        b"\x82\x7e\x00\x80",
        &[b'!'; 128],
        b"\x88\x02\x03\xe8",
    ]
    .concat();
    let bytes = [&b"HelloHello"[..], &[b'!'; 128]].concat();
    let close = [0x88, 0x82, 0x37, 0xfa, 0x21, 0x3d, 0x34, 0x12]; // 03 e8, masked
    let told = [MASKED_PONG, &close].concat();
    let check = |pieces: &[&[u8]]| {
        let mut client = client(pieces);
        let (read, end) = read(&mut client);
        assert_eq!(read, bytes, "[MQTT-6.0.0-2] {pieces:x?}");
        assert!(matches!(end, Some(Ok(()))), "{pieces:x?}");
        assert_eq!(client.stream.told, told, "{pieces:x?}");
    };
    for cut in 0..says.len() {
        let (before, after) = says.split_at(cut);
        check(&[before, after]);
    }
    check(&says.chunks(1).collect::<Vec<_>>());
    check(&says.chunks(3).collect::<Vec<_>>());
}

#[test]
fn every_cutting_of_masked_frames_gives_the_same_bytes() {
    let says = [MASKED_HELLO, MASKED_HELLO].concat();
    for cut in 0..says.len() {
        let (before, after) = says.split_at(cut);
        let (bytes, end) = read(&mut server(&[before, after]));
        assert!(bytes == b"HelloHello" && end.is_none(), "{cut}");
    }
    let (bytes, _) = read(&mut server(&says.chunks(1).collect::<Vec<_>>()));
    assert_eq!(bytes, b"HelloHello");
}

#[test]
fn what_came_with_the_answer_to_the_handshake_is_read() {
    let mut inbox = Inbox::new();
    let mut wire = Wire::default();
    wire.says.push_back(HELLO.to_vec());
    assert!(inbox.poll_fill(&mut context(), &mut wire).is_ready());
    let mut client = WebSocketStream::client(wire, inbox);
    assert_eq!(read(&mut client).0, b"Hello");
}

#[test]
fn a_text_frame_ends_the_connection() {
    let mut client = client(&[HELLO, b"\x81\x05Hello"]);
    let (bytes, end) = read(&mut client);
    assert_eq!(bytes, b"Hello");
    assert_eq!(end.unwrap().unwrap_err().kind(), io::ErrorKind::InvalidData);
    assert!(error(&mut client).to_string().contains("[MQTT-6.0.0-1]"));
    // 1003, unsupported data: 03 eb, masked.
    let close = [0x88, 0x82, 0x37, 0xfa, 0x21, 0x3d, 0x34, 0x11];
    assert_eq!(client.stream.told, close);
    let Poll::Ready(Err(error)) = write(&mut client, b"Hello") else {
        panic!("written");
    };
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
}

#[test]
fn a_broken_rule_is_told_as_a_protocol_error() {
    // Not masked.
    let mut server = server(&[HELLO]);
    assert_eq!(error(&mut server).kind(), io::ErrorKind::InvalidData);
    assert_eq!(server.stream.told, b"\x88\x02\x03\xea");
}

#[test]
fn the_peer_s_close_frame_is_answered_by_its_code() {
    let mut client = client(&[b"\x88\x05\x03\xf1bye", HELLO]);
    let error = error(&mut client);
    assert_eq!(error.kind(), io::ErrorKind::ConnectionAborted);
    let text = "the peer closed the WebSocket with code 1009: \"bye\"";
    assert_eq!(error.to_string(), text);
    // 03 f1, masked; and no second one when this end closes.
    let answer = [0x88, 0x82, 0x37, 0xfa, 0x21, 0x3d, 0x34, 0x0b];
    assert_eq!(client.stream.told, answer);
    assert!(matches!(close(&mut client), Poll::Ready(Ok(()))));
    assert!(client.stream.told == answer && client.stream.closed);
}

#[test]
fn closing_says_so_and_reading_goes_on_until_the_peer_agrees() {
    let mut client = client(&[PING, HELLO, b"\x88\x02\x03\xe8", HELLO]);
    assert!(matches!(close(&mut client), Poll::Ready(Ok(()))));
    assert!(client.stream.closed);
    let (bytes, end) = read(&mut client);
    assert!(bytes == b"Hello" && matches!(end, Some(Ok(()))));
    // 1000, and no pong after it.
    let said = [0x88, 0x82, 0x37, 0xfa, 0x21, 0x3d, 0x34, 0x12];
    assert_eq!(client.stream.told, said);
}

#[test]
fn the_stream_below_ends_between_messages_only() {
    for (says, whole) in [
        (HELLO, true),
        (&HELLO[..6], false),
        (&HELLO[..1], false),
        (b"\x02\x05Hello", false),
    ] {
        let mut client = client(&[says]);
        client.stream.ended = true;
        match whole {
            true => assert!(matches!(read(&mut client).1, Some(Ok(())))),
            false => assert_eq!(error(&mut client).kind(), io::ErrorKind::UnexpectedEof),
        }
    }
}

#[test]
fn one_frame_waits_at_a_time_and_one_pong() {
    let mut server = server(&[]);
    server.stream.room = 3;
    assert!(matches!(write(&mut server, b"Hello"), Poll::Ready(Ok(5))));
    assert!(write(&mut server, b"Hello").is_pending());
    // Pings of the client, masked by zeros, while nothing leaves.
    for ping in [b"\x89\x81\0\0\0\0A", b"\x89\x81\0\0\0\0B"] {
        server.stream.says.push_back(ping.to_vec());
    }
    assert_eq!(read(&mut server).0, b"");
    assert_eq!(server.stream.told, HELLO[..3]);
    server.stream.room = usize::MAX;
    assert!(matches!(write(&mut server, b"Hello"), Poll::Ready(Ok(5))));
    let told = [HELLO, b"\x8a\x01B", HELLO].concat();
    assert_eq!(server.stream.told, told);
}

#[test]
fn a_ping_is_answered_while_nothing_is_written() {
    let mut client = client(&[PING]);
    client.stream.room = 4;
    assert!(read(&mut client).1.is_none());
    assert_eq!(client.stream.told, MASKED_PONG[..4]);
    client.stream.room = usize::MAX;
    assert!(read(&mut client).1.is_none());
    assert_eq!(client.stream.told, MASKED_PONG);
}

#[test]
fn nothing_follows_a_close_frame() {
    let mut server = server(&[b"\x89\x80\0\0\0\0\x88\x80\0\0\0\0"]);
    server.stream.room = 0;
    assert!(matches!(read(&mut server).1, Some(Ok(()))));
    server.stream.room = usize::MAX;
    assert!(Pin::new(&mut server).poll_flush(&mut context()).is_ready());
    assert_eq!(server.stream.told, b"\x88\x00");
}

#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn frames_without_payload_hold_up_nobody() {
    let mut client = client(&[&b"\x8a\x00"[..]; 100]);
    let woken = Arc::<Woken>::default();
    let waker = Waker::from(Arc::clone(&woken));
    for turn in 1..=100 {
        let cx = &mut Context::from_waker(&waker);
        assert!(Pin::new(&mut client).poll_read(cx, &mut [0]).is_pending());
        let turns = (client.stream.reads, woken.0.load(Ordering::Relaxed));
        assert_eq!(turns, (turn, turn));
    }
}

/// The two halves in two tasks: the stream below wakes one of them.
#[test]
fn a_writer_that_waits_is_the_one_to_be_woken() {
    let mut server = server(&[]);
    server.stream.room = 0;
    let [writer, reader] = [(); 2].map(|()| Waker::from(Arc::<Woken>::default()));
    assert!(write(&mut server, b"Hello").is_ready());
    let cx = &mut Context::from_waker(&writer);
    assert!(Pin::new(&mut server).poll_write(cx, b"Hello").is_pending());
    server.stream.says.push_back(b"\x89\x80\0\0\0\0".to_vec());
    let cx = &mut Context::from_waker(&reader);
    assert!(Pin::new(&mut server).poll_read(cx, &mut [0]).is_pending());
    let waits = server.stream.writer.take();
    assert!(waits.unwrap().will_wake(&writer));
}

#[test]
fn a_login_is_neither_shown_nor_kept() {
    let mut server = server(&[]);
    server.stream.room = 0;
    assert!(write(&mut server, b"s3cret").is_ready());
    let first = b's'.to_string();
    assert!(!format!("{server:?}").contains(&first), "{server:?}");
    server.stream.room = usize::MAX;
    assert!(Pin::new(&mut server).poll_flush(&mut context()).is_ready());
    assert!(server.outgoing.is_empty() && server.stream.told.ends_with(b"s3cret"));
}

/// Bytes that are not frames, and such as are, with lengths of all kinds.
fn frames() -> impl Strategy<Value = Vec<u8>> {
    let anything = vec(any::<u8>(), 0..64);
    let opcode = prop::sample::select(vec![0x02, 0x82, 0x00, 0x80, 0x89, 0x8a, 0x88, 0x81]);
    let length = prop_oneof![
        (0_u8..126).prop_map(|len| vec![len]),
        any::<u16>().prop_map(|len| [&[126][..], &len.to_be_bytes()].concat()),
        any::<u64>().prop_map(|len| [&[127][..], &len.to_be_bytes()].concat()),
    ];
    let frame = (opcode, length, vec(any::<u8>(), 0..300))
        .prop_map(|(opcode, length, payload)| [&[opcode][..], &length, &payload].concat());
    let honest = vec(any::<u8>(), 0..126).prop_map(|payload| {
        let length = u8::try_from(payload.len()).unwrap();
        [&[0x82, length][..], &payload].concat()
    });
    let piece = prop_oneof![anything, frame, honest.clone(), honest];
    vec(piece, 0..20).prop_map(|pieces| pieces.concat())
}

proptest! {
    /// Whatever a server says: no panic, no more bytes than it sent, and not more memory than the
    /// stream says that it takes.
    #[test]
    fn arbitrary_bytes_take_no_more_memory(says in frames(), cut in 1_usize..600, room in 0_usize..600) {
        let mut read_bytes = 0;
        let measured = allocation_counter::measure(|| {
            let mut client = WebSocketStream::new(
                Slices { says: &says, cut, room },
                Inbox::new(),
                Role::Server,
                Some(|| MASK),
            );
            let mut buffer = [0; 100];
            for _ in 0..=says.len() {
                match Pin::new(&mut client).poll_read(&mut context(), &mut buffer) {
                    Poll::Ready(Ok(0) | Err(_)) => break,
                    Poll::Ready(Ok(len)) => read_bytes += len,
                    Poll::Pending => {}
                }
                drop(Pin::new(&mut client).poll_write(&mut context(), b"Hello"));
            }
        });
        prop_assert!(read_bytes <= says.len());
        prop_assert!(measured.bytes_max <= 10 * 1024, "{measured:?}");
    }
}

/// Says bytes in pieces of `cut`, and takes `room` of them.
struct Slices<'b> {
    says: &'b [u8],
    cut: usize,
    room: usize,
}

impl AsyncRead for Slices<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let len = self.cut.min(buffer.len()).min(self.says.len());
        let (piece, rest) = self.says.split_at(len);
        buffer[..len].copy_from_slice(piece);
        self.says = rest;
        Poll::Ready(Ok(len))
    }
}

impl AsyncWrite for Slices<'_> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let len = bytes.len().min(self.room);
        self.room -= len;
        if len == 0 {
            return Poll::Pending;
        }
        Poll::Ready(Ok(len))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
