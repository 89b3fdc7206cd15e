//! Topic names and topic filters (MQTT section 4.7).
//!
//! A topic *name* says where one message goes; a topic *filter* says which names a subscription
//! wants and may hold the wildcards `+` (one whole level) and `#` (the rest, last). Levels are
//! separated by `/` and may be empty.
//!
//! ```
//! use shadow_core::mqtt::topic::{self, TopicError};
//!
//! assert_eq!(topic::validate_name("sport/+"), Err(TopicError::WildcardInName));
//! assert_eq!(topic::validate_filter("sport/+"), Ok(()));
//! assert!(topic::filter_matches("sport/+", "sport/tennis"));
//! ```

use core::fmt;

/// The longest topic name or filter, in bytes [MQTT-4.7.3-3].
pub const MAXIMUM_LENGTH: usize = 65_535;

/// Why a string is no topic name or no topic filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum TopicError {
    /// It has no character [MQTT-4.7.3-1].
    Empty,
    /// It is longer than [`MAXIMUM_LENGTH`] [MQTT-4.7.3-3].
    TooLong {
        /// Its length in bytes.
        length: usize,
    },
    /// It contains U+0000 [MQTT-4.7.3-2].
    NulCharacter,
    /// It is a name and contains `+` or `#` [MQTT-4.7.1-1].
    WildcardInName,
    /// It is a filter whose `#` shares a level with other characters or is not the last one
    /// [MQTT-4.7.1-2].
    MisplacedMultiLevelWildcard,
    /// It is a filter whose `+` shares a level with other characters [MQTT-4.7.1-3].
    MisplacedSingleLevelWildcard,
}

impl TopicError {
    /// The clause of MQTT 3.1.1 that was broken, such as `MQTT-4.7.3-1`.
    #[must_use]
    pub const fn clause(self) -> &'static str {
        match self {
            TopicError::Empty => "MQTT-4.7.3-1",
            TopicError::TooLong { .. } => "MQTT-4.7.3-3",
            TopicError::NulCharacter => "MQTT-4.7.3-2",
            TopicError::WildcardInName => "MQTT-4.7.1-1",
            TopicError::MisplacedMultiLevelWildcard => "MQTT-4.7.1-2",
            TopicError::MisplacedSingleLevelWildcard => "MQTT-4.7.1-3",
        }
    }
}

/// A predicate without the clause, such as `is empty`.
impl fmt::Display for TopicError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TopicError::Empty => f.write_str("is empty"),
            TopicError::TooLong { length } => {
                write!(f, "has {length} bytes, more than {MAXIMUM_LENGTH}")
            }
            TopicError::NulCharacter => f.write_str("contains U+0000"),
            TopicError::WildcardInName => f.write_str("contains a wildcard"),
            TopicError::MisplacedMultiLevelWildcard => {
                f.write_str("has a '#' that is not a whole level at its end")
            }
            TopicError::MisplacedSingleLevelWildcard => {
                f.write_str("has a '+' that is not a whole level")
            }
        }
    }
}

impl core::error::Error for TopicError {}

/// Checks that `topic` can be published to.
///
/// # Errors
/// [`TopicError::Empty`], [`TopicError::TooLong`], [`TopicError::NulCharacter`] or
/// [`TopicError::WildcardInName`].
#[inline]
pub fn validate_name(topic: &str) -> Result<(), TopicError> {
    validate_length(topic)?;
    match is_plain(topic.as_bytes()) {
        true => Ok(()),
        false if topic.contains('\0') => Err(TopicError::NulCharacter),
        false => Err(TopicError::WildcardInName),
    }
}

/// Checks that `filter` can be subscribed to.
///
/// # Errors
/// [`TopicError::Empty`], [`TopicError::TooLong`], [`TopicError::NulCharacter`],
/// [`TopicError::MisplacedMultiLevelWildcard`] or [`TopicError::MisplacedSingleLevelWildcard`].
pub fn validate_filter(filter: &str) -> Result<(), TopicError> {
    validate_length(filter)?;
    if filter.contains('\0') {
        return Err(TopicError::NulCharacter);
    }
    let mut levels = filter.split('/');
    while let Some(level) = levels.next() {
        if level.contains('#') && (level != "#" || levels.next().is_some()) {
            return Err(TopicError::MisplacedMultiLevelWildcard);
        }
        if level.contains('+') && level != "+" {
            return Err(TopicError::MisplacedSingleLevelWildcard);
        }
    }
    Ok(())
}

/// Whether a subscription to `filter` gets the messages published to `topic`.
///
/// `#` also matches the level above it: `sport/#` matches `sport`. A filter that begins with a
/// wildcard never matches a topic that begins with `$` [MQTT-4.7.2-1]. Characters are compared as
/// they are, without folding or normalising [MQTT-4.7.3-4]. A `filter` that is not valid matches
/// some topics or none, and a `topic` that is not a valid name is compared all the same.
///
/// ```
/// use shadow_core::mqtt::topic::filter_matches;
///
/// assert!(filter_matches("$shadow/operation/#", "$shadow/operation/result/P/d"));
/// assert!(!filter_matches("#", "$shadow/operation/result/P/d"));
/// ```
#[must_use]
pub fn filter_matches(filter: &str, topic: &str) -> bool {
    if topic.starts_with('$') && filter.starts_with(['+', '#']) {
        return false;
    }
    let mut topic_levels = topic.split('/');
    for filter_level in filter.split('/') {
        if filter_level == "#" {
            return true;
        }
        match topic_levels.next() {
            Some(topic_level) if filter_level == "+" || filter_level == topic_level => {}
            _ => return false,
        }
    }
    topic_levels.next().is_none()
}

fn validate_length(text: &str) -> Result<(), TopicError> {
    match text.len() {
        0 => Err(TopicError::Empty),
        1..=MAXIMUM_LENGTH => Ok(()),
        length => Err(TopicError::TooLong { length }),
    }
}

/// Whether `bytes` are some, and none of the three that no topic name may have.
///
/// Every message passes here in both directions, so this looks at chunks without a branch for each
/// byte, which compilers turn into vector instructions. The last chunk may overlap others.
#[inline(never)] // A copy in each caller costs more than the call.
pub(super) fn is_plain(bytes: &[u8]) -> bool {
    let (Some((first, rest)), Some(last)) = (bytes.split_first_chunk(), bytes.last_chunk()) else {
        return !bytes.is_empty() && !bytes.iter().any(|&byte| is_special(byte));
    };
    let (chunks, _) = rest.as_chunks();
    !(has_special_byte(first) | has_special_byte(last)) && !chunks.iter().any(has_special_byte)
}

#[inline]
fn has_special_byte(chunk: &[u8; 16]) -> bool {
    chunk
        .iter()
        .fold(false, |found, &byte| found | is_special(byte))
}

const fn is_special(byte: u8) -> bool {
    // '+' and '#' differ in this bit only.
    (byte == 0) | (byte | 0x08 == b'+')
}
