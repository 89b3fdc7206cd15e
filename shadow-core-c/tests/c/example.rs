//! The example device in C against the cloud, under valgrind.

use std::future::{Future, ready};
use std::process::Stdio;
use std::time::Duration;

use futures_lite::{StreamExt, stream};
use rustix::process::{Pid, Signal, kill_process};
use shadow_core::json::Json;
use smol::channel::{Receiver, unbounded};
use smol::future::or;
use smol::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use smol::net::TcpListener;
use smol::process::{Child, Command};
use smol::{LocalExecutor, Timer};
use transport_mock::cloud::{Cloud, example_name};
use transport_mock::server::{Departure, ServerEvent};
use transport_mock::{SharedCloud, serve};
use transport_tcp::{Clock, SystemClock};

use crate::tools::{build, crate_directory, valgrind_arguments};

/// How long anything may take before the test fails. Generous, as the machine may be busy; nothing
/// waits that long when all is well.
const PATIENCE: Duration = Duration::from_secs(120);

async fn in_time<T>(what: &str, future: impl Future<Output = T>) -> T {
    or(future, async {
        Timer::after(PATIENCE).await;
        panic!("waited too long for {what}");
    })
    .await
}

/// What the device has to have reported.
#[derive(Debug, PartialEq)]
struct Reported {
    counter: u64,
    temperature: f64,
    color: Option<String>,
}

/// The cloud, and what it tells.
struct Served {
    cloud: SharedCloud,
    clock: SystemClock,
    events: Receiver<ServerEvent>,
}

impl Served {
    /// What is reported, and whether anything is desired; `None` before the first report.
    fn shadow(&self) -> Option<(Reported, bool)> {
        let (reported, desired) = self.cloud.with(|cloud| {
            let shadow = cloud.shadow(&example_name()).unwrap();
            (shadow.reported(), shadow.desired())
        });
        let reported = reported.parse::<Json>().unwrap();
        let members: std::collections::BTreeMap<String, serde_json::Value> =
            reported.parse().unwrap();
        let reported = Reported {
            counter: members.get("counter")?.as_u64()?,
            temperature: members.get("temperature")?.as_f64()?,
            color: members
                .get("color")
                .map(|color| color.as_str().unwrap().to_owned()),
        };
        Some((reported, desired.is_some()))
    }

    /// Waits until this holds of the shadow, which every message of the device may change.
    async fn until(&self, what: &str, holds: impl Fn(&Reported, bool) -> bool) -> Reported {
        in_time(what, async {
            loop {
                if let Some((reported, desired)) = self.shadow()
                    && holds(&reported, desired)
                {
                    return reported;
                }
                self.events.recv().await.unwrap();
            }
        })
        .await
    }

    fn desire(&self, desired: &str) {
        let now = self.clock.now();
        let desire = |cloud: &mut Cloud| cloud.set_desired(now, &example_name(), desired, None);
        self.cloud.with(desire).unwrap();
    }
}

/// The program, whose lines are read.
struct Device {
    child: Child,
    lines: Receiver<String>,
}

impl Device {
    /// Waits for a line.
    async fn says(&self, wanted: &str) {
        in_time(wanted, async {
            while self.lines.recv().await.expect("it has ended") != wanted {}
        })
        .await;
    }
}

/// It reports, obeys, comes back after it was cut off, obeys what was desired meanwhile, ends on
/// SIGTERM with a DISCONNECT; and valgrind has found nothing.
pub(crate) fn obeys_and_ends() {
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("device");
    build(&crate_directory().join("../examples/c/device.c"), &program);
    let executor = LocalExecutor::new();
    smol::block_on(executor.run(async {
        let clock = SystemClock::new();
        let wall = clock.wall_time().unwrap();
        let cloud = SharedCloud::new(Cloud::example(clock.now(), wall));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let incoming = stream::unfold(listener, |listener| async move {
            let stream = listener.accept().await.ok().map(|(stream, _)| stream);
            Some((ready(stream), listener))
        });
        let (told, events) = unbounded();
        let on_event = move |event| told.try_send(event).unwrap();
        let serving = serve(cloud.clone(), Box::pin(incoming), clock, on_event);
        let _serving = executor.spawn(serving);
        let served = Served {
            cloud,
            clock,
            events,
        };

        let mut child = Command::new("valgrind")
            .args(valgrind_arguments())
            .arg(&program)
            .args(["127.0.0.1", &port.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut read = BufReader::new(child.stdout.take().unwrap()).lines();
        let (sender, lines) = unbounded();
        let _reading = executor.spawn(async move {
            while let Some(line) = read.next().await {
                sender.try_send(line.unwrap()).unwrap();
            }
        });
        let mut errors = child.stderr.take().unwrap();
        let found = executor.spawn(async move {
            let mut text = String::new();
            errors.read_to_string(&mut text).await.unwrap();
            text
        });
        let mut device = Device { child, lines };

        device.says("connected").await;
        let first = served.until("a report", |_, _| true).await;
        assert_eq!((first.temperature, &first.color), (21.5, &None));

        // What it cannot read and does not know is desired no longer, and not reported.
        served.desire(r#"{"color":"bl\u0075e","volume":11}"#);
        device.says("color blue").await;
        let obeyed = served
            .until("blue", |reported, desired| {
                !desired && reported.color.as_deref() == Some("blue")
            })
            .await;
        served.desire(r#"{"color":["red"]}"#);
        served.until("nothing desired", |_, desired| !desired).await;

        served.cloud.with(|cloud| cloud.disconnect_all(clock.now()));
        served.desire(r#"{"color":"green"}"#);
        device
            .says("disconnected: the server closed the connection")
            .await;
        device.says("connected").await;
        device.says("color green").await;
        let again = served
            .until("green", |reported, desired| {
                !desired && reported.color.as_deref() == Some("green")
            })
            .await;
        assert!(again.counter > obeyed.counter);
        served
            .until("more", |reported, _| reported.counter > again.counter)
            .await;

        let pid = Pid::from_raw(device.child.id().try_into().unwrap()).unwrap();
        kill_process(pid, Signal::TERM).unwrap();
        let status = in_time("its end", device.child.status()).await.unwrap();
        let found = found.await;
        assert_eq!(status.code(), Some(0), "{found}");
        in_time("a DISCONNECT", async {
            let left = |event| match event {
                ServerEvent::Disconnected { departure, .. } => departure == Departure::Disconnect,
                _ => false,
            };
            while !left(served.events.recv().await.unwrap()) {}
        })
        .await;
    }));
}
