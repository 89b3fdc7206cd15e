//! What happens to the program, and what it has to do then.

use std::fmt::Write as _;
use std::future::{Future, pending};
use std::net::{SocketAddr, TcpListener};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use shadow_core::Instant;
use smol::channel::{Receiver, unbounded};
use smol::future::or;
use smol::io::{AsyncRead, AsyncWrite};
use smol::net::TcpStream;
use smol::stream::{StreamExt, unfold};
use transport_mock::cloud::{Cloud, example_name};
use transport_mock::server::ServerEvent;
use transport_mock::{SharedCloud, serve};
use transport_tcp::{Clock, SystemClock};

use crate::{program, reserve_port};

/// How long a step may take: some seconds, most of which are the engine's wait before it connects
/// again, on a machine that does other things too.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// What can be seen of a program.
#[derive(Debug)]
pub(crate) enum Happening {
    /// It printed a line on its standard output.
    Printed(String),
    /// It printed a line on its standard error.
    Complained(String),
    /// It closed both.
    Ended,
    /// It did something to the cloud.
    Served(ServerEvent),
}

/// As [`run_device_over`](crate::run_device_over).
pub(crate) async fn play<A, S>(
    mut command: Command,
    arguments: impl FnOnce(SocketAddr) -> Vec<String>,
    accept: impl FnMut(TcpStream) -> A,
) where
    A: Future<Output = Option<S>>,
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (socket, address) = reserve_port().expect("the system has a port left");
    let clock = SystemClock::new();
    let wall = clock.wall_time().expect("it is after 1970");
    let cloud = SharedCloud::new(Cloud::example(clock.now(), wall));
    let (sender, happenings) = unbounded();
    let mut stage = Stage {
        clock,
        cloud: cloud.clone(),
        happenings,
        printed: Vec::new(),
        log: String::new(),
    };
    command.args(arguments(address));
    let mut child = program::start(command);
    let listening = async {
        program::listen(&mut child, &sender).await;
        pending().await
    };
    let playing = async {
        stage.before_the_cloud_listens().await;
        socket.listen(8).expect("it is bound");
        let listener = smol::Async::new(TcpListener::from(socket)).expect("it is a listener");
        let sockets = unfold(listener, |listener| async {
            let (stream, _) = listener.accept().await.expect("a listener accepts");
            Some((TcpStream::from(stream), listener))
        });
        let incoming = sockets.map(accept);
        let on_event = |event| {
            let told = sender.try_send(Happening::Served(event));
            told.expect("the channel has no bound and a reader");
        };
        or(stage.with_the_cloud(), async {
            serve(cloud, incoming, clock, on_event).await;
            unreachable!("there is always one more connection to wait for");
        })
        .await;
    };
    or(playing, listening).await;
}

/// The test's side: it sees what happens and plays the cloud's other users.
struct Stage {
    clock: SystemClock,
    cloud: SharedCloud,
    happenings: Receiver<Happening>,
    /// The lines of the program's standard output.
    printed: Vec<String>,
    /// All that happened.
    log: String,
}

impl Stage {
    async fn before_the_cloud_listens(&mut self) {
        self.until("it says that it cannot connect", |stage| {
            stage.count("disconnected: ") > 0
        })
        .await;
    }

