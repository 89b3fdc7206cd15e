//! Replays a log: the engine is driven with the log's instants, and must do what the log prints.
//!
//! # How
//!
//! Lines that the server or the application caused go in: `Received ..` as bytes, `[shadow update]`
//! and what is sent as requests. What the engine then does is put into the log's words and queued
//! for the thread that would print it; each printed line must be the next one of its thread. Order
//! holds within a thread, not between threads, and no line may come before its cause.
//!
//! # What the engine has no request for
//!
//! * A shadow request that the application wrote itself, with a clientToken of its own or in another
//!   form, is published as it is; its reply answers no request of the engine's. So are the messages
//!   of names that are longer than the vendor's server allows.
//! * SUBSCRIBE and UNSUBSCRIBE of several topics: their numbers are taken, their lines inferred.
//!
//! # What need not be printed
//!
//! * Before the first line, after the last, and where one file ends and another begins: anything.
//!   A log that begins in the middle starts from an engine that is connected and subscribed.
//! * Within a file: a request as a whole, with its PUBLISH and its callbacks, where a reply or the
//!   message numbers show that there was one. A request of which only some lines are printed is
//!   incomplete, and so unexplained.
//! * Kinds of lines that the application never prints although it had three occasions.
//!
//! # What a replay cannot show
//!
//! Inbound bytes are made from the printed documents, so the engine repeats what those say. They are
//! checked against each other instead (`ledger`): a reply must repeat what was sent, a document must
//! hold what was accepted before, and versions count upwards.

mod again;
mod capture_report;
mod conclusions;
mod device;
mod doings;
mod driver;
mod end;
mod fault;
mod gaps;
mod identity;
mod inbound;
mod keep_alive;
mod ledger;
mod link;
mod matching;
mod missing;
mod numbers;
mod outline;
mod own;
mod player;
mod profile;
mod queue;
mod replies;
mod report;
mod requests;
mod seams;
mod server;
mod shadows;
mod start;
mod tokens;
mod tolerance;
mod window;
mod wire;
mod words;

pub use capture_report::{CaptureReport, ConnectionReport, Difference};
pub use conclusions::Conclusion;
pub use fault::Fault;
pub use missing::Missing;
pub use profile::{CaptureProfile, Tokens};
pub use report::{Counts, LineReport, Profile, Report, Unprinted, Verdict};
pub use tolerance::Tolerance;
pub use wire::{import_capture, import_capture_with, record_capture};

use crate::diagnose;
use crate::log::{Log, Session, SessionError};
pub(crate) use identity::Identity;
pub(crate) use outline::{Line, Outline};

use driver::Driver;
use start::{Beginning, Start};

/// A recording of one engine that an import drove; `conformance::recording` replays it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// The client identifier.
    pub client_id: String,
    /// The recording, line by line.
    pub lines: String,
}

/// Replays logs that are excerpts of one session.
///
/// # Errors
/// [`SessionError`] if they cannot be of one session.
///
/// ```
/// use conformance::log::Log;
/// let text = b"2021-07-20 16:44:57,615.615 [log.py:35] - DEBUG - publish success\n\
///              2021-07-20 16:44:57,616.616 [log.py:35] - DEBUG - on_publish:mid:3,userdata:None\n";
/// let log = Log::parse("example.log", text).unwrap();
/// let report = conformance::import::import_logs(vec![log]).unwrap();
/// assert_eq!(report.unexplained(), 0);
/// assert_eq!(report.counts.inferred, 2);
/// ```
pub fn import_logs(logs: Vec<Log>) -> Result<Report, SessionError> {
    import_logs_with(logs, Tolerance::default())
}

/// As [`import_logs`], with the faults that are put up with chosen one by one.
///
/// # Errors
/// Those of [`import_logs`].
pub fn import_logs_with(logs: Vec<Log>, tolerance: Tolerance) -> Result<Report, SessionError> {
    import(logs, tolerance, false).map(|(report, _)| report)
}

/// As [`import_logs`], with a recording of each engine that was driven, in order: a new one begins
/// where the client was closed or started anew. They have no secrets.
///
/// # Errors
/// Those of [`import_logs`].
pub fn record_logs(logs: Vec<Log>) -> Result<(Report, Vec<Recorded>), SessionError> {
    import(logs, Tolerance::default(), true)
}

