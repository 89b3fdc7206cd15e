//! Deltas read as a type, from the application that desires to the cloud's document.

use serde_json::{Value, json};

#[path = "../../examples/typed_state.rs"]
#[expect(dead_code, reason = "`main` is for the example alone")]
mod example;

#[test]
fn the_wrong_member_is_refused_and_the_rest_obeyed() {
    let told = example::play().unwrap();
    let (cloud, answers) = told.split_last().unwrap();
    assert_eq!(
        answers,
        [
            r#"obeyed: {"color":"blue"}"#,
            r#"refused: brightness: invalid type: string "very", expected u8"#,
        ]
    );
    // What the lamp never reported is still there.
    let document = cloud.strip_prefix("the cloud has: ").unwrap();
    assert_eq!(
        serde_json::from_str::<Value>(document).unwrap(),
        json!({"brightness": 40, "color": "blue", "updateCount": 0, "updateCount11": "shadow"})
    );
}
