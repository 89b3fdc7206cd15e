//! Chapters 1 and 2: strings, fixed header, packet identifiers.

use super::Party::{Both, Client, Server};
use super::{Chapter, server_only, tested};

pub(super) const CHAPTER: Chapter = Chapter {
    title: "Chapters 1 and 2: strings, fixed header, packet identifiers",
    clauses: &[
        tested(
            Both,
            "MQTT-1.5.3-1",
            "Strings are well-formed UTF-8 without surrogates; a receiver closes the link \
             over any other.",
            &["clauses::bytes::strings_are_well_formed_utf8"],
        ),
        tested(
            Both,
            "MQTT-1.5.3-2",
            "Strings hold no U+0000; a receiver closes the link over one.",
            &["clauses::bytes::strings_have_no_u_0000"],
        ),
        tested(
            Both,
            "MQTT-1.5.3-3",
            "EF BB BF is the character U+FEFF wherever it stands, and is not dropped.",
            &["clauses::bytes::a_byte_order_mark_is_a_character_like_others"],
        ),
        tested(
            Both,
            "MQTT-2.2.2-1",
            "Reserved flags of the fixed header have the values of table 2.2.",
            &["clauses::bytes::reserved_flags_are_those_of_table_2_2"],
        ),
        tested(
            Both,
            "MQTT-2.2.2-2",
            "A receiver closes the link over other flags.",
            &["clauses::bytes::invalid_flags_end_the_link"],
        ),
        tested(
            Client,
            "MQTT-2.3.1-1",
            "SUBSCRIBE, UNSUBSCRIBE and PUBLISH above QoS 0 have a packet identifier other \
             than 0.",
            &["clauses::bytes::packet_ids_are_never_zero"],
        ),
        tested(
            Client,
            "MQTT-2.3.1-2",
            "Each new one of these packets gets an identifier that is not in use.",
            &["clauses::bytes::a_new_packet_takes_an_unused_id_or_an_acknowledged_one"],
        ),
        tested(
            Client,
            "MQTT-2.3.1-3",
            "A packet that is sent again keeps its identifier, which is free once it is \
             acknowledged.",
            &[
                "clauses::bytes::a_new_packet_takes_an_unused_id_or_an_acknowledged_one",
                "clauses::bytes::what_is_sent_again_keeps_its_id",
            ],
        ),
        server_only(
            "MQTT-2.3.1-4",
            "The same holds for a server's PUBLISH above QoS 0.",
        ),
        tested(
            Both,
            "MQTT-2.3.1-5",
            "A PUBLISH of QoS 0 has no packet identifier.",
            &["clauses::bytes::qos_0_has_no_packet_id"],
        ),
        tested(
            Both,
            "MQTT-2.3.1-6",
            "PUBACK, PUBREC and PUBREL have the identifier of their PUBLISH.",
            &["clauses::bytes::acknowledgements_carry_the_id_of_the_message"],
        ),
        tested(
            Server,
            "MQTT-2.3.1-7",
            "SUBACK and UNSUBACK have the identifier of the packet they answer.",
            &["clauses::server::suback_and_unsuback_have_the_id_of_the_request"],
        ),
    ],
};
