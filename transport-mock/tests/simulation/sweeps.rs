//! The documented scenarios, disturbed at every byte and between any two steps.
//!
//! The scenarios are the vendor's printed sessions: reading the cached status, modifying it,
//! reading it again, and three rounds of updates; and one more in which the application desires
//! something. Each is played once undisturbed to learn how many bytes and steps it has.

use transport_mock::simulation::fault::{Direction, Fault, FaultKind, Restore, WireFault};
use transport_mock::simulation::script::{Answer, Key, Script, Setup, Step};
use transport_mock::simulation::{Tally, play, play_and_replay};

const DEVICE: usize = 0;

/// One place in so many is recorded and replayed, so that the time stays.
const REPLAYED: u32 = 16;

fn wait(millis: u32) -> Step {
    Step::Wait { millis }
}

fn report(key: Key) -> Step {
    Step::Report {
        device: DEVICE,
        keys: vec![key],
        delete: false,
        again: Vec::new(),
    }
}

/// "Getting status cached in cloud".
fn get_cached_status() -> Vec<Step> {
    vec![Step::Get { device: DEVICE }, wait(500)]
}

/// "Modifying device shadow status": the update.
fn modify_update() -> Vec<Step> {
    let key = Key::O0;
    let update = Step::Update {
        device: DEVICE,
        key,
        checked: false,
    };
    vec![wait(200), update, wait(500)]
}

/// "Modifying device shadow status": the get after it.
fn modify_get() -> Vec<Step> {
    vec![
        wait(200),
        report(Key::R0),
        wait(300),
        Step::Get { device: DEVICE },
        wait(500),
    ]
}

/// "Regularly updating": three rounds of update and get.
fn regular_update() -> Vec<Step> {
    let round = |key| {
        [
            report(key),
            wait(150),
            Step::Get { device: DEVICE },
            wait(150),
        ]
    };
    let rounds = [Key::R0, Key::R0, Key::R1].map(round);
    [vec![wait(200)], rounds.concat()].concat()
}

/// A change of `desired` while the device is there, and its answer.
fn desire_and_accept() -> Vec<Step> {
    let desire = |key| Step::Desire {
        device: DEVICE,
        keys: vec![key],
        again: Vec::new(),
    };
    let how = Answer::Accept;
    let device = DEVICE;
    vec![
        desire(Key::D1),
        Step::AnswerAtOnce { device, how },
        wait(300),
        desire(Key::Ex),
        report(Key::R0),
        wait(300),
    ]
}

