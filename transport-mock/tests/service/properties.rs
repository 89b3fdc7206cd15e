//! The service beside an independent model, and against arbitrary input.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use transport_mock::service::{ServiceConfig, ShadowService};

use crate::support::{answers, at, json as read, name};

/// A document as a flat list of leaves by path; an empty object is a leaf. Written without the
/// recursion over two trees that the service uses, so that the two can disagree.
type Leaves = BTreeMap<Vec<String>, Value>;

fn leaves(value: &Value) -> Leaves {
    let mut found = Leaves::new();
    let mut open = vec![(Vec::new(), value)];
    while let Some((path, value)) = open.pop() {
        match value {
            Value::Object(members) if !members.is_empty() => {
                for (key, member) in members {
                    let mut path = path.clone();
                    path.push(key.clone());
                    open.push((path, member));
                }
            }
            leaf => {
                found.insert(path, leaf.clone());
            }
        }
    }
    found
}

fn tree(leaves: &Leaves) -> Value {
    let mut root = json!({});
    for (path, leaf) in leaves {
        let mut place = &mut root;
        for key in path {
            if !place.is_object() {
                *place = json!({});
            }
            place = place
                .as_object_mut()
                .unwrap()
                .entry(key)
                .or_insert(Value::Null);
        }
        *place = leaf.clone();
    }
    root
}

fn at_path<'a>(value: &'a Value, path: &[String]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, key| value.get(key))
}

/// RFC 7386, section 2, as its pseudo code has it.
fn merge_patch(target: Value, patch: &Value) -> Value {
    let Value::Object(patch) = patch else {
        return patch.clone();
    };
    let mut members = match target {
        Value::Object(members) => members,
        _ => Map::new(),
    };
    for (name, value) in patch {
        if value.is_null() {
            members.remove(name);
        } else {
            let held = members.get(name).cloned().unwrap_or(Value::Null);
            members.insert(name.clone(), merge_patch(held, value));
        }
    }
    Value::Object(members)
}

/// What of `desired` is not in `reported`.
fn difference(desired: &Value, reported: &Value) -> Value {
    let mut differing = leaves(desired);
    differing.retain(|path, leaf| match at_path(reported, path) {
        Some(held) => held != leaf && !(*leaf == json!({}) && held.is_object()),
        None => true,
    });
    tree(&differing)
}

#[derive(Clone, Debug)]
struct Update {
    reported: Option<Value>,
    desired: Option<Value>,
    overwrite: bool,
    /// What the request says the version is: this much off the true one.
    version_off: Option<u64>,
}

impl Update {
    fn request(&self, version: u64) -> String {
        let mut state = Map::new();
        state.extend(
            self.reported
                .clone()
                .map(|part| ("reported".to_owned(), part)),
        );
        state.extend(
            self.desired
                .clone()
                .map(|part| ("desired".to_owned(), part)),
        );
        let mut request = json!({"type": "update", "state": state});
        if self.overwrite {
            request["overwriteUpdate"] = json!(true);
        }
        if let Some(off) = self.version_off {
            request["version"] = json!(version + off);
        }
        request.to_string()
    }

    fn apply(&self, part: &Value, patch: Option<&Value>, overwrite: bool) -> Value {
        match patch {
            None => part.clone(),
            Some(Value::Null) => json!({}),
            Some(patch) if overwrite => merge_patch(json!({}), patch),
            Some(patch) => merge_patch(part.clone(), patch),
        }
    }
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof![Just("a"), Just("b"), Just("timestamp")].prop_map(str::to_owned)
}

/// Values whose equality as `Value` is their equality as text: no floats.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (0..3).prop_map(Value::from),
        Just(json!("x\u{e9}\"")),
        Just(json!([])),
        Just(json!([null, {"a": 1}])),
        Just(json!({})),
    ];
    leaf.prop_recursive(3, 16, 3, |inner| {
        prop::collection::btree_map(key(), inner, 0..3)
            .prop_map(|members| Value::Object(members.into_iter().collect()))
    })
}