fn import(
    logs: Vec<Log>,
    tolerance: Tolerance,
    records: bool,
) -> Result<(Report, Vec<Recorded>), SessionError> {
    let session = Session::from_logs(logs)?;
    let identity = Identity::find(&session);
    let outline = Outline::new(&session, &identity);
    let replies = tokens::printed_replies(&outline);
    let start = Start::find(&outline, &identity, &replies);
    let outcome = Driver::new(&outline, &identity, &replies, &start, tolerance, records).run();
    let mut lines: Vec<LineReport> = session
        .order
        .iter()
        .zip(session.entries())
        .zip(outcome.verdicts)
        .map(|((place, (_, entry)), verdict)| LineReport {
            file: place.log,
            number: entry.line.number,
            text: entry.line.message.clone(),
            verdict,
        })
        .collect();
    let mut conclusions = Vec::new();
    for (conclusion, blame) in conclusions::check(&session, &outline) {
        if let Some(line) = blame.and_then(|line| lines.get_mut(line)) {
            line.verdict = Verdict::unexplained(format!(
                "the document says “{}”, but {}",
                conclusion.sentence, conclusion.found
            ));
        }
        conclusions.push(conclusion);
    }
    for (repeat, kept) in &session.repeats {
        let log = |index: usize| session.logs.get(index);
        let number = |place: &crate::log::Place| {
            log(place.log)
                .and_then(|log| log.lines.get(place.entry))
                .map(|entry| &entry.line)
        };
        if let (Some(line), Some(first)) = (number(repeat), number(kept)) {
            lines.push(LineReport {
                file: repeat.log,
                number: line.number,
                text: line.message.clone(),
                verdict: Verdict::environment(format!(
                    "the same as line {} of file {}",
                    first.number,
                    kept.log + 1
                )),
            });
        }
    }
    for (file, log) in session.logs.iter().enumerate() {
        if let Some(cut) = &log.cut {
            lines.push(LineReport {
                file,
                number: cut.number,
                text: cut.text.clone(),
                verdict: Verdict::inferred("the file begins in the middle of this line"),
            });
        }
        if let Some(torn) = &log.torn {
            lines.push(LineReport {
                file,
                number: torn.number,
                text: torn.text.clone(),
                verdict: Verdict::inferred("the file ends in the middle of this line"),
            });
        }
    }
    let is_swapped = |entry: &crate::log::Entry| {
        matches!(entry.statement, crate::log::Statement::OnSubscribe { message_number, .. }
            if !entry.line.message.contains(&format!("on_subscribe:mid:{message_number},")))
    };
    for ((_, entry), line) in session.entries().zip(&mut lines) {
        if !tolerance.swaps_subscribe_arguments && is_swapped(entry) {
            line.verdict = Verdict::unexplained(
                "expected the message number as `mid`, found the QoS in its place",
            );
        }
    }
    let swapped = session
        .entries()
        .find(|(_, entry)| is_swapped(entry))
        .map(|(_, entry)| {
            format!(
                "line {}: on_subscribe is printed with message number and QoS in each other's place",
                entry.line.number
            )
        });
    let mut findings = outcome.findings;
    let mut faults = fault::shown(&diagnose::Session::from_outline(&outline));
    faults.extend(&outcome.faults);
    if swapped.is_some() {
        faults.insert(Fault::SwapsSubscribeArguments);
    }
    findings.extend(swapped);
    let mut report = Report {
        files: session.logs.iter().map(|log| log.name.clone()).collect(),
        profile: Profile {
            product_id: identity.name.product_id().to_owned(),
            device_name: identity.name.device_name().to_owned(),
            redacted_as: identity.redacted_as.clone(),
            keep_alive: driver::keep_alive(&outline).unwrap_or(60),
            mqtt_version: "MQTT 3.1 by the profile (a log does not show it)",
            inbound_json: outline.spelling.describe(),
            begins: begins(&start),
        },
        lines,
        unprinted: outcome.unprinted,
        counts: Counts::default(),
        findings,
        faults: faults.into_iter().collect(),
        conclusions,
    };
    report.count();
    let recorded = outcome.recorded.into_iter().map(|lines| Recorded {
        client_id: identity.client_id.clone(),
        lines,
    });
    Ok((report, recorded.collect()))
}

fn begins(start: &Start) -> String {
    match start.beginning {
        Beginning::Start => "before the connection".to_owned(),
        Beginning::Reconnect => "before a connection".to_owned(),
        Beginning::Handshake => "in the middle, with an engine that has sent CONNECT".to_owned(),
        Beginning::Middle => {
            let open = start.open.len();
            let requests = match open {
                0 => String::new(),
                1 => " and waits for the reply to 1 request".to_owned(),
                more => format!(" and waits for the replies to {more} requests"),
            };
            format!("in the middle, with an engine that is connected and subscribed{requests}")
        }
    }
}
