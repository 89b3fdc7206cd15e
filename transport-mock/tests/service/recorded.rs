//! Recorded and printed sessions: given what the device sent and when, every byte of the cloud's.

use std::collections::VecDeque;

use shadow_core::tencent::ShadowName;
use transport_mock::service::{ServiceConfig, ShadowService};

use crate::support::at;

/// Replays a session; `product` is whose it is. Returns how many of the cloud's payloads matched.
fn replay(session: &str, product_id: &str, config: ServiceConfig) -> usize {
    let name = ShadowName::new(product_id, "test01").unwrap();
    let mut cloud = ShadowService::with_config(config);
    let mut sent = VecDeque::new();
    let mut matched = 0;
    for line in session.lines().filter(|line| !line.starts_with('#')) {
        let mut fields = line.splitn(4, ' ');
        let [who, clock, number, payload] = [(); 4].map(|()| fields.next().unwrap());
        let wall = || at(clock.parse().unwrap());
        match who {
            "seed" => cloud
                .seed(&name, payload, number.parse().unwrap(), wall())
                .unwrap(),
            "device" => {
                assert_eq!(payload.len(), number.parse::<usize>().unwrap(), "{line}");
                sent.extend(cloud.handle_request(wall(), &name, payload.as_bytes()));
            }
            "app" => sent.extend(
                cloud
                    .set_desired(wall(), &name, payload, None)
                    .unwrap()
                    .push,
            ),
            "cloud" => {
                let found = sent.pop_front().unwrap();
                assert_eq!(String::from_utf8_lossy(&found), format!("{payload}\n"));
                assert_eq!(found.len(), number.parse::<usize>().unwrap(), "{line}");
                matched += 1;
            }
            "unprinted" => assert!(sent.pop_front().is_some()),
            _ => panic!("{line}"),
        }
    }
    assert!(sent.is_empty(), "sent and not in the session: {sent:?}");
    matched
}

#[test]
fn first_contact_of_the_python_sdk() {
    let session = include_str!("../fixtures/python-sdk-first-contact.txt");
    assert_eq!(replay(session, "PYSDKCAP01", ServiceConfig::default()), 9);
}

#[test]
fn deltas_of_the_python_sdk() {
    let session = include_str!("../fixtures/python-sdk-delta.txt");
    assert_eq!(replay(session, "PYSDKCAP01", ServiceConfig::default()), 30);
}

/// Payloads of 192 and 219 bytes.
#[test]
fn printed_get_and_modification() {
    let config = ServiceConfig {
        count_unchanged: true,
        ..ServiceConfig::default()
    };
    let session = include_str!("../fixtures/printed-modify.txt");
    assert_eq!(replay(session, "ABCDE12345", config), 2);
}

/// Payloads of 174 and 218 bytes.
#[test]
fn printed_regular_update() {
    let session = include_str!("../fixtures/printed-regular-update.txt");
    assert_eq!(replay(session, "ABCDE12345", ServiceConfig::default()), 10);
}
