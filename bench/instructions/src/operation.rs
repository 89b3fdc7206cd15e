//! What is measured.

use bench::Target;

/// One thing that ours and the peers can do; what is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Nothing: what the loop itself costs. It is taken off every other count.
    Nothing,
    /// A PUBLISH of QoS 0 with a payload of 119 bytes, written into a buffer that is used again.
    EncodePublish,
    /// A PUBLISH of QoS 0 with a payload of 218 bytes, read.
    DecodePublish,
    /// As `EncodePublish` with QoS 1.
    EncodePublishAtLeastOnce,
    /// As `DecodePublish` with QoS 1.
    DecodePublishAtLeastOnce,
    /// A PUBACK, written.
    EncodePubAck,
    /// A PUBACK, read.
    DecodePubAck,
    /// The CONNECT of a device, with user name and signature, written.
    EncodeConnect,
    /// A SUBACK of one topic filter, read.
    DecodeSubAck,
    /// A PINGRESP, read.
    DecodePingResp,
    /// As `DecodePublish` out of a stream that gives one byte at a time.
    DecodePublishByBytes,
    /// The bytes of the reply to a get, 218 bytes of payload, become the event that ends the
    /// request.
    GetReply,
    /// As `GetReply`, one byte at a time.
    GetReplyByBytes,
    /// As `GetReply` with a document of 16 KB.
    LargeGetReply,
    /// A change of two values becomes the bytes of the update that asks for it.
    Update,
    /// As `Update` with a payload of 16 KB.
    LargeUpdate,
    /// A pushed change of `desired` becomes the event that tells of it.
    Delta,
    /// A get becomes bytes, and the bytes of its reply become the event that ends it.
    GetRoundTrip,
    /// An update becomes bytes, and the bytes of its reply become the event that ends it.
    UpdateRoundTrip,
    /// What the device reports is merged into what it reported, and the difference becomes the
    /// bytes of an update.
    Report,
    /// An answer to a delta becomes the bytes of the update that reports it and deletes it from
    /// `desired`.
    Accept,
    /// A tick when nothing is due.
    Tick,
    /// When is something due?
    Deadline,
    /// PINGREQ leaves when it is due, and PINGRESP comes.
    KeepAlive,
}

impl Operation {
    /// All, in the order in which they are printed.
    pub const ALL: [Operation; 24] = [
        Operation::Nothing,
        Operation::EncodePublish,
        Operation::DecodePublish,
        Operation::EncodePublishAtLeastOnce,
        Operation::DecodePublishAtLeastOnce,
        Operation::EncodePubAck,
        Operation::DecodePubAck,
        Operation::EncodeConnect,
        Operation::DecodeSubAck,
        Operation::DecodePingResp,
        Operation::DecodePublishByBytes,
        Operation::GetReply,
        Operation::GetReplyByBytes,
        Operation::LargeGetReply,
        Operation::Update,
        Operation::LargeUpdate,
        Operation::Delta,
        Operation::GetRoundTrip,
        Operation::UpdateRoundTrip,
        Operation::Report,
        Operation::Accept,
        Operation::Tick,
        Operation::Deadline,
        Operation::KeepAlive,
    ];

