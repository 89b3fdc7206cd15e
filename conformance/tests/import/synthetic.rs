//! Logs written by hand from the format strings of the SDK (iot-device-python 11b28b8) and of paho
//! 1.5.1, in the order in which their sources print them.

use conformance::import::{Report, Verdict};

use crate::fixtures::replay_text;

const CONNECT: &str = "\
0.000 LoopThread thread enter
0.001 connect_async (P123456789.iotcloud.tencentdevices.com:8883)
0.100 Sending CONNECT (u1, p1, wr0, wq0, wf0, c1, k60) client_id=b'P123456789dev'
0.150 Received CONNACK (0, 0)
0.150 on_connect:flags:0,rc:0,userdata:None
";

/// A log of lines `seconds.millis message`.
pub(crate) fn log(lines: &str) -> String {
    let line = |line: &str| {
        let (time, message) = line.split_once(' ').unwrap();
        let (seconds, millis) = time.split_once('.').unwrap();
        let seconds: u32 = seconds.parse().unwrap();
        let (hour, minute, second) = (3 + seconds / 3600, seconds / 60 % 60, seconds % 60);
        format!(
            "2026-01-02 {hour:02}:{minute:02}:{second:02},{millis}.{millis} [a.py:1] - DEBUG - {message}\n"
        )
    };
    lines.lines().map(line).collect()
}

fn replay_after_connect(lines: &str) -> Report {
    replay_text(&log(&format!("{CONNECT}{lines}")))
}

fn explained(report: &Report) {
    assert_eq!(report.unexplained(), 0, "{report}");
}

/// Every run of the lines is explained.
fn runs_explained(lines: &str) {
    let text = log(lines);
    let lines: Vec<&str> = text.lines().collect();
    for from in 0..lines.len() {
        for to in from + 1..=lines.len() {
            let report = replay_text(&(lines[from..to].join("\n") + "\n"));
            assert_eq!(report.unexplained(), 0, "{}..{to}: {report}", from + 1);
        }
    }
}

/// The only unexplained line is this one, for this reason.
fn unexplained_at(report: &Report, number: usize, reason: &str) {
    let found: Vec<_> = report
        .lines
        .iter()
        .filter_map(|line| match &line.verdict {
            Verdict::Unexplained { reason } => Some((line.number, reason.as_str())),
            _ => None,
        })
        .collect();
    assert!(
        found
            .iter()
            .any(|(line, why)| *line == number && why.contains(reason)),
        "{reason:?} at {number}:\n{report}"
    );
}

#[test]
fn qos_1_both_ways() {
    let lines = "\
1.000 Sending SUBSCRIBE (d0, m1) [(b'P123456789/dev/data', 1)]
1.000 subscribe success topic:P123456789/dev/data
1.050 Received SUBACK
1.051 on_subscribe:mid:1,granted_qos:1,userdata:None
2.000 Sending PUBLISH (d0, q1, r0, m2), 'b'P123456789/dev/data'', ... (16 bytes)
2.000 publish success
2.050 Received PUBACK (Mid: 2)
2.050 on_publish:mid:2,userdata:None
2.060 Received PUBLISH (d0, q1, r0, m1), 'P123456789/dev/data', ...  (16 bytes)
2.060 Sending PUBACK (Mid: 1)
2.061 on_message:topic:P123456789/dev/data,payload:{'action': 'x1'},qos:1,userdata:None
";
    let report = replay_after_connect(lines);
    explained(&report);
    runs_explained(&format!("{CONNECT}{lines}"));
    // CONNECT and CONNACK with callback, SUBSCRIBE to on_subscribe, all of QoS 1 but the PUBLISH,
    // whose payload is not printed.
    assert_eq!(
        (
            report.counts.reproduced,
            report.counts.environment,
            report.counts.inferred
        ),
        (13, 2, 1)
    );
    let wrong = replay_after_connect(
        &lines.replace("Received PUBACK (Mid: 2)", "Received PUBACK (Mid: 3)"),
    );
    unexplained_at(&wrong, 12, "no acknowledgement of m3");
    unexplained_at(&wrong, 13, "found `on_publish:mid:2`");
    let wrong =
        replay_after_connect(&lines.replace("Sending PUBACK (Mid: 1)", "Sending PUBACK (Mid: 2)"));
    unexplained_at(&wrong, 15, "expected `Sending PUBACK (Mid: 1)`");
    let early = replay_after_connect(&lines.replace(
        "2.050 Received PUBACK (Mid: 2)\n2.050 on_publish:mid:2,userdata:None\n",
        "2.049 on_publish:mid:2,userdata:None\n2.050 Received PUBACK (Mid: 2)\n",
    ));
    unexplained_at(&early, 12, "found `on_publish:mid:2`");
}

