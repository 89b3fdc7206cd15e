//! What an object is to a type: with members that are required, flattened, or held to each other,
//! with unusual keys, and as a map.

use super::*;

#[test]
fn an_object_that_lacks_something_is_left_out() {
    assert_read(
        r#"{"a.b":{"on":true},"door":{"code":1,"name":"x"}}"#,
        &House {
            dotted: Field::Value(Light {
                hue: Field::Absent,
                on: Field::Value(true),
            }),
            ..House::default()
        },
        r#"{"a.b":{"on":true}}"#,
        &[(
            "door: missing field `lock`",
            r#"{"code":1,"name":"x"}"#,
            r#"{"door":{"code":1,"name":"x"}}"#,
        )],
    );
}

#[test]
fn a_required_member_takes_its_object_with_it_and_is_one_error() {
    let text = r#"{"door":{"code":1,"lock":{"closed":0,"turns":2},"name":"x"}}"#;
    assert_read(
        text,
        &House::default(),
        "{}",
        &[(
            "door.lock.closed: invalid type: integer `0`, expected a boolean",
            "0",
            text,
        )],
    );
}

#[test]
fn other_errors_within_an_object_that_goes_stay_their_own() {
    let name = (
        "door.name: invalid type: integer `3`, expected a string",
        "3",
        r#"{"door":{"name":3}}"#,
    );
    let turns = (
        r#"door.lock.turns: invalid type: string "b", expected u8"#,
        r#""b""#,
        r#"{"door":{"lock":{"turns":"b"}}}"#,
    );
    assert_read(
        r#"{"door":{"code":"a","lock":{"closed":true,"turns":"b"},"name":3}}"#,
        &House::default(),
        "{}",
        &[
            (
                r#"door.code: invalid type: string "a", expected u16"#,
                r#""a""#,
                r#"{"door":{"code":"a","lock":{"closed":true}}}"#,
            ),
            turns,
            name,
        ],
    );
    assert_read(
        r#"{"door":{"code":5,"lock":{"closed":1,"turns":"b"},"name":3}}"#,
        &House::default(),
        "{}",
        &[
            (
                "door.lock.closed: invalid type: integer `1`, expected a boolean",
                "1",
                r#"{"door":{"code":5,"lock":{"closed":1}}}"#,
            ),
            turns,
            name,
        ],
    );
}

