//! The driver over memory streams, under the virtual clock, against a served cloud.

use std::cell::RefCell;
use std::future::{Future, ready};
use std::io::ErrorKind;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_lite::StreamExt;
use serde_json::json;
use shadow_core::recording::{Mask, Sink};
use shadow_core::tencent::Update;
use shadow_core::{Config, DisconnectCause, Event, Instant, Session};
use smol::LocalExecutor;
use transport_mock::cloud::{Cloud, example_device, example_name};
use transport_mock::server::{Departure, ServerEvent};
use transport_mock::simulation::replay::replay;
use transport_mock::stream::{Connect, Fault, Faults, memory_network};
use transport_mock::trace::{SharedTrace, tracing_connector};
use transport_mock::{SharedCloud, VirtualClock, serve};
use transport_tcp::recording::RecordingSink;
use transport_tcp::{Client, Clock, Events, Notification, client};

use crate::support::WALL;

/// Everything that a test of a device needs.
struct World {
    clock: VirtualClock,
    cloud: SharedCloud,
    device: Client,
    events: Events,
    server_events: Rc<RefCell<Vec<ServerEvent>>>,
}

/// A recording that the test can read.
#[derive(Clone, Default)]
struct Recorded(Arc<Mutex<String>>);

impl Sink for Recorded {
    fn line(&mut self, line: &str) {
        self.0.lock().unwrap().push_str(line);
    }
}

impl RecordingSink for Recorded {}

/// Runs a test with a device whose connections become what `script` says. Whatever the driver did
/// with its engine replays.
fn with_device<F: Future>(script: Vec<Connect>, test: impl FnOnce(World) -> F) -> F::Output {
    with_recorded_device(Config::new(&example_device()), script, test).0
}

