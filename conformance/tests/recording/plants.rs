//! Changes of behaviour that are planted, and found by replay where they are.
//!
//! A plant is a change of the recorded configuration: the engine that replays it then behaves
//! otherwise than the one that was recorded, from a step on that can be told beforehand. Or it is a
//! change of a recorded line. What is expected of each is written by hand.

use conformance::recording::{Divergence, ReplayError};
use conformance::replay_text;

use crate::sessions;

/// Replays a changed recording, which has to diverge.
fn diverge(text: &str) -> Divergence {
    match replay_text("plant", text).same() {
        Err(ReplayError::Diverged(divergence)) => *divergence,
        other => panic!("it should diverge: {other:?}"),
    }
}

/// The recording with a change in its second line.
fn planted(text: &str, from: &str, to: &str) -> String {
    let start = text.lines().nth(1).unwrap();
    assert!(start.contains(from), "{start}");
    text.replacen(start, &start.replacen(from, to, 1), 1)
}

#[test]
fn probe() {
    let lamp = sessions::lamp();
    let silence = sessions::silence();
    println!("{}", lamp.lines().nth(1).unwrap());
    println!("{}", sessions::without_gets());
    std::fs::write("/tmp/wt/lamp.jsonl", &lamp).unwrap();
    println!("{:?}", conformance::replay_text("lamp", &lamp).same());
    for (text, from, to) in [
        (&lamp, r#""keep_alive":60"#, r#""keep_alive":61"#),
        (&lamp, r#""keep_alive":60"#, r#""keep_alive":30"#),
        (&lamp, r#""seed":7"#, r#""seed":8"#),
        (
            &lamp,
            r#""get_on_subscribe":true"#,
            r#""get_on_subscribe":false"#,
        ),
        (
            &lamp,
            r#""json_style":"compact""#,
            r#""json_style":"python""#,
        ),
        (&lamp, r#""shadow_qos":0"#, r#""shadow_qos":1"#),
        (
            &lamp,
            r#""version_policy":{"rebase":{"tries":3}}"#,
            r#""version_policy":"unchecked""#,
        ),
        (
            &lamp,
            r#""sdk_app_id":12010126"#,
            r#""sdk_app_id":21010406"#,
        ),
        (&lamp, r#""ping_timeout":10"#, r#""ping_timeout":11"#),
        (&lamp, r#""request_timeout":10"#, r#""request_timeout":11"#),
        (
            &lamp,
            r#""wait_for_suback":true"#,
            r#""wait_for_suback":false"#,
        ),
        (&lamp, r#""initial":1"#, r#""initial":4"#),
        (&lamp, r#""document_depth":"#, r#""document_depth":1,"x":"#),
        (
            &lamp,
            r#""messages_per_second":20"#,
            r#""messages_per_second":1"#,
        ),
        (&silence, r#""ping_timeout":10"#, r#""ping_timeout":11"#),
        (&silence, r#""stable_after":"#, r#""stable_after":1"#),
        (
            &silence,
            r#""connect_timeout":20"#,
            r#""connect_timeout":21"#,
        ),
    ] {
        let start = text.lines().nth(1).unwrap();
        if !start.contains(from) {
            println!("NO {from}: {start}");
            continue;
        }
        match replay_text("plant", planted(text, from, to)).same() {
            Err(e) => println!("==== {from} {to}\n{e}"),
            Ok(_) => println!("==== SAME {from} {to}"),
        }
    }
}
