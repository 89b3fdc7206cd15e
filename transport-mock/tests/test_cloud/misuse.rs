//! A test that is wrong ends, and says what is wrong.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use futures_lite::StreamExt;
use futures_lite::future::yield_now;
use serde_json::json;
use shadow_core::Instant;
use transport_mock::TestCloud;
use transport_mock::simulation::fault::{
    Direction, Documents, Fault, ReplyFault, Restore, WireFault,
};
use transport_tcp::Clock;

fn message(work: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(work)).unwrap_err();
    match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => (*panic.downcast::<&str>().unwrap()).to_owned(),
    }
}

#[test]
fn a_future_that_never_ends() {
    let said = message(|| {
        let cloud = TestCloud::new();
        let (_client, events) = cloud.device();
        cloud.run(events.filter(|_| false).for_each(drop));
    });
    let begin = "the test cloud stands at 86400.000000s: the future has not ended in a day of virtual time; last happened\n";
    assert!(said.starts_with(begin), "{said}");
    assert!(said.ends_with("test01 < PINGRESP\n"), "{said}");
}

#[test]
fn a_task_that_panics() {
    let said = message(|| {
        let cloud = TestCloud::new();
        let (_client, _events) = cloud.device();
        cloud.spawn(async { panic!("as planned") });
        cloud.run(std::future::pending::<()>());
    });
    assert_eq!(said, "as planned");
    let said = message(|| {
        let cloud = TestCloud::new();
        cloud.boot(|_, _, _| async { panic!("at boot") });
    });
    assert_eq!(said, "at boot");
}

#[test]
fn a_deadlock_and_an_endless_loop() {
    let said = message(|| TestCloud::new().run(std::future::pending()));
    assert!(said.contains("no task is awake and none sleeps"), "{said}");
    let said = message(|| {
        TestCloud::new().run(async {
            loop {
                yield_now().await;
            }
        });
    });
    assert!(said.contains("keep each other awake"), "{said}");
}

/// A firmware whose deadline has passed, and that forgets to set the next one.
#[test]
fn a_sleep_until_what_has_passed_in_a_loop() {
    let said = message(|| {
        let cloud = TestCloud::new();
        cloud.boot(|_, _, clock| async move {
            let deadline = clock.now();
            loop {
                clock.sleep_until(deadline).await;
            }
        });
    });
    assert!(said.contains("keep each other awake"), "{said}");
}

#[test]
fn a_firmware_that_sleeps_and_a_test_that_waits_for_nothing() {
    let sampling = |cloud: &TestCloud| {
        cloud.boot(|_client, _events, clock| async move {
            loop {
                clock
                    .sleep_until(clock.now() + Duration::from_millis(1))
                    .await;
            }
        });
    };
    let said = message(|| {
        let cloud = TestCloud::new();
        sampling(&cloud);
        cloud.run(std::future::pending::<()>());
    });
    assert!(
        said.contains("has not ended after 3000000 polls in "),
        "{said}"
    );
    // However long it takes, what was asked for passes.
    let cloud = TestCloud::new();
    sampling(&cloud);
    cloud.run_for(Duration::from_secs(1_600));
    assert_eq!(cloud.now(), Instant::from_secs(1_600));
}

#[test]
fn what_cannot_be_done() {
    let cloud = TestCloud::new();
    assert!(message(|| cloud.desire(json!({}))).contains("there is no device 0"));
    let (_client, _events) = cloud.device();
    assert!(
        message(|| cloud.desire(json!(3))).contains("3 cannot be desired of EXAMPLE001/test01")
    );
    for fault in [
        Fault::Deaf {
            device: 0,
            millis: 5,
        },
        Fault::PowerCut {
            device: 0,
            after: 0,
            dark: 0,
            restore: Restore::Latest,
        },
    ] {
        let said = message(|| cloud.inject(&fault));
        assert!(said.contains("start it by TestCloud::boot"), "{said}");
        // Also when it comes later.
        cloud.script([(Duration::from_secs(1), fault)]);
        let said = message(|| cloud.run_for(Duration::from_secs(2)));
        assert!(said.contains("start it by TestCloud::boot"), "{said}");
    }
    let said = message(|| cloud.run(async { cloud.run_for(Duration::ZERO) }));
    assert!(said.contains("await the future instead"), "{said}");
    // A panic leaves it usable.
    cloud.run_for(Duration::from_secs(1));
}

/// One off by one would be a test that passes whatever the firmware does.
#[test]
fn a_fault_of_a_device_that_is_not_there() {
    let cloud = TestCloud::new();
    crate::boot_obedient(&cloud);
    let (device, millis, direction) = (1, 5, Direction::ToCloud);
    for fault in [
        Fault::Wire {
            device,
            direction,
            after: 0,
            what: WireFault::Cut,
        },
        Fault::Segments {
            device,
            direction,
            size: 1,
            millis,
        },
        Fault::Merge {
            device,
            direction,
            hold: 1,
            millis,
        },
        Fault::RefuseConnections { device, millis },
        Fault::Unreachable { device, millis },
        Fault::RefuseLogins {
            device,
            code: 3,
            count: 1,
        },
        Fault::Replies {
            device,
            what: ReplyFault::Lost,
            count: 1,
        },
        Fault::PowerCut {
            device,
            after: 0,
            dark: 0,
            restore: Restore::Latest,
        },
        Fault::WrongClock { device, seconds: 1 },
        Fault::SecondClient {
            device,
            clean_session: true,
        },
        Fault::Deaf { device, millis },
    ] {
        let expected = format!("there is no device 1 to have this fault, but 1: {fault}");
        assert_eq!(message(|| cloud.inject(&fault)), expected);
        cloud.script([(Duration::from_secs(1), fault)]);
        assert_eq!(message(|| cloud.run_for(Duration::from_secs(2))), expected);
    }
    // The cloud's have no device.
    cloud.inject(&Fault::SlowServer { late: 1, millis });
    cloud.inject(&Fault::RestartServer {
        sessions: true,
        documents: Documents::Kept,
        down: 0,
    });
}

/// It is told apart from the one of which the test holds the client.
#[test]
fn a_firmware_that_is_begun_again_while_it_begins() {
    let said = message(|| {
        let cloud = Rc::new(TestCloud::new());
        let within = Rc::clone(&cloud);
        cloud.boot(move |_, _, _| {
            within.of(0).restart();
            within.run_for(Duration::ZERO);
            std::future::pending()
        });
    });
    assert!(
        said.starts_with("device 0 begins again while its firmware is being started"),
        "{said}"
    );
}
