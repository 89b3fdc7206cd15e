//! Two devices with one client id: the server lets only one of them stay.

use std::time::Duration;

use shadow_core::{
    Backoff, Config, DisconnectCause, Event, Instant, Session, Transmit, TransportFailure,
};
use transport_mock::cloud::{Cloud, example_device};
use transport_mock::simulation::{DeviceId, Latency, Simulation};

use crate::support::WALL;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);

/// The vendor's floor between two connects (vendor doc 634/15241).
const FLOOR: Duration = Duration::from_secs(5);

/// Most CONNECTs of one device in an hour, whatever its rival does. Three links are kicked before
/// the contest is recognised. Then each try waits at least half of 10, 20, 40, 80, 160, 320 s, 315 s
/// together, and half of 600 s from then on: 10 more fit into the hour, and one begins at its end.
const MOST_CONNECTS: usize = 3 + 6 + 10 + 1;

fn twins(seed: u64, backoff: Backoff) -> (Simulation, [DeviceId; 2]) {
    let latency = Latency {
        to_cloud: Duration::from_millis(20),
        to_device: Duration::from_millis(30),
    };
    let mut simulation = Simulation::new(|now| Cloud::example(now, WALL), latency);
    let devices = ["one", "other"].map(|label| {
        let mut config = Config::new(&example_device());
        config.backoff = backoff;
        let number = u64::from(label == "other");
        simulation.add_device(label, config, Session::new(), seed * 2 + number)
    });
    (simulation, devices)
}

/// When the device of this label sent CONNECT.
fn connects(trace: &[String], label: &str) -> Vec<Instant> {
    let sent = format!(" {label} > CONNECT");
    let lines = trace.iter().filter(|line| line.contains(&sent));
    let times = lines.map(|line| {
        let (seconds, micros) = line
            .trim()
            .split(' ')
            .next()
            .unwrap()
            .split_once('.')
            .unwrap();
        let seconds: u64 = seconds.parse().unwrap();
        Instant::from_micros(seconds * 1_000_000 + micros.parse::<u64>().unwrap())
    });
    times.collect()
}

fn contested(events: &[Event]) -> usize {
    let told = events.iter().filter(|event| {
        let Event::Disconnected { cause, .. } = event else {
            return false;
        };
        matches!(cause, DisconnectCause::Contested { .. })
    });
    told.count()
}

#[test]
fn two_devices_with_one_client_id_do_not_make_war() {
    for seed in 1..=20 {
        let (mut simulation, [one, other]) = twins(seed, Backoff::default());
        simulation.run_for(HOUR);
        for (device, label) in [(one, "one"), (other, "other")] {
            let times = connects(simulation.trace(), label);
            assert!(
                (5..=MOST_CONNECTS).contains(&times.len()),
                "seed {seed}: {label} sent {} CONNECTs",
                times.len()
            );
            for pair in times.windows(2) {
                assert!(pair[1].saturating_since(pair[0]) >= FLOOR, "{pair:?}");
            }
            // All but the first two losses are told as what they are.
            let events = simulation.take_events(device);
            let lost = |event: &&Event| matches!(event, Event::Disconnected { .. });
            let losses = events.iter().filter(lost).count();
            assert_eq!(contested(&events), losses - 2, "seed {seed}: {label}");
        }

        // One goes away: the other comes back, once, and stays.
        simulation.take_trace();
        simulation.with(other, |engine, now| {
            engine.close(now);
            let mut bytes = Vec::new();
            assert_ne!(
                engine.poll_transmit(now, &mut bytes),
                Some(Transmit::Connect)
            );
        });
        simulation.run_for(31 * MINUTE);
        assert!(simulation.engine(one).is_online());
        assert!(connects(simulation.trace(), "one").len() <= 1);
        assert_eq!(contested(&simulation.take_events(one)), 0);

        // What was is forgotten: the next loss is one like any other.
        simulation.cut(one);
        let lost = simulation.run_until_event(one, Duration::ZERO, |event| {
            matches!(event, Event::Disconnected { .. })
        });
        let Some(Event::Disconnected { cause, retry_in }) = lost else {
            panic!("{lost:?}");
        };
        let broken = TransportFailure::Broken("cut".into());
        assert_eq!(cause, DisconnectCause::Transport(broken));
        assert!(retry_in <= SECOND, "{retry_in:?}");
    }
}

/// The measure of what the test above is worth.
#[test]
fn without_the_guess_they_kick_each_other_for_ever() {
    let backoff = Backoff {
        contested_after: 0,
        ..Backoff::default()
    };
    let (mut simulation, _) = twins(1, backoff);
    simulation.run_for(HOUR);
    for label in ["one", "other"] {
        let count = connects(simulation.trace(), label).len();
        assert!(count > 3 * MOST_CONNECTS, "{label}: {count}");
    }
}

/// A server that restarts is no rival: its port is closed for a while in between.
#[test]
fn a_server_that_restarts_again_and_again_is_not_mistaken_for_a_rival() {
    use transport_mock::simulation::Reachability;

    let (mut simulation, [one, other]) = twins(1, Backoff::default());
    simulation.with(other, |engine, now| engine.close(now));
    for _ in 0..10 {
        let connected = |event: &Event| matches!(event, Event::Connected { .. });
        assert!(
            simulation
                .run_until_event(one, 2 * MINUTE, connected)
                .is_some()
        );
        simulation.run_for(10 * SECOND);
        simulation.set_reachability(one, Reachability::Refused);
        simulation.cut(one);
        simulation.run_for(3 * SECOND);
        simulation.set_reachability(one, Reachability::Up);
    }
    assert_eq!(contested(&simulation.take_events(one)), 0);
}
