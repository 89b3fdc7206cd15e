//! Cipher suites, and keys made of a key log's secrets.

use ring::aead::{self, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::{hkdf, hmac};

use super::key_log::Label;
use super::record::Record;
use super::{Direction, TlsError};

const TAG: usize = 16;
/// Bytes of a master secret (RFC 5246 section 8.1).
const MASTER: usize = 48;

/// How records are protected, and which hash makes the keys.
#[derive(Clone, Copy)]
pub(super) struct Suite {
    cipher: &'static aead::Algorithm,
    hash: hkdf::Algorithm,
    /// Of TLS 1.2 with AES-GCM: eight bytes of the nonce stand in the record (RFC 5288 section 3).
    explicit_nonce: bool,
}

impl Suite {
    fn new(cipher: &'static aead::Algorithm, hash: hkdf::Algorithm) -> Self {
        Suite {
            cipher,
            hash,
            explicit_nonce: false,
        }
    }

    /// RFC 8446 appendix B.4.
    pub(super) fn tls_1_3(number: u16) -> Option<Self> {
        match number {
            0x1301 => Some(Suite::new(&aead::AES_128_GCM, hkdf::HKDF_SHA256)),
            0x1302 => Some(Suite::new(&aead::AES_256_GCM, hkdf::HKDF_SHA384)),
            0x1303 => Some(Suite::new(&aead::CHACHA20_POLY1305, hkdf::HKDF_SHA256)),
            _ => None,
        }
    }

    /// With RSA, DHE and ECDHE (RFC 5288 section 3, RFC 5289 section 3.2, RFC 7905 section 3): the
    /// key exchange makes no difference to who has the master secret.
    pub(super) fn tls_1_2(number: u16) -> Option<Self> {
        let gcm = |cipher, hash| Suite {
            explicit_nonce: true,
            ..Suite::new(cipher, hash)
        };
        match number {
            0x009C | 0x009E | 0xC02B | 0xC02F => Some(gcm(&aead::AES_128_GCM, hkdf::HKDF_SHA256)),
            0x009D | 0x009F | 0xC02C | 0xC030 => Some(gcm(&aead::AES_256_GCM, hkdf::HKDF_SHA384)),
            0xCCA8..=0xCCAA => Some(Suite::new(&aead::CHACHA20_POLY1305, hkdf::HKDF_SHA256)),
            _ => None,
        }
    }
}

/// The keys of a connection, for the device's records and the server's.
pub(super) enum Keys {
    Tls12([Secret; 2]),
    Tls13 {
        handshake: [Secret; 2],
        /// Not logged where the handshake failed.
        traffic: [Result<Secret, TlsError>; 2],
    },
}

/// What a key is made of.
#[derive(Clone)]
pub(super) struct Secret {
    suite: Suite,
    bytes: Bytes,
}

#[derive(Clone)]
enum Bytes {
    /// TLS 1.3: a traffic secret (RFC 8446 section 7.3).
    Traffic(Vec<u8>),
    /// TLS 1.2: a side's key and the fixed part of its nonce (RFC 5246 section 6.3).
    Block { key: Vec<u8>, nonce: Vec<u8> },
}

impl Keys {
    pub(super) fn tls_1_2(
        suite: Suite,
        master: &[u8],
        client_random: &[u8; 32],
        server_random: &[u8; 32],
    ) -> Result<Self, TlsError> {
        let wrong = TlsError::KeyLength {
            label: Label::ClientRandom.name(),
        };
        if master.len() != MASTER {
            return Err(wrong);
        }
        let key = suite.cipher.key_len();
        let nonce = if suite.explicit_nonce {
            4
        } else {
            aead::NONCE_LEN
        };
        let seed = [&b"key expansion"[..], server_random, client_random].concat();
        let block = expand_1_2(
            suite.hash.hmac_algorithm(),
            master,
            &seed,
            2 * (key + nonce),
        );
        let mut rest = block.as_slice();
        let mut next = |length| {
            let (part, after) = rest.split_at_checked(length).unwrap_or_default();
            rest = after;
            part.to_vec()
        };
        let keys = [next(key), next(key)];
        let nonces = [next(nonce), next(nonce)];
        let [device, server] = keys;
        let [device_nonce, server_nonce] = nonces;
        let secret = |key, nonce| Secret {
            suite,
            bytes: Bytes::Block { key, nonce },
        };
        Ok(Keys::Tls12([
            secret(device, device_nonce),
            secret(server, server_nonce),
        ]))
    }

    pub(super) fn tls_1_3(
        suite: Suite,
        handshake: [Result<&[u8], TlsError>; 2],
        traffic: [Result<&[u8], TlsError>; 2],
    ) -> Result<Self, TlsError> {
        let length = suite.hash.hmac_algorithm().digest_algorithm().output_len();
        let secret = |bytes: Result<&[u8], TlsError>, label: Label| match bytes? {
            bytes if bytes.len() == length => Ok(Secret {
                suite,
                bytes: Bytes::Traffic(bytes.to_vec()),
            }),
            _ => Err(TlsError::KeyLength {
                label: label.name(),
            }),
        };
        let [device, server] = handshake;
        let handshake = [
            secret(device, Label::ClientHandshake)?,
            secret(server, Label::ServerHandshake)?,
        ];
        let [device, server] = traffic;
        let traffic = [
            secret(device, Label::ClientTraffic),
            secret(server, Label::ServerTraffic),
        ];
        Ok(Keys::Tls13 { handshake, traffic })
    }
}

/// Of two, the device's or the server's.
pub(super) fn of<T>(direction: Direction, [device, server]: &[T; 2]) -> &T {
    match direction {
        Direction::Device => device,
        Direction::Server => server,
    }
}

impl Secret {
    /// The secret after an update of keys (RFC 8446 section 7.2); of TLS 1.2, which has none, the
    /// same.
    pub(super) fn updated(&self) -> Self {
        let bytes = match &self.bytes {
            Bytes::Traffic(secret) => {
                Bytes::Traffic(expand_1_3(self.suite, secret, b"traffic upd", secret.len()))
            }
            same @ Bytes::Block { .. } => same.clone(),
        };
        Secret {
            suite: self.suite,
            bytes,
        }
    }

    /// Opens records, from the first under this secret on.
    pub(super) fn opener(&self) -> Opener {
        let (key, nonce) = match &self.bytes {
            Bytes::Traffic(secret) => (
                expand_1_3(self.suite, secret, b"key", self.suite.cipher.key_len()),
                expand_1_3(self.suite, secret, b"iv", aead::NONCE_LEN),
            ),
            Bytes::Block { key, nonce } => (key.clone(), nonce.clone()),
        };
        let mut fixed = [0; aead::NONCE_LEN];
        for (place, byte) in fixed.iter_mut().zip(nonce) {
            *place = byte;
        }
        let key = UnboundKey::new(self.suite.cipher, &key);
        Opener {
            key: LessSafeKey::new(key.expect("it was made as long as the cipher's keys are")),
            nonce: fixed,
            explicit_nonce: self.suite.explicit_nonce,
            with_length: matches!(self.bytes, Bytes::Block { .. }),
            sequence: 0,
        }
    }
}

/// Opens one side's records, in their order.
pub(super) struct Opener {
    key: LessSafeKey,
    nonce: [u8; aead::NONCE_LEN],
    explicit_nonce: bool,
    /// TLS 1.2: the number and the length of a record are authenticated with it.
    with_length: bool,
    sequence: u64,
}

/// A record does not authenticate.
pub(super) struct Unauthentic;

impl Opener {
    /// The content of the next record (RFC 8446 section 5.2, RFC 5246 section 6.2.3.3).
    pub(super) fn open(&mut self, record: &Record<'_>) -> Result<Vec<u8>, Unauthentic> {
        let sequence = self.sequence.to_be_bytes();
        let mut nonce = self.nonce;
        let mut sealed = record.body;
        if self.explicit_nonce {
            let (explicit, rest) = sealed.split_first_chunk::<8>().ok_or(Unauthentic)?;
            for (place, byte) in nonce.iter_mut().skip(4).zip(explicit) {
                *place = *byte;
            }
            sealed = rest;
        } else {
            for (place, byte) in nonce.iter_mut().skip(4).zip(sequence) {
                *place ^= byte;
            }
        }
        let length = sealed.len().checked_sub(TAG).ok_or(Unauthentic)?;
        let mut additional = Vec::new();
        if self.with_length {
            let [content_type, major, minor, ..] = record.header;
            let length = u16::try_from(length).map_err(|_| Unauthentic)?;
            additional.extend(sequence);
            additional.extend([content_type, major, minor]);
            additional.extend(length.to_be_bytes());
        } else {
            additional.extend(record.header);
        }
        let mut content = sealed.to_vec();
        let nonce = Nonce::assume_unique_for_key(nonce);
        self.key
            .open_in_place(nonce, Aad::from(additional), &mut content)
            .map_err(|_| Unauthentic)?;
        content.truncate(length);
        self.sequence = self.sequence.wrapping_add(1);
        Ok(content)
    }
}

struct Length(usize);

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

/// HKDF-Expand-Label with no context (RFC 8446 section 7.1).
fn expand_1_3(suite: Suite, secret: &[u8], label: &[u8], length: usize) -> Vec<u8> {
    // Both are below 256: labels are ours, and secrets are as long as a hash.
    let lengths = [0, length as u8, (6 + label.len()) as u8];
    let info = [&lengths[..], b"tls13 ", label, &[0]];
    let mut output = vec![0; length];
    let secret = hkdf::Prk::new_less_safe(suite.hash, secret);
    secret
        .expand(&info, Length(length))
        .and_then(|key| key.fill(&mut output))
        .expect("no more is asked for than 255 hashes");
    output
}

/// The pseudo-random function of TLS 1.2 (RFC 5246 section 5).
fn expand_1_2(hash: hmac::Algorithm, secret: &[u8], seed: &[u8], length: usize) -> Vec<u8> {
    let key = hmac::Key::new(hash, secret);
    let mut output = Vec::new();
    let mut chain = hmac::sign(&key, seed);
    while output.len() < length {
        let input = [chain.as_ref(), seed].concat();
        output.extend_from_slice(hmac::sign(&key, &input).as_ref());
        chain = hmac::sign(&key, chain.as_ref());
    }
    output.truncate(length);
    output
}