fn scenarios() -> [(&'static str, Vec<Step>); 5] {
    [
        ("get cached status", get_cached_status()),
        ("modify: update", modify_update()),
        ("modify: get", modify_get()),
        ("regular update, three rounds", regular_update()),
        ("desire and accept", desire_and_accept()),
    ]
}

/// With both qualities of service, as the two differ in what comes again.
fn setups() -> [Setup; 2] {
    let plain = Setup {
        latency: (10, 10),
        ..Setup::plain()
    };
    let persistent = Setup {
        qos: 1,
        clean_session: false,
        ..plain.clone()
    };
    [plain, persistent]
}

fn script(setup: &Setup, fault: Option<Fault>, steps: &[Step]) -> Script {
    let fault = fault.map(Step::Fault);
    Script {
        seed: 1,
        devices: 1,
        setup: setup.clone(),
        steps: fault.into_iter().chain(steps.iter().cloned()).collect(),
    }
}

fn run(script: &Script, replayed: bool) -> Tally {
    let play = if replayed { play_and_replay } else { play };
    play(script, false).unwrap_or_else(|_| {
        let failure = play(script, true).unwrap_err();
        panic!("{script:?}\n{failure}")
    })
}

/// Plays every scenario with a fault at 0, 1, 2, .. until it comes too late to be met; tells how
/// often it was.
fn sweep(name: &str, kind: FaultKind, fault: impl Fn(u32) -> Fault, least: u64) {
    let mut total = Tally::default();
    for setup in setups() {
        for (scenario, steps) in scenarios() {
            let (mut met, mut missed) = (0, 0);
            // Rest lifts a fault that has not been met. One between two packets splits nothing.
            for after in 0_u32.. {
                let replayed = after.is_multiple_of(REPLAYED);
                let tally = run(&script(&setup, Some(fault(after)), &steps), replayed);
                total.add(&tally);
                if tally.faults.of(kind) > 0 {
                    (met, missed) = (met + 1, 0);
                } else {
                    missed += 1;
                    if missed == 3 {
                        break;
                    }
                }
            }
            println!("{name:<34}{scenario:<30} QoS {}{met:>8}", setup.qos);
            assert!(met >= least, "{name}: {scenario}: {met}");
        }
    }
    println!("{total}");
}

fn wire(direction: Direction, what: WireFault) -> impl Fn(u32) -> Fault {
    move |after| Fault::Wire {
        device: DEVICE,
        direction,
        after,
        what,
    }
}

#[test]
fn cut_after_every_byte_to_the_cloud() {
    let fault = wire(Direction::ToCloud, WireFault::Cut);
    sweep("cut to the cloud", FaultKind::CutToCloud, fault, 250);
}

#[test]
fn cut_after_every_byte_to_the_device() {
    let fault = wire(Direction::ToDevice, WireFault::Cut);
    sweep("cut to the device", FaultKind::CutToDevice, fault, 200);
}

#[test]
fn silence_after_every_byte_to_the_cloud() {
    let fault = wire(Direction::ToCloud, WireFault::Silence);
    sweep("silence to the cloud", FaultKind::Silence, fault, 250);
}

#[test]
fn silence_after_every_byte_to_the_device() {
    let fault = wire(Direction::ToDevice, WireFault::Silence);
    sweep("silence to the device", FaultKind::Silence, fault, 200);
}

#[test]
fn split_at_every_byte_to_the_device() {
    let fault = wire(Direction::ToDevice, WireFault::Split);
    sweep("split to the device", FaultKind::SplitSegments, fault, 200);
}

#[test]
fn power_cut_between_any_two_steps() {
    for restore in [
        Restore::Latest,
        Restore::Older { back: 1 },
        Restore::Nothing,
    ] {
        let kind = match restore {
            Restore::Latest => FaultKind::PowerCut,
            Restore::Older { .. } => FaultKind::PowerCutOlderSession,
            Restore::Nothing => FaultKind::PowerCutNoSession,
        };
        let fault = |after| Fault::PowerCut {
            device: DEVICE,
            after: after + 1,
            dark: 100,
            restore,
        };
        sweep(&format!("power cut, {restore:?}"), kind, fault, 10);
    }
}

/// The events of a run do not depend on how its bytes are cut.
#[test]
fn byte_by_byte_it_is_the_same() {
    for setup in setups() {
        for (scenario, steps) in scenarios() {
            let whole = run(&script(&setup, None, &steps), true);
            for size in [1, 2, 3, 5] {
                let both = [Direction::ToCloud, Direction::ToDevice].map(|direction| {
                    Step::Fault(Fault::Segments {
                        device: DEVICE,
                        direction,
                        size,
                        millis: 1_000_000,
                    })
                });
                let steps = [both.to_vec(), steps.clone()].concat();
                let tally = run(&script(&setup, None, &steps), true);
                assert!(tally.faults.of(FaultKind::SplitSegments) > 50);
                let ends = |tally: &Tally| {
                    let checks = tally.checks.iter();
                    let truth = transport_mock::simulation::Invariant::Truth;
                    checks
                        .filter(|(one, _)| *one == truth)
                        .map(|(_, n)| n)
                        .sum::<u64>()
                };
                assert_eq!(
                    ends(&tally),
                    ends(&whole),
                    "{scenario}, {size} bytes at a time"
                );
            }
        }
    }
}
