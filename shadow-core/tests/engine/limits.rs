//! What the server would not take is refused before it leaves.

use serde_json::{Value, json};
use shadow_core::mqtt::QoS;
use shadow_core::tencent::{Limits, Update};
use shadow_core::{Config, Limit, LimitExceeded, Publication, RequestError, RequestId};

use crate::device::{Device, config, info};

fn exceeded(limit: Limit, value: usize, maximum: usize) -> Result<RequestId, RequestError> {
    Err(RequestError::LimitExceeded(LimitExceeded {
        limit,
        value,
        maximum,
    }))
}

/// So many objects, one in the other.
fn nested(levels: usize) -> Value {
    (1..levels).fold(json!({}), |inner, _| json!({ "a": inner }))
}

#[test]
fn parts_of_an_update_are_checked_for_depth() {
    for (limits, deepest) in [(Limits::current(), 5), (Limits::older(), 6)] {
        let mut config = config();
        config.limits = limits;
        let mut device = Device::ready(config);
        let (now, shadow) = (device.now, device.shadow());
        let mut reported = |levels| {
            let update = Update::new().reported(nested(levels));
            device.engine.update(now, shadow, &update)
        };
        assert!(reported(deepest).is_ok());
        let deep = exceeded(Limit::DocumentDepth, deepest + 1, deepest);
        assert_eq!(reported(deepest + 1), deep);
        let mut desired = |levels| {
            let update = Update::new().reported(nested(1)).desired(nested(levels));
            device.engine.update(now, shadow, &update)
        };
        assert!(desired(deepest).is_ok());
        assert_eq!(desired(deepest + 1), deep);
        // Arrays count too; many openings side by side, or in a string, do not.
        let wide = json!({"a": [{}, {}, {}, {}, {}, {}, {}], "b": "[[[[[[[[{{{{{{"});
        assert!(device.engine.report(now, shadow, &wide).is_ok());
        let arrays = json!({"a": [[[[[[]]]]]]});
        let refused = device.engine.report(now, shadow, &arrays);
        assert_eq!(refused, exceeded(Limit::DocumentDepth, 7, deepest));
        assert_eq!(device.poll().len(), 3, "what was refused does not leave");
        assert_eq!(device.engine.open_requests(), 3);
    }
}

#[test]
fn payloads_and_topics_are_checked_to_the_last_byte() {
    let mut device = Device::ready(config());
    let now = device.now;
    let mut publish = |topic: usize, payload: usize| {
        let (topic, payload) = ("t".repeat(topic), vec![0; payload]);
        device
            .engine
            .publish(now, &Publication::new(&topic, &payload))
    };
    assert!(publish(255, 16_384).is_ok());
    assert_eq!(publish(256, 0), exceeded(Limit::TopicLength, 256, 255));
    assert_eq!(
        publish(1, 16_385),
        exceeded(Limit::PayloadSize, 16_385, 16_384)
    );
    let long = "f".repeat(256);
    let subscribed = device.engine.subscribe(now, &long, QoS::AtMostOnce);
    assert_eq!(subscribed, exceeded(Limit::TopicLength, 256, 255));
    let unsubscribed = device.engine.unsubscribe(now, &long);
    assert_eq!(unsubscribed, exceeded(Limit::TopicLength, 256, 255));
    assert_eq!(device.poll().len(), 1);
}

#[test]
fn other_servers_have_other_limits() {
    let mut device = Device::online(Config::plain("tool"));
    let (topic, payload) = ("t".repeat(60_000), vec![0; 60_000]);
    let publication = Publication::new(&topic, &payload);
    assert!(device.engine.publish(device.now, &publication).is_ok());
    device.poll();
    assert_eq!(Config::plain("tool").limits, Limits::NONE);

    // A recording may hold any document, any number of messages and any keep alive.
    let mut config = Config::python_sdk(&info());
    config.keep_alive = 5;
    assert_eq!(config.check(), Ok(()));
    let mut device = Device::online(config);
    let name = shadow_core::tencent::ShadowName::new("PRODUCT001", "lamp").unwrap();
    let shadow = device.engine.attach(device.now, &name).unwrap();
    for _ in 0..40 {
        let update = Update::new().reported(nested(20));
        device.engine.update(device.now, shadow, &update).unwrap();
    }
    assert_eq!(device.poll().len(), 41, "SUBSCRIBE and every update");
    let large = device
        .engine
        .publish(device.now, &Publication::new("t", &[0; 16_385]));
    assert_eq!(large, exceeded(Limit::PayloadSize, 16_385, 16_384));
}
