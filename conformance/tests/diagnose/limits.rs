//! The vendor's limits.

use conformance::diagnose::Finding;

use crate::tape::{
    CLIENT, Tape, assert_finds, connack, connect_with, publish, publish_with, subscribe,
};

#[test]
fn payloads_and_topics_have_bounds() {
    let with = |topic: usize, payload: usize| {
        Tape::new()
            .ready(0)
            .device(100, publish(&"t".repeat(topic), &"p".repeat(payload)))
    };
    assert_finds!(
        1,
        Finding::PayloadTooLarge { size: 16_385 },
        [with(1, 16_385)]
    );
    assert_finds!(0, Finding::PayloadTooLarge { .. }, [with(1, 16_384)]);
    assert_finds!(1, Finding::TopicTooLong { length: 256 }, [with(256, 1)]);
    assert_finds!(0, Finding::TopicTooLong { .. }, [with(255, 1)]);
    // Nobody else's.
    let other = Tape::new()
        .device(0, crate::tape::connect("c", 60))
        .server(1, connack(0))
        .device(2, publish("t", &"p".repeat(20_000)));
    assert_finds!(0, Finding::PayloadTooLarge { .. }, [other]);
}

#[test]
fn messages_are_spread() {
    let burst = |messages: u64, every: u64| {
        let tape = Tape::new().ready(0);
        (0..messages).fold(tape, |tape, n| {
            tape.device(1_000 + n * every, publish("t", "p"))
        })
    };
    assert_finds!(
        1,
        Finding::TooManyMessages {
            within_a_second: 21
        },
        [burst(21, 10)]
    );
    assert_finds!(0, Finding::TooManyMessages { .. }, [burst(20, 10)]);
    // Twenty a second for ever.
    assert_finds!(0, Finding::TooManyMessages { .. }, [burst(200, 50)]);
    assert_finds!(1, Finding::TooManyMessages { .. }, [burst(200, 45)]);
}

#[test]
fn the_vendors_server_lacks_some_of_mqtt() {
    let with = |bytes: Vec<u8>| Tape::new().ready(0).device(100, bytes);
    let kinds = |what: &'static str, bytes: Vec<u8>| {
        assert_finds!(1, Finding::UnsupportedByVendor { what: found } if *found == what, [with(bytes)]);
    };
    kinds("QoS 2", publish_with(0b0100, 7, "t", "p"));
    kinds("a retained message", publish_with(0b0011, 7, "t", "p"));
    kinds(
        "several filters in one SUBSCRIBE",
        subscribe(7, &["a", "b"]),
    );
    let plain = with(publish_with(0b0010, 7, "t", "p"));
    assert_finds!(0, Finding::UnsupportedByVendor { .. }, [plain]);
    let will = Tape::new()
        .device(
            0,
            connect_with(("MQTT", 4), CLIENT, 60, 0x06, &["topic", "gone"]),
        )
        .server(1, connack(0))
        .device(2, subscribe(1, &[crate::tape::RESULT]));
    assert_finds!(1, Finding::UnsupportedByVendor { what: "a will" }, [will]);
}
