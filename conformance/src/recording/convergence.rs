//! Whether device and cloud come to agree after what a recording tells.

use std::fmt;
use std::time::Duration;

use serde_json::{Map, Value};
use shadow_core::config::Config;
use shadow_core::engine::InspectedLink;
use shadow_core::recording::{Input, Recorder};
use shadow_core::tencent::ShadowName;
use shadow_core::{Engine, Event, Instant, Session, TransportFailure, WallTime};
use transport_mock::cloud::{Cloud, CloudConfig};
use transport_mock::service::{Limits, ServiceConfig};
use transport_mock::simulation::{DeviceId, Latency, Simulation};

use super::documents::Documents;
use super::error::ReadError;
use super::reader::Reader;

/// Device and cloud agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Convergence {
    /// How long it took from the end of the recording, in virtual time.
    pub took: Duration,
    /// How many shadows were compared.
    pub shadows: usize,
}

/// Why they do not.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConvergenceError {
    /// The recording cannot be read.
    Read(ReadError),
    /// They do not agree after all this time on a link without faults.
    Apart {
        /// The recording's first file.
        file: String,
        /// How long they had, in virtual time.
        after: Duration,
        /// What is not as it should be, one sentence each.
        problems: Vec<String>,
    },
}

impl From<ReadError> for ConvergenceError {
    fn from(error: ReadError) -> ConvergenceError {
        ConvergenceError::Read(error)
    }
}

impl fmt::Display for ConvergenceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConvergenceError::Read(error) => error.fmt(f),
            ConvergenceError::Apart {
                file,
                after,
                problems,
            } => {
                let seconds = after.as_secs();
                write!(
                    f,
                    "{file}: after {seconds} s of a link without faults device and cloud do not agree:"
                )?;
                problems
                    .iter()
                    .try_for_each(|problem| write!(f, "\n  {problem}"))
            }
        }
    }
}

impl std::error::Error for ConvergenceError {}

/// A device has this long, and four times its request timeout: the longest waits of a device whose
/// link works are those.
const LONGEST: Duration = Duration::from_secs(3_600);

/// However long its request timeout is.
const DAY: Duration = Duration::from_secs(86_400);

/// A clock that stands there, in the middle of all that can be told, has gone for 290,000 years.
const LATEST: Instant = Instant::from_micros(u64::MAX / 2);

/// The cloud's wall time at the start of a recording that has none.
const WALL: WallTime = WallTime::from_unix_millis(1_700_000_000_000);

/// Has the recorded inputs go into an engine, gives it a link to a model of the cloud whose documents
/// are as the recording last showed them, and waits, in virtual time, until both agree.
///
/// What the engine does meanwhile need not be what was recorded. One that was closed begins again
/// with the session it left. To agree means, for each attached shadow:
///
/// * the cloud's `reported` has every value that the device last reported,
///   and [`Engine::is_synchronized`];
/// * every value that is desired and not reported was told by an [`Event::Delta`], then or during
///   the recording;
///
/// and that no request is open.
///
/// # Errors
///
/// [`ConvergenceError`].
pub(super) fn converge(reader: Reader<'_>) -> Result<Convergence, ConvergenceError> {
    let file = reader.place().file;
    let Left {
        engine,
        at,
        wall,
        told,
        documents,
    } = Left::by(reader)?;
    let waits = engine.config().request_timeout.saturating_mul(4);
    let patience = LONGEST.saturating_add(waits).min(DAY);
    let own = engine.config().limits;
    let usual = Limits::default();
    let limits = Limits {
        payload_bytes: usual.payload_bytes.max(own.payload_size as usize),
        document_bytes: usual.document_bytes.max(own.document_size as usize),
        levels: usual.levels.max(own.document_depth as usize),
        ..usual
    };
    // So that it is the recorded wall time at the recorded instant.
    let (known_at, known) = wall.unwrap_or((at, WALL));
    let began = known
        .as_unix_millis()
        .saturating_sub(known_at.as_micros() / 1_000);
    let cloud = |now| {
        let service = ServiceConfig {
            limits,
            ..ServiceConfig::default()
        };
        let config = CloudConfig {
            service,
            ..CloudConfig::default()
        };
        Cloud::new(config, now, WallTime::from_unix_millis(began))
    };
    let mut simulation = Simulation::new(cloud, Latency::NONE);
    simulation.set_tracing(false);
    simulation.run_until(at);
    let mut problems = Vec::new();
    for document in documents.shown() {
        let (state, version) = (document.state(), document.version);
        let now = simulation.wall_time();
        let seeded =
            simulation.with_cloud(|cloud, _| cloud.seed(&document.name, &state, version, now));
        if let Err(error) = seeded {
            problems.push(format!(
                "the document of {} is none: {error}",
                document.name
            ));
        }
    }
    let device = simulation.add_engine("device", engine);
    let wall = simulation.wall_time();
    simulation.with(device, |engine, now| {
        // Whatever connection there was is not one to this cloud.
        let broken = TransportFailure::Broken("the recording ends here".to_owned());
        engine.handle_disconnected(now, broken);
        engine.handle_wall_time(now, wall);
        engine.reconnect(now);
    });
    let mut watch = Watch {
        simulation,
        device,
        told,
    };
    let mut step = Duration::from_secs(1);
    let mut took = Duration::ZERO;
    loop {
        watch.run_for(step);
        took += step;
        let apart = watch.problems();
        if apart.is_empty() && problems.is_empty() {
            let shadows = watch.engine().inspect().shadows.len();
            return Ok(Convergence { took, shadows });
        }
        if took >= patience {
            problems.extend(apart);
            return Err(ConvergenceError::Apart {
                file,
                after: took,
                problems,
            });
        }
        if took >= Duration::from_secs(60) {
            step = Duration::from_secs(10);
        }
    }
}

