//! The limits the vendor documents, for checks before something leaves the device.
//!
//! Where the vendor's pages and SDKs disagree both numbers are here, and which one binds is a
//! setting of the caller.

/// Longest product id, in characters (634/15241; `MAX_SIZE_OF_PRODUCT_ID` of the C SDK).
pub const PRODUCT_ID_LENGTH: usize = 10;

/// Longest device name, in characters (634/15241; `MAX_SIZE_OF_DEVICE_NAME` of the C SDK).
pub const DEVICE_NAME_LENGTH: usize = 48;

/// Longest device secret, in characters of its base64 text (`MAX_SIZE_OF_DEVICE_SECRET` of the C
/// SDK).
pub const DEVICE_SECRET_LENGTH: usize = 64;

/// Longest topic, in bytes (634/15241).
pub const TOPIC_LENGTH: usize = 255;

/// Largest PUBLISH payload, in bytes: 16 KB (634/15241).
pub const PAYLOAD_SIZE: usize = 16 * 1024;

/// Largest shadow document, in bytes, by the stricter of the vendor's statements: 8 KB (634/15241).
pub const DOCUMENT_SIZE: usize = 8 * 1024;

/// Deepest nesting of a shadow document, by the stricter of the vendor's statements (634/15241).
pub const DOCUMENT_DEPTH: usize = 5;

/// Keepalive intervals the server takes, in seconds: 0 to 900 by 634/46346, 60 to 850 by newer
/// pages. The server cuts a silent link after one and a half intervals.
pub const KEEP_ALIVE_SECONDS: core::ops::RangeInclusive<u16> = 0..=900;

/// Keepalive interval the vendor's SDKs for Python and Java use, in seconds.
pub const DEFAULT_KEEP_ALIVE_SECONDS: u16 = 60;

/// Longest time until a subscription is effective, in seconds (634/15241).
pub const SUBSCRIPTION_SECONDS: u64 = 5;

/// Shortest time between two connects of one device, in seconds (634/15241).
pub const CONNECT_INTERVAL_SECONDS: u64 = 5;
