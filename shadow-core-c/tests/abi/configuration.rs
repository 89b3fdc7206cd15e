//! What a configuration changes, as seen by the cloud.

use std::ptr;

use shadow_core::{Instant, VersionPolicy};
use shadow_core_c::ffi::*;
use shadow_core_c::shadow_event_kind::*;
use shadow_core_c::shadow_outcome::*;
use shadow_core_c::shadow_result::*;
use shadow_core_c::shadow_version_policy::*;
use shadow_core_c::{shadow_config, shadow_counts, shadow_version_policy};
use transport_mock::cloud::example_name;

use crate::device::{Device, Network, Told, defaults};
use crate::end;

#[test]
fn device_info_is_read_as_the_vendors() {
    let text = c"{\"auth_mode\":\"KEY\",\"productId\":\"EXAMPLE001\",\"deviceName\":\"test01\",
        \"key_deviceinfo\":{\"deviceSecret\":\"bm90IGEgcmVhbCBzZWNyZXQsIG9ubHkgYW4gZXhhbXBsZQ==\"}}";
    let config = shadow_config {
        device_info: text.as_ptr(),
        ..defaults()
    };
    let (mut device, mut network) = (Device::new(&config, 0).unwrap(), Network::new());
    network.carry(&mut device);
    assert_eq!(device.event().unwrap().event.kind, SHADOW_EVENT_CONNECTED);

    let config = shadow_config {
        device_info: c"{\"auth_mode\":\"KEY\",\"productId\":\"P\",\"deviceName\":\"d\"}".as_ptr(),
        ..defaults()
    };
    let (result, error) = Device::new(&config, 0).err().unwrap();
    assert_eq!(result, SHADOW_INVALID_DEVICE);
    assert_eq!(error, "`key_deviceinfo` is missing: add it");
}

/// The defaults are those of an engine that is made in Rust.
#[test]
fn the_defaults_are_the_librarys() {
    let device = transport_mock::cloud::example_device();
    let expected = shadow_core::Config::new(&device);
    let config = defaults();
    let micros = |duration: std::time::Duration| duration.as_micros() as u64;
    assert_eq!(config.keep_alive_seconds, expected.keep_alive);
    assert_eq!(config.shadow_qos, expected.shadow_qos as u8);
    assert_eq!(config.clean_session != 0, expected.clean_session);
    let (policy, tries) = (config.version_policy, config.version_tries);
    assert_eq!(policy, SHADOW_VERSION_REBASE as u32);
    assert_eq!(VersionPolicy::Rebase { tries }, expected.version_policy);
    assert_eq!(config.ping_timeout_micros, micros(expected.ping_timeout));
    assert_eq!(
        config.connect_timeout_micros,
        micros(expected.connect_timeout)
    );
    assert_eq!(
        config.request_timeout_micros,
        micros(expected.request_timeout)
    );
    assert_eq!(
        config.backoff_initial_micros,
        micros(expected.backoff.initial)
    );
    assert_eq!(
        config.backoff_maximum_micros,
        micros(expected.backoff.maximum)
    );
    assert_eq!(
        config.backoff_least_interval_micros,
        micros(expected.backoff.least_interval)
    );
    assert_eq!(config.maximum_packet_size, expected.maximum_packet_size);
    assert_eq!(config.maximum_requests, expected.maximum_requests);
    assert_eq!(config.maximum_queued_bytes, expected.maximum_queued_bytes);
    assert_eq!(config.maximum_in_flight, expected.maximum_in_flight);
    assert_eq!(config.maximum_events, expected.maximum_events);
    assert_eq!(config.maximum_event_bytes, expected.maximum_event_bytes);
    assert_eq!(config.maximum_subscriptions, expected.maximum_subscriptions);
}

