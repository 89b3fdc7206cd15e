//! The engine: whatever is called in whatever order, its promises hold.

mod driver;
mod server;

use core::time::Duration;

use shadow_core::config::{Login, VersionPolicy};
use shadow_core::json::Json;
use shadow_core::mqtt::{ProtocolVersion, QoS};
use shadow_core::tencent::{DeviceInfo, ShadowName, Update};
use shadow_core::{Config, Delta, Publication, TransportFailure, WallTime};

use self::driver::{Bounds, Driver};
use crate::input::Input;

/// Takes the bytes for a program: the settings of an engine, and then calls of its methods.
///
/// ```text
/// configuration (1 byte) | seed, version policy (2 bits) and storing (1 bit) | steps, each a number and what it needs
/// ```
///
/// # Panics
/// If the engine breaks a promise; the `Driver` lists them.
pub fn engine(data: &[u8]) {
    let mut input = Input::new(data);
    let settings = input.byte();
    let (mut config, bounds) = configuration(settings);
    let seed = input.byte();
    config.version_policy = match seed & 3 {
        0 => VersionPolicy::Strict,
        1 => VersionPolicy::Unchecked,
        tries => VersionPolicy::Rebase { tries },
    };
    let mut driver = Driver::new(config, bounds, seed.into(), seed & 4 != 0);
    if settings & 0x20 == 0 {
        driver.tell_wall_time(WALL_TIME);
    }
    driver.settle();
    while !input.is_empty() && !driver.is_closed() {
        step(&mut driver, &mut input);
        driver.settle();
    }
    driver.finish();
}

const WALL_TIME: WallTime = WallTime::from_unix_millis(1_700_000_000_000);

/// The engine's configuration, by the bits of one byte: which of four (1, 2), tight bounds (4),
/// clean session the other way (8), no keep alive (10), the wall time unknown (20), time-outs of
/// zero (40), a server that is MQTT 3.1 (80).
fn configuration(settings: u8) -> (Config, Option<Bounds>) {
    let has = |bit: u8| settings & bit != 0;
    let device = DeviceInfo::with_key("PRODUCT001", "lamp", "c2VjcmV0");
    let device = device.expect("names and secret are as the vendor allows");
    let mut config = match settings & 3 {
        0 => Config::new(&device),
        1 => Config::plain("tool"),
        2 => Config::python_sdk(&device),
        _ => {
            let mut config = Config::new(&device);
            config.shadow_qos = QoS::AtLeastOnce;
            config.clean_session = false;
            config
        }
    };
    if let Login::Plain { user_name, .. } = &mut config.login {
        *user_name = Some("somebody".into());
    }
    let bounds = has(4).then(|| Bounds::apply(&mut config));
    config.clean_session ^= has(8);
    if has(0x10) {
        config.keep_alive = 0;
    }
    if has(0x40) {
        config.request_timeout = Duration::ZERO;
        config.ping_timeout = Duration::ZERO;
        config.connect_timeout = Duration::ZERO;
        config.backoff.stable_after = Duration::ZERO;
        config.backoff.least_interval = Duration::ZERO;
    }
    if has(0x80) {
        config.protocol_version = ProtocolVersion::V31;
    }
    (config, bounds)
}

/// Topics and filters to choose from, good ones and bad ones.
const TOPICS: [&str; 12] = [
    "t",
    "a/b",
    "a/+",
    "#",
    "a/#",
    "$shadow/operation/PRODUCT001/lamp",
    "$shadow/operation/result/PRODUCT001/lamp",
    "$shadow/operation/result/+/+",
    "",
    "a#",
    "\0",
    "$SYS/é",
];

/// Names of shadows to choose from.
const NAMES: [&str; 4] = ["lamp", "a", "b", "c"];

const STATES: [&str; 6] = [
    r#"{"on":true}"#,
    r#"{"level":18446744073709551615,"a":{"b":[1,2,{"c":null}]}}"#,
    "{}",
    "null",
    "7",
    r#"{"a":"\ud83d\ude00 \u0000"}"#,
];

