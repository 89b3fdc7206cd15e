//! `watch`.

use std::fmt;

use serde::Serialize;
use shadow_core::event::{DeltaOrigin, UnmatchedReason};
use shadow_core::{Counters, Delta, DisconnectCause, Event, TransportFailure};
use smol::channel::{Sender, unbounded};
use smol::future::or;
use smol::stream::StreamExt;
use transport_tcp::{Client, ClientError, Clock, Notification, client};

use crate::arguments::WatchArguments;
use crate::count::Count;
use crate::destination::Destination;
use crate::document::{Compact, Printable, UtcTime};
use crate::failure::Failure;
use crate::files::Files;
use crate::interrupt::Interrupt;
use crate::output::{ERROR, FAINT, GOOD, Output, RECEIVED};
use crate::runtime::block_on;
use crate::seed::random_seed;
use crate::session::KeptSession;

/// How many characters of a topic that is not ours are printed.
const MAXIMUM_TOPIC: usize = 128;

/// Prints deltas and connection states until Ctrl-C, then what was counted, and closes the connection
/// in order.
///
/// It keeps trying to connect for ever, also after a refused login, and tells each try.
///
/// With `--accept` it answers each delta as a device that has applied it.
///
/// # Errors
///
/// Those of [`FileOptions::open`](crate::files::FileOptions::open),
/// [`Destination::find_aloud`] and [`Interrupt::new`]; a configuration that the server would
/// refuse; results that cannot be written.
pub fn run(arguments: &WatchArguments, output: &mut Output) -> Result<(), Failure> {
    let Files {
        session: KeptSession { session, store },
        recording,
    } = arguments.files.open()?;
    block_on(async |runtime| {
        let mut interrupt = Interrupt::new()?;
        let destination = Destination::find_aloud(runtime, &arguments.server, output).await?;
        let config = destination.server.config();
        config.check().map_err(Failure::operation)?;
        let clock = runtime.clock;
        let (client, mut events, driver) = client(
            config,
            session,
            random_seed(),
            destination.connector,
            *clock,
        );
        let driver = recording.of(store.keep(driver));
        let driver = runtime.executor.spawn(driver.run());
        output.remark(format_args!(
            "watching {} at {}; Ctrl-C ends it",
            destination.server.device.name, destination.patience.server
        ));
        let mut rivalry = Rivalry::default();
        let (answered, answers) = unbounded();
        loop {
            let interrupted = async {
                interrupt.wait().await;
                None
            };
            let notified = async { events.next().await.map(Seen::Notification) };
            let answer = async { answers.recv().await.ok().map(Seen::Answer) };
            let Some(seen) = or(interrupted, or(notified, answer)).await else {
                break;
            };
            let rival = matches!(&seen, Seen::Notification(told) if rivalry.shows(told));
            if let Seen::Notification(Notification::Event(Event::Delta(delta))) = &seen
                && arguments.accept
            {
                // Beside the loop: the answer may need another link.
                let accepting = accept(client.clone(), delta.clone(), answered.clone());
                runtime.executor.spawn(accepting).detach();
            }
            let sight = Sight {
                time: clock.wall_time().map_or(0, |time| time.as_unix_millis()),
                what: seen.into(),
            };
            output.result(&sight)?;
            if rival {
                output.remark(
                    "if this happens again and again, another client is logged in as this device: \
                     the server lets one in at a time",
                );
            }
        }
        if let Ok(counters) = client.counters().await {
            output.result(&Sight {
                time: clock.wall_time().map_or(0, |time| time.as_unix_millis()),
                what: What::Counted(counters),
            })?;
        }
        client.close().await;
        driver.await;
        Ok(())
    })
}

/// What the loop waits for.
enum Seen {
    Notification(Notification),
    /// How the answer to a delta ended.
    Answer(Result<Delta, ClientError>),
}

/// Answers a delta, and tells how that ended.
async fn accept(client: Client, delta: Delta, answered: Sender<Result<Delta, ClientError>>) {
    let accepted = async {
        let receipt = client.shadow(delta.shadow).accept(&delta).await?;
        receipt.acknowledged().await
    };
    let accepted = accepted.await.map(|()| delta);
    // Nobody listens any more when the command ends.
    drop(answered.send(accepted).await);
}

/// Whether another client may be logged in as the same device: the server then closes the
/// connection of the one that came first, without a word [MQTT-3.1.4-2].
#[derive(Default)]
struct Rivalry {
    connected: bool,
    told: bool,
}

impl Rivalry {
    /// Whether it shows, for the first time.
    fn shows(&mut self, notification: &Notification) -> bool {
        let Notification::Event(event) = notification else {
            return false;
        };
        match event {
            Event::Connected { .. } => self.connected = true,
            Event::Disconnected { cause, .. } => {
                let closed = *cause == DisconnectCause::Transport(TransportFailure::ClosedByPeer);
                let shows = closed && self.connected && !self.told;
                self.connected = false;
                self.told |= shows;
                return shows;
            }
            _ => {}
        }
        false
    }
}

