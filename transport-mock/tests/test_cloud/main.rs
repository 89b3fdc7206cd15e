//! The test kit: what it promises to tests.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that meets the unexpected should stop there"
)]

mod faults;
mod misuse;
mod trace;
mod typed;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use futures_lite::StreamExt;
use serde_json::json;
use shadow_core::{Event, Instant};
use transport_mock::TestCloud;
use transport_mock::trace::LineKind;
use transport_tcp::{Client, Clock, Events, Notification};

/// A firmware that applies whatever it is told and reports how often it was started.
pub(crate) async fn obedient(client: Client, mut events: Events, boots: u32) {
    let shadow = client.own_shadow().unwrap();
    shadow.report(&json!({"boots": boots})).await.unwrap();
    while let Some(notification) = events.next().await {
        if let Notification::Event(Event::Delta(delta)) = notification {
            shadow.accept(&delta).await.unwrap();
        }
    }
}

pub(crate) fn boot_obedient(cloud: &TestCloud) -> usize {
    let boots = Rc::new(Cell::new(0));
    cloud.boot(move |client, events, _| {
        boots.set(boots.get() + 1);
        obedient(client, events, boots.get())
    })
}

#[test]
fn a_device_is_connected_and_no_time_has_passed() {
    let cloud = TestCloud::new();
    let (client, mut events) = cloud.device();
    assert_eq!(cloud.now(), Instant::ZERO);
    cloud.run(async {
        let mut told = Vec::new();
        for _ in 0..3 {
            told.push(events.next().await.unwrap());
        }
        let is_ready = |n: &Notification| matches!(n, Notification::Event(Event::Ready { .. }));
        assert!(told.iter().any(is_ready), "{told:?}");
        client.close().await;
    });
    assert_eq!(cloud.now(), Instant::ZERO);
    let clients = cloud.with_cloud(|cloud, _| cloud.server().clients().count());
    assert_eq!(
        clients, 0,
        "the server has read DISCONNECT when run returns"
    );
}

