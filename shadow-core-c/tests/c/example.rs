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
use smol::{LocalExecutor, Task, Timer};
use tempfile::TempDir;
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
    /// What valgrind says.
    found: Task<String>,
    /// The program is in there.
    _directory: TempDir,
}

impl Device {
    /// Starts the example device with what is to be linked to it, under valgrind.
    fn start(executor: &LocalExecutor<'_>, linked: Option<&str>, port: u16) -> Device {
        let directory = tempfile::tempdir().unwrap();
        let program = directory.path().join("device");
        let sources = ["../examples/c/device.c"].into_iter().chain(linked);
        let sources: Vec<_> = sources.map(|path| crate_directory().join(path)).collect();
        build(&sources, &program);
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
        let reading = executor.spawn(async move {
            while let Some(line) = read.next().await {
                sender.try_send(line.unwrap()).unwrap();
            }
        });
        reading.detach();
        let mut errors = child.stderr.take().unwrap();
        let found = executor.spawn(async move {
            let mut text = String::new();
            errors.read_to_string(&mut text).await.unwrap();
            text
        });
        Device {
            child,
            lines,
            found,
            _directory: directory,
        }
    }

    /// Asks it to end.
    fn terminate(&self) {
        let pid = Pid::from_raw(self.child.id().try_into().unwrap()).unwrap();
        kill_process(pid, Signal::TERM).unwrap();
    }

    /// Waits for its end, at which valgrind has found nothing.
    async fn ends(mut self) {
        let status = in_time("its end", self.child.status()).await.unwrap();
        let found = self.found.await;
        assert_eq!(status.code(), Some(0), "{found}");
    }

    /// Waits for a line.
    async fn says(&self, wanted: &str) {
        in_time(wanted, async {
            while self.lines.recv().await.expect("it has ended") != wanted {}
        })
        .await;
    }
}

/// It finds the address at which somebody listens, reports, obeys, comes back after it was cut off, obeys what was desired meanwhile, ends on
/// SIGTERM with a DISCONNECT; and valgrind has found nothing.
pub(crate) fn obeys_and_ends() {
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

        let device = Device::start(&executor, Some("tests/c/two_addresses.c"), port);
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

        device.terminate();
        device.ends().await;
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

/// Where nobody answers, connecting ends by the device's own patience, and at once on SIGTERM.
#[cfg(target_os = "linux")]
pub(crate) fn gives_up_connecting() {
    // As a program behind a firewall sees it: the one place in the queue is taken, and the kernel
    // leaves whatever else comes without an answer.
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    rustix::net::listen(&listener, 0).unwrap();
    let address = listener.local_addr().unwrap();
    let _queued = std::net::TcpStream::connect(address).unwrap();
    let executor = LocalExecutor::new();
    smol::block_on(executor.run(async {
        let device = Device::start(&executor, None, address.port());
        device.says("disconnected: cannot connect: timed out").await;
        in_time("the next attempt", async {
            while !is_connecting_to(address.port()) {
                Timer::after(Duration::from_millis(10)).await;
            }
        })
        .await;
        device.terminate();
        let interrupted = "disconnected: cannot connect: Interrupted system call";
        device.says(interrupted).await;
        device.ends().await;
    }));
}

/// Whether a socket of this machine has asked for a connection to this port and waits.
#[cfg(target_os = "linux")]
fn is_connecting_to(port: u16) -> bool {
    const SYN_SENT: &str = "02"; // The kernel's documentation, networking/proc_net_tcp.
    let sockets = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let remote = format!("0100007F:{port:04X}");
    sockets.lines().any(|line| {
        let mut fields = line.split_whitespace().skip(2);
        (fields.next(), fields.next()) == (Some(&remote), Some(SYN_SENT))
    })
}
