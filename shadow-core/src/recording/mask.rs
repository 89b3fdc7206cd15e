//! What a recording does not show, and what stands in its place.

mod characters;
mod json;
mod masker;
mod names;
mod stream;
mod twin;

use core::fmt;

pub(super) use twin::Twin;

/// What a recording does not show. Secrets, that is the device secret, passwords and signatures,
/// are never in one, whatever is set here; the default masks nothing else.
///
/// ```
/// use shadow_core::recording::{Mask, Recorder};
/// use shadow_core::{Config, Instant, Session};
///
/// # fn sixteen_random_bytes() -> [u8; 16] { [7; 16] }
/// let mask = Mask::keyed(sixteen_random_bytes()).names().values();
/// let config = Config::plain("sensor-1");
/// let engine = Recorder::new(config, Session::new(), 7, Instant::ZERO, mask, String::new());
/// let recording = engine.finish().1.unwrap();
/// assert!(recording.contains(r#""mask":["names","values"]"#));
/// assert!(!recording.contains("sensor"));
/// ```
///
/// # How
///
/// What goes into the engine is masked, and goes into a second engine beside it, the *twin*; the
/// recording is the twin's. So nothing is in it that was not masked at the source, and it replays as
/// exactly as any other. Text is masked by text of the same length, character by character of the
/// same kind, and equal text by equal text, as are numbers that are equal by their decimals: the twin
/// then does what the engine does, with other words. Should it ever not, as where two numbers of more
/// than 15 digits are one double, a line `unfaithful` says from where on, and a replay stops there.
///
/// Under [`names`](Mask::names):
///
/// * product ids, device names, client ids and user names;
/// * all levels of topics and filters, but `$shadow/operation`, `$shadow/operation/result` and other
///   first levels that begin with `$`: whose names stand in a topic nobody can tell;
/// * the product id in client tokens `{productId}-{n}`;
/// * those names that the configuration and the session hold, as words in any other text: in values
///   and payloads, and why a transport failed. In payloads of messages that are no shadow's and in
///   reasons, the names of attached shadows too.
///
/// Under [`values`](Mask::values): texts and numbers in shadow documents, wherever they stand, and
/// in the payload of any other message and of the will: in JSON each value for itself, in other text
/// letters and digits, other bytes altogether; reasons of rejections. Versions, times and result
/// codes stay, and so do the keys of objects, `true`, `false`, `null`, zero, the sign, the decimal
/// point and the exponent of a number, and what is neither letter nor digit.
///
/// A packet that arrives in pieces is recorded when it is whole, with `bytes` that are empty until
/// then; of one above the maximum size, and of one that is refused, other bytes stand for what it
/// says.
///
/// # What it is good for
///
/// The mapping is a permutation of all texts of one length and kind, keyed by HMAC-SHA-256: without
/// the key it tells nothing of a long text but its length, the kinds of its characters and where it
/// stands again. It is a mask and no encryption: what has few possible values, as a single digit, can
/// be guessed by how often it comes, and the course of a value by where it changes. Draw the key from
/// the system's randomness, not from the engine's seed, which is in the recording, and forget it:
/// whoever has it can undo the mask. Two recordings under one key can be compared.
///
/// It takes a second engine's memory and time, one more packet's memory, and a few microseconds for
/// each text that is masked: some tens of microseconds an exchange.
///
/// A mask that was read from a [`Header`](super::Header) has no key. It tells what *was* masked: a
/// recorder writes it down and masks nothing, as a replay needs it.
///
/// Equal are masks that hide the same, under whatever key.
#[derive(Clone, Copy, Default)]
pub struct Mask {
    key: Option<[u8; 16]>,
    names: bool,
    values: bool,
}

impl Mask {
    /// A mask that hides nothing but secrets yet: [`Mask::names`] and [`Mask::values`] make it hide
    /// more. `key` is 128 bits that nobody can guess; it is written nowhere.
    #[must_use]
    pub const fn keyed(key: [u8; 16]) -> Mask {
        Mask {
            key: Some(key),
            names: false,
            values: false,
        }
    }

    /// What a header says was masked.
    pub(super) const fn applied(names: bool, values: bool) -> Mask {
        Mask {
            key: None,
            names,
            values,
        }
    }

    /// Also hides who it is.
    #[must_use]
    pub const fn names(self) -> Mask {
        Mask {
            names: true,
            ..self
        }
    }

    /// Also hides what is told.
    #[must_use]
    pub const fn values(self) -> Mask {
        Mask {
            values: true,
            ..self
        }
    }

    /// Whether names are hidden.
    #[must_use]
    pub const fn hides_names(self) -> bool {
        self.names
    }

    /// Whether values are hidden.
    #[must_use]
    pub const fn hides_values(self) -> bool {
        self.values
    }

    /// The key, if there is anything to mask.
    pub(super) fn key(&self) -> Option<&[u8; 16]> {
        self.key.as_ref().filter(|_| self.names || self.values)
    }
}

impl PartialEq for Mask {
    fn eq(&self, other: &Mask) -> bool {
        (self.names, self.values) == (other.names, other.values)
    }
}

impl Eq for Mask {}

/// Without the key.
impl fmt::Debug for Mask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mask")
            .field("names", &self.names)
            .field("values", &self.values)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Mask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match (self.names, self.values) {
            (false, false) => "secrets",
            (true, false) => "secrets and names",
            (false, true) => "secrets and values",
            (true, true) => "secrets, names and values",
        })
    }
}

#[cfg(test)]
mod tests;
