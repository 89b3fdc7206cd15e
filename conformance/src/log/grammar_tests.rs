use proptest::prelude::*;

use super::super::{Role, Thread};
use super::*;

/// The message as the statement of a line, whatever the header.
fn statement(message: &str) -> Statement {
    parse(message)
}

fn json(text: &str) -> Payload {
    Payload::Json(text.to_owned())
}

/// Messages printed by Python 3.11.7 from the format strings of paho 1.5.1 and of the SDK.
#[test]
fn messages_are_read_as_paho_and_the_sdk_format_them() {
    use Statement as S;
    let text = str::to_owned;
    let cases = [
        ("LoopThread thread exit", S::ThreadExit),
        (
            "connect_async (127.0.0.1:1883)",
            S::ConnectAsync {
                host: Some(text("127.0.0.1")),
                port: 1883,
            },
        ),
        (
            "connect_async (::1:1883)",
            S::ConnectAsync {
                host: Some(text("::1")),
                port: 1883,
            },
        ),
        (
            "connect_async...8883",
            S::ConnectAsync {
                host: None,
                port: 8883,
            },
        ),
        (
            "mqtt reconnect error:[Errno 111] Connection refused",
            S::ReconnectError {
                text: text("[Errno 111] Connection refused"),
            },
        ),
        (
            "failed to receive on socket: [Errno 104] Connection reset by peer",
            S::SocketError {
                text: text("[Errno 104] Connection reset by peer"),
            },
        ),
        (
            r#"Sending CONNECT (u1, p0, wr1, wq1, wf1, c0, k900) client_id=b"P\xc3\xa9'1""#,
            S::SendingConnect {
                user_name: true,
                password: false,
                will_retain: true,
                will_qos: 1,
                will: true,
                clean_session: false,
                keep_alive: 900,
                client_id: text("Pé'1"),
            },
        ),
        (
            "Received CONNACK (0, 5)",
            S::ReceivedConnAck { flags: 0, code: 5 },
        ),
        (
            "on_connect:flags:1,rc:0,userdata:None",
            S::OnConnect { flags: 1, rc: 0 },
        ),
        (
            "on_disconnect:rc:-1,userdata:{'a': 1}",
            S::OnDisconnect { rc: -1 },
        ),
        (
            "on_disconnect:rc:0,userdata:None",
            S::OnDisconnect { rc: 0 },
        ),
        (
            "state error:<HubState.CONNECTING: 2>",
            S::StateError {
                state: text("<HubState.CONNECTING: 2>"),
            },
        ),
        (
            r#"Sending SUBSCRIBE (d0, m1) [(b"a/'x'", 1), (b'\xc3\xa9', 0)]"#,
            S::SendingSubscribe {
                dup: false,
                message_number: 1,
                filters: vec![(text("a/'x'"), 1), (text("é"), 0)],
            },
        ),
        (
            r#"subscribe success topic:[('a', 0), ("it's", 1)]"#,
            S::SubscribeSuccess {
                filters: vec![text("a"), text("it's")],
            },
        ),
        (
            "subscribe success topic:a/b",
            S::SubscribeSuccess {
                filters: vec![text("a/b")],
            },
        ),
        (
            "subscribe error topic:a/b",
            S::SubscribeError {
                filters: vec![text("a/b")],
            },
        ),
        ("Received SUBACK", S::ReceivedSubAck),
        (
            "on_subscribe:mid:0,granted_qos:3,userdata:None",
            S::OnSubscribe {
                message_number: 3,
                granted_qos: 0,
            },
        ),
        (
            "on_subscribe:mid:128,granted_qos:1,userdata:None",
            S::OnSubscribe {
                message_number: 1,
                granted_qos: 128,
            },
        ),
        // The other way round: 0 is no message number, and 7 no QoS.
        (
            "on_subscribe:mid:3,granted_qos:0,userdata:None",
            S::OnSubscribe {
                message_number: 3,
                granted_qos: 0,
            },
        ),
        (
            "on_subscribe:mid:7,granted_qos:1,userdata:None",
            S::OnSubscribe {
                message_number: 7,
                granted_qos: 1,
            },
        ),
        (
            r#"Sending UNSUBSCRIBE (d0, m3) [b'a', b"b'c"]"#,
            S::SendingUnsubscribe {
                dup: false,
                message_number: 3,
                filters: vec![text("a"), text("b'c")],
            },
        ),
        (
            "Received UNSUBACK (Mid: 3)",
            S::ReceivedUnsubAck { message_number: 3 },
        ),
        (
            "on_unsubscribe:mid:3,userdata:None",
            S::OnUnsubscribe { message_number: 3 },
        ),
        (
            "[shadow update] {'type': 'update', 'state': {'desired': None}, 'clientToken': 'é-1'}",
            S::ShadowUpdate {
                json: text(
                    r#"{"type": "update", "state": {"desired": null}, "clientToken": "\u00e9-1"}"#,
                ),
            },
        ),
        (
            "pub topic:$sys/operation/A/b,payload:{'type': 'get', 'resource': ['time']},qos:0",
            S::PublishCall {
                topic: text("$sys/operation/A/b"),
                payload: json(r#"{"type":"get","resource":["time"]}"#),
                qos: 0,
            },
        ),
        (
            r#"Sending PUBLISH (d1, q1, r0, m7), 'b"it's/\xc3\xa9"', ... (5 bytes)"#,
            S::SendingPublish {
                dup: true,
                qos: 1,
                retain: false,
                message_number: 7,
                topic: text("it's/é"),
                length: 5,
            },
        ),
        (
            "Sending PUBLISH (d0, q1, r1, m9), 'b't'' (NULL payload)",
            S::SendingPublish {
                dup: false,
                qos: 1,
                retain: true,
                message_number: 9,
                topic: text("t"),
                length: 0,
            },
        ),
        ("publish success", S::PublishSuccess),
        ("publish failed", S::PublishFailed),
        (
            "Received PUBACK (Mid: 2)",
            S::ReceivedPubAck { message_number: 2 },
        ),
        (
            "Received PUBREC (Mid: 2)",
            S::ReceivedPubRec { message_number: 2 },
        ),
        (
            "Sending PUBREL (Mid: 2)",
            S::SendingPubRel { message_number: 2 },
        ),
        (
            "Received PUBCOMP (Mid: 2)",
            S::ReceivedPubComp { message_number: 2 },
        ),
        (
            "on_publish:mid:65535,userdata:None",
            S::OnPublish {
                message_number: 65535,
            },
        ),
        (
            "Received PUBLISH (d0, q1, r0, m3), 'it's, ', ...  (9 bytes)', ...  (12 bytes)",
            S::ReceivedPublish {
                dup: false,
                qos: 1,
                retain: false,
                message_number: 3,
                topic: text("it's, ', ...  (9 bytes)"),
                length: 12,
            },
        ),
        (
            "Sending PUBACK (Mid: 3)",
            S::SendingPubAck { message_number: 3 },
        ),
        (
            "Sending PUBREC (Mid: 3)",
            S::SendingPubRec { message_number: 3 },
        ),
        (
            "Received PUBREL (Mid: 3)",
            S::ReceivedPubRel { message_number: 3 },
        ),
        (
            "Sending PUBCOMP (Mid: 3)",
            S::SendingPubComp { message_number: 3 },
        ),
        (
            "on_shadow_cb:payload:{'a': ',userdata:x'},userdata:(1, 2)",
            S::OnPayload {
                function: text("on_shadow_cb"),
                payload: json(r#"{"a":",userdata:x"}"#),
            },
        ),
        (
            "product_1:on_template_property:params:{'code': 0},userdata:None",
            S::OnPayload {
                function: text("product_1:on_template_property"),
                payload: json(r#"{"code":0}"#),
            },
        ),
        (
            "my_callback:payload:two\nlines,userdata:None",
            S::OnPayload {
                function: text("my_callback"),
                payload: Payload::Text(text("two\nlines")),
            },
        ),
        (
            "on_message:topic:a/b,payload:{'x': '},qos:1'},qos:1,userdata:None",
            S::OnMessage {
                topic: text("a/b"),
                payload: json(r#"{"x":"},qos:1"}"#),
                qos: 1,
            },
        ),
        // The sample's parameters are declared in another order than they are passed.
        (
            "on_message:topic:a/b,payload:0,qos:{'type': 'get'},userdata:{'u': 1}",
            S::OnMessage {
                topic: text("a/b"),
                payload: json(r#"{"type":"get"}"#),
                qos: 0,
            },
        ),
        (
            "on_message:topic:a/b,payload:text, more,qos:0,userdata:None",
            S::OnMessage {
                topic: text("a/b"),
                payload: Payload::Text(text("text, more")),
                qos: 0,
            },
        ),
        (
            "thread runnable raise exception:Expecting value: line 1 column 1 (char 0)",
            S::CallbackError {
                text: text("Expecting value: line 1 column 1 (char 0)"),
            },
        ),
        ("Sending PINGREQ", S::SendingPingReq),
        ("Received PINGRESP", S::ReceivedPingResp),
        ("disconnect", S::Disconnect),
        ("Sending DISCONNECT", S::SendingDisconnect),
        (
            "app: desired set\nand more",
            S::AppRemark {
                text: text("desired set\nand more"),
            },
        ),
    ];
    for (message, expected) in cases {
        assert_eq!(statement(message), expected, "{message}");
    }
}

#[test]
fn known_chatter_names_its_source() {
    for (message, name, source, thread) in [
        (
            " shadow test start...",
            "environment",
            "hub/sample/*/example_*.py",
            Thread::Application,
        ),
        (
            "connect with key...",
            "environment",
            "hub/protocol/protocol.py",
            Thread::Network,
        ),
        (
            "EventCbThread try start",
            "environment",
            "hub/manager/manager.py",
            Thread::Application,
        ),
        (
            "queue full: Full()",
            "fault",
            "hub/manager/manager.py",
            Thread::Network,
        ),
        (
            "post_message fail started:True,exited:False",
            "fault",
            "hub/manager/manager.py",
            Thread::Network,
        ),
        (
            "[shadow] publish error:rc:4",
            "fault",
            "hub/hub.py",
            Thread::Application,
        ),
        (
            "on_connect process raise exception:KeyError('x')",
            "fault",
            "hub/hub.py",
            Thread::Callback,
        ),
        (
            "wait for reply timeout",
            "fault",
            "hub/sample/shadow/example_shadow.py",
            Thread::Application,
        ),
        (
            "please set logger parameter:\n\tfilePath: log file path.\n\tmaxBytes: bytes of one \
             file.\n\tbackupCount: file number.",
            "fault",
            "hub/hub.py",
            Thread::Application,
        ),
    ] {
        let statement = statement(message);
        assert_eq!(statement.name(), name, "{message}");
        assert_eq!(statement.thread(), Some(thread), "{message}");
        match statement {
            Statement::Environment { source: found, .. }
            | Statement::Fault { source: found, .. } => {
                assert_eq!(found, source, "{message}");
            }
            other => panic!("{message}: {other:?}"),
        }
    }
}

#[test]
fn what_only_begins_like_a_known_line_is_unknown_and_says_why() {
    for (message, reason) in [
        ("hello", None),
        ("publish successful", None),
        ("disconnected", None),
        (":payload:1,userdata:None", None),
        ("a::payload:1,userdata:None", None),
        (
            "Sending PINGREQ now",
            Some("column 16 of the message: expected the end of the message"),
        ),
        (
            "Received CONNACK (0, 256)",
            Some("column 22 of the message: expected a number in range"),
        ),
        (
            "Sending PUBLISH (d2, q0, r0, m1), 'b'a'', ... (1 bytes)",
            Some("column 19 of the message: expected 0 or 1"),
        ),
        (
            "Sending PUBLISH (d0, q3, r0, m1), 'b'a'', ... (1 bytes)",
            Some("column 23 of the message: expected 0, 1 or 2"),
        ),
        (
            "on_publish:mid:70000,userdata:None",
            Some("column 16 of the message: expected a number in range"),
        ),
        (
            "on_subscribe:mid:7,granted_qos:9,userdata:None",
            Some("neither number can be the granted QoS"),
        ),
        (
            "on_shadow_cb:payload:{'a': nan},userdata:None",
            Some("column 28 of the message: JSON has no nan and no inf"),
        ),
        (
            "[shadow update] {'a': 1} {'b': 2}",
            Some("column 26 of the message: expected nothing after the literal"),
        ),
        (
            "on_message:topic:t,payload:{'a': 1},qos:9,userdata:None",
            Some("neither payload nor qos is a QoS"),
        ),
    ] {
        assert_eq!(
            statement(message),
            Statement::Unknown {
                text: message.to_owned(),
                reason: reason.map(str::to_owned)
            },
            "{message}"
        );
    }
}

#[test]
fn causes_and_effects_are_told_apart() {
    for (message, role) in [
        ("Received SUBACK", Role::Cause),
        ("disconnect", Role::Cause),
        ("[shadow update] {}", Role::Cause),
        ("mqtt reconnect error:timed out", Role::Cause),
        ("Sending PINGREQ", Role::Effect),
        ("on_publish:mid:2,userdata:None", Role::Effect),
        ("getShadow error", Role::Effect),
        ("app: hi", Role::Remark),
        ("LoopThread thread enter", Role::Remark),
    ] {
        assert_eq!(statement(message).role(), role, "{message}");
    }
}

/// What forms begin with, up to where they vary.
const BEGINNINGS: [&str; 25] = [
    "Sending CONNECT (u1, p1, wr0, wq0, wf0, c1, k60) client_id=",
    "Sending SUBSCRIBE (d0, m1) ",
    "Sending UNSUBSCRIBE (d0, m3) [b'",
    "Sending PUBLISH (d0, q0, r0, m2), '",
    "Received PUBLISH (d0, q0, r0, m0), '",
    "Received CONNACK (",
    "[shadow update] ",
    "pub topic:a,payload:",
    "subscribe success topic:[(",
    "connect_async",
    "connect_async (",
    "on_",
    "on_subscribe:mid:",
    "on_message:topic:",
    "on_message:topic:a,payload:",
    "on_shadow_cb:payload:{",
    "x:payload:",
    "state error:",
    "disconnect",
    "app: ",
    "client:",
    "[",
    "* test",
    "device name: ",
    "动态注册请求: ",
];

proptest! {
    #[test]
    fn any_message_is_read(
        text in any::<String>(),
        beginning in proptest::sample::select(&BEGINNINGS[..]),
        tail in "[ -~\n]{0,60}",
    ) {
        for message in [&text, &tail, &format!("{beginning}{tail}")] {
            // Nothing of an unknown message is lost.
            if let Statement::Unknown { text, .. } = statement(message) {
                prop_assert_eq!(&text, message);
            }
        }
    }
}
