mod fields;
mod many;
mod objects;
mod properties;

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use alloc::{format, vec};
use core::fmt::Debug;
use core::time::Duration;

use serde::Deserialize;

use super::*;
use crate::event::DeltaOrigin;
use crate::request::ShadowId;

/// A delta with all but its state unlike any default.
fn delta(state: &str) -> Delta {
    Delta {
        shadow: ShadowId(3),
        origin: DeltaOrigin::Fetched,
        version: Some(7),
        state: state.parse().unwrap(),
        redelivered: true,
    }
}

/// What an error should be: as it is printed, the value there, and what was left out.
type Expected<'a> = (&'a str, &'a str, &'a str);

fn assert_errors(errors: &[FieldError], expected: &[Expected<'_>]) {
    let texts: Vec<_> = errors.iter().map(ToString::to_string).collect();
    let found: Vec<Expected<'_>> = (texts.iter().zip(errors))
        .map(|(text, e)| (text.as_str(), e.value.as_str(), e.delta.state.as_str()))
        .collect();
    assert_eq!(found, expected);
    for error in errors {
        assert_eq!(error.delta, delta(error.delta.state.as_str()));
    }
}

#[track_caller]
fn assert_read<D>(text: &str, state: &D, accepted: &str, expected: &[Expected<'_>])
where
    D: DeserializeOwned + Debug + PartialEq,
{
    let typed = delta(text).typed::<D>().unwrap();
    assert_eq!(typed.state, *state);
    assert_eq!(typed.delta, delta(accepted));
    assert_errors(&typed.errors, expected);
}

#[track_caller]
fn assert_unreadable<D: DeserializeOwned + Debug>(text: &str, printed: &str, value: &str) {
    let error = delta(text).typed::<D>().unwrap_err();
    assert_errors(core::slice::from_ref(&error), &[(printed, value, text)]);
}

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Lamp {
    power: Field<bool>,
    color: Field<Color>,
    light: Field<Light>,
    levels: Field<Vec<u8>>,
    zones: Field<BTreeMap<String, Light>>,
    mode: Field<Mode>,
}

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Light {
    hue: Field<u16>,
    on: Field<bool>,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Color {
    Red,
    Blue,
}

#[derive(Debug, PartialEq, Deserialize)]
enum Mode {
    Still,
    Fade { seconds: u8, back: Option<bool> },
    Blink(u8, u8),
}

#[test]
fn what_fits_is_told_with_the_delta_as_it_is() {
    let text = r#"{ "power" : true, "color": null, "light": {} }"#;
    let state = Lamp {
        power: Field::Value(true),
        color: Field::Null,
        light: Field::Value(Light::default()),
        ..Lamp::default()
    };
    assert_read(text, &state, text, &[]);
    assert_read("{}", &Lamp::default(), "{}", &[]);
}

#[test]
fn a_wrong_type_is_left_out_alone() {
    assert_read(
        r#"{"power":"yes","color":"blue"}"#,
        &Lamp {
            color: Field::Value(Color::Blue),
            ..Lamp::default()
        },
        r#"{"color":"blue"}"#,
        &[(
            r#"power: invalid type: string "yes", expected a boolean"#,
            r#""yes""#,
            r#"{"power":"yes"}"#,
        )],
    );
}

#[test]
fn a_nested_member_is_left_out_from_within() {
    let state = Lamp {
        light: Field::Value(Light {
            hue: Field::Absent,
            on: Field::Value(true),
        }),
        ..Lamp::default()
    };
    assert_read(
        r#"{"light":{"hue":65536,"on":true}}"#,
        &state,
        r#"{"light":{"on":true}}"#,
        &[(
            "light.hue: invalid value: integer `65536`, expected u16",
            "65536",
            r#"{"light":{"hue":65536}}"#,
        )],
    );
}

#[test]
fn an_object_of_which_nothing_is_left_goes_too() {
    assert_read(
        r#"{"light":{"hue":-1,"on":1}}"#,
        &Lamp::default(),
        "{}",
        &[
            (
                "light.hue: invalid value: integer `-1`, expected u16",
                "-1",
                r#"{"light":{"hue":-1}}"#,
            ),
            (
                "light.on: invalid type: integer `1`, expected a boolean",
                "1",
                r#"{"light":{"on":1}}"#,
            ),
        ],
    );
}

#[test]
fn what_is_inside_an_array_takes_the_array_with_it() {
    assert_read(
        r#"{"levels":[1,2,300,"x"],"power":false}"#,
        &Lamp {
            power: Field::Value(false),
            ..Lamp::default()
        },
        r#"{"power":false}"#,
        &[(
            "levels[2]: invalid value: integer `300`, expected u8",
            "300",
            r#"{"levels":[1,2,300,"x"]}"#,
        )],
    );
}

#[test]
fn an_object_inside_an_array_takes_the_array_with_it() {
    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(default)]
    struct Lamps {
        lamps: Field<Vec<Lamp>>,
    }
    let text = r#"{"lamps":[{},{"light":{"hue":"x"}}]}"#;
    assert_read(
        text,
        &Lamps::default(),
        "{}",
        &[(
            r#"lamps[1].light.hue: invalid type: string "x", expected u16"#,
            r#""x""#,
            text,
        )],
    );
}

#[test]
fn a_value_of_a_map_is_a_member_like_any_other() {
    let on = Light {
        on: Field::Value(true),
        ..Light::default()
    };
    let zones = BTreeMap::from([("a".to_string(), on), ("c".to_string(), Light::default())]);
    assert_read(
        r#"{"zones":{"a":{"hue":null,"on":true},"b":7,"c":{}}}"#,
        &Lamp {
            zones: Field::Value(BTreeMap::from_iter(zones.into_iter().map(
                |(key, mut light)| {
                    if key == "a" {
                        light.hue = Field::Null;
                    }
                    (key, light)
                },
            ))),
            ..Lamp::default()
        },
        r#"{"zones":{"a":{"hue":null,"on":true},"c":{}}}"#,
        &[(
            "zones.b: invalid type: integer `7`, expected struct Light",
            "7",
            r#"{"zones":{"b":7}}"#,
        )],
    );
}

#[test]
fn an_unknown_variant_is_told() {
    assert_read(
        r#"{"color":"mauve"}"#,
        &Lamp::default(),
        "{}",
        &[(
            "color: unknown variant `mauve`, expected `red` or `blue`",
            r#""mauve""#,
            r#"{"color":"mauve"}"#,
        )],
    );
    assert_read(
        r#"{"mode":{"Jump":1}}"#,
        &Lamp::default(),
        "{}",
        &[(
            "mode: unknown variant `Jump`, expected one of `Still`, `Fade`, `Blink`",
            r#"{"Jump":1}"#,
            r#"{"mode":{"Jump":1}}"#,
        )],
    );
}

#[test]
fn a_variant_goes_as_a_whole() {
    // `back` alone would be missed by nobody, yet without it this is another wish.
    for (mode, printed, value) in [
        (
            r#"{"Fade":{"back":"x","seconds":1}}"#,
            r#"mode.Fade.back: invalid type: string "x", expected a boolean"#,
            r#""x""#,
        ),
        (
            r#"{"Fade":{"back":true}}"#,
            "mode.Fade: missing field `seconds`",
            r#"{"back":true}"#,
        ),
        (
            r#"{"Blink":[1,-2]}"#,
            "mode.Blink[1]: invalid value: integer `-2`, expected u8",
            "-2",
        ),
        (
            r#""Fade""#,
            "mode.Fade: invalid type: unit variant, expected struct variant",
            r#""Fade""#,
        ),
    ] {
        let text = format!(r#"{{"mode":{mode}}}"#);
        let found = delta(&text).typed::<Lamp>().unwrap();
        assert_eq!(found.state, Lamp::default());
        assert_eq!(found.delta, delta("{}"));
        assert_errors(&found.errors, &[(printed, value, text.as_str())]);
    }
}

#[test]
fn what_the_type_does_not_know_is_an_error_where_it_says_so() {
    assert_read(
        r#"{"light":{"heat":{"a":1},"on":true},"sound":1}"#,
        &Lamp {
            light: Field::Value(Light {
                hue: Field::Absent,
                on: Field::Value(true),
            }),
            ..Lamp::default()
        },
        r#"{"light":{"on":true}}"#,
        &[
            (
                "light.heat: unknown field `heat`, expected `hue` or `on`",
                r#"{"a":1}"#,
                r#"{"light":{"heat":{"a":1}}}"#,
            ),
            (
                "sound: unknown field `sound`, expected one of `power`, `color`, `light`, \
                 `levels`, `zones`, `mode`",
                "1",
                r#"{"sound":1}"#,
            ),
        ],
    );
}

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
struct House {
    door: Field<Door>,
    #[serde(rename = "a.b")]
    dotted: Field<Light>,
    #[serde(rename = "q\"\\ \n")]
    quoted: Field<u8>,
    #[serde(rename = "größe")]
    size: Field<u8>,
    numbers: Field<BTreeMap<u32, Light>>,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Door {
    code: u16,
    lock: Lock,
    name: Option<String>,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Lock {
    closed: bool,
    #[serde(default)]
    turns: u8,
}

#[test]
fn numbers_that_nothing_can_hold_and_halves_of_characters_are_errors() {
    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(default)]
    struct Values {
        float: Field<f64>,
        text: Field<String>,
        whole: Field<u64>,
    }
    assert_read(
        r#"{"float":1e999,"text":"\ud800","whole":18446744073709551616}"#,
        &Values::default(),
        "{}",
        &[
            ("float: number out of range", "1e999", r#"{"float":1e999}"#),
            (
                "text: unexpected end of hex escape",
                r#""\ud800""#,
                r#"{"text":"\ud800"}"#,
            ),
            (
                "whole: invalid type: floating point `1.8446744073709552e+19`, expected u64",
                "18446744073709551616",
                r#"{"whole":18446744073709551616}"#,
            ),
        ],
    );
}

#[test]
fn a_type_that_requires_members_may_fit_nothing() {
    #[derive(Debug, PartialEq, Deserialize)]
    struct Strict {
        power: bool,
        #[serde(default)]
        hue: u8,
    }
    let strict = Strict {
        power: true,
        hue: 0,
    };
    assert_read(
        r#"{"hue":"x","power":true}"#,
        &strict,
        r#"{"power":true}"#,
        &[(
            r#"hue: invalid type: string "x", expected u8"#,
            r#""x""#,
            r#"{"hue":"x"}"#,
        )],
    );
    let missing = "missing field `power`";
    assert_unreadable::<Strict>(r#"{"hue":1}"#, missing, r#"{"hue":1}"#);
    assert_unreadable::<Strict>("{}", missing, "{}");
    assert_unreadable::<Strict>(
        r#"{"hue":1,"power":"on"}"#,
        r#"power: invalid type: string "on", expected a boolean"#,
        r#""on""#,
    );
    assert_unreadable::<u8>("{}", "invalid type: map, expected u8", "{}");
    assert_unreadable::<Mode>(
        r#"{"Fade":{"seconds":"x"}}"#,
        r#"Fade.seconds: invalid type: string "x", expected u8"#,
        r#""x""#,
    );
}

#[test]
fn a_state_that_is_no_object_is_an_error() {
    let printed = "not an object, or nested too deep";
    assert_unreadable::<Lamp>("[1]", printed, "[1]");
    assert_unreadable::<Lamp>("null", printed, "null");
    let deep = |levels| format!(r#"{{"a":{}1{}}}"#, "[".repeat(levels), "]".repeat(levels));
    assert_unreadable::<Lamp>(&deep(200), printed, &deep(200));

    // What the engine can hold and serde_json cannot read.
    let text = deep(128);
    let typed = delta(&text).typed::<BTreeMap<String, serde_json::Value>>();
    let typed = typed.unwrap();
    assert_eq!(typed.delta, delta("{}"));
    assert_eq!(typed.errors.len(), 1);
    assert_eq!(typed.errors[0].reason, "recursion limit exceeded");
    assert_eq!(typed.errors[0].delta, delta(&text));
}

/// Objects in objects, as deep as one likes.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Nest {
    a: Option<alloc::boxed::Box<Nest>>,
    b: Option<u8>,
}

#[test]
fn deeper_than_members_are_told_apart_the_last_that_is_goes() {
    let nested = |levels: usize| {
        let (open, close) = (r#"{"a":"#.repeat(levels), "}".repeat(levels));
        format!(r#"{open}{{"b":"x"}}{close}"#)
    };
    // The 32nd level is the last that is told apart.
    for (levels, path_length) in [(31, 32), (32, 33), (60, 61)] {
        let text = nested(levels);
        let typed = delta(&text).typed::<Nest>().unwrap();
        assert_eq!(typed.state, Nest::default());
        assert_eq!(typed.delta, delta("{}"));
        let [error] = &typed.errors[..] else {
            panic!("{:?}", typed.errors);
        };
        assert_eq!(error.path.segments().len(), path_length);
        assert_eq!(error.value.as_str(), r#""x""#);
        assert_eq!(error.delta, delta(&text));
    }
}

/// How often a state of `count` numbers is read by what blames `path` until none is left.
fn reads(count: usize, path: impl Fn(&str) -> String) -> (usize, usize) {
    let members: Vec<String> = (0..count).map(|key| format!(r#""{key:03}":0"#)).collect();
    let whole = Object::new(&format!("{{{}}}", members.join(","))).unwrap();
    let mut reads = 0;
    let parts = take_apart(&whole, &mut |text| {
        reads += 1;
        if text == "{}" {
            return Ok(());
        }
        let first = text.split('"').nth(1).unwrap();
        Err(Fault {
            path: FieldPath::of_key(&path(first)),
            reason: String::new(),
        })
    });
    let (rest, wrong) = parts.ok().unwrap();
    assert!(rest.is_empty());
    (reads, wrong.len())
}

#[test]
fn a_state_is_read_once_for_each_error_and_each_member() {
    assert_eq!(reads(16, ToString::to_string), (17, 16));
    // The whole for 17 errors, each of the other members, and what is left.
    assert_eq!(reads(200, ToString::to_string), (17 + 183 + 1, 17));
    let nowhere = |_: &str| "nowhere".to_string();
    // For an error the whole, nothing, and 7 times one half of where it can yet be.
    let (of_one, of_many) = (2 + 7, 17 * (2 + 8));
    assert!(reads(1, nowhere).0 <= of_one);
    assert!(reads(100, nowhere).0 <= of_many + 83 + 2);
    assert_eq!(reads(200, nowhere).1, 17);
}

#[test]
fn events_are_told_apart() {
    let events = |text: &str| -> Vec<_> {
        let event = Event::Delta(delta(text));
        event.typed::<Lamp>().collect()
    };
    let light = Field::Value(Light {
        hue: Field::Absent,
        on: Field::Value(true),
    });
    let found = events(r#"{"color":1,"light":{"hue":"x","on":true}}"#);
    let [
        TypedEvent::Delta { state, delta: rest },
        TypedEvent::Invalid(color),
        TypedEvent::Invalid(hue),
    ] = &found[..]
    else {
        panic!("{found:?}");
    };
    assert_eq!(color.path.to_string(), "color");
    assert_eq!(hue.path.to_string(), "light.hue");
    assert_eq!(state.light, light);
    assert_eq!(*rest, delta(r#"{"light":{"on":true}}"#));

    assert!(matches!(
        &events(r#"{"color":1}"#)[..],
        [TypedEvent::Invalid(_)]
    ));
    assert!(matches!(&events("[]")[..], [TypedEvent::Invalid(_)]));
    let empty = TypedEvent::Delta {
        state: Lamp::default(),
        delta: delta("{}"),
    };
    assert_eq!(events("{}"), [empty]);

    let other = Event::Disconnected {
        cause: crate::DisconnectCause::PingTimedOut,
        retry_in: Duration::from_secs(1),
    };
    let told: Vec<TypedEvent<Lamp>> = other.clone().typed().collect();
    assert_eq!(told, vec![TypedEvent::Other(other)]);
}
