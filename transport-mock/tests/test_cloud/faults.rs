//! Each fault takes effect, and a device gets over it.

use std::time::Duration;

use serde_json::json;
use transport_mock::TestCloud;
use transport_mock::cloud::Cloud;
use transport_mock::simulation::fault::{
    Direction, Documents, Fault, FaultKind, ReplyFault, Restore, WireFault,
};
use transport_mock::simulation::{Latency, TEST_WALL_TIME};

use crate::boot_obedient;

fn wire(direction: Direction, after: u32, what: WireFault) -> Fault {
    Fault::Wire {
        device: 0,
        direction,
        after,
        what,
    }
}

/// A fault of this kind, and whether the connection has to be broken for it to be met.
fn fault(kind: FaultKind) -> (Fault, bool) {
    use Direction::{ToCloud, ToDevice};
    let device = 0;
    let restart = |sessions, documents| Fault::RestartServer {
        sessions,
        documents,
        down: 100,
    };
    let replies = |what| Fault::Replies {
        device,
        what,
        count: 1,
    };
    let login = |code| Fault::RefuseLogins {
        device,
        code,
        count: 1,
    };
    let power = |restore| Fault::PowerCut {
        device,
        after: 2,
        dark: 3_000,
        restore,
    };
    match kind {
        FaultKind::CutToCloud => (wire(ToCloud, 20, WireFault::Cut), false),
        FaultKind::CutToDevice => (wire(ToDevice, 20, WireFault::Cut), false),
        FaultKind::HalfCloseByDevice => (wire(ToCloud, 20, WireFault::HalfClose), false),
        FaultKind::HalfCloseByCloud => (wire(ToDevice, 20, WireFault::HalfClose), false),
        FaultKind::Stall => (wire(ToCloud, 5, WireFault::Stall { millis: 900 }), false),
        FaultKind::Silence => (wire(ToCloud, 5, WireFault::Silence), false),
        FaultKind::SplitSegments => (
            Fault::Segments {
                device,
                direction: ToDevice,
                size: 3,
                millis: 60_000,
            },
            false,
        ),
        FaultKind::MergedSegments => (
            Fault::Merge {
                device,
                direction: ToDevice,
                hold: 50,
                millis: 60_000,
            },
            false,
        ),
        FaultKind::ConnectionRefused => {
            let millis = 5_000;
            (Fault::RefuseConnections { device, millis }, true)
        }
        FaultKind::Unreachable => {
            let millis = 5_000;
            (Fault::Unreachable { device, millis }, true)
        }
        FaultKind::LoginRefused1 => (login(1), true),
        FaultKind::LoginRefused2 => (login(2), true),
        FaultKind::LoginRefused3 => (login(3), true),
        FaultKind::LoginRefused4 => (login(4), true),
        FaultKind::LoginRefused5 => (login(5), true),
        FaultKind::SlowServer => (
            Fault::SlowServer {
                late: 300,
                millis: 5_000,
            },
            false,
        ),
        FaultKind::ReplyLost => (replies(ReplyFault::Lost), false),
        FaultKind::ReplyLate => (replies(ReplyFault::Late { millis: 700 }), false),
        FaultKind::ReplyTwice => (replies(ReplyFault::Twice), false),
        FaultKind::ReplyAfterPush => (replies(ReplyFault::AfterPush), false),
        FaultKind::RestartWithSessions => (restart(true, Documents::Kept), false),
        FaultKind::RestartWithoutSessions => (restart(false, Documents::Kept), false),
        FaultKind::DocumentsOlder => (restart(true, Documents::Older), false),
        FaultKind::DocumentsLost => (restart(true, Documents::Lost), false),
        FaultKind::PowerCut => (power(Restore::Latest), false),
        FaultKind::PowerCutOlderSession => (power(Restore::Older { back: 1 }), false),
        FaultKind::PowerCutNoSession => (power(Restore::Nothing), false),
        FaultKind::WrongClock => {
            let seconds = -100_000;
            (Fault::WrongClock { device, seconds }, true)
        }
        FaultKind::Kicked => {
            let clean_session = true;
            (
                Fault::SecondClient {
                    device,
                    clean_session,
                },
                false,
            )
        }
        FaultKind::Deaf => (
            Fault::Deaf {
                device,
                millis: 2_000,
            },
            false,
        ),
        other => panic!("no fault for {other}"),
    }
}

#[test]
fn every_kind_takes_effect_and_is_got_over() {
    for kind in FaultKind::ALL {
        let latency = Latency {
            to_cloud: Duration::from_millis(20),
            to_device: Duration::from_millis(20),
        };
        let cloud = |now| Cloud::with_test_devices(now, TEST_WALL_TIME);
        let cloud = TestCloud::custom(cloud, latency);
        boot_obedient(&cloud);
        cloud.back_up();
        cloud.run_for(Duration::from_secs(5));
        let (fault, cut) = fault(kind);
        cloud.script([(Duration::from_secs(1), fault)]);
        cloud.run_for(Duration::from_secs(1));
        if cut {
            cloud.cut();
        }
        cloud.desire(json!({"color": "red"}));
        cloud.desire(json!({"color": "blue"}));
        cloud.run_for(Duration::from_millis(500));
        cloud.desire(json!({"level": 1}));
        cloud.run_for(Duration::from_secs(600));
        cloud.lift();
        // Who was told that its clock or login is wrong waits long.
        cloud.run_for(Duration::from_secs(1_800));
        assert!(
            cloud.fault_counts().of(kind) > 0,
            "{kind}\n{}",
            cloud.trace()
        );
        let reported = cloud.reported();
        assert_eq!(
            reported["color"],
            json!("blue"),
            "{kind}\n{}",
            cloud.trace()
        );
        assert_eq!(cloud.desired(), json!({}), "{kind}\n{}", cloud.trace());
    }
}

/// Of one time, in the order in which they were given, over two scripts too.
#[test]
fn a_script_happens_in_order() {
    let cloud = TestCloud::new();
    boot_obedient(&cloud);
    let late = |late| Fault::SlowServer { late, millis: 1 };
    let at = Duration::from_secs;
    cloud.script([(at(2), late(1)), (at(1), late(2)), (at(2), late(3))]);
    cloud.script([(at(2), late(4)), (at(1), late(5))]);
    cloud.run_for(at(3));
    let faults = cloud
        .trace()
        .only(&[transport_mock::trace::LineKind::Fault]);
    let expected: String = [(1, 2), (1, 5), (2, 1), (2, 3), (2, 4)]
        .map(|(at, late)| format!("    {at}.000000 fault: slow server, {late} ms late, for 1 ms\n"))
        .concat();
    assert_eq!(faults.to_string(), expected);
}

/// Also where the power came back just then.
#[test]
fn a_clock_is_right_once_faults_are_lifted() {
    let cloud = TestCloud::new();
    boot_obedient(&cloud);
    let (device, seconds) = (0, -100_000);
    cloud.inject(&Fault::WrongClock { device, seconds });
    cloud.of(0).power_cut(Duration::from_secs(5));
    cloud.run_for(Duration::from_secs(1));
    cloud.lift();
    cloud.run_for(Duration::from_secs(1));
    assert_eq!(cloud.reported(), json!({"boots": 2}), "{}", cloud.trace());
    assert_eq!(cloud.fault_counts().of(FaultKind::WrongClock), 0);
}
