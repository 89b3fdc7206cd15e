//! A recorded device and the model of the cloud, under a virtual clock.

use std::time::Duration;

use proptest::test_runner::{RngAlgorithm, TestRng};
use shadow_core::recording::{Mask, Recorder};
use shadow_core::tencent::Limits;
use shadow_core::{
    Config, Delta, Event, Instant, Session, ShadowId, Transmit, TransportFailure, WallTime,
};
use transport_mock::cloud::{Cloud, example_device, example_name};
use transport_mock::server::{ConnectionId, ServerTransmit};

/// A device that the cloud knows, and whose engine checks nothing before it is sent.
pub(crate) fn config() -> Config {
    let mut config = Config::new(&example_device());
    config.limits = Limits::NONE;
    config
}

pub(crate) fn random(seed: u8) -> TestRng {
    TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32])
}

pub(crate) struct Stage {
    pub(crate) engine: Recorder<String>,
    pub(crate) cloud: Cloud,
    pub(crate) now: Instant,
    pub(crate) events: Vec<Event>,
    /// Whether connections come about.
    pub(crate) reachable: bool,
    /// Whether what the device sends gets lost.
    pub(crate) deaf: bool,
    /// Whether the application looks at its events.
    pub(crate) attentive: bool,
    /// How late its timers are.
    pub(crate) late: Duration,
    /// Into how small pieces what the cloud sends is cut.
    pub(crate) piece: usize,
    pub(crate) connection: Option<ConnectionId>,
}

impl Stage {
    pub(crate) fn new(config: Config, seed: u64) -> Stage {
        Stage::with_session(config, Session::new(), seed)
    }

    pub(crate) fn with_session(config: Config, session: Session, seed: u64) -> Stage {
        let now = Instant::ZERO;
        let wall = WallTime::from_unix_millis(1_626_770_697_670);
        let mask = Mask::default();
        let mut engine = Recorder::new(config, session, seed, now, mask, String::new());
        engine.handle_wall_time(now, wall);
        Stage {
            engine,
            cloud: Cloud::example(now, wall),
            now,
            events: Vec::new(),
            reachable: true,
            deaf: false,
            attentive: true,
            late: Duration::ZERO,
            piece: usize::MAX,
            connection: None,
        }
    }

    pub(crate) fn shadow(&self) -> ShadowId {
        self.engine.own_shadow().unwrap()
    }

    /// Carries everything that is on its way.
    pub(crate) fn settle(&mut self) {
        // First what is left of before, which is no output of now.
        self.look();
        loop {
            let mut buffer = Vec::new();
            // What is polled in vain must not move the time that is recorded.
            let sent = (self.engine.has_output())
                .then(|| self.engine.poll_transmit(self.now, &mut buffer))
                .flatten();
            match sent {
                Some(Transmit::Connect) if self.reachable => {
                    self.connection = Some(self.cloud.accept(self.now));
                    self.engine.handle_connected(self.now);
                }
                Some(Transmit::Connect) => {
                    let failure = TransportFailure::ConnectFailed("refused".into());
                    self.engine.handle_disconnected(self.now, failure);
                }
                Some(Transmit::Packet { .. }) => {
                    if let Some(connection) = self.connection.filter(|_| !self.deaf) {
                        self.cloud.handle_bytes(self.now, connection, &buffer);
                    }
                }
                Some(Transmit::Close) => {
                    if let Some(connection) = self.connection.take() {
                        self.cloud.handle_closed(self.now, connection);
                    }
                }
                None => {}
            }
            let any = self.look() | sent.is_some();
            if any {
                continue;
            }
            if !self.deliver() {
                while self.cloud.poll_event().is_some() {}
                return;
            }
        }
    }

    /// The application looks at its events, if it does; whether there were any.
    fn look(&mut self) -> bool {
        let before = self.events.len();
        while let Some(event) = self.attentive.then(|| self.engine.poll_event()).flatten() {
            self.events.push(event);
        }
        self.events.len() > before
    }

