//! Fields by themselves.

use serde::{Deserialize, Serialize};

use super::*;

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Patch {
    #[serde(skip_serializing_if = "Field::is_absent")]
    a: Field<u8>,
    #[serde(skip_serializing_if = "Field::is_absent")]
    b: Field<Vec<u8>>,
}

#[test]
fn the_three_states_are_read_and_written() {
    for (text, a, b) in [
        ("{}", Field::Absent, Field::Absent),
        (r#"{"a":null}"#, Field::Null, Field::Absent),
        (r#"{"a":3,"b":[1]}"#, Field::Value(3), Field::Value(vec![1])),
        (r#"{"b":null}"#, Field::Absent, Field::Null),
    ] {
        let patch = Patch { a, b };
        assert_eq!(serde_json::from_str::<Patch>(text).unwrap(), patch);
        assert_eq!(serde_json::to_string(&patch).unwrap(), text);
    }
}

#[test]
fn what_is_absent_is_not_written_by_mistake() {
    #[derive(Serialize)]
    struct Careless {
        a: Field<u8>,
    }
    let written = serde_json::to_string(&Careless { a: Field::Absent });
    let error = written.unwrap_err().to_string();
    assert_eq!(
        error,
        r#"an absent field has no value: it wants skip_serializing_if = "Field::is_absent""#
    );
}

/// Otherwise what nobody spoke of would be cleared.
#[test]
fn what_is_absent_is_not_read_as_null_where_the_default_is_forgotten() {
    #[derive(Debug, Deserialize)]
    struct Careless {
        #[expect(dead_code, reason = "it is never read")]
        a: Field<u8>,
    }
    let error = serde_json::from_str::<Careless>("{}").unwrap_err();
    assert!(
        error.to_string().starts_with("missing field `a`"),
        "{error}"
    );
}

#[test]
fn what_other_types_hold_is_read_too() {
    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(tag = "kind")]
    enum Tagged {
        One {
            #[serde(default)]
            a: Field<u8>,
            #[serde(default)]
            b: Field<u8>,
            #[serde(default)]
            c: Field<Option<u8>>,
        },
    }
    let read: Tagged = serde_json::from_str(r#"{"a":null,"b":2,"c":4,"kind":"One"}"#).unwrap();
    let expected = Tagged::One {
        a: Field::Null,
        b: Field::Value(2),
        c: Field::Value(Some(4)),
    };
    assert_eq!(read, expected);
}

#[test]
fn values_are_taken_out_and_borrowed() {
    let value = Field::Value("x".to_string());
    assert_eq!(value.as_ref(), Field::Value(&"x".to_string()));
    assert_eq!(value.value().map(String::as_str), Some("x"));
    assert_eq!(value.into_value(), Some("x".to_string()));
    for none in [Field::Absent, Field::Null] {
        assert_eq!(none.value(), None::<&u8>);
        assert_eq!(none.as_ref().into_value(), None);
        assert_eq!(none.into_value(), None);
    }
    assert_eq!(Field::from(Some(1)), Field::Value(1));
    assert_eq!(Field::from(None::<u8>), Field::Null);
    assert_eq!(Field::<u8>::default(), Field::Absent);
}