/// One line of what is seen.
#[derive(Serialize)]
struct Sight {
    /// Milliseconds since 1970.
    time: u64,
    #[serde(flatten)]
    what: What,
}

/// What is seen. The names are the `event` of the JSON form.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum What {
    Connected {
        session_present: bool,
    },
    Disconnected {
        cause: String,
        retry_in_ms: u128,
    },
    Subscribed,
    SubscriptionRefused,
    Ready {
        document: Compact,
        version: Option<u64>,
    },
    GetRejected {
        code: i64,
    },
    Delta {
        origin: &'static str,
        redelivered: bool,
        version: Option<u64>,
        state: Compact,
    },
    Accepted {
        state: Compact,
    },
    NotAccepted {
        why: String,
    },
    NotStored {
        why: String,
    },
    StoredAgain,
    NotRecorded {
        why: String,
    },
    Missed {
        count: u64,
    },
    Other {
        text: String,
    },
    Counted(Counters),
}

impl From<Seen> for What {
    fn from(seen: Seen) -> What {
        match seen {
            Seen::Notification(notification) => What::of(notification),
            Seen::Answer(Ok(delta)) => What::Accepted {
                state: Compact::from_text(delta.state.as_str()),
            },
            Seen::Answer(Err(error)) => What::NotAccepted {
                why: error.to_string(),
            },
        }
    }
}

impl What {
    fn of(notification: Notification) -> What {
        let event = match notification {
            Notification::Event(event) => event,
            Notification::Lagged { missed } => return What::Missed { count: missed },
            Notification::NotStored(error) => {
                let why = error.to_string();
                return What::NotStored { why };
            }
            Notification::StoredAgain => return What::StoredAgain,
            Notification::NotRecorded(error) => {
                let why = error.to_string();
                return What::NotRecorded { why };
            }
        };
        match event {
            Event::Connected { session_present } => What::Connected { session_present },
            Event::Disconnected { cause, retry_in } => What::Disconnected {
                cause: cause.to_string(),
                retry_in_ms: retry_in.as_millis(),
            },
            Event::ShadowSubscribed { .. } => What::Subscribed,
            Event::ShadowRefused { .. } => What::SubscriptionRefused,
            Event::Ready { document, .. } => What::Ready {
                document: Compact::of(&document),
                version: document.version(),
            },
            Event::GetRejected { code, .. } => What::GetRejected { code },
            Event::Delta(delta) => What::Delta {
                origin: match delta.origin {
                    DeltaOrigin::Pushed => "pushed",
                    DeltaOrigin::Fetched => "fetched",
                },
                redelivered: delta.redelivered,
                version: delta.version,
                state: Compact::from_text(delta.state.as_str()),
            },
            Event::EventsLost { count } => What::Missed { count },
            other => What::Other {
                text: in_words(&other),
            },
        }
    }
}

/// What seldom happens.
fn in_words(event: &Event) -> String {
    match event {
        Event::InvalidMessage { error, size, .. } => {
            format!("a message of {size} bytes on the shadow's topic makes no sense: {error}")
        }
        Event::OversizedMessage { topic, size, .. } => {
            let topic: String = topic.chars().take(MAXIMUM_TOPIC).collect();
            format!("a message of {size} bytes was skipped as too large, on {topic:?}")
        }
        Event::Unmatched(reply) => {
            let kind = match reply.reason {
                UnmatchedReason::Late => "a late reply",
                UnmatchedReason::Duplicate => "a second reply",
                UnmatchedReason::Foreign => "a reply to another client's request",
                UnmatchedReason::Tokenless => "a reply without a token",
            };
            format!("{kind}: {}, result {}", reply.operation, reply.code)
        }
        Event::Message(message) => {
            let topic: String = message.topic.chars().take(MAXIMUM_TOPIC).collect();
            let size = message.payload.len();
            format!("a message of {size} bytes that was not asked for, on {topic:?}")
        }
        Event::WallTimeNeeded => "a login is signed with the time, and this machine's clock \
                                  shows none"
            .into(),
        other => format!("{other:?}"),
    }
}