fn part() -> impl Strategy<Value = Option<Value>> {
    let object = prop::collection::btree_map(key(), value(), 0..4)
        .prop_map(|members| Some(Value::Object(members.into_iter().collect())));
    prop_oneof![2 => Just(None), 1 => Just(Some(Value::Null)), 5 => object]
}

fn update() -> impl Strategy<Value = Update> {
    let version_off =
        prop_oneof![3 => Just(None), 2 => Just(Some(0)), 1 => (1..3u64).prop_map(Some)];
    (part(), part(), any::<bool>(), version_off).prop_map(
        |(reported, desired, overwrite, version_off)| Update {
            reported,
            desired,
            overwrite,
            version_off,
        },
    )
}

/// The paths of a metadata tree, in step with the values that it belongs to.
fn stamped_paths(values: &Value, metadata: &Value) -> bool {
    match (values, metadata) {
        (Value::Object(values), Value::Object(metadata)) => {
            values.len() == metadata.len()
                && values.iter().all(|(key, value)| {
                    metadata.get(key).is_some_and(|stamp| match value {
                        Value::Object(_) => stamped_paths(value, stamp),
                        _ => stamp["timestamp"].is_u64(),
                    })
                })
        }
        _ => false,
    }
}

/// A reply's state without the members that say what is gone.
fn without_deletions(state: Value) -> Value {
    match state {
        Value::Object(members) => members
            .into_iter()
            .filter(|(_, member)| !member.is_null())
            .map(|(key, member)| (key, without_deletions(member)))
            .collect(),
        other => other,
    }
}

