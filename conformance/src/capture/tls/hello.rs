//! What the two ends agree on in their hellos (RFC 8446 section 4.1, RFC 5246 section 7.4.1).

use super::key_log::Label;
use super::keys::{Keys, Suite};
use super::record::{self, CHANGE_CIPHER_SPEC, HANDSHAKE, Malformed};
use super::{Direction, KeyLog, TlsError};

const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;
const EARLY_DATA: u16 = 42;
const SUPPORTED_VERSIONS: u16 = 43;
const TLS_1_2: u16 = 0x0303;
const TLS_1_3: u16 = 0x0304;

/// The random of a ServerHello that is a HelloRetryRequest: the SHA-256 of these words
/// (RFC 8446 section 4.1.3).
const RETRY: [u8; 32] = [
    0xCF, 0x21, 0xAD, 0x74, 0xE5, 0x9A, 0x61, 0x11, 0xBE, 0x1D, 0x8C, 0x02, 0x1E, 0x65, 0xB8, 0x91,
    0xC2, 0xA2, 0x11, 0x16, 0x7A, 0xBB, 0x8C, 0x5E, 0x07, 0x9E, 0x09, 0xE2, 0xC8, 0xA8, 0x33, 0x9C,
];

/// What decryption needs of a handshake's beginning.
pub(super) struct Hellos {
    client_random: [u8; 32],
    server_random: [u8; 32],
    version: u16,
    suite: u16,
}

impl Hellos {
    /// Finds them at the beginning of both streams.
    pub(super) fn find(device: &[u8], server: &[u8]) -> Result<Self, TlsError> {
        let client_hello = messages(device, Direction::Device)?
            .into_iter()
            .find(|(message_type, _)| *message_type == CLIENT_HELLO);
        let Some((_, body)) = client_hello else {
            return Err(TlsError::NoHello(Direction::Device));
        };
        let malformed = |direction| {
            move |Malformed| TlsError::Malformed {
                direction,
                offset: 0,
            }
        };
        let client = ClientHello::parse(&body).map_err(malformed(Direction::Device))?;
        let mut server_hello = None;
        for (message_type, body) in messages(server, Direction::Server)? {
            if message_type == SERVER_HELLO {
                let hello = ServerHello::parse(&body).map_err(malformed(Direction::Server))?;
                if hello.random != RETRY {
                    server_hello = Some(hello);
                    break;
                }
            }
        }
        let server = server_hello.ok_or(TlsError::NoHello(Direction::Server))?;
        if client.early_data {
            return Err(TlsError::EarlyData);
        }
        Ok(Hellos {
            client_random: client.random,
            server_random: server.random,
            version: server.version,
            suite: server.suite,
        })
    }

    /// The keys of the connection.
    pub(super) fn keys(&self, key_log: &KeyLog) -> Result<Keys, TlsError> {
        let secret = |label: Label| {
            key_log
                .secret(&self.client_random, label)
                .ok_or(TlsError::NoKey {
                    label: label.name(),
                    client_random: self.client_random,
                })
        };
        let unknown = TlsError::CipherSuite(self.suite);
        match self.version {
            TLS_1_2 => {
                let suite = Suite::tls_1_2(self.suite).ok_or(unknown)?;
                let master = secret(Label::ClientRandom)?;
                Keys::tls_1_2(suite, master, &self.client_random, &self.server_random)
            }
            TLS_1_3 => {
                let suite = Suite::tls_1_3(self.suite).ok_or(unknown)?;
                Keys::tls_1_3(
                    suite,
                    [Label::ClientHandshake, Label::ServerHandshake].map(secret),
                    [Label::ClientTraffic, Label::ServerTraffic].map(secret),
                )
            }
            version => Err(TlsError::Version(version)),
        }
    }
}

