//! Who is measured beside whom, and what the numbers have to reach.

use std::collections::BTreeMap;
use std::process::Command;

use bench::{Measurements, OURS, Row, Target};
use clap::ValueEnum;

use crate::Failure;
use crate::child::{PATIENCE, Process, listening, myself, trips};
use crate::mosquitto::Mosquitto;
use crate::sdk::Sdk;
use crate::tally::{Operation, Task, Trips};

const OPERATIONS: [Operation; 2] = [Operation::Update, Operation::Get];
const IN_FLIGHT: [usize; 3] = [1, 8, 64];

const ECHO: &str = "raw echo (limit)";
const TWO_THREADS: &str = "shadow, driver on another thread";
const RUMQTTC: &str = "rumqttc + serde_json";
const SDK: &str = "vendor's Python SDK";

/// Ours may take that much longer than two processes that look at nothing.
const OVER_ECHO: f64 = 1.15;
/// Ours may take that much of the processor time of the vendor's SDK.
const OF_SDK: f64 = 1.0 / 20.0;

/// What lies between a device and the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Path {
    /// The embedded cloud, at the other end of a TCP connection.
    Cloud,
    /// mosquitto, and behind it the service.
    Broker,
}

/// How a path is measured.
type Over = fn(usize, &mut Measurements) -> Result<(), Failure>;

const OVER_TCP: &str = "round trips, embedded cloud over TCP";
const OVER_MOSQUITTO: &str = "round trips, mosquitto and service";

/// One that is measured.
struct Subject {
    name: &'static str,
    port: u16,
    client: Box<dyn Fn() -> Result<Command, Failure>>,
}

impl Subject {
    fn myself(name: &'static str, port: u16, role: &'static str) -> Subject {
        let client = Box::new(move || myself(&[role]));
        Subject { name, port, client }
    }

    /// Has its client do a task.
    fn turn(&self, operation: Operation, in_flight: usize) -> Result<Trips, Failure> {
        let port = self.port;
        let task = Task {
            port,
            operation,
            in_flight,
        };
        trips(&mut (self.client)()?, &task)
    }
}

/// All numbers of all paths, or of one. A path whose servers do not start is skipped.
pub(crate) fn measure(rounds: usize, only: Option<Path>) -> Measurements {
    let mut measurements = Measurements::default();
    for (path, group, over) in [
        (Path::Cloud, OVER_TCP, over_tcp as Over),
        (Path::Broker, OVER_MOSQUITTO, over_mosquitto),
    ] {
        if only.is_none_or(|only| only == path)
            && let Err(error) = over(rounds, &mut measurements)
        {
            skip(&mut measurements, group, &error);
        }
    }
    measurements
}

fn skip(measurements: &mut Measurements, what: &str, why: &Failure) {
    eprintln!("SKIPPED {what}: {why}");
    measurements.skipped.push(format!("{what}: {why}"));
}

fn over_tcp(rounds: usize, measurements: &mut Measurements) -> Result<(), Failure> {
    let (_cloud, cloud) = listening(&mut myself(&["cloud"])?, PATIENCE)?;
    let (_echo, echo) = listening(&mut myself(&["echo-server"])?, PATIENCE)?;
    let subjects = [
        Subject::myself(ECHO, echo, "echo-client"),
        Subject::myself(OURS, cloud, "client"),
        Subject::myself(TWO_THREADS, cloud, "client-on-two-threads"),
    ];
    let subjects = subjects.into();
    compare(OVER_TCP, rounds, subjects, measurements, |taken| {
        let p50 = |trips: &Trips| trips.p50;
        let over = Goal::new("p50 over raw echo", OVER_ECHO, taken, ECHO, p50);
        over.into_iter().collect()
    });
    Ok(())
}

fn over_mosquitto(rounds: usize, measurements: &mut Measurements) -> Result<(), Failure> {
    let broker = Mosquitto::start()?;
    let port = broker.port;
    let mut service = myself(&["service", &port.to_string()])?;
    let service: (Process, u16) = listening(&mut service, PATIENCE)?;
    let mut subjects = vec![
        Subject::myself(RUMQTTC, port, "rumqttc"),
        Subject::myself(OURS, port, "client"),
    ];
    match Sdk::install() {
        Ok(sdk) => subjects.push(Subject {
            name: SDK,
            port,
            client: Box::new(move || Ok(sdk.client())),
        }),
        Err(error) => skip(measurements, &format!("{OVER_MOSQUITTO}, {SDK}"), &error),
    }
    compare(OVER_MOSQUITTO, rounds, subjects, measurements, |taken| {
        let cpu = |trips: &Trips| trips.cpu_per_thousand;
        let goals = [
            Goal::new("p50 over rumqttc's", 1.0, taken, RUMQTTC, |trips| trips.p50),
            Goal::new("p99 over rumqttc's", 1.0, taken, RUMQTTC, |trips| trips.p99),
            Goal::new("client CPU over rumqttc's", 1.0, taken, RUMQTTC, cpu),
            Goal::new("client CPU over the SDK's", OF_SDK, taken, SDK, cpu),
        ];
        goals.into_iter().flatten().collect()
    });
    drop(service);
    Ok(())
}

