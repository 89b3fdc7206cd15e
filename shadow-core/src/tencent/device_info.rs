//! `device_info.json`, the file in which the vendor's SDKs keep who a device is.
//!
//! ```json
//! {
//!   "auth_mode": "KEY",
//!   "productId": "PYSDKCAP01",
//!   "deviceName": "test01",
//!   "key_deviceinfo": { "deviceSecret": "MDEyMzQ1Njc4OWFiY2RlZg==" },
//!   "cert_deviceinfo": { "devCaFile": "..", "devCertFile": "..", "devPrivateKeyFile": ".." }
//! }
//! ```
//!
//! Of the two `*_deviceinfo` only the one that `auth_mode` chooses is read. Other fields, such as
//! the vendor's `productSecret`, `region` and `subDev`, may be there and are not looked at.

use alloc::string::{String, ToString};
use core::fmt;

use serde_json::{Map, Value};
use zeroize::Zeroize;

use super::credentials::{InvalidSecret, Secret};
use super::limits::DEVICE_SECRET_LENGTH;
use super::topic::{NameError, ShadowName};

/// Who a device is and how it proves it. `Debug` leaves the secret out.
#[derive(Clone, Debug)]
pub struct DeviceInfo {
    /// Product id and device name.
    pub name: ShadowName,
    /// How it proves it.
    pub authentication: Authentication,
}

/// How a device proves who it is.
#[derive(Clone)]
pub enum Authentication {
    /// `"auth_mode":"KEY"`: it signs its login with a secret.
    Key {
        /// The secret it shares with the cloud.
        secret: Secret,
    },
    /// `"auth_mode":"CERT"`: it shows a TLS client certificate. The paths are as the file gives
    /// them.
    Certificate {
        /// `devCaFile`: the authority that the server's certificate has to be from.
        ca_file: Option<String>,
        /// `devCertFile`: the device's certificate.
        certificate_file: String,
        /// `devPrivateKeyFile`: the key to that certificate.
        private_key_file: String,
    },
}

/// Without the secret.
impl fmt::Debug for Authentication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Authentication::Key { .. } => f.debug_struct("Key").finish_non_exhaustive(),
            Authentication::Certificate {
                ca_file,
                certificate_file,
                private_key_file,
            } => f
                .debug_struct("Certificate")
                .field("ca_file", ca_file)
                .field("certificate_file", certificate_file)
                .field("private_key_file", private_key_file)
                .finish(),
        }
    }
}

impl DeviceInfo {
    /// A device that signs its login with the secret the vendor's console shows.
    ///
    /// # Errors
    /// [`DeviceInfoError::Name`], [`DeviceInfoError::SecretTooLong`],
    /// [`DeviceInfoError::SecretNotBase64`].
    pub fn with_key(
        product_id: &str,
        device_name: &str,
        secret_base64: &str,
    ) -> Result<DeviceInfo, DeviceInfoError> {
        let name = ShadowName::new(product_id, device_name).map_err(DeviceInfoError::Name)?;
        let secret = read_secret(secret_base64)?;
        Ok(DeviceInfo {
            name,
            authentication: Authentication::Key { secret },
        })
    }

    /// A device that shows a TLS client certificate.
    ///
    /// # Errors
    /// [`DeviceInfoError::Name`].
    pub fn with_certificate(
        product_id: &str,
        device_name: &str,
        ca_file: Option<String>,
        certificate_file: String,
        private_key_file: String,
    ) -> Result<DeviceInfo, DeviceInfoError> {
        let name = ShadowName::new(product_id, device_name).map_err(DeviceInfoError::Name)?;
        Ok(DeviceInfo {
            name,
            authentication: Authentication::Certificate {
                ca_file,
                certificate_file,
                private_key_file,
            },
        })
    }

    /// Reads the text of a `device_info.json`.
    ///
    /// # Errors
    /// [`DeviceInfoError`] for the first fault found. Its text names the field and what to do, and
    /// repeats nothing of the file but an unknown `auth_mode` and single characters of the names.
    pub fn from_json(text: &str) -> Result<DeviceInfo, DeviceInfoError> {
        let value = serde_json::from_str(text).map_err(|error| DeviceInfoError::NotJson {
            line: error.line(),
            column: error.column(),
            reason: error.to_string(),
        })?;
        let value = Wiped(value);
        let Value::Object(root) = &value.0 else {
            return Err(DeviceInfoError::NotAnObject { field: None });
        };
        let auth_mode = required(root, "auth_mode", "auth_mode")?;
        let is_key = match auth_mode {
            "KEY" => true,
            "CERT" => false,
            other => {
                let found = other.chars().take(64).collect();
                return Err(DeviceInfoError::UnknownAuthMode { found });
            }
        };
        let product_id = required(root, "productId", "productId")?;
        let device_name = required(root, "deviceName", "deviceName")?;
        if is_key {
            let key = object(root, "key_deviceinfo")?;
            let secret = required(key, "deviceSecret", "key_deviceinfo.deviceSecret")?;
            DeviceInfo::with_key(product_id, device_name, secret)
        } else {
            let cert = object(root, "cert_deviceinfo")?;
            let ca_file = optional(cert, "devCaFile", "cert_deviceinfo.devCaFile")?;
            let certificate_file = required(cert, "devCertFile", "cert_deviceinfo.devCertFile")?;
            let private_key_file = required(
                cert,
                "devPrivateKeyFile",
                "cert_deviceinfo.devPrivateKeyFile",
            )?;
            DeviceInfo::with_certificate(
                product_id,
                device_name,
                ca_file.map(String::from),
                certificate_file.into(),
                private_key_file.into(),
            )
        }
    }
}

