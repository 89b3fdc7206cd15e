//! Recordings written by hand, line by line, in the format that `shadow_core::recording` documents.

use conformance::recording::{Part, ReadError, Reader};
use conformance::show::{Content, Kind, Link, Route, Step, Story};

const HEADER: &str = r#"{"shadow-recording":1,"engine":"0.1.0","part":1,"mask":[]}"#;

fn recording(lines: &[&str]) -> String {
    let mut text = format!("{HEADER}\n");
    for line in lines {
        text.push_str(line);
        text.push('\n');
    }
    text
}

fn tell(text: &str) -> Result<Vec<Step>, ReadError> {
    Story::new(Reader::new(vec![Part::of_text("r", text)])?).collect()
}

fn steps(lines: &[&str]) -> Vec<Step> {
    tell(&recording(lines)).unwrap()
}

/// `number>answered microseconds`, for each answer.
fn answers(steps: &[Step]) -> Vec<String> {
    let each = |step: &Step| {
        let of = step.number;
        let answers = step.answers.iter();
        let told: Vec<String> = answers
            .map(|answer| format!("{of}>{} {}", answer.step, answer.after.as_micros()))
            .collect();
        told
    };
    steps.iter().flat_map(each).collect()
}

/// The bytes are those of MQTT 3.1.1, sections 3 and 4.3.
#[test]
fn packets_are_joined_to_what_they_acknowledge() {
    let told = steps(&[
        r#"{"at":10,"out":"packet","packet":"CONNECT","version":"MQTT 3.1.1","client_id":"c","keep_alive":60,"clean_session":true}"#,
        r#"{"at":20,"in":"bytes","bytes":" \u0002\u0000\u0000"}"#,
        r#"{"at":30,"out":"packet","packet":"SUBSCRIBE","id":1,"filters":[["a/#",1]]}"#,
        r#"{"at":31,"out":"packet","packet":"SUBSCRIBE","id":2,"filters":[["b",0],["c",2]]}"#,
        // SUBACKs in the other order, in two pieces; of the second one filter is refused.
        r#"{"at":40,"in":"bytes","bytes":"\u0090\u0004\u0000\u0002\u0000\u0080\u0090\u0003"}"#,
        r#"{"at":42,"in":"bytes","bytes":"\u0000\u0001\u0001"}"#,
        // QoS 2, out.
        r#"{"at":50,"out":"packet","packet":"PUBLISH","topic":"t","qos":2,"id":3,"payload":"x"}"#,
        r#"{"at":51,"in":"bytes","bytes":"P\u0002\u0000\u0003"}"#,
        r#"{"at":52,"out":"packet","packet":"PUBREL","id":3}"#,
        r#"{"at":53,"in":"bytes","bytes":"p\u0002\u0000\u0003"}"#,
        // QoS 1 both ways under one id: each side counts its own.
        r#"{"at":60,"out":"packet","packet":"PUBLISH","topic":"t","qos":1,"id":3,"payload_bytes":"\u00ff\u0000"}"#,
        r#"{"at":61,"in":"bytes","bytes":"2\u0007\u0000\u0001t\u0000\u0003hi"}"#,
        r#"{"at":62,"out":"packet","packet":"PUBACK","id":3}"#,
        r#"{"at":63,"in":"bytes","bytes":"@\u0002\u0000\u0003"}"#,
        r#"{"at":70,"out":"packet","packet":"PINGREQ"}"#,
        r#"{"at":75,"in":"bytes","bytes":"\u00d0\u0000"}"#,
        r#"{"at":80,"out":"packet","packet":"UNSUBSCRIBE","id":4,"filters":["b","c"]}"#,
        r#"{"at":81,"in":"bytes","bytes":"\u00b0\u0002\u0000\u0004"}"#,
    ]);
    let expected = [
        "2>1 10", "5>4 9", "6>3 12", "8>7 1", "9>8 1", "10>9 1", "13>12 1", "14>11 3", "16>15 5",
        "18>17 1",
    ];
    assert_eq!(answers(&told), expected);
    assert_eq!(told[4].words, "granted QoS 0; refused (0x80)");
    let refused = Some("the subscription is refused");
    assert_eq!(told[4].fault.as_deref(), refused);
    assert_eq!(told[5].words, "granted QoS 1");
    assert_eq!((told[5].line, told[5].fault.as_deref()), (7, None));
    assert_eq!(told[10].content, Some(Content::Bytes("ff00".to_owned())));
    assert_eq!(told[11].content, Some(Content::Text("hi".to_owned())));
    assert_eq!(told[11].topic.as_deref(), Some("t"));
    assert_eq!(told[11].detail, "QoS 1, id 3");
    assert_eq!(told[16].words, "b; c");
    let unanswered = told.iter().filter(|step| step.expects > 0).count();
    assert_eq!(unanswered, expected.len());
}

