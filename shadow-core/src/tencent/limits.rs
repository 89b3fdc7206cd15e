//! The limits that the vendor documents, as far as this crate checks them.

use core::num::NonZeroU32;

use super::topic::ShadowName;
use crate::json;
use crate::limit::{Limit, LimitExceeded};

/// Longest product id, in characters (634/15241).
pub const PRODUCT_ID_LENGTH: usize = 10;

/// Longest device name, in characters (634/15241).
pub const DEVICE_NAME_LENGTH: usize = 48;

/// Longest device secret, in characters of its base64 text (634/15241).
pub const DEVICE_SECRET_LENGTH: usize = 64;

/// Longest topic, in bytes (634/15241).
pub const TOPIC_LENGTH: usize = 255;

/// Largest PUBLISH payload, in bytes: 16 KB (634/15241).
pub const PAYLOAD_SIZE: usize = 16 * 1024;

/// Keep alive interval of the vendor's SDKs for Python and Java, in seconds.
pub const DEFAULT_KEEP_ALIVE_SECONDS: u16 = 60;

/// What a server takes: everything is checked against it before it is sent.
///
/// The vendor's documents of different years disagree, so there is a profile for each:
/// [`Limits::current`] and [`Limits::older`]. A custom one is either of them, or
/// [`Limits::NONE`], with other values in its fields. A field at the largest value of its type
/// bounds nothing.
///
/// What is exceeded is told as [`RequestError::LimitExceeded`](crate::RequestError) by the request
/// that would, and by [`Config::check`](crate::Config::check) where it is the configuration's.
/// Messages above [`messages_per_second`](Limits::messages_per_second) are not refused: they wait.
///
/// ```
/// use shadow_core::tencent::limits::Limits;
/// use shadow_core::{Limit, LimitExceeded};
///
/// let limits = Limits { document_size: 10, ..Limits::current() };
/// assert_eq!(limits.check_document(r#"{"on":1}"#), Ok(()));
/// let exceeded = LimitExceeded { limit: Limit::DocumentSize, value: 12, maximum: 10 };
/// assert_eq!(limits.check_document(r#"{"on":"off"}"#), Err(exceeded));
/// assert_eq!(exceeded.to_string(), "the document has 12 bytes, the maximum is 10");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Largest shadow document, in bytes of compact JSON. The size of what the cloud keeps is not
    /// known of a one-shot update, which names only what changes: it is not checked there.
    pub document_size: u32,
    /// How deep objects and arrays may nest within `reported` or `desired`, the part itself being
    /// the first level: `{"a":{"b":[1]}}` has 3. The documents do not say where the count begins;
    /// this is the reading that refuses the fewest.
    pub document_depth: u32,
    /// Largest payload of a PUBLISH, in bytes. Whatever is configured, no payload is sent that MQTT
    /// has no room for: 268,369,916 bytes.
    pub payload_size: u32,
    /// Longest topic name or filter, in bytes.
    pub topic_length: u32,
    /// Longest product id, in bytes. No [`ShadowName`] has more than 10.
    pub product_id_length: u32,
    /// Longest device name, in bytes. No [`ShadowName`] has more than 48.
    pub device_name_length: u32,
    /// Shortest keep alive, in seconds; above 0 it may not be turned off.
    pub keep_alive_minimum: u16,
    /// Longest keep alive, in seconds.
    pub keep_alive_maximum: u16,
    /// How many PUBLISH packets may leave a second; `None`: any number. As many may leave at once
    /// after a second without any; the others wait for their time, which
    /// [`Timer::Pace`](crate::Timer::Pace) tells. Those that are sent again count.
    pub messages_per_second: Option<NonZeroU32>,
}

/// [`Limits::current`].
impl Default for Limits {
    fn default() -> Limits {
        Limits::current()
    }
}

impl Limits {
    /// No limits, as of a server that is not the vendor's. Those of MQTT itself stay.
    pub const NONE: Limits = Limits {
        document_size: u32::MAX,
        document_depth: u32::MAX,
        payload_size: u32::MAX,
        topic_length: u32::MAX,
        product_id_length: u32::MAX,
        device_name_length: u32::MAX,
        keep_alive_minimum: 0,
        keep_alive_maximum: u16::MAX,
        messages_per_second: None,
    };

    /// The newer documents (634/15241): documents of 16 KB and 5 levels, payloads of 16 KB, topics
    /// of 255 bytes, names of 10 and 48 characters, keep alive 60 to 850 s, 20 messages a second.
    #[must_use]
    pub const fn current() -> Limits {
        Limits {
            document_size: 16 * 1024,
            document_depth: 5,
            payload_size: PAYLOAD_SIZE as u32,
            topic_length: TOPIC_LENGTH as u32,
            product_id_length: PRODUCT_ID_LENGTH as u32,
            device_name_length: DEVICE_NAME_LENGTH as u32,
            keep_alive_minimum: 60,
            keep_alive_maximum: 850,
            messages_per_second: NonZeroU32::new(20),
        }
    }