/// Why a text is not a usable `device_info.json`. The configuration is at fault.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum DeviceInfoError {
    /// The text is not JSON, or nests deeper than 128 levels.
    NotJson {
        /// The line of the fault, from 1.
        line: usize,
        /// The column in bytes, from 1; 0 at the end of a line.
        column: usize,
        /// serde_json's description, which repeats the place and quotes nothing of the text.
        reason: String,
    },
    /// The text as a whole, or the named field, is not a JSON object.
    NotAnObject {
        /// The field; `None` for the whole.
        field: Option<&'static str>,
    },
    /// A field is missing or null.
    Missing {
        /// Its path, such as `key_deviceinfo.deviceSecret`.
        field: &'static str,
    },
    /// A field is not a string.
    NotAString {
        /// Its path.
        field: &'static str,
    },
    /// A field is the empty string.
    Empty {
        /// Its path.
        field: &'static str,
    },
    /// A field still has a value `YOUR_...` of the vendor's sample file.
    Placeholder {
        /// Its path.
        field: &'static str,
    },
    /// `auth_mode` is neither `KEY` nor `CERT`.
    UnknownAuthMode {
        /// Its value, cut after 64 characters.
        found: String,
    },
    /// `productId` or `deviceName` cannot be part of a topic.
    Name(NameError),
    /// The secret has more than 64 characters.
    SecretTooLong {
        /// How many it has.
        length: usize,
    },
    /// The secret is not base64.
    SecretNotBase64,
}

impl fmt::Display for DeviceInfoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DeviceInfoError::NotJson { reason, .. } => write!(f, "not JSON: {reason}"),
            DeviceInfoError::NotAnObject { field: None } => {
                f.write_str("not a JSON object: the file has to be `{ \"auth_mode\": .. }`")
            }
            DeviceInfoError::NotAnObject { field: Some(field) } => {
                write!(f, "`{field}` has to be a JSON object")
            }
            DeviceInfoError::Missing { field } => write!(f, "`{field}` is missing: add it"),
            DeviceInfoError::NotAString { field } => {
                write!(f, "`{field}` has to be a string in double quotes")
            }
            DeviceInfoError::Empty { field } => write!(f, "`{field}` is empty: fill it in"),
            DeviceInfoError::Placeholder { field } => write!(
                f,
                "`{field}` still has the sample's `YOUR_..` value: fill in the one the console shows"
            ),
            DeviceInfoError::UnknownAuthMode { found } => {
                write!(
                    f,
                    "`auth_mode` is {found:?}: it has to be \"KEY\" or \"CERT\""
                )
            }
            DeviceInfoError::Name(error) => write!(f, "{error}"),
            DeviceInfoError::SecretTooLong { length } => write!(
                f,
                "`key_deviceinfo.deviceSecret` has {length} characters, at most \
                 {DEVICE_SECRET_LENGTH} are allowed"
            ),
            DeviceInfoError::SecretNotBase64 => f.write_str(
                "`key_deviceinfo.deviceSecret` is not base64: copy it from the console unchanged",
            ),
        }
    }
}

impl core::error::Error for DeviceInfoError {}

/// A tree with secrets in it, whose texts are overwritten when it goes.
struct Wiped(Value);

impl Drop for Wiped {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

/// The reader has bounded the depth.
fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(values) => values.iter_mut().for_each(wipe),
        Value::Object(object) => object.values_mut().for_each(wipe),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn read_secret(text: &str) -> Result<Secret, DeviceInfoError> {
    let length = text.chars().count();
    if length > DEVICE_SECRET_LENGTH {
        return Err(DeviceInfoError::SecretTooLong { length });
    }
    Secret::from_base64(text).map_err(|InvalidSecret| DeviceInfoError::SecretNotBase64)
}

fn object<'a>(
    parent: &'a Map<String, Value>,
    field: &'static str,
) -> Result<&'a Map<String, Value>, DeviceInfoError> {
    match parent.get(field) {
        None | Some(Value::Null) => Err(DeviceInfoError::Missing { field }),
        Some(Value::Object(object)) => Ok(object),
        Some(_) => Err(DeviceInfoError::NotAnObject { field: Some(field) }),
    }
}

/// A string that is there, not empty and filled in; `field` is the path to name in the error.
fn required<'a>(
    parent: &'a Map<String, Value>,
    key: &str,
    field: &'static str,
) -> Result<&'a str, DeviceInfoError> {
    match string(parent, key, field)?.ok_or(DeviceInfoError::Missing { field })? {
        "" => Err(DeviceInfoError::Empty { field }),
        text => Ok(text),
    }
}

/// A string that may be missing or empty.
fn optional<'a>(
    parent: &'a Map<String, Value>,
    key: &str,
    field: &'static str,
) -> Result<Option<&'a str>, DeviceInfoError> {
    Ok(string(parent, key, field)?.filter(|text| !text.is_empty()))
}

fn string<'a>(
    parent: &'a Map<String, Value>,
    key: &str,
    field: &'static str,
) -> Result<Option<&'a str>, DeviceInfoError> {
    match parent.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.starts_with("YOUR_") => {
            Err(DeviceInfoError::Placeholder { field })
        }
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(DeviceInfoError::NotAString { field }),
    }
}

#[cfg(test)]
mod tests;
