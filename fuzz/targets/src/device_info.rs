//! `device_info.json`: the fields as serde_json's tree has them, and no secret in any text.

use serde_json::{Map, Value};
use shadow_core::tencent::{Authentication, DeviceInfo, DeviceInfoError};

use crate::json::tree;

/// Reads the bytes as the text of a `device_info.json`.
///
/// # Panics
/// If a field is read otherwise than serde_json's tree has it, or the text of an error depends on
/// what it may not repeat.
pub fn device_info(data: &[u8]) {
    let Ok(text) = core::str::from_utf8(data) else {
        return;
    };
    let object = match (DeviceInfo::from_json(text), tree(text)) {
        (Err(error), None) => {
            assert!(matches!(error, DeviceInfoError::NotJson { .. }), "{error}");
            return;
        }
        (Err(error), Some(Value::Object(object))) => return check_error(object, &error),
        (Err(error), Some(_)) => {
            assert_eq!(error, DeviceInfoError::NotAnObject { field: None });
            return;
        }
        (Ok(device), Some(Value::Object(object))) => {
            check(&object, &device);
            object
        }
        (Ok(device), _) => panic!("{} out of no object", device.name),
    };
    // Spaced otherwise it is the same device.
    let spaced = serde_json::to_string_pretty(&object).unwrap_or_default();
    match DeviceInfo::from_json(&spaced) {
        Ok(device) => check(&object, &device),
        Err(error) => panic!("{error}"),
    }
}

fn check(object: &Map<String, Value>, device: &DeviceInfo) {
    let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
    assert_eq!(
        text(object.get("productId")).as_deref(),
        Some(device.name.product_id())
    );
    assert_eq!(
        text(object.get("deviceName")).as_deref(),
        Some(device.name.device_name())
    );
    let (mode, nested) = match &device.authentication {
        Authentication::Key { .. } => ("KEY", object.get("key_deviceinfo")),
        Authentication::Certificate { .. } => ("CERT", object.get("cert_deviceinfo")),
    };
    assert_eq!(text(object.get("auth_mode")).as_deref(), Some(mode));
    let field = |key| text(nested.and_then(|nested| nested.get(key)));
    match &device.authentication {
        Authentication::Key { .. } => {
            let secret = field("deviceSecret").unwrap_or_default();
            assert!((1..=64).contains(&secret.chars().count()));
        }
        Authentication::Certificate {
            ca_file,
            certificate_file,
            private_key_file,
        } => {
            assert_eq!(field("devCaFile").filter(|file| !file.is_empty()), *ca_file);
            assert_eq!(field("devCertFile").as_ref(), Some(certificate_file));
            assert_eq!(field("devPrivateKeyFile").as_ref(), Some(private_key_file));
        }
    }
}

/// An error stays the same when everything that it may not repeat is replaced.
fn check_error(object: Map<String, Value>, error: &DeviceInfoError) {
    let mut other = Value::Object(object);
    if let Value::Object(object) = &mut other {
        for (key, value) in object {
            if !["auth_mode", "productId", "deviceName"].contains(&key.as_str()) {
                replace(value);
            }
        }
    }
    let again = DeviceInfo::from_json(&other.to_string());
    assert_eq!(again.err().as_ref(), Some(error));
}

/// Puts other texts of the same length in place, which are no base64 either if one was not.
fn replace(value: &mut Value) {
    match value {
        Value::String(text) if text.starts_with("YOUR_") => {}
        Value::String(text) => *text = "!".repeat(text.chars().count()),
        Value::Array(values) => values.iter_mut().for_each(replace),
        Value::Object(object) => object.values_mut().for_each(replace),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