#[test]
fn pings() {
    let lines = "\
1.000 Sending SUBSCRIBE (d0, m1) [(b'$shadow/operation/result/P123456789/dev', 0)]
1.000 subscribe success topic:$shadow/operation/result/P123456789/dev
1.050 Received SUBACK
1.051 on_subscribe:mid:0,granted_qos:1,userdata:None
63.500 Sending PINGREQ
63.550 Received PINGRESP
125.000 Sending PINGREQ
125.040 Received PINGRESP
";
    let report = replay_after_connect(lines);
    explained(&report);
    runs_explained(&format!("{CONNECT}{lines}"));
    assert!(
        report
            .findings
            .iter()
            .any(|finding| finding.contains("PINGREQ comes"))
    );
    let early = replay_after_connect(&lines.replace("63.500 Sending", "59.000 Sending"));
    unexplained_at(&early, 10, "expected no PINGREQ for another");
    let late = replay_after_connect(
        &lines
            .replace("63.500 Sending", "67.900 Sending")
            .replace("63.550", "67.950"),
    );
    unexplained_at(&late, 10, "expected PINGREQ 6.9 s before");
    let unasked = replay_after_connect(&lines.replace("63.500 Sending PINGREQ\n", ""));
    unexplained_at(&unasked, 10, "expected PINGREQ before it");
    let unanswered = replay_after_connect(&lines.replace("63.550 Received PINGRESP\n", ""));
    unexplained_at(&unanswered, 11, "before PINGRESP");
    let none = replay_after_connect(
        &lines.replace("63.500 Sending PINGREQ\n63.550 Received PINGRESP\n", ""),
    );
    assert!(none.unexplained() > 0, "{none}");
}

#[test]
fn disconnect_and_unsubscribe() {
    let lines = "\
1.000 Sending SUBSCRIBE (d0, m1) [(b'$shadow/operation/result/P123456789/dev', 0)]
1.000 subscribe success topic:$shadow/operation/result/P123456789/dev
1.050 Received SUBACK
1.051 on_subscribe:mid:0,granted_qos:1,userdata:None
2.000 Sending UNSUBSCRIBE (d0, m2) [b'$shadow/operation/result/P123456789/dev']
2.050 Received UNSUBACK (Mid: 2)
2.051 on_unsubscribe:mid:2,userdata:None
3.000 disconnect
3.000 Sending DISCONNECT
3.001 on_disconnect:rc:0,userdata:None
3.002 LoopThread thread exit
";
    explained(&replay_after_connect(lines));
    runs_explained(&format!("{CONNECT}{lines}"));
    let wrong = replay_after_connect(&lines.replace("3.000 disconnect\n", ""));
    unexplained_at(&wrong, 13, "expected the application's `disconnect`");
    let wrong = replay_after_connect(&lines.replace("UNSUBACK (Mid: 2)", "UNSUBACK (Mid: 1)"));
    unexplained_at(&wrong, 11, "no acknowledgement of m1");
}