    /// The older documents: documents of 8 KB and 6 levels, keep alive 0 (none) to 900 s and 30
    /// messages a second, of which the international site still says the latter two (1105/41464);
    /// the rest as [`Limits::current`].
    #[must_use]
    pub const fn older() -> Limits {
        Limits {
            document_size: 8 * 1024,
            document_depth: 6,
            keep_alive_minimum: 0,
            keep_alive_maximum: 900,
            messages_per_second: NonZeroU32::new(30),
            ..Limits::current()
        }
    }

    /// Whether a shadow document, or the `reported` or `desired` of one, is within size and depth.
    /// Valid, compact JSON is expected: white space counts as it stands.
    ///
    /// # Errors
    ///
    /// [`Limit::DocumentSize`] or [`Limit::DocumentDepth`], in this order.
    pub fn check_document(&self, json: &str) -> Result<(), LimitExceeded> {
        LimitExceeded::check(Limit::DocumentSize, json.len(), maximum(self.document_size))?;
        self.check_depth(json.as_bytes(), 0)
    }

    /// Whether what is kept of keys that are to be deleted is within two documents.
    pub(crate) fn check_deleted(&self, json: &str) -> Result<(), LimitExceeded> {
        let most = maximum(self.document_size).saturating_mul(2);
        LimitExceeded::check(Limit::DocumentSize, json.len(), most)
    }

    /// Whether JSON text, which has `enclosing` levels around its parts, is within the depth.
    pub(crate) fn check_depth(&self, json: &[u8], enclosing: usize) -> Result<(), LimitExceeded> {
        let most = maximum(self.document_depth);
        // Text with few openings cannot nest deep, and counting them is far cheaper than following.
        if count_opening(json) <= most.saturating_add(enclosing) {
            return Ok(());
        }
        let depth = json::depth(core::str::from_utf8(json).unwrap_or_default());
        LimitExceeded::check(Limit::DocumentDepth, depth.saturating_sub(enclosing), most)
    }

    /// Whether a payload of `size` bytes may be sent, and fits into a PUBLISH.
    pub(crate) fn check_payload(&self, size: usize) -> Result<(), LimitExceeded> {
        LimitExceeded::check(Limit::PayloadSize, size, self.largest_payload())
    }

    /// The largest payload that may be sent.
    pub(crate) fn largest_payload(&self) -> usize {
        maximum(self.payload_size).min(LARGEST_PAYLOAD)
    }

    /// Whether a topic name or filter is short enough.
    pub(crate) fn check_topic(&self, topic: &str) -> Result<(), LimitExceeded> {
        LimitExceeded::check(Limit::TopicLength, topic.len(), maximum(self.topic_length))
    }

    /// Whether both names and the topics made from them are short enough.
    pub(crate) fn check_name(&self, name: &ShadowName) -> Result<(), LimitExceeded> {
        let (product_id, device_name) = (name.product_id().len(), name.device_name().len());
        let most = maximum(self.product_id_length);
        LimitExceeded::check(Limit::ProductIdLength, product_id, most)?;
        let most = maximum(self.device_name_length);
        LimitExceeded::check(Limit::DeviceNameLength, device_name, most)?;
        self.check_topic(&name.result_topic())
    }

    /// Whether a keep alive of so many seconds is in the range.
    pub(crate) fn check_keep_alive(&self, seconds: u16) -> Result<(), LimitExceeded> {
        let (minimum, maximum) = (self.keep_alive_minimum, self.keep_alive_maximum);
        if (minimum..=maximum).contains(&seconds) {
            return Ok(());
        }
        Err(LimitExceeded {
            limit: Limit::KeepAlive { minimum },
            value: seconds.into(),
            maximum: maximum.into(),
        })
    }
}

/// Largest payload that fits into a PUBLISH with any topic.
const LARGEST_PAYLOAD: usize =
    crate::mqtt::MAXIMUM_REMAINING_LENGTH - 2 - crate::mqtt::topic::MAXIMUM_LENGTH - 2;

