//! What the vendor's Python SDK (iot-device-python) does where it differs from this crate's
//! defaults: the constants of the compatibility profile, verified on its recorded sessions.

use alloc::string::String;
use core::fmt::Write;

use super::credentials::SignatureMethod;
use crate::json::JsonStyle;

/// The application id in its user names.
pub const SDK_APP_ID: u32 = 21_010_406;

/// How it signs.
pub const SIGNATURE_METHOD: SignatureMethod = SignatureMethod::HmacSha1;

/// The protocol level of its CONNECT: MQTT 3.1, `MQIsdp`.
pub const PROTOCOL_LEVEL: u8 = 3;

/// Its keepalive, in seconds.
pub const KEEP_ALIVE_SECONDS: u16 = 60;

/// How it prints JSON.
pub const JSON_STYLE: JsonStyle = JsonStyle::Python;

/// The expiry in its user names: the time of the CONNECT itself, in milliseconds where the vendor
/// documents seconds.
#[must_use]
pub const fn expiry(now: crate::WallTime) -> u64 {
    now.as_unix_millis()
}

/// Appends its client token, `{productId}-{number}`; `number` counts from 0 in every run.
pub fn write_token(product_id: &str, number: u64, out: &mut String) {
    // Writing to a String cannot fail.
    let _ = write!(out, "{product_id}-{number}");
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As in the recorded sessions: `"clientToken": "PYSDKCAP01-20"`.
    #[test]
    fn token_is_the_recorded_one() {
        let mut token = String::new();
        write_token("PYSDKCAP01", 20, &mut token);
        assert_eq!(token, "PYSDKCAP01-20");
    }
}
