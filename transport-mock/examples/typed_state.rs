//! A lamp with types for what it reports and for what may be desired of it, and an application that
//! desires a brightness which is no number.
//!
//! ```text
//! cargo run -p transport-mock --example typed_state
//! ```

use std::error::Error;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use shadow_core::typed::{Field, TypedEvent};
use shadow_core::{Config, Event, Instant, Session, WallTime};
use transport_mock::cloud::{Cloud, example_device, example_name};
use transport_mock::simulation::{Latency, SimulatedEngine, Simulation};

/// What may be desired, any part of it at a time.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Desired {
    color: Field<String>,
    brightness: Field<u8>,
}

/// What the lamp is like. A color that it has not is deleted in the cloud.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Reported {
    color: Option<String>,
    brightness: u8,
}

impl Reported {
    /// Does what an event says and answers it; tells what that was. What the engine does not take is
    /// no reason to stop, as it comes again on the next link.
    fn handle(
        &mut self,
        engine: &mut SimulatedEngine,
        now: Instant,
        event: TypedEvent<Desired>,
    ) -> Option<String> {
        let (told, answered) = match event {
            TypedEvent::Delta { state, delta } => {
                state.color.apply_to(&mut self.color);
                self.brightness = state.brightness.into_value().unwrap_or(self.brightness);
                let told = format!("obeyed: {}", delta.state);
                (told, engine.accept_as(now, &delta, self))
            }
            TypedEvent::Invalid(error) => {
                let told = format!("refused: {error}");
                (told, engine.reject(now, &error.delta, &error.to_string()))
            }
            TypedEvent::Other(_) => return None,
        };
        Some(match answered {
            Ok(_) => told,
            Err(refused) => format!("{told}, and not answered: {refused}"),
        })
    }
}

/// The whole story, line by line.
pub(crate) fn play() -> Result<Vec<String>, Box<dyn Error>> {
    let wall = WallTime::from_unix_millis(1_626_770_697_670);
    let mut simulation = Simulation::new(|now| Cloud::example(now, wall), Latency::NONE);
    let (config, name) = (Config::new(&example_device()), example_name());
    let device = simulation.add_device("lamp", config, Session::new(), 1);
    let shadow = simulation.engine(device).own_shadow();
    let shadow = shadow.ok_or("the configuration names one")?;

    let mut lamp = Reported {
        color: Some("red".into()),
        brightness: 40,
    };
    simulation.with(device, |engine, now| engine.report(now, shadow, &lamp))?;
    simulation.run_for(Duration::from_secs(1));
    simulation.set_desired(&name, r#"{"color":"blue","brightness":"very"}"#)?;
    simulation.run_for(Duration::from_secs(1));

    let mut told = Vec::new();
    let events = simulation.take_events(device).into_iter();
    for event in events.flat_map(Event::typed) {
        told.extend(simulation.with(device, |engine, now| lamp.handle(engine, now, event)));
    }
    simulation.run_for(Duration::from_secs(1));

    let cloud = simulation
        .cloud()
        .shadow(&name)
        .ok_or("nobody removed it")?;
    let reported: Reported = serde_json::from_str(&cloud.reported())?;
    assert_eq!(
        (reported.color.as_deref(), reported.brightness),
        (Some("blue"), 40)
    );
    assert_eq!(cloud.desired(), None, "both wishes are answered");
    told.push(format!("the cloud has: {}", cloud.reported()));
    Ok(told)
}

fn main() -> Result<(), Box<dyn Error>> {
    play()?.iter().for_each(|line| println!("{line}"));
    Ok(())
}
