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

/// Where a replay is expected to diverge, and in what.
struct Expected<'a> {
    /// The first line, from the second on, that has all of these in it.
    line: &'a [&'a str],
    /// Seconds since the start.
    at: f64,
    sentence: &'a str,
    /// The paths of all fields that differ.
    paths: &'a [&'a str],
}

impl Expected<'_> {
    fn check(&self, recording: &str, divergence: &Divergence) {
        let has_all = |line: &&str| self.line.iter().all(|part| line.contains(part));
        let index = recording.lines().skip(2).position(|line| has_all(&line));
        let index = 2 + index.unwrap_or_else(|| panic!("no line has {:?}", self.line));
        assert_eq!(divergence.sentence(), self.sentence, "{divergence}");
        assert_eq!(divergence.place.line, index as u64 + 1, "{divergence}");
        let before = recording.lines().take(index);
        let inputs = before.filter(|line| line.contains(r#","in":""#)).count();
        assert_eq!(divergence.step, inputs as u64, "{divergence}");
        let at = divergence.at.as_micros();
        assert_eq!(at as f64 / 1e6, self.at, "{divergence}");
        let differences = divergence.differences();
        let paths: Vec<&str> = differences.iter().map(|one| one.path.as_str()).collect();
        assert_eq!(paths, self.paths, "{divergence}");
    }
}

/// The recording with a change of its configuration.
fn planted(text: &str, from: &str, to: &str) -> String {
    let start = text.lines().nth(1).unwrap();
    assert_eq!(start.matches(from).count(), 1, "{start}");
    text.replacen(start, &start.replacen(from, to, 1), 1)
}

#[test]
fn an_engine_that_behaves_otherwise_is_found_where_it_does() {
    let lamp = sessions::lamp();
    let silence = sessions::silence();
    let publish = r#""packet":"PUBLISH""#;
    let plants: &[(&str, &str, &str, Expected<'_>)] = &[
        (
            &lamp,
            r#""keep_alive":60"#,
            r#""keep_alive":61"#,
            Expected {
                line: &[r#""CONNECT""#],
                at: 0.05,
                sentence: "sends another CONNECT: keep_alive is 61, was 60",
                paths: &["keep_alive"],
            },
        ),
        (
            // Below what the server takes.
            &lamp,
            r#""keep_alive":60"#,
            r#""keep_alive":30"#,
            Expected {
                line: &[r#""out":"connect""#],
                at: 0.0,
                sentence: "tells Disconnected/LimitExceeded where the recording asks for a connection",
                paths: &[],
            },
        ),
        (
            &lamp,
            r#""seed":7"#,
            r#""seed":8"#,
            Expected {
                line: &[r#""CONNECT""#],
                at: 0.05,
                sentence: "draws other random values: the connection id",
                paths: &["user_name"],
            },
        ),
        (
            &lamp,
            r#""shadow_qos":0"#,
            r#""shadow_qos":1"#,
            Expected {
                line: &[r#""SUBSCRIBE""#],
                at: 0.1,
                sentence: "sends another SUBSCRIBE: filters[0][1] is 1, was 0",
                paths: &["filters[0][1]"],
            },
        ),
        (
            &lamp,
            r#""request_timeout":10"#,
            r#""request_timeout":11"#,
            Expected {
                line: &[r#""timer":"Acknowledgement""#],
                at: 0.1,
                sentence: "ticks at 11.100000s instead of 10.100000s (timer Acknowledgement)",
                paths: &["due"],
            },
        ),
        (
            &lamp,
            r#""get_on_subscribe":true"#,
            r#""get_on_subscribe":false"#,
            Expected {
                line: &[publish, r#""type":"get""#],
                at: 0.15,
                sentence: "tells ShadowSubscribed where the recording sends PUBLISH",
                paths: &[],
            },
        ),
        (
            &lamp,
            r#""json_style":"compact""#,
            r#""json_style":"python""#,
            Expected {
                line: &[publish, r#""type":"get""#],
                at: 0.15,
                sentence: "sends another PUBLISH: it says the same, with other white space or escapes",
                paths: &[],
            },
        ),
        (
            &lamp,
            r#""token_style":"nonce""#,
            r#""token_style":{"product_counter":{"first":3}}"#,
            Expected {
                line: &[publish, r#""type":"get""#],
                at: 0.15,
                sentence: "sends PUBLISH with another payload: \
                           clientToken is \"EXAMPLE001-3\", was \"YB3kcPdU-0\"",
                paths: &["payload.clientToken"],
            },
        ),
        (
            &lamp,
            r#"{"rebase":{"tries":3}}"#,
            r#""unchecked""#,
            Expected {
                line: &[publish, r#""type":"update""#],
                at: 1.0,
                sentence: "sends PUBLISH with another payload: version is missing, was 8",
                paths: &["payload.version"],
            },
        ),
        (
            &lamp,
            r#""messages_per_second":20"#,
            r#""messages_per_second":1"#,
            Expected {
                line: &[publish, r#""type":"update""#],
                at: 1.0,
                sentence: "sends nothing where the recording sends PUBLISH",
                paths: &[],
            },
        ),
        (
            // The report has an object in an object.
            &lamp,
            r#""document_depth":5"#,
            r#""document_depth":1"#,
            Expected {
                line: &[r#""out":"accepted""#],
                at: 1.0,
                sentence: "refuses the request: the document has 2 levels, the maximum is 1",
                paths: &[],
            },
        ),
        (
            // A get is open when the update comes.
            &lamp,
            r#""maximum_requests":64"#,
            r#""maximum_requests":1"#,
            Expected {
                line: &[r#""out":"accepted","request":7"#],
                at: 11.0,
                sentence: "refuses the request: 1 requests are open, which is the configured maximum",
                paths: &[],
            },
        ),
        (
            &lamp,
            r#""ping_timeout":10"#,
            r#""ping_timeout":11"#,
            Expected {
                line: &[r#""timer":"PingResponse""#],
                at: 71.0,
                sentence: "ticks at 82.000000s instead of 81.000000s (timer PingResponse)",
                paths: &["due"],
            },
        ),
        (
            // Four times 0.935666, but for what is rounded off.
            &lamp,
            r#""initial":1"#,
            r#""initial":4"#,
            Expected {
                line: &[r#""event":"Disconnected""#],
                at: 111.0,
                sentence: "tells another Disconnected/Broken: \
                           retry_in is 3742664, was 935666 (there is jitter in it)",
                paths: &["retry_in"],
            },
        ),
        (
            // The second CONNECT of the session has the credentials of the first.
            &lamp,
            r#""renew_credentials":true"#,
            r#""renew_credentials":false"#,
            Expected {
                line: &[r#""CONNECT""#, r#""at":111"#],
                at: 111.985666,
                sentence: "sends another CONNECT: \
                           user_name is \"EXAMPLE001test01;12010126;IZG74;1626774297\", \
                           was \"EXAMPLE001test01;12010126;1h2Um;1626774409\"",
                paths: &["user_name"],
            },
        ),
        (
            &silence,
            r#""connect_timeout":20"#,
            r#""connect_timeout":21"#,
            Expected {
                line: &[r#""timer":"Connect""#],
                at: 0.0,
                sentence: "ticks at 21.000000s instead of 20.000000s (timer Connect)",
                paths: &["due"],
            },
        ),
        (
            // The second wait after a failure is cut short.
            &silence,
            r#""maximum":60"#,
            r#""maximum":1"#,
            Expected {
                line: &[r#""kind":"ConnectTimedOut""#],
                at: 91.135666,
                sentence: "tells another Disconnected/ConnectTimedOut: \
                           retry_in is 932004, was 1864008 (there is jitter in it)",
                paths: &["retry_in"],
            },
        ),
    ];
    for (recording, from, to, expected) in plants {
        let divergence = diverge(&planted(recording, from, to));
        expected.check(recording, &divergence);
    }
}

/// Replaces the first line that has all of `parts` in it by what `change` makes of it.
fn edited(text: &str, parts: &[&str], change: impl Fn(&str) -> Vec<String>) -> String {
    let mut changed = Vec::new();
    let mut found = false;
    for line in text.lines() {
        if !found && parts.iter().all(|part| line.contains(part)) {
            found = true;
            changed.extend(change(line));
        } else {
            changed.push(line.to_owned());
        }
    }
    assert!(found, "no line has {parts:?}");
    changed.iter().map(|line| format!("{line}\n")).collect()
}

#[test]
fn a_recorded_line_that_was_changed_is_found() {
    let lamp = sessions::lamp();
    let silence = sessions::silence();
    let replace = |from: &'static str, to: &'static str| {
        move |line: &str| {
            assert!(line.contains(from), "{line}");
            vec![line.replacen(from, to, 1)]
        }
    };
    let remove = |_: &str| Vec::new();
    let colour = [r#""PUBLISH""#, r#""colour":{"green":2.5,"red":1}"#];
    let ping = [r#""out":"packet","packet":"PINGREQ""#];
    let changes: &[(String, Expected<'_>)] = &[
        (
            edited(&lamp, &colour, replace(r#""power":false"#, r#""power":0"#)),
            Expected {
                line: &[r#""PUBLISH""#, r#""power":0"#],
                at: 1.0,
                sentence: "sends PUBLISH with another payload: \
                           state.reported.power is false, was 0",
                paths: &["payload.state.reported.power"],
            },
        ),
        (
            // Numbers are what is written, not what they mean.
            edited(
                &lamp,
                &colour,
                replace(r#""red":1}"#, r#""red":1.0,"blue":[]}"#),
            ),
            Expected {
                line: &[r#""PUBLISH""#, r#""blue""#],
                at: 1.0,
                sentence: "sends PUBLISH with another payload: \
                           state.reported.colour.red is 1, was 1.0; \
                           state.reported.colour.blue is missing, was []",
                paths: &[
                    "payload.state.reported.colour.red",
                    "payload.state.reported.colour.blue",
                ],
            },
        ),
        (
            edited(
                &silence,
                &[r#""outcome":"TimedOut""#],
                replace(r#""TimedOut""#, r#""Accepted","document":{}"#),
            ),
            Expected {
                line: &[r#""Accepted""#],
                at: 11.0,
                sentence: "tells Ended/TimedOut instead of Ended/Accepted",
                paths: &["outcome", "document"],
            },
        ),
        (
            edited(&lamp, &[r#""outcome":"Published""#], remove),
            Expected {
                line: &[r#""in":"bytes""#, r#"YB3kcPdU-3"#],
                at: 11.0,
                sentence: "tells Ended/Published where the recording has nothing",
                paths: &[],
            },
        ),
        (
            edited(&lamp, &ping, remove),
            Expected {
                line: &[r#""at":71050000,"in""#],
                at: 71.0,
                sentence: "sends PINGREQ where the recording has nothing",
                paths: &[],
            },
        ),
        (
            edited(&lamp, &[r#""packet":"DISCONNECT""#], |line| {
                vec![line.to_owned(), line.replace("DISCONNECT", "PINGREQ")]
            }),
            Expected {
                line: &[r#""at":231000000,"out":"packet","packet":"PINGREQ""#],
                at: 231.0,
                sentence: "closes the connection where the recording sends PINGREQ",
                paths: &[],
            },
        ),
        (
            edited(&silence, &[r#""kind":"PingTimedOut""#], |line| {
                let more = r#"{"at":70200000,"out":"event","event":"Closed"}"#;
                vec![line.to_owned(), more.to_owned()]
            }),
            Expected {
                line: &[r#""event":"Closed""#],
                at: 70.2,
                sentence: "tells nothing where the recording tells Closed",
                paths: &[],
            },
        ),
        (
            edited(&lamp, &[r#""timer":"PingResponse""#], remove),
            Expected {
                line: &[r#""at":71050000,"in""#],
                at: 71.0,
                sentence: "waits until 81.000000s (PingResponse) where the recording's timer \
                           stays as it was",
                paths: &[],
            },
        ),
        (
            edited(
                &lamp,
                &[r#""due":131000000"#],
                replace("KeepAlive", "Request"),
            ),
            Expected {
                line: &[r#""due":131000000"#],
                at: 71.05,
                sentence: "ticks at 131.000000s (timer KeepAlive) instead of 131.000000s \
                           (timer Request)",
                paths: &["timer"],
            },
        ),
        (
            edited(&lamp, &[r#""out":"accepted","request":2"#], |_| {
                vec![r#"{"at":1000000,"out":"refused","why":"it is late"}"#.to_owned()]
            }),
            Expected {
                line: &[r#""out":"refused""#],
                at: 1.0,
                sentence: "accepts the request, which was refused: it is late",
                paths: &[],
            },
        ),
        (
            edited(
                &lamp,
                &[r#""in":"tick""#],
                replace(r#""at":71000000"#, r#""at":70999999"#),
            ),
            // The tick is too early then, and nothing is due.
            Expected {
                line: &ping,
                at: 71.0,
                sentence: "sends nothing where the recording sends PINGREQ",
                paths: &[],
            },
        ),
        (
            // A reply that does not come out of order, but in two pieces whose second is cut off.
            edited(
                &lamp,
                &[r#""in":"bytes""#, r#"YB3kcPdU-1"#],
                replace(r#"}\u000a""#, "\""),
            ),
            Expected {
                line: &[r#""event":"Ended","request":2"#],
                at: 1.05,
                sentence: "tells nothing where the recording tells Ended/Reported",
                paths: &[],
            },
        ),
    ];
    for (text, expected) in changes {
        expected.check(text, &diverge(text));
    }
}

/// The packet ids follow the order, so they do not make another packet of it.
#[test]
fn packets_in_another_order_are_told_as_such() {
    let lamp = sessions::lamp();
    let get = [r#""PUBLISH""#, r#""clientToken":"YB3kcPdU-3""#];
    let line = |parts: &[&str]| {
        let has_all = |line: &&str| parts.iter().all(|part| line.contains(part));
        lamp.lines().find(has_all).unwrap().to_owned()
    };
    let first = line(&get);
    let second = line(&[r#""PUBLISH""#, r#""clientToken":"YB3kcPdU-4""#]);
    let swapped = lamp
        .replacen(&first, "first", 1)
        .replacen(&second, &first, 1)
        .replacen("first", &second, 1);
    let divergence = diverge(&swapped);
    assert!(divergence.reordered);
    assert_eq!(
        divergence.sentence(),
        "sends the same packets in another order"
    );
    assert_eq!(divergence.expected, Some(second));
    assert_eq!(divergence.found, Some(first));
}

/// All that is printed.
#[test]
fn a_divergence_is_told_whole() {
    let lamp = sessions::lamp();
    let late = r#""rebase":{"tries":3}"#;
    assert!(lamp.contains(late));
    let divergence = diverge(&planted(
        &lamp,
        r#"{"rebase":{"tries":3}}"#,
        r#""unchecked""#,
    ));
    insta::assert_snapshot!("unchecked", divergence);
    let divergence = diverge(&planted(&lamp, r#""seed":7"#, r#""seed":8"#));
    insta::assert_snapshot!("seed", divergence);
    let json = serde_json::to_string_pretty(&divergence).unwrap();
    insta::assert_snapshot!("seed_as_json", json);
    let divergence = diverge(&planted(
        &lamp,
        r#""maximum_requests":64"#,
        r#""maximum_requests":1"#,
    ));
    insta::assert_snapshot!("refused", divergence);
}

/// A replay that has diverged goes on with what was recorded, and finds what else is different.
#[test]
fn a_replay_goes_on_behind_a_divergence() {
    use conformance::recording::{Part, Reader, Replay};
    let lamp = sessions::lamp();
    let changed = edited(&lamp, &[r#""out":"packet","packet":"PINGREQ""#], |_| {
        Vec::new()
    });
    let changed = edited(&changed, &[r#""retry_in":935666"#], |line| {
        vec![line.replacen("935666", "935667", 1)]
    });
    let reader = Reader::new(vec![Part::of_text("lamp", &changed)]).unwrap();
    let mut replay = Replay::new(reader).unwrap();
    let mut sentences = Vec::new();
    while let Some(step) = replay.next_step().unwrap() {
        sentences.extend(step.map(|divergence| divergence.sentence()));
    }
    assert_eq!(
        sentences,
        [
            "sends PINGREQ where the recording has nothing",
            "tells another Disconnected/Broken: \
             retry_in is 935666, was 935667 (there is jitter in it)",
        ]
    );
    assert!(replay.summary().ended);
}