#[test]
fn keys_are_no_parts_of_a_path_by_their_looks() {
    assert_read(
        r#"{"a.b":{"hue":"x","on":true},"gr\u00f6\u00dfe":-1,"q\"\\ \n":true}"#,
        &House {
            dotted: Field::Value(Light {
                hue: Field::Absent,
                on: Field::Value(true),
            }),
            ..House::default()
        },
        r#"{"a.b":{"on":true}}"#,
        &[
            (
                r#"["a.b"].hue: invalid type: string "x", expected u16"#,
                r#""x""#,
                r#"{"a.b":{"hue":"x"}}"#,
            ),
            (
                "größe: invalid value: integer `-1`, expected u8",
                "-1",
                r#"{"größe":-1}"#,
            ),
            (
                r#"["q\"\\ \n"]: invalid type: boolean `true`, expected u8"#,
                "true",
                r#"{"q\"\\ \n":true}"#,
            ),
        ],
    );
    let path = |text: &str| {
        let typed = delta(text).typed::<BTreeMap<String, Lamp>>().unwrap();
        typed.errors[0].path.to_string()
    };
    assert_eq!(path(r#"{"light.hue":1}"#), r#"["light.hue"]"#);
    assert_eq!(path(r#"{"":1}"#), r#"[""]"#);
    assert_eq!(path(r#"{"?":1}"#), r#"["?"]"#);
    assert_eq!(path(r#"{"[2]":{"levels":[[]]}}"#), r#"["[2]"].levels[0]"#);
}

#[test]
fn of_keys_that_come_twice_the_last_holds() {
    assert_read(
        r#"{"power":"yes","light":{"hue":"x","hue":5},"power":true,"p\u006fwer":false}"#,
        &Lamp {
            power: Field::Value(false),
            light: Field::Value(Light {
                hue: Field::Value(5),
                on: Field::Absent,
            }),
            ..Lamp::default()
        },
        // Nothing is left out, so nothing is changed.
        r#"{"power":"yes","light":{"hue":"x","hue":5},"power":true,"p\u006fwer":false}"#,
        &[],
    );
    assert_read(
        r#"{"power":true,"color":"red","power":"no"}"#,
        &Lamp {
            color: Field::Value(Color::Red),
            ..Lamp::default()
        },
        r#"{"color":"red"}"#,
        &[(
            r#"power: invalid type: string "no", expected a boolean"#,
            r#""no""#,
            r#"{"power":"no"}"#,
        )],
    );
}

#[test]
fn a_key_that_is_none_takes_its_map_with_it() {
    let numbers = r#"{"5":{"on":true},"x":{}}"#;
    assert_read(
        &format!(r#"{{"numbers":{numbers}}}"#),
        &House::default(),
        "{}",
        &[(
            "numbers.?: invalid value: expected key to be a number in quotes",
            numbers,
            &format!(r#"{{"numbers":{numbers}}}"#),
        )],
    );
    // A key that is one is found.
    assert_read(
        r#"{"numbers":{"5":{"on":1},"7":{}}}"#,
        &House {
            numbers: Field::Value(BTreeMap::from([(7, Light::default())])),
            ..House::default()
        },
        r#"{"numbers":{"7":{}}}"#,
        &[(
            "numbers.5.on: invalid type: integer `1`, expected a boolean",
            "1",
            r#"{"numbers":{"5":{"on":1}}}"#,
        )],
    );
}

#[test]
fn members_of_the_whole_are_tried_one_by_one_where_none_is_blamed() {
    let light = |hue| Light {
        hue: Field::Value(hue),
        on: Field::Absent,
    };
    assert_read(
        r#"{"1":{"hue":1},"2":{"hue":2,"on":"x"},"3":3,"x":{},"y":{}}"#,
        &BTreeMap::from([(1_u8, light(1)), (2, light(2))]),
        r#"{"1":{"hue":1},"2":{"hue":2}}"#,
        &[
            (
                r#"2.on: invalid type: string "x", expected a boolean"#,
                r#""x""#,
                r#"{"2":{"on":"x"}}"#,
            ),
            (
                "3: invalid type: integer `3`, expected struct Light",
                "3",
                r#"{"3":3}"#,
            ),
            (
                "x: invalid value: expected key to be a number in quotes",
                "{}",
                r#"{"x":{}}"#,
            ),
            (
                "y: invalid value: expected key to be a number in quotes",
                "{}",
                r#"{"y":{}}"#,
            ),
        ],
    );
}

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
struct Flat {
    name: Field<String>,
    #[serde(flatten)]
    light: Light2,
    inner: Field<Inner>,
}

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
struct Light2 {
    hue: Field<u16>,
    on: Field<bool>,
}

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
struct Inner {
    name: Field<String>,
    #[serde(flatten)]
    light: Light2,
}

#[test]
fn flattened_members_are_found_in_the_whole() {
    let state = Flat {
        name: Field::Value("a".into()),
        ..Flat::default()
    };
    assert_read(
        r#"{"hue":"x","name":"a","on":"y"}"#,
        &state,
        r#"{"name":"a"}"#,
        &[
            (
                r#"hue: invalid type: string "x", expected u16"#,
                r#""x""#,
                r#"{"hue":"x"}"#,
            ),
            (
                r#"on: invalid type: string "y", expected a boolean"#,
                r#""y""#,
                r#"{"on":"y"}"#,
            ),
        ],
    );
    let flattened = r#"{"hue":null,"inner":{"name":3},"name":"a","other":7}"#;
    let typed = delta(flattened).typed::<Flat>().unwrap();
    assert_eq!(typed.state.light.hue, Field::Null);
    assert_eq!(typed.state.name, Field::Value("a".into()));
    let accepted = r#"{"hue":null,"name":"a","other":7}"#;
    assert_eq!(typed.delta.state.as_str(), accepted);
}

#[test]
fn a_nested_object_with_flattened_members_goes_as_a_whole() {
    assert_read(
        r#"{"inner":{"hue":"x","name":"a"},"on":true}"#,
        &Flat {
            light: Light2 {
                hue: Field::Absent,
                on: Field::Value(true),
            },
            ..Flat::default()
        },
        r#"{"on":true}"#,
        &[(
            r#"inner: invalid type: string "x", expected u16"#,
            r#"{"hue":"x","name":"a"}"#,
            r#"{"inner":{"hue":"x","name":"a"}}"#,
        )],
    );
}

/// What only holds of several members together.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(try_from = "Bounds")]
struct Span(Bounds);

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
struct Bounds {
    first: Option<u8>,
    last: Option<u8>,
    name: Option<String>,
}

impl TryFrom<Bounds> for Span {
    type Error = &'static str;

    fn try_from(bounds: Bounds) -> Result<Span, &'static str> {
        match (bounds.first, bounds.last) {
            (Some(first), Some(last)) if last < first => Err("ends before it begins"),
            _ => Ok(Span(bounds)),
        }
    }
}

#[test]
fn what_holds_of_members_together_is_the_fault_of_the_later_one() {
    assert_read(
        r#"{"first":5,"last":3,"name":"a"}"#,
        &Span(Bounds {
            first: Some(5),
            last: None,
            name: Some("a".into()),
        }),
        r#"{"first":5,"name":"a"}"#,
        &[("last: ends before it begins", "3", r#"{"last":3}"#)],
    );
    let spans = r#"{"a":{"first":5,"last":3},"b":{"first":3,"last":5}}"#;
    assert_read(
        spans,
        &BTreeMap::from([(
            "b".to_string(),
            Span(Bounds {
                first: Some(3),
                last: Some(5),
                name: None,
            }),
        )]),
        r#"{"b":{"first":3,"last":5}}"#,
        &[(
            "a: ends before it begins",
            r#"{"first":5,"last":3}"#,
            r#"{"a":{"first":5,"last":3}}"#,
        )],
    );
}
