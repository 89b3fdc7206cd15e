//! Traces: the same test gives the same text.

use std::time::Duration;

use serde_json::json;
use transport_mock::TestCloud;
use transport_mock::simulation::Simulation;
use transport_mock::simulation::fault::{Direction, Fault, Restore, WireFault};
use transport_mock::trace::{LineKind, Transcript};

use crate::boot_obedient;

/// Three devices, of which much is asked.
fn eventful(seed: u64) -> Transcript {
    let cloud = TestCloud::new().with_seed(seed);
    for _ in 0..3 {
        boot_obedient(&cloud);
    }
    let at = Duration::from_secs;
    cloud.script([
        (
            at(10),
            Fault::SlowServer {
                late: 400,
                millis: 9_000,
            },
        ),
        (
            at(20),
            Fault::Wire {
                device: 1,
                direction: Direction::ToCloud,
                after: 9,
                what: WireFault::Cut,
            },
        ),
        (
            at(25),
            Fault::PowerCut {
                device: 2,
                after: 3,
                dark: 2_000,
                restore: Restore::Older { back: 1 },
            },
        ),
        (
            at(30),
            Fault::Deaf {
                device: 0,
                millis: 3_000,
            },
        ),
    ]);
    for second in 0..60 {
        cloud.of(second % 3).desire(json!({"second": second}));
        cloud.run_for(at(1));
    }
    cloud.trace()
}

#[test]
fn the_same_test_gives_the_same_trace() {
    let first = eventful(1);
    assert!(first.len() > 250, "{}", first.len());
    assert_eq!(first, eventful(1));
    assert_ne!(
        first,
        eventful(2),
        "the pauses before connecting are chance"
    );
}

/// Where no chance is left the seed does not show.
#[test]
fn tokens_do_not_depend_on_the_seed() {
    let run = |seed| {
        let cloud = TestCloud::new().with_seed(seed);
        boot_obedient(&cloud);
        cloud.desire(json!({"color": "blue"}));
        cloud.run_for(Duration::from_secs(1));
        cloud.trace().to_string()
    };
    let first = run(1);
    assert!(first.contains(r#""clientToken":"t2""#), "{first}");
    assert_eq!(first, run(2));
}

/// A driver in a test cloud and an engine in a simulation send the same.
#[test]
fn a_driver_and_an_engine_write_the_same_packets() {
    let cloud = TestCloud::new();
    let (client, _events) = cloud.device();
    let shadow = client.own_shadow().unwrap();
    let report = json!({"power": false});
    cloud.run(async { shadow.report(&report).await.unwrap() });
    cloud.run_for(Duration::from_secs(200));

    let mut simulation = Simulation::example();
    let device = simulation.device();
    let own = simulation.engine(device).own_shadow().unwrap();
    let report = |engine: &mut transport_mock::simulation::SimulatedEngine, now| {
        engine.report(now, own, &report)
    };
    simulation.with(device, report).unwrap();
    simulation.run_for(Duration::from_secs(200));

    let kinds = [LineKind::Packet, LineKind::Ping, LineKind::Link];
    let packets = cloud.trace().only(&kinds).to_string();
    assert!(packets.lines().count() > 10, "{packets}");
    assert_eq!(packets, simulation.transcript().only(&kinds).to_string());
}