    /// Carries what the cloud sends, all that it has in one piece or cut; whether it had something.
    fn deliver(&mut self) -> bool {
        let (mut any, mut closed) = (false, false);
        let (mut bytes, mut buffer) = (Vec::new(), Vec::new());
        while let Some((id, what)) = self.cloud.poll_transmit(self.now, &mut buffer) {
            any = true;
            match what {
                ServerTransmit::Packet { .. } if Some(id) == self.connection => {
                    bytes.append(&mut buffer);
                }
                ServerTransmit::Close if Some(id) == self.connection => {
                    closed = true;
                    break;
                }
                _ => {}
            }
            buffer.clear();
        }
        for piece in bytes.chunks(self.piece) {
            self.engine.handle_bytes(self.now, piece);
        }
        if closed {
            self.connection = None;
            let failure = TransportFailure::ClosedByPeer;
            self.engine.handle_disconnected(self.now, failure);
        }
        any
    }

    /// Lets time pass, and happen what is due.
    pub(crate) fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        self.settle();
        loop {
            let device = self.engine.poll_deadline();
            let device = device.map(|deadline| deadline.at + self.late);
            let cloud = self.cloud.poll_deadline();
            let Some(next) = device
                .into_iter()
                .chain(cloud)
                .min()
                .filter(|next| *next <= end)
            else {
                break;
            };
            self.now = self.now.max(next);
            if device.is_some_and(|at| at <= self.now) {
                self.engine.handle_tick(self.now);
            }
            self.cloud.handle_tick(self.now);
            self.settle();
        }
        self.now = end;
    }

    pub(crate) fn pass_millis(&mut self, millis: u64) {
        self.pass(Duration::from_millis(millis));
    }

    /// The connection breaks.
    pub(crate) fn cut(&mut self) {
        if let Some(connection) = self.connection.take() {
            self.cloud.handle_closed(self.now, connection);
            let failure = TransportFailure::Broken("cut".into());
            self.engine.handle_disconnected(self.now, failure);
            self.settle();
        }
    }

    pub(crate) fn desire(&mut self, patch: &str) {
        let name = example_name();
        self.cloud
            .set_desired(self.now, &name, patch, None)
            .unwrap();
        self.settle();
    }

    /// The deltas that were told since this was last asked.
    pub(crate) fn deltas(&mut self) -> Vec<Delta> {
        let events = self.events.drain(..);
        let deltas = events.filter_map(|event| match event {
            Event::Delta(delta) => Some(delta),
            _ => None,
        });
        deltas.collect()
    }

    pub(crate) fn finish(self) -> String {
        self.engine.finish().1.unwrap()
    }
}

/// An hour in the life of a device: reports, gets, deltas that are answered, pings, plain messages,
/// a reconnect now and then. At least `inputs` of them.
pub(crate) fn ordinary_life(stage: &mut Stage, random: &mut TestRng, inputs: usize) {
    use proptest::prelude::Rng;
    stage.pass_millis(100);
    let shadow = stage.shadow();
    let first = count(stage);
    let mut round = 0_u64;
    while count(stage) < first + inputs {
        round += 1;
        match random.next_u32() % 8 {
            0 => drop(stage.engine.get(stage.now, shadow)),
            1 | 2 => {
                let patch = serde_json::json!({"level": round, "name": format!("n{round}")});
                drop(stage.engine.report(stage.now, shadow, &patch));
            }
            3 => {
                let update = shadow_core::tencent::Update::new()
                    .reported(serde_json::json!({"updateCount": round}));
                drop(stage.engine.update(stage.now, shadow, &update));
            }
            4 => {
                stage.desire(&format!(
                    r#"{{"power":{},"round":{round}}}"#,
                    round.is_multiple_of(2)
                ));
                for delta in stage.deltas() {
                    drop(stage.engine.accept(stage.now, &delta));
                }
            }
            5 => {
                let payload = format!("{{\"round\":{round}}}");
                let qos = shadow_core::mqtt::QoS::from_number((round % 2) as u8).unwrap();
                let publication =
                    shadow_core::Publication::new("lamp/status", payload.as_bytes()).qos(qos);
                drop(stage.engine.publish(stage.now, &publication));
            }
            6 => stage.pass_millis(u64::from(random.next_u32() % 90_000)),
            _ if round.is_multiple_of(5) => stage.cut(),
            _ => {}
        }
        stage.pass_millis(u64::from(random.next_u32() % 3_000));
    }
}

/// How many inputs were recorded behind the start.
pub(crate) fn count(stage: &mut Stage) -> usize {
    inputs(stage.engine.sink_mut().unwrap())
}

pub(crate) fn inputs(recording: &str) -> usize {
    let inputs = recording.lines().filter(|line| line.contains(r#","in":""#));
    inputs.skip(1).count()
}