/// How many `{` and `[` there are, those in strings too; eight bytes at a time.
fn count_opening(json: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    // One in each byte that is one of the two, which differ in bit 0x20: that is flipped to zero,
    // and only zero stays below 0x80 when 0x7f is added.
    let opening = |word: u64| {
        let zero = (word | (ONES * 0x20)) ^ (ONES * u64::from(b'{'));
        let others = ((zero & (ONES * 0x7f)) + ONES * 0x7f) | zero;
        (!others >> 7) & ONES
    };
    let mut count = 0;
    for block in json.chunks(BLOCK) {
        let (words, tail) = block.as_chunks();
        let mut padded = [0; 8];
        for (to, from) in padded.iter_mut().zip(tail) {
            *to = *from;
        }
        let sum = words
            .iter()
            .fold(opening(u64::from_le_bytes(padded)), |sum, word| {
                sum + opening(u64::from_le_bytes(*word))
            });
        count += usize::from((sum.wrapping_mul(ONES) >> 56) as u8);
    }
    count
}

/// Bytes of which each can be counted before the sum of a byte overflows.
const BLOCK: usize = 248;

fn maximum(limit: u32) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use alloc::string::String;

    use super::*;

    fn exceeded(limit: Limit, value: usize, maximum: usize) -> Result<(), LimitExceeded> {
        Err(LimitExceeded {
            limit,
            value,
            maximum,
        })
    }

    #[test]
    fn documents_hold_to_the_last_byte_and_level() {
        for (limits, size, depth) in [(Limits::current(), 16_384, 5), (Limits::older(), 8_192, 6)] {
            let sized = |bytes: usize| {
                let mut text = String::from("\"");
                text.extend(core::iter::repeat_n('x', bytes - 2));
                text + "\""
            };
            assert_eq!(limits.check_document(&sized(size)), Ok(()));
            assert_eq!(
                limits.check_document(&sized(size + 1)),
                exceeded(Limit::DocumentSize, size + 1, size)
            );
            let nested = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
            assert_eq!(limits.check_document(&nested(depth)), Ok(()));
            assert_eq!(
                limits.check_document(&nested(depth + 1)),
                exceeded(Limit::DocumentDepth, depth + 1, depth)
            );
            // Many openings, also in strings, are not yet a depth.
            let wide = r#"[{},{},{},{},{},{},"[[[[[[[","{{{{{{{{{"]"#;
            assert_eq!(limits.check_document(wide), Ok(()));
        }
        let enormous = "[".repeat(1_000) + &"]".repeat(1_000);
        assert_eq!(Limits::NONE.check_document(&enormous), Ok(()));
    }

    #[test]
    fn openings_are_counted_wherever_they_stand() {
        for length in [0, 1, 7, 8, 9, 247, 248, 249, 255, 256, 1_000] {
            for (open, count) in [
                (b'{', length),
                (b'[', length),
                (b'}', 0),
                (b']', 0),
                (0xfb, 0),
            ] {
                let text = alloc::vec![open; length];
                assert_eq!(count_opening(&text), count, "{length} of {open}");
            }
        }
        let every_byte: alloc::vec::Vec<u8> = (0..=255).collect();
        assert_eq!(count_opening(&every_byte), 2);
    }

    #[test]
    fn keep_alive_is_bounded_at_both_ends() {
        for (limits, minimum, maximum) in [
            (Limits::current(), 60, 850),
            (Limits::older(), 0, 900),
            (Limits::NONE, 0, u16::MAX),
        ] {
            for seconds in [minimum, 60, maximum] {
                assert_eq!(limits.check_keep_alive(seconds), Ok(()));
            }
            let outside = [minimum.checked_sub(1), maximum.checked_add(1)];
            for seconds in outside.into_iter().flatten() {
                assert_eq!(
                    limits.check_keep_alive(seconds),
                    exceeded(Limit::KeepAlive { minimum }, seconds.into(), maximum.into())
                );
            }
        }
        let error = Limits::current().check_keep_alive(0).unwrap_err();
        assert_eq!(
            alloc::format!("{error}"),
            "the keep alive is 0 s, it has to be 60 to 850 s"
        );
    }

    #[test]
    fn names_and_topics_hold_to_the_last_byte() {
        let name = ShadowName::new("PRODUCT001", "lamp").unwrap();
        let mut limits = Limits::current();
        assert_eq!(limits.check_name(&name), Ok(()));
        limits.device_name_length = 3;
        let long = exceeded(Limit::DeviceNameLength, 4, 3);
        assert_eq!(limits.check_name(&name), long);
        limits.product_id_length = 9;
        let long = exceeded(Limit::ProductIdLength, 10, 9);
        assert_eq!(limits.check_name(&name), long);
        let length = "$shadow/operation/result/PRODUCT001/lamp".len();
        limits = Limits {
            topic_length: 39,
            ..Limits::NONE
        };
        let long = exceeded(Limit::TopicLength, length, 39);
        assert_eq!(limits.check_name(&name), long);
        assert_eq!(limits.check_topic(&"t".repeat(39)), Ok(()));
        assert_eq!(
            limits.check_topic(&"t".repeat(40)),
            exceeded(Limit::TopicLength, 40, 39)
        );
    }
}
