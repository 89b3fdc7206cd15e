//! One side's records, decrypted in their order.

use super::keys::{Keys, Opener, Secret, of};
use super::record::{
    self, APPLICATION_DATA, CHANGE_CIPHER_SPEC, HANDSHAKE, Malformed, Messages, Record,
};
use super::{Direction, TlsError};

const FINISHED: u8 = 20;
const KEY_UPDATE: u8 = 24;

/// One side of a connection.
pub(super) struct Side<'a> {
    direction: Direction,
    keys: &'a Keys,
    /// Bytes that are no whole record yet, and where they are in the stream.
    rest: Vec<u8>,
    offset: usize,
    messages: Messages,
    protection: Protection,
}

/// How the next record is protected.
enum Protection {
    None,
    /// TLS 1.2, after ChangeCipherSpec.
    Tls12(Opener),
    /// TLS 1.3, up to Finished.
    Handshake(Opener),
    Traffic {
        secret: Secret,
        opener: Opener,
    },
    /// The key log does not say.
    Unknown(TlsError),
}

impl<'a> Side<'a> {
    pub(super) fn new(direction: Direction, keys: &'a Keys) -> Self {
        Side {
            direction,
            keys,
            rest: Vec::new(),
            offset: 0,
            messages: Messages::default(),
            protection: Protection::None,
        }
    }

    /// Takes more of the stream; returns the application's bytes in the records that it completes.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<Vec<u8>, TlsError> {
        let mut stream = std::mem::take(&mut self.rest);
        stream.extend_from_slice(bytes);
        let mut rest = stream.as_slice();
        let mut application = Vec::new();
        loop {
            let first = record::first(rest).map_err(|Malformed| self.malformed())?;
            let Some((record, length)) = first else {
                break;
            };
            self.record(&record, &mut application)?;
            self.offset += length;
            rest = rest.get(length..).unwrap_or_default();
        }
        // What is left is moved only when something before it has gone.
        let taken = stream.len() - rest.len();
        stream.drain(..taken);
        self.rest = stream;
        Ok(application)
    }

    fn record(&mut self, record: &Record<'_>, application: &mut Vec<u8>) -> Result<(), TlsError> {
        match self.keys {
            Keys::Tls12(secrets) => {
                self.record_1_2(record, of(self.direction, secrets), application)
            }
            Keys::Tls13 { handshake, traffic } => {
                let handshake = of(self.direction, handshake);
                let traffic = of(self.direction, traffic);
                self.record_1_3(record, handshake, traffic, application)
            }
        }
    }

    fn record_1_2(
        &mut self,
        record: &Record<'_>,
        secret: &Secret,
        application: &mut Vec<u8>,
    ) -> Result<(), TlsError> {
        let (direction, offset) = (self.direction, self.offset);
        match &mut self.protection {
            Protection::Tls12(_) if record.content_type == CHANGE_CIPHER_SPEC => {
                Err(TlsError::Renegotiated { direction, offset })
            }
            Protection::Tls12(opener) => {
                let content = opener
                    .open(record)
                    .map_err(|_| TlsError::Unauthentic { direction, offset })?;
                if record.content_type == APPLICATION_DATA {
                    application.extend(content);
                }
                Ok(())
            }
            _ => {
                if record.content_type == CHANGE_CIPHER_SPEC {
                    self.protection = Protection::Tls12(secret.opener());
                } else if record.content_type == APPLICATION_DATA {
                    return Err(self.malformed());
                }
                Ok(())
            }
        }
    }

    fn record_1_3(
        &mut self,
        record: &Record<'_>,
        handshake: &Secret,
        traffic: &Result<Secret, TlsError>,
        application: &mut Vec<u8>,
    ) -> Result<(), TlsError> {
        // Hellos, what is there for old middleboxes (RFC 8446 appendix D.4), and alerts of one who
        // has no keys.
        if record.content_type != APPLICATION_DATA {
            let protected = !matches!(self.protection, Protection::None);
            if protected && record.content_type == HANDSHAKE {
                return Err(self.malformed());
            }
            return Ok(());
        }
        if matches!(self.protection, Protection::None) {
            self.protection = Protection::Handshake(handshake.opener());
        }
        let (direction, offset) = (self.direction, self.offset);
        let opener = match &mut self.protection {
            Protection::Handshake(opener) | Protection::Traffic { opener, .. } => opener,
            Protection::Unknown(error) => return Err(*error),
            Protection::None | Protection::Tls12(_) => return Err(self.malformed()),
        };
        let padded = opener
            .open(record)
            .map_err(|_| TlsError::Unauthentic { direction, offset })?;
        // Zeros may follow the type (RFC 8446 section 5.4).
        let end = padded.iter().rposition(|byte| *byte != 0);
        let parts = end.and_then(|end| Some((padded.get(..end)?, *padded.get(end)?)));
        let Some((content, content_type)) = parts else {
            return Err(self.malformed());
        };
        match (content_type, &self.protection) {
            (HANDSHAKE, _) => {
                for message in self.messages.take(content) {
                    self.message(message, traffic);
                }
            }
            (APPLICATION_DATA, Protection::Traffic { .. }) => application.extend(content),
            (APPLICATION_DATA, _) => return Err(self.malformed()),
            _ => {}
        }
        Ok(())
    }

    /// Keys change with two messages, of which each ends its record (RFC 8446 section 5.1).
    fn message(&mut self, message_type: u8, traffic: &Result<Secret, TlsError>) {
        let next = match (message_type, &self.protection) {
            (FINISHED, Protection::Handshake(_)) => traffic.clone(),
            (KEY_UPDATE, Protection::Traffic { secret, .. }) => Ok(secret.updated()),
            _ => return,
        };
        self.protection = match next {
            Ok(secret) => Protection::Traffic {
                opener: secret.opener(),
                secret,
            },
            Err(error) => Protection::Unknown(error),
        };
    }

    fn malformed(&self) -> TlsError {
        TlsError::Malformed {
            direction: self.direction,
            offset: self.offset,
        }
    }
}