    /// The heading under which it stands in the table.
    #[must_use]
    pub fn group(self) -> &'static str {
        match self {
            Operation::Nothing => "loop",
            Operation::EncodePublish
            | Operation::DecodePublish
            | Operation::EncodePublishAtLeastOnce
            | Operation::DecodePublishAtLeastOnce
            | Operation::EncodePubAck
            | Operation::DecodePubAck
            | Operation::EncodeConnect
            | Operation::DecodeSubAck
            | Operation::DecodePingResp
            | Operation::DecodePublishByBytes => "codec",
            _ => "engine",
        }
    }

    /// Its name on the command line and in the committed counts.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Operation::Nothing => "nothing",
            Operation::EncodePublish => "encode-publish",
            Operation::DecodePublish => "decode-publish",
            Operation::EncodePublishAtLeastOnce => "encode-publish-qos1",
            Operation::DecodePublishAtLeastOnce => "decode-publish-qos1",
            Operation::EncodePubAck => "encode-puback",
            Operation::DecodePubAck => "decode-puback",
            Operation::EncodeConnect => "encode-connect",
            Operation::DecodeSubAck => "decode-suback",
            Operation::DecodePingResp => "decode-pingresp",
            Operation::DecodePublishByBytes => "decode-publish-by-bytes",
            Operation::GetReply => "get-reply",
            Operation::GetReplyByBytes => "get-reply-by-bytes",
            Operation::LargeGetReply => "get-reply-16k",
            Operation::Update => "update",
            Operation::LargeUpdate => "update-16k",
            Operation::Delta => "delta",
            Operation::GetRoundTrip => "get-round-trip",
            Operation::UpdateRoundTrip => "update-round-trip",
            Operation::Report => "report",
            Operation::Accept => "accept",
            Operation::Tick => "tick",
            Operation::Deadline => "deadline",
            Operation::KeepAlive => "keep-alive",
        }
    }

    /// What stands in the table.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Operation::Nothing => "the measuring loop, taken off all others",
            Operation::EncodePublish => "encode PUBLISH QoS 0, 119 B",
            Operation::DecodePublish => "decode PUBLISH QoS 0, 218 B",
            Operation::EncodePublishAtLeastOnce => "encode PUBLISH QoS 1, 119 B",
            Operation::DecodePublishAtLeastOnce => "decode PUBLISH QoS 1, 218 B",
            Operation::EncodePubAck => "encode PUBACK",
            Operation::DecodePubAck => "decode PUBACK",
            Operation::EncodeConnect => "encode CONNECT",
            Operation::DecodeSubAck => "decode SUBACK",
            Operation::DecodePingResp => "decode PINGRESP",
            Operation::DecodePublishByBytes => "decode PUBLISH QoS 0, 218 B, by single bytes",
            Operation::GetReply => "get reply, 218 B → event",
            Operation::GetReplyByBytes => "get reply, 218 B, by single bytes → event",
            Operation::LargeGetReply => "get reply, 16 KB → event",
            Operation::Update => "update request → bytes",
            Operation::LargeUpdate => "update request, 16 KB → bytes",
            Operation::Delta => "delta → event",
            Operation::GetRoundTrip => "get → bytes, reply → event",
            Operation::UpdateRoundTrip => "update → bytes, reply → event",
            Operation::Report => "report → bytes",
            Operation::Accept => "answer to a delta → bytes",
            Operation::Tick => "tick, nothing due",
            Operation::Deadline => "next deadline",
            Operation::KeepAlive => "PINGREQ and PINGRESP",
        }
    }

    /// The operation of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Operation> {
        let mut all = Operation::ALL.into_iter();
        all.find(|operation| operation.name() == name)
    }

    /// How many times it runs for one count. What is done only now and then, as a buffer that
    /// grows, has come and gone before by as many runs that are not counted.
    #[must_use]
    pub fn repetitions(self) -> u32 {
        match self {
            Operation::LargeGetReply | Operation::LargeUpdate => 16,
            Operation::GetReplyByBytes | Operation::DecodePublishByBytes => 32,
            _ => 128,
        }
    }

    /// The budget for its instructions.
    #[must_use]
    pub fn instructions(self) -> Option<Target> {
        match self {
            Operation::EncodePublish => Some(Target::AtMost(300.0)),
            Operation::DecodePublish => Some(Target::AtMost(250.0)),
            Operation::GetReply => Some(Target::AtMost(5_000.0)),
            Operation::Update => Some(Target::AtMost(2_000.0)),
            _ => None,
        }
    }

    /// The budget for its allocations.
    #[must_use]
    pub fn allocations(self) -> Option<Target> {
        match self {
            Operation::EncodePublish | Operation::DecodePublish | Operation::Update => {
                Some(Target::AtMost(0.0))
            }
            Operation::GetReply => Some(Target::AtMost(2.0)),
            _ => None,
        }
    }
}
