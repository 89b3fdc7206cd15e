//! Sections 3.8 to 3.14: subscriptions, PINGREQ, DISCONNECT.

use super::Party::{Client, Server};
use super::{Chapter, server_only, tested};

pub(super) const CHAPTER: Chapter = Chapter {
    title: "Sections 3.8 to 3.14: subscriptions, PINGREQ, DISCONNECT",
    clauses: &[
        tested(
            Client,
            "MQTT-3.8.1-1",
            "The flags of SUBSCRIBE are 0010; a server closes the link over others.",
            &[
                "clauses::subscribing::subscribe_is_laid_out_as_the_specification_says",
                "clauses::subscribing::a_repeated_subscribe_has_the_same_flags",
            ],
        ),
        tested(
            Client,
            "MQTT-3.8.3-1",
            "The filters of SUBSCRIBE are UTF-8 strings.",
            &["clauses::subscribing::subscribe_is_laid_out_as_the_specification_says"],
        ),
        server_only(
            "MQTT-3.8.3-2",
            "A server without wildcards refuses filters that have one.",
        ),
        tested(
            Client,
            "MQTT-3.8.3-3",
            "SUBSCRIBE has at least one filter with its QoS.",
            &[
                "clauses::subscribing::subscribe_is_laid_out_as_the_specification_says",
                "clauses::subscribing::subscribe_has_a_filter",
            ],
        ),
        server_only(
            "MQTT-3.8.3-4",
            "Reserved bits or QoS 3 in the payload of SUBSCRIBE end the link.",
        ),
        server_only("MQTT-3.8.4-1", "SUBSCRIBE is answered by SUBACK."),
        tested(
            Server,
            "MQTT-3.8.4-2",
            "SUBACK has the packet identifier of its SUBSCRIBE.",
            &["clauses::server::suback_and_unsuback_have_the_id_of_the_request"],
        ),
        server_only(
            "MQTT-3.8.4-3",
            "A subscription with the same filter is replaced, and retained messages are \
             sent again.",
        ),
        server_only(
            "MQTT-3.8.4-4",
            "Several filters are treated as several packets, with one answer.",
        ),
        tested(
            Server,
            "MQTT-3.8.4-5",
            "SUBACK has a code for each filter: the QoS granted, or failure.",
            &["clauses::server::suback_answers_each_filter_with_a_known_code"],
        ),
        server_only(
            "MQTT-3.8.4-6",
            "A subscriber gets a message with the lower of its own QoS and the one granted.",
        ),
        server_only(
            "MQTT-3.9.3-1",
            "The codes of SUBACK are in the order of the filters.",
        ),
        tested(
            Server,
            "MQTT-3.9.3-2",
            "SUBACK has no other codes than 0, 1, 2 and 0x80.",
            &["clauses::server::suback_answers_each_filter_with_a_known_code"],
        ),
        tested(
            Client,
            "MQTT-3.10.1-1",
            "The flags of UNSUBSCRIBE are 0010; a server closes the link over others.",
            &[
                "clauses::subscribing::unsubscribe_is_laid_out_as_the_specification_says",
                "clauses::subscribing::a_repeated_subscribe_has_the_same_flags",
            ],
        ),
        tested(
            Client,
            "MQTT-3.10.3-1",
            "The filters of UNSUBSCRIBE are UTF-8 strings, without gaps.",
            &["clauses::subscribing::unsubscribe_is_laid_out_as_the_specification_says"],
        ),
        tested(
            Client,
            "MQTT-3.10.3-2",
            "UNSUBSCRIBE has at least one filter.",
            &["clauses::subscribing::unsubscribe_has_a_filter"],
        ),
        server_only(
            "MQTT-3.10.4-1",
            "Filters are compared character by character, and equal ones deleted.",
        ),
        server_only(
            "MQTT-3.10.4-2",
            "A deleted subscription gets no new messages.",
        ),
        server_only(
            "MQTT-3.10.4-3",
            "Messages of QoS 1 and 2 on their way to a deleted subscription are completed.",
        ),
        tested(
            Server,
            "MQTT-3.10.4-4",
            "UNSUBSCRIBE is answered by UNSUBACK with the same packet identifier.",
            &["clauses::server::suback_and_unsuback_have_the_id_of_the_request"],
        ),
        server_only(
            "MQTT-3.10.4-5",
            "It is answered even if nothing was deleted.",
        ),
        server_only(
            "MQTT-3.10.4-6",
            "Several filters are treated as several packets, with one answer.",
        ),
        tested(
            Server,
            "MQTT-3.12.4-1",
            "PINGREQ is answered by PINGRESP.",
            &["clauses::server::a_ping_that_is_not_answered_ends_the_link"],
        ),
        server_only(
            "MQTT-3.14.1-1",
            "A DISCONNECT with reserved flags set ends the link.",
        ),
        tested(
            Client,
            "MQTT-3.14.4-1",
            "After DISCONNECT the client closes the link.",
            &["clauses::staying::disconnect_is_the_last_packet_and_the_link_is_closed"],
        ),
        tested(
            Client,
            "MQTT-3.14.4-2",
            "After DISCONNECT the client sends nothing more on the link.",
            &["clauses::staying::disconnect_is_the_last_packet_and_the_link_is_closed"],
        ),
        server_only(
            "MQTT-3.14.4-3",
            "After DISCONNECT the will is dropped without being published.",
        ),
    ],
};
