//! Where the codecs differ, why, and who is right: this project's codec, in all that is here.

use shadow_core::mqtt::{DecodeError, PacketKind};

use crate::codecs::Codec::{self, ProtocolCore, Rumqtt};
use crate::model::Model;

/// One justified difference. It covers the kinds of packets that its examples are of.
pub(crate) struct Disagreement {
    /// The others, to all of whom it applies.
    pub(crate) codecs: &'static [Codec],
    /// The statement of MQTT 3.1.1 that decides, or the section.
    pub(crate) clause: &'static str,
    pub(crate) form: Form,
    /// What the others do.
    pub(crate) why: &'static str,
    /// Packets that show it, one for each kind.
    pub(crate) examples: &'static [&'static [u8]],
}

/// How the codecs differ.
#[derive(Clone, Copy)]
pub(crate) enum Form {
    /// This project's codec refuses by the clause, the others do not look.
    OnlyTheyTake,
    /// The others refuse packets of this form, which the standard allows.
    OnlyWeTake(fn(&Model) -> bool),
    /// All take packets of this form, and the others do not read what is written.
    ReadOtherwise(fn(&Model) -> bool),
}

const BOTH: &[Codec] = &Codec::OTHERS;

pub(crate) const DISAGREEMENTS: &[Disagreement] = &[
    Disagreement {
        codecs: BOTH,
        clause: "MQTT-2.2.2-2",
        form: Form::OnlyTheyTake,
        why: "They read the flags of PUBLISH only.",
        examples: &[
            b"\x11\x0d\x00\x04MQTT\x04\x02\x00\x0a\x00\x01c",
            b"\x21\x02\x00\x00",
            b"\x41\x02\x00\x01",
            b"\x51\x02\x00\x01",
            b"\x72\x02\x00\x01",
            b"\x92\x03\x00\x01\x00",
            b"\xb1\x02\x00\x01",
            b"\xc1\x00",
            b"\xd1\x00",
        ],
    },
    Disagreement {
        codecs: BOTH,
        clause: "MQTT-3.6.1-1",
        form: Form::OnlyTheyTake,
        why: "They read the flags of PUBLISH only.",
        examples: &[b"\x60\x02\x00\x01"],
    },
    Disagreement {
        codecs: BOTH,
        clause: "MQTT-3.8.1-1",
        form: Form::OnlyTheyTake,
        why: "They read the flags of PUBLISH only.",
        examples: &[b"\x80\x06\x00\x01\x00\x01f\x00"],
    },
    Disagreement {
        codecs: BOTH,
        clause: "MQTT-3.10.1-1",
        form: Form::OnlyTheyTake,
        why: "They read the flags of PUBLISH only.",
        examples: &[b"\xa0\x05\x00\x01\x00\x01f"],
    },
    Disagreement {
        codecs: BOTH,
        clause: "MQTT-3.14.1-1",
        form: Form::OnlyTheyTake,
        why: "They read the flags of PUBLISH only.",
        examples: &[b"\xe1\x00"],
    },
    Disagreement {
        codecs: &[Rumqtt],
        clause: "MQTT section 2.2.3",
        form: Form::OnlyTheyTake,
        why: "It leaves bytes behind the last field unread.",
        examples: &[
            b"\x10\x0e\x00\x04MQTT\x04\x02\x00\x0a\x00\x01c!",
            b"\x20\x03\x00\x00!",
            b"\x40\x03\x00\x01!",
            b"\x50\x03\x00\x01!",
            b"\x62\x03\x00\x01!",
            b"\x70\x03\x00\x01!",
            b"\xc0\x01!",
            b"\xd0\x01!",
            b"\xe0\x01!",
        ],
    },
    Disagreement {
        codecs: &[ProtocolCore],
        clause: "MQTT section 2.2.3",
        form: Form::OnlyTheyTake,
        why: "It reads a reason code, which only MQTT 5 has.",
        examples: &[
            b"\x40\x03\x00\x01\x00",
            b"\x50\x03\x00\x01\x00",
            b"\x62\x03\x00\x01\x00",
            b"\x70\x03\x00\x01\x00",
        ],
    },
    Disagreement {
        codecs: BOTH,
        clause: "MQTT-1.5.3-2",
        form: Form::OnlyTheyTake,
        why: "They check that strings are UTF-8, not that they have no U+0000.",
        examples: &[
            b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x0a\x00\x01\x00",
            b"\x30\x03\x00\x01\x00",
            b"\x82\x06\x00\x01\x00\x01\x00\x00",
            b"\xa2\x05\x00\x01\x00\x01\x00",
        ],
    },
    Disagreement {
        codecs: BOTH,
        clause: "MQTT-2.3.1-1",
        form: Form::OnlyTheyTake,
        why: "They take the packet identifier 0 here.",
        examples: &[
            b"\x82\x06\x00\x00\x00\x01f\x00",
            b"\x90\x03\x00\x00\x00",
            b"\xa2\x05\x00\x00\x00\x01f",
            b"\xb0\x02\x00\x00",
        ],
    },
    Disagreement {
        codecs: &[Rumqtt],
        clause: "MQTT-2.3.1-1",
        form: Form::OnlyTheyTake,
        why: "It takes the packet identifier 0 but in PUBLISH.",
        examples: &[
            b"\x40\x02\x00\x00",
            b"\x50\x02\x00\x00",
            b"\x62\x02\x00\x00",
            b"\x70\x02\x00\x00",
        ],
    },
    Disagreement {
        codecs: &[ProtocolCore],
        clause: "MQTT-2.3.1-1",
        form: Form::OnlyTheyTake,
        why: "It takes the packet identifier 0 in PUBLISH, though it writes none.",
        examples: &[b"\x32\x05\x00\x01t\x00\x00"],
    },
    Disagreement {
        codecs: &[Rumqtt],
        clause: "MQTT-3.1.2-2",
        form: Form::OnlyTheyTake,
        why: "It takes the level of MQTT 5, whose CONNECT it then reads as one of 3.1.1.",
        examples: &[b"\x10\x0d\x00\x04MQTT\x05\x02\x00\x0a\x00\x01c"],
    },
    Disagreement {
        codecs: BOTH,
        clause: "MQTT-3.1.2-3",
        form: Form::OnlyTheyTake,
        why: "They do not look at the reserved flag.",
        examples: &[b"\x10\x0d\x00\x04MQTT\x04\x03\x00\x0a\x00\x01c"],
    },
    Disagreement {
        codecs: &[ProtocolCore],
        clause: "MQTT-3.1.2-13",
        form: Form::OnlyTheyTake,
        why: "It does not look at the will's QoS.",
        examples: &[b"\x10\x0d\x00\x04MQTT\x04\x0a\x00\x0a\x00\x01c"],
    },
    Disagreement {
        codecs: &[ProtocolCore],
        clause: "MQTT-3.1.2-14",
        form: Form::OnlyTheyTake,
        why: "It does not look at the will's QoS until somebody asks for it.",
        examples: &[b"\x10\x12\x00\x04MQTT\x04\x1e\x00\x0a\x00\x01c\x00\x01w\x00\x00"],
    },
    Disagreement {
        codecs: &[ProtocolCore],
        clause: "MQTT-3.1.2-15",
        form: Form::OnlyTheyTake,
        why: "It does not look at the will's retain flag.",
        examples: &[b"\x10\x0d\x00\x04MQTT\x04\x22\x00\x0a\x00\x01c"],
    },
    Disagreement {
        codecs: &[Rumqtt],
        clause: "MQTT-3.1.2-22",
        form: Form::OnlyTheyTake,
        why: "It takes a password without a user name.",
        examples: &[b"\x10\x10\x00\x04MQTT\x04\x42\x00\x0a\x00\x01c\x00\x01p"],
    },
    Disagreement {
        codecs: BOTH,
        clause: "MQTT-3.1.3-8",
        form: Form::OnlyTheyTake,
        why: "They leave it to the server above them; here the error says what to answer.",
        examples: &[b"\x10\x0c\x00\x04MQTT\x04\x00\x00\x0a\x00\x00"],
    },
    Disagreement {
        codecs: &[Rumqtt],
        clause: "MQTT section 3.1.3.5",
        form: Form::OnlyWeTake(has_password_that_is_no_text),
        why: "It takes a password for a string; it is any bytes.",
        examples: &[b"\x10\x13\x00\x04MQTT\x04\xc2\x00\x0a\x00\x01c\x00\x01u\x00\x01\xff"],
    },
    Disagreement {
        codecs: &[Rumqtt],
        clause: "MQTT-3.1.2-19",
        form: Form::ReadOtherwise(has_empty_login),
        why: "It does not tell an empty user name or password from none.",
        examples: &[b"\x10\x0f\x00\x04MQTT\x04\x82\x00\x0a\x00\x01c\x00\x00"],
    },
    Disagreement {
        codecs: BOTH,
        clause: "MQTT-4.7.1-1",
        form: Form::OnlyTheyTake,
        why: "They do not look into the will topic.",
        examples: &[b"\x10\x12\x00\x04MQTT\x04\x06\x00\x0a\x00\x01c\x00\x01#\x00\x00"],
    },
    Disagreement {
        codecs: BOTH,
        clause: "MQTT section 3.2.2.1",
        form: Form::OnlyTheyTake,
        why: "They look at the lowest flag of CONNACK only.",
        examples: &[b"\x20\x02\x02\x00"],
    },
    Disagreement {
        codecs: BOTH,
        clause: "MQTT-3.2.2-4",
        form: Form::OnlyTheyTake,
        why: "They take a session present in a refusal.",
        examples: &[b"\x20\x02\x01\x05"],
    },
    Disagreement {
        codecs: BOTH,
        clause: "MQTT-3.3.1-2",
        form: Form::OnlyTheyTake,
        why: "They take DUP at QoS 0.",
        examples: &[b"\x38\x03\x00\x01t"],
    },
    Disagreement {
        codecs: BOTH,
        clause: "MQTT-3.3.2-2",
        form: Form::OnlyTheyTake,
        why: "They do not look into the topic name.",
        examples: &[b"\x30\x03\x00\x01+"],
    },
    Disagreement {
        codecs: BOTH,
        clause: "MQTT-4.7.3-1",
        form: Form::OnlyTheyTake,
        why: "They take an empty topic name or filter.",
        examples: &[
            b"\x10\x11\x00\x04MQTT\x04\x06\x00\x0a\x00\x01c\x00\x00\x00\x00",
            b"\x30\x02\x00\x00",
            b"\x82\x05\x00\x01\x00\x00\x00",
            b"\xa2\x04\x00\x01\x00\x00",
        ],
    },
    Disagreement {
        codecs: BOTH,
        clause: "MQTT-4.7.1-2",
        form: Form::OnlyTheyTake,
        why: "They do not look into filters.",
        examples: &[
            b"\x82\x07\x00\x01\x00\x02a#\x00",
            b"\xa2\x06\x00\x01\x00\x02a#",
        ],
    },
    Disagreement {
        codecs: BOTH,
        clause: "MQTT-4.7.1-3",
        form: Form::OnlyTheyTake,
        why: "They do not look into filters.",
        examples: &[
            b"\x82\x07\x00\x01\x00\x02a+\x00",
            b"\xa2\x06\x00\x01\x00\x02a+",
        ],
    },
    Disagreement {
        codecs: &[Rumqtt],
        clause: "MQTT-3.8.3-4",
        form: Form::OnlyTheyTake,
        why: "It looks at the QoS of a requested subscription and at none of the bits beside it.",
        examples: &[b"\x82\x06\x00\x01\x00\x01f\x80"],
    },
    Disagreement {
        codecs: &[ProtocolCore],
        clause: "MQTT-3.8.3-4",
        form: Form::OnlyTheyTake,
        why: "It takes the subscription options of MQTT 5, which are reserved bits in 3.1.1.",
        examples: &[b"\x82\x06\x00\x01\x00\x01f\x04"],
    },
    Disagreement {
        codecs: &[Rumqtt],
        clause: "MQTT-3.10.3-2",
        form: Form::OnlyTheyTake,
        why: "It takes UNSUBSCRIBE without a filter.",
        examples: &[b"\xa2\x02\x00\x01"],
    },
];

