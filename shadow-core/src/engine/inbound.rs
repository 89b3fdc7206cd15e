//! What an inbound message means.

use alloc::string::ToString;

use super::SHORTEST_RETRY;
use super::desired::Learning;
use super::events::Events;
use super::requests::{Fate, Owner, Request, Requests};
use super::shadows::{Knowledge, Shadows};
use super::token;
use crate::config::Config;
use crate::event::{Event, Message, Outcome, Unmatched, UnmatchedReason};
use crate::json::Object;
use crate::mqtt::Publish;
use crate::request::ShadowId;
use crate::session::Session;
use crate::tencent::{self, Body, Operation, ParseError, VERSION_CONFLICT};
use crate::time::Instant;

/// The parts of the engine that a message can concern. None of them sends anything, so a message
/// can be handled while its bytes are still borrowed from the decoder.
pub(super) struct Inbound<'a> {
    pub(super) now: Instant,
    pub(super) config: &'a Config,
    pub(super) session: &'a mut Session,
    pub(super) shadows: &'a mut Shadows,
    pub(super) requests: &'a mut Requests,
    pub(super) events: &'a mut Events,
}

impl Inbound<'_> {
    pub(super) fn handle(self, publish: &Publish<'_>) {
        let Inbound {
            now,
            config,
            session,
            shadows,
            requests,
            events,
        } = self;
        let Some(shadow) = shadows.by_result_topic(publish.topic) else {
            events.push(Event::Message(Message {
                topic: publish.topic.into(),
                payload: publish.payload.into(),
                qos: publish.qos,
                retain: publish.retain,
                duplicate: publish.dup,
            }));
            return;
        };
        let id = shadow.id;
        let size = publish.payload.len();
        let message = match tencent::reply::parse(publish.payload) {
            Ok(message) => message,
            Err(error) => return invalid(id, error, size, events),
        };
        let mut learning = Learning {
            now,
            policy: config.version_policy,
            most: config.maximum_packet_size,
            in_step: config.effective_behaviour().get_on_subscribe,
            retry: config.request_timeout.max(SHORTEST_RETRY),
            session,
            shadow,
            requests,
            events,
        };
        match message {
            tencent::Message::Delta { body } => {
                let values = body.delta().filter(|state| is_object(state));
                match values.and_then(Object::new) {
                    Some(values) => learning.pushed(body.version(), values),
                    None => invalid(id, NO_STATE, size, learning.events),
                }
            }
            tencent::Message::Reply {
                operation,
                token,
                result,
                body,
            } => {
                let reply = Reply {
                    operation,
                    token: token.as_deref(),
                    code: result,
                    body,
                };
                let style = config.effective_behaviour().token_style;
                let number = reply.token.and_then(|text| {
                    token::recognise(style, learning.session, learning.shadow, text)
                });
                let answered =
                    number.and_then(|number| learning.requests.answer(id, reply.operation, number));
                match answered {
                    Some(request) => answer(&mut learning, &request, &reply),
                    None => unmatched(&mut learning, number, &reply),
                }
            }
        }
    }
}

struct Reply<'a> {
    operation: Operation,
    token: Option<&'a str>,
    code: i64,
    body: Body<'a>,
}

const NO_STATE: ParseError = ParseError::InvalidField {
    field: "payload.state",
    expected: "an object",
};

fn invalid(shadow: ShadowId, error: ParseError, size: usize, events: &mut Events) {
    events.push(Event::InvalidMessage {
        shadow,
        error,
        size,
    });
}

fn answer(learning: &mut Learning<'_>, request: &Request, reply: &Reply<'_>) {
    let document = reply.body.to_document();
    match (request.owner, reply.operation) {
        (Owner::Engine, Operation::Get) => learning.got(request, reply.code, document),
        (Owner::Engine, Operation::Update) => learning.updated(reply.code, &document),
        (Owner::Application, operation) => {
            if learning.in_step {
                // Before the engine's own get of this link is answered a document may be older than
                // an update that was sent again behind the request.
                let complete = learning.shadow.link.knowledge == Knowledge::Complete;
                match (operation, reply.code) {
                    (Operation::Get, 0) | (_, VERSION_CONFLICT) if complete => {
                        learning.fetched(&document, false);
                    }
                    (Operation::Update, 0) => learning.learn_version(document.version()),
                    _ => {}
                }
            }
            let outcome = match reply.code {
                0 => Outcome::Accepted(document),
                code => Outcome::Rejected { code, document },
            };
            learning.events.end(request.id, outcome);
        }
    }
}

/// Of valid JSON without white space around it.
fn is_object(text: &str) -> bool {
    text.starts_with('{')
}

fn unmatched(learning: &mut Learning<'_>, number: Option<u64>, reply: &Reply<'_>) {
    let Learning {
        session,
        shadow,
        requests,
        events,
        ..
    } = learning;
    let reason = match (reply.token, number) {
        (None, _) => UnmatchedReason::Tokenless,
        // The run before this one cannot say which of its tokens it gave out.
        (Some(text), None) if token::is_of_earlier_run(session, text) => UnmatchedReason::Late,
        (Some(_), None) => UnmatchedReason::Foreign,
        (Some(_), Some(number)) => match requests.fate(shadow.id, number) {
            Some(Fate::Answered) => UnmatchedReason::Duplicate,
            Some(Fate::Abandoned) => UnmatchedReason::Late,
            // Still open, so it answers another operation than was asked.
            None if requests.is_open(shadow.id, number) => UnmatchedReason::Foreign,
            None => UnmatchedReason::Late,
        },
    };
    events.push(Event::Unmatched(Unmatched {
        shadow: shadow.id,
        reason,
        token: reply.token.map(|text| shorten(text).to_string()),
        operation: reply.operation,
        code: reply.code,
        document: reply.body.to_document(),
    }));
}

/// At most 128 bytes of a foreign token.
fn shorten(text: &str) -> &str {
    let mut end = text.len().min(128);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}
