//! A test that is wrong ends, and says what is wrong.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use futures_lite::StreamExt;
use futures_lite::future::yield_now;
use serde_json::json;
use transport_mock::TestCloud;
use transport_mock::simulation::fault::Fault;

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
            restore: transport_mock::simulation::fault::Restore::Latest,
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
