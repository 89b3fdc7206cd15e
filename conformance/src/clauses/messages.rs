//! Sections 3.3 to 3.7: PUBLISH and its acknowledgements.

use super::Party::Both;
use super::{Chapter, server_only, tested};

pub(super) const CHAPTER: Chapter = Chapter {
    title: "Sections 3.3 to 3.7: PUBLISH and its acknowledgements",
    clauses: &[
        tested(
            Both,
            "MQTT-3.3.1-1",
            "DUP is set in a PUBLISH that is sent again.",
            &["clauses::publishing::dup_marks_what_is_sent_again"],
        ),
        tested(
            Both,
            "MQTT-3.3.1-2",
            "DUP is not set at QoS 0.",
            &["clauses::publishing::dup_is_not_set_at_qos_0"],
        ),
        server_only(
            "MQTT-3.3.1-3",
            "DUP of a message is not passed on to subscribers.",
        ),
        tested(
            Both,
            "MQTT-3.3.1-4",
            "QoS is not 3; a receiver closes the link over it.",
            &["clauses::publishing::qos_3_is_neither_sent_nor_taken"],
        ),
        server_only(
            "MQTT-3.3.1-5",
            "A message with the retain flag is stored for later subscribers.",
        ),
        server_only(
            "MQTT-3.3.1-6",
            "A new subscription gets the last retained message of each topic that matches.",
        ),
        server_only(
            "MQTT-3.3.1-7",
            "A retained message of QoS 0 replaces the one before.",
        ),
        server_only(
            "MQTT-3.3.1-8",
            "The retain flag is set in messages that a new subscription causes.",
        ),
        server_only(
            "MQTT-3.3.1-9",
            "The retain flag is not set in messages for a subscription that stands.",
        ),
        server_only(
            "MQTT-3.3.1-10",
            "An empty retained message is passed on, and deletes the one before.",
        ),
        server_only("MQTT-3.3.1-11", "An empty retained message is not stored."),
        server_only(
            "MQTT-3.3.1-12",
            "A message without the retain flag neither is stored nor changes what is.",
        ),
        tested(
            Both,
            "MQTT-3.3.2-1",
            "The topic name is the first field of PUBLISH, and a UTF-8 string.",
            &["clauses::publishing::the_topic_is_the_first_field"],
        ),
        tested(
            Both,
            "MQTT-3.3.2-2",
            "The topic name of PUBLISH has no wildcards.",
            &["clauses::publishing::a_topic_name_has_no_wildcards"],
        ),
        server_only(
            "MQTT-3.3.2-3",
            "The topic name of a message to a subscriber matches the subscription's filter.",
        ),
        tested(
            Both,
            "MQTT-3.3.4-1",
            "PUBLISH is answered as table 3.4 says: nothing, PUBACK or PUBREC.",
            &["clauses::publishing::a_message_is_answered_as_its_qos_demands"],
        ),
        server_only(
            "MQTT-3.3.5-1",
            "Overlapping subscriptions get a message with the highest QoS among them.",
        ),
        server_only(
            "MQTT-3.3.5-2",
            "A PUBLISH that is not permitted is acknowledged all the same, or ends the link.",
        ),
        tested(
            Both,
            "MQTT-3.6.1-1",
            "The flags of PUBREL are 0010; a server closes the link over others.",
            &["clauses::publishing::pubrel_has_the_flags_0010"],
        ),
    ],
};
