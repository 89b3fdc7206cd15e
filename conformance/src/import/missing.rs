//! What a capture lacks of a connection, so that nothing of it was looked at.

use std::fmt;

use serde::Serialize;

use super::wire::begins_with_connect;
use crate::capture::{Connection, tls};
use crate::diagnose::Side;

/// Something of a connection that an import did not look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "missing", rename_all = "kebab-case")]
pub enum Missing {
    /// The capture begins when the connection was there already.
    Beginning {
        /// Whether nothing that was said is known to be lost: the first bytes that were seen are
        /// the device's CONNECT, or there were none at all.
        is_harmless: bool,
    },
    /// Bytes that a side sent are not in the capture, and what came behind them was not looked at.
    Gap {
        /// Who sent them.
        by: Side,
        /// How many bytes of the side came before.
        offset: usize,
        /// How many the capture has behind the gap; repeated ones may count again.
        behind: usize,
    },
    /// It is a TLS connection that was not decrypted.
    Encrypted {
        /// Why the keys did not decrypt it; none if there were none.
        why: Option<String>,
    },
}

impl Missing {
    /// What is missing of a connection.
    pub(super) fn of(connection: &Connection) -> Vec<Missing> {
        let mut missing = Vec::new();
        if !connection.from_start {
            let is_harmless = connection.segments.is_empty() || begins_with_connect(connection);
            missing.push(Missing::Beginning { is_harmless });
        }
        for &side in &connection.gaps {
            let before = connection.segments.iter();
            let before = before.filter(|segment| segment.direction == side);
            missing.push(Missing::Gap {
                by: side.into(),
                offset: before.map(|segment| segment.bytes.len()).sum(),
                behind: connection.undelivered(side),
            });
        }
        if tls::is_tls(connection) {
            let why = connection.undecrypted.map(|why| why.to_string());
            missing.push(Missing::Encrypted { why });
        }
        missing
    }

    /// Whether something is unexplained for it.
    #[must_use]
    pub fn is_unexplained(&self) -> bool {
        !matches!(self, Missing::Beginning { is_harmless: true })
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Missing::Beginning { is_harmless: true } => {
                f.write_str("the capture does not have the handshake of the connection")
            }
            Missing::Beginning { is_harmless: false } => f.write_str(
                "the capture begins in the middle of the connection: what came before is unknown",
            ),
            Missing::Gap { by, offset, behind } => {
                write!(f, "the capture lacks bytes of {by} from offset {offset} on")?;
                match behind {
                    0 => Ok(()),
                    behind => write!(f, "; {behind} bytes behind them were not looked at"),
                }
            }
            Missing::Encrypted { why: None } => f.write_str(
                "this is TLS and no keys were given: --key-log FILE reads those that an end logged",
            ),
            Missing::Encrypted { why: Some(why) } => {
                write!(f, "this is TLS and the keys do not decrypt it: {why}")
            }
        }
    }
}