    async fn with_the_cloud(&mut self) {
        self.until("it says that it is connected", |stage| {
            stage.count("connected") > 0
        })
        .await;
        self.until("it reports what it measures", |stage| {
            stage.counter() > 0 && stage.reported("temperature").is_f64()
        })
        .await;

        self.desire(r#"{"color":"blue"}"#);
        self.until("it is blue and says so", |stage| stage.obeyed("blue"))
            .await;
        self.desire(r#"{"color":"red","volume":11}"#);
        self.until("it does what it knows of what is desired", |stage| {
            stage.obeyed("red")
        })
        .await;
        self.desire(r#"{"color":7}"#);
        self.until("it refuses what is no color", |stage| {
            stage.desired().is_null()
        })
        .await;
        assert_eq!(self.reported("color"), "red", "{}", self.account());
        assert!(self.reported("volume").is_null(), "{}", self.account());

        // Above what a small device takes. Others accept it; in reply they report it before they may
        // delete it from `desired`, and the document has no room for it twice.
        self.desire(&format!(r#"{{"color":"{}"}}"#, "x".repeat(9_000)));
        self.until("it says that the color is too long", |stage| {
            stage.count("refused: ") + stage.count("the cloud refused it") > 0
        })
        .await;
        self.desire(r#"{"color":"yellow"}"#);
        self.until("it lives on", |stage| stage.obeyed("yellow"))
            .await;

        let (counter, links) = (self.counter(), self.count("connected"));
        let losses = self.count("disconnected: ");
        let now = self.clock.now();
        self.cloud.with(|cloud| cloud.disconnect_all(now));
        self.desire(r#"{"color":"green"}"#);
        self.until("it says that it was disconnected", |stage| {
            stage.count("disconnected: ") > losses
        })
        .await;
        self.until("it says that it is connected again", |stage| {
            stage.count("connected") > links
        })
        .await;
        self.until("it is what was desired while it was away", |stage| {
            stage.obeyed("green")
        })
        .await;
        self.until("it goes on counting", |stage| stage.counter() > counter + 1)
            .await;
    }

    /// The application desires something.
    fn desire(&mut self, patch: &str) {
        let now = self.clock.now();
        self.note(now, "app    ", patch);
        let desired = |cloud: &mut Cloud| cloud.set_desired(now, &example_name(), patch, None);
        self.cloud
            .with(desired)
            .expect("the document has room for it");
    }

    /// Waits until it is so.
    async fn until(&mut self, what: &str, is_so: impl Fn(&Stage) -> bool) {
        let give_up = self.clock.now() + PATIENCE;
        while !is_so(self) {
            let happening = or(async { self.happenings.recv().await.ok() }, async {
                self.clock.sleep_until(give_up).await;
                None
            });
            let happening = happening.await;
            let now = self.clock.now();
            match happening {
                Some(Happening::Printed(line)) => {
                    self.note(now, "prints ", &line);
                    self.printed.push(line);
                }
                Some(Happening::Complained(line)) => self.note(now, "stderr ", &line),
                Some(Happening::Served(event)) => self.note(now, "cloud  ", &format!("{event:?}")),
                Some(Happening::Ended) => {
                    panic!("the program ended before {what}\n{}", self.account())
                }
                None => panic!("it took too long until {what}\n{}", self.account()),
            }
        }
    }

    /// How many lines were printed that begin like this.
    fn count(&self, start: &str) -> usize {
        self.printed
            .iter()
            .filter(|line| line.starts_with(start))
            .count()
    }

    /// Whether the device has this color, said so, and has answered all that is desired.
    fn obeyed(&self, color: &str) -> bool {
        let said = format!("color {color}");
        self.reported("color") == color && self.desired().is_null() && self.count(&said) > 0
    }

    /// What the device counted up to, as far as the cloud knows.
    fn counter(&self) -> u64 {
        self.reported("counter").as_u64().unwrap_or(0)
    }

    fn reported(&self, key: &str) -> Value {
        self.state("reported")[key].take()
    }

    /// Null when nothing is.
    fn desired(&self) -> Value {
        match self.state("desired") {
            Value::Object(desired) if desired.is_empty() => Value::Null,
            desired => desired,
        }
    }

    fn state(&self, part: &str) -> Value {
        let mut document: Value =
            serde_json::from_str(&self.document()).expect("the cloud writes JSON");
        document["state"][part].take()
    }

    fn document(&self) -> String {
        let now = self.clock.now();
        self.cloud
            .with(|cloud| cloud.document(now, &example_name()))
    }

    fn note(&mut self, now: Instant, who: &str, what: &str) {
        writeln!(self.log, "{now:>12} {who}{what}").expect("a string takes all");
    }

    /// For the text of a failure.
    fn account(&self) -> String {
        format!("the cloud's document: {}\n{}", self.document(), self.log)
    }
}
