//! What happened in a simulation, line by line.

use shadow_core::Instant;
use shadow_core::mqtt::{
    Connect, Packet, ProtocolVersion, Publish, Subscribe, SubscribeReturnCode,
};

/// Lines of text, each with its time since the start.
#[derive(Debug, Default)]
pub(super) struct Trace {
    start: Instant,
    lines: Vec<String>,
}

impl Trace {
    pub(super) fn new(start: Instant) -> Trace {
        let lines = Vec::new();
        Trace { start, lines }
    }

    pub(super) fn push(&mut self, now: Instant, text: &str) {
        let at = now.saturating_since(self.start);
        let (seconds, micros) = (at.as_secs(), at.subsec_micros());
        self.lines.push(format!("{seconds:>5}.{micros:06} {text}"));
    }

    pub(super) fn lines(&self) -> &[String] {
        &self.lines
    }

    pub(super) fn take(&mut self) -> Vec<String> {
        std::mem::take(&mut self.lines)
    }
}

/// One line about a packet, without its password: `PUBLISH QoS 1, id 7, a/b: {"on":true}`.
pub(super) fn describe(packet: &[u8], version: ProtocolVersion) -> String {
    match Packet::decode(packet, version) {
        Ok(packet) => describe_packet(&packet),
        Err(error) => format!("{} bytes: {error}", packet.len()),
    }
}

fn describe_packet(packet: &Packet<'_>) -> String {
    let kind = packet.kind();
    match packet {
        Packet::Connect(connect) => describe_connect(connect),
        Packet::ConnAck(answer) => {
            let present = if answer.session_present {
                ", session present"
            } else {
                ""
            };
            format!("{kind} {}{present}", answer.code)
        }
        Packet::Publish(publish) => describe_publish(publish),
        Packet::Subscribe(Subscribe {
            packet_id, filters, ..
        }) => {
            let filters: Vec<String> = filters
                .iter()
                .map(|(filter, qos)| format!("{filter} {qos}"))
                .collect();
            format!("{kind} id {packet_id}, {}", filters.join(", "))
        }
        Packet::SubAck(answer) => {
            let codes: Vec<String> = answer
                .return_codes
                .iter()
                .map(|code| match code {
                    SubscribeReturnCode::Granted(qos) => format!("granted {qos}"),
                    SubscribeReturnCode::Failure => "refused".to_owned(),
                })
                .collect();
            format!("{kind} id {}, {}", answer.packet_id, codes.join(", "))
        }
        Packet::Unsubscribe(request) => {
            let filters: Vec<&str> = request.filters.iter().collect();
            format!("{kind} id {}, {}", request.packet_id, filters.join(", "))
        }
        Packet::PubAck(answer) => format!("{kind} id {}", answer.packet_id),
        Packet::PubRec(answer) => format!("{kind} id {}", answer.packet_id),
        Packet::PubRel(answer) => format!("{kind} id {}", answer.packet_id),
        Packet::PubComp(answer) => format!("{kind} id {}", answer.packet_id),
        Packet::UnsubAck(answer) => format!("{kind} id {}", answer.packet_id),
        Packet::PingReq | Packet::PingResp | Packet::Disconnect => kind.to_string(),
    }
}

fn describe_connect(connect: &Connect<'_>) -> String {
    let mut text = format!(
        "CONNECT {}, client {}, keep alive {} s",
        connect.version, connect.client_id, connect.keep_alive
    );
    if connect.clean_session {
        text.push_str(", clean session");
    }
    if let Some(user_name) = connect.user_name {
        text.push_str(", user ");
        text.push_str(user_name);
    }
    if let Some(will) = &connect.will {
        text.push_str(", will ");
        text.push_str(will.topic);
    }
    text
}

fn describe_publish(publish: &Publish<'_>) -> String {
    let mut text = format!("PUBLISH {}", publish.qos);
    if let Some(packet_id) = publish.packet_id {
        text.push_str(&format!(", id {packet_id}"));
    }
    for (set, word) in [(publish.dup, ", dup"), (publish.retain, ", retain")] {
        if set {
            text.push_str(word);
        }
    }
    let payload = String::from_utf8_lossy(publish.payload);
    // Made visible, as the cloud's payloads end in a newline.
    let shown = payload.trim_end();
    let white_space = payload.get(shown.len()..).unwrap_or_default();
    let topic = publish.topic;
    format!("{text}, {topic}: {shown}{}", white_space.escape_debug())
}
