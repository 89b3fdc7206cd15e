//! Records, and the handshake messages in them (RFC 8446 sections 4 and 5.1, RFC 5246 section 6.2).

pub(super) const CHANGE_CIPHER_SPEC: u8 = 20;
pub(super) const HANDSHAKE: u8 = 22;
pub(super) const APPLICATION_DATA: u8 = 23;

/// A record's header: its type, version and length.
pub(super) const HEADER: usize = 5;
/// Most bytes after the header (RFC 5246 section 6.2.3).
const MAX_BODY: usize = (1 << 14) + 2048;

/// One record.
pub(super) struct Record<'a> {
    pub(super) content_type: u8,
    pub(super) header: [u8; HEADER],
    pub(super) body: &'a [u8],
}

/// The record that some bytes begin with, and how long it is; none if it is not whole.
pub(super) fn first(bytes: &[u8]) -> Result<Option<(Record<'_>, usize)>, Malformed> {
    let Some((header, rest)) = bytes.split_first_chunk::<HEADER>() else {
        return Ok(None);
    };
    let [content_type, major, _, high, low] = *header;
    let length = usize::from(u16::from_be_bytes([high, low]));
    if major != 3 || !(20..=24).contains(&content_type) || length > MAX_BODY {
        return Err(Malformed);
    }
    Ok(rest.get(..length).map(|body| {
        let record = Record {
            content_type,
            header: *header,
            body,
        };
        (record, HEADER + length)
    }))
}

/// Bytes are none of the protocol.
#[derive(Debug)]
pub(super) struct Malformed;

/// Handshake messages, as records complete them. Their bodies are not kept.
#[derive(Default)]
pub(super) struct Messages {
    header: Vec<u8>,
    /// How much of a body is yet to come.
    body: usize,
}

impl Messages {
    /// Takes the content of a record; returns the types of the messages that it completes.
    pub(super) fn take(&mut self, mut content: &[u8]) -> Vec<u8> {
        let mut complete = Vec::new();
        while !content.is_empty() {
            if self.body == 0 {
                let missing = 4_usize.saturating_sub(self.header.len());
                let (header, rest) = content.split_at_checked(missing).unwrap_or((content, &[]));
                self.header.extend_from_slice(header);
                content = rest;
                if let [_, high, middle, low] = *self.header.as_slice() {
                    let length = u32::from_be_bytes([0, high, middle, low]);
                    self.body = length as usize;
                }
            }
            let (body, rest) = content
                .split_at_checked(self.body)
                .unwrap_or((content, &[]));
            self.body -= body.len();
            content = rest;
            if let (0, [message_type, _, _, _]) = (self.body, self.header.as_slice()) {
                complete.push(*message_type);
                self.header.clear();
            }
        }
        complete
    }
}
