//! Every kind of fault by itself: it takes effect, and the guarantee holds.

use transport_mock::cloud::ReplyFault;
use transport_mock::simulation::fault::{
    Direction, Documents, Fault, FaultKind, Restore, WireFault,
};
use transport_mock::simulation::play;
use transport_mock::simulation::script::{Key, Script, Setup, Step};

const LONG: u32 = 3_000;

/// One fault of each kind, as it meets a device that is at work.
pub(crate) fn fault_of(kind: FaultKind) -> Fault {
    let device = 0;
    let (to_cloud, to_device) = (Direction::ToCloud, Direction::ToDevice);
    let wire = |direction, what| Fault::Wire {
        device,
        direction,
        after: 30,
        what,
    };
    let login = |code| Fault::RefuseLogins {
        device,
        code,
        count: 2,
    };
    let replies = |what| Fault::Replies {
        device,
        what,
        count: 1,
    };
    let restart = |sessions, documents| Fault::RestartServer {
        sessions,
        documents,
        down: 500,
    };
    let power = |restore| Fault::PowerCut {
        device,
        after: 3,
        dark: 200,
        restore,
    };
    match kind {
        FaultKind::CutToCloud => wire(to_cloud, WireFault::Cut),
        FaultKind::CutToDevice => wire(to_device, WireFault::Cut),
        FaultKind::HalfCloseByDevice => wire(to_cloud, WireFault::HalfClose),
        FaultKind::HalfCloseByCloud => wire(to_device, WireFault::HalfClose),
        FaultKind::Stall => wire(to_device, WireFault::Stall { millis: LONG }),
        FaultKind::Silence => wire(to_cloud, WireFault::Silence),
        FaultKind::SplitSegments => Fault::Segments {
            device,
            direction: to_device,
            size: 7,
            millis: LONG,
        },
        FaultKind::MergedSegments => Fault::Merge {
            device,
            direction: to_device,
            hold: 400,
            millis: LONG,
        },
        FaultKind::ConnectionRefused => Fault::RefuseConnections {
            device,
            millis: LONG,
        },
        FaultKind::Unreachable => Fault::Unreachable {
            device,
            millis: 200_000,
        },
        FaultKind::LoginRefused1 => login(1),
        FaultKind::LoginRefused2 => login(2),
        FaultKind::LoginRefused3 => login(3),
        FaultKind::LoginRefused4 => login(4),
        FaultKind::LoginRefused5 => login(5),
        FaultKind::SlowServer => Fault::SlowServer {
            late: 700,
            millis: LONG,
        },
        FaultKind::ReplyLost => replies(ReplyFault::Lost),
        FaultKind::ReplyLate => replies(ReplyFault::Late { millis: 700 }),
        FaultKind::ReplyTwice => replies(ReplyFault::Twice),
        FaultKind::ReplyAfterPush => replies(ReplyFault::AfterPush),
        FaultKind::RestartWithSessions => restart(true, Documents::Kept),
        FaultKind::RestartWithoutSessions => restart(false, Documents::Kept),
        FaultKind::DocumentsOlder => restart(true, Documents::Older),
        FaultKind::DocumentsLost => restart(true, Documents::Lost),
        FaultKind::PowerCut => power(Restore::Latest),
        FaultKind::PowerCutOlderSession => power(Restore::Older { back: 2 }),
        FaultKind::PowerCutNoSession => power(Restore::Nothing),
        FaultKind::WrongClock => Fault::WrongClock {
            device,
            seconds: -100_000,
        },
        FaultKind::Kicked => Fault::SecondClient {
            device,
            clean_session: true,
        },
        FaultKind::Deaf => Fault::Deaf {
            device,
            millis: LONG,
        },
        other => panic!("no fault of kind {other}"),
    }
}

/// A device at work while the fault happens; it has to connect again for those of a login.
pub(crate) fn around(fault: Fault) -> Vec<Step> {
    let device = 0;
    let cut = Step::Fault(Fault::Wire {
        device,
        direction: Direction::ToCloud,
        after: 0,
        what: WireFault::Cut,
    });
    let reconnects = matches!(
        fault,
        Fault::RefuseLogins { .. }
            | Fault::WrongClock { .. }
            | Fault::RefuseConnections { .. }
            | Fault::Unreachable { .. }
    );
    let report = |key| Step::Report {
        device,
        keys: vec![key],
        delete: false,
        again: Vec::new(),
    };
    let desire = |key| Step::Desire {
        device,
        keys: vec![key],
        again: Vec::new(),
    };
    let mut steps = vec![
        Step::Wait { millis: 2_000 },
        Step::BackUp,
        report(Key::R0),
        Step::Wait { millis: 1_000 },
        Step::Fault(fault),
    ];
    steps.extend(reconnects.then_some(cut));
    steps.extend([
        report(Key::R1),
        Step::Wait { millis: 25 },
        desire(Key::D0),
        desire(Key::D1),
        Step::Wait { millis: 5_000 },
        report(Key::Na),
        Step::Wait { millis: 300_000 },
    ]);
    steps
}

#[test]
fn every_fault_takes_effect_and_is_survived() {
    for kind in FaultKind::ALL {
        for qos in [0, 1] {
            let setup = Setup {
                latency: (20, 20),
                qos,
                clean_session: qos == 0,
                ..Setup::plain()
            };
            let script = Script {
                seed: 1,
                devices: 1,
                setup,
                steps: around(fault_of(kind)),
            };
            match play(&script, true) {
                Ok(tally) => assert!(tally.faults.of(kind) > 0, "{kind} met nothing, QoS {qos}"),
                Err(failure) => panic!("{kind}, QoS {qos}\n{failure}"),
            }
        }
    }
}

/// Without a fault none is counted.
#[test]
fn no_fault_takes_effect_where_none_is_injected() {
    let steps = around(Fault::SlowServer { late: 0, millis: 0 });
    let script = Script {
        seed: 1,
        devices: 2,
        setup: Setup::plain(),
        steps,
    };
    let tally = play(&script, false).unwrap();
    let met: Vec<_> = tally.faults.iter().filter(|(_, n)| *n > 0).collect();
    assert!(met.is_empty(), "{met:?}");
}