/// The handshake messages that a stream begins with, up to its first record of another type.
fn messages(stream: &[u8], direction: Direction) -> Result<Vec<(u8, Vec<u8>)>, TlsError> {
    let mut content = Vec::new();
    let mut offset = 0;
    loop {
        let rest = stream.get(offset..).unwrap_or_default();
        match record::first(rest) {
            Err(Malformed) if offset == 0 => return Err(TlsError::NoHello(direction)),
            Err(Malformed) => return Err(TlsError::Malformed { direction, offset }),
            Ok(Some((record, length))) if record.content_type == HANDSHAKE => {
                content.extend_from_slice(record.body);
                offset += length;
            }
            // After a HelloRetryRequest, either side may send this (RFC 8446 appendix D.4). What
            // follows it in TLS 1.2 is encrypted, and no hello is looked for behind the first.
            Ok(Some((record, length))) if record.content_type == CHANGE_CIPHER_SPEC => {
                offset += length;
            }
            Ok(_) => break,
        }
    }
    let mut messages = Vec::new();
    let mut rest = content.as_slice();
    while let Some(([message_type, high, middle, low], after)) = rest.split_first_chunk() {
        let length = u32::from_be_bytes([0, *high, *middle, *low]) as usize;
        let Some((body, after)) = after.split_at_checked(length) else {
            break;
        };
        messages.push((*message_type, body.to_vec()));
        rest = after;
    }
    Ok(messages)
}

struct ClientHello {
    random: [u8; 32],
    early_data: bool,
}

struct ServerHello {
    random: [u8; 32],
    version: u16,
    suite: u16,
}

impl ClientHello {
    fn parse(body: &[u8]) -> Result<Self, Malformed> {
        let mut rest = body;
        number(&mut rest)?;
        let random = array(&mut rest)?;
        let session_id = usize::from(array::<1>(&mut rest)?[0]);
        bytes(&mut rest, session_id)?;
        let suites = usize::from(number(&mut rest)?);
        bytes(&mut rest, suites)?;
        let compressions = usize::from(array::<1>(&mut rest)?[0]);
        bytes(&mut rest, compressions)?;
        let extensions = extensions(rest)?;
        let early_data = extensions.iter().any(|(kind, _)| *kind == EARLY_DATA);
        Ok(ClientHello { random, early_data })
    }
}

impl ServerHello {
    fn parse(body: &[u8]) -> Result<Self, Malformed> {
        let mut rest = body;
        let legacy_version = number(&mut rest)?;
        let random = array(&mut rest)?;
        let session_id = usize::from(array::<1>(&mut rest)?[0]);
        bytes(&mut rest, session_id)?;
        let suite = number(&mut rest)?;
        array::<1>(&mut rest)?;
        let extensions = extensions(rest)?;
        let chosen = extensions
            .iter()
            .find(|(kind, _)| *kind == SUPPORTED_VERSIONS);
        let version = match chosen {
            Some((_, value)) => number(&mut &**value)?,
            None => legacy_version,
        };
        Ok(ServerHello {
            random,
            version,
            suite,
        })
    }
}

/// Types and contents of the extensions that a hello ends in; it may have none.
fn extensions(mut rest: &[u8]) -> Result<Vec<(u16, &[u8])>, Malformed> {
    if rest.is_empty() {
        return Ok(Vec::new());
    }
    let length = usize::from(number(&mut rest)?);
    let mut rest = bytes(&mut rest, length)?;
    let mut extensions = Vec::new();
    while !rest.is_empty() {
        let kind = number(&mut rest)?;
        let length = usize::from(number(&mut rest)?);
        extensions.push((kind, bytes(&mut rest, length)?));
    }
    Ok(extensions)
}

fn bytes<'a>(rest: &mut &'a [u8], length: usize) -> Result<&'a [u8], Malformed> {
    let (bytes, after) = rest.split_at_checked(length).ok_or(Malformed)?;
    *rest = after;
    Ok(bytes)
}

fn array<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], Malformed> {
    let (bytes, after) = rest.split_first_chunk().ok_or(Malformed)?;
    *rest = after;
    Ok(*bytes)
}

fn number(rest: &mut &[u8]) -> Result<u16, Malformed> {
    array(rest).map(u16::from_be_bytes)
}