#[test]
fn what_is_desired_comes_and_what_is_reported_is_seen() {
    let cloud = TestCloud::new();
    let (client, mut events) = cloud.device();
    cloud.desire(json!({"color": "blue", "level": 3}));
    cloud.run(async {
        let shadow = client.own_shadow().unwrap();
        let delta = loop {
            if let Some(Notification::Event(Event::Delta(delta))) = events.next().await {
                break delta;
            }
        };
        assert_eq!(delta.state.as_str(), r#"{"color":"blue","level":3}"#);
        let receipt = shadow.accept(&delta.only(&["color"])).await.unwrap();
        receipt.acknowledged().await.unwrap();
    });
    assert_eq!(cloud.reported(), json!({"color": "blue"}));
    assert_eq!(cloud.desired(), json!({"level": 3}));
    let document = cloud.document();
    assert_eq!(document["version"], json!(2));
    assert_eq!(document["state"]["reported"], json!({"color": "blue"}));
    cloud.desire(json!({"level": null}));
    assert_eq!(cloud.desired(), json!({}));
}

#[test]
fn devices_are_apart() {
    let cloud = TestCloud::new();
    let devices: Vec<usize> = (0..8).map(|_| boot_obedient(&cloud)).collect();
    for device in &devices {
        cloud.of(*device).desire(json!({"number": device}));
    }
    cloud.of(3).cut();
    cloud.run_for(Duration::from_secs(60));
    for device in devices {
        let expected = json!({"boots": 1, "number": device});
        assert_eq!(cloud.of(device).reported(), expected);
    }
}

#[test]
fn a_device_begins_again_with_its_session() {
    let cloud = TestCloud::new();
    let device = boot_obedient(&cloud);
    cloud.of(device).power_cut(Duration::from_secs(5));
    cloud.desire(json!({"color": "red"}));
    cloud.run_for(Duration::from_secs(4));
    assert_eq!(cloud.reported(), json!({"boots": 1}), "it is without power");
    cloud.run_for(Duration::from_secs(2));
    assert_eq!(cloud.reported(), json!({"boots": 2, "color": "red"}));
    cloud.of(device).restart();
    cloud.run_for(Duration::from_secs(1));
    assert_eq!(cloud.reported(), json!({"boots": 3, "color": "red"}));
}

/// A report that was taken and had not left is not lost with the power.
#[test]
fn what_was_reported_before_a_power_cut_arrives_after_it() {
    let cloud = TestCloud::new();
    let first = Rc::new(Cell::new(true));
    let device = cloud.boot(move |client, events, _| {
        let first = first.replace(false);
        async move {
            let shadow = client.own_shadow().unwrap();
            if first {
                // The network is away already.
                let mut events = events;
                while !matches!(
                    events.next().await,
                    Some(Notification::Event(Event::Disconnected { .. }))
                ) {}
                shadow.report(&json!({"left": "behind"})).await.unwrap();
            }
            std::future::pending::<()>().await;
        }
    });
    cloud.offline_for(Duration::from_secs(3_600));
    cloud.of(device).cut();
    cloud.run_for(Duration::from_secs(60));
    assert_eq!(cloud.reported(), json!({}));
    cloud.of(device).power_cut(Duration::from_secs(3_600));
    cloud.run_for(Duration::from_secs(3_700));
    assert_eq!(cloud.reported(), json!({"left": "behind"}));
}

#[test]
fn tasks_and_sleeps_share_one_clock() {
    let cloud = TestCloud::new();
    let log = Rc::new(RefCell::new(Vec::new()));
    let (clock, heard) = (cloud.clock(), Rc::clone(&log));
    cloud.spawn(async move {
        for hour in 1..=3 {
            clock.sleep_until(Instant::from_secs(3_600 * hour)).await;
            heard.borrow_mut().push(clock.now());
        }
    });
    cloud.run_for(Duration::from_secs(7_200));
    let hours = [1, 2].map(|hour| Instant::from_secs(3_600 * hour));
    assert_eq!(*log.borrow(), hours);
    // Longer than a run may take.
    cloud.run_for(Duration::from_secs(100 * 3_600));
    assert_eq!(log.borrow().len(), 3);
    assert_eq!(cloud.now(), Instant::from_secs(102 * 3_600));
}

/// What a device does after its power is gone is seen by nobody, not even its own memory.
#[test]
fn a_firmware_without_power_does_nothing() {
    let cloud = TestCloud::new();
    let ticks = Rc::new(Cell::new(0));
    let counted = Rc::clone(&ticks);
    let device = cloud.boot(move |client, _events, clock| {
        let ticks = Rc::clone(&counted);
        async move {
            let _client = client;
            loop {
                clock
                    .sleep_until(clock.now() + Duration::from_secs(1))
                    .await;
                ticks.set(ticks.get() + 1);
            }
        }
    });
    cloud.run_for(Duration::from_millis(10_500));
    assert_eq!(ticks.get(), 10);
    cloud.of(device).power_cut(Duration::from_secs(100));
    cloud.run_for(Duration::from_secs(100));
    assert_eq!(ticks.get(), 10);
    cloud.run_for(Duration::from_millis(3_500));
    assert_eq!(ticks.get(), 13);
}

/// The function that starts a firmware may look at the cloud, change it and add to it.
#[test]
fn a_firmware_may_use_the_cloud_when_it_begins() {
    let cloud = Rc::new(TestCloud::new());
    let within = Rc::downgrade(&cloud);
    let sensors = Rc::new(RefCell::new(Vec::new()));
    let added = Rc::clone(&sensors);
    let gateway = cloud.boot(move |client, events, _| {
        let cloud = within.upgrade().unwrap();
        cloud.note("the gateway begins");
        cloud.of(0).desire(json!({"sensors": added.borrow().len()}));
        added.borrow_mut().push(boot_obedient(&cloud));
        obedient(client, events, 1)
    });
    cloud.of(gateway).restart();
    cloud.run_for(Duration::from_secs(1));
    assert_eq!((gateway, &*sensors.borrow()), (0, &vec![1, 2]));
    for sensor in sensors.borrow().iter() {
        assert_eq!(cloud.of(*sensor).reported(), json!({"boots": 1}));
    }
    assert_eq!(cloud.reported(), json!({"boots": 1, "sensors": 1}));
    let trace = cloud.trace().to_string();
    assert_eq!(trace.matches("the gateway begins").count(), 2, "{trace}");
}

/// One that returned before it answered is seen in the trace, and begins again with the power.
#[test]
fn a_firmware_that_ends_is_noted() {
    let cloud = TestCloud::new();
    let lamp = cloud.boot(|client, _events, _| async move {
        client
            .own_shadow()
            .unwrap()
            .report(&json!({"power": true}))
            .await
            .unwrap();
    });
    let ends = || {
        let notes = cloud.trace().of("test01").only(&[LineKind::Note]);
        notes.without_times().to_string()
    };
    let end = "test01's firmware has ended\n";
    assert_eq!(ends(), end);
    cloud.of(lamp).restart();
    cloud.run_for(Duration::from_secs(1));
    assert_eq!(ends(), end.repeat(2));
    // A power cut takes it from outside: that is no end of its own.
    boot_obedient(&cloud);
    cloud.of(1).restart();
    cloud.run_for(Duration::from_secs(1));
    assert!(!cloud.trace().to_string().contains("test02's firmware"));
}