/// A ratio of ours to somebody else's, and what it may be.
struct Goal {
    measure: &'static str,
    ratio: f64,
    at_most: f64,
}

impl Goal {
    fn new(
        measure: &'static str,
        at_most: f64,
        taken: &[(&'static str, Trips)],
        peer: &str,
        value: impl Fn(&Trips) -> f64,
    ) -> Option<Goal> {
        let of = |name: &str| {
            let found = taken.iter().find(|(subject, _)| *subject == name);
            found.map(|(_, trips)| value(trips))
        };
        let ratio = of(OURS)? / of(peer)?;
        Some(Goal {
            measure,
            ratio,
            at_most,
        })
    }
}

/// Has the subjects take turns, and makes rows of the medians. A subject that fails or is late once
/// is skipped from then on, so it costs one deadline at most.
fn compare(
    group: &str,
    rounds: usize,
    mut subjects: Vec<Subject>,
    measurements: &mut Measurements,
    goals: impl Fn(&[(&'static str, Trips)]) -> Vec<Goal>,
) {
    for operation in OPERATIONS {
        for in_flight in IN_FLIGHT {
            let label = format!("{}, {in_flight} in flight", operation.name());
            eprintln!("{group}: {label}");
            let mut taken: BTreeMap<&'static str, Vec<Trips>> = BTreeMap::new();
            for _ in 0..rounds {
                subjects.retain(|subject| match subject.turn(operation, in_flight) {
                    Ok(trips) => {
                        taken.entry(subject.name).or_default().push(trips);
                        true
                    }
                    Err(error) => {
                        let what = format!("{group}, from {label} on, {}", subject.name);
                        skip(measurements, &what, &error);
                        false
                    }
                });
            }
            let medians: Vec<(&'static str, Trips)> = subjects
                .iter()
                .filter_map(|subject| Some((subject.name, medians(taken.get(subject.name)?))))
                .collect();
            let rows = &mut measurements.rows;
            for (name, trips) in &medians {
                let cost = |measure, value| Row::cost(group, &label, measure, name, value);
                rows.push(Row::rate(group, &label, "a second", name, trips.rate));
                rows.push(cost("us, p50", trips.p50));
                rows.push(cost("us, p99", trips.p99));
                // Seconds would be all zeros in the table.
                let milliseconds = trips.cpu_per_thousand * 1_000.0;
                rows.push(cost("client CPU ms per 1,000", milliseconds));
                rows.push(cost("client MiB", trips.mebibytes));
            }
            for Goal {
                measure,
                ratio,
                at_most,
            } in goals(&medians)
            {
                let row = Row::cost(group, &label, measure, OURS, ratio);
                rows.push(row.with_target(Target::AtMost(at_most)));
            }
        }
    }
}

/// Each number's median, by itself.
fn medians(taken: &[Trips]) -> Trips {
    let median = |value: fn(&Trips) -> f64| {
        let mut values: Vec<f64> = taken.iter().map(value).collect();
        values.sort_unstable_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
    };
    Trips {
        rate: median(|trips| trips.rate),
        p50: median(|trips| trips.p50),
        p99: median(|trips| trips.p99),
        cpu_per_thousand: median(|trips| trips.cpu_per_thousand),
        mebibytes: median(|trips| trips.mebibytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(name: &'static str, line: &'static str) -> Subject {
        let client = Box::new(move || {
            let mut command = Command::new("sh");
            command.args(["-c", line]);
            Ok(command)
        });
        let port = 0;
        Subject { name, port, client }
    }

    #[test]
    fn who_fails_is_skipped_and_the_others_are_measured() {
        let trips = r#"echo '{"rate":2,"p50":3,"p99":4,"cpu_per_thousand":5,"mebibytes":6}'"#;
        let subjects = vec![subject("well", trips), subject("broken", "exit 3")];
        let mut measurements = Measurements::default();
        compare("group", 2, subjects, &mut measurements, |taken| {
            assert_eq!(taken.len(), 1);
            Vec::new()
        });
        let reason = "group, from update, 1 in flight on, broken: it ended with exit status: 3";
        assert_eq!(measurements.skipped, [reason]);
        let tasks = OPERATIONS.len() * IN_FLIGHT.len();
        assert_eq!(measurements.rows.len(), 5 * tasks);
        assert!(measurements.rows.iter().all(|row| row.subject == "well"));
    }
}
