//! What a line of the log says.

/// Which of the SDK's three threads wrote a line. Order holds within a thread, not between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Thread {
    /// The application's: it calls the SDK, and the SDK logs on its behalf.
    Application,
    /// The SDK's connection loop, inside which paho reads and writes the socket.
    Network,
    /// The SDK's event queue, which calls the application's `on_*` functions one after another.
    Callback,
}

/// What part a line plays in a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// It comes from outside the client: bytes of the server, a failing socket, a call of the
    /// application that is logged before it acts.
    Cause,
    /// The client does it because of a cause, printed or not.
    Effect,
    /// It neither acts nor answers.
    Remark,
}

/// A document as the log prints it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload {
    /// A Python literal, as compact JSON text ([`JsonStyle::Compact`]).
    ///
    /// [`JsonStyle::Compact`]: super::python_literal::JsonStyle::Compact
    Json(String),
    /// Bare text. The SDK prints a JSON string this way, without its quotes.
    Text(String),
}

/// What one record of the log says.
///
/// `message_number` is what paho calls `mid`: one counter over SUBSCRIBE, UNSUBSCRIBE and PUBLISH,
/// QoS 0 included. It is the packet identifier where the packet has one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "the fields are the printed values, named by MQTT's terms"
)]
pub enum Statement {
    /// `LoopThread thread enter`
    ThreadEnter,
    /// `LoopThread thread exit`
    ThreadExit,
    /// `connect_async (HOST:PORT)`; older SDKs print `connect_async...PORT`.
    ConnectAsync { host: Option<String>, port: u16 },
    /// `mqtt reconnect error:TEXT`: the TCP or TLS connection could not be made.
    ReconnectError { text: String },
    /// `failed to receive on socket: TEXT`: the connection broke.
    SocketError { text: String },
    /// `Sending CONNECT (u1, p1, wr0, wq0, wf0, c1, k60) client_id=b'..'`
    SendingConnect {
        user_name: bool,
        password: bool,
        will_retain: bool,
        will_qos: u8,
        will: bool,
        clean_session: bool,
        /// In seconds.
        keep_alive: u16,
        client_id: String,
    },
    /// `Received CONNACK (FLAGS, CODE)`
    ReceivedConnAck { flags: u8, code: u8 },
    /// `on_connect:flags:F,rc:C,userdata:..`; `flags` is the session-present bit.
    OnConnect { flags: u8, rc: u8 },
    /// `on_disconnect:rc:C,userdata:..`; 0 asked for, positive from paho, -1 the loop ended.
    OnDisconnect { rc: i32 },
    /// `state error:STATE`: a disconnect in a state that expects none, such as a refused CONNACK
    /// while `HubState.CONNECTING`. The application is not told.
    StateError { state: String },
    /// `Sending SUBSCRIBE (d0, m1) [(b'FILTER', QOS)]`
    SendingSubscribe {
        dup: bool,
        message_number: u16,
        filters: Vec<(String, u8)>,
    },
    /// `subscribe success topic:FILTER`, or a list of pairs
    SubscribeSuccess { filters: Vec<String> },
    /// `subscribe error topic:FILTER`
    SubscribeError { filters: Vec<String> },
    /// `Received SUBACK`
    ReceivedSubAck,
    /// `on_subscribe:mid:QOS,granted_qos:MID,userdata:..`: the SDK passes the two in the wrong
    /// order; here each is what its name says. `granted_qos` 128 is a refusal.
    OnSubscribe {
        message_number: u16,
        granted_qos: u8,
    },
    /// `Sending UNSUBSCRIBE (d0, m3) [b'FILTER']`
    SendingUnsubscribe {
        dup: bool,
        message_number: u16,
        filters: Vec<String>,
    },
    /// `Received UNSUBACK (Mid: 3)`
    ReceivedUnsubAck { message_number: u16 },
    /// `on_unsubscribe:mid:3,userdata:..`
    OnUnsubscribe { message_number: u16 },
    /// `[shadow update] DICT`, printed before the PUBLISH that carries it.
    ShadowUpdate {
        /// The payload's exact text: the SDK publishes `json.dumps` of the dict
        /// ([`JsonStyle::PythonDumps`](super::python_literal::JsonStyle::PythonDumps)).
        json: String,
    },
    /// `pub topic:TOPIC,payload:..,qos:Q`: older SDKs print it before the PUBLISH.
    PublishCall {
        topic: String,
        payload: Payload,
        qos: u8,
    },
    /// `Sending PUBLISH (d0, q0, r0, m2), 'b'TOPIC'', ... (46 bytes)`, or `(NULL payload)`
    SendingPublish {
        dup: bool,
        qos: u8,
        retain: bool,
        message_number: u16,
        topic: String,
        /// Of the payload, in bytes.
        length: usize,
    },
    /// `publish success`
    PublishSuccess,
    /// `publish failed`
    PublishFailed,
    /// `Received PUBACK (Mid: 2)`
    ReceivedPubAck { message_number: u16 },
    /// `Received PUBREC (Mid: 2)`
    ReceivedPubRec { message_number: u16 },
    /// `Sending PUBREL (Mid: 2)`
    SendingPubRel { message_number: u16 },
    /// `Received PUBCOMP (Mid: 2)`
    ReceivedPubComp { message_number: u16 },
    /// `on_publish:mid:2,userdata:..`
    OnPublish { message_number: u16 },
    /// `Received PUBLISH (d0, q0, r0, m0), 'TOPIC', ...  (192 bytes)`
    ReceivedPublish {
        dup: bool,
        qos: u8,
        retain: bool,
        /// The packet identifier; 0 with QoS 0.
        message_number: u16,
        topic: String,
        /// Of the payload, in bytes.
        length: usize,
    },
    /// `Sending PUBACK (Mid: 2)`
    SendingPubAck { message_number: u16 },
    /// `Sending PUBREC (Mid: 2)`
    SendingPubRec { message_number: u16 },
    /// `Received PUBREL (Mid: 2)`
    ReceivedPubRel { message_number: u16 },
    /// `Sending PUBCOMP (Mid: 2)`
    SendingPubComp { message_number: u16 },
    /// `FUNCTION:payload:..,userdata:..`: the callback that the application registered for the
    /// shadow's topic (`on_shadow_cb` in the sample) or for another service's topic. It prints no
    /// topic; that is on the `Received PUBLISH` before it.
    OnPayload { function: String, payload: Payload },
    /// `on_message:topic:T,payload:..,qos:Q,userdata:..`. Some samples declare payload and QoS in
    /// the other order than the SDK passes them; here each is what its name says.
    OnMessage {
        topic: String,
        payload: Payload,
        qos: u8,
    },
    /// `thread runnable raise exception:TEXT`: a callback, or the SDK's own code before it (a
    /// payload that is not JSON, a topic nobody registered), raised; the event is lost.
    CallbackError { text: String },
    /// `Sending PINGREQ`
    SendingPingReq,
    /// `Received PINGRESP`
    ReceivedPingResp,
    /// `disconnect`: the application asks for it.
    Disconnect,
    /// `Sending DISCONNECT`
    SendingDisconnect,
    /// `app: TEXT`: a remark of the program that drove the SDK.
    AppRemark { text: String },
    /// A line that is known to say nothing about the protocol.
    Environment {
        /// The line, without its outer blanks.
        text: String,
        /// Where in the SDK's repository it is written.
        source: &'static str,
        thread: Thread,
    },
    /// A known complaint of the SDK or of its sample.
    Fault {
        /// The line, without its outer blanks.
        text: String,
        /// Where in the SDK's repository, or in paho, it is written.
        source: &'static str,
        thread: Thread,
    },
    /// Physical lines after a complete record that belong to no record: what something else wrote
    /// into the same stream, such as a traceback.
    Output { text: String },
    /// None of the above.
    Unknown {
        text: String,
        /// Where the line begins like a known one: what is wrong with the rest.
        reason: Option<String>,
    },
}

