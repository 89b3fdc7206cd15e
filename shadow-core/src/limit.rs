//! What a server's limits can be exceeded in.

use core::fmt;

/// What a limits profile bounds, in the unit that [`LimitExceeded`] counts in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Limit {
    /// Bytes of a shadow document as compact JSON.
    DocumentSize,
    /// Levels of objects and arrays within `reported` or `desired`, the part itself included.
    DocumentDepth,
    /// Bytes of a PUBLISH payload.
    PayloadSize,
    /// Bytes of a topic name or topic filter.
    TopicLength,
    /// Bytes of a product id.
    ProductIdLength,
    /// Bytes of a device name.
    DeviceNameLength,
    /// Seconds of CONNECT's keep alive, which has a least value too.
    KeepAlive {
        /// The least value. A value below it is at fault although it is not above the maximum.
        minimum: u16,
    },
}

/// Something that the server would not take, found before it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct LimitExceeded {
    /// Which limit.
    pub limit: Limit,
    /// The value at fault.
    pub value: usize,
    /// The largest value that is allowed.
    pub maximum: usize,
}

impl LimitExceeded {
    /// That `value` is at most `maximum`.
    pub(crate) fn check(limit: Limit, value: usize, maximum: usize) -> Result<(), LimitExceeded> {
        if value <= maximum {
            return Ok(());
        }
        Err(LimitExceeded {
            limit,
            value,
            maximum,
        })
    }
}

impl fmt::Display for LimitExceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LimitExceeded {
            limit,
            value,
            maximum,
        } = self;
        let (what, unit) = match limit {
            Limit::KeepAlive { minimum } => {
                return write!(
                    f,
                    "the keep alive is {value} s, it has to be {minimum} to {maximum} s"
                );
            }
            Limit::DocumentSize => ("document", "bytes"),
            Limit::DocumentDepth => ("document", "levels"),
            Limit::PayloadSize => ("payload", "bytes"),
            Limit::TopicLength => ("topic", "bytes"),
            Limit::ProductIdLength => ("product id", "bytes"),
            Limit::DeviceNameLength => ("device name", "bytes"),
        };
        write!(f, "the {what} has {value} {unit}, the maximum is {maximum}")
    }
}

impl core::error::Error for LimitExceeded {}
