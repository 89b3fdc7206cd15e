//! Messages that a device sends again, as the server has not acknowledged them.

use std::collections::BTreeMap;

use shadow_core::mqtt::Publish;

use super::wire::Sent;

/// Messages above QoS 0 by their packet identifiers, as they were sent first.
pub(super) type Unacknowledged = BTreeMap<u16, Vec<u8>>;

/// Notes a message that the server has yet to acknowledge.
pub(super) fn note(unacknowledged: &mut Unacknowledged, publish: &Publish<'_>, sent: &Sent<'_>) {
    if let Some(id) = publish.packet_id {
        unacknowledged.insert(id.get(), first_time(sent));
    }
}

/// Whether a message is one that was not acknowledged: marked so with DUP, or with the number and
/// all else that it had, as is right where the server has no session [MQTT-3.3.1-1].
pub(super) fn is_sent_again(
    publish: &Publish<'_>,
    sent: &Sent<'_>,
    unacknowledged: &Unacknowledged,
) -> bool {
    let known = publish
        .packet_id
        .and_then(|id| unacknowledged.get(&id.get()));
    publish.dup || known.is_some_and(|known| *known == first_time(sent))
}

/// The bytes of a PUBLISH without its DUP flag.
fn first_time(sent: &Sent<'_>) -> Vec<u8> {
    let mut bytes = sent.bytes.to_vec();
    if let Some(first) = bytes.first_mut() {
        *first &= !0x08;
    }
    bytes
}
