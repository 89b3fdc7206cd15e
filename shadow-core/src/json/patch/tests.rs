use alloc::format;

use serde_json::Value;

use super::*;

mod trees;

fn object(text: &str) -> Object {
    Object::new(text).unwrap_or_else(|| panic!("no object: {text}"))
}

/// The examples of RFC 7396, appendix A, whose target and result are objects.
#[test]
fn merges_as_the_examples_of_rfc_7396() {
    for (target, patch, result) in [
        (r#"{"a":"b"}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
        (r#"{"a":"b"}"#, r#"{"b":"c"}"#, r#"{"a":"b","b":"c"}"#),
        (r#"{"a":"b"}"#, r#"{"a":null}"#, "{}"),
        (r#"{"a":"b","b":"c"}"#, r#"{"a":null}"#, r#"{"b":"c"}"#),
        (r#"{"a":["b"]}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
        (r#"{"a":"c"}"#, r#"{"a":["b"]}"#, r#"{"a":["b"]}"#),
        (
            r#"{"a":{"b":"c"}}"#,
            r#"{"a":{"b":"d","c":null}}"#,
            r#"{"a":{"b":"d"}}"#,
        ),
        (r#"{"a":[{"b":"c"}]}"#, r#"{"a":[1]}"#, r#"{"a":[1]}"#),
        (r#"{"e":null}"#, r#"{"a":1}"#, r#"{"a":1,"e":null}"#),
        ("{}", r#"{"a":{"bb":{"ccc":null}}}"#, r#"{"a":{"bb":{}}}"#),
    ] {
        assert_eq!(object(target).merged(&object(patch)).as_str(), result);
    }
}

#[test]
fn the_patch_between_two_objects_makes_one_of_the_other() {
    for (from, to, patch) in [
        ("{}", "{}", "{}"),
        (r#"{"a":1}"#, r#"{"a":1.0}"#, "{}"),
        (r#"{"a":"\u00e9"}"#, r#"{"a":"é"}"#, "{}"),
        (
            r#"{"a":[1,{"b":2,"c":3}]}"#,
            r#"{"a":[1,{"c":3,"b":2}]}"#,
            "{}",
        ),
        (r#"{"a":1,"b":2}"#, r#"{"b":3}"#, r#"{"a":null,"b":3}"#),
        (
            r#"{"a":{"b":1,"c":2}}"#,
            r#"{"a":{"c":2}}"#,
            r#"{"a":{"b":null}}"#,
        ),
        (
            r#"{"a":{"c":3}}"#,
            r#"{"a":{"b":1}}"#,
            r#"{"a":{"b":1,"c":null}}"#,
        ),
        (r#"{"a":4}"#, r#"{"a":{"b":1}}"#, r#"{"a":{"b":1}}"#),
        // A null was sent and never confirmed.
        (
            r#"{"a":null,"b":null}"#,
            r#"{"a":1}"#,
            r#"{"a":1,"b":null}"#,
        ),
        (
            r#"{"n":9007199254740993}"#,
            r#"{"n":9007199254740992}"#,
            r#"{"n":9007199254740992}"#,
        ),
    ] {
        assert_eq!(
            object(from).patch_to(&object(to)).as_str(),
            patch,
            "{from} to {to}"
        );
    }
}

#[test]
fn what_was_sent_is_unknown_until_it_is_confirmed() {
    for (known, sent, unknown) in [
        (r#"{"a":1}"#, r#"{"a":2,"b":3}"#, r#"{"a":null,"b":null}"#),
        (
            r#"{"a":{"x":1,"y":2}}"#,
            r#"{"a":{"x":3}}"#,
            r#"{"a":{"x":null,"y":2}}"#,
        ),
        (r#"{"a":4}"#, r#"{"a":{"x":3}}"#, r#"{"a":null}"#),
        (r#"{"a":{"x":1}}"#, r#"{"a":4}"#, r#"{"a":null}"#),
        ("{}", r#"{"a":{"x":{"y":3}}}"#, r#"{"a":{"x":{"y":null}}}"#),
    ] {
        assert_eq!(object(known).unsettled_by(&object(sent)).as_str(), unknown);
    }
}

#[test]
fn restricts_to_what_either_has() {
    let cloud = object(r#"{"mine":1,"gone":2,"other":3,"deep":{"a":1,"b":{"c":2},"z":9}}"#);
    let first = object(r#"{"mine":7,"deep":{"a":0}}"#);
    let second = object(r#"{"gone":null,"deep":{"b":null}}"#);
    let kept = cloud.restricted_to(&first, &second);
    assert_eq!(
        kept.as_str(),
        r#"{"deep":{"a":1,"b":{"c":2}},"gone":2,"mine":1}"#
    );
}

#[test]
fn tells_leaves_apart_by_value() {
    let told = object(r#"{"a":1,"b":{"c":"x","d":[1,2]},"e":{}}"#);
    let other = object(r#"{"a":1.0,"b":{"c":"y","d":[1, 2]},"e":{}}"#);
    assert_eq!(told.minus(&other).as_str(), r#"{"b":{"c":"x"}}"#);
    assert_eq!(
        told.common(&other).as_str(),
        r#"{"a":1,"b":{"d":[1,2]},"e":{}}"#
    );
    assert!(told.minus(&told).is_empty());
    let (empty, filled) = (object(r#"{"a":{}}"#), object(r#"{"a":{"b":1}}"#));
    assert_eq!(
        (empty.minus(&filled), filled.minus(&empty)),
        (empty.clone(), filled.clone())
    );
    assert!(empty.news_to(&filled).is_empty());
    let nested = object(r#"{"a":{"b":{}},"c":{"d":1,"e":{}},"f":[{}]}"#);
    assert_eq!(nested.without_empty().as_str(), r#"{"c":{"d":1},"f":[{}]}"#);
    assert_eq!(
        (empty.news_to(&object("{}")), filled.news_to(&empty)),
        (empty, filled)
    );
    assert_eq!(
        told.deletion().as_str(),
        r#"{"a":null,"b":{"c":null,"d":null},"e":null}"#
    );
}

#[test]
fn takes_out_what_another_names() {
    let kept = object(r#"{"a":1,"b":{"c":2,"d":3},"e":{"f":4}}"#);
    let named = object(r#"{"a":9,"b":{"c":null},"e":{"f":0},"x":1}"#);
    assert_eq!(kept.without(&named).as_str(), r#"{"b":{"d":3}}"#);
}

#[test]
fn splits_so_that_the_parts_make_the_whole() {
    let patch = object(r#"{"a":"12345","b":{"c":"12345","d":"12345"},"e":null,"f":"123456789"}"#);
    for size in 0..patch.as_str().len() + 2 {
        let (mut left, mut whole, mut parts) = (patch.clone(), Object::default(), 0);
        while !left.is_empty() {
            let (first, rest) = left.clone().split(size);
            assert!(!first.is_empty(), "no progress at {size}");
            let leaf = first.largest_leaf();
            assert!(
                first.as_str().len() <= size.max(leaf),
                "{first:?} for {size}"
            );
            whole = whole.merged_as_patch(&first);
            left = rest;
            parts += 1;
        }
        assert_eq!(whole, patch, "in parts of {size}");
        assert!(parts <= 5 && (parts > 1 || size >= patch.as_str().len()));
    }
}

fn add(all: &mut Value, more: Value) {
    let Value::Object(more) = more else {
        panic!("two leaves in one place")
    };
    for (key, value) in more {
        let all = all.as_object_mut().unwrap();
        match all.get_mut(&key) {
            Some(old) => add(old, value),
            None => drop(all.insert(key, value)),
        }
    }
}

impl Object {
    /// The union of two patches that name different leaves.
    fn merged_as_patch(&self, other: &Object) -> Object {
        let sum = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        let (mut all, more) = (sum(self.as_str()), sum(other.as_str()));
        add(&mut all, more);
        object(&serde_json::to_string(&all).unwrap())
    }
}

mod properties {
    use proptest::prelude::*;

    use super::*;

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            (-3..4_i64).prop_map(Value::from),
            "[a-c\"é]{0,2}".prop_map(Value::from),
            Just(serde_json::json!([1, {"x": null}])),
        ];
        leaf.prop_recursive(3, 12, 4, |inner| {
            prop::collection::btree_map("[a-d]", inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect()))
        })
    }

    fn members() -> impl Strategy<Value = Object> {
        prop::collection::btree_map("[a-d]", value(), 0..4).prop_map(|members| {
            let value = Value::Object(members.into_iter().collect());
            object(&serde_json::to_string(&value).unwrap())
        })
    }

    proptest! {
        #[test]
        fn a_patch_leads_from_anything_to_anything(from in members(), to in members()) {
            let patch = from.patch_to(&to);
            let reached = from.merged(&patch);
            prop_assert!(same_value(reached.as_str(), to.as_str()), "{:?} by {:?}", from, patch);
            prop_assert!(reached.patch_to(&to).is_empty());
        }

        /// Whether the cloud has taken the update or not: what is known afterwards leads there.
        #[test]
        fn an_update_whose_fate_is_unknown_is_repaired(
            cloud in members(), first in members(), second in members(), taken in any::<bool>(),
        ) {
            let sent = cloud.patch_to(&first);
            let known = cloud.unsettled_by(&sent);
            let there = if taken { cloud.merged(&sent) } else { cloud.clone() };
            // The get that follows shows what is there, of all that the device has to do with.
            let known = there.restricted_to(&second, &known);
            let patch = known.patch_to(&second);
            let reached = there.merged(&patch);
            prop_assert!(second.patch_to(&reached).minus(&there).is_empty());
            prop_assert!(same_value(
                reached.restricted_to(&second, &first).as_str(), second.as_str(),
            ), "{:?} is not {:?}", reached, second);
        }

        #[test]
        fn a_patch_that_is_plain_is_all_there_once_it_is_merged(
            target in members(), patch in members(),
        ) {
            if patch.is_plain() {
                prop_assert!(patch.minus(&target.merged(&patch)).is_empty());
                prop_assert_eq!(&Object::default().merged(&patch), &patch);
            }
        }

        #[test]
        fn same_leaves_and_other_leaves_make_the_whole(a in members(), b in members()) {
            let (same, other) = (a.common(&b), a.minus(&b));
            prop_assert_eq!(same.merged(&other), a);
        }
    }
}