/// What a recording leaves behind.
struct Left {
    engine: Engine,
    at: Instant,
    /// The wall time last passed in, and when.
    wall: Option<(Instant, WallTime)>,
    told: Told,
    documents: Documents,
}

/// What the application was told to be desired.
type Told = Vec<(ShadowName, Value)>;

impl Left {
    fn by(mut reader: Reader<'_>) -> Result<Left, ReadError> {
        let first = match reader.next_line()? {
            Some(line) => Input::parse(line.text),
            None => return Err(reader.error(1, "the recording ends before its start")),
        };
        let first = first.map_err(|error| reader.line_error(&error))?;
        let Some((mut at, Input::Start(start))) = first else {
            return Err(reader.error(1, "the second line of a recording is its start"));
        };
        let seed = start.seed;
        let mut documents = Documents::new(start.config.protocol_version);
        let engine = Engine::new(start.config, start.session, seed, at);
        let mut engine: Recorder<String> = Recorder::off(engine);
        let mut buffer = Vec::new();
        let (mut wall, mut told) = (None, Told::new());
        loop {
            let (input, pending) = match reader.next_line()? {
                None => break,
                Some(line) => (Input::parse(line.text), line.text.contains(r#""pending""#)),
            };
            let Some((now, input)) = input.map_err(|error| reader.line_error(&error))? else {
                continue;
            };
            if !pending {
                drain(&mut engine, at, &mut buffer, &mut told);
            }
            at = at.max(now);
            if at > LATEST {
                return Err(reader.error(1, format!("its time is later than {LATEST}")));
            }
            match &input {
                Input::Start(_) => return Err(reader.error(1, "a second start")),
                Input::WallTime(known) => wall = Some((now, *known)),
                Input::Connected => documents.connected(),
                Input::Bytes(bytes) => drop(documents.received(bytes)),
                _ => {}
            }
            input.apply(now, &mut engine);
        }
        drain(&mut engine, at, &mut buffer, &mut told);
        let mut engine = engine.into_engine();
        if engine.inspect().link == InspectedLink::Closed {
            engine = begin_again(engine, seed.wrapping_add(1), at);
        }
        Ok(Left {
            engine,
            at,
            wall,
            told,
            documents,
        })
    }
}

/// Takes all that the engine has to give.
fn drain(engine: &mut Recorder<String>, now: Instant, buffer: &mut Vec<u8>, told: &mut Told) {
    while engine.poll_transmit(now, buffer).is_some() {
        buffer.clear();
    }
    while let Some(event) = engine.poll_event() {
        note(engine, &event, told);
    }
}

/// Remembers what the application was told to be desired.
fn note(engine: &Engine, event: &Event, told: &mut Told) {
    if let Event::Delta(delta) = event
        && let Some(name) = engine.shadow_name(delta.shadow)
        && let Ok(state) = serde_json::from_str(delta.state.as_str())
    {
        told.push((name.clone(), state));
    }
}

/// The device's next run, with the shadows that were attached.
fn begin_again(engine: Engine, seed: u64, now: Instant) -> Engine {
    let config: Config = engine.config().clone();
    let attached = engine.inspect().shadows;
    let session: Session = engine.into_session();
    let mut engine = Engine::new(config, session, seed, now);
    for shadow in attached {
        // The device's own is attached already; the others were within the bounds before.
        drop(engine.attach(now, &shadow.name));
    }
    engine
}

/// The device and the cloud after the recording.
struct Watch {
    simulation: Simulation,
    device: DeviceId,
    told: Told,
}

impl Watch {
    fn engine(&self) -> &Engine {
        self.simulation.engine(self.device)
    }

    fn run_for(&mut self, time: Duration) {
        self.simulation.run_for(time);
        for event in self.simulation.take_events(self.device) {
            note(self.simulation.engine(self.device), &event, &mut self.told);
        }
    }

    /// What is not as it should be.
    fn problems(&self) -> Vec<String> {
        let engine = self.engine();
        let mut problems = Vec::new();
        let inspection = engine.inspect();
        if !engine.is_online() {
            problems.push(format!("the device is not online: {}", inspection.link));
        }
        for shadow in &inspection.shadows {
            let name = &shadow.name;
            let document = self.simulation.cloud().shadow(name);
            let reported = document.map_or_else(|| "{}".to_owned(), |document| document.reported());
            let mut paths = Vec::new();
            let (wanted, has) = (object(&shadow.reported), object(&reported));
            lacking(&wanted, &has, "", &mut paths);
            for Lack { path, wanted, has } in paths {
                let has = has.map_or("not there".to_owned(), |has| has.to_string());
                problems.push(format!(
                    "reported of {name}: {path} is {has} in the cloud, and the device reported {wanted}"
                ));
            }
            if !shadow.synchronized {
                problems.push(format!(
                    "the device does not know the cloud to hold what it reported of {name}"
                ));
            }
            let delta = document.and_then(|document| document.delta());
            let told: Vec<&Value> = self
                .told
                .iter()
                .filter(|(whose, _)| whose == name)
                .map(|(_, told)| told)
                .collect();
            let mut untold = Vec::new();
            leaves(
                &object(delta.as_deref().unwrap_or("{}")),
                &mut Vec::new(),
                &mut |path, value| {
                    let at = |told: &&&Value| {
                        path.iter().try_fold(**told, |value, key| value.get(key)) == Some(value)
                    };
                    if !told.iter().any(|told| at(&told)) {
                        untold.push(format!(
                        "desired of {name}: the application was not told that {} is to be {value}",
                        path.join(".")
                    ));
                    }
                },
            );
            problems.extend(untold);
        }
        let open = inspection.requests.iter().filter(|request| !request.own);
        problems.extend(open.map(|request| format!("a request is still open: {request}")));
        problems
    }
}

fn object(json: &str) -> Map<String, Value> {
    serde_json::from_str(json).unwrap_or_default()
}

/// A value that is not in a document as it should be.
struct Lack<'a> {
    path: String,
    wanted: &'a Value,
    has: Option<Value>,
}

/// The values of `wanted` that `has` does not have.
fn lacking<'a>(
    wanted: &'a Map<String, Value>,
    has: &Map<String, Value>,
    path: &str,
    lack: &mut Vec<Lack<'a>>,
) {
    for (key, wanted) in wanted {
        let path = match path {
            "" => key.clone(),
            path => format!("{path}.{key}"),
        };
        match (wanted, has.get(key)) {
            (Value::Object(wanted), Some(Value::Object(has))) => lacking(wanted, has, &path, lack),
            (wanted, Some(has)) if wanted == has => {}
            (wanted, has) => lack.push(Lack {
                path,
                wanted,
                has: has.cloned(),
            }),
        }
    }
}

/// Calls `visit` with each value that is no object, and with the keys that lead to it.
fn leaves<'a>(
    part: &'a Map<String, Value>,
    path: &mut Vec<&'a str>,
    visit: &mut impl FnMut(&[&str], &Value),
) {
    for (key, value) in part {
        path.push(key);
        match value {
            Value::Object(inner) => leaves(inner, path, visit),
            value => visit(path, value),
        }
        path.pop();
    }
}
