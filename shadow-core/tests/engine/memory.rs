//! The budgets of memory: allocations are counted, so these hold on any machine.

use core::time::Duration;

use allocation_counter::measure;
use shadow_core::Engine;
use shadow_core::mqtt::QoS;
use shadow_core::recording::Recorder;
use shadow_core::tencent::Update;

use crate::device::{Device, Out, RESULT_TOPIC, config, publish, token};

#[derive(serde::Serialize)]
struct Reported {
    count: u32,
    name: &'static str,
}

const REPORTED: Reported = Reported {
    count: 12,
    name: "shadow",
};

#[test]
fn an_idle_connected_engine_takes_2_kib_all_told() {
    let mut device = None;
    let heap = measure(|| device = Some(Device::ready(config())));
    let device = device.unwrap();
    assert!(device.engine.is_online());
    let heap = usize::try_from(heap.bytes_current).unwrap();
    let total = size_of::<Engine>() + heap;
    assert!(total <= 2_048, "{} + {heap} bytes", size_of::<Engine>());
}

/// Idle after work, not only before: buffers that grew are given back.
#[test]
fn an_engine_that_has_worked_takes_2_kib_when_it_is_idle_again() {
    let mut device = None;
    let heap = measure(|| {
        let mut config = config();
        config.limits.messages_per_second = None; // All are to wait together.
        let mut worked = Device::ready(config);
        let shadow = worked.shadow();
        for together in [&[1; 20][..], &[60]].concat() {
            let mut open = Vec::new();
            for _ in 0..together {
                open.push(worked.engine.update(
                    worked.now,
                    shadow,
                    &Update::new().reported(REPORTED),
                ));
            }
            for out in worked.poll() {
                let Out::Packet(bytes) = out else {
                    panic!("{out:?}");
                };
                let payload = bytes.iter().position(|byte| *byte == b'{').unwrap();
                let update = core::str::from_utf8(&bytes[payload..]).unwrap();
                worked.reply(&token(update), "update", 0, "{}");
            }
            assert_eq!(worked.events().len(), open.len());
        }
        device = Some(worked);
    });
    let device = device.unwrap();
    assert!(device.engine.is_online() && device.engine.open_requests() == 0);
    let heap = usize::try_from(heap.bytes_current).unwrap();
    let total = size_of::<Engine>() + heap;
    assert!(total <= 2_048, "{} + {heap} bytes", size_of::<Engine>());
}

#[test]
fn a_warm_update_allocates_nothing() {
    let mut device = Device::ready(config());
    let shadow = device.shadow();
    let mut buffer = Vec::with_capacity(1_024);
    let mut update = || {
        device.wait(Duration::from_millis(50)); // 20 a second may leave.
        let update = Update::new().reported(&REPORTED);
        device.engine.update(device.now, shadow, &update).unwrap();
        let sent = device.engine.poll_transmit(device.now, &mut buffer);
        assert!(sent.is_some());
        buffer.clear();
    };
    // The table of requests grows by doubling; let it reach its size for as many as are open here.
    for _ in 0..20 {
        update();
    }
    let counted = measure(|| (0..5).for_each(|_| update()));
    assert_eq!(counted.count_total, 0);
}

#[test]
fn a_get_reply_becomes_an_event_with_two_allocations() {
    let mut device = Device::ready(config());
    let shadow = device.shadow();
    for _ in 0..2 {
        device.engine.get(device.now, shadow).unwrap();
        let sent = token(&device.published());
        let payload = format!(
            r#"{{"clientToken":"{sent}","payload":{{"state":{{"reported":{{"updateCount":1}}}},"timestamp":1626771521739,"version":21}},"result":0,"timestamp":1626771521,"type":"get"}}"#
        );
        let packet = publish(RESULT_TOPIC, payload.as_bytes(), QoS::AtMostOnce, None);
        let counted = measure(|| {
            device.engine.handle_bytes(device.now, &packet);
            assert!(device.engine.poll_event().is_some());
        });
        assert!(
            counted.count_total <= 2,
            "{} allocations",
            counted.count_total
        );
    }
}

/// A get, its reply and its end; how many allocations that takes.
macro_rules! exchange {
    ($engine:expr, $now:expr, $buffer:expr) => {{
        let (engine, now, buffer) = ($engine, $now, $buffer);
        let shadow = engine.own_shadow().unwrap();
        let asked = measure(|| {
            engine.get(now, shadow).unwrap();
            assert!(engine.poll_transmit(now, buffer).is_some());
        });
        let payload = buffer.iter().position(|byte| *byte == b'{').unwrap();
        let sent = token(core::str::from_utf8(&buffer[payload..]).unwrap());
        let reply = format!(
            r#"{{"clientToken":"{sent}","payload":{{"state":{{}}}},"result":0,"type":"get"}}"#
        );
        let packet = publish(RESULT_TOPIC, reply.as_bytes(), QoS::AtMostOnce, None);
        let answered = measure(|| {
            engine.handle_bytes(now, &packet);
            assert!(engine.poll_event().is_some());
        });
        buffer.clear();
        asked.count_total + answered.count_total
    }};
}

#[test]
fn a_recorder_that_is_off_allocates_nothing_beside_its_engine() {
    let mut device = Device::ready(config());
    let mut off = None;
    let engine = Device::ready(config()).engine;
    let made = measure(|| off = Some(Recorder::<String>::off(engine)));
    assert_eq!(made.count_total, 0);
    let mut off = off.unwrap();
    let mut buffer = Vec::with_capacity(1_024);
    for _ in 0..3 {
        device.wait(Duration::from_secs(1));
        let bare = exchange!(&mut device.engine, device.now, &mut buffer);
        let wrapped = exchange!(&mut off, device.now, &mut buffer);
        assert_eq!(wrapped, bare);
    }
}
