//! What the application asks of the engine.

use super::line::{Fields, LineError};
use super::packet::payload;
use super::step::{Kind, Route};
use super::teller::{Teller, Told, rest};
use super::words::shortened;

/// How many characters of state are in a step's words.
const SHOWN: usize = 160;

/// A call: the methods of the engine that are not about the transport or the time.
pub(super) fn call(
    teller: &mut Teller,
    kind: &str,
    fields: &Fields<'_>,
    told: &mut Told<'_>,
) -> Result<(), LineError> {
    let mut step = told.step(Kind::Call, Route::ApplicationToDevice, kind);
    step.content = rest(fields, &[]);
    let number = fields.u64("shadow")?;
    step.shadow = number.and_then(|number| teller.shadow_name(number));
    step.topic = match fields.string("topic")? {
        Some(topic) => Some(topic),
        None => fields.string("filter")?,
    };
    let mut words = Vec::new();
    match kind {
        "update" | "report" | "accept_as" => {
            for part in ["reported", "desired"] {
                if let Some(text) = fields.json(part)? {
                    words.push(format!("{part} {text}"));
                }
            }
        }
        "accept" => words.extend(fields.json("state")?),
        "reject" => words.extend(fields.string("reason")?),
        "attach" => {
            let product_id = fields.string("product_id")?.unwrap_or_default();
            let device_name = fields.string("device_name")?.unwrap_or_default();
            words.push(format!("{product_id}/{device_name}"));
            step.shadow = Some(format!("{product_id}/{device_name}"));
        }
        "publish" | "subscribe" | "unsubscribe" => {
            words.extend(step.topic.clone());
            if kind == "publish" {
                words.push(String::from_utf8_lossy(&payload(fields)?).into_owned());
            }
        }
        "cancel" | "set_timeout" => {
            let request = fields.u64("request")?;
            words.extend(request.map(|request| format!("#{request}")));
        }
        _ => {}
    }
    if matches!(kind, "accept" | "accept_as" | "reject") {
        let delta = teller
            .exchanges
            .answer_delta(number.unwrap_or(0), fields.u64("version")?);
        step.answers
            .extend(delta.map(|waiting| waiting.answered(told.at)));
    }
    words.retain(|word| !word.is_empty());
    step.words = shortened(&words.join(", "), SHOWN);
    told.push(step, teller.link);
    Ok(())
}
