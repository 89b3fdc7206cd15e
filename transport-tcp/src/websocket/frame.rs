//! Frames of RFC 6455 as MQTT takes them: cut out of bytes, and put around them. No I/O.

use std::fmt;
use std::io::{self, Cursor};

use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{CloseCode, Control, Data, OpCode};

/// The most bytes that a control frame carries (RFC 6455, section 5.5).
const MAXIMUM_CONTROL_PAYLOAD: usize = 125;

/// The longest control frame: a header of two bytes, the mask and the payload.
pub(super) const MAXIMUM_CONTROL_FRAME: usize = 2 + 4 + MAXIMUM_CONTROL_PAYLOAD;

/// One of the two ends of a connection. Frames of the client are masked, those of the server are
/// not (RFC 6455, section 5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Client,
    Server,
}

/// What a peer says last: why it says no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Goodbye {
    pub(super) code: Option<CloseCode>,
    pub(super) reason: String,
}

impl Goodbye {
    /// Whether there is nothing to tell about it.
    pub(super) fn is_orderly(&self) -> bool {
        matches!(self.code, None | Some(CloseCode::Normal))
    }
}

impl fmt::Display for Goodbye {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the peer closed the WebSocket")?;
        if let Some(code) = self.code {
            write!(f, " with code {code}")?;
        }
        match self.reason.as_str() {
            "" => Ok(()),
            reason => write!(f, ": {reason:?}"),
        }
    }
}

/// What stands at the beginning of some bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// The header of a data frame, or a pong: nothing to do.
    Nothing,
    /// Payload of binary messages, unmasked now.
    Payload,
    /// To be answered by a pong with these bytes, at most 125.
    Ping(Vec<u8>),
    /// The peer says no more.
    Close(Goodbye),
}

/// A rule that the peer broke. The connection is of no more use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Text,
    ReservedBits,
    UnknownOpcode,
    Masking(Role),
    Length,
    ControlFrame,
    Fragment,
    Close,
}

impl Fault {
    /// What to close with (RFC 6455, section 7.4.1).
    pub(super) fn close_code(self) -> CloseCode {
        match self {
            Fault::Text => CloseCode::Unsupported,
            _ => CloseCode::Protocol,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Fault::Text => "a text frame, where MQTT has binary frames only [MQTT-6.0.0-1]",
            Fault::ReservedBits => "a reserved bit is set, for an extension that nobody asked for",
            Fault::UnknownOpcode => "a frame of a kind that does not exist",
            Fault::Masking(Role::Client) => "a frame of the client that is not masked",
            Fault::Masking(Role::Server) => "a frame of the server that is masked",
            Fault::Length => "a length that is too large or not written in the shortest way",
            Fault::ControlFrame => "a control frame that is fragmented or longer than 125 bytes",
            Fault::Fragment => "a fragment that does not follow from the frames before it",
            Fault::Close => "a close frame with a wrong code or reason",
        })
    }
}

impl From<Fault> for io::Error {
    fn from(fault: Fault) -> io::Error {
        io::Error::new(
            io::ErrorKind::InvalidData,
            format!("not the WebSocket protocol: {fault}"),
        )
    }
}

/// Cuts the frames of a peer out of its bytes, whatever their lengths are.
///
/// Payload is handed on piece by piece, as MQTT asks for a stream of bytes and not for messages. So
/// no length that a peer announces takes memory; MQTT's own bounds hold for what is in the stream.
#[derive(Debug)]
pub(super) struct Deframer {
    /// The peer.
    from: Role,
    /// How much of a data frame's payload is to come.
    remaining: u64,
    /// The mask of that payload, turned so that the next byte's comes first; zeros are none.
    mask: [u8; 4],
    /// Whether the message goes on in another frame.
    fragmented: bool,
}

impl Deframer {
    pub(super) fn new(from: Role) -> Deframer {
        Deframer {
            from,
            remaining: 0,
            mask: [0; 4],
            fragmented: false,
        }
    }

    /// Whether all messages are whole so far.
    pub(super) fn is_between_messages(&self) -> bool {
        self.remaining == 0 && !self.fragmented
    }

