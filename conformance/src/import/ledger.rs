//! Whether the documents that a log prints agree with each other.
//!
//! Inbound bytes are made from the printed documents, so that the engine repeats what they say does
//! not show that they are true. This does: an update's reply must repeat what was sent, a full
//! document must hold what was accepted before, and versions count upwards.

use serde_json::{Map, Value};

/// What is known of one shadow's document.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    version: Option<u64>,
    /// The payload's timestamp at that version, where the change that made it was seen.
    created: Option<u64>,
    /// All of `reported` at that version, if it is known.
    reported: Option<Value>,
    /// All of `desired` at that version, if it is known.
    desired: Option<Value>,
    /// Keys of `reported` that an accepted update set since the last full document.
    at_least: Map<String, Value>,
    /// Changes that nobody in the log made.
    pub(super) foreign_changes: Vec<(u64, u64)>,
}

/// A message on the result topic, as far as the ledger is concerned.
pub(super) enum Entry<'a> {
    /// The whole document.
    Full,
    /// An accepted update, with what was asked if it is known.
    Updated(Option<&'a Value>),
    /// A push.
    Delta,
}

impl Ledger {
    /// Takes in the `payload` of a message; says what contradicts what came before.
    pub(super) fn take(&mut self, entry: &Entry<'_>, payload: &Value) -> Result<(), String> {
        let version = payload.get("version").and_then(Value::as_u64);
        let timestamp = payload.get("timestamp").and_then(Value::as_u64);
        let state = payload.get("state");
        match entry {
            Entry::Full => self.full(version, timestamp, state),
            Entry::Updated(asked) => self.updated(version, timestamp, state, *asked),
            Entry::Delta => self.delta(version, timestamp, state),
        }
    }

    fn advance(&mut self, version: Option<u64>, own: bool) -> Result<Option<u64>, String> {
        let (Some(before), Some(now)) = (self.version, version) else {
            self.version = version.or(self.version);
            return Ok(None);
        };
        if now < before {
            return Err(format!(
                "version {now} comes after version {before}, but versions count upwards"
            ));
        }
        if now > before + u64::from(own) {
            self.foreign_changes.push((before, now));
        }
        self.version = version;
        Ok(Some(now - before))
    }

    fn full(
        &mut self,
        version: Option<u64>,
        timestamp: Option<u64>,
        state: Option<&Value>,
    ) -> Result<(), String> {
        let part = |name| state.and_then(|state| state.get(name)).cloned();
        let reported = part("reported").unwrap_or(Value::Null);
        let desired = part("desired").unwrap_or(Value::Null);
        let is_reset = version == Some(0) && is_empty(&reported) && is_empty(&desired);
        if is_reset {
            *self = Ledger {
                version,
                foreign_changes: std::mem::take(&mut self.foreign_changes),
                ..Ledger::default()
            };
        }
        let steps = self.advance(version, false)?;
        if steps.is_none_or(|steps| steps > 0) {
            // Somebody else changed it in between.
            self.created = None;
            self.reported = None;
            self.desired = None;
            if steps.is_some() {
                self.at_least = Map::new();
            }
        }
        if let (Some(created), Some(found)) = (self.created, timestamp)
            && created != found
        {
            return Err(format!(
                "the document of this version was made at {created}, but the timestamp is {found}"
            ));
        }
        for (name, known, found) in [
            ("reported", &self.reported, &reported),
            ("desired", &self.desired, &desired),
        ] {
            if let Some(known) = known
                && !same_part(known, found)
            {
                return Err(format!(
                    "expected `{name}` {known} by the messages before, found {found}"
                ));
            }
        }
        for (key, value) in &self.at_least {
            let found = reported.get(key);
            if found != Some(value) {
                let found = found.map_or("nothing".to_owned(), Value::to_string);
                return Err(format!(
                    "an accepted update set `{key}` to {value}, found {found}"
                ));
            }
        }
        if let Some(delta) = part("delta")
            && !is_within(&delta, &desired)
        {
            return Err(format!(
                "`delta` {delta} is not a part of `desired` {desired}"
            ));
        }
        self.at_least = Map::new();
        self.reported = Some(reported);
        self.desired = Some(desired);
        Ok(())
    }

    fn updated(
        &mut self,
        version: Option<u64>,
        timestamp: Option<u64>,
        state: Option<&Value>,
        asked: Option<&Value>,
    ) -> Result<(), String> {
        if let (Some(asked), Some(state)) = (asked, state)
            && !is_within(state, asked)
        {
            return Err(format!(
                "the reply says that {state} was changed, but the update asked for {asked}"
            ));
        }
        let changed = state.is_some_and(|state| !is_empty(state) && !parts_are_empty(state));
        let steps = self.advance(version, true)?;
        if changed && steps == Some(0) {
            return Err(format!(
                "the update changed something, but the version is still {}",
                self.version.unwrap_or_default()
            ));
        }
        let merge = |known: &mut Option<Value>, part: Option<&Value>| match (known.as_mut(), part) {
            (_, None) => {}
            (Some(known), Some(Value::Object(part))) => merge_into(known, part),
            (_, Some(Value::Null)) => *known = Some(Value::Null),
            _ => *known = None,
        };
        match asked {
            Some(asked) if steps.is_some_and(|steps| steps <= 1) => {
                merge(&mut self.reported, asked.get("reported"));
                merge(&mut self.desired, asked.get("desired"));
            }
            _ => (self.reported, self.desired) = (None, None),
        }
        if let Some(Value::Object(part)) = asked.and_then(|asked| asked.get("reported")) {
            for (key, value) in part {
                if value.is_object() || value.is_null() {
                    self.at_least.remove(key);
                } else {
                    self.at_least.insert(key.clone(), value.clone());
                }
            }
        } else if asked.is_none_or(|asked| asked.get("reported").is_some()) {
            self.at_least = Map::new();
        }
        // One that clears an empty part, or one of which the reply has nothing, makes a version too.
        if changed || steps.is_some_and(|steps| steps > 0) {
            self.created = timestamp;
        }
        Ok(())
    }

