//! The secrets that an end of TLS connections has logged.

use std::collections::BTreeMap;
use std::fmt;

/// Most secrets that are kept. A connection has at most seven.
pub const MAX_SECRETS: usize = 1 << 16;
/// Bytes of a client's random, and of the longest secret.
const RANDOM: usize = 32;
const MAX_SECRET: usize = 64;

/// Secrets of TLS connections, as browsers, OpenSSL, rustls and others log them when the
/// environment has `SSLKEYLOGFILE`
/// (<https://www.ietf.org/archive/id/draft-ietf-tls-keylogfile-05.html>).
///
/// Each line is a label, the client's random in 64 hexadecimal digits, and the secret in
/// hexadecimal digits, with a space between; lines that are empty or begin with `#` are comments.
/// Labels that decryption needs are kept; lines that are none of the format are counted. Who has
/// this can read the connections: nothing of it is in its `Debug` output.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct KeyLog {
    secrets: BTreeMap<([u8; RANDOM], Label), Vec<u8>>,
    unreadable: usize,
    left_out: usize,
}

/// What a secret is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Label {
    /// TLS 1.2: the master secret (RFC 5246 section 8.1).
    ClientRandom,
    /// TLS 1.3 (RFC 8446 section 7.1).
    ClientHandshake,
    ServerHandshake,
    ClientTraffic,
    ServerTraffic,
}

impl Label {
    const ALL: [Label; 5] = [
        Label::ClientRandom,
        Label::ClientHandshake,
        Label::ServerHandshake,
        Label::ClientTraffic,
        Label::ServerTraffic,
    ];

    /// As it stands in a key log.
    pub(super) fn name(self) -> &'static str {
        match self {
            Label::ClientRandom => "CLIENT_RANDOM",
            Label::ClientHandshake => "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
            Label::ServerHandshake => "SERVER_HANDSHAKE_TRAFFIC_SECRET",
            Label::ClientTraffic => "CLIENT_TRAFFIC_SECRET_0",
            Label::ServerTraffic => "SERVER_TRAFFIC_SECRET_0",
        }
    }

    fn parse(text: &[u8]) -> Option<Self> {
        let mut labels = Label::ALL.into_iter();
        labels.find(|label| label.name().as_bytes() == text)
    }
}

impl KeyLog {
    /// Reads a key log file. Nothing of it is an error: see [`KeyLog::unreadable`].
    #[must_use]
    pub fn parse(text: &[u8]) -> Self {
        let mut key_log = KeyLog::default();
        key_log.add(text);
        key_log
    }

    /// Adds what another key log file has. Of two secrets for the same, the later counts.
    pub fn add(&mut self, text: &[u8]) {
        for line in text.split(|byte| *byte == b'\n') {
            let line = line.trim_ascii();
            if line.is_empty() || line.starts_with(b"#") {
                continue;
            }
            match parse_line(line) {
                None => self.unreadable += 1,
                Some((None, ..)) => {}
                Some((Some(label), random, secret)) => {
                    let key = (random, label);
                    if self.secrets.len() == MAX_SECRETS && !self.secrets.contains_key(&key) {
                        self.left_out += 1;
                    } else {
                        self.secrets.insert(key, secret);
                    }
                }
            }
        }
    }

    /// Adds the secrets of another key log, as [`KeyLog::add`] does.
    pub fn merge(&mut self, other: &KeyLog) {
        for (key, secret) in &other.secrets {
            if self.secrets.len() == MAX_SECRETS && !self.secrets.contains_key(key) {
                self.left_out += 1;
            } else {
                self.secrets.insert(*key, secret.clone());
            }
        }
        self.unreadable += other.unreadable;
        self.left_out += other.left_out;
    }

    /// Whether it has no secret.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.secrets.is_empty()
    }

    /// How many lines are none of the format.
    #[must_use]
    pub fn unreadable(&self) -> usize {
        self.unreadable
    }

    /// How many secrets were left out because there were [`MAX_SECRETS`].
    #[must_use]
    pub fn left_out(&self) -> usize {
        self.left_out
    }

    pub(super) fn secret(&self, random: &[u8; RANDOM], label: Label) -> Option<&[u8]> {
        self.secrets.get(&(*random, label)).map(Vec::as_slice)
    }
}

impl fmt::Debug for KeyLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyLog")
            .field("secrets", &self.secrets.len())
            .field("unreadable", &self.unreadable)
            .field("left_out", &self.left_out)
            .finish()
    }
}

/// A line's label if it is one that is needed, the client's random, and the secret.
fn parse_line(line: &[u8]) -> Option<(Option<Label>, [u8; RANDOM], Vec<u8>)> {
    let mut words = line.split(|byte| *byte == b' ');
    let label = words.next()?;
    let (first, second) = (words.next()?, words.next()?);
    if words.next().is_some() || label.is_empty() || second.len() > 2 * MAX_SECRET {
        return None;
    }
    // `RSA` lines, of an older time, have eight bytes of something else as their first.
    let label = Label::parse(label);
    if label.is_none() {
        return Some((None, [0; RANDOM], Vec::new()));
    }
    let random = <[u8; RANDOM]>::try_from(hex(first)?).ok()?;
    let secret = hex(second).filter(|secret| !secret.is_empty())?;
    Some((label, random, secret))
}

fn hex(text: &[u8]) -> Option<Vec<u8>> {
    if text.len() > 2 * MAX_SECRET || !text.len().is_multiple_of(2) {
        return None;
    }
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    text.chunks_exact(2)
        .map(|pair| match pair {
            [high, low] => u8::try_from(digit(high)? << 4 | digit(low)?).ok(),
            _ => None,
        })
        .collect()
}