    /// How many bytes at the beginning of `input` belong together, and what they are. `None` if
    /// more are needed, which happens with less than [`MAXIMUM_CONTROL_FRAME`] bytes only.
    pub(super) fn next(&mut self, input: &mut [u8]) -> Result<Option<(usize, Part)>, Fault> {
        if self.remaining > 0 {
            return Ok(self.payload(input));
        }
        let mut cursor = Cursor::new(&*input);
        // Nothing else is wrong in the library's eyes.
        let parsed = FrameHeader::parse(&mut cursor).map_err(|_| Fault::UnknownOpcode)?;
        let Some((header, length)) = parsed else {
            return Ok(None);
        };
        let start = header.len(length);
        if header.rsv1 || header.rsv2 || header.rsv3 {
            return Err(Fault::ReservedBits);
        }
        if header.mask.is_some() != (self.from == Role::Client) {
            return Err(Fault::Masking(self.from));
        }
        if cursor.position() != start as u64 || i64::try_from(length).is_err() {
            return Err(Fault::Length);
        }
        match header.opcode {
            OpCode::Control(control) => {
                let end = match usize::try_from(length) {
                    Ok(length) if length <= MAXIMUM_CONTROL_PAYLOAD && header.is_final => {
                        start + length
                    }
                    _ => return Err(Fault::ControlFrame),
                };
                let Some(payload) = input.get_mut(start..end) else {
                    return Ok(None);
                };
                apply_mask(header.mask.unwrap_or_default(), payload);
                Ok(Some((end, control_part(control, payload)?)))
            }
            OpCode::Data(data) => {
                match (data, self.fragmented) {
                    (Data::Text, _) => return Err(Fault::Text),
                    (Data::Binary, false) | (Data::Continue, true) => {}
                    (Data::Binary, true) | (Data::Continue, false) => return Err(Fault::Fragment),
                    (Data::Reserved(_), _) => return Err(Fault::UnknownOpcode),
                }
                self.fragmented = !header.is_final;
                self.remaining = length;
                self.mask = header.mask.unwrap_or_default();
                Ok(Some((start, Part::Nothing)))
            }
        }
    }

    fn payload(&mut self, input: &mut [u8]) -> Option<(usize, Part)> {
        let remaining = usize::try_from(self.remaining).unwrap_or(usize::MAX);
        let len = remaining.min(input.len());
        let payload = input.get_mut(..len)?;
        if payload.is_empty() {
            return None;
        }
        apply_mask(self.mask, payload);
        self.mask.rotate_left(len % 4);
        self.remaining -= len as u64;
        Some((len, Part::Payload))
    }
}

fn control_part(control: Control, payload: &[u8]) -> Result<Part, Fault> {
    match control {
        Control::Ping => Ok(Part::Ping(payload.to_vec())),
        Control::Pong => Ok(Part::Nothing),
        Control::Close => goodbye(payload).map(Part::Close),
        Control::Reserved(_) => Err(Fault::UnknownOpcode),
    }
}

fn goodbye(payload: &[u8]) -> Result<Goodbye, Fault> {
    if payload.is_empty() {
        return Ok(Goodbye {
            code: None,
            reason: String::new(),
        });
    }
    let (code, reason) = payload.split_first_chunk().ok_or(Fault::Close)?;
    let code = CloseCode::from(u16::from_be_bytes(*code));
    match std::str::from_utf8(reason) {
        Ok(reason) if code.is_allowed() => Ok(Goodbye {
            code: Some(code),
            reason: reason.into(),
        }),
        _ => Err(Fault::Close),
    }
}

/// Appends one frame that is a whole message, or a control frame. With a mask it is a client's.
pub(super) fn append_frame(
    frames: &mut Vec<u8>,
    opcode: OpCode,
    mask: Option<[u8; 4]>,
    payload: &[u8],
) {
    let header = FrameHeader {
        opcode,
        mask,
        ..FrameHeader::default()
    };
    let length = payload.len() as u64;
    frames.reserve(header.len(length) + payload.len());
    header
        .format(length, frames)
        .expect("a vector takes whatever is written to it");
    let start = frames.len();
    frames.extend_from_slice(payload);
    if let (Some(mask), Some(payload)) = (mask, frames.get_mut(start..)) {
        apply_mask(mask, payload);
    }
}

