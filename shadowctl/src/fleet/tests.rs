//! Fleets over the model, in virtual time: nothing here waits, and every run is the same.

use std::future::{Future, pending};
use std::pin::pin;
use std::time::Duration;

use shadow_core::mqtt::ConnectReturnCode;
use shadow_core::{Instant, WallTime};
use smol::LocalExecutor;
use transport_mock::VirtualClock;
use transport_mock::cloud::{Cloud, ReplyFault};
use transport_tcp::Clock;

use super::crowd::Crowd;
use super::drive::{Carrier, Course, Glimpse, Plan, Stage, Watcher, drive};
use super::identity;
use super::model::Model;
use super::process::OpenFiles;
use super::schedule::Mix;
use super::summary::{Curve, ErrorCount, Summary, Usage};
use super::tally::{Latency, Trouble};
use super::verdict;
use crate::failure::FailureKind;

const WALL: WallTime = WallTime::from_unix_millis(1_626_770_697_670);

const PLAN: Plan = Plan {
    devices: 50,
    rate: 100,
    mix: Mix::Both,
    duration: Duration::from_secs(2),
    connect_rate: Some(25),
    timeout: Duration::from_secs(10),
    seed: 1,
};

/// Notes when which stage began, and how many devices were connected each second.
#[derive(Default)]
struct Notes {
    stages: Vec<(Stage, Instant)>,
    connected: Vec<u32>,
}

impl Watcher for Notes {
    fn interval(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn look(&mut self, glimpse: &Glimpse<'_>) {
        if self.stages.last().map(|(stage, _)| *stage) != Some(glimpse.stage) {
            self.stages.push((glimpse.stage, glimpse.since));
        }
        self.connected.push(glimpse.crowd.tally.connected);
    }
}

/// Something that happens at a cloud.
type Act = fn(&mut Cloud, Instant);

/// A model to which something happens at one moment, and that counts how often it is carried.
struct Watched {
    model: Model,
    act: Option<(Instant, Act)>,
    carried: u64,
}

impl Carrier for Watched {
    fn carry(&mut self, clock: &impl Clock, crowd: &mut Crowd) {
        self.carried += 1;
        if let Some((at, act)) = self.act.take_if(|(at, _)| *at <= clock.now()) {
            act(self.model.cloud(), at);
        }
        self.model.carry(clock, crowd);
    }

    fn deadline(&self) -> Option<Instant> {
        let act = self.act.map(|(at, _)| at);
        act.into_iter().chain(self.model.deadline()).min()
    }

    fn ready(&self) -> impl Future<Output = ()> {
        self.model.ready()
    }
}

/// What came of a fleet, of its carrier and of the documents.
struct Played {
    course: Course,
    notes: Notes,
    carrier: Watched,
    ended: Instant,
}

fn play(plan: &Plan, disturb: impl FnOnce(&mut Watched)) -> Played {
    play_until(plan, disturb, None)
}

fn play_until(plan: &Plan, disturb: impl FnOnce(&mut Watched), stop: Option<Instant>) -> Played {
    let clock = VirtualClock::new(WALL);
    let mut carrier = Watched {
        model: Model::new(plan.devices, clock.now(), WALL),
        act: None,
        carried: 0,
    };
    disturb(&mut carrier);
    let mut notes = Notes::default();
    let executor = LocalExecutor::new();
    let course = clock.run(&executor, async {
        let stop = pin!(async {
            match stop {
                Some(at) => clock.sleep_until(at).await,
                None => pending().await,
            }
        });
        drive(plan, &mut carrier, &clock, WALL, stop, &mut notes).await
    });
    Played {
        course,
        notes,
        carrier,
        ended: clock.now(),
    }
}

impl Played {
    fn summary(&self, plan: &Plan) -> Summary {
        let usage = Usage {
            bytes_before: Some(5_000_000),
            bytes: Some(5_150_000),
            processor: Some(Duration::from_millis(4)),
        };
        let files = Some(OpenFiles {
            was: 1_024,
            is: 20_000,
        });
        let server = "the model".to_owned();
        Summary::new(
            server,
            1,
            plan.devices,
            plan.rate,
            &self.course,
            usage,
            files,
        )
    }

