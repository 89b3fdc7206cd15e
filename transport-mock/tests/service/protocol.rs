//! The device's side of the protocol, rule by rule.

use shadow_core::tencent::ShadowName;
use transport_mock::service::{DeltaPush, Limits, ResultCode, ServiceConfig, ShadowService};

use crate::support::{answers, at, json, name, reply};

const T: u64 = 1_626_770_697_123;

/// A service whose document is at version 8: `state`, last changed at 1,000 ms.
fn seeded(state: &str) -> ShadowService {
    seeded_with(state, ServiceConfig::default())
}

fn seeded_with(state: &str, config: ServiceConfig) -> ShadowService {
    let mut cloud = ShadowService::with_config(config);
    cloud.seed(&name(), state, 8, at(1_000)).unwrap();
    cloud
}

fn update(state: &str) -> String {
    format!(r#"{{"type":"update","state":{state}}}"#)
}

/// The `state` of the reply to an accepted update.
fn state_of(reply: &str) -> String {
    let reply = json(reply);
    assert_eq!(reply["result"], 0, "{reply}");
    reply["payload"]["state"].to_string()
}

#[test]
fn get_of_an_empty_shadow_has_seconds_inside_and_outside() {
    assert_eq!(
        reply(
            &mut ShadowService::new(),
            T,
            r#"{"type":"get","clientToken":"t"}"#
        ),
        concat!(
            r#"{"clientToken":"t","payload":{"state":{"reported":{}},"timestamp":1626770697,"#,
            r#""version":0},"result":0,"timestamp":1626770697,"type":"get"}"#
        )
    );
}

#[test]
fn get_has_milliseconds_of_the_last_change_inside_and_seconds_outside() {
    let mut cloud = seeded(r#"{"reported":{"b":2,"a":1},"desired":{"c":3,"a":1}}"#);
    assert_eq!(
        reply(&mut cloud, T, r#"{"type":"get","clientToken":"t"}"#),
        concat!(
            r#"{"clientToken":"t","payload":{"state":{"delta":{"c":3},"desired":{"a":1,"c":3},"#,
            r#""reported":{"a":1,"b":2}},"timestamp":1000,"version":8},"result":0,"#,
            r#""timestamp":1626770697,"type":"get"}"#
        )
    );
}

#[test]
fn get_has_a_delta_only_where_desired_differs() {
    let mut cloud = seeded(r#"{"reported":{"a":1},"desired":{"a":1}}"#);
    let document = json(&reply(&mut cloud, T, r#"{"type":"get"}"#));
    assert_eq!(
        document["payload"]["state"].to_string(),
        r#"{"desired":{"a":1},"reported":{"a":1}}"#
    );
}

#[test]
fn update_has_milliseconds_inside_and_outside_and_only_what_changed() {
    let mut cloud = seeded(r#"{"reported":{"a":1,"b":{"c":2,"d":3}}}"#);
    let request = concat!(
        r#"{"type":"update","state":{"reported":{"a":1,"b":{"c":5,"d":3},"e":"x"}},"#,
        r#""clientToken":"t"}"#
    );
    assert_eq!(
        reply(&mut cloud, T, request),
        concat!(
            r#"{"clientToken":"t","payload":{"state":{"reported":{"b":{"c":5},"e":"x"}},"#,
            r#""timestamp":1626770697123,"version":9},"result":0,"timestamp":1626770697123,"#,
            r#""type":"update"}"#
        )
    );
    assert_eq!(
        cloud.shadow(&name()).unwrap().reported(),
        r#"{"a":1,"b":{"c":5,"d":3},"e":"x"}"#
    );
}

#[test]
fn update_that_changes_nothing_keeps_version_and_timestamp() {
    let mut cloud = seeded(r#"{"reported":{"a":1}}"#);
    assert_eq!(
        reply(&mut cloud, T, &update(r#"{"reported":{"a":1}}"#)),
        concat!(
            r#"{"payload":{"state":{"reported":{}},"timestamp":1000,"version":8},"result":0,"#,
            r#""timestamp":1626770697123,"type":"update"}"#
        )
    );
    let untouched = &mut ShadowService::new();
    reply(untouched, T, &update(r#"{"reported":{},"desired":null}"#));
    assert_eq!(untouched.shadow(&name()), None);
}

#[test]
fn update_that_changes_nothing_counts_if_so_configured() {
    let config = ServiceConfig {
        count_unchanged: true,
        ..ServiceConfig::default()
    };
    let mut cloud = seeded_with(r#"{"reported":{"a":1}}"#, config);
    let reply = json(&reply(&mut cloud, T, &update(r#"{"reported":{"a":1}}"#)));
    assert_eq!(reply["payload"]["version"], 9);
    assert_eq!(reply["payload"]["timestamp"], T);
}

#[test]
fn client_token_comes_back_as_a_string_or_not_at_all() {
    let mut cloud = ShadowService::new();
    for (sent, returned) in [
        (r#""ABCDE12345-0""#, r#""ABCDE12345-0""#),
        ("8480", r#""8480""#),
        ("-1.50", r#""-1.50""#),
        ("18446744073709551616", r#""18446744073709551616""#),
        (r#""\u4e2d\"\\\n""#, "\"中\\\"\\\\\\n\""),
        (r#""""#, r#""""#),
    ] {
        let reply = reply(
            &mut cloud,
            T,
            &format!(r#"{{"clientToken":{sent},"type":"get"}}"#),
        );
        let expected = format!(r#"{{"clientToken":{returned},"payload":{{"#);
        assert!(reply.starts_with(&expected), "{reply}");
    }
    for request in [r#"{"type":"get"}"#, r#"{"type":"get","clientToken":null}"#] {
        assert!(reply(&mut cloud, T, request).starts_with(r#"{"payload":"#));
    }
}

#[test]
fn version_is_checked_unless_it_is_zero_or_absent() {
    for version in [
        "",
        r#","version":0"#,
        r#","version":8"#,
        r#","version":null"#,
    ] {
        let mut cloud = seeded("{}");
        let request = format!(r#"{{"type":"update","state":{{"reported":{{"a":1}}}}{version}}}"#);
        assert_eq!(
            json(&reply(&mut cloud, T, &request))["result"],
            0,
            "{version}"
        );
        assert_eq!(cloud.shadow(&name()).unwrap().version(), 9, "{version}");
    }
    for version in ["7", "9", "18446744073709551615"] {
        let mut cloud = seeded(r#"{"reported":{"a":1},"desired":{"a":2}}"#);
        let before = cloud.shadow(&name()).cloned();
        let request = format!(
            r#"{{"type":"update","state":{{"reported":null}},"version":{version},"clientToken":"t"}}"#
        );
        assert_eq!(
            reply(&mut cloud, T, &request),
            concat!(
                r#"{"clientToken":"t","payload":{"state":{"delta":{"a":2},"desired":{"a":2},"#,
                r#""reported":{"a":1}},"timestamp":1000,"version":8},"result":5005,"#,
                r#""timestamp":1626770697123,"type":"update"}"#
            )
        );
        assert_eq!(cloud.shadow(&name()).cloned(), before);
    }
}

#[test]
fn null_deletes_a_key_and_clears_a_part() {
    let mut cloud = seeded(r#"{"reported":{"a":1,"b":{"c":2,"d":3}},"desired":{"x":1}}"#);
    let deleted = reply(
        &mut cloud,
        T,
        &update(r#"{"reported":{"a":null,"b":{"c":null},"never":null}}"#),
    );
    assert_eq!(
        state_of(&deleted),
        r#"{"reported":{"a":null,"b":{"c":null}}}"#
    );
    assert_eq!(
        cloud.shadow(&name()).unwrap().reported(),
        r#"{"b":{"d":3}}"#
    );

    let cleared = reply(
        &mut cloud,
        T,
        &update(r#"{"reported":{"x":1},"desired":null}"#),
    );
    assert_eq!(state_of(&cleared), r#"{"desired":null,"reported":{"x":1}}"#);
    assert_eq!(cloud.shadow(&name()).unwrap().desired(), None);
    assert_eq!(cloud.shadow(&name()).unwrap().version(), 10);

    let cleared = reply(&mut cloud, T, &update(r#"{"reported":null}"#));
    assert_eq!(state_of(&cleared), r#"{"reported":null}"#);
    assert_eq!(
        cloud.document(at(T), &name()),
        r#"{"state":{"reported":{}},"timestamp":1626770697123,"version":11}"#
    );
}

#[test]
fn arrays_are_replaced_whole() {
    let mut cloud = seeded(r#"{"reported":{"a":[1,{"x":1,"y":2}]},"desired":{"a":[1]}}"#);
    let replaced = reply(
        &mut cloud,
        T,
        &update(r#"{"reported":{"a":[null,{"x":1}]}}"#),
    );
    assert_eq!(state_of(&replaced), r#"{"reported":{"a":[null,{"x":1}]}}"#);
    let shadow = cloud.shadow(&name()).unwrap();
    assert_eq!(shadow.reported(), r#"{"a":[null,{"x":1}]}"#);
    assert_eq!(shadow.delta().as_deref(), Some(r#"{"a":[1]}"#));
}

#[test]
fn overwrite_update_replaces_reported_and_merges_desired() {
    let mut cloud = seeded(r#"{"reported":{"a":1,"b":2},"desired":{"x":1}}"#);
    let request = concat!(
        r#"{"type":"update","overwriteUpdate":true,"#,
        r#""state":{"reported":{"b":2,"c":{"d":null}},"desired":{"y":2}}}"#
    );
    let [reply, push] = <[String; 2]>::try_from(answers(&mut cloud, T, request)).unwrap();
    assert_eq!(
        state_of(&reply),
        r#"{"desired":{"y":2},"reported":{"a":null,"c":{}}}"#
    );
    assert_eq!(json(&push)["type"], "delta");
    let shadow = cloud.shadow(&name()).unwrap();
    assert_eq!(shadow.reported(), r#"{"b":2,"c":{}}"#);
    assert_eq!(shadow.desired().as_deref(), Some(r#"{"x":1,"y":2}"#));
}

#[test]
fn device_that_desires_gets_the_push_after_the_reply() {
    let mut cloud = seeded(r#"{"reported":{"a":1},"desired":{"b":0}}"#);
    let answered = answers(&mut cloud, T, &update(r#"{"desired":{"a":1,"c":{"d":4}}}"#));
    let [reply, push] = <[String; 2]>::try_from(answered).unwrap();
    assert_eq!(state_of(&reply), r#"{"desired":{"a":1,"c":{"d":4}}}"#);
    assert_eq!(
        push,
        concat!(
            r#"{"payload":{"state":{"b":0,"c":{"d":4}},"timestamp":1626770697123,"version":9},"#,
            r#""timestamp":1626770697123,"type":"delta"}"#
        )
    );
    let unchanged = answers(&mut cloud, T, &update(r#"{"desired":{"c":{"d":4}}}"#));
    assert_eq!(unchanged.len(), 1, "desired did not change: no push");
    let reported = answers(&mut cloud, T, &update(r#"{"reported":{"a":2}}"#));
    assert_eq!(reported.len(), 1, "only reported changed: no push");
}

#[test]
fn both_parts_at_once_are_one_change() {
    let mut cloud = seeded(r#"{"reported":{"a":1}}"#);
    let both = answers(
        &mut cloud,
        T,
        &update(r#"{"desired":{"a":2},"reported":{"a":2}}"#),
    );
    assert_eq!(
        both.len(),
        1,
        "desired is what was reported along with it: no push"
    );
    assert_eq!(
        json(&both[0])["payload"]["state"].to_string(),
        r#"{"desired":{"a":2},"reported":{"a":2}}"#
    );
    assert_eq!(cloud.shadow(&name()).unwrap().version(), 9);
}

#[test]
fn push_of_changes_holds_no_older_difference() {
    let config = ServiceConfig {
        delta_push: DeltaPush::Changes,
        ..ServiceConfig::default()
    };
    let mut cloud = seeded_with(r#"{"reported":{"a":1},"desired":{"a":0,"b":0}}"#, config);
    let push = cloud
        .set_desired(at(T), &name(), r#"{"c":3}"#, None)
        .unwrap()
        .push;
    assert!(
        String::from_utf8(push.unwrap())
            .unwrap()
            .contains(r#"{"state":{"c":3},"#)
    );
    let deletion = cloud
        .set_desired(at(T), &name(), r#"{"b":null}"#, None)
        .unwrap();
    assert_eq!(deletion.push, None, "the deleted key is nothing to apply");
    let met = cloud
        .set_desired(at(T), &name(), r#"{"a":1}"#, None)
        .unwrap();
    assert_eq!(met.push, None, "the change is what was reported already");
}

#[test]
fn metadata_has_the_time_of_each_leaf() {
    let config = ServiceConfig {
        metadata: true,
        ..ServiceConfig::default()
    };
    let mut cloud = ShadowService::with_config(config);
    assert_eq!(
        cloud.document(at(T), &name()),
        r#"{"metadata":{},"state":{},"version":0}"#
    );
    let first = reply(
        &mut cloud,
        1_000,
        &update(r#"{"reported":{"a":[1],"n":{"x":1,"y":2}}}"#),
    );
    assert_eq!(
        first,
        concat!(
            r#"{"payload":{"metadata":{"reported":{"a":{"timestamp":1000},"n":{"x":{"timestamp":"#,
            r#"1000},"y":{"timestamp":1000}}}},"state":{"reported":{"a":[1],"n":{"x":1,"y":2}}},"#,
            r#""timestamp":1000,"version":1},"result":0,"timestamp":1000,"type":"update"}"#
        )
    );
    let second = reply(
        &mut cloud,
        2_000,
        &update(r#"{"reported":{"a":null,"n":{"x":1,"y":3}}}"#),
    );
    assert_eq!(
        json(&second)["payload"]["metadata"].to_string(),
        r#"{"reported":{"n":{"y":{"timestamp":2000}}}}"#
    );
    let push = cloud
        .set_desired(at(3_000), &name(), r#"{"n":{"x":1,"y":4}}"#, None)
        .unwrap()
        .push;
    assert_eq!(
        String::from_utf8(push.unwrap()).unwrap(),
        concat!(
            r#"{"payload":{"metadata":{"n":{"y":{"timestamp":3000}}},"state":{"n":{"y":4}},"#,
            r#""timestamp":3000,"version":3},"timestamp":3000,"type":"delta"}"#,
            "\n"
        )
    );
    assert_eq!(
        cloud.shadow(&name()).unwrap().metadata(),
        concat!(
            r#"{"delta":{"n":{"y":{"timestamp":3000}}},"#,
            r#""desired":{"n":{"x":{"timestamp":3000},"y":{"timestamp":3000}}},"#,
            r#""reported":{"n":{"x":{"timestamp":1000},"y":{"timestamp":2000}}}}"#
        )
    );
}

#[test]
fn values_survive_textually() {
    let values = concat!(
        r#"{"big":12345678901234567890123,"dec":1.10,"exp":1e400,"max":18446744073709551615,"#,
        r#""min":-9223372036854775808,"neg":-0.0,"text":"来自 \"x\" % \t\u0001 😀"}"#
    );
    let mut cloud = ShadowService::new();
    reply(
        &mut cloud,
        T,
        &update(&format!(r#"{{"reported":{values}}}"#)),
    );
    assert_eq!(cloud.shadow(&name()).unwrap().reported(), values);
    let same =
        r#"{"reported":{ "text" : "\u6765\u81ea \u0022x\u0022 % \u0009\u0001 \ud83d\ude00" }}"#;
    assert_eq!(
        state_of(&reply(&mut cloud, T, &update(same))),
        r#"{"reported":{}}"#
    );
    let other = reply(&mut cloud, T, &update(r#"{"reported":{"dec":1.1}}"#));
    assert!(other.contains(r#"{"reported":{"dec":1.1}}"#), "{other}");
}

#[test]
fn shadows_are_apart() {
    let mut cloud = seeded(r#"{"reported":{"a":1}}"#);
    for (product_id, device_name) in [("ABCDE12345", "test02"), ("ABCDE12346", "test01")] {
        let other = ShadowName::new(product_id, device_name).unwrap();
        assert_eq!(cloud.shadow(&other), None);
        let change = cloud.set_desired(at(T), &other, r#"{"b":1}"#, Some(0));
        assert_eq!(change.unwrap().version, 1);
    }
    assert_eq!(cloud.shadow(&name()).unwrap().version(), 8);
}

#[test]
fn malformed_requests_are_refused_with_what_could_be_read() {
    let document = r#""payload":{"state":{"reported":{"a":1}},"timestamp":1000,"version":8}"#;
    let unread = format!(r#"{{{document},"result":9000,"timestamp":{T}}}"#);
    let untyped = format!(r#"{{"clientToken":"t",{document},"result":9000,"timestamp":{T}}}"#);
    let of_update = format!(
        r#"{{"clientToken":"t",{document},"result":9000,"timestamp":{T},"type":"update"}}"#
    );
    let tokenless = format!(
        r#"{{{document},"result":9000,"timestamp":{},"type":"get"}}"#,
        T / 1000
    );
    let mut cloud = seeded(r#"{"reported":{"a":1}}"#);
    for (request, expected) in [
        ("", &unread),
        ("{", &unread),
        ("[]", &unread),
        ("null", &unread),
        (r#"{"type":"get"}x"#, &unread),
        (r#"{"clientToken":"t"}"#, &untyped),
        (r#"{"clientToken":"t","type":"delta"}"#, &untyped),
        (r#"{"clientToken":"t","type":7}"#, &untyped),
        (r#"{"clientToken":{},"type":"get"}"#, &tokenless),
        (r#"{"clientToken":true,"type":"get"}"#, &tokenless),
        (r#"{"clientToken":"\ud800","type":"get"}"#, &tokenless),
    ] {
        assert_eq!(&reply(&mut cloud, T, request), expected, "{request}");
    }
    for members in [
        "",
        r#","state":null"#,
        r#","state":[]"#,
        r#","state":"reported""#,
        r#","state":{"reported":1}"#,
        r#","state":{"reported":[]}"#,
        r#","state":{"desired":"x"}"#,
        r#","state":{"reported":{"b":"\ud800"}}"#,
        r#","state":{"reported":{"b":1}},"version":"8""#,
        r#","state":{"reported":{"b":1}},"version":-1"#,
        r#","state":{"reported":{"b":1}},"version":8.0"#,
        r#","state":{"reported":{"b":1}},"version":18446744073709551616"#,
        r#","state":{"reported":{"b":1}},"overwriteUpdate":1"#,
    ] {
        let request = format!(r#"{{"type":"update","clientToken":"t"{members}}}"#);
        assert_eq!(reply(&mut cloud, T, &request), of_update, "{request}");
    }
    let not_utf8 = cloud.handle_request(
        at(T),
        &name(),
        b"{\"type\":\"get\",\"clientToken\":\"\xff\"}",
    );
    assert_eq!(not_utf8, [format!("{unread}\n").into_bytes()]);
    assert_eq!(cloud.shadow(&name()).unwrap().version(), 8);
}

#[test]
fn unknown_members_and_white_space_are_ignored_and_the_last_duplicate_counts() {
    let mut cloud = ShadowService::new();
    let request = concat!(
        " {\"x\":[[[[[[[[1]]]]]]]], \"type\":\"get\" ,\"type\" : \"update\",\r\n\"state\":",
        "{\"delta\":7,\"reported\":{\"a\":1,\"a\":2}}}\n\t "
    );
    assert_eq!(
        state_of(&reply(&mut cloud, T, request)),
        r#"{"reported":{"a":2}}"#
    );
}

#[test]
fn limits_refuse_and_change_nothing() {
    let limits = Limits {
        payload_bytes: 120,
        document_bytes: 60,
        levels: 2,
        shadows: 1,
    };
    let config = ServiceConfig {
        limits,
        ..ServiceConfig::default()
    };
    let mut cloud = seeded_with(r#"{"reported":{"a":"1234567890"}}"#, config);
    let before = cloud.shadow(&name()).cloned();

    // {"reported":{"a":"1234567890","b":""}} has 38 bytes: 22 more fit.
    for (fill, code) in [(22, ResultCode::ACCEPTED), (23, ResultCode::TOO_LARGE)] {
        let mut cloud = cloud.clone();
        let request = update(&format!(r#"{{"reported":{{"b":"{}"}}}}"#, "x".repeat(fill)));
        let reply = json(&reply(&mut cloud, T, &request));
        assert_eq!(reply["result"], code.value(), "{fill}");
        assert_eq!(cloud.shadow(&name()).unwrap().version() == 8, fill == 23);
    }
    for (state, code) in [
        (r#"{"reported":{"b":{"c":1}}}"#, ResultCode::ACCEPTED),
        (r#"{"reported":{"b":[1]}}"#, ResultCode::ACCEPTED),
        (r#"{"reported":{"b":{"c":{}}}}"#, ResultCode::TOO_DEEP),
        (r#"{"desired":{"b":[[]]}}"#, ResultCode::TOO_DEEP),
    ] {
        let reply = json(&answers(&mut cloud.clone(), T, &update(state))[0]);
        assert_eq!(reply["result"], code.value(), "{state}");
    }
    for (padding, code) in [(0, ResultCode::ACCEPTED), (1, ResultCode::TOO_LARGE)] {
        let request = format!("{:<width$}", r#"{"type":"get"}"#, width = 120 + padding);
        assert_eq!(
            json(&reply(&mut cloud, T, &request))["result"],
            code.value()
        );
    }

    let stranger = ShadowName::new("ABCDE12345", "test02").unwrap();
    let refused = cloud.handle_request(
        at(T),
        &stranger,
        update(r#"{"reported":{"a":1}}"#).as_bytes(),
    );
    assert_eq!(
        String::from_utf8(refused.concat()).unwrap(),
        concat!(
            r#"{"payload":{"state":{"reported":{}},"timestamp":1626770697,"version":0},"#,
            r#""result":9003,"timestamp":1626770697123,"type":"update"}"#,
            "\n"
        )
    );
    assert_eq!(cloud.shadow(&stranger), None);
    assert_eq!(cloud.shadow(&name()).cloned(), before);
}