/// Masks, and unmasks (RFC 6455, section 5.3).
fn apply_mask(mask: [u8; 4], payload: &mut [u8]) {
    for (byte, mask) in payload.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PING: OpCode = OpCode::Control(Control::Ping);
    const BINARY: OpCode = OpCode::Data(Data::Binary);

    /// The payload of all messages in these bytes, and what else is in them.
    fn cut(from: Role, bytes: &[u8]) -> Result<(Vec<u8>, Vec<Part>), Fault> {
        let mut deframer = Deframer::new(from);
        let (mut input, mut payload, mut others) = (bytes.to_vec(), Vec::new(), Vec::new());
        while let Some((len, part)) = deframer.next(&mut input)? {
            let rest = input.split_off(len);
            match part {
                Part::Payload => payload.extend(input),
                Part::Nothing => {}
                other => others.push(other),
            }
            input = rest;
        }
        assert!(input.is_empty(), "left over: {input:x?}");
        Ok((payload, others))
    }

    /// RFC 6455, section 5.7, with opcode 2 for 1 where the frame is one of text.
    #[test]
    fn the_printed_examples_are_read() {
        let hello = (b"Hello".to_vec(), vec![]);
        let server = |bytes: &[u8]| cut(Role::Server, bytes).unwrap();
        let client = |bytes: &[u8]| cut(Role::Client, bytes).unwrap();
        assert_eq!(server(b"\x82\x05Hello"), hello);
        assert_eq!(server(b"\x02\x03Hel\x80\x02lo"), hello);
        let masked = b"\x82\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
        assert_eq!(client(masked), hello);
        let ping = (vec![], vec![Part::Ping(b"Hello".to_vec())]);
        assert_eq!(server(b"\x89\x05Hello"), ping);
        let pong = b"\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
        assert_eq!(client(pong), (vec![], vec![]));
        for (header, len) in [
            (&b"\x82\x7e\x01\x00"[..], 256),
            (b"\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00", 65_536),
        ] {
            let payload = vec![7; len];
            let (read, others) = server(&[header, payload.as_slice()].concat());
            assert!(read == payload && others.is_empty(), "{len}");
        }
    }

    /// The same section, the other way.
    #[test]
    fn the_printed_examples_are_written() {
        let written = |opcode, mask, payload: &[u8]| {
            let mut frames = b"before".to_vec();
            append_frame(&mut frames, opcode, mask, payload);
            frames.split_off(6)
        };
        assert_eq!(written(BINARY, None, b"Hello"), b"\x82\x05Hello");
        assert_eq!(written(PING, None, b"Hello"), b"\x89\x05Hello");
        assert_eq!(
            written(BINARY, Some([0x37, 0xfa, 0x21, 0x3d]), b"Hello"),
            b"\x82\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"
        );
        let long = written(BINARY, None, &[7; 256]);
        assert!(long.starts_with(b"\x82\x7e\x01\x00\x07") && long.len() == 4 + 256);
        let longer = written(BINARY, None, &[7; 65_536]);
        assert!(longer.starts_with(b"\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00\x07"));
    }

    #[test]
    fn a_ping_may_come_between_fragments() {
        let (payload, others) = cut(Role::Server, b"\x02\x03Hel\x89\x01!\x80\x02lo").unwrap();
        assert_eq!(payload, b"Hello");
        assert_eq!(others, [Part::Ping(b"!".to_vec())]);
    }

    #[test]
    fn what_the_peer_must_not_send_is_named() {
        for (bytes, fault) in [
            (&b"\x81\x05Hello"[..], Fault::Text),
            (b"\x01\x03Hel", Fault::Text),
            (b"\xc2\x05Hello", Fault::ReservedBits),
            (b"\xa2\x05Hello", Fault::ReservedBits),
            (b"\x92\x05Hello", Fault::ReservedBits),
            (b"\x83\x05Hello", Fault::UnknownOpcode),
            (b"\x8b\x00", Fault::UnknownOpcode),
            (b"\x82\x85\x37\xfa\x21\x3d", Fault::Masking(Role::Server)),
            (b"\x82\x7e\x00\x7d", Fault::Length),
            (b"\x82\x7f\x00\x00\x00\x00\x00\x00\xff\xff", Fault::Length),
            (b"\x82\x7f\x80\x00\x00\x00\x00\x00\x00\x00", Fault::Length),
            (b"\x89\x7e\x00\x7e", Fault::ControlFrame),
            (b"\x09\x00", Fault::ControlFrame),
            (b"\x80\x02lo", Fault::Fragment),
            (b"\x02\x03Hel\x82\x02lo", Fault::Fragment),
            (b"\x88\x01\x03", Fault::Close),
            (b"\x88\x02\x03\xed", Fault::Close), // 1005, which is never sent
            (b"\x88\x03\x03\xe8\xff", Fault::Close),
        ] {
            assert_eq!(cut(Role::Server, bytes), Err(fault), "{bytes:x?}");
        }
        let unmasked = cut(Role::Client, b"\x82\x05Hello");
        assert_eq!(unmasked, Err(Fault::Masking(Role::Client)));
    }

    #[test]
    fn a_close_frame_tells_why() {
        let told = |bytes: &[u8]| match cut(Role::Server, bytes).unwrap().1.as_slice() {
            [Part::Close(goodbye)] => (goodbye.to_string(), goodbye.is_orderly()),
            other => panic!("{other:?}"),
        };
        let closed = "the peer closed the WebSocket";
        assert_eq!(told(b"\x88\x00"), (closed.into(), true));
        let normal = told(b"\x88\x02\x03\xe8");
        assert_eq!(normal, (format!("{closed} with code 1000"), true));
        let policy = told(b"\x88\x07\x03\xf0bad\n!");
        let text = format!("{closed} with code 1008: \"bad\\n!\"");
        assert_eq!(policy, (text, false));
    }
}
