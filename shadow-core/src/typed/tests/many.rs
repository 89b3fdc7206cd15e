//! Deltas with more wrong members than are told one by one.

use super::properties::leaves_of;
use super::*;

/// What reading a state cost.
struct Cost {
    reads: usize,
    /// How often the size of the state was read.
    times: usize,
}

/// Reads it: `accepted` arrives, `wrong` members are told, by no more than 17 errors, which are all
/// of the rest.
#[track_caller]
fn assert_many<D: DeserializeOwned + Debug + PartialEq>(
    text: &str,
    accepted: &str,
    wrong: usize,
) -> Cost {
    let typed = delta(text).typed::<D>().unwrap();
    assert_eq!(typed.delta, delta(accepted));
    assert_eq!(typed.state, serde_json::from_str(accepted).unwrap());
    assert!(typed.errors.len() <= MAXIMUM_SINGLE_ERRORS + 1);
    let (last, single) = typed.errors.split_last().unwrap();
    assert!(single.iter().all(|error| error.others == 0));
    assert_eq!(typed.errors.len() + last.others, wrong);

    let mut left_out = Vec::new();
    for error in &typed.errors {
        left_out.extend(leaves_of(error.delta.state.as_str()));
    }
    left_out.sort_by(|a, b| a.0.cmp(&b.0));
    let rejected = typed.rejected().unwrap();
    assert_eq!(rejected, delta(rejected.state.as_str()));
    assert_eq!(leaves_of(rejected.state.as_str()), left_out);
    let mut parts = leaves_of(accepted);
    parts.extend(left_out);
    parts.sort_by(|a, b| a.0.cmp(&b.0));
    let mut whole = leaves_of(text);
    whole.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(parts.len(), whole.len());
    assert!(parts == whole, "the parts are the whole");

    let (mut reads, mut bytes) = (0, 0);
    let whole = Object::new(text).unwrap();
    let parts = take_apart(&whole, &mut |text| {
        reads += 1;
        bytes += text.len();
        read::<D>(text).map(drop)
    });
    assert!(parts.is_ok());
    Cost {
        reads,
        times: bytes.div_ceil(text.len()),
    }
}