/// PINGRESP of a later link answers no PINGREQ of an earlier one.
#[test]
fn what_only_one_link_answers_ends_with_it() {
    let told = steps(&[
        r#"{"at":0,"out":"packet","packet":"PINGREQ"}"#,
        r#"{"at":0,"out":"packet","packet":"PUBLISH","topic":"t","qos":1,"id":7,"payload":"x"}"#,
        r#"{"at":5,"in":"disconnected","failure":"ClosedByPeer"}"#,
        r#"{"at":6,"out":"connect"}"#,
        r#"{"at":7,"in":"connected"}"#,
        r#"{"at":8,"in":"bytes","bytes":"\u00d0\u0000@\u0002\u0000\u0007"}"#,
    ]);
    assert_eq!(answers(&told), ["5>4 1", "7>2 8"]);
    assert_eq!(told[2].fault.as_deref(), Some("closed by the peer"));
    let links: Vec<Link> = told.iter().map(|step| step.link).collect();
    // The file begins in the middle of a link.
    let (down, trying, up) = (Link::Down, Link::Connecting, Link::Connected);
    let online = Link::Online;
    assert_eq!(links, [online, online, down, trying, up, up, up]);
}

const REQUESTS: &str = "$shadow/operation/ABC1234567/AirConditioner";
const RESULTS: &str = "$shadow/operation/result/ABC1234567/AirConditioner";

/// A line in which a request leaves.
fn sent(at: u64, payload: &str) -> String {
    format!(
        r#"{{"at":{at},"out":"packet","packet":"PUBLISH","topic":"{REQUESTS}","qos":0,"payload":{payload}}}"#
    )
}

