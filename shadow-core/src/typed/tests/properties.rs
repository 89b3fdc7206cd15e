//! Random states, read as a type.

use proptest::collection::vec as vec_of;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;

/// A device with members of every kind; none is required, but those of a `Door`.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Device {
    a: Field<u8>,
    b: Field<Light>,
    c: Field<BTreeMap<String, Field<bool>>>,
    d: Field<Door>,
    #[serde(rename = "e.f")]
    e: Field<Vec<Mode>>,
}

/// The same without required members or anything that goes as a whole.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Loose {
    a: Field<u8>,
    b: Field<Light>,
    c: Field<BTreeMap<String, Field<bool>>>,
    d: Field<Rooms>,
    #[serde(rename = "e.f")]
    e: Field<String>,
}

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Rooms {
    code: Field<u16>,
    lock: Field<Light>,
}

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct Flattened {
    a: Field<u8>,
    #[serde(flatten)]
    rest: BTreeMap<String, Light>,
}

const KEYS: &[&str] = &[
    "a", "b", "c", "d", "e.f", "hue", "on", "code", "lock", "closed", "turns", "Fade", "seconds",
    "e", "f", "",
];

fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        9 => proptest::sample::select(KEYS).prop_map(Into::into),
        1 => any::<String>(),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-1_i64..300).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        Just(json!("Still")),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            4 => proptest::collection::btree_map(key(), inner.clone(), 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
            1 => vec_of(inner, 0..3).prop_map(Value::Array),
        ]
    })
}

fn object() -> impl Strategy<Value = Map<String, Value>> {
    proptest::collection::btree_map(key(), value(), 0..6)
        .prop_map(|members| members.into_iter().collect())
}

/// Every leaf with the way to it; an object without members is one.
fn leaves(value: &Value, way: &mut Vec<String>, found: &mut Vec<(Vec<String>, Value)>) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (key, value) in members {
                way.push(key.clone());
                leaves(value, way, found);
                way.pop();
            }
        }
        leaf => found.push((way.clone(), leaf.clone())),
    }
}

pub(super) fn leaves_of(text: &str) -> Vec<(Vec<String>, Value)> {
    let mut found = Vec::new();
    let value: Value = serde_json::from_str(text).unwrap();
    if value != json!({}) {
        leaves(&value, &mut Vec::new(), &mut found);
    }
    found
}

fn state_of(members: &Map<String, Value>) -> String {
    serde_json::to_string(members).unwrap()
}

/// Reads it; what is accepted and what is refused are the delta, and what is accepted fits.
fn read_apart<D: DeserializeOwned + Debug + PartialEq>(
    members: &Map<String, Value>,
) -> TypedDelta<D> {
    let text = state_of(members);
    let typed = delta(&text).typed::<D>().unwrap();
    let state: D = serde_json::from_str(typed.delta.state.as_str()).unwrap();
    assert_eq!(typed.state, state);

    let mut parts = leaves_of(typed.delta.state.as_str());
    for error in &typed.errors {
        let left_out = leaves_of(error.delta.state.as_str());
        assert!(!left_out.is_empty(), "{error}");
        parts.extend(left_out);
    }
    let mut whole = leaves_of(&text);
    whole.sort_by(|a, b| a.0.cmp(&b.0));
    parts.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(parts, whole);
    typed
}

/// The members with more wrong ones beside them than are told one by one, before and behind them.
fn crowded(mut members: Map<String, Value>) -> Map<String, Value> {
    let keys = (0..9).flat_map(|key| [format!("\u{1}{key}"), format!("\u{10ffff}{key}")]);
    members.extend(keys.map(|key| (key, json!("wrong"))));
    members
}

/// The object with nothing but this leaf.
fn alone(way: &[String], leaf: &Value) -> Value {
    way.iter().rev().fold(leaf.clone(), |value, key| {
        Value::Object(Map::from_iter([(key.clone(), value)]))
    })
}

proptest! {
    #[test]
    fn all_of_a_delta_is_either_accepted_or_refused(members in object()) {
        read_apart::<Device>(&members);
        read_apart::<Loose>(&members);
        read_apart::<Flattened>(&members);
        read_apart::<BTreeMap<u8, Loose>>(&members);
    }

    #[test]
    fn all_of_a_crowded_delta_is_either_accepted_or_refused(members in object()) {
        let members = crowded(members);
        let typed = read_apart::<Device>(&members);
        assert_eq!(typed.errors.len(), MAXIMUM_SINGLE_ERRORS + 1);
        read_apart::<Loose>(&members);
        read_apart::<Flattened>(&members);
        read_apart::<BTreeMap<u8, Loose>>(&members);
        read_apart::<BTreeMap<String, Device>>(&members);
    }

    /// However many are wrong, what arrives is the same.
    #[test]
    fn a_crowd_keeps_nothing_from_arriving(members in object()) {
        let alone = read_apart::<Device>(&members);
        prop_assert_eq!(read_apart::<Device>(&crowded(members.clone())).state, alone.state);
        let alone = read_apart::<Loose>(&members);
        prop_assert_eq!(read_apart::<Loose>(&crowded(members.clone())).state, alone.state);
        let alone = read_apart::<Flattened>(&members);
        prop_assert_eq!(read_apart::<Flattened>(&crowded(members.clone())).state, alone.state);
    }

    #[test]
    fn every_member_that_fits_alone_arrives(members in object()) {
        let typed = read_apart::<Device>(&members);
        let arrived: Map<String, Value> =
            serde_json::from_str(typed.delta.state.as_str()).unwrap();
        for (key, value) in members {
            let one = json!({ key.as_str(): value });
            if serde_json::from_value::<Device>(one).is_ok() {
                prop_assert_eq!(arrived.get(&key), Some(&value));
            }
        }
    }

    /// Where nothing is required, down to the last leaf.
    #[test]
    fn every_leaf_that_fits_alone_arrives_and_no_other(members in object()) {
        let typed = read_apart::<Loose>(&members);
        let arrived = leaves_of(typed.delta.state.as_str());
        for (way, leaf) in leaves_of(&state_of(&members)) {
            let fits = serde_json::from_value::<Loose>(alone(&way, &leaf)).is_ok();
            prop_assert_eq!(arrived.contains(&(way, leaf)), fits);
        }
    }

    /// Whatever text a delta holds.
    #[test]
    fn no_text_is_too_strange(
        keys in vec_of((key(), value()), 0..6),
        escape in any::<bool>(),
    ) {
        let members: Vec<String> = keys.iter().map(|(key, value)| {
            let mut key = serde_json::to_string(key).unwrap();
            if escape {
                key = key.replace('a', "\\u0061").replace('.', "\\u002E");
            }
            format!(" {key} : {value}")
        }).collect();
        let text = format!("{{{} }}", members.join(","));
        let typed = delta(&text).typed::<Device>().unwrap();
        // Of keys that come twice serde_json's map keeps the last as well.
        let last: Map<String, Value> = serde_json::from_str(&text).unwrap();
        let expected = read_apart::<Device>(&last);
        prop_assert_eq!(typed.state, expected.state);
        prop_assert_eq!(typed.errors, expected.errors);
    }
}