proptest! {
    #[test]
    fn documents_follow_the_model(updates in prop::collection::vec(update(), 1..12)) {
        let mut cloud = ShadowService::with_config(ServiceConfig::default());
        let (mut version, mut changed_at) = (0u64, None);
        let (mut reported, mut desired) = (json!({}), json!({}));
        for (round, update) in updates.iter().enumerate() {
            let now = 10_000 + round as u64;
            let answered = answers(&mut cloud, now, &update.request(version));
            let reply = read(&answered[0]);

            let expected_version = update.version_off.map(|off| version + off).filter(|v| *v != 0);
            let refused = expected_version.is_some_and(|expected| expected != version);
            prop_assert_eq!(&reply["result"], if refused { 5005 } else { 0 });
            let before = (reported.clone(), desired.clone());
            if !refused {
                reported = update.apply(&reported, update.reported.as_ref(), update.overwrite);
                desired = update.apply(&desired, update.desired.as_ref(), false);
                if before != (reported.clone(), desired.clone()) {
                    version += 1;
                    changed_at = Some(now);
                }
                // The reply's state is the patch from the document before to the one after.
                for (name, before, after) in [
                    ("reported", &before.0, &reported),
                    ("desired", &before.1, &desired),
                ] {
                    match &reply["payload"]["state"][name] {
                        Value::Null => {
                            let cleared = *after == json!({});
                            prop_assert!(cleared || before == after);
                        }
                        patch => prop_assert_eq!(&merge_patch(before.clone(), patch), after),
                    }
                }
            }

            let delta = difference(&desired, &reported);
            let mut state = json!({"reported": reported});
            if desired != json!({}) {
                state["desired"] = desired.clone();
            }
            if delta != json!({}) {
                state["delta"] = delta.clone();
            }
            let document = json!({
                "state": state,
                "version": version,
                "timestamp": changed_at.unwrap_or(now / 1_000),
            });
            prop_assert_eq!(read(&cloud.document(at(now), &name())), document.clone());
            if refused {
                prop_assert_eq!(&reply["payload"], &document);
            }

            let pushed = !refused && before.1 != desired && delta != json!({});
            prop_assert_eq!(answered.len(), if pushed { 2 } else { 1 });
            if pushed {
                let push = json!({
                    "type": "delta",
                    "timestamp": now,
                    "payload": {"state": delta, "version": version, "timestamp": now},
                });
                prop_assert_eq!(read(&answered[1]), push);
            }
        }
    }

    #[test]
    fn metadata_has_the_shape_of_the_state(updates in prop::collection::vec(update(), 1..6)) {
        let config = ServiceConfig { metadata: true, ..ServiceConfig::default() };
        let mut cloud = ShadowService::with_config(config);
        for update in &updates {
            for payload in answers(&mut cloud, 10_000, &update.request(0)) {
                let mut message = read(&payload);
                let mut state = message["payload"]["state"].take();
                if message["type"] == "update" {
                    state = without_deletions(state);
                    state.as_object_mut().unwrap().retain(|_, part| *part != json!({}));
                }
                let stamped = stamped_paths(&state, &message["payload"]["metadata"]);
                prop_assert!(stamped, "{}", payload);
            }
            let document = read(&cloud.document(at(0), &name()));
            let stamped = stamped_paths(&document["state"], &document["metadata"]);
            prop_assert!(stamped, "{}", document);
        }
    }

    #[test]
    fn any_number_survives(number in "-?(0|[1-9][0-9]{0,40})(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,5})?") {
        let mut cloud = ShadowService::new();
        let request = format!(r#"{{"type":"update","state":{{"reported":{{"n": {number} }}}}}}"#);
        answers(&mut cloud, 1, &request);
        let reported = cloud.shadow(&name()).map(|shadow| shadow.reported());
        prop_assert_eq!(reported, Some(format!(r#"{{"n":{number}}}"#)));
    }

    #[test]
    fn any_string_survives(text in any::<String>(), key in any::<String>()) {
        let mut cloud = ShadowService::new();
        let part = json!({key: text});
        let request = json!({"type": "update", "state": {"reported": part}, "clientToken": text});
        let answered = answers(&mut cloud, 1, &request.to_string());
        prop_assert_eq!(&read(&answered[0])["clientToken"], &json!(text));
        prop_assert_eq!(read(&cloud.shadow(&name()).unwrap().reported()), part);
    }

    #[test]
    fn arbitrary_bytes_are_refused_and_change_nothing(payload in any::<Vec<u8>>()) {
        let mut cloud = ShadowService::new();
        let answered = cloud.handle_request(at(1), &name(), &payload);
        prop_assert_eq!(answered.len(), 1);
        prop_assert_eq!(&read(std::str::from_utf8(&answered[0]).unwrap())["result"], 9000);
        prop_assert_eq!(cloud.shadow(&name()), None);
    }

    /// Requests that are almost right: one byte of a good one is another, or it is cut short.
    #[test]
    fn damaged_requests_get_one_definite_answer(
        update in update(),
        place in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        cut in any::<bool>(),
    ) {
        let mut cloud = ShadowService::new();
        let mut request = update.request(0).into_bytes();
        let place = place.index(request.len());
        if cut {
            request.truncate(place);
        } else {
            request[place] = byte;
        }
        let answered = cloud.handle_request(at(1), &name(), &request);
        let reply = read(std::str::from_utf8(&answered[0]).unwrap());
        prop_assert!(reply["result"].is_u64());
        if reply["result"] != 0 {
            prop_assert_eq!(answered.len(), 1);
            prop_assert_eq!(cloud.shadow(&name()), None);
        }
        if cut {
            prop_assert_eq!(&reply["result"], 9000);
        }
    }

    /// Any JSON in the place of any member.
    #[test]
    fn arbitrary_members_get_one_definite_answer(
        kind in prop_oneof![Just(json!("get")), Just(json!("update")), value()],
        state in prop_oneof![value(), value().prop_map(|part| json!({"reported": part}))],
        version in value(),
        token in value(),
    ) {
        let mut cloud = ShadowService::new();
        let request = json!({"type": kind, "state": state, "version": version, "clientToken": token});
        let answered = answers(&mut cloud, 1, &request.to_string());
        prop_assert!(read(&answered[0])["result"].is_u64());
    }
}