fn has_password_that_is_no_text(packet: &Model) -> bool {
    matches!(packet, Model::Connect { password: Some(password), .. }
        if std::str::from_utf8(password).is_err())
}

fn has_empty_login(packet: &Model) -> bool {
    matches!(packet, Model::Connect { user_name, password, .. }
        if user_name.as_deref() == Some("") || password.as_deref() == Some(b""))
}

impl Disagreement {
    fn covers(&self, codec: Codec, kind: PacketKind) -> bool {
        let kinds = self.examples.iter().map(|example| example[0] >> 4);
        self.codecs.contains(&codec) && kinds.into_iter().any(|number| number == kind.number())
    }
}

/// The entry for a packet that only the other codec takes.
pub(crate) fn they_take(codec: Codec, error: &DecodeError) -> Option<&'static Disagreement> {
    let kind = error.packet()?;
    DISAGREEMENTS.iter().find(|entry| {
        matches!(entry.form, Form::OnlyTheyTake)
            && entry.clause == error.clause()
            && entry.covers(codec, kind)
    })
}

/// The entry for a packet that only this project's codec takes.
pub(crate) fn we_take(
    codec: Codec,
    kind: PacketKind,
    ours: &Model,
) -> Option<&'static Disagreement> {
    DISAGREEMENTS.iter().find(|entry| {
        matches!(entry.form, Form::OnlyWeTake(is_such) if is_such(ours))
            && entry.covers(codec, kind)
    })
}

/// The entry for a packet that both take and read differently.
pub(crate) fn read_otherwise(
    codec: Codec,
    kind: PacketKind,
    ours: &Model,
) -> Option<&'static Disagreement> {
    DISAGREEMENTS.iter().find(|entry| {
        matches!(entry.form, Form::ReadOtherwise(is_such) if is_such(ours))
            && entry.covers(codec, kind)
    })
}
