//! Finding one value in JSON text, without a tree and without types.

use alloc::borrow::Cow;
use core::fmt;

use super::reader::{Reader, read_string};

/// A text is not one JSON object, or a value in it nests deeper than 128 levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAnObject;

impl fmt::Display for NotAnObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the text is not a JSON object")
    }
}

impl core::error::Error for NotAnObject {}

/// The value of a member of a JSON object, as the part of the text that it is; `None` without such a
/// member. Of a key that comes twice the last one.
///
/// For one or two values where [`Delta::typed`](crate::Delta::typed) or serde_json, which take 29 KiB
/// of code and tables where nothing else uses them, are too much.
///
/// ```
/// use shadow_core::json::{member, string};
///
/// let delta = r#"{"color": "\u0062lue", "level": 5}"#;
/// assert_eq!(member(delta, "level"), Ok(Some("5")));
/// assert_eq!(member(delta, "volume"), Ok(None));
/// let color = member(delta, "color")?.and_then(string);
/// assert_eq!(color.as_deref(), Some("blue"));
/// # Ok::<(), shadow_core::json::NotAnObject>(())
/// ```
///
/// # Errors
///
/// [`NotAnObject`], also when the fault is behind the member, or the text has 4 GiB or more.
#[inline] // Compiled where it is called: the engine does not, and shares the reader's functions.
pub fn member<'a>(object: &'a str, key: &str) -> Result<Option<&'a str>, NotAnObject> {
    if u32::try_from(object.len()).is_err() {
        return Err(NotAnObject);
    }
    let mut found = None;
    let mut reader = Reader::new(object);
    reader.members(|name, reader| {
        let value = reader.value();
        if name == key.as_bytes() {
            found = Some(value);
        }
    });
    reader.end().map_err(|_| NotAnObject)?;
    Ok(found)
}

/// What a JSON string says, its escapes resolved; `None` when the text is no JSON string, or one that
/// escapes half a surrogate pair. See [`member`].
#[must_use]
#[inline]
pub fn string(value: &str) -> Option<Cow<'_, str>> {
    if u32::try_from(value.len()).is_err() {
        return None;
    }
    let mut reader = Reader::new(value);
    let raw = reader.value();
    reader.end().ok()?;
    read_string(raw)
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeMap;
    use alloc::string::String;
    use alloc::{format, vec};

    use proptest::prelude::*;
    use serde_json::value::RawValue;

    use super::*;

    /// serde_json reads the same, or refuses the same.
    fn assert_as_serde_json(text: &str, key: &str) {
        let members: Result<BTreeMap<String, &RawValue>, _> = serde_json::from_str(text);
        let expected = members
            .map(|members| members.get(key).map(|value| value.get()))
            .map_err(|_| NotAnObject);
        assert_eq!(member(text, key), expected, "{key:?} of {text}");
    }

    #[test]
    fn a_member_is_found_as_serde_json_finds_it() {
        for text in [
            r#"{"a":{"b":1},"b":2,"a b":[ "x" ,1.50 ] , "a":3}"#,
            " { \"a\" : null\n, \"\\u0062\" : \"\\ud83d\\ude00\" } ",
            "{}",
            r#"{"":1}"#,
            r#"{"a":1}}"#,
            r#"{"a":1} x"#,
            r#"{"a":1,}"#,
            r#"{"a":01}"#,
            r#"{"a":1,"b":}"#,
            r#"{"b":1"#,
            r#"[{"a":1}]"#,
            r#""a""#,
            "1",
            "null",
            "",
        ] {
            for key in ["a", "b", "a b", "\\u0062", ""] {
                assert_as_serde_json(text, key);
            }
        }
    }

    #[test]
    fn the_value_is_a_part_of_the_text() {
        let text = String::from(r#"{"a": [1, 2]}"#);
        let value = member(&text, "a").unwrap().unwrap();
        let at = text.find('[').unwrap();
        assert_eq!(value.as_ptr(), text[at..].as_ptr());
        assert_eq!(value.len(), text.len() - at - 1);
    }

    #[test]
    fn a_key_with_half_a_surrogate_pair_is_nobodys() {
        let text = r#"{"\ud800":1,"a":2}"#;
        assert_eq!(member(text, "a"), Ok(Some("2")));
        assert_eq!(member(text, "\u{fffd}"), Ok(None));
    }

    #[test]
    fn a_value_of_129_levels_is_refused() {
        let nested = |levels: usize| format!("{}1{}", "{\"a\":".repeat(levels), "}".repeat(levels));
        assert!(matches!(member(&nested(1 + 128), "a"), Ok(Some(_))));
        assert_eq!(member(&nested(1 + 129), "a"), Err(NotAnObject));
    }

    #[test]
    fn a_string_is_read_as_serde_json_reads_it() {
        for text in [
            r#""""#,
            r#""plain""#,
            " \"a\\u00e9\\n\\\"\\\\\\/\" ",
            r#""\u0000""#,
            r#""\ud83d\ude00""#,
            r#""\ud83d""#,
            r#""\x""#,
            r#""a"b""#,
            "\"\u{1}\"",
            r#""a"#,
            "1",
            "null",
            r#"{"a":"b"}"#,
            "",
        ] {
            let expected: Option<String> = serde_json::from_str(text).ok();
            assert_eq!(string(text).as_deref(), expected.as_deref(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_string_comes_back(text: String) {
            let written = serde_json::to_string(&text).unwrap();
            prop_assert_eq!(string(&written), Some(Cow::Borrowed(text.as_str())));
            let written = serde_json::to_string(&BTreeMap::from_iter(vec![(&text, 1)])).unwrap();
            prop_assert_eq!(member(&written, &text), Ok(Some("1")));
        }

        /// Bytes of JSON in any order.
        #[test]
        fn any_text_is_read_as_serde_json_reads_it(text in r#"\{?["a:,{} 1\\u\[\]]{0,12}\}?"#) {
            assert_as_serde_json(&text, "a");
            let expected: Option<String> = serde_json::from_str(&text).ok();
            prop_assert_eq!(string(&text), expected.map(Cow::Owned));
        }
    }
}
