//! A device that reads what is desired as a type, and an application that desires whatever it likes.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use futures_lite::StreamExt;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use shadow_core::typed::{Field, TypedEvent};
use shadow_core::{Config, Delta, Event};
use transport_mock::TestCloud;
use transport_mock::cloud::example_device;
use transport_tcp::{Client, ClientError, Events, Notification, Receipt};

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Desired {
    color: Field<String>,
}

#[derive(Debug, Serialize)]
struct Lamp {
    color: Option<String>,
}

/// The loop of the guide: each event is answered by a request of its own. Counts its answers.
async fn obey_events(client: Client, events: Events, answers: Rc<Cell<usize>>) {
    let shadow = client.own_shadow().unwrap();
    let mut lamp = Lamp { color: None };
    let mut events = events.typed::<Desired>();
    while let Some(notification) = events.next().await {
        let answered = match notification {
            Notification::Event(TypedEvent::Delta { state, delta }) => {
                state.color.apply_to(&mut lamp.color);
                shadow.accept_as(&delta, &lamp).await
            }
            Notification::Event(TypedEvent::Invalid(error)) => {
                shadow.reject(&error.delta, &error.to_string()).await
            }
            _ => continue,
        };
        count(answered, &answers);
    }
}

/// Of a delta at a time: all that does not fit is refused by one request.
async fn obey_deltas(client: Client, mut events: Events, answers: Rc<Cell<usize>>) {
    let shadow = client.own_shadow().unwrap();
    let mut lamp = Lamp { color: None };
    while let Some(notification) = events.next().await {
        let Notification::Event(Event::Delta(delta)) = notification else {
            continue;
        };
        let typed = Delta::typed::<Desired>(&delta).unwrap();
        let rejected = typed.rejected();
        typed.state.color.apply_to(&mut lamp.color);
        count(shadow.accept_as(&typed.delta, &lamp).await, &answers);
        if let Some(rejected) = rejected {
            count(shadow.reject(&rejected, "unknown").await, &answers);
        }
    }
}

fn count(answered: Result<Receipt, ClientError>, answers: &Cell<usize>) {
    match answered {
        Ok(_) => answers.set(answers.get() + 1),
        Err(refused) => println!("not answered: {refused}"),
    }
}

fn unknown(count: usize) -> Map<String, Value> {
    let member = |key| (format!("unknown{key}"), json!(key));
    (0..count).map(member).collect()
}

/// Desires a color among so many unknown keys, and then another color.
fn play<F: Future<Output = ()> + 'static>(
    config: Config,
    count: usize,
    obey: impl Fn(Client, Events, Rc<Cell<usize>>) -> F,
) -> usize {
    let cloud = TestCloud::new();
    let (client, events) = cloud.connect(config);
    let (answers, stopped) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(false)));
    let device = obey(client, events, Rc::clone(&answers));
    let end = Rc::clone(&stopped);
    cloud.spawn(async move {
        device.await;
        end.set(true);
    });
    cloud.run_for(Duration::from_secs(1));
    let mut desired = unknown(count);
    desired.insert("color".into(), json!("blue"));
    cloud.desire(desired);
    cloud.run_for(Duration::from_secs(60));
    assert_eq!(cloud.reported().get("color"), Some(&json!("blue")));
    assert_eq!(cloud.desired(), json!({}), "all of it is answered");
    let answers = answers.get();

    // It is there, and goes on.
    cloud.desire(json!({"color": "red"}));
    cloud.run_for(Duration::from_secs(10));
    assert_eq!(cloud.reported().get("color"), Some(&json!("red")));
    assert_eq!(cloud.desired(), json!({}));
    assert!(!stopped.get());
    answers
}

#[test]
fn a_crowd_of_unknown_keys_stops_no_device() {
    let config = || Config::new(&example_device());
    assert_eq!(play(config(), 200, obey_events), 1 + 17);
    assert_eq!(play(config(), 200, obey_deltas), 2);
}

#[test]
fn two_requests_answer_a_crowd_whatever_room_there_is() {
    let mut config = Config::new(&example_device());
    config.maximum_requests = 2;
    assert_eq!(play(config, 200, obey_deltas), 2);
}
