//! A stream of bytes in binary frames.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use futures_io::{AsyncRead, AsyncWrite};
use tungstenite::protocol::frame::coding::{CloseCode, Control, Data, OpCode};
use zeroize::Zeroize;

use super::frame::{Deframer, Goodbye, MAXIMUM_CONTROL_FRAME, Part, Role, append_frame};
use super::inbox::Inbox;

/// The most payload of a frame that is sent, in bytes: the largest packet that the vendor's cloud
/// takes (16 KB of payload and a topic of 255 bytes) is still one frame.
const MAXIMUM_PAYLOAD: usize = 32 * 1024;

/// The longest header of a frame (RFC 6455, section 5.2): two bytes, a length of eight, the mask.
const MAXIMUM_HEADER: usize = 2 + 8 + 4;

/// A write buffer of at most this many bytes is kept; a larger one is given back.
const KEPT_BYTES: usize = 4 * 1024;

/// Bytes in the binary frames of a WebSocket (RFC 6455) over another stream.
///
/// * What is written at once becomes one message of one frame, of at most 32 KiB, and leaves when it
///   is flushed at the latest. One frame is kept at a time: while it has not left, writing waits.
/// * What is read are the bytes of binary messages, however they are cut into messages, fragments
///   and frames [MQTT-6.0.0-2]. The end of the stream is a close frame without a code or with code
///   1000, or the end of the stream below between two messages.
/// * Pings are answered while reading or writing goes on. If they come faster than answers leave, the
///   last one is answered (RFC 6455, section 5.5.3).
/// * Closing sends a close frame and closes the stream below; reading goes on until the peer's close
///   frame. That of a peer is answered, and nothing can be written any more.
///
/// Memory is 8 KiB for what is read and one frame for what is written: a length that the peer
/// announces takes none, as payload is handed on as it comes.
///
/// # Errors
///
/// Reading gives those of the stream below, and for good:
///
/// * [`InvalidData`](io::ErrorKind::InvalidData): the peer broke a rule of RFC 6455, or sent a text
///   frame [MQTT-6.0.0-1]. It is told by a close frame with code 1002 or 1003.
/// * [`ConnectionAborted`](io::ErrorKind::ConnectionAborted): the peer closed with another code than
///   1000; the text has it, and the reason that the peer gave.
/// * [`UnexpectedEof`](io::ErrorKind::UnexpectedEof): the stream below ended within a message.
///
/// Writing gives those of the stream below, and [`BrokenPipe`](io::ErrorKind::BrokenPipe) after a
/// close frame.
pub struct WebSocketStream<S> {
    stream: S,
    inbox: Inbox,
    deframer: Deframer,
    /// How many bytes at the beginning of the inbox are payload.
    payload: usize,
    end: Option<End>,
    /// The masks of a client's frames; a server has none.
    mask: Option<fn() -> [u8; 4]>,
    /// Frames on their way, and how much of them has left. There can be a password in them.
    outgoing: Vec<u8>,
    written: usize,
    /// What the next pong says.
    pong: Option<Vec<u8>>,
    /// A close frame is among the frames on their way, or has left.
    closed: bool,
    /// The peer waits for an answer to a frame of its own.
    replying: bool,
    /// Who waits until the frames have left.
    writer: Option<Waker>,
}

/// Why nothing more can be read.
#[derive(Clone, Debug)]
enum End {
    Orderly,
    Error(io::ErrorKind, String),
}

impl End {
    fn of(goodbye: &Goodbye) -> End {
        match goodbye.is_orderly() {
            true => End::Orderly,
            false => End::Error(io::ErrorKind::ConnectionAborted, goodbye.to_string()),
        }
    }

    fn result(&self) -> io::Result<usize> {
        match self {
            End::Orderly => Ok(0),
            End::Error(kind, text) => Err(io::Error::new(*kind, text.clone())),
        }
    }
}

impl<S> WebSocketStream<S> {
    /// The client's end, after the handshake; the inbox has what was read beyond it.
    pub(super) fn client(stream: S, inbox: Inbox) -> WebSocketStream<S> {
        WebSocketStream::new(stream, inbox, Role::Server, Some(rand::random))
    }

    /// The server's end, after the handshake; the inbox has what was read beyond it.
    pub(super) fn server(stream: S, inbox: Inbox) -> WebSocketStream<S> {
        WebSocketStream::new(stream, inbox, Role::Client, None)
    }

    fn new(
        stream: S,
        inbox: Inbox,
        peer: Role,
        mask: Option<fn() -> [u8; 4]>,
    ) -> WebSocketStream<S> {
        WebSocketStream {
            stream,
            inbox,
            deframer: Deframer::new(peer),
            payload: 0,
            end: None,
            mask,
            outgoing: Vec::new(),
            written: 0,
            pong: None,
            closed: false,
            replying: false,
            writer: None,
        }
    }

    /// The stream below.
    pub fn get_ref(&self) -> &S {
        &self.stream
    }

    /// Drops the frames that were on their way, and overwrites them.
    fn wipe(&mut self) {
        self.outgoing.as_mut_slice().zeroize();
        self.outgoing.clear();
        self.written = 0;
    }

    fn append(&mut self, opcode: OpCode, payload: &[u8]) {
        let mask = self.mask.map(|mask| mask());
        append_frame(&mut self.outgoing, opcode, mask, payload);
    }

