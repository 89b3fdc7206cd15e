//! What the vendor's Python SDK (iot-device-python) does where it differs from this crate's
//! defaults, verified on its recorded sessions. The profile that uses it is
//! [`Config::python_sdk`](crate::Config::python_sdk).

#[cfg(feature = "hmac-sha1")]
use super::credentials::SignatureMethod;
use super::limits::Limits;
#[cfg(feature = "behaviours")]
use crate::json::JsonStyle;

/// The application id in its user names.
pub const SDK_APP_ID: u32 = 21_010_406;

/// How it signs.
#[cfg(feature = "hmac-sha1")]
pub const SIGNATURE_METHOD: SignatureMethod = SignatureMethod::HmacSha1;

/// How it prints JSON.
#[cfg(feature = "behaviours")]
pub const JSON_STYLE: JsonStyle = JsonStyle::Python;

/// What it takes from an application: payloads, topics and names are as short as elsewhere, and
/// nothing else is looked at.
pub const LIMITS: Limits = Limits {
    payload_size: Limits::current().payload_size,
    topic_length: Limits::current().topic_length,
    product_id_length: Limits::current().product_id_length,
    device_name_length: Limits::current().device_name_length,
    ..Limits::NONE
};
