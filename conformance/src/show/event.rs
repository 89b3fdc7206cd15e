//! What the engine tells the application.

use std::time::Duration;

use super::line::{Fields, LineError};
use super::step::{Kind, Link, Route, Step};
use super::teller::{Teller, Told, rest};
use super::words::{Span, shortened};

/// How many characters of state are in a step's words.
const SHOWN: usize = 160;

/// An event.
pub(super) fn event(
    teller: &mut Teller,
    fields: &Fields<'_>,
    told: &mut Told<'_>,
) -> Result<(), LineError> {
    let name = fields.required("event", fields.string("event")?)?;
    let mut step = told.step(Kind::Event, Route::DeviceToApplication, name);
    let number = fields.u64("shadow")?;
    step.shadow = number.and_then(|number| teller.shadow_name(number));
    step.request = fields.u64("request")?;
    step.token = fields.string("token")?;
    step.topic = match fields.string("topic")? {
        Some(topic) => Some(topic),
        None => fields.string("filter")?,
    };
    let mut left_out = vec!["event"];
    for document in ["document", "state", "payload"] {
        let text = fields.json(document)?;
        step.document_of = text.and_then(|text| teller.document_step(&text));
        if step.document_of.is_some() {
            left_out.push(document);
            break;
        }
    }
    step.content = rest(fields, &left_out);
    describe(&mut step, teller, fields, told)?;
    told.push(step, teller.link);
    Ok(())
}

fn describe(
    step: &mut Step,
    teller: &mut Teller,
    fields: &Fields<'_>,
    told: &Told<'_>,
) -> Result<(), LineError> {
    let text =
        |key: &str| -> Result<String, LineError> { Ok(fields.string(key)?.unwrap_or_default()) };
    match step.name.as_str() {
        "Connected" if fields.flag("session_present")? => {
            "session present".clone_into(&mut step.words);
        }
        "Disconnected" => {
            teller.link = Link::Down;
            step.fault = Some(text("cause")?);
            let retry = fields.u64("retry_in")?.map(Duration::from_micros);
            if let Some(retry) = retry {
                step.words = format!("to connect again in {}", Span(retry));
            }
        }
        "Closed" => teller.link = Link::Down,
        "Delta" => {
            let version = fields.u64("version")?;
            if let Some(number) = fields.u64("shadow")? {
                let waiting = told.next_waiting();
                teller.exchanges.open_delta(number, version, waiting);
            }
            let again = if fields.flag("redelivered")? {
                "again, "
            } else {
                ""
            };
            let version = version.map_or(String::new(), |version| format!("version {version}: "));
            let state = fields.json("state")?.unwrap_or_default();
            step.words = shortened(&format!("{again}{version}{state}"), SHOWN);
        }
        "Ended" => ended(step, teller, fields, told)?,
        "ShadowRefused" => step.fault = Some("the subscription is refused".to_owned()),
        "GetRejected" => step.fault = Some(rejected(fields)?),
        "Message" => step.words = step.topic.clone().unwrap_or_default(),
        "Unmatched" => step.fault = Some(format!("a reply without a request: {}", text("reason")?)),
        "InvalidMessage" => step.fault = Some(format!("not understood: {}", text("error")?)),
        "OversizedMessage" => {
            let size = fields.u64("size")?.unwrap_or(0);
            step.fault = Some(format!("a message of {size} bytes was dropped"));
        }
        "SubscriptionLost" => step.fault = Some("the server has lost it".to_owned()),
        "UnexpectedAcknowledgement" => step.fault = Some("answers nothing".to_owned()),
        "EventsLost" => {
            let count = fields.u64("count")?.unwrap_or(0);
            step.fault = Some(format!("{count} events were dropped"));
        }
        _ => {}
    }
    Ok(())
}

fn ended(
    step: &mut Step,
    teller: &mut Teller,
    fields: &Fields<'_>,
    told: &Told<'_>,
) -> Result<(), LineError> {
    if let Some(request) = step.request {
        let call = teller.exchanges.close_call(request);
        step.answers
            .extend(call.map(|waiting| waiting.answered(told.at)));
    }
    let outcome = fields.string("outcome")?.unwrap_or_default();
    let request = step
        .request
        .map_or(String::new(), |request| format!("#{request} "));
    step.words = format!("{request}{}", outcome.to_lowercase());
    match outcome.as_str() {
        "Reported" => {
            if let Some(version) = fields.u64("version")? {
                step.words.push_str(&format!(", version {version}"));
            }
        }
        "Rejected" => step.fault = Some(rejected(fields)?),
        "SubscriptionRefused" => {
            step.words = format!("{request}subscribe");
            step.fault = Some("the subscription is refused".to_owned());
        }
        "TimedOut" => {
            step.words = format!("{request}timed out");
            step.fault = Some("no answer in time".to_owned());
        }
        "Disconnected" => {
            let applied = fields.flag("maybe_applied")?;
            let applied = if applied {
                "; the cloud may have carried it out"
            } else {
                ""
            };
            step.fault = Some(format!("the link was lost{applied}"));
        }
        "DeltaRejected" => {
            let reason = fields.string("reason")?.unwrap_or_default();
            step.words = format!("{request}delta rejected: {reason}");
        }
        _ => {}
    }
    Ok(())
}

fn rejected(fields: &Fields<'_>) -> Result<String, LineError> {
    let code = fields.i64("code")?;
    Ok(super::packet::rejection(code.unwrap_or(0)))
}