#[test]
fn connecting_again_after_a_disconnect_goes_on_counting_numbers() {
    let lines = format!("\
1.000 Sending SUBSCRIBE (d0, m1) [(b'$shadow/operation/result/P123456789/dev', 0)]
1.000 subscribe success topic:$shadow/operation/result/P123456789/dev
1.050 Received SUBACK
1.051 on_subscribe:mid:0,granted_qos:1,userdata:None
2.000 Sending PUBLISH (d0, q0, r0, m2), 'b'$shadow/operation/P123456789/dev'', ... (46 bytes)
2.000 publish success
2.000 on_publish:mid:2,userdata:None
3.000 disconnect
3.000 Sending DISCONNECT
3.001 on_disconnect:rc:0,userdata:None
3.002 LoopThread thread exit
{}5.000 Sending SUBSCRIBE (d0, m3) [(b'$shadow/operation/result/P123456789/dev', 0)]
5.000 subscribe success topic:$shadow/operation/result/P123456789/dev
5.050 Received SUBACK
5.051 on_subscribe:mid:0,granted_qos:3,userdata:None
5.100 [shadow update] {{'type': 'update', 'state': {{'desired': None}}, 'clientToken': 'P123456789-1'}}
5.100 Sending PUBLISH (d0, q0, r0, m4), 'b'$shadow/operation/P123456789/dev'', ... (77 bytes)
5.100 publish success
5.100 on_publish:mid:4,userdata:None
", CONNECT.replace("0.", "4."));
    explained(&replay_after_connect(&lines));
    // `shadowInit` makes a new counter. Tokens of neither count are wrong.
    let anew = lines.replace("'P123456789-1'", "'P123456789-0'");
    explained(&replay_after_connect(&anew));
    let wrong = lines.replace("'P123456789-1'", "'P123456789-2'");
    unexplained_at(
        &replay_after_connect(&wrong),
        27,
        "expected clientToken P123456789-0, found P123456789-2",
    );
}

#[test]
fn refused_login() {
    let lines = "\
0.000 LoopThread thread enter
0.001 connect_async (P123456789.iotcloud.tencentdevices.com:8883)
0.100 Sending CONNECT (u1, p1, wr0, wq0, wf0, c1, k60) client_id=b'P123456789dev'
0.150 Received CONNACK (0, 4)
0.151 state error:<HubState.CONNECTING: 2>
1.300 Sending CONNECT (u1, p1, wr0, wq0, wf0, c1, k60) client_id=b'P123456789dev'
1.350 Received CONNACK (0, 4)
1.351 state error:<HubState.CONNECTING: 2>
4.900 Sending CONNECT (u1, p1, wr0, wq0, wf0, c1, k60) client_id=b'P123456789dev'
4.950 Received CONNACK (0, 0)
4.951 on_connect:flags:0,rc:0,userdata:None
";
    explained(&replay_text(&log(lines)));
    runs_explained(lines);
    let told = lines.replacen(
        "state error:<HubState.CONNECTING: 2>",
        "on_connect:flags:0,rc:4,userdata:None",
        1,
    );
    unexplained_at(
        &replay_text(&log(&told)),
        5,
        "found `on_connect:flags:0,rc:4`",
    );
}

#[test]
fn reconnect() {
    let lines = "\
1.000 Sending SUBSCRIBE (d0, m1) [(b'$shadow/operation/result/P123456789/dev', 0)]
1.000 subscribe success topic:$shadow/operation/result/P123456789/dev
1.050 Received SUBACK
1.051 on_subscribe:mid:0,granted_qos:1,userdata:None
2.000 Sending PUBLISH (d0, q0, r0, m2), 'b'$shadow/operation/P123456789/dev'', ... (46 bytes)
2.000 publish success
2.000 on_publish:mid:2,userdata:None
5.000 on_disconnect:rc:1,userdata:None
6.050 mqtt reconnect error:[Errno 111] Connection refused
7.050 Sending CONNECT (u1, p1, wr0, wq0, wf0, c1, k60) client_id=b'P123456789dev'
7.100 Received CONNACK (0, 0)
7.100 on_connect:flags:0,rc:0,userdata:None
8.000 Sending SUBSCRIBE (d0, m3) [(b'$shadow/operation/result/P123456789/dev', 0)]
8.000 subscribe success topic:$shadow/operation/result/P123456789/dev
8.050 Received SUBACK
8.051 on_subscribe:mid:0,granted_qos:3,userdata:None
9.000 Sending PUBLISH (d0, q0, r0, m4), 'b'$shadow/operation/P123456789/dev'', ... (46 bytes)
9.000 publish success
9.000 on_publish:mid:4,userdata:None
9.050 Received PUBLISH (d0, q0, r0, m0), '$shadow/operation/result/P123456789/dev', ...  (126 bytes)
9.051 on_shadow_cb:payload:{'clientToken': 'P123456789-1', 'payload': {'state': {'reported': {}}, 'timestamp': 1767323049, 'version': 0}, 'result': 0, 'type': 'get'},userdata:None
";
    explained(&replay_after_connect(lines));
    runs_explained(&format!("{CONNECT}{lines}"));
    for (from, to, line, reason) in [
        ("5.000 on_disconnect:rc:1,userdata:None\n", "", 13, ""),
        ("m4)", "m5)", 22, "m4"),
    ] {
        let report = replay_after_connect(&lines.replacen(from, to, 1));
        assert!(report.unexplained() > 0, "{report}");
        if !reason.is_empty() {
            unexplained_at(&report, line, reason);
        }
    }
}

#[test]
fn a_message_is_sent_again_after_a_reconnect() {
    let lines = "\
2.000 Sending PUBLISH (d0, q1, r0, m1), 'b'P123456789/dev/data'', ... (17 bytes)
2.000 publish success
5.000 failed to receive on socket: [Errno 104] Connection reset by peer
5.000 on_disconnect:rc:1,userdata:None
7.050 Sending CONNECT (u1, p1, wr0, wq0, wf0, c1, k60) client_id=b'P123456789dev'
7.100 Received CONNACK (0, 0)
7.100 on_connect:flags:0,rc:0,userdata:None
7.101 Sending PUBLISH (d1, q1, r0, m1), 'b'P123456789/dev/data'', ... (17 bytes)
7.150 Received PUBACK (Mid: 1)
7.151 on_publish:mid:1,userdata:None
";
    explained(&replay_after_connect(lines));
    runs_explained(&format!("{CONNECT}{lines}"));
}

#[test]
fn a_dead_link_is_given_up() {
    let lines = "\
61.500 Sending PINGREQ
122.000 on_disconnect:rc:1,userdata:None
123.050 Sending CONNECT (u1, p1, wr0, wq0, wf0, c1, k60) client_id=b'P123456789dev'
123.100 Received CONNACK (0, 0)
123.100 on_connect:flags:0,rc:0,userdata:None
";
    explained(&replay_after_connect(lines));
    runs_explained(&format!("{CONNECT}{lines}"));
}

#[test]
fn several_topics_at_once() {
    let lines = "\
1.000 Sending SUBSCRIBE (d0, m1) [(b'P123456789/dev/data', 1), (b'P123456789/dev/control', 0)]
1.000 subscribe success topic:[('P123456789/dev/data', 1), ('P123456789/dev/control', 0)]
1.050 Received SUBACK
1.051 on_subscribe:mid:1,granted_qos:1,userdata:None
2.000 Sending PUBLISH (d0, q0, r0, m2), 'b'P123456789/dev/event'', ... (17 bytes)
2.000 publish success
2.001 on_publish:mid:2,userdata:None
3.000 Received PUBLISH (d0, q0, r0, m0), 'P123456789/dev/control', ...  (16 bytes)
3.001 on_message:topic:P123456789/dev/control,payload:{'action': 'x1'},qos:0,userdata:None
4.000 Sending UNSUBSCRIBE (d0, m3) [b'P123456789/dev/data', b'P123456789/dev/control']
4.050 Received UNSUBACK (Mid: 3)
4.051 on_unsubscribe:mid:3,userdata:None
";
    explained(&replay_after_connect(lines));
    runs_explained(&format!("{CONNECT}{lines}"));
}

/// The reply to an update against a version that is not the cloud's has the whole document.
#[test]
fn a_version_conflict() {
    let lines = "\
1.000 Sending SUBSCRIBE (d0, m1) [(b'$shadow/operation/result/P123456789/dev', 0)]
1.000 subscribe success topic:$shadow/operation/result/P123456789/dev
1.050 Received SUBACK
1.051 on_subscribe:mid:0,granted_qos:1,userdata:None
2.000 [shadow update] {'type': 'update', 'state': {'reported': {'n': 1}}, 'version': 3, 'clientToken': 'P123456789-0'}
2.000 Sending PUBLISH (d0, q0, r0, m2), 'b'$shadow/operation/P123456789/dev'', ... (96 bytes)
2.000 publish success
2.000 on_publish:mid:2,userdata:None
2.050 Received PUBLISH (d0, q0, r0, m0), '$shadow/operation/result/P123456789/dev', ...  (138 bytes)
2.051 on_shadow_cb:payload:{'clientToken': 'P123456789-0', 'payload': {'state': {'reported': {'n': 7}}, 'timestamp': 17673230495, 'version': 5}, 'result': 5005, 'type': 'update'},userdata:None
";
    explained(&replay_after_connect(lines));
    runs_explained(&format!("{CONNECT}{lines}"));
}

/// The times go on from 1.5 s earlier; the device does not notice.
#[test]
fn the_clock_is_set_back() {
    let lines = "\
1.000 Sending SUBSCRIBE (d0, m1) [(b'$shadow/operation/result/P123456789/dev', 0)]
1.000 subscribe success topic:$shadow/operation/result/P123456789/dev
1.050 Received SUBACK
1.051 on_subscribe:mid:0,granted_qos:1,userdata:None
3.000 Sending PUBLISH (d0, q0, r0, m2), 'b'$shadow/operation/P123456789/dev'', ... (46 bytes)
3.000 publish success
1.502 on_publish:mid:2,userdata:None
2.000 Sending PUBLISH (d0, q0, r0, m3), 'b'$shadow/operation/P123456789/dev'', ... (46 bytes)
2.000 publish success
2.001 on_publish:mid:3,userdata:None
2.900 Sending PUBLISH (d0, q0, r0, m4), 'b'$shadow/operation/P123456789/dev'', ... (46 bytes)
2.900 publish success
2.901 on_publish:mid:4,userdata:None
";
    let report = replay_after_connect(lines);
    explained(&report);
    let found = "line 12: the clock was set back by 1498 ms";
    assert!(
        report.findings.iter().any(|finding| finding == found),
        "{report}"
    );
    // One line out of order is no clock.
    let wrong = replay_after_connect(&lines.replace("1.050 Received", "0.050 Received"));
    assert!(wrong.unexplained() > 0, "{wrong}");
}

/// paho gives an answer to PINGREQ as long as any other silence, and looks every 5 s.
#[test]
fn a_frozen_server_is_given_up_late() {
    for (keep_alive, pinged, lost) in [(6, "10.000", "20.100"), (20, "25.100", "50.100")] {
        let lines = CONNECT.replace("k60", &format!("k{keep_alive}"));
        let lines = format!(
            "{lines}{pinged} Sending PINGREQ\n\
             {lost} state error:<HubState.DISCONNECTED: 5>\n\
             {lost} on_disconnect:rc:1,userdata:None\n"
        );
        explained(&replay_text(&log(&lines)));
    }
    let late = CONNECT.replace("k60", "k6");
    let late = format!("{late}10.000 Sending PINGREQ\n40.000 [shadow update] {{}}\n");
    let report = replay_text(&log(&late));
    assert!(report.unexplained() > 0, "{report}");
}

/// The link breaks under a PUBACK: the message's callback comes after the end of the link, and fails
/// for want of its topic, which the SDK has forgotten by then.
#[test]
fn a_callback_fails_after_the_end_of_its_link() {
    let report = replay_after_connect(
        "\
1.000 Sending SUBSCRIBE (d0, m1) [(b'P123456789/dev/data', 1)]
1.000 subscribe success topic:P123456789/dev/data
1.050 Received SUBACK
1.051 on_subscribe:mid:1,granted_qos:1,userdata:None
1.060 Received PUBLISH (d0, q1, r0, m1), 'P123456789/dev/data', ...  (9 bytes)
1.060 Sending PUBACK (Mid: 1)
1.061 on_message:topic:P123456789/dev/data,payload:1,qos:{'i': 25},userdata:None
2.060 Received PUBLISH (d0, q1, r0, m2), 'P123456789/dev/data', ...  (9 bytes)
2.060 Sending PUBACK (Mid: 2)
2.061 failed to receive on socket: [Errno 32] Broken pipe
2.061 state error:<HubState.DISCONNECTED: 5>
2.061 on_disconnect:rc:1,userdata:None
2.061 thread runnable raise exception:'P123456789/dev/data'
",
    );
    explained(&report);
}
