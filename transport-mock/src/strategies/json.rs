//! Documents and patches.

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::strategy::{NewTree, ValueTree};
use proptest::test_runner::TestRunner;
use serde_json::{Map, Value};

use super::tree::{Simplify, SimplifyTree};

/// A part of a shadow's document, as `reported` holds it: [`object`]`(4, 4)`. No null is in it, as
/// the service keeps none.
///
/// Shrinks towards `{}`: members are left out, objects and arrays give way to what is in them, values
/// become `false`, 0 or empty, keys `a`.
pub fn document() -> impl Strategy<Value = Value> + Clone {
    object(4, 4)
}

/// A JSON object of at most `depth` levels of objects and arrays, itself included, and at most
/// `size` members in each object and elements in each array. The service takes 6 levels, and
/// documents of 16 KiB. Keys are one to three of the letters `a` to `d`, so that two objects often
/// have keys in common. Values are false and true, integers and other numbers, strings with and
/// without characters that JSON escapes, arrays and objects; no null.
///
/// Shrinks towards `{}`: members are left out, objects and arrays give way to what is in them, values
/// become `false`, 0 or empty, keys `a`.
///
/// # Panics
/// When `depth` is 0.
pub fn object(depth: usize, size: usize) -> impl Strategy<Value = Value> + Clone {
    shrinking(members(depth, size, Nulls::None).prop_map(Value::Object))
}

/// A patch of a part, as an update has it: an object of up to 3 levels and 3 members each, in which
/// null deletes. [`patch_of`] is one that meets a document's keys.
///
/// Shrinks as [`object`]. A null stays one or goes.
pub fn patch() -> impl Strategy<Value = Value> + Clone {
    shrinking(members(3, 3, Nulls::Members).prop_map(Value::Object))
}

/// A patch of this document: each of its members is left alone, replaced, deleted with null, or
/// patched in turn if it is an object, and up to two others are added.
///
/// Shrinks as [`patch`]: what can be left alone is.
pub fn patch_of(document: &Value) -> impl Strategy<Value = Value> + Clone + use<> {
    shrinking(changes_of(document))
}

fn changes_of(document: &Value) -> BoxedStrategy<Value> {
    let members = document.as_object().into_iter().flatten();
    let changes: Vec<_> = members
        .map(|(key, value)| {
            let key = key.clone();
            let change = option::of(change_of(value));
            change.prop_map(move |value| Some((key.clone(), value?)))
        })
        .collect();
    let added = btree_map(key(), value(2, 3, Nulls::Members), 0..=2);
    (added, changes)
        .prop_map(|(added, changes)| {
            let mut patch: Map<String, Value> = added.into_iter().collect();
            patch.extend(changes.into_iter().flatten());
            Value::Object(patch)
        })
        .boxed()
}

fn change_of(held: &Value) -> BoxedStrategy<Value> {
    let replaced = value(2, 3, Nulls::Members);
    match held {
        Value::Object(_) => prop_oneof![replaced, changes_of(held)].boxed(),
        _ => replaced,
    }
}

/// Where nulls may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Nulls {
    None,
    /// As a member of an object that is in no array: there a null deletes.
    Members,
}

fn key() -> impl Strategy<Value = String> {
    "[a-d]{1,3}"
}

fn members(depth: usize, size: usize, nulls: Nulls) -> BoxedStrategy<Map<String, Value>> {
    assert!(depth > 0, "an object is a level by itself");
    let members = btree_map(key(), value(depth - 1, size, nulls), 0..=size);
    members
        .prop_map(|members| members.into_iter().collect())
        .boxed()
}

