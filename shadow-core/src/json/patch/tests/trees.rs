//! The same operations over trees, straight from what they are said to do: the reference for those
//! that walk the text.

use proptest::prelude::*;
use serde_json::{Map, Value};

use super::*;
use crate::json::DEEPEST;

type Members = Map<String, Value>;

fn tree(object: &Object) -> Members {
    match serde_json::from_str(object.as_str()).unwrap() {
        Value::Object(members) => members,
        other => panic!("no object: {other}"),
    }
}

fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Members::new());
    }
    for (key, value) in patch {
        let members = target.as_object_mut().unwrap();
        if value.is_null() {
            members.remove(key);
        } else {
            merge(members.entry(key.clone()).or_insert(Value::Null), value);
        }
    }
}

fn patch_between(from: &Value, to: &Value) -> Option<Value> {
    let (Value::Object(from), Value::Object(to)) = (from, to) else {
        return (from.is_null() || from != to).then(|| to.clone());
    };
    let mut patch = Members::new();
    for key in from.keys().filter(|key| !to.contains_key(*key)) {
        patch.insert(key.clone(), Value::Null);
    }
    for (key, to) in to {
        let changed = match from.get(key) {
            Some(from) => patch_between(from, to),
            None => Some(to.clone()),
        };
        patch.extend(changed.map(|changed| (key.clone(), changed)));
    }
    (!patch.is_empty()).then_some(Value::Object(patch))
}

fn unsettle(known: Option<&Value>, patch: &Value) -> Value {
    match (known, patch) {
        (Some(Value::Object(known)), Value::Object(patch)) => {
            let mut unknown = known.clone();
            for (key, value) in patch {
                unknown.insert(key.clone(), unsettle(known.get(key), value));
            }
            Value::Object(unknown)
        }
        (None, patch) => nullify(patch),
        (Some(_), _) => Value::Null,
    }
}

fn nullify(value: &Value) -> Value {
    match value {
        Value::Object(members) if !members.is_empty() => {
            let nulls = members
                .iter()
                .map(|(key, value)| (key.clone(), nullify(value)));
            Value::Object(nulls.collect())
        }
        _ => Value::Null,
    }
}

fn restrict(value: &Value, first: Option<&Value>, second: Option<&Value>) -> Value {
    let leaf = |other: Option<&Value>| other.is_some_and(|other| !other.is_object());
    match value {
        Value::Object(members) if !leaf(first) && !leaf(second) => {
            let of = |other: Option<&Value>, key: &str| other.and_then(|o| o.get(key)).cloned();
            let kept = members.iter().filter_map(|(key, value)| {
                let (first, second) = (of(first, key), of(second, key));
                let named = first.is_some() || second.is_some();
                named.then(|| {
                    (
                        key.clone(),
                        restrict(value, first.as_ref(), second.as_ref()),
                    )
                })
            });
            Value::Object(kept.collect())
        }
        value => value.clone(),
    }
}

fn filter(value: &Value, other: Option<&Value>, wanted: Filter) -> Option<Value> {
    match value {
        Value::Object(members) if !members.is_empty() => {
            let other = other.and_then(Value::as_object);
            let kept = members.iter().filter_map(|(key, value)| {
                let kept = filter(value, other.and_then(|other| other.get(key)), wanted)?;
                Some((key.clone(), kept))
            });
            let kept: Members = kept.collect();
            (!kept.is_empty()).then_some(Value::Object(kept))
        }
        value => {
            let equal = match (value, other) {
                (Value::Object(_), Some(Value::Object(other))) => {
                    other.is_empty() || wanted == Filter::News
                }
                (value, Some(other)) => value == other,
                (_, None) => false,
            };
            (equal == (wanted == Filter::Same)).then(|| value.clone())
        }
    }
}

fn remove(members: &mut Members, named: &Members) {
    for (key, named) in named {
        let emptied = match (members.get_mut(key), named) {
            (Some(Value::Object(inner)), Value::Object(named)) if !named.is_empty() => {
                remove(inner, named);
                inner.is_empty()
            }
            _ => true,
        };
        if emptied {
            members.remove(key);
        }
    }
}

fn prune(members: &mut Members) {
    members.retain(|_, value| match value {
        Value::Object(inner) => {
            prune(inner);
            !inner.is_empty()
        }
        _ => true,
    });
}

fn largest(value: &Value) -> usize {
    match value {
        Value::Object(members) if !members.is_empty() => {
            let of_member = |(key, value): (&String, &Value)| {
                serde_json::to_string(key).unwrap().len() + 3 + largest(value)
            };
            members.iter().map(of_member).max().unwrap()
        }
        leaf => format!("{leaf}").len(),
    }
}

/// Keys whose order is another one where they are escaped, and such that begin alike.
const KEY: &str = "[ab\n\"\\\\é]{0,2}";

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        (-2..3_i64).prop_map(Value::from),
        "[a\"\\\\{,:é]{0,3}".prop_map(Value::from),
        Just(serde_json::json!([1, {"x": null}, "]"])),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop::collection::btree_map(KEY, inner, 0..4)
            .prop_map(|members| Value::Object(members.into_iter().collect()))
    })
}

