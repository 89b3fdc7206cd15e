//! Who the devices of a fleet are.

use shadow_core::tencent::DeviceInfo;

/// The product of all devices of all fleets.
const PRODUCT_ID: &str = "EXAMPLEFLT";

/// The secret of each of them, made up and public: base64 of `not a real secret, only for a fleet`.
const SECRET: &str = "bm90IGEgcmVhbCBzZWNyZXQsIG9ubHkgZm9yIGEgZmxlZXQ=";

/// The device with this number: `EXAMPLEFLT/device000000`, and so on. A server that lets a fleet in
/// makes the same.
pub(crate) fn device(number: u32) -> DeviceInfo {
    let name = format!("device{number:06}");
    DeviceInfo::with_key(PRODUCT_ID, &name, SECRET)
        .expect("10 characters, at most 16 characters and base64 keep the limits of the vendor")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_a_device_of_its_own() {
        assert_eq!(device(7).name.to_string(), "EXAMPLEFLT/device000007");
        assert_eq!(device(999_999).name.device_name(), "device999999");
        // Whatever is asked for: it is a device.
        assert_eq!(device(u32::MAX).name.device_name(), "device4294967295");
    }
}
