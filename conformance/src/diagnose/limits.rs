//! The vendor's limits (vendor doc 634/15241 and 634/46346).

use std::collections::VecDeque;

use shadow_core::tencent::limits;

use super::client::{Client, Findings, Place};
use super::finding::Finding;
use super::session::{Connection, Direction, Packet};

/// Messages a second that every instance of the vendor's server takes from a device.
const MESSAGES_A_SECOND: usize = 20;

pub(super) fn check(client: &Client<'_>, findings: &mut Findings) {
    if !client.is_vendors {
        return;
    }
    for &(index, connection) in &client.connections {
        sizes(index, connection, findings);
        rate(index, connection, findings);
        unsupported(index, connection, findings);
    }
}

fn sizes(index: usize, connection: &Connection, findings: &mut Findings) {
    for (ordinal, record) in connection.packets.iter().enumerate() {
        let Packet::Publish(publish) = &record.packet else {
            continue;
        };
        if record.from != Direction::Device {
            continue;
        }
        let place = Place::packet(index, ordinal, record);
        let size = publish.payload.length();
        if size > limits::PAYLOAD_SIZE {
            findings.add(place, Finding::PayloadTooLarge { size });
        }
        let length = publish.topic.len();
        if length > limits::TOPIC_LENGTH {
            findings.add(place, Finding::TopicTooLong { length });
        }
    }
}

/// One finding for each burst, at the message that was one too many.
fn rate(index: usize, connection: &Connection, findings: &mut Findings) {
    let mut window: VecDeque<u64> = VecDeque::new();
    let mut burst: Option<(Place, usize)> = None;
    let mut tell = |burst: &mut Option<(Place, usize)>| {
        if let Some((place, within_a_second)) = burst.take() {
            findings.add(place, Finding::TooManyMessages { within_a_second });
        }
    };
    for (ordinal, record) in connection.packets.iter().enumerate() {
        if record.from != Direction::Device || !matches!(record.packet, Packet::Publish(_)) {
            continue;
        }
        let now = record.at_micros;
        window.push_back(now);
        while window.front().is_some_and(|first| first + 1_000_000 <= now) {
            window.pop_front();
        }
        if window.len() > MESSAGES_A_SECOND {
            let (_, most) = burst.get_or_insert((Place::packet(index, ordinal, record), 0));
            *most = (*most).max(window.len());
        } else {
            tell(&mut burst);
        }
    }
    tell(&mut burst);
}

/// One finding for each kind.
fn unsupported(index: usize, connection: &Connection, findings: &mut Findings) {
    let mut told: Vec<&'static str> = Vec::new();
    for (ordinal, record) in connection.packets.iter().enumerate() {
        if record.from != Direction::Device {
            continue;
        }
        let used: &[(bool, &'static str)] = match &record.packet {
            Packet::Connect(connect) => &[(connect.has_will, "a will")],
            Packet::Publish(publish) => &[
                (publish.qos == 2, "QoS 2"),
                (publish.retain, "a retained message"),
            ],
            Packet::Subscribe { filters, .. } => {
                &[(filters.len() > 1, "several filters in one SUBSCRIBE")]
            }
            _ => &[],
        };
        for (is_used, what) in used {
            if *is_used && !told.contains(what) {
                told.push(what);
                let place = Place::packet(index, ordinal, record);
                findings.add(place, Finding::UnsupportedByVendor { what });
            }
        }
    }
}