    fn troubles(&self) -> Vec<(Trouble, u64)> {
        let tally = &self.course.crowd.tally;
        tally.troubles().map(|(kind, t)| (kind, t.count)).collect()
    }
}

#[test]
fn fifty_devices_do_their_round_trips() {
    let mut played = play(&PLAN, |_| ());
    let tally = &played.course.crowd.tally;
    assert_eq!((tally.begun, tally.answered, tally.failed), (200, 200, 0));
    assert_eq!((tally.ever_connected, played.troubles()), (50, vec![]));
    assert_eq!(played.course.planned, 200);
    // At 25 a second from the start on; then two seconds of work, and nothing to wait for.
    let stages: Vec<_> = played
        .notes
        .stages
        .iter()
        .map(|(stage, since)| (*stage, since.as_micros() / 1_000))
        .collect();
    let expected = [
        (Stage::Connecting, 0),
        (Stage::Working, 1_960),
        (Stage::Draining, 3_960),
        (Stage::Closing, 3_960),
    ];
    assert_eq!(stages, expected);
    assert_eq!(played.ended.as_micros(), 3_960_000);
    assert_eq!(played.notes.connected[..2], [1, 26]);
    // Each reported twice, and its shadow holds the last number: 50 devices, every other round.
    let cloud = played.carrier.model.cloud();
    for device in 0..50 {
        let shadow = cloud.shadow(&identity::device(device).name).unwrap();
        assert_eq!(shadow.version(), 2, "device {device}");
        let last = if device % 2 == 0 { 150 } else { 100 } + device;
        assert_eq!(shadow.reported(), format!(r#"{{"count":{last}}}"#));
    }
    // All have logged out.
    assert_eq!(cloud.server().clients().count(), 0);
}

#[test]
fn a_summary_is_a_table_and_an_object() {
    let summary = play(&PLAN, |_| ()).summary(&PLAN);
    assert_eq!(verdict(&summary), Ok(()));
    assert_eq!(summary.bytes_per_device, Some(3_000));
    let plain = anstream::adapter::strip_str(&summary.to_string()).to_string();
    let expected = "\
fleet of 50 at the model, seed 1
connected      50 of 50 in 1.96 s
round trips    200 answered, 100.0 a second of 100; 0 failed
latency        p50 0 µs, p90 0 µs, p99 0 µs, longest 0 µs
memory         5.2 MB, 3000 bytes a device
processor      0.00 s, 20.0 µs a round trip
open files     limit was 1024, is 20000
errors         none";
    assert_eq!(plain, expected);
    let json = serde_json::to_string(&summary).unwrap();
    assert_eq!(serde_json::from_str::<Summary>(&json).unwrap(), summary);
    let larger = Summary {
        devices: 1_050,
        resident_bytes: Some(8_050_000),
        latency_us: None,
        ..summary.clone()
    };
    let curve = Curve(&[summary, larger]).to_string();
    let plain = anstream::adapter::strip_str(&curve).to_string();
    let expected = " \
devices connected    memory bytes/device each more   trips/s  CPU/trip       p50       p99 errors
      50        50    5.2 MB         3000         -     100.0   20.0 µs      0 µs      0 µs      0
    1050        50    8.1 MB         3000      2900     100.0   20.0 µs         -         -      0";
    assert_eq!(plain, expected);
}

#[test]
fn a_curve_says_what_did_not_run() {
    let whole = play(&PLAN, |_| ()).summary(&PLAN);
    let last_line = |last: Summary| {
        let curve = Curve(&[whole.clone(), last]).to_string();
        curve.lines().skip(3).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(last_line(whole.clone()), "");
    let stopped = |stopped, not_run: &[u32]| Summary {
        stopped,
        not_run: not_run.to_vec(),
        ..whole.clone()
    };
    let expected = "ended early, at 50 devices; not run: 200, 300";
    assert_eq!(last_line(stopped(true, &[200, 300])), expected);
    assert_eq!(last_line(stopped(true, &[])), "ended early, at 50 devices");
    // Between two of them.
    assert_eq!(
        last_line(stopped(false, &[200])),
        "ended early; not run: 200"
    );
    let json = |summary: &Summary| serde_json::to_value(summary).unwrap();
    assert_eq!(json(&whole).get("not_run"), None);
    let stopped = stopped(true, &[200, 300]);
    assert_eq!(json(&stopped)["not_run"], serde_json::json!([200, 300]));
    assert_eq!(
        serde_json::from_value::<Summary>(json(&stopped)).unwrap(),
        stopped
    );
}

#[test]
fn a_curve_fits_a_terminal_of_a_hundred_columns() {
    let summary = Summary {
        devices: 1_000_000,
        connected: 1_000_000,
        resident_bytes: Some(9_999_900_000),
        bytes_per_device: Some(9_999),
        per_second: 1_000_000.0,
        latency_us: Some(Latency {
            p50: 9_000_000,
            p90: 9_000_000,
            p99: 3_600_000_000,
            maximum: 3_600_000_000,
        }),
        processor_us_per_round_trip: Some(9_999.9),
        errors: vec![ErrorCount {
            kind: Trouble::TimedOut,
            count: 999_999,
            example: String::new(),
        }],
        ..play(&PLAN, |_| ()).summary(&PLAN)
    };
    let curve = Curve(&[summary]).to_string();
    let plain = anstream::adapter::strip_str(&curve).to_string();
    let widths: Vec<usize> = plain.lines().map(|line| line.chars().count()).collect();
    assert_eq!(widths, [98, 98], "{plain}");
}

#[test]
fn what_the_server_refuses_kicks_and_forgets_is_counted() {
    let plan = Plan {
        rate: 10,
        duration: Duration::from_secs(10),
        ..PLAN
    };
    let played = play(&plan, |carrier| {
        let refused = identity::device(3).name;
        let code = ConnectReturnCode::ServerUnavailable;
        let cloud = carrier.model.cloud();
        cloud.refuse_logins(refused.client_id(), code, 1);
        // Each device's second turn is still to come.
        carrier.act = Some((Instant::from_secs(8), |cloud, now| {
            assert!(cloud.disconnect(now, identity::device(9).name.client_id()));
            cloud.disturb_replies(&identity::device(7).name, ReplyFault::Lost, 1);
        }));
    });
    // It connects again five seconds after its first try, which was 3 / 25 s after the start.
    let working = (Stage::Working, Instant::from_micros(5_120_000));
    assert_eq!(played.notes.stages[1], working);
    let expected = [
        (Trouble::LoginRefused, 1),
        (Trouble::Disconnected, 1),
        (Trouble::TimedOut, 1),
    ];
    assert_eq!(played.troubles(), expected);
    let tally = &played.course.crowd.tally;
    assert_eq!((tally.ever_connected, tally.connected), (50, 50));
    assert_eq!((tally.begun, tally.answered, tally.failed), (100, 99, 1));
    let summary = played.summary(&plan);
    let failure = verdict(&summary).unwrap_err();
    assert_eq!(failure.kind(), FailureKind::Operation);
    assert!(
        failure
            .to_string()
            .starts_with("1 round trips of 100 failed")
    );
    let table = summary.to_string();
    for words in [
        "login refused",
        "the server closed the connection",
        "no answer within 10",
    ] {
        assert!(table.contains(words), "{table}");
    }
}

#[test]
fn devices_that_never_get_in_are_given_up() {
    let plan = Plan {
        devices: 2,
        connect_rate: None,
        ..PLAN
    };
    let refuse = |carrier: &mut Watched, device| {
        let name = identity::device(device).name;
        let code = ConnectReturnCode::NotAuthorized;
        carrier
            .model
            .cloud()
            .refuse_logins(name.client_id(), code, 1_000);
    };
    let played = play(&plan, |carrier| refuse(carrier, 1));
    let troubles = played.troubles();
    assert!(
        troubles.contains(&(Trouble::NotConnected, 1)),
        "{troubles:?}"
    );
    // The other one works all the same, and of this one all round trips fail.
    let tally = &played.course.crowd.tally;
    assert_eq!((tally.answered, tally.failed), (100, 100));
    assert_eq!(
        played.notes.stages[1],
        (Stage::Working, Instant::from_secs(10))
    );
    let failure = verdict(&played.summary(&plan)).unwrap_err();
    assert_eq!(failure.kind(), FailureKind::Operation);
    // With nobody in at all, it is the server.
    let played = play(&plan, |carrier| {
        refuse(carrier, 0);
        refuse(carrier, 1);
    });
    let failure = verdict(&played.summary(&plan)).unwrap_err();
    assert_eq!(failure.kind(), FailureKind::Server);
    assert!(failure.to_string().contains("not authorized"), "{failure}");
}

#[test]
fn it_ends_early_when_told_to() {
    let lost = |carrier: &mut Watched| {
        // Those to the engine's own gets, and to all that follows.
        let name = identity::device(0).name;
        carrier
            .model
            .cloud()
            .disturb_replies(&name, ReplyFault::Lost, 1_000);
    };
    let plan = Plan { devices: 1, ..PLAN };
    // While it connects.
    let at = Instant::from_secs(4);
    let played = play_until(&plan, lost, Some(at));
    let tally = &played.course.crowd.tally;
    assert_eq!((played.ended, played.course.stopped), (at, true));
    assert_eq!((tally.begun, tally.ever_connected), (0, 0));
    assert_eq!(verdict(&played.summary(&plan)), Ok(()));
    // While it works: what is open is given up, not failed.
    let plan = Plan {
        devices: 2,
        connect_rate: None,
        ..PLAN
    };
    let at = Instant::from_micros(11_005_000);
    let played = play_until(&plan, lost, Some(at));
    let tally = &played.course.crowd.tally;
    assert_eq!((played.ended, tally.begun), (at, 101));
    assert_eq!((tally.answered, tally.cancelled, tally.failed), (50, 51, 0));
    assert!(played.summary(&plan).to_string().contains("ended early"));
}

/// An hour of a fleet that does nothing is a ping a minute and device, and nothing between.
#[test]
fn idle_devices_are_not_looked_at() {
    let plan = Plan {
        rate: 0,
        duration: Duration::from_secs(3_600),
        ..PLAN
    };
    let played = play(&plan, |_| ());
    assert_eq!(played.ended.as_micros(), 3_601_960_000);
    assert_eq!(played.course.crowd.tally.begun, 0);
    assert_eq!(played.troubles(), []);
    // Besides a look a second: 50 devices, 60 minutes, and a deadline each that moves.
    let carried = played.carrier.carried;
    assert!((3_600..3_600 + 2 * 50 * 60).contains(&carried), "{carried}");
}

/// The same fleet says the same, to the byte; another seed other tokens.
#[test]
fn a_seed_makes_the_same_fleet_again() {
    let requests = |seed| {
        let plan = Plan { seed, ..PLAN };
        let mut played = play(&plan, |carrier| carrier.model.cloud().record_requests(true));
        played.carrier.model.cloud().take_requests()
    };
    let (first, second, other) = (requests(1), requests(1), requests(2));
    assert_eq!(first.len(), 250);
    assert_eq!(first, second);
    assert_ne!(first, other);
    // And no two devices of it have one token.
    let mut payloads: Vec<_> = first.iter().map(|request| &request.payload).collect();
    payloads.sort();
    payloads.dedup();
    assert_eq!(payloads.len(), 250);
}