impl fmt::Display for Sight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{FAINT}{}{FAINT:#}  ", UtcTime(self.time))?;
        match &self.what {
            What::Connected { .. } => write!(f, "{GOOD}connected{GOOD:#}"),
            What::Disconnected { cause, retry_in_ms } => {
                write!(f, "{ERROR}disconnected{ERROR:#}  {}", Printable(cause))?;
                write!(f, "; trying again in {retry_in_ms} ms")
            }
            What::Subscribed => write!(f, "subscribed"),
            What::SubscriptionRefused => write!(
                f,
                "{ERROR}subscription refused{ERROR:#} (SUBACK 0x80): no delta will come"
            ),
            What::Ready { document, version } => {
                write!(f, "{GOOD}caught up{GOOD:#}  ")?;
                at(f, *version)?;
                write!(f, "{}", Printable(document.as_str()))
            }
            What::GetRejected { code } => {
                write!(f, "{ERROR}get rejected{ERROR:#} with result {code}")
            }
            What::Delta {
                origin,
                redelivered,
                version,
                state,
            } => {
                let again = if *redelivered { ", again" } else { "" };
                write!(f, "{RECEIVED}delta{RECEIVED:#} ({origin}{again})  ")?;
                at(f, *version)?;
                write!(f, "{}", Printable(state.as_str()))
            }
            What::Accepted { state } => {
                write!(f, "{GOOD}accepted{GOOD:#}  {}", Printable(state.as_str()))
            }
            What::NotAccepted { why } => {
                write!(f, "{ERROR}not accepted{ERROR:#}  {}", Printable(why))
            }
            What::NotStored { why } => {
                write!(f, "{ERROR}session not stored{ERROR:#}  {}", Printable(why))
            }
            What::StoredAgain => write!(f, "{GOOD}session stored again{GOOD:#}"),
            What::NotRecorded { why } => {
                write!(f, "{ERROR}the recording ends{ERROR:#}  {}", Printable(why))
            }
            What::Missed { count } => {
                write!(f, "{ERROR}missed{ERROR:#} {}", Count(*count, "event"))
            }
            What::Other { text } => write!(f, "{}", Printable(text)),
            What::Counted(counters) => counted(f, counters),
        }
    }
}

/// What goes on anyway, and of the rest what has happened.
fn counted(f: &mut fmt::Formatter<'_>, counters: &Counters) -> fmt::Result {
    write!(
        f,
        "counted  {} sent ({}), {} received ({}), {}, {}",
        Count(counters.packets_sent, "packet"),
        Count(counters.bytes_sent, "byte"),
        counters.packets_received,
        Count(counters.bytes_received, "byte"),
        Count(counters.connects, "connect"),
        Count(counters.logins, "login")
    )?;
    for (count, what) in [
        (counters.connects_timed_out, "connect timed out"),
        (counters.logins_refused, "login refused"),
        (counters.links_timed_out, "link timed out"),
        (counters.retransmissions, "retransmission"),
        (counters.requests_repeated, "request repeated"),
        (counters.requests_timed_out, "request timed out"),
        (counters.requests_disconnected, "request disconnected"),
        (counters.messages_oversized, "message oversized"),
        (counters.messages_invalid, "message invalid"),
        (counters.messages_unmatched, "message unmatched"),
        (counters.events_lost, "event lost"),
    ] {
        if count > 0 {
            write!(f, ", {}", Count(count, what))?;
        }
    }
    Ok(())
}

fn at(f: &mut fmt::Formatter<'_>, version: Option<u64>) -> fmt::Result {
    match version {
        Some(version) => write!(f, "version {version}  "),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use shadow_core::mqtt::QoS;

    use super::*;

    fn lines(event: Event) -> (String, String) {
        let sight = Sight {
            time: 1_626_770_697_670,
            what: What::of(Notification::Event(event)),
        };
        let text = anstream::adapter::strip_str(&sight.to_string()).to_string();
        (text, serde_json::to_string(&sight).unwrap())
    }

    #[test]
    fn people_and_scripts_see_the_same() {
        let (text, json) = lines(Event::Disconnected {
            cause: DisconnectCause::PingTimedOut,
            retry_in: Duration::from_millis(750),
        });
        assert_eq!(
            text,
            "2021-07-20 08:44:57.670 UTC  disconnected  no answer to PINGREQ in time; trying \
             again in 750 ms"
        );
        assert_eq!(
            json,
            r#"{"time":1626770697670,"event":"disconnected","cause":"no answer to PINGREQ in time","retry_in_ms":750}"#
        );
        let (text, _) = lines(Event::OversizedMessage {
            topic: "\u{1b}".repeat(60_000),
            qos: QoS::AtMostOnce,
            size: 90_000,
        });
        assert!(
            text.contains("90000 bytes was skipped as too large"),
            "{text}"
        );
        assert!(text.len() < 1_000 && !text.contains('\u{1b}'), "{text}");
        let (text, json) = lines(Event::EventsLost { count: 2 });
        assert_eq!(text, "2021-07-20 08:44:57.670 UTC  missed 2 events");
        assert_eq!(json, r#"{"time":1626770697670,"event":"missed","count":2}"#);
        let mut counters = Counters::default();
        (counters.packets_sent, counters.bytes_sent) = (3, 250);
        (
            counters.connects,
            counters.links_timed_out,
            counters.events_lost,
        ) = (1, 1, 2);
        let sight = Sight {
            time: 1_626_770_697_670,
            what: What::Counted(counters),
        };
        let text = anstream::adapter::strip_str(&sight.to_string()).to_string();
        assert_eq!(
            text,
            "2021-07-20 08:44:57.670 UTC  counted  3 packets sent (250 bytes), 0 received (0 bytes), \
             1 connect, 0 logins, 1 link timed out, 2 events lost"
        );
        let json = serde_json::to_value(&sight).unwrap();
        assert_eq!(json["event"], "counted");
        assert_eq!(
            (&json["bytes_sent"], &json["connects"]),
            (&250.into(), &1.into())
        );
    }
}
