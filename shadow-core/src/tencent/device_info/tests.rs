use alloc::format;
use alloc::string::ToString;

use super::*;

/// As in the vendor's README, filled in with the device of the recorded sessions.
const KEY: &str = r#"{
  "auth_mode":"KEY",
  "productId":"PYSDKCAP01",
  "deviceName":"test01",
  "key_deviceinfo":{
    "deviceSecret":"MDEyMzQ1Njc4OWFiY2RlZg=="
  }
}"#;

/// The field layout of the vendor's sample file.
fn sample(auth_mode: &str) -> String {
    format!(
        r#"{{
            "auth_mode":"{auth_mode}",
            "productId":"PYSDKCAP01",
            "productSecret":"YOUR_PRODUCT_SECRET",
            "deviceName":"test01",
            "key_deviceinfo":{{ "deviceSecret":"YOUR_DEVICE_SECRET" }},
            "cert_deviceinfo":{{
                "devCaFile":"YOUR_CA_FILE_NAME",
                "devCertFile":"YOUR_DEVICE_CERT_FILE_NAME",
                "devPrivateKeyFile":"YOUR_DEVICE_PRIVATE_KEY_FILE_NAME"
            }},
            "subDev":{{ "subdev_num":1, "subdev_list":[{{"sub_productId":"","sub_devName":""}}] }},
            "region":"china"
        }}"#
    )
}

#[test]
fn reads_a_key_device() {
    let info = DeviceInfo::from_json(KEY).unwrap();
    assert_eq!(info.name, ShadowName::new("PYSDKCAP01", "test01").unwrap());
    assert!(matches!(info.authentication, Authentication::Key { .. }));
    assert_eq!(
        format!("{info:?}"),
        "DeviceInfo { name: PYSDKCAP01/test01, authentication: Key { .. } }"
    );
}

#[test]
fn the_parts_not_chosen_may_be_unfilled() {
    let text = sample("KEY").replace("YOUR_DEVICE_SECRET", "MDEyMzQ1Njc4OWFiY2RlZg");
    assert!(DeviceInfo::from_json(&text).is_ok());
}