/// A value of at most `depth` levels. What is simpler comes first.
fn value(depth: usize, size: usize, nulls: Nulls) -> BoxedStrategy<Value> {
    let leaf = prop_oneof![
        2 => any::<bool>().prop_map(Value::from),
        2 => any::<i32>().prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        1 => (-1e6..1e6).prop_map(|number: f64| Value::from(number)),
        2 => "[a-z]{0,6}".prop_map(Value::from),
        1 => ".{0,6}".prop_map(Value::from),
    ];
    let mut value = leaf.boxed();
    if depth > 0 {
        let elements = vec(self::value(depth - 1, size, Nulls::None), 0..=size);
        let object = members(depth, size, nulls).prop_map(Value::Object);
        let elements = elements.prop_map(Value::Array);
        value = prop_oneof![6 => value, 1 => elements, 2 => object].boxed();
    }
    if nulls == Nulls::Members {
        value = prop_oneof![4 => value, 1 => Just(Value::Null)].boxed();
    }
    value
}

/// The values of a strategy, shrunk as JSON.
fn shrinking(made: impl Strategy<Value = Value> + 'static) -> Shrinking {
    Shrinking { made: made.boxed() }
}

#[derive(Clone, Debug)]
struct Shrinking {
    made: BoxedStrategy<Value>,
}

impl Strategy for Shrinking {
    type Tree = SimplifyTree<Value>;
    type Value = Value;

    fn new_tree(&self, runner: &mut TestRunner) -> NewTree<Shrinking> {
        let made = self.made.new_tree(runner)?;
        Ok(SimplifyTree::new(made.current()))
    }
}

impl Simplify for Value {
    /// An object stays one.
    fn simpler(&self, number: usize) -> Option<Value> {
        let objects = simpler(self).into_iter().filter(Value::is_object);
        objects.take(number + 1).nth(number)
    }
}

/// What is simpler than a value, the simplest first.
fn simpler(value: &Value) -> Vec<Value> {
    match value {
        Value::Null | Value::Bool(false) => Vec::new(),
        Value::Bool(true) => vec![false.into()],
        Value::Number(number) => {
            let float = number.as_f64().unwrap_or(0.0);
            let whole = number.as_i64().unwrap_or(float as i64);
            vec![false.into(), 0.into(), whole.into(), (whole / 2).into()]
        }
        Value::String(text) => {
            let length = text.chars().count();
            let first = |count: usize| text.chars().take(count).collect::<String>();
            let mut simpler = vec![false.into(), "".into(), first(length / 2).into()];
            simpler.push(first(length.saturating_sub(1)).into());
            simpler.push("a".repeat(length).into());
            simpler
        }
        Value::Array(elements) => {
            let mut simpler = vec![false.into(), Value::Array(Vec::new())];
            simpler.extend(elements.iter().cloned());
            for index in 0..elements.len() {
                let others = elements.iter().enumerate().filter(|(at, _)| *at != index);
                simpler.push(others.map(|(_, element)| element.clone()).collect());
            }
            for (index, element) in elements.iter().enumerate() {
                simpler.extend(self::simpler(element).into_iter().map(|element| {
                    let mut elements = elements.clone();
                    elements.splice(index..=index, [element]);
                    Value::Array(elements)
                }));
            }
            simpler
        }
        Value::Object(members) => {
            let mut simpler = vec![false.into(), Value::Object(Map::new())];
            simpler.extend(members.values().cloned());
            for key in members.keys() {
                simpler.push(Value::Object(without(members, key)));
            }
            for (key, member) in members {
                let free = ["a", "b", "c", "d"]
                    .into_iter()
                    .find(|free| !members.contains_key(*free));
                let shorter = free.filter(|free| *free < key.as_str());
                simpler
                    .extend(shorter.map(|free| with(without(members, key), free, member.clone())));
                let changed = self::simpler(member).into_iter();
                simpler.extend(changed.map(|member| with(members.clone(), key, member)));
            }
            simpler
        }
    }
}

fn without(members: &Map<String, Value>, key: &str) -> Map<String, Value> {
    let mut members = members.clone();
    members.remove(key);
    members
}

fn with(mut members: Map<String, Value>, key: &str, value: Value) -> Value {
    members.insert(key.to_owned(), value);
    Value::Object(members)
}
