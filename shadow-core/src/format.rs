//! What a `defmt` logger is given of the types whose `Debug` is written by hand too. Types without
//! `Debug`, as [`Secret`](crate::tencent::Secret), have no `Format` either.

use defmt::{Format, Formatter, write};

use crate::event::Message;
use crate::json::Json;
use crate::tencent::{Document, ShadowName};
use crate::time::Instant;

/// Seconds with six decimals.
impl Format for Instant {
    fn format(&self, f: Formatter<'_>) {
        write!(f, "{=u64:us}s", self.as_micros());
    }
}

/// The text.
impl Format for Json {
    fn format(&self, f: Formatter<'_>) {
        write!(f, "{=str}", self.as_str());
    }
}

/// The text.
impl Format for Document {
    fn format(&self, f: Formatter<'_>) {
        write!(f, "{=str}", self.as_json());
    }
}

/// `PRODUCTID/name`.
impl Format for ShadowName {
    fn format(&self, f: Formatter<'_>) {
        write!(f, "{=str}/{=str}", self.product_id(), self.device_name());
    }
}

/// With the payload as text, what is not ASCII of it escaped.
impl Format for Message {
    fn format(&self, f: Formatter<'_>) {
        write!(
            f,
            "Message {{ topic: {=str}, payload: {=[u8]:a}, qos: {}, retain: {=bool}, duplicate: {=bool} }}",
            self.topic.as_str(),
            self.payload.as_slice(),
            self.qos,
            self.retain,
            self.duplicate
        );
    }
}

/// Compiled is tested: a program with `defmt` in it links on a target with a logger only.
const _: () = {
    const fn formats<T: Format>() {}
    formats::<crate::Counters>();
    formats::<crate::Deadline>();
    formats::<crate::Delta>();
    formats::<crate::DisconnectCause>();
    formats::<crate::Event>();
    formats::<crate::Instant>();
    formats::<crate::LimitExceeded>();
    formats::<crate::Outcome>();
    formats::<crate::RequestError>();
    formats::<crate::RequestId>();
    formats::<crate::SessionError>();
    formats::<crate::ShadowId>();
    formats::<crate::Timer>();
    formats::<crate::Transmit>();
    formats::<crate::TransportFailure>();
    formats::<crate::WallTime>();
    formats::<crate::event::DeltaOrigin>();
    formats::<crate::event::Message>();
    formats::<crate::event::Unmatched>();
    formats::<crate::event::UnmatchedReason>();
    formats::<crate::json::Json>();
    formats::<crate::mqtt::ConnectReturnCode>();
    formats::<crate::mqtt::DecodeError>();
    formats::<crate::mqtt::EncodeError>();
    formats::<crate::mqtt::PacketId>();
    formats::<crate::mqtt::PacketKind>();
    formats::<crate::mqtt::ProtocolVersion>();
    formats::<crate::mqtt::QoS>();
    formats::<crate::tencent::DeviceInfoError>();
    formats::<crate::tencent::Document>();
    formats::<crate::tencent::NameError>();
    formats::<crate::tencent::Operation>();
    formats::<crate::tencent::ParseError>();
    formats::<crate::tencent::ShadowName>();
    formats::<crate::tencent::Timestamp>();
    formats::<crate::typed::Field<bool>>();
    formats::<crate::typed::FieldError>();
    formats::<crate::typed::FieldPath>();
    formats::<crate::typed::PathSegment>();
    formats::<crate::typed::TypedDelta<bool>>();
    formats::<crate::typed::TypedEvent<bool>>();
    // What an event holds beside.
    formats::<core::time::Duration>();
};
