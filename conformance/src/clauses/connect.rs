//! Sections 3.1 and 3.2: CONNECT and CONNACK.

use super::Party::{Both, Client, Server};
use super::{Chapter, server_only, tested};

pub(super) const CHAPTER: Chapter = Chapter {
    title: "Sections 3.1 and 3.2: CONNECT and CONNACK",
    clauses: &[
        tested(
            Client,
            "MQTT-3.1.0-1",
            "A client's first packet on a link is CONNECT.",
            &["clauses::login::connect_is_the_first_packet"],
        ),
        server_only(
            "MQTT-3.1.0-2",
            "A second CONNECT breaks the protocol and ends the link.",
        ),
        server_only(
            "MQTT-3.1.2-1",
            "Another protocol name is not treated as this version of the protocol.",
        ),
        server_only(
            "MQTT-3.1.2-2",
            "A protocol level that is not supported is answered with code 1, and the link \
             ended.",
        ),
        server_only(
            "MQTT-3.1.2-3",
            "A CONNECT with the reserved flag set ends the link.",
        ),
        tested(
            Both,
            "MQTT-3.1.2-4",
            "Without the clean session flag a stored session is taken up again or a new one \
             made, and both sides store it after the link.",
            &["clauses::sessions::a_kept_session_is_stored_after_the_link"],
        ),
        server_only(
            "MQTT-3.1.2-5",
            "Messages of QoS 1 and 2 for a stored session are stored while its client is away.",
        ),
        tested(
            Both,
            "MQTT-3.1.2-6",
            "With the clean session flag both sides drop an earlier session; the new one \
             ends with the link, and nothing of it is used again.",
            &["clauses::sessions::a_clean_session_begins_with_nothing"],
        ),
        server_only(
            "MQTT-3.1.2-7",
            "Retained messages are no part of a session and outlive it.",
        ),
        server_only(
            "MQTT-3.1.2-8",
            "The will of an accepted CONNECT is stored, and published when the link ends \
             without DISCONNECT.",
        ),
        tested(
            Client,
            "MQTT-3.1.2-9",
            "With the will flag set, will topic and will message are there.",
            &["clauses::login::a_will_is_announced_and_there"],
        ),
        server_only(
            "MQTT-3.1.2-10",
            "The will is removed once it was published or DISCONNECT came.",
        ),
        tested(
            Client,
            "MQTT-3.1.2-11",
            "Without the will flag, the will's QoS and retain flags are 0 and its fields \
             are not there.",
            &["clauses::login::without_a_will_there_is_nothing_of_it"],
        ),
        server_only(
            "MQTT-3.1.2-12",
            "Without the will flag, no will is published.",
        ),
        tested(
            Client,
            "MQTT-3.1.2-13",
            "Without the will flag, the will's QoS is 0.",
            &["clauses::login::without_a_will_there_is_nothing_of_it"],
        ),
        tested(
            Client,
            "MQTT-3.1.2-14",
            "The will's QoS is not 3.",
            &["clauses::login::a_will_is_announced_and_there"],
        ),
        tested(
            Client,
            "MQTT-3.1.2-15",
            "Without the will flag, the will's retain flag is 0.",
            &["clauses::login::without_a_will_there_is_nothing_of_it"],
        ),
        server_only(
            "MQTT-3.1.2-16",
            "A will without the retain flag is published as not retained.",
        ),
        server_only(
            "MQTT-3.1.2-17",
            "A will with the retain flag is published as retained.",
        ),
        tested(
            Client,
            "MQTT-3.1.2-18",
            "Without the user name flag there is no user name.",
            &["clauses::login::user_name_and_password_are_there_if_announced"],
        ),
        tested(
            Client,
            "MQTT-3.1.2-19",
            "With the user name flag there is a user name.",
            &["clauses::login::user_name_and_password_are_there_if_announced"],
        ),
        tested(
            Client,
            "MQTT-3.1.2-20",
            "Without the password flag there is no password.",
            &["clauses::login::user_name_and_password_are_there_if_announced"],
        ),
        tested(
            Client,
            "MQTT-3.1.2-21",
            "With the password flag there is a password.",
            &["clauses::login::user_name_and_password_are_there_if_announced"],
        ),
        tested(
            Client,
            "MQTT-3.1.2-22",
            "Without the user name flag the password flag is not set.",
            &["clauses::login::there_is_no_password_without_a_user_name"],
        ),
        tested(
            Client,
            "MQTT-3.1.2-23",
            "No pause between two packets of a client is longer than keep alive; PINGREQ is \
             sent if nothing else is.",
            &[
                "clauses::staying::no_pause_is_longer_than_keep_alive",
                "clauses::staying::silence_is_broken_by_pingreq",
                "clauses::staying::the_wait_for_connack_is_no_longer_than_keep_alive",
            ],
        ),
        server_only(
            "MQTT-3.1.2-24",
            "A client that is silent for one and a half times keep alive is disconnected.",
        ),
        tested(
            Client,
            "MQTT-3.1.3-1",
            "The payload's fields come in the order client identifier, will topic, will \
             message, user name, password.",
            &["clauses::login::the_payload_has_its_fields_in_order"],
        ),
        tested(
            Both,
            "MQTT-3.1.3-2",
            "Both sides know a session's state by the client identifier.",
            &["clauses::login::a_session_has_one_client_id"],
        ),
        tested(
            Client,
            "MQTT-3.1.3-3",
            "The client identifier is there, and is the payload's first field.",
            &["clauses::login::the_client_id_is_the_first_field"],
        ),
        tested(
            Client,
            "MQTT-3.1.3-4",
            "The client identifier is a UTF-8 string.",
            &["clauses::login::the_strings_of_connect_are_utf8"],
        ),
        server_only(
            "MQTT-3.1.3-5",
            "Client identifiers of 1 to 23 letters and digits are allowed.",
        ),
        server_only(
            "MQTT-3.1.3-6",
            "A client with an empty identifier, if allowed, is given a unique one.",
        ),
        tested(
            Client,
            "MQTT-3.1.3-7",
            "An empty client identifier goes with the clean session flag.",
            &["clauses::login::an_empty_client_id_goes_with_a_clean_session"],
        ),
        server_only(
            "MQTT-3.1.3-8",
            "An empty client identifier without the clean session flag is refused with code 2.",
        ),
        server_only(
            "MQTT-3.1.3-9",
            "A client identifier that is not taken is refused with code 2.",
        ),
        tested(
            Client,
            "MQTT-3.1.3-10",
            "The will topic is a UTF-8 string.",
            &["clauses::login::the_strings_of_connect_are_utf8"],
        ),
        tested(
            Client,
            "MQTT-3.1.3-11",
            "The user name is a UTF-8 string.",
            &["clauses::login::the_strings_of_connect_are_utf8"],
        ),
        server_only(
            "MQTT-3.1.4-1",
            "A malformed CONNECT ends the link without CONNACK.",
        ),
        server_only(
            "MQTT-3.1.4-2",
            "A client that is connected already is disconnected by a CONNECT with its \
             identifier.",
        ),
        server_only(
            "MQTT-3.1.4-3",
            "The clean session flag is acted on as section 3.1.2.4 says.",
        ),
        server_only(
            "MQTT-3.1.4-4",
            "A valid CONNECT is answered by CONNACK with code 0.",
        ),
        server_only(
            "MQTT-3.1.4-5",
            "Behind a CONNECT that is refused nothing is processed.",
        ),
        tested(
            Server,
            "MQTT-3.2.0-1",
            "The first packet to a client is CONNACK.",
            &["clauses::server::connack_comes_first_and_once"],
        ),
        tested(
            Server,
            "MQTT-3.2.2-1",
            "Session present is not set where a clean session was asked for.",
            &["clauses::server::session_present_goes_with_what_was_asked"],
        ),
        server_only(
            "MQTT-3.2.2-2",
            "Session present is set where a session was stored.",
        ),
        server_only(
            "MQTT-3.2.2-3",
            "Session present is not set where no session was stored.",
        ),
        tested(
            Server,
            "MQTT-3.2.2-4",
            "Session present is not set in a refusal.",
            &["clauses::server::session_present_goes_with_what_was_asked"],
        ),
        tested(
            Server,
            "MQTT-3.2.2-5",
            "The link is closed after a refusal.",
            &["clauses::server::a_refusal_ends_the_link"],
        ),
        server_only(
            "MQTT-3.2.2-6",
            "If no return code fits, the link is closed without CONNACK.",
        ),
    ],
};
