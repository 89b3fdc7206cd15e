//! What the vendor's Python SDK (iot-device-python) does where it differs from this crate's
//! defaults, verified on its recorded sessions. The profile that uses it is
//! [`Config::python_sdk`](crate::Config::python_sdk).

use super::credentials::SignatureMethod;
use crate::json::JsonStyle;

/// The application id in its user names.
pub const SDK_APP_ID: u32 = 21_010_406;

/// How it signs.
pub const SIGNATURE_METHOD: SignatureMethod = SignatureMethod::HmacSha1;

/// How it prints JSON.
pub const JSON_STYLE: JsonStyle = JsonStyle::Python;