    /// Says no more than this, unless a close frame was sent already.
    fn append_close(&mut self, code: Option<CloseCode>) {
        if !std::mem::replace(&mut self.closed, true) {
            self.pong = None;
            let code = code.map(|code| u16::from(code).to_be_bytes());
            let payload = code.as_ref().map_or(&[][..], |code| code);
            self.append(OpCode::Control(Control::Close), payload);
        }
    }

    /// Does what a frame of the peer asks for.
    fn obey(&mut self, part: Part) {
        match part {
            Part::Nothing | Part::Payload => {}
            Part::Ping(payload) if !self.closed => {
                self.pong = Some(payload);
                self.replying = true;
            }
            Part::Ping(_) => {}
            Part::Close(goodbye) => {
                self.append_close(goodbye.code);
                self.replying = true;
                self.end = Some(End::of(&goodbye));
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocketStream<S> {
    fn poll_payload(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut filled = false;
        loop {
            if self.payload > 0 {
                let len = self.payload.min(buffer.len());
                let payload = self.inbox.bytes().get(..len).unwrap_or_default();
                buffer
                    .get_mut(..len)
                    .unwrap_or_default()
                    .copy_from_slice(payload);
                self.inbox.consume(len);
                self.payload -= len;
                return Poll::Ready(Ok(len));
            }
            if let Some(end) = &self.end {
                return Poll::Ready(end.result());
            }
            match self.deframer.next(self.inbox.bytes()) {
                Ok(Some((len, Part::Payload))) => self.payload = len,
                Ok(Some((len, part))) => {
                    self.inbox.consume(len);
                    self.obey(part);
                }
                Ok(None) if filled => {
                    // A peer that sends frames without payload for ever holds up nobody.
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Ok(None) => {
                    filled = true;
                    if ready!(self.inbox.poll_fill(cx, &mut self.stream))? == 0 {
                        self.end = Some(self.end_of_stream());
                    }
                }
                Err(fault) => {
                    self.append_close(Some(fault.close_code()));
                    self.replying = true;
                    let error = io::Error::from(fault);
                    self.end = Some(End::Error(error.kind(), error.to_string()));
                }
            }
        }
    }

    fn end_of_stream(&self) -> End {
        match self.deframer.is_between_messages() && self.inbox.is_empty() {
            true => End::Orderly,
            false => End::Error(
                io::ErrorKind::UnexpectedEof,
                "the connection ended within a WebSocket message".into(),
            ),
        }
    }

    /// Answers the peer while its frames are read. An error of the stream comes again when something
    /// is written.
    fn reply(&mut self, cx: &mut Context<'_>) {
        if !self.replying {
            return;
        }
        // The stream below wakes one task. If there is one that writes, it is the one, and takes the
        // answer along.
        let writer = self.writer.clone();
        let cx = &mut Context::from_waker(writer.as_ref().unwrap_or(cx.waker()));
        drop(self.poll_flush_frames(cx));
    }

    /// Sends the frames that are on their way, and a pong if one is due.
    fn poll_send_frames(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            while let Some(frames @ [_, ..]) = self.outgoing.get(self.written..) {
                match ready!(Pin::new(&mut self.stream).poll_write(cx, frames))? {
                    0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                    len => self.written += len,
                }
            }
            self.wipe();
            self.outgoing.shrink_to(KEPT_BYTES);
            match self.pong.take() {
                Some(payload) => self.append(OpCode::Control(Control::Pong), &payload),
                None => return Poll::Ready(Ok(())),
            }
        }
    }

    fn poll_flush_frames(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_send_frames(cx))?;
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        self.replying = false;
        Poll::Ready(Ok(()))
    }

    /// Remembers who waits for the frames to leave.
    fn waiting<T>(&mut self, cx: &Context<'_>, poll: Poll<T>) -> Poll<T> {
        self.writer = poll.is_pending().then(|| cx.waker().clone());
        poll
    }

    fn poll_write_frame(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_send_frames(cx))?;
        if self.closed {
            let text = "the WebSocket is closed";
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::BrokenPipe, text)));
        }
        let len = bytes.len().min(MAXIMUM_PAYLOAD);
        let payload = bytes.get(..len).unwrap_or(bytes);
        if !payload.is_empty() {
            // A buffer that grows leaves copies behind: there is room for a close frame too.
            let frame = MAXIMUM_HEADER + len + MAXIMUM_CONTROL_FRAME;
            self.outgoing.reserve_exact(frame);
            self.append(OpCode::Data(Data::Binary), payload);
            if let Poll::Ready(Err(error)) = self.poll_send_frames(cx) {
                return Poll::Ready(Err(error));
            }
        }
        Poll::Ready(Ok(len))
    }

    fn poll_close_frames(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.append_close(Some(CloseCode::Normal));
        ready!(self.poll_flush_frames(cx))?;
        Pin::new(&mut self.stream).poll_close(cx)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for WebSocketStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if buffer.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let read = self.poll_payload(cx, buffer);
        self.reply(cx);
        read
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for WebSocketStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = self.poll_write_frame(cx, bytes);
        self.waiting(cx, written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = self.poll_flush_frames(cx);
        self.waiting(cx, flushed)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let closed = self.poll_close_frames(cx);
        self.waiting(cx, closed)
    }
}

/// Without the bytes: there can be a password in them.
impl<S: fmt::Debug> fmt::Debug for WebSocketStream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocketStream")
            .field("stream", &self.stream)
            .field("end", &self.end)
            .field("closed", &self.closed)
            .finish_non_exhaustive()
    }
}

impl<S> Drop for WebSocketStream<S> {
    fn drop(&mut self) {
        self.wipe();
    }
}

#[cfg(test)]
mod tests;
