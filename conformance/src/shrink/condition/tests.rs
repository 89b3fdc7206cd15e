//! What conditions say of lines.

use super::*;

const LINES: &str = r#"{"shadow-recording":1,"engine":"0.1.0","part":1,"mask":[]}
{"at":0,"in":"start","seed":1,"config":{},"session":null}
{"at":1,"in":"get","shadow":0}
{"at":1,"out":"accepted","request":0}
{"at":1,"out":"packet","packet":"CONNECT","keep_alive":60,"clean_session":true}
{"at":2,"out":"event","event":"Connected","session_present":false}
{"at":3,"out":"packet","packet":"SUBSCRIBE","id":1,"filters":[["a/b",0],["c",1]]}
{"at":4,"out":"packet","packet":"PUBLISH","topic":"a/result","qos":1,"id":2,"payload":{"state":{"reported":{"power":true,"level":2.5,"a.b":"x"}}}}
{"at":5,"out":"event","event":"Ready","shadow":0}
{"at":6,"out":"event","event":"Disconnected","kind":"PingTimedOut","cause":"no answer"}
{"at":7,"in":"publish","topic":"a/#","qos":0,"payload":"Closed"}
{"at":7,"out":"refused","why":"a topic name has no wildcards"}
{"at":8,"out":"event","event":"Ended","request":0,"outcome":"TimedOut"}
{"at":8,"out":"event","event":"Disconnected","kind":"Broken","cause":"cut"}
"#;

fn holds(condition: &str) -> bool {
    let condition: Condition = condition.parse().unwrap();
    let run = Run::recorded(LINES, &[0; 14]);
    evaluate::holds(&condition.0, &run, None)
}

#[test]
fn conditions_hold_or_do_not() {
    for (condition, expected) in [
        ("event", true),
        ("event Ready", true),
        ("event Delta", false),
        ("packet PUBLISH", true),
        ("packet PUBREL", false),
        ("outcome", true),
        ("outcome TimedOut", true),
        ("outcome Accepted", false),
        ("accepted", true),
        ("close", false),
        // Inputs do not count.
        ("\"Closed\"", false),
        ("\"no wildcards\"", true),
        ("refused \"wildcards\"", true),
        ("refused \"closed\"", false),
        ("event Disconnected kind == \"Broken\"", true),
        (
            "event Disconnected kind == \"Broken\", cause ~ \"no\"",
            false,
        ),
        ("event Disconnected kind != \"Broken\"", true),
        ("packet PUBLISH topic ~ \"result\", qos >= 1", true),
        ("packet PUBLISH qos > 1", false),
        ("packet CONNECT qos <= 9", false),
        ("packet CONNECT qos != 9", false),
        ("packet PUBLISH payload.state.reported.power == true", true),
        ("packet PUBLISH payload.state.reported.level < 3", true),
        ("packet PUBLISH payload.state.reported.level == 2.50", true),
        (
            "packet PUBLISH payload.state.reported.\"a.b\" == \"x\"",
            true,
        ),
        ("packet PUBLISH payload.state.desired", false),
        ("packet PUBLISH payload.state.reported", true),
        ("packet PUBLISH payload ~ \"power\"", true),
        ("packet SUBSCRIBE filters[1][0] == \"c\"", true),
        ("packet SUBSCRIBE filters[2]", false),
        ("packet SUBSCRIBE filters[0] == [\"a/b\", 0]", true),
        ("count(event Disconnected) == 2", true),
        ("count(event Disconnected) >= 2", true),
        ("count(event Disconnected) > 2", false),
        ("count(event Disconnected) < 2", false),
        ("count(packet PUBREL) == 0", true),
        ("count(packet PUBREL) != 0", false),
        ("count(event Disconnected kind == \"Broken\") <= 1", true),
        ("not event Delta", true),
        ("not not event Delta", false),
        ("event Delta or event Ready", true),
        ("event Delta and event Ready", false),
        ("event Ready then outcome TimedOut", true),
        ("outcome TimedOut then event Ready", false),
        ("event Ready then not event Ready", true),
        ("event Connected then not event Ready", false),
        (
            "event Disconnected then event Disconnected then event Disconnected",
            false,
        ),
        ("count(event Disconnected) >= 2 then not event", true),
        (
            "not (event Ready and event Delta) and connect or event Ready",
            true,
        ),
        ("unsynchronized", true),
        ("unended", false),
        ("divergence", false),
    ] {
        assert_eq!(holds(condition), expected, "{condition}");
    }
}

#[test]
fn what_is_open_and_what_is_in_step() {
    let of = |lines: usize, condition: &str| {
        let text: String = LINES.split_inclusive('\n').take(lines).collect();
        let condition: Condition = condition.parse().unwrap();
        evaluate::holds(&condition.0, &Run::recorded(&text, &[0; 14]), None)
    };
    assert!(of(4, "unended") && !of(13, "unended") && !of(3, "unended"));
    assert!(of(8, "unsynchronized") && !of(9, "unsynchronized") && of(10, "unsynchronized"));
}

proptest::proptest! {
    /// Whatever is typed, there is a condition or an error within it.
    #[test]
    fn any_text_is_a_condition_or_an_error(
        words in proptest::collection::vec(
            proptest::sample::select(vec![
                "event", "packet", "count(", ")", "(", "not", "and", "or", "then", "Ready", "a.b",
                "[0]", "==", "~", "<", ",", "\"text", "\"", "1", "-1", "{}", "é", "divergence",
            ]),
            0..12,
        ),
        noise in ".{0,8}",
    ) {
        let text = words.join(" ") + &noise;
        match text.parse::<Condition>() {
            Ok(condition) => {
                let run = Run::recorded(LINES, &[0; 14]);
                evaluate::holds(&condition.0, &run, None);
            }
            Err(error) => proptest::prop_assert!(error.column() <= text.chars().count() + 1),
        }
    }
}

#[test]
fn what_is_no_condition_says_where() {
    let error = |text: &str| text.parse::<Condition>().unwrap_err().to_string();
    assert!(
        error("").starts_with("column 1: here belongs a condition: it begins with `divergence`")
    );
    assert!(error("  evnt Ready").starts_with("column 3: there is no condition `evnt`"));
    assert!(error("event Ready and").starts_with("column 16: here belongs a condition"));
    assert_eq!(
        error("event Ready )"),
        "column 13: here belongs `and`, `or`, `then`, `,` or the end"
    );
    assert_eq!(error("count event > 1"), "column 7: here belongs `(`");
    assert_eq!(error("count(event"), "column 12: here belongs `)`");
    assert_eq!(
        error("count(event) ~ 1"),
        "column 15: here belongs `==`, `!=`, `<`, `<=`, `>` or `>=`"
    );
    assert_eq!(
        error("count(event) > many"),
        "column 16: here belongs a number"
    );
    assert_eq!(error("(event"), "column 7: here belongs `)`");
    assert!(error("event Ready a == ").starts_with("column 18: here belongs a JSON value"));
    assert!(error("event é == yes").starts_with("column 12: here belongs a JSON value"));
    assert_eq!(
        error("packet PUBLISH a[x]"),
        "column 18: here belongs the number of an item, from 0"
    );
    assert_eq!(error("packet PUBLISH a."), "column 18: here belongs a key");
    assert_eq!(
        error("packet PUBLISH a == 1,"),
        "column 23: here belongs a path or a text in quotes"
    );
    assert!(error(&"(".repeat(100)).contains("nest at most 64 deep"));
    assert!(error(&"not ".repeat(5000)).contains("at most 16384 bytes"));
    assert!(error("\"open").starts_with("column 1: here belongs a JSON value"));
}
