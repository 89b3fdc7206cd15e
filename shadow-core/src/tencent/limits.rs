//! The limits that the vendor documents, as far as this crate checks them.

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