#[test]
fn reads_a_certificate_device() {
    let text = sample("CERT")
        .replace("YOUR_CA_FILE_NAME", "")
        .replace("YOUR_DEVICE_CERT_FILE_NAME", "device.crt")
        .replace("YOUR_DEVICE_PRIVATE_KEY_FILE_NAME", "device.key");
    let Authentication::Certificate {
        ca_file,
        certificate_file,
        private_key_file,
    } = DeviceInfo::from_json(&text).unwrap().authentication
    else {
        panic!("not a certificate");
    };
    assert_eq!(ca_file, None);
    assert_eq!(certificate_file, "device.crt");
    assert_eq!(private_key_file, "device.key");
    let text = text.replace(r#""devCaFile":"""#, r#""devCaFile":"ca.pem""#);
    let info = DeviceInfo::from_json(&text).unwrap();
    assert!(matches!(
        info.authentication,
        Authentication::Certificate { ca_file: Some(ca), .. } if ca == "ca.pem"
    ));
}

/// Each row changes one thing of the good file; the message names the field and what to do.
#[test]
fn every_fault_is_told() {
    let long_secret = "A".repeat(65);
    let key = |from: &str, to: &str| {
        assert!(KEY.contains(from), "{from}");
        KEY.replace(from, to)
    };
    let rows = [
        (
            String::new(),
            "not JSON: EOF while parsing a value at line 1 column 0",
        ),
        (
            "{\n \"auth_mode\": KEY }".into(),
            "not JSON: expected value at line 2 column 15",
        ),
        (
            "[".repeat(1000),
            "not JSON: recursion limit exceeded at line 1 column 128",
        ),
        (
            "[]".into(),
            "not a JSON object: the file has to be `{ \"auth_mode\": .. }`",
        ),
        ("{}".into(), "`auth_mode` is missing: add it"),
        (key("\"KEY\"", "null"), "`auth_mode` is missing: add it"),
        (
            key("\"KEY\"", "1"),
            "`auth_mode` has to be a string in double quotes",
        ),
        (
            key("\"KEY\"", "\"key\""),
            "`auth_mode` is \"key\": it has to be \"KEY\" or \"CERT\"",
        ),
        (key("\"KEY\"", "\"\""), "`auth_mode` is empty: fill it in"),
        (
            key("productId", "product"),
            "`productId` is missing: add it",
        ),
        (
            key("\"PYSDKCAP01\"", "17"),
            "`productId` has to be a string in double quotes",
        ),
        (key("PYSDKCAP01", ""), "`productId` is empty: fill it in"),
        (
            key("PYSDKCAP01", "YOUR_PRODUCT_ID"),
            "`productId` still has the sample's `YOUR_..` value: fill in the one the console shows",
        ),
        (
            key("PYSDKCAP01", "PYSDKCAP012"),
            "productId has 11 characters, at most 10 are allowed",
        ),
        (key("deviceName", "name"), "`deviceName` is missing: add it"),
        (
            key("test01", "YOUR_DEVICE_NAME"),
            "`deviceName` still has the sample's `YOUR_..` value: fill in the one the console \
             shows",
        ),
        (
            key("test01", "a+b"),
            "deviceName contains '+'; '/', '+', '#' and control characters are not allowed",
        ),
        (
            key("test01", &"d".repeat(49)),
            "deviceName has 49 characters, at most 48 are allowed",
        ),
        (
            key("key_deviceinfo", "key"),
            "`key_deviceinfo` is missing: add it",
        ),
        (
            KEY.replace('\n', "")
                .replace("{    \"deviceSecret\"", "[],\"a\":{\"deviceSecret\""),
            "`key_deviceinfo` has to be a JSON object",
        ),
        (
            key("deviceSecret", "secret"),
            "`key_deviceinfo.deviceSecret` is missing: add it",
        ),
        (
            key("\"MDEyMzQ1Njc4OWFiY2RlZg==\"", "true"),
            "`key_deviceinfo.deviceSecret` has to be a string in double quotes",
        ),
        (
            key("MDEyMzQ1Njc4OWFiY2RlZg==", ""),
            "`key_deviceinfo.deviceSecret` is empty: fill it in",
        ),
        (
            sample("KEY"),
            "`key_deviceinfo.deviceSecret` still has the sample's `YOUR_..` value: fill in the \
             one the console shows",
        ),
        (
            key("MDEyMzQ1Njc4OWFiY2RlZg==", "hunter2!"),
            "`key_deviceinfo.deviceSecret` is not base64: copy it from the console unchanged",
        ),
        (
            key("MDEyMzQ1Njc4OWFiY2RlZg==", &long_secret),
            "`key_deviceinfo.deviceSecret` has 65 characters, at most 64 are allowed",
        ),
        (
            key("\"KEY\"", "\"CERT\""),
            "`cert_deviceinfo` is missing: add it",
        ),
        (
            sample("CERT"),
            "`cert_deviceinfo.devCaFile` still has the sample's `YOUR_..` value: fill in the one \
             the console shows",
        ),
        (
            sample("CERT")
                .replace("YOUR_CA_FILE_NAME", "")
                .replace("devCertFile", "cert"),
            "`cert_deviceinfo.devCertFile` is missing: add it",
        ),
        (
            sample("CERT")
                .replace("YOUR_CA_FILE_NAME", "")
                .replace("YOUR_DEVICE_CERT_FILE_NAME", "c")
                .replace("YOUR_DEVICE_PRIVATE_KEY_FILE_NAME", ""),
            "`cert_deviceinfo.devPrivateKeyFile` is empty: fill it in",
        ),
    ];
    for (text, message) in rows {
        let error = DeviceInfo::from_json(&text).unwrap_err();
        assert_eq!(error.to_string(), message, "{text}");
    }
}

#[test]
fn an_error_does_not_repeat_the_secret() {
    let text = KEY.replace("MDEyMzQ1Njc4OWFiY2RlZg==", "hunter2!");
    let error = DeviceInfo::from_json(&text).unwrap_err();
    assert!(!format!("{error} {error:?}").contains("hunter2"));
}

#[test]
fn json_faults_have_a_place() {
    let error = DeviceInfo::from_json("{\n\"auth_mode\" \"KEY\"}").unwrap_err();
    assert!(matches!(
        error,
        DeviceInfoError::NotJson {
            line: 2,
            column: 13,
            ..
        }
    ));
}