    fn delta(
        &mut self,
        version: Option<u64>,
        timestamp: Option<u64>,
        state: Option<&Value>,
    ) -> Result<(), String> {
        let known = self.version;
        // The change is another's by its nature.
        let steps = self.advance(version, true)?;
        if known.is_some() && steps == Some(0) {
            // The same push once more, or one that tells of the change just fetched.
            return match (&self.desired, state) {
                (Some(desired), Some(state)) if !is_within(state, desired) => Err(format!(
                    "the pushed {state} is not a part of `desired` {desired}"
                )),
                _ => Ok(()),
            };
        }
        if steps != Some(1) {
            self.reported = None;
            self.at_least = Map::new();
        }
        self.desired = None;
        self.created = timestamp;
        Ok(())
    }
}

fn is_empty(value: &Value) -> bool {
    value.is_null() || value.as_object().is_some_and(Map::is_empty)
}

fn parts_are_empty(state: &Value) -> bool {
    state
        .as_object()
        .is_some_and(|parts| parts.values().all(is_empty))
}

/// Two values of a part; none and an empty one are the same.
fn same_part(a: &Value, b: &Value) -> bool {
    a == b || (is_empty(a) && is_empty(b))
}

/// Whether every key of `part` is in `whole` with that value, in nested objects too.
fn is_within(part: &Value, whole: &Value) -> bool {
    match (part, whole) {
        (Value::Object(part), Value::Object(whole)) => part.iter().all(|(key, value)| {
            whole
                .get(key)
                .map_or(is_empty(value), |whole| is_within(value, whole))
        }),
        _ => part == whole || (is_empty(part) && is_empty(whole)),
    }
}

/// Merges as the cloud does (vendor doc 634/11918): objects key by key, `null` deletes.
fn merge_into(known: &mut Value, part: &Map<String, Value>) {
    if !known.is_object() {
        *known = Value::Object(Map::new());
    }
    let Some(known) = known.as_object_mut() else {
        return;
    };
    for (key, value) in part {
        match value {
            Value::Null => {
                known.remove(key);
            }
            Value::Object(inner) => merge_into(known.entry(key).or_insert(Value::Null), inner),
            other => {
                known.insert(key.clone(), other.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn document(version: u64, timestamp: u64, state: impl Into<Value>) -> Value {
        let state: Value = state.into();
        json!({ "version": version, "timestamp": timestamp, "state": state })
    }

    /// The values are those of the vendor's third log.
    #[test]
    fn an_update_is_followed_into_the_next_get() {
        let asked = json!({ "reported": { "updateCount": 2, "updateCount12": "shadow" } });
        let reply = document(22, 51, json!({ "reported": { "updateCount": 2 } }));
        let before = document(
            21,
            39,
            json!({ "reported": { "updateCount": 1, "updateCount12": "shadow" } }),
        );
        let after = |count: u64, timestamp: u64| {
            let state = json!({ "reported": { "updateCount12": "shadow", "updateCount": count } });
            document(22, timestamp, state)
        };
        let replay = |reply: &Value, get: &Value| {
            let mut ledger = Ledger::default();
            ledger.take(&Entry::Full, &before).unwrap();
            ledger.take(&Entry::Updated(Some(&asked)), reply)?;
            ledger.take(&Entry::Full, get)
        };
        assert_eq!(replay(&reply, &after(2, 51)), Ok(()));
        assert!(
            replay(&reply, &after(3, 51))
                .unwrap_err()
                .contains("expected `reported`")
        );
        assert!(
            replay(&reply, &after(2, 52))
                .unwrap_err()
                .contains("made at 51")
        );
        let wrong = document(22, 51, json!({ "reported": { "updateCount": 3 } }));
        assert!(
            replay(&wrong, &after(2, 51))
                .unwrap_err()
                .contains("asked for")
        );
        let back = document(20, 51, json!({ "reported": { "updateCount": 2 } }));
        assert!(
            replay(&back, &after(2, 51))
                .unwrap_err()
                .contains("count upwards")
        );
        let still = document(21, 51, json!({ "reported": { "updateCount": 2 } }));
        assert!(
            replay(&still, &after(2, 51))
                .unwrap_err()
                .contains("still 21")
        );
    }

    #[test]
    fn others_may_change_the_document() {
        let mut ledger = Ledger::default();
        let get =
            |version, value: &str| document(version, 1, json!({ "reported": { "a": value } }));
        ledger.take(&Entry::Full, &get(8, "x")).unwrap();
        ledger.take(&Entry::Full, &get(10, "y")).unwrap();
        assert_eq!(ledger.foreign_changes, [(8, 10)]);
        assert!(ledger.take(&Entry::Full, &get(10, "z")).is_err());
    }

    #[test]
    fn null_deletes_and_objects_merge() {
        let mut known = json!({ "a": 1, "b": { "c": 2, "d": 3 } });
        let part = json!({ "a": null, "b": { "c": 4 }, "e": [1] });
        merge_into(&mut known, part.as_object().unwrap());
        assert_eq!(known, json!({ "b": { "c": 4, "d": 3 }, "e": [1] }));
    }
}
