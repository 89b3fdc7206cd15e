//! What leaves, in words.

use super::line::{Direction, Line};
use crate::mqtt::link::Transmit;
use crate::mqtt::{Connect, Packet, ProtocolVersion, Publish};
use crate::time::Instant;

/// What stands where a secret was.
pub(super) const MASKED: &str = "***";

/// Writes one step of the transport; `bytes` is the packet if it is one.
pub(super) fn write<'l>(
    line: &'l mut Line,
    at: Instant,
    transmit: Transmit,
    bytes: &[u8],
    version: ProtocolVersion,
) -> &'l mut Line {
    match transmit {
        Transmit::Connect => line.begin(at, Direction::Out, "connect"),
        Transmit::Close => line.begin(at, Direction::Out, "close"),
        Transmit::Packet { kind, .. } => {
            let line = line.begin(at, Direction::Out, "packet");
            line.display("packet", &kind);
            match Packet::decode(bytes, version) {
                Ok(packet) => fields(line, &packet),
                // It does not happen: the engine wrote it. A CONNECT must not come out so.
                Err(error) => line.display("error", &error),
            }
        }
    }
}

fn fields<'l>(line: &'l mut Line, packet: &Packet<'_>) -> &'l mut Line {
    match packet {
        Packet::Connect(connect) => connect_fields(line, connect),
        Packet::Publish(publish) => publish_fields(line, publish),
        Packet::Subscribe(subscribe) => {
            line.number("id", subscribe.packet_id.get());
            let filters = subscribe.filters.iter();
            line.list("filters", filters, |line, (filter, qos)| {
                line.pair(filter, qos.number());
            })
            .flag("dup", subscribe.dup)
        }
        Packet::Unsubscribe(unsubscribe) => {
            line.number("id", unsubscribe.packet_id.get());
            let filters = unsubscribe.filters.iter();
            line.list("filters", filters, |line, filter| line.text(filter))
                .flag("dup", unsubscribe.dup)
        }
        Packet::PubAck(answer) => line.number("id", answer.packet_id.get()),
        Packet::PubRec(answer) => line.number("id", answer.packet_id.get()),
        Packet::PubRel(answer) => line
            .number("id", answer.packet_id.get())
            .flag("dup", answer.dup),
        Packet::PubComp(answer) => line.number("id", answer.packet_id.get()),
        Packet::UnsubAck(answer) => line.number("id", answer.packet_id.get()),
        Packet::SubAck(answer) => line.number("id", answer.packet_id.get()),
        Packet::ConnAck(_) | Packet::PingReq | Packet::PingResp | Packet::Disconnect => line,
    }
}

fn connect_fields<'l>(line: &'l mut Line, connect: &Connect<'_>) -> &'l mut Line {
    line.display("version", &connect.version)
        .string("client_id", connect.client_id)
        .some_string("user_name", connect.user_name)
        .some_string("password", connect.password.map(|_| MASKED))
        .number("keep_alive", connect.keep_alive)
        .boolean("clean_session", connect.clean_session);
    if let Some(will) = &connect.will {
        line.object("will", |line| {
            line.string("topic", will.topic)
                .number("qos", will.qos.number())
                .flag("retain", will.retain)
                .payload(will.payload);
        });
    }
    line
}

fn publish_fields<'l>(line: &'l mut Line, publish: &Publish<'_>) -> &'l mut Line {
    line.string("topic", publish.topic)
        .number("qos", publish.qos.number())
        .some_number("id", publish.packet_id.map(|id| id.get()))
        .flag("dup", publish.dup)
        .flag("retain", publish.retain)
        .payload(publish.payload)
}