fn step(driver: &mut Driver, input: &mut Input<'_>) {
    let now = driver.now;
    match input.byte() {
        0 => driver.connected(),
        1 => {
            let why = match input.byte() % 4 {
                0 => TransportFailure::ClosedByPeer,
                1 => TransportFailure::Broken("reset".into()),
                2 => TransportFailure::ConnectFailed("refused".into()),
                _ => TransportFailure::Untrusted("unknown CA".into()),
            };
            driver.disconnected(why);
        }
        2 => driver.tick_at_deadline(),
        3 => driver.pass(Duration::from_millis(50 * u64::from(input.byte()))),
        4 => driver.pass(Duration::from_secs(60 * u64::from(input.byte()))),
        5 => driver.engine.handle_tick(now),
        6 => driver.engine.reconnect(now),
        7 => driver.tell_wall_time(WALL_TIME + Duration::from_secs(input.byte().into())),
        8 => driver.stalled = !driver.stalled,
        9 => driver.deaf = !driver.deaf,
        10 => {
            if let Some(shadow) = input.choose(&driver.shadows) {
                let asked = driver.engine.get(now, *shadow);
                driver.asked(&asked);
            }
        }
        11 => {
            if let Some(shadow) = input.choose(&driver.shadows).copied() {
                let state = state(input);
                let asked = driver.engine.report(now, shadow, &state);
                driver.reported(&asked);
            }
        }
        12 => {
            if let Some(shadow) = input.choose(&driver.shadows).copied() {
                let (reported, desired) = (state(input), state(input));
                let mut update = Update::new().reported(reported).desired(desired);
                if input.flag() {
                    update = update.version(input.byte().into());
                }
                let asked = driver.engine.update(now, shadow, &update);
                driver.asked(&asked);
            }
        }
        13 => {
            if let Some(shadow) = input.choose(&driver.shadows) {
                assert!(
                    driver
                        .engine
                        .reported(*shadow)
                        .is_some_and(crate::json::is_json)
                );
                let asked = driver.engine.clear_desired(now, *shadow);
                driver.asked(&asked);
            }
        }
        14 => {
            if let Some(shadow) = input.choose(&driver.shadows) {
                let asked = driver.engine.clear_reported(now, *shadow);
                driver.asked(&asked);
            }
        }
        15 => {
            let topic = input.choose(&TOPICS).copied().unwrap_or_default();
            let length = input.byte();
            let message = Publication::new(topic, input.bytes(length.into())).qos(qos(input));
            let asked = driver.engine.publish(now, &message);
            driver.asked(&asked);
        }
        16 => {
            let filter = input.choose(&TOPICS).copied().unwrap_or_default();
            let asked = driver.engine.subscribe(now, filter, qos(input));
            driver.asked(&asked);
        }
        17 => {
            let filter = input.choose(&TOPICS).copied().unwrap_or_default();
            let asked = driver.engine.unsubscribe(now, filter);
            driver.asked(&asked);
        }
        18 => driver.cancel(input.byte()),
        19 => driver.set_timeout(
            input.byte(),
            Duration::from_millis(40) * input.byte().into(),
        ),
        20 => {
            let name = input.choose(&NAMES).copied().unwrap_or_default();
            let name = ShadowName::new("PRODUCT001", name);
            driver.attach(&name.expect("the vendor allows all of them"));
        }
        21 => driver.detach(input.byte()),
        22 => driver.set_next_token(input.byte()),
        23 => driver.restart(),
        24 => driver.rude_connected(),
        25 => driver.rude_disconnected(),
        26 => driver.engine.close(now),
        // What the server does.
        27 => {
            let length = input.byte();
            let bytes = input.bytes(length.into());
            driver.receive(bytes);
        }
        28 => driver.accept_login(input),
        29 => driver.acknowledge(input),
        30 => driver.reply(input),
        31 => driver.push_delta(input),
        32 => driver.message(input),
        33 => driver.stray_acknowledgement(input),
        34 => driver.receive(&[0xd0, 0]),
        35 => driver.receive_again(input.byte()),
        36 => driver.receive_in_pieces(input),
        // What the device does about a change of `desired`.
        37 => {
            if let Some(delta) = delta(driver, input) {
                let asked = driver.engine.accept(now, &delta);
                driver.reported(&asked);
            }
        }
        38 => {
            if let Some(delta) = delta(driver, input) {
                let asked = driver.engine.accept_as(now, &delta, &state(input));
                driver.reported(&asked);
            }
        }
        39 => {
            if let Some(delta) = delta(driver, input) {
                let asked = driver.engine.reject(now, &delta, "out of range");
                driver.reported(&asked);
            }
        }
        // What a run gets to soon, in one step.
        other => driver.login(other & 1 == 1),
    }
}

fn qos(input: &mut Input<'_>) -> QoS {
    QoS::from_number(input.byte() % 3).unwrap_or(QoS::AtMostOnce)
}

/// One of the latest changes of `desired`, newest first.
fn delta(driver: &Driver, input: &mut Input<'_>) -> Option<Delta> {
    let back = usize::from(input.byte()).checked_rem(driver.deltas.len())?;
    driver.deltas.iter().rev().nth(back).cloned()
}

/// State to report or to desire, which need not be an object.
fn state(input: &mut Input<'_>) -> Json {
    let text = input.choose(&STATES).copied().unwrap_or_default();
    Json::new(text).expect("all of them are JSON")
}
