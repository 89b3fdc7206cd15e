//! Long logs.

use std::fmt::Write as _;

use crate::fixtures::replay_text;
use crate::synthetic::log;

/// Rounds of an update and a get, three seconds apart, with their replies.
fn rounds(count: u64) -> String {
    let mut lines = String::from(
        "\
0.000 LoopThread thread enter
0.001 connect_async (P123456789.iotcloud.tencentdevices.com:8883)
0.100 Sending CONNECT (u1, p1, wr0, wq0, wf0, c1, k60) client_id=b'P123456789d'
0.150 Received CONNACK (0, 0)
0.150 on_connect:flags:0,rc:0,userdata:None
0.160 Sending SUBSCRIBE (d0, m1) [(b'$shadow/operation/result/P123456789/d', 0)]
0.160 subscribe success topic:$shadow/operation/result/P123456789/d
0.170 Received SUBACK
0.170 on_subscribe:mid:0,granted_qos:1,userdata:None
",
    );
    for round in 0..count {
        let second = 1 + round / 40;
        let number = |offset: u64| (1 + round * 2 + offset) % 65_535 + 1;
        let (update, get) = (round * 2, round * 2 + 1);
        let sent = format!(
            "{{\"type\": \"update\", \"state\": {{\"reported\": {{\"n\": {round}}}}}, \"clientToken\": \"P123456789-{update}\"}}"
        );
        let asked = format!("{{\"type\": \"get\", \"clientToken\": \"P123456789-{get}\"}}");
        let (a, b) = (number(0), number(1));
        let version = round + 1;
        let reply = |kind: &str, token: u64| {
            format!(
                "{{'clientToken': 'P123456789-{token}', 'payload': {{'state': {{'reported': {{'n': {round}}}}}, 'version': {version}}}, 'result': 0, 'type': '{kind}'}}"
            )
        };
        let length = |kind: &str, token: u64| {
            reply(kind, token)
                .replace(": ", ":")
                .replace(", ", ",")
                .len()
                + 1
        };
        write!(lines, "\
{second}.100 [shadow update] {{'type': 'update', 'state': {{'reported': {{'n': {round}}}}}, 'clientToken': 'P123456789-{update}'}}
{second}.100 Sending PUBLISH (d0, q0, r0, m{a}), 'b'$shadow/operation/P123456789/d'', ... ({} bytes)
{second}.100 on_publish:mid:{a},userdata:None
{second}.100 publish success
{second}.100 Sending PUBLISH (d0, q0, r0, m{b}), 'b'$shadow/operation/P123456789/d'', ... ({} bytes)
{second}.100 on_publish:mid:{b},userdata:None
{second}.100 publish success
{second}.100 Received PUBLISH (d0, q0, r0, m0), '$shadow/operation/result/P123456789/d', ...  ({} bytes)
{second}.100 on_shadow_cb:payload:{},userdata:None
{second}.100 Received PUBLISH (d0, q0, r0, m0), '$shadow/operation/result/P123456789/d', ...  ({} bytes)
{second}.100 on_shadow_cb:payload:{},userdata:None
", sent.len(), asked.len(), length("update", update), reply("update", update), length("get", get), reply("get", get)).unwrap();
    }
    log(&lines)
}

/// Past the wrap of the message numbers, and long enough that anything quadratic would be felt.
#[test]
fn forty_thousand_rounds() {
    let report = replay_text(&rounds(40_000));
    assert_eq!(
        report.unexplained(),
        0,
        "{}",
        report
            .lines
            .iter()
            .find(|line| line.verdict.is_unexplained())
            .map_or_else(String::new, |line| format!("{line:?}"))
    );
    assert_eq!(report.lines.len(), 9 + 11 * 40_000);
}