/// `count` members with this value, half of them before any word and half behind.
fn members(count: usize, value: &str) -> (String, String) {
    let member = |key: usize| match key < count / 2 {
        true => format!(r#""A{key:04}":{value}"#),
        false => format!(r#""z{key:04}":{value}"#),
    };
    let members = |keys: core::ops::Range<usize>| {
        let members: Vec<_> = keys.map(member).collect();
        members.join(",")
    };
    (members(0..count / 2), members(count / 2..count))
}

#[test]
fn up_to_sixteen_are_told_one_by_one() {
    for (count, others) in [(16, 0), (17, 0), (18, 1), (200, 183)] {
        let (before, behind) = members(count, "1");
        let text = format!(r#"{{{before},"power":true,{behind}}}"#);
        let typed = delta(&text).typed::<Lamp>().unwrap();
        assert_eq!(typed.errors.len(), count.min(17));
        assert_eq!(typed.errors[15].others, 0);
        let last = typed.errors.last().unwrap();
        assert_eq!(last.others, others);
        let more = last
            .to_string()
            .split_once(", and ")
            .map(|(_, more)| more.to_string());
        let expected = (others > 0).then(|| format!("{others} more"));
        assert_eq!(more, expected);
    }
}

#[test]
fn among_many_unknown_keys_the_right_one_arrives() {
    for count in [200, 5_000] {
        let (before, behind) = members(count, "1");
        let text = format!(r#"{{{before},"power":true,{behind}}}"#);
        let cost = assert_many::<Lamp>(&text, r#"{"power":true}"#, count);
        // The whole for each of 17 errors, each member by itself, and what is left.
        assert_eq!(cost.reads, 17 + (count - 17 + 1) + 1);
        assert!(cost.times <= 19, "{} times", cost.times);
    }
}

#[test]
fn among_many_wrong_values_the_right_one_arrives() {
    for count in [200, 5_000] {
        let (before, behind) = members(count, r#"{"hue":"x","on":true}"#);
        let text = format!(r#"{{{before},"m":{{"hue":1}},{behind}}}"#);
        let typed = delta(&text).typed::<BTreeMap<String, Light>>().unwrap();
        let accepted = text.replace(r#""hue":"x","#, "");
        assert_eq!(typed.delta.state.as_str(), accepted);
        let cost = assert_many::<BTreeMap<String, Light>>(&text, &accepted, count);
        assert!(cost.reads <= 17 + 4 * count, "{} reads", cost.reads);
        assert!(cost.times <= 22, "{} times", cost.times);
    }
}

#[test]
fn inside_an_object_the_right_one_arrives() {
    for count in [200, 5_000] {
        let (before, behind) = members(count, "1");
        let light = format!(r#"{{{before},"on":true,{behind}}}"#);
        let text = format!(r#"{{"color":"red","light":{light},"power":1}}"#);
        let accepted = r#"{"color":"red","light":{"on":true}}"#;
        let cost = assert_many::<Lamp>(&text, accepted, count + 1);
        assert!(cost.reads <= count + 24, "{} reads", cost.reads);
        assert!(cost.times <= 23, "{} times", cost.times);

        let text = format!(r#"{{"zones":{{"a":{light},"b":{light}}}}}"#);
        let accepted = r#"{"zones":{"a":{"on":true},"b":{"on":true}}}"#;
        let cost = assert_many::<Lamp>(&text, accepted, 2 * count);
        assert!(cost.reads <= 2 * count + 30, "{} reads", cost.reads);
        assert!(cost.times <= 24, "{} times", cost.times);
    }
}

#[test]
fn where_no_member_is_blamed_the_right_one_arrives() {
    for count in [200, 5_000] {
        let (before, behind) = members(count, "{}");
        let text = format!(r#"{{{before},"5":{{"on":true}},{behind}}}"#);
        let accepted = r#"{"5":{"on":true}}"#;
        let cost = assert_many::<BTreeMap<u8, Light>>(&text, accepted, count);
        assert!(cost.reads <= 17 * 15 + 2 * count, "{} reads", cost.reads);
        assert!(cost.times <= 40, "{} times", cost.times);

        let (before, behind) = members(count, "7");
        let text = format!(r#"{{{before},"a":1,"m":{{"on":true}},{behind}}}"#);
        let accepted = r#"{"a":1,"m":{"on":true}}"#;
        let cost = assert_many::<properties::Flattened>(&text, accepted, count);
        assert!(cost.times <= 40, "{} times", cost.times);
    }
}

/// All of it required, and nothing else known.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Strict {
    name: String,
    gate: Gate,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Gate {
    code: u16,
    lock: BTreeMap<String, u8>,
}

#[test]
fn what_is_required_stays_together() {
    for count in [200, 5_000] {
        let (before, behind) = members(count, "-1");
        let gate = format!(r#"{{{before},"code":7,"lock":{{{before},"a":1}},{behind}}}"#);
        let text = format!(r#"{{{before},"gate":{gate},"name":"x",{behind}}}"#);
        let accepted = r#"{"gate":{"code":7,"lock":{"a":1}},"name":"x"}"#;
        let cost = assert_many::<Strict>(&text, accepted, 2 * count + count / 2);
        assert!(cost.times <= 24, "{} times", cost.times);

        // Without its code the gate goes, and without the gate all of it.
        let gate = format!(r#"{{{before},"code":"x","lock":{{"a":1}}}}"#);
        let text = format!(r#"{{{before},"gate":{gate},"name":"x",{behind}}}"#);
        let error = delta(&text).typed::<Strict>().unwrap_err();
        assert_eq!(error.delta, delta(&text));
        let houses = format!(r#"{{{before},"gates":{gate},"m":{{"code":1,"lock":{{}}}}}}"#);
        let accepted = r#"{"m":{"code":1,"lock":{}}}"#;
        assert_many::<BTreeMap<String, Gate>>(&houses, accepted, count + 1);
    }
}

#[test]
fn what_does_not_fit_together_is_found_behind_many() {
    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(try_from = "BTreeMap<String, u8>")]
    struct Falling(BTreeMap<String, u8>);
    impl TryFrom<BTreeMap<String, u8>> for Falling {
        type Error = &'static str;
        fn try_from(levels: BTreeMap<String, u8>) -> Result<Falling, &'static str> {
            match levels.values().is_sorted_by(|a, b| a > b) {
                true => Ok(Falling(levels)),
                false => Err("not lower than the one before"),
            }
        }
    }
    let (before, _) = members(60, "-1");
    let text = format!(r#"{{{before},"a":9,"b":9,"c":7,"d":8,"e":1}}"#);
    assert_many::<Falling>(&text, r#"{"a":9,"c":7,"e":1}"#, 32);
    // That they all are wrong for one reason is found by reading again and again, up to a bound.
    let (before, behind) = members(5_000, "1");
    let text = format!("{{{before},{behind}}}");
    let cost = assert_many::<Falling>(&text, "{}", 5_000);
    assert!(cost.times <= 17 * 14 + 64 + 14, "{} times", cost.times);
}

#[test]
fn keys_as_long_as_the_delta_cost_no_more_than_the_bound() {
    let key = "k".repeat(50_000);
    let (before, behind) = members(5_000, "1");
    let text = format!(r#"{{"power":true,"zones":{{"{key}":{{{before},"on":true,{behind}}}}}}}"#);
    let typed = delta(&text).typed::<Lamp>().unwrap();
    assert!(typed.errors.len() < 10, "{} errors", typed.errors.len());
    let cost = assert_many::<Lamp>(
        &text,
        r#"{"power":true}"#,
        typed.errors.len() + typed.errors.last().unwrap().others,
    );
    assert!(cost.times <= 85, "{} times", cost.times);
}