/// A line in which a message of the cloud comes, with QoS 0.
fn came(at: u64, payload: &str) -> String {
    let mut packet = vec![0x30];
    let mut length = 2 + RESULTS.len() + payload.len();
    while length > 127 {
        packet.push(u8::try_from(length % 128).unwrap() | 128);
        length /= 128;
    }
    packet.push(u8::try_from(length).unwrap());
    packet.extend([0, u8::try_from(RESULTS.len()).unwrap()]);
    packet.extend(RESULTS.bytes().chain(payload.bytes()));
    let text: String = packet.into_iter().map(char::from).collect();
    let text = serde_json::to_string(&text).unwrap();
    format!(r#"{{"at":{at},"in":"bytes","bytes":{text}}}"#)
}

/// Messages as in the vendor's document 634/14072: gets, a delta, updates of which one is refused.
#[test]
fn replies_are_joined_by_token_and_change_the_document() {
    let lines = [
        sent(1, r#"{"type":"get","clientToken":8480}"#),
        sent(2, r#"{"type":"get","clientToken":"8481"}"#),
        came(
            3,
            r#"{"type":"get","result":0,"timestamp":1,"clientToken":"8480","payload":{"state":{"reported":{"temperature":27}},"version":1}}"#,
        ),
        came(
            4,
            r#"{"type":"delta","timestamp":2,"payload":{"state":{"temperature":25},"version":2,"timestamp":2}}"#,
        ),
        sent(
            5,
            r#"{"type":"update","state":{"reported":{"temperature":25},"desired":null},"version":1,"clientToken":"u-1"}"#,
        ),
        came(
            6,
            r#"{"type":"update","result":5005,"timestamp":3,"clientToken":"u-1","payload":{"state":{"reported":{"temperature":27},"desired":{"temperature":25}},"version":2}}"#,
        ),
        sent(
            7,
            r#"{"type":"update","state":{"reported":{"temperature":25},"desired":null},"version":2,"clientToken":"u-2"}"#,
        ),
        came(
            9,
            r#"{"type":"update","result":0,"timestamp":3,"clientToken":"u-2","payload":{"state":{"reported":{"temperature":25}},"version":3}}"#,
        ),
        // Late: it was asked before.
        came(
            10,
            r#"{"type":"get","result":0,"timestamp":1,"clientToken":"8481","payload":{"state":{"reported":{"temperature":27}},"version":1}}"#,
        ),
        came(11, r#"{"type":"delta""#),
    ];
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let told = steps(&lines);
    assert_eq!(answers(&told), ["3>1 2", "6>5 1", "8>7 2", "9>2 8"]);
    assert_eq!(told[3].words, r#"delta, version 2: {"temperature":25}"#);
    assert_eq!(told[5].words, "update rejected (5005), version 2");
    let changes: Vec<String> = told
        .iter()
        .flat_map(|step| step.changes.iter().map(move |change| (step.number, change)))
        .map(|(number, change)| {
            let text = |value: &Option<String>| value.clone().unwrap_or_default();
            let (sign, path) = (change.sign(), change.path());
            let (before, after) = (text(&change.before), text(&change.after));
            format!("{number} {sign} {path} {before}|{after}")
        })
        .collect();
    let expected = [
        "3 + reported.temperature |27",
        "4 + desired.temperature |25",
        r#"8 - desired {"temperature":25}|"#,
        "8 ~ reported.temperature 27|25",
    ];
    assert_eq!(changes, expected);
    let fault = |number: usize| told[number - 1].fault.as_deref().unwrap();
    assert_eq!(fault(6), "rejected with 5005: the version is another");
    assert_eq!(fault(9), "late: version 3 is known already");
    assert!(fault(10).starts_with("not understood: "), "{}", fault(10));
    assert_eq!(told[0].token.as_deref(), Some("8480"));
    let shadow = told[0].shadow.as_deref();
    assert_eq!(shadow, Some("ABC1234567/AirConditioner"));
}

#[test]
fn calls_are_joined_to_their_ends_and_refusals_are_told() {
    let told = steps(&[
        r#"{"at":0,"in":"start","seed":1,"config":{"own_shadow":{"product_id":"P","device_name":"d"}},"session":null}"#,
        r#"{"at":1,"in":"get","shadow":0}"#,
        r#"{"at":1,"out":"accepted","request":5}"#,
        r#"{"at":2,"in":"attach","product_id":"P","device_name":"e"}"#,
        r#"{"at":2,"out":"accepted","shadow":1}"#,
        r#"{"at":3,"in":"report","shadow":1,"reported":{"on":true}}"#,
        r#"{"at":3,"out":"refused","why":"the engine is closed"}"#,
        r#"{"at":4,"out":"event","event":"Delta","shadow":1,"origin":"Pushed","version":9,"state":{"a":1}}"#,
        r#"{"at":6,"in":"reject","shadow":1,"origin":"Pushed","version":9,"state":{"a":1},"reason":"no"}"#,
        r#"{"at":6,"out":"accepted","request":6}"#,
        r#"{"at":7,"out":"event","event":"Ended","request":6,"outcome":"DeltaRejected","reason":"no"}"#,
        r#"{"at":9,"out":"event","event":"Ended","request":5,"outcome":"Disconnected","maybe_applied":true}"#,
        r#"{"at":9,"in":"close","pending":true}"#,
        r#"{"at":9,"in":"end"}"#,
    ]);
    assert_eq!(answers(&told), ["6>5 2", "7>6 1", "8>2 8"]);
    assert_eq!(told[0].shadow.as_deref(), Some("P/d"));
    let get = (told[1].request, told[1].shadow.as_deref());
    assert_eq!(get, (Some(5), Some("P/d")));
    assert_eq!(told[3].shadow.as_deref(), Some("P/e"));
    let refused = Some("refused: the engine is closed");
    assert_eq!(told[3].fault.as_deref(), refused);
    assert_eq!(told[4].words, r#"version 9: {"a":1}"#);
    assert_eq!(told[6].words, "#6 delta rejected: no");
    let lost = Some("the link was lost; the cloud may have carried it out");
    assert_eq!(told[7].fault.as_deref(), lost);
    assert_eq!((told[8].kind, &told[8].content), (Kind::Call, &None));
    assert_eq!(told[9].kind, Kind::Link);
    // The seed says nothing to anybody.
    let content = told[0].content.as_ref().unwrap();
    assert!(!content.as_str().contains("seed"));
}

#[test]
fn timers_fire_when_they_are_due_and_not_before() {
    let told = steps(&[
        r#"{"at":7000000,"out":"deadline","due":7500000,"timer":"Request"}"#,
        r#"{"at":7400000,"in":"tick"}"#,
        r#"{"at":7500040,"in":"tick"}"#,
        r#"{"at":7500040,"out":"deadline","due":null,"timer":"Request"}"#,
        r#"{"at":9000000,"in":"tick"}"#,
    ]);
    let kinds: Vec<(Kind, &str)> = told
        .iter()
        .map(|step| (step.kind, step.name.as_str()))
        .collect();
    let idle = (Kind::Clock, "tick");
    assert_eq!(kinds, [idle, (Kind::Timer, "Request"), idle]);
    assert_eq!(told[1].detail, "40 µs after it was due");
    let deadline = told[1].deadline.as_ref().unwrap();
    assert_eq!(deadline.due.as_micros(), 500_000);
    assert_eq!(told[2].deadline, None);
}

#[test]
fn bytes_that_are_no_mqtt_are_a_fault_until_the_next_link() {
    let told = steps(&[
        r#"{"at":0,"out":"connect"}"#,
        r#"{"at":1,"in":"connected"}"#,
        r#"{"at":2,"in":"bytes","bytes":"HTTP/1.1 400 Bad Request"}"#,
        r#"{"at":3,"in":"bytes","bytes":"\u00d0\u0000"}"#,
        r#"{"at":4,"in":"disconnected","failure":"Broken","why":"reset"}"#,
        r#"{"at":4,"out":"connect"}"#,
        r#"{"at":5,"in":"connected"}"#,
        // Half a packet is lost with its link.
        r#"{"at":6,"in":"bytes","bytes":"\u00d0\u00000\u0009\u0000\u0001t"}"#,
        r#"{"at":7,"in":"disconnected","failure":"Untrusted","why":"expired"}"#,
    ]);
    let names: Vec<&str> = told.iter().map(|step| step.name.as_str()).collect();
    let (connect, connected) = ("connect", "connected");
    let expected = [
        connect,
        connected,
        "bytes",
        "bytes",
        "disconnected",
        connect,
        connected,
        "PINGRESP",
        "disconnected",
    ];
    assert_eq!(names, expected);
    let fault = told[2].fault.as_deref().unwrap();
    assert!(fault.starts_with("not MQTT: "), "{fault}");
    let content = told[2].content.as_ref().unwrap();
    assert!(content.as_str().starts_with("48545450"), "{content:?}");
    let after = "bytes after those that are not MQTT";
    assert_eq!(told[3].fault.as_deref(), Some(after));
    assert_eq!(told[4].fault.as_deref(), Some("broken: reset"));
    let cut = "not trusted: expired; 5 bytes of a packet that was cut are lost";
    assert_eq!(told[8].fault.as_deref(), Some(cut));
}

/// A recording of a newer engine may have more kinds of lines in the same format.
#[test]
fn unknown_lines_are_told_as_they_are() {
    let told = steps(&[
        r#"{"at":0,"in":"sing","song":"x"}"#,
        r#"{"at":0,"out":"echo","of":["x"]}"#,
        r#"{"at":0,"out":"event","event":"Dreamt","of":{"sheep":1}}"#,
    ]);
    let told: Vec<_> = told
        .iter()
        .map(|step| {
            (
                step.route,
                step.name.as_str(),
                step.content.as_ref().unwrap().as_str(),
            )
        })
        .collect();
    let (call, event) = (Route::ApplicationToDevice, Route::DeviceToApplication);
    let expected = [
        (call, "sing", r#"{"song":"x"}"#),
        (event, "echo", r#"{"of":["x"]}"#),
        (event, "Dreamt", r#"{"of":{"sheep":1}}"#),
    ];
    assert_eq!(told, expected);
}

#[test]
fn torn_last_line_is_left_out() {
    let text = recording(&[r#"{"at":0,"in":"tick"}"#, r#"{"at":1,"in":"tick"}"#]);
    let torn = &text[..text.len() - 9];
    let mut story = Story::new(Reader::new(vec![Part::of_text("r", torn)]).unwrap());
    assert_eq!(story.by_ref().count(), 1);
    assert_eq!(story.torn(), Some(12));
}

/// Steps before the wrong line are told.
#[test]
fn wrong_lines_are_refused_with_their_place() {
    let good = r#"{"at":5,"in":"tick"}"#;
    for (line, column, what) in [
        ("{\"at\":6,\"in\":\"tick\"", 19, "the line ends too early"),
        ("[6]", 1, "not a JSON object"),
        ("tick", 2, "not JSON"),
        (r#"{"in":"tick"}"#, 13, "there is no `at`"),
        (
            r#"{"at":-1,"in":"tick"}"#,
            7,
            "`at` is not a whole number from 0",
        ),
        (
            r#"{"at":4,"in":"tick"}"#,
            7,
            "`at` is not at or after the line before",
        ),
        (
            r#"{"at":6}"#,
            1,
            "neither an input nor an output: one of `in` and `out` is expected",
        ),
        (r#"{"at":6,"in":7}"#, 14, "`in` is not a string"),
        (r#"{"at":6,"in":"bytes"}"#, 21, "there is no `bytes`"),
        (
            r#"{"at":6,"in":"bytes","bytes":"Ā"}"#,
            30,
            "`bytes` is not bytes, each the character of its number",
        ),
        (
            r#"{"at":6,"out":"packet","packet":"PUBLIC"}"#,
            33,
            "`packet` is not the name of an MQTT packet",
        ),
        (
            r#"{"at":6,"out":"packet","packet":"PUBACK","id":65536}"#,
            47,
            "`id` is not a packet id",
        ),
    ] {
        let text = recording(&[good, line]);
        let mut story = Story::new(Reader::new(vec![Part::of_text("r", &text)]).unwrap());
        assert!(story.next().unwrap().is_ok(), "{line}");
        let error = story.next().unwrap().unwrap_err();
        assert_eq!(error.to_string(), format!("r:3:{column}: {what}"), "{line}");
        assert!(story.next().is_none(), "{line}");
    }
}
