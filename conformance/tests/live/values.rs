//! JSON values of any shape survive report → cloud → get, digit by digit.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use proptest::prelude::*;
use shadow_core::json::Json;
use shadow_core::tencent::Update;
use shadow_core::{Config, Event, Outcome, Session, WallTime};
use transport_mock::cloud::{Cloud, example_device};
use transport_mock::simulation::{Latency, Simulation};

/// A JSON value whose numbers are text, as no number type of Rust holds them all.
#[derive(Clone, Debug)]
enum Value {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    Array(Vec<Value>),
    Object(BTreeMap<String, Value>),
}

impl Value {
    /// Compact, with sorted keys: how the model of the cloud prints.
    fn print(&self, gap: &str, out: &mut String) {
        match self {
            Value::Null => out.push_str("null"),
            Value::Bool(value) => write!(out, "{value}").unwrap(),
            Value::Number(digits) => out.push_str(digits),
            Value::Text(text) => out.push_str(&serde_json::to_string(text).unwrap()),
            Value::Array(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    out.push_str(if index > 0 { "," } else { "" });
                    out.push_str(gap);
                    item.print(gap, out);
                }
                out.push(']');
            }
            Value::Object(members) => {
                out.push('{');
                for (index, (key, member)) in members.iter().enumerate() {
                    out.push_str(if index > 0 { "," } else { "" });
                    out.push_str(gap);
                    out.push_str(&serde_json::to_string(key).unwrap());
                    out.push_str(gap);
                    out.push(':');
                    out.push_str(gap);
                    member.print(gap, out);
                }
                out.push('}');
            }
        }
    }

    fn text(&self, gap: &str) -> String {
        let mut out = String::new();
        self.print(gap, &mut out);
        out
    }
}

fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<i64>().prop_map(|value| value.to_string()),
        any::<u64>().prop_map(|value| value.to_string()),
        "-?(0|[1-9][0-9]{0,30})(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?",
    ]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        prop_oneof![Just("%s\t\"quoted\"\n\\"), Just("来自应用 😀"), Just("")]
            .prop_map(ToOwned::to_owned),
    ]
}

/// Objects stay within the depth that the cloud takes. Null appears in arrays only: as a member it
/// deletes the key.
fn object() -> impl Strategy<Value = BTreeMap<String, Value>> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::Bool),
        number().prop_map(Value::Number),
        text().prop_map(Value::Text),
    ];
    let value = leaf.prop_recursive(3, 24, 4, |inner| {
        let item = prop_oneof![Just(Value::Null), inner.clone()];
        prop_oneof![
            proptest::collection::vec(item, 0..4).prop_map(Value::Array),
            proptest::collection::btree_map(text(), inner, 1..4).prop_map(Value::Object),
        ]
    });
    proptest::collection::btree_map(text(), value, 1..5)
}

fn report_and_get(config: Config, reported: &str) -> String {
    let wall = WallTime::from_unix_millis(1_626_770_697_670);
    let mut simulation = Simulation::new(
        |now| {
            let mut cloud = Cloud::example(now, wall);
            let name = transport_mock::cloud::example_name();
            cloud.seed(&name, r#"{"reported":{}}"#, 0, wall).unwrap();
            cloud
        },
        Latency::NONE,
    );
    let device = simulation.add_device("device", config, Session::new(), 1);
    simulation.run_for(Duration::from_secs(1));
    let json: Json = reported.parse().unwrap();
    let get = simulation.with(device, |engine, now| {
        let shadow = engine.own_shadow().unwrap();
        let update = Update::new().reported(&json);
        engine.update(now, shadow, &update).unwrap();
        engine.get(now, shadow).unwrap()
    });
    simulation.run_for(Duration::from_secs(1));
    let answer = simulation
        .take_events(device)
        .into_iter()
        .find_map(|event| match event {
            Event::Ended {
                request,
                outcome: Outcome::Accepted(document),
            } if request == get => Some(document),
            _ => None,
        });
    answer.unwrap().reported().unwrap().to_owned()
}

proptest! {
    #[test]
    fn values_of_any_shape_survive(members in object(), gap in "[ \t\n]{0,2}") {
        let reported = Value::Object(members);
        let expected = reported.text("");
        prop_assume!(expected.len() < 4_000);
        let mut python = Config::new(&example_device());
        python.behaviour.json_style = shadow_core::json::JsonStyle::Python;
        for config in [Config::new(&example_device()), python] {
            prop_assert_eq!(&report_and_get(config, &reported.text(&gap)), &expected);
        }
    }
}