fn members() -> impl Strategy<Value = Members> {
    prop::collection::btree_map(KEY, value(), 0..5)
        .prop_map(|members| members.into_iter().collect())
}

fn text(members: &Members) -> String {
    serde_json::to_string(members).unwrap()
}

fn said(object: &Object) -> String {
    object.as_str().into()
}

fn of(members: &Members) -> Object {
    object(&text(members))
}

/// Members in any order, with equal keys and white space, as another client may send them.
fn loose() -> impl Strategy<Value = (String, Members)> {
    prop::collection::vec((KEY, value()), 0..6).prop_map(|members| {
        let written: Vec<String> = members
            .iter()
            .map(|(key, value)| format!(" {} :\n{value:#}\t", Value::from(key.as_str())))
            .collect();
        let last = members.into_iter().collect();
        (format!("{{{}}}\r\n", written.join(",")), last)
    })
}

proptest! {
    #[test]
    fn takes_over_any_spelling((text, members) in loose()) {
        prop_assert_eq!(said(&object(&text)), super::trees::text(&members));
    }

    #[test]
    fn walks_do_what_trees_do(
        mut a in members(), b in members(), c in members(), alike in any::<bool>(),
    ) {
        if alike {
            // Or there would seldom be much in common.
            a.extend(b.clone());
        }
        let (x, y, z) = (of(&a), of(&b), of(&c));
        let (one, two) = (Value::Object(a.clone()), Value::Object(b.clone()));
        let three = Value::Object(c.clone());
        let members = |value: Option<Value>| match value {
            Some(Value::Object(members)) => text(&members),
            _ => String::from("{}"),
        };
        prop_assert_eq!(tree(&x), a.clone());

        let mut merged = one.clone();
        merge(&mut merged, &two);
        prop_assert_eq!(said(&x.merged(&y)), members(Some(merged)));
        prop_assert_eq!(said(&x.patch_to(&y)), members(patch_between(&one, &two)));
        prop_assert_eq!(said(&x.unsettled_by(&y)), members(Some(unsettle(Some(&one), &two))));
        prop_assert_eq!(said(&x.restricted_to(&y, &z)),
            members(Some(restrict(&one, Some(&two), Some(&three))))
        );
        prop_assert_eq!(said(&x.minus(&y)), members(filter(&one, Some(&two), Filter::Other)));
        prop_assert_eq!(said(&x.news_to(&y)), members(filter(&one, Some(&two), Filter::News)));
        prop_assert_eq!(said(&x.common(&y)), members(filter(&one, Some(&two), Filter::Same)));

        let mut without = a.clone();
        remove(&mut without, &b);
        prop_assert_eq!(said(&x.without(&y)), text(&without));
        let mut pruned = a.clone();
        prune(&mut pruned);
        prop_assert_eq!(said(&x.without_empty()), text(&pruned));
        prop_assert_eq!(said(&x.deletion()), members(Some(nullify(&one))));
        prop_assert_eq!(x.largest_leaf(), largest(&one));
        let some = |key: &str| key.starts_with('a') || key.contains('\n');
        let kept: Members = a.into_iter().filter(|(key, _)| some(key)).collect();
        prop_assert_eq!(said(&x.members_where(some)), text(&kept));
    }

    #[test]
    fn splits_into_parts_that_make_the_whole(whole in members(), size in 0..80_usize) {
        let whole = of(&whole);
        let (mut left, mut sum) = (whole.clone(), Object::default());
        while !left.is_empty() {
            let (first, rest) = left.clone().split(size);
            prop_assert!(!first.is_empty());
            prop_assert!(first.as_str().len() <= size.max(first.largest_leaf()));
            sum = sum.merged_as_patch(&first);
            left = rest;
        }
        prop_assert_eq!(sum, whole);
    }
}

/// Below that an object is one leaf: replaced and compared as a whole.
#[test]
fn objects_below_the_deepest_level_are_leaves() {
    let nested = |levels: usize, inner: &str| {
        object(&format!(
            "{}{inner}{}",
            r#"{"k":"#.repeat(levels),
            "}".repeat(levels)
        ))
    };
    for (levels, merged) in [
        (DEEPEST - 1, r#"{"a":1,"b":2}"#),
        (DEEPEST, r#"{"b":2}"#),
        (DEEPEST + 1, r#"{"b":2}"#),
    ] {
        let (a, b) = (nested(levels, r#"{"a":1}"#), nested(levels, r#"{"b":2}"#));
        assert_eq!(a.merged(&b), nested(levels, merged), "{levels}");
        let (one, other) = (
            nested(levels, r#"{"a":1,"b":2}"#),
            nested(levels, r#"{"b":2,"a":1}"#),
        );
        assert!(one.patch_to(&other).is_empty(), "{levels}");
        assert_eq!(one == other, levels < DEEPEST, "{levels}");
    }
}

/// What cannot be a key's text is a key of its own.
#[test]
fn half_a_surrogate_pair_is_kept_as_it_is_spelt() {
    let odd = object(r#"{"b":1,"\ud800":2}"#);
    assert_eq!(odd.as_str(), r#"{"\\ud800":2,"b":1}"#);
    assert_eq!(
        odd.merged(&object(r#"{"\ud800":3}"#)).as_str(),
        r#"{"\\ud800":3,"b":1}"#
    );
}