impl Statement {
    /// The name of the variant in lower case with hyphens, for counts and reports.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.traits().0
    }

    /// The thread that writes such a line; none where the line does not tell (a remark of the
    /// application, an unknown line).
    ///
    /// It is the usual one: an application that publishes or subscribes inside a callback does it
    /// on [`Thread::Callback`], and a QoS 1 PUBLISH that had to wait for its turn, or is sent again
    /// after a reconnect, leaves on [`Thread::Network`]. A set DUP flag is taken for the latter.
    #[must_use]
    pub fn thread(&self) -> Option<Thread> {
        self.traits().1
    }

    /// The part that the line plays.
    #[must_use]
    pub fn role(&self) -> Role {
        self.traits().2
    }

    /// The number that the client gave to a packet of its own with this line, which is one past the
    /// number before it. None for every other line, and for a packet that is sent again (DUP).
    #[must_use]
    pub fn allocated_number(&self) -> Option<u16> {
        match self {
            Statement::SendingSubscribe {
                dup: false,
                message_number,
                ..
            }
            | Statement::SendingUnsubscribe {
                dup: false,
                message_number,
                ..
            }
            | Statement::SendingPublish {
                dup: false,
                message_number,
                ..
            } => Some(*message_number),
            _ => None,
        }
    }

    fn traits(&self) -> (&'static str, Option<Thread>, Role) {
        use Role::{Cause, Effect, Remark};
        const APPLICATION: Option<Thread> = Some(Thread::Application);
        const NETWORK: Option<Thread> = Some(Thread::Network);
        const CALLBACK: Option<Thread> = Some(Thread::Callback);
        match self {
            Statement::ThreadEnter => ("thread-enter", NETWORK, Remark),
            Statement::ThreadExit => ("thread-exit", NETWORK, Remark),
            Statement::ConnectAsync { .. } => ("connect-async", NETWORK, Cause),
            Statement::ReconnectError { .. } => ("reconnect-error", NETWORK, Cause),
            Statement::SocketError { .. } => ("socket-error", NETWORK, Cause),
            Statement::SendingConnect { .. } => ("sending-connect", NETWORK, Effect),
            Statement::ReceivedConnAck { .. } => ("received-connack", NETWORK, Cause),
            Statement::OnConnect { .. } => ("on-connect", CALLBACK, Effect),
            Statement::OnDisconnect { .. } => ("on-disconnect", CALLBACK, Effect),
            Statement::StateError { .. } => ("state-error", NETWORK, Effect),
            Statement::SendingSubscribe { .. } => ("sending-subscribe", APPLICATION, Effect),
            Statement::SubscribeSuccess { .. } => ("subscribe-success", APPLICATION, Effect),
            Statement::SubscribeError { .. } => ("subscribe-error", APPLICATION, Effect),
            Statement::ReceivedSubAck => ("received-suback", NETWORK, Cause),
            Statement::OnSubscribe { .. } => ("on-subscribe", CALLBACK, Effect),
            Statement::SendingUnsubscribe { .. } => ("sending-unsubscribe", APPLICATION, Effect),
            Statement::ReceivedUnsubAck { .. } => ("received-unsuback", NETWORK, Cause),
            Statement::OnUnsubscribe { .. } => ("on-unsubscribe", CALLBACK, Effect),
            Statement::ShadowUpdate { .. } => ("shadow-update", APPLICATION, Cause),
            Statement::PublishCall { .. } => ("publish-call", APPLICATION, Cause),
            Statement::SendingPublish { dup: true, .. } => ("sending-publish", NETWORK, Effect),
            Statement::SendingPublish { .. } => ("sending-publish", APPLICATION, Effect),
            Statement::PublishSuccess => ("publish-success", APPLICATION, Effect),
            Statement::PublishFailed => ("publish-failed", APPLICATION, Effect),
            Statement::ReceivedPubAck { .. } => ("received-puback", NETWORK, Cause),
            Statement::ReceivedPubRec { .. } => ("received-pubrec", NETWORK, Cause),
            Statement::SendingPubRel { .. } => ("sending-pubrel", NETWORK, Effect),
            Statement::ReceivedPubComp { .. } => ("received-pubcomp", NETWORK, Cause),
            Statement::OnPublish { .. } => ("on-publish", CALLBACK, Effect),
            Statement::ReceivedPublish { .. } => ("received-publish", NETWORK, Cause),
            Statement::SendingPubAck { .. } => ("sending-puback", NETWORK, Effect),
            Statement::SendingPubRec { .. } => ("sending-pubrec", NETWORK, Effect),
            Statement::ReceivedPubRel { .. } => ("received-pubrel", NETWORK, Cause),
            Statement::SendingPubComp { .. } => ("sending-pubcomp", NETWORK, Effect),
            Statement::OnPayload { .. } => ("on-payload", CALLBACK, Effect),
            Statement::OnMessage { .. } => ("on-message", CALLBACK, Effect),
            Statement::CallbackError { .. } => ("callback-error", CALLBACK, Effect),
            Statement::SendingPingReq => ("sending-pingreq", NETWORK, Effect),
            Statement::ReceivedPingResp => ("received-pingresp", NETWORK, Cause),
            Statement::Disconnect => ("disconnect", APPLICATION, Cause),
            Statement::SendingDisconnect => ("sending-disconnect", APPLICATION, Effect),
            Statement::AppRemark { .. } => ("app-remark", None, Remark),
            Statement::Environment { thread, .. } => ("environment", Some(*thread), Remark),
            Statement::Fault { thread, .. } => ("fault", Some(*thread), Effect),
            Statement::Output { .. } => ("output", None, Remark),
            Statement::Unknown { .. } => ("unknown", None, Remark),
        }
    }
}
