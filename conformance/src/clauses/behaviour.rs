//! Chapters 4, 6 and 7: behaviour, WebSocket, conformance.

use super::Party::{Both, Client, Server};
use super::{Chapter, server_only, tested};

pub(super) const CHAPTER: Chapter = Chapter {
    title: "Chapters 4, 6 and 7: behaviour, WebSocket, conformance",
    clauses: &[
        tested(
            Both,
            "MQTT-4.1.0-1",
            "Both sides store the session's state as long as the session lasts.",
            &["clauses::sessions::the_state_is_stored_as_long_as_the_session"],
        ),
        tested(
            Both,
            "MQTT-4.1.0-2",
            "A session lasts at least as long as its link.",
            &["clauses::sessions::a_session_lasts_as_long_as_the_link"],
        ),
        tested(
            Both,
            "MQTT-4.3.1-1",
            "A sender sends QoS 0 with QoS 0 and DUP 0.",
            &["clauses::acknowledging::qos_0_is_sent_once"],
        ),
        tested(
            Both,
            "MQTT-4.3.2-1",
            "A sender gives a new QoS 1 message an unused identifier and DUP 0, and holds \
             it unacknowledged until PUBACK.",
            &["clauses::acknowledging::qos_1_is_unacknowledged_until_puback"],
        ),
        tested(
            Both,
            "MQTT-4.3.2-2",
            "A receiver answers QoS 1 with PUBACK; the identifier is a new message's from \
             then on, whatever DUP says.",
            &["clauses::acknowledging::a_received_qos_1_message_is_acknowledged_and_its_id_free"],
        ),
        tested(
            Both,
            "MQTT-4.3.3-1",
            "A sender gives a new QoS 2 message an unused identifier and DUP 0, answers \
             PUBREC with PUBREL, holds each unacknowledged until its answer, and does not \
             send PUBLISH again after PUBREL.",
            &["clauses::acknowledging::qos_2_is_sent_released_and_complete"],
        ),
        tested(
            Both,
            "MQTT-4.3.3-2",
            "A receiver answers QoS 2 with PUBREC each time and delivers it once, answers \
             PUBREL with PUBCOMP, and takes the identifier for a new message's from then \
             on.",
            &["clauses::acknowledging::a_received_qos_2_message_is_delivered_once"],
        ),
        tested(
            Both,
            "MQTT-4.4.0-1",
            "When a kept session reconnects, PUBLISH above QoS 0 and PUBREL that are \
             unacknowledged are sent again with their identifiers.",
            &["clauses::sessions::a_reconnect_sends_again_what_was_not_acknowledged"],
        ),
        server_only(
            "MQTT-4.5.0-1",
            "A message is added to the session of each client whose subscription matches.",
        ),
        tested(
            Client,
            "MQTT-4.5.0-2",
            "Every PUBLISH is acknowledged as its QoS demands, even if it is not processed.",
            &["clauses::acknowledging::what_is_not_processed_is_acknowledged_too"],
        ),
        tested(
            Client,
            "MQTT-4.6.0-1",
            "PUBLISH packets are sent again in the order of the first time.",
            &["clauses::acknowledging::what_is_sent_again_keeps_its_order"],
        ),
        tested(
            Client,
            "MQTT-4.6.0-2",
            "PUBACK is sent in the order of the messages.",
            &["clauses::acknowledging::acknowledgements_are_in_the_order_of_the_messages"],
        ),
        tested(
            Client,
            "MQTT-4.6.0-3",
            "PUBREC is sent in the order of the messages.",
            &["clauses::acknowledging::acknowledgements_are_in_the_order_of_the_messages"],
        ),
        tested(
            Client,
            "MQTT-4.6.0-4",
            "PUBREL is sent in the order of PUBREC.",
            &["clauses::acknowledging::releases_are_in_the_order_of_pubrec"],
        ),
        server_only("MQTT-4.6.0-5", "Topics are ordered by default."),
        server_only(
            "MQTT-4.6.0-6",
            "Messages of an ordered topic reach each subscriber in the order of each sender.",
        ),
        tested(
            Both,
            "MQTT-4.7.1-1",
            "Wildcards are for filters and not in topic names.",
            &["clauses::publishing::a_topic_name_has_no_wildcards"],
        ),
        tested(
            Both,
            "MQTT-4.7.1-2",
            "'#' is a level of its own, and the last.",
            &["clauses::topics::the_multi_level_wildcard_is_the_last_level"],
        ),
        tested(
            Both,
            "MQTT-4.7.1-3",
            "'+' is a level of its own.",
            &["clauses::topics::the_single_level_wildcard_is_a_whole_level"],
        ),
        tested(
            Server,
            "MQTT-4.7.2-1",
            "A filter that begins with a wildcard does not match a topic that begins with '$'.",
            &["clauses::topics::matching_takes_characters_as_they_are"],
        ),
        tested(
            Both,
            "MQTT-4.7.3-1",
            "Topic names and filters have at least one character.",
            &["clauses::topics::topics_have_a_character"],
        ),
        tested(
            Both,
            "MQTT-4.7.3-2",
            "Topic names and filters have no U+0000.",
            &["clauses::topics::topics_have_no_u_0000"],
        ),
        tested(
            Both,
            "MQTT-4.7.3-3",
            "Topic names and filters have at most 65,535 bytes.",
            &["clauses::topics::topics_have_65_535_bytes_at_most"],
        ),
        tested(
            Server,
            "MQTT-4.7.3-4",
            "Names and filters are matched as they are, without normalising.",
            &["clauses::topics::matching_takes_characters_as_they_are"],
        ),
        tested(
            Both,
            "MQTT-4.8.0-1",
            "Whoever sees the protocol broken closes the link on which it was.",
            &["clauses::errors::a_breach_of_the_protocol_ends_the_link"],
        ),
        tested(
            Both,
            "MQTT-4.8.0-2",
            "Whoever cannot process a packet at the moment, as when a buffer is full, \
             closes the link on which it came.",
            &["clauses::errors::without_room_for_the_acknowledgement_the_link_ends"],
        ),
        tested(
            Both,
            "MQTT-6.0.0-1",
            "In a WebSocket, packets are in binary frames; a receiver closes the link over \
             others.",
            &[
                "stream::tests::what_is_written_is_one_frame_masked_by_a_client_only",
                "stream::tests::a_text_frame_ends_the_connection",
            ],
        ),
        tested(
            Both,
            "MQTT-6.0.0-2",
            "A WebSocket frame may hold several packets or a part of one.",
            &["stream::tests::every_cutting_gives_the_same_bytes_and_answers"],
        ),
        tested(
            Client,
            "MQTT-6.0.0-3",
            "A client offers the WebSocket subprotocol mqtt.",
            &["websocket::the_request_is_as_specified"],
        ),
        tested(
            Server,
            "MQTT-6.0.0-4",
            "The server selects the WebSocket subprotocol mqtt.",
            &["websocket::handshake::a_wrong_answer_is_told"],
        ),
        server_only(
            "MQTT-7.0.0-1",
            "A server that connects to other servers conforms as a client too.",
        ),
        tested(
            Both,
            "MQTT-7.0.0-2",
            "Nothing beyond the specification is needed to interoperate.",
            &["differential::session::a_whole_session_needs_nothing_but_the_specification"],
        ),
        server_only(
            "MQTT-7.1.1-1",
            "A server supports a transport that is an ordered, lossless stream of bytes in \
             both directions.",
        ),
        tested(
            Client,
            "MQTT-7.1.2-1",
            "A client supports a transport that is an ordered, lossless stream of bytes in \
             both directions.",
            &["clauses::transport::a_client_speaks_over_tcp"],
        ),
    ],
};