/// A report at a version that the cloud has left behind, as something else was desired meanwhile: its
/// end, and what was counted.
fn conflict(policy: shadow_version_policy, tries: u8) -> (Told, shadow_counts, String) {
    let config = shadow_config {
        version_policy: policy as u32,
        version_tries: tries,
        ..defaults()
    };
    let (mut device, mut network) = (Device::example(config), Network::new());
    network.carry(&mut device);
    device.events();
    let now = Instant::from_micros(device.now);
    network
        .cloud
        .set_desired(now, &example_name(), r#"{"color":"blue"}"#, None)
        .unwrap();
    device.report(r#"{"updateCount":5}"#);
    network.carry(&mut device);
    let shadow = network.cloud.shadow(&example_name()).unwrap();
    (end(&mut device), device.counters(), shadow.reported())
}

/// Vendor doc 634/14072: an update at another version than the document's is refused with 5005.
#[test]
fn a_version_conflict_ends_as_the_policy_says() {
    let before = r#"{"updateCount":0,"updateCount11":"shadow"}"#;
    let after = r#"{"updateCount":5,"updateCount11":"shadow"}"#;

    let (ended, counts, reported) = conflict(SHADOW_VERSION_UNCHECKED, 3);
    assert_eq!(ended.event.outcome, SHADOW_OUTCOME_REPORTED);
    assert_eq!((counts.requests_repeated, reported.as_str()), (0, after));

    let (ended, counts, reported) = conflict(SHADOW_VERSION_STRICT, 3);
    assert_eq!(ended.event.outcome, SHADOW_OUTCOME_REJECTED);
    assert_eq!((ended.event.code, ended.event.version), (5005, 9));
    assert_eq!(ended.desired, r#"{"color":"blue"}"#);
    assert_eq!((counts.requests_repeated, reported.as_str()), (0, before));

    let (ended, counts, reported) = conflict(SHADOW_VERSION_REBASE, 3);
    assert_eq!(ended.event.outcome, SHADOW_OUTCOME_REPORTED);
    assert_eq!((counts.requests_repeated, reported.as_str()), (1, after));
}

/// With one try the update after a conflict goes out without a version; with more it has the new one.
#[test]
fn as_many_tries_are_made_as_the_configuration_says() {
    for (tries, versions) in [(1, [true, false]), (2, [true, true])] {
        let config = shadow_config {
            version_tries: tries,
            ..defaults()
        };
        let (mut device, mut network) = (Device::example(config), Network::new());
        network.carry(&mut device);
        device.events();
        let now = Instant::from_micros(device.now);
        network
            .cloud
            .set_desired(now, &example_name(), r#"{"color":"blue"}"#, None)
            .unwrap();
        device.report(r#"{"updateCount":5}"#);
        let sent = network.carry(&mut device);
        let updates = sent
            .iter()
            .filter(|packet| has(packet, r#""updateCount":5"#));
        let stated: Vec<bool> = updates.map(|packet| has(packet, r#""version":"#)).collect();
        assert_eq!(stated, versions, "{tries}");
    }
}

fn has(packet: &[u8], text: &str) -> bool {
    packet
        .windows(text.len())
        .any(|part| part == text.as_bytes())
}

/// The user name is there as well, the password is no signature (vendor doc 634/46346: any will do).
#[test]
fn a_certificate_logs_in_without_a_signature() {
    for (has_certificate, secret) in [(0, c"c2VjcmV0".as_ptr()), (1, ptr::null())] {
        let config = shadow_config {
            product_id: c"EXAMPLE001".as_ptr(),
            device_name: c"test01".as_ptr(),
            device_secret: secret,
            has_certificate,
            ..defaults()
        };
        let mut device = Device::new(&config, 0).unwrap();
        device.transmit().unwrap();
        // SAFETY: the engine was not freed.
        let connected = device.call(|e, n| unsafe { shadow_handle_connected(e, n) });
        assert_eq!(connected, SHADOW_OK);
        let (_, connect) = device.transmit().unwrap();
        assert!(has(&connect, "EXAMPLE001test01;12010126;"));
        assert_eq!(connect.ends_with(b";hmacsha256"), has_certificate == 0);
    }
}
