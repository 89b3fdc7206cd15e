use core::time::Duration;

use super::cloud::Pair;
use super::masks;
use crate::config::{Config, TokenStyle};
use crate::json::Json;
use crate::mqtt::QoS;
use crate::recording::tests::{SECRET, replay};
use crate::session::Session;
use crate::tencent::DeviceInfo;

/// A device reports 0.1, and the cloud says in reply to its get that it has this.
fn recording(number: &str) -> alloc::string::String {
    let device = DeviceInfo::with_key("PRODUCT001", "lamp", SECRET).unwrap();
    let mut config = Config::new(&device);
    config.behaviour.token_style = TokenStyle::ProductCounter { first: 0 };
    let mut pair = Pair::new(&config, &Session::new(), masks()[2]);
    let own = pair.own().unwrap();
    let report = Json::new(r#"{"n":0.1}"#).unwrap();
    let request = pair.both(|engine, now| engine.report(now, own, &report));
    request.unwrap();
    pair.cloud.silent = true;
    pair.tick(Duration::from_secs(1));
    pair.deliver(&[1]);
    let reply = alloc::format!(
        r#"{{"type":"get","clientToken":"PRODUCT001-0","result":0,"payload":{{"state":{{"reported":{{"n":{number}}}}},"version":3}}}}"#
    );
    let topic = device.name.result_topic();
    let wire = &mut pair.wire;
    pair.cloud
        .send(&topic, reply.as_bytes(), QoS::AtMostOnce, wire);
    pair.deliver(&[1_000]);
    pair.tick(Duration::from_secs(1));
    pair.masked()
}

/// Two numbers of one double are the same to an engine with the feature `floats`, and not under a
/// mask, which goes by decimals as an engine without it does.
#[cfg(feature = "floats")]
#[test]
fn a_twin_that_does_otherwise_says_so_once() {
    for number in ["0.1", "0.10", "1e-1"] {
        let same = recording(number);
        assert!(!same.contains("unfaithful"), "{same}");
        assert!(same.contains(r#""outcome":"Reported""#), "{same}");
        assert_eq!(replay(&same), None);
    }
    let other = recording("0.1000000000000000055511151231257827");
    let unfaithful = other.lines().position(|line| line.contains("unfaithful"));
    let unfaithful = unfaithful.expect("the twin reports what it believes to be another number");
    assert_eq!(
        other.lines().nth(unfaithful).unwrap(),
        r#"{"at":1000000,"out":"unfaithful","what":"packet"}"#
    );
    assert_eq!(other.matches("unfaithful").count(), 1);
    // There a replay differs, and not before.
    let first = replay(&other).map(|(index, mismatch)| (index, mismatch.expected));
    let line = other.lines().nth(unfaithful).map(Into::into);
    assert_eq!(first, Some((unfaithful, line)));
}

/// An engine that compares decimals itself has no twin that does otherwise.
#[cfg(not(feature = "floats"))]
#[test]
fn a_twin_without_floats_does_the_same() {
    for number in [
        "0.1",
        "0.10",
        "1e-1",
        "0.1000000000000000055511151231257827",
    ] {
        let same = recording(number);
        assert!(!same.contains("unfaithful"), "{same}");
        assert_eq!(replay(&same), None);
    }
}
