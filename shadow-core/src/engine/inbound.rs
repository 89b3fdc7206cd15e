//! What an inbound message means.

use alloc::string::ToString;

use super::events::Events;
use super::requests::{Fate, Owner, Progress, Request, Requests, Task};
use super::shadows::{Shadow, Shadows};
use super::token;
use crate::config::TokenStyle;
use crate::event::{Delta, DeltaOrigin, Event, Message, Outcome, Unmatched, UnmatchedReason};
use crate::json::Json;
use crate::mqtt::Publish;
use crate::session::Session;
use crate::tencent::{self, Body, Operation, ParseError};

/// The parts of the engine that a message can concern. None of them sends anything, so a message
/// can be handled while its bytes are still borrowed from the decoder.
pub(super) struct Inbound<'a> {
    pub(super) token_style: TokenStyle,
    pub(super) session: &'a Session,
    pub(super) shadows: &'a mut Shadows,
    pub(super) requests: &'a mut Requests,
    pub(super) events: &'a mut Events,
}

impl Inbound<'_> {
    pub(super) fn handle(self, publish: &Publish<'_>) {
        let Inbound {
            token_style,
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
        match tencent::reply::parse(publish.payload) {
            Err(error) => {
                let size = publish.payload.len();
                events.push(Event::InvalidMessage {
                    shadow: shadow.id,
                    error,
                    size,
                });
            }
            Ok(tencent::Message::Delta { body }) => {
                push_delta(shadow, &body, publish.payload.len(), events);
            }
            Ok(tencent::Message::Reply {
                operation,
                token,
                result,
                body,
            }) => {
                let reply = Reply {
                    operation,
                    token: token.as_deref(),
                    code: result,
                    body,
                };
                let number = reply
                    .token
                    .and_then(|text| token::recognise(token_style, session, shadow, text));
                let answered =
                    number.and_then(|number| requests.answer(shadow.id, reply.operation, number));
                match answered {
                    Some(request) => answer(shadow, &request, &reply, requests, events),
                    None => unmatched(shadow, number, &reply, requests, events),
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

fn answer(
    shadow: &mut Shadow,
    request: &Request,
    reply: &Reply<'_>,
    requests: &mut Requests,
    events: &mut Events,
) {
    let document = reply.body.to_document();
    match request.owner {
        Owner::Application => {
            let outcome = match reply.code {
                0 => Outcome::Accepted(document),
                code => Outcome::Rejected { code, document },
            };
            events.end(request.id, outcome);
        }
        Owner::Engine if reply.code != 0 => {
            events.push(Event::GetRejected {
                shadow: shadow.id,
                code: reply.code,
                document,
            });
            let task = Task::Retry { shadow: shadow.id };
            requests.register(Owner::Engine, request.deadline, Progress::Sent, task);
        }
        Owner::Engine => {
            if let Some(state) = document.delta().filter(|state| is_object(state)) {
                tell_delta(
                    shadow,
                    DeltaOrigin::Fetched,
                    document.version(),
                    state,
                    events,
                );
            }
            events.push(Event::Ready {
                shadow: shadow.id,
                document,
            });
        }
    }
}

fn push_delta(shadow: &mut Shadow, body: &Body<'_>, size: usize, events: &mut Events) {
    let document = body.to_document();
    let Some(state) = document.delta().filter(|state| is_object(state)) else {
        let error = ParseError::InvalidField {
            field: "payload.state",
            expected: "an object",
        };
        let shadow = shadow.id;
        events.push(Event::InvalidMessage {
            shadow,
            error,
            size,
        });
        return;
    };
    tell_delta(
        shadow,
        DeltaOrigin::Pushed,
        document.version(),
        state,
        events,
    );
}

fn tell_delta(
    shadow: &mut Shadow,
    origin: DeltaOrigin,
    version: Option<u64>,
    state: &str,
    events: &mut Events,
) {
    let state = Json::from_valid(state);
    // Without a version it may as well be a second change to the same value.
    let told = version.map(|version| (version, state.clone()));
    if told.is_some() && shadow.last_delta == told {
        return;
    }
    let kept = events.push(Event::Delta(Delta {
        shadow: shadow.id,
        origin,
        version,
        state,
    }));
    if kept {
        shadow.last_delta = told;
    }
}

/// Of valid JSON without white space around it.
fn is_object(text: &str) -> bool {
    text.starts_with('{')
}

fn unmatched(
    shadow: &Shadow,
    number: Option<u64>,
    reply: &Reply<'_>,
    requests: &Requests,
    events: &mut Events,
) {
    let reason = match (reply.token, number) {
        (None, _) => UnmatchedReason::Tokenless,
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
