//! Records a day of ten thousand exchanges with the model of the cloud, and replays it.
//!
//! ```text
//! cargo run --release -p conformance --example replay_day              times both
//! cargo run --release -p conformance --example replay_day -- day.jsonl writes the recording
//! valgrind --tool=callgrind target/release/examples/replay_day         counts instructions
//! ```
//!
//! The day has 24 hours of virtual time: an exchange every 8.64 s, by turns a get, a report, an update
//! and a change of `desired` that the device accepts; pings in an hour of silence; and a lost link an
//! hour.

use std::time::Duration;

use conformance::recording::{Part, Reader, Replay, Walk};
use serde_json::json;
use shadow_core::recording::Mask;
use shadow_core::tencent::Update;
use shadow_core::{Config, Event, Session, WallTime};
use transport_mock::cloud::{Cloud, example_device, example_name};
use transport_mock::simulation::{Latency, Simulation};
use transport_tcp::{Clock, SystemClock};

const WALL: WallTime = WallTime::from_unix_millis(1_626_770_697_670);
const EXCHANGES: u32 = 10_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let clock = SystemClock::new();
    let begun = clock.now();
    let recording = day();
    let recorded = clock.now();
    println!(
        "recorded: {} lines, {} bytes in {:?}",
        recording.lines().count(),
        recording.len(),
        recorded.saturating_since(begun)
    );
    if let Some(path) = std::env::args_os().nth(1) {
        std::fs::write(path, &recording)?;
    }
    let open = || Reader::new(vec![Part::of_text("day", &recording)]);
    let begun = clock.now();
    let mut replay = Replay::new(open()?)?;
    let divergence = replay.run()?;
    let took = clock.now().saturating_since(begun);
    if let Some(divergence) = divergence {
        return Err(divergence.to_string().into());
    }
    let summary = replay.summary();
    let time = summary.until.saturating_since(summary.from);
    println!(
        "replayed: {} s, {} inputs, {} outputs, {} connections, {} exchanges in {took:?}",
        time.as_secs(),
        summary.inputs,
        summary.outputs,
        summary.connections,
        summary.exchanges
    );
    // The longest way back: from the end.
    let mut walk = Walk::new(open)?;
    walk.go_to(u64::MAX)?;
    let begun = clock.now();
    walk.back()?;
    let took = clock.now().saturating_since(begun);
    println!("one step back from line {}: {took:?}", walk.position() + 1);
    Ok(())
}

/// The recording of a day.
fn day() -> String {
    let latency = Latency {
        to_cloud: Duration::from_millis(20),
        to_device: Duration::from_millis(30),
    };
    let mut simulation = Simulation::new(|now| Cloud::example(now, WALL), latency);
    simulation.set_tracing(false);
    simulation.set_recording(Some(Mask::default()));
    let config = Config::new(&example_device());
    let device = simulation.add_device("lamp", config, Session::new(), 7);
    let pause = Duration::from_secs(23 * 3_600) / EXCHANGES;
    simulation.run_for(pause);
    for number in 0..EXCHANGES {
        if number % 417 == 416 {
            simulation.cut(device);
            simulation.run_for(Duration::from_secs(10));
        }
        let shadow = simulation
            .engine(device)
            .own_shadow()
            .expect("the device has one");
        let done = match number % 4 {
            0 => simulation.with(device, |engine, now| engine.get(now, shadow)),
            1 => simulation.with(device, |engine, now| {
                let patch = json!({"temperature": number, "mode": "warm", "on": number % 8 < 4});
                engine.report(now, shadow, &patch)
            }),
            2 => simulation.with(device, |engine, now| {
                let update = Update::new().reported(json!({"count": number}));
                engine.update(now, shadow, &update)
            }),
            _ => {
                let desired = json!({"brightness": number, "scene": "evening"});
                simulation
                    .set_desired(&example_name(), &desired.to_string())
                    .expect("it is small");
                let wanted = |event: &Event| matches!(event, Event::Delta(_));
                match simulation.run_until_event(device, pause / 2, wanted) {
                    Some(Event::Delta(delta)) => {
                        simulation.with(device, |engine, now| engine.accept(now, &delta))
                    }
                    _ => continue,
                }
            }
        };
        done.expect("there is room");
        simulation.run_for(pause);
        simulation.take_events(device);
    }
    simulation.run_for(Duration::from_secs(3_600));
    let recording = simulation.with(device, |engine, _| engine.stop());
    recording.expect("it is recorded")
}