/// The same for a device that is configured so; with what was recorded.
fn with_recorded_device<F: Future>(
    config: Config,
    script: Vec<Connect>,
    test: impl FnOnce(World) -> F,
) -> (F::Output, String) {
    let clock = VirtualClock::new(WALL);
    let cloud = SharedCloud::new(Cloud::example(clock.now(), WALL));
    let (connector, listener) = memory_network(512, 8);
    let executor = LocalExecutor::new();
    let server_events = Rc::new(RefCell::new(Vec::new()));
    let heard = Rc::clone(&server_events);
    let incoming = listener.map(|stream| ready(Some(stream)));
    let on_event = move |event| heard.borrow_mut().push(event);
    executor
        .spawn(serve(cloud.clone(), incoming, clock.clone(), on_event))
        .detach();
    let connector = connector.with_script(script);
    let (device, events, driver) = client(config, Session::new(), 7, connector, clock.clone());
    let recorded = Recorded::default();
    let driver = driver.with_recording(Mask::default(), recorded.clone());
    executor.spawn(driver.run()).detach();
    let world = World {
        clock: clock.clone(),
        cloud,
        device,
        events,
        server_events,
    };
    let result = clock.run(&executor, test(world));
    let recording = recorded.0.lock().unwrap().clone();
    assert_eq!(replay(&recording), Ok(()));
    assert!(recording.contains(r#""out":"connect""#), "{recording}");
    (result, recording)
}

async fn next_event(events: &mut Events, wanted: impl Fn(&Event) -> bool) -> Event {
    loop {
        match events.next().await {
            Some(Notification::Event(event)) if wanted(&event) => return event,
            Some(_) => {}
            None => panic!("the driver has ended"),
        }
    }
}

#[test]
fn device_gets_reports_hears_deltas_and_says_goodbye() {
    with_device(Vec::new(), |mut world| async move {
        let world = &mut world; // all of it: the driver ends with the last handle on it
        let shadow = world.device.own_shadow().unwrap();
        let document = shadow.get().await.unwrap();
        let reported = r#"{"updateCount":0,"updateCount11":"shadow"}"#;
        assert_eq!(
            (document.version(), document.reported()),
            (Some(8), Some(reported))
        );
        let update = Update::new().reported(json!({"updateCount": 12}));
        let reply = shadow.update(update).await.unwrap();
        assert_eq!(reply.version(), Some(9));
        assert_eq!(
            world.clock.now(),
            Instant::ZERO,
            "nothing waited for time to pass"
        );

        let now = world.clock.now();
        let desired = world
            .cloud
            .with(|cloud| cloud.set_desired(now, &example_name(), r#"{"power":true}"#, Some(9)));
        assert_eq!(desired, Ok(10));
        let delta = next_event(&mut world.events, |event| matches!(event, Event::Delta(_))).await;
        assert!(
            matches!(delta, Event::Delta(delta) if delta.state.as_str() == r#"{"power":true}"#)
        );

        // An hour of silence is an hour of PINGREQ and PINGRESP.
        world.clock.sleep_until(Instant::from_secs(3_600)).await;
        shadow.clear_desired().await.unwrap();
        world.device.close().await;
        let soon = world.clock.now() + Duration::from_millis(1);
        world.clock.sleep_until(soon).await; // the server reads it
        let left = world.server_events.borrow().iter().any(|event| {
            matches!(
                event,
                ServerEvent::Disconnected {
                    departure: Departure::Disconnect,
                    ..
                }
            )
        });
        assert!(left, "{:?}", world.server_events.borrow());
        let connected = |event: &&ServerEvent| matches!(event, ServerEvent::Connected { .. });
        assert_eq!(
            world
                .server_events
                .borrow()
                .iter()
                .filter(connected)
                .count(),
            1
        );
    });
}

#[test]
fn bytes_one_by_one_are_as_good_as_any() {
    let bytewise = || vec![Fault::SplitReads(vec![1]), Fault::SplitWrites(vec![1, 2])];
    let faults = Faults {
        to_server: bytewise(),
        to_client: bytewise(),
    };
    with_device(vec![Connect::Accepted(faults)], |world| async move {
        let shadow = world.device.own_shadow().unwrap();
        let update = Update::new().reported(json!({"a": "b"}));
        assert_eq!(shadow.update(update).await.unwrap().version(), Some(9));
    });
}

/// The first connection breaks at any one byte, in either direction; the device comes back and its
/// report arrives, though it is made once.
#[test]
fn device_recovers_from_a_cut_at_any_byte() {
    for to_server in [true, false] {
        for at in (0..420).step_by(7) {
            let cut = vec![Fault::CutAfter(at)];
            let faults = if to_server {
                Faults {
                    to_server: cut,
                    ..Faults::default()
                }
            } else {
                Faults {
                    to_client: cut,
                    ..Faults::default()
                }
            };
            with_device(vec![Connect::Accepted(faults)], |world| async move {
                let shadow = world.device.own_shadow().unwrap();
                let receipt = shadow.report(&json!({"at": at})).await.unwrap();
                assert_eq!(receipt.acknowledged().await, Ok(()), "cut at {at}");
                let reported = world
                    .cloud
                    .with(|cloud| cloud.shadow(&example_name()).unwrap().reported());
                assert!(reported.contains(&format!(r#""at":{at}"#)), "{reported}");
                let logins = world
                    .server_events
                    .borrow()
                    .iter()
                    .filter(|event| {
                        matches!(
                            event,
                            ServerEvent::Connected { .. } | ServerEvent::Refused { .. }
                        )
                    })
                    .count();
                assert!(logins == 2 || at >= 200, "cut at {at} was not noticed");
                assert!(world.clock.now() <= Instant::from_secs(30), "cut at {at}");
            });
        }
    }
}

#[test]
fn refused_and_silent_connects_are_tried_again() {
    let script = vec![
        Connect::Refused(ErrorKind::ConnectionRefused),
        Connect::Silent,
    ];
    with_device(script, |mut world| async move {
        let world = &mut world; // all of it: the driver ends with the last handle on it
        let disconnected = |event: &Event| matches!(event, Event::Disconnected { .. });
        let first = next_event(&mut world.events, disconnected).await;
        assert!(format!("{first:?}").contains("as scripted"), "{first:?}");
        let second = next_event(&mut world.events, disconnected).await;
        let timed_out = DisconnectCause::ConnectTimedOut;
        assert!(matches!(second, Event::Disconnected { cause, .. } if cause == timed_out));
        next_event(&mut world.events, |event| {
            matches!(event, Event::Ready { .. })
        })
        .await;
    });
}

/// The stream swallows everything behind the login: only the missing PINGRESP tells the device, and
/// only the silence the server.
#[test]
fn stalled_connection_is_given_up_by_both_ends() {
    let stall = Faults {
        to_server: vec![Fault::StallAfter(300)],
        ..Faults::default()
    };
    with_device(vec![Connect::Accepted(stall)], |mut world| async move {
        let world = &mut world; // all of it: the driver ends with the last handle on it
        next_event(&mut world.events, |event| {
            matches!(event, Event::Connected { .. })
        })
        .await;
        let timed_out = next_event(&mut world.events, |event| {
            let cause = |cause: &DisconnectCause| {
                matches!(
                    cause,
                    DisconnectCause::PingTimedOut | DisconnectCause::SubscribeTimedOut
                )
            };
            matches!(event, Event::Disconnected { cause: c, .. } if cause(c))
        });
        timed_out.await;
        next_event(&mut world.events, |event| {
            matches!(event, Event::Ready { .. })
        })
        .await;
        world
            .clock
            .sleep_until(world.clock.now() + Duration::from_secs(120))
            .await;
        let clients = world.cloud.with(|cloud| cloud.server().clients().count());
        assert_eq!(clients, 1);
    });
}

#[test]
fn wrong_secret_is_told() {
    let clock = VirtualClock::new(WALL);
    let cloud = SharedCloud::new(Cloud::example(clock.now(), WALL));
    let (connector, listener) = memory_network(512, 8);
    let executor = LocalExecutor::new();
    let incoming = listener.map(|stream| ready(Some(stream)));
    let serving = serve(cloud, incoming, clock.clone(), |_| {});
    executor.spawn(serving).detach();
    let thief = shadow_core::tencent::DeviceInfo::with_key("EXAMPLE001", "test01", "b3RoZXI=");
    let config = Config::new(&thief.unwrap());
    let (_device, mut events, driver) = client(config, Session::new(), 7, connector, clock.clone());
    executor.spawn(driver.run()).detach();
    let event = clock.run(
        &executor,
        next_event(&mut events, |event| {
            matches!(event, Event::Disconnected { .. })
        }),
    );
    let Event::Disconnected { cause, .. } = event else {
        panic!("{event:?}")
    };
    assert_eq!(
        cause.to_string(),
        "login refused: bad user name or password; usually a wrong device secret, or a wrong clock"
    );
}

/// Serving ends when nobody can connect any more and everybody has left.
#[test]
fn serving_ends_with_the_last_connection() {
    let clock = VirtualClock::new(WALL);
    let cloud = SharedCloud::new(Cloud::example(clock.now(), WALL));
    let (connector, listener) = memory_network(512, 8);
    let executor = LocalExecutor::new();
    let incoming = listener.map(|stream| ready(Some(stream)));
    let serving = executor.spawn(serve(cloud, incoming, clock.clone(), |_| {}));
    let config = Config::new(&example_device());
    let (device, _events, driver) = client(config, Session::new(), 7, connector, clock.clone());
    executor.spawn(driver.run()).detach();
    clock.run(&executor, async {
        device.own_shadow().unwrap().get().await.unwrap();
        device.close().await;
        serving.await;
    });
}

/// Faults, time-outs and chance included.
#[test]
fn same_run_gives_the_same_trace() {
    fn run(seed: u64) -> Vec<String> {
        let clock = VirtualClock::new(WALL);
        let cloud = SharedCloud::new(Cloud::example(clock.now(), WALL));
        let (connector, listener) = memory_network(64, 8);
        let script = [
            Connect::Refused(ErrorKind::ConnectionRefused),
            Connect::Silent,
            Connect::Accepted(Faults {
                to_server: vec![Fault::StallAfter(400), Fault::SplitWrites(vec![5, 1])],
                to_client: vec![Fault::SplitReads(vec![1, 2, 3])],
            }),
            Connect::Accepted(Faults {
                to_client: vec![Fault::CutAfter(300)],
                ..Faults::default()
            }),
        ];
        let trace = SharedTrace::new(clock.now());
        let executor = LocalExecutor::new();
        let incoming = listener.map(|stream| ready(Some(stream)));
        let told = trace.clone();
        let told_at = clock.clone();
        let on_event = move |event| told.push(told_at.now(), &format!("server ! {event:?}"));
        let serving = serve(cloud.clone(), incoming, clock.clone(), on_event);
        executor.spawn(serving).detach();
        let devices: Vec<(Client, Events)> = (0..3)
            .map(|number| {
                let connector = connector.clone().with_script(script.clone());
                let label = format!("device {number}");
                let connector = tracing_connector(&label, connector, clock.clone(), trace.clone());
                let config = Config::new(&example_device());
                let seed = seed + number;
                let (device, events, driver) =
                    client(config, Session::new(), seed, connector, clock.clone());
                executor.spawn(driver.run()).detach();
                (device, events)
            })
            .collect();
        clock.run(&executor, async {
            // One client id for three of them: they kick each other again and again.
            for minute in 1..=20 {
                clock.sleep_until(Instant::from_secs(60 * minute)).await;
                for (device, _) in &devices {
                    let update = Update::new().reported(json!({"minute": minute}));
                    let outcome = device.own_shadow().unwrap().update(update).await;
                    trace.push(clock.now(), &format!("{outcome:?}"));
                }
            }
            for (device, events) in devices {
                device.close().await;
                let events: Vec<Notification> = events.collect().await;
                trace.push(clock.now(), &format!("{events:?}"));
            }
        });
        trace.lines()
    }
    let first = run(1);
    assert!(first.len() > 500, "{}", first.len());
    assert_eq!(first, run(1));
    assert_ne!(first, run(2));
}

/// A write that stalls at any byte keeps packets in the engine, which is then polled in another
/// order and has no room for all it wants to say: it replays all the same.
#[test]
fn a_stall_at_any_byte_replays() {
    let (mut pending, mut polls) = (0, 0);
    for at in (0..900).step_by(13) {
        let faults = Faults {
            to_server: vec![Fault::StallAfter(at), Fault::SplitWrites(vec![7, 1, 30])],
            to_client: vec![Fault::SplitReads(vec![1, 40])],
        };
        let mut config = Config::new(&example_device());
        config.maximum_queued_bytes = 300;
        let script = vec![Connect::Accepted(faults)];
        let ((), recording) = with_recorded_device(config, script, |world| async move {
            let shadow = world.device.own_shadow().unwrap();
            for count in 0..20 {
                let report = json!({"updateCount": count, "text": "x".repeat(50)});
                // Some find no room.
                let _ = shadow.report(&report).await;
                let update = Update::new().reported(json!({"other": count}));
                let mut updated = Box::pin(shadow.update(update));
                let _ = futures_lite::future::poll_once(&mut updated).await;
            }
            // On the next link everything gets there.
            let last = shadow.report(&json!({"updateCount": 99})).await.unwrap();
            last.acknowledged().await.unwrap();
        });
        pending += recording.matches(r#""pending":true}"#).count();
        polls += recording.matches(r#","in":"poll"}"#).count();
    }
    assert!(pending > 0 && polls > 0, "{pending} {polls}");
}
