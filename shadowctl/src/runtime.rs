//! What a command runs on, and how it waits for a server.

use std::time::Duration;

use shadow_core::{DisconnectCause, Event, TransportFailure};
use smol::LocalExecutor;
use smol::future::or;
use smol::stream::StreamExt;
use transport_tcp::{Clock, Events, Notification, SystemClock};

use crate::failure::Failure;
use crate::output::Output;

/// An executor for what runs beside a command, and the clock that all of it goes by.
#[derive(Debug)]
pub struct Runtime<'e, K> {
    /// Runs drivers and the embedded cloud; what it still has is dropped with it.
    pub executor: &'e LocalExecutor<'static>,
    /// The clock.
    pub clock: &'e K,
}

impl<K> Clone for Runtime<'_, K> {
    fn clone(&self) -> Self {
        *self
    }
}

/// Whether or not the clock is: it is borrowed.
impl<K> Copy for Runtime<'_, K> {}

/// Runs `command` in real time, and beside it what it spawns, until it ends.
pub fn block_on<T>(command: impl AsyncFnOnce(Runtime<'_, SystemClock>) -> T) -> T {
    let executor = LocalExecutor::new();
    let clock = SystemClock::new();
    let runtime = Runtime {
        executor: &executor,
        clock: &clock,
    };
    smol::block_on(executor.run(command(runtime)))
}

/// How long to wait for which server.
#[derive(Clone, Debug)]
pub struct Patience {
    /// Host and port, or what else the server is called in front of people.
    pub server: String,
    /// How long.
    pub timeout: Duration,
    /// What to say beside the reason when there was no connection until then.
    pub hint: Option<&'static str>,
}

/// The events of a client, and how far it got by them.
#[derive(Debug)]
pub struct Inbox {
    events: Events,
    progress: Progress,
}

impl Inbox {
    /// The events of a client that was just made.
    #[must_use]
    pub fn new(events: Events) -> Inbox {
        Inbox {
            events,
            progress: Progress::Trying { failure: None },
        }
    }

    /// Reads events until `wanted`, which sees each of them first, finds what it was looking for.
    ///
    /// Failed attempts to connect are told as remarks while the engine goes on trying.
    ///
    /// # Errors
    ///
    /// * What `wanted` returns as one.
    /// * [`FailureKind::Server`](crate::failure::FailureKind::Server): a refused login at once,
    ///   anything else that keeps the client from logging in when the time is up.
    /// * [`FailureKind::Operation`](crate::failure::FailureKind::Operation): the time is up, and
    ///   the client was logged in; or this machine shows no time to sign a login with.
    pub async fn find<K: Clock, T>(
        &mut self,
        clock: &K,
        patience: &Patience,
        output: &mut Output,
        mut wanted: impl FnMut(&Event) -> Option<Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let give_up = clock.now() + patience.timeout;
        loop {
            let next = async { Some(self.events.next().await) };
            let late = async {
                clock.sleep_until(give_up).await;
                None
            };
            let event = match or(next, late).await {
                None => return Err(self.progress.too_late(patience)),
                Some(None) => return Err(Failure::operation("the client stopped unexpectedly")),
                Some(Some(Notification::Event(event))) => event,
                // Of the files the log tells.
                Some(Some(
                    Notification::Lagged { .. }
                    | Notification::NotStored(_)
                    | Notification::StoredAgain
                    | Notification::NotRecorded(_),
                )) => continue,
            };
            let found = wanted(&event);
            let noted = self.note(&event, &patience.server, output);
            if let Some(result) = found {
                return result;
            }
            noted?;
            // A server that never falls silent does not stop the time.
            if clock.now() >= give_up {
                return Err(self.progress.too_late(patience));
            }
        }
    }

    /// Says why the link was lost that a request was cut off with.
    pub async fn tell_loss<K: Clock>(
        &mut self,
        clock: &K,
        patience: &Patience,
        output: &mut Output,
    ) {
        // It came with the end of the request: it is here already.
        let late = clock.now() + Duration::from_secs(1);
        let cause = async {
            loop {
                match self.events.next().await {
                    Some(Notification::Event(Event::Disconnected { cause, .. })) => {
                        return Some(cause);
                    }
                    Some(_) => {}
                    None => return None,
                }
            }
        };
        let late = async {
            clock.sleep_until(late).await;
            None
        };
        let Some(cause) = or(cause, late).await else {
            return;
        };
        let rival = match cause {
            DisconnectCause::Transport(TransportFailure::ClosedByPeer) => {
                "; perhaps another client logged in as this device: the server lets one in at a time"
            }
            _ => "",
        };
        output.remark(format_args!(
            "{}{rival}",
            describe(&patience.server, &cause)
        ));
    }

    /// Keeps track of the connection.
    fn note(&mut self, event: &Event, server: &str, output: &mut Output) -> Result<(), Failure> {
        match event {
            Event::Connected { .. } => self.progress = Progress::LoggedIn,
            Event::Disconnected {
                cause: cause @ DisconnectCause::Refused(_),
                ..
            } => return Err(Failure::server(format_args!("{server}: {cause}"))),
            // What a command was told to trust does not change while it runs.
            Event::Disconnected {
                cause: cause @ DisconnectCause::Transport(TransportFailure::Untrusted(_)),
                ..
            } => return Err(Failure::server(cause)),
            // Nor does the configuration change.
            Event::Disconnected {
                cause: cause @ DisconnectCause::LimitExceeded(_),
                ..
            } => return Err(Failure::operation(cause)),
            Event::Disconnected { cause, retry_in } => {
                let mut failure = describe(server, cause);
                if matches!(
                    (&self.progress, cause),
                    (Progress::Trying { .. }, DisconnectCause::Malformed(_))
                ) {
                    failure += "; is it an MQTT server, and is TLS right?";
                }
                output.remark(format_args!(
                    "{failure}; trying again in {:.1} s",
                    retry_in.as_secs_f64()
                ));
                self.progress = Progress::Trying {
                    failure: Some(failure),
                };
            }
            Event::WallTimeNeeded => {
                return Err(Failure::operation(
                    "a login is signed with the time, and this machine's clock shows none",
                ));
            }
            _ => {}
        }
        Ok(())
    }
}

/// Why there is no connection, naming the server once.
fn describe(server: &str, cause: &DisconnectCause) -> String {
    match cause {
        // The connector names it.
        DisconnectCause::Transport(
            TransportFailure::ConnectFailed(_) | TransportFailure::Untrusted(_),
        ) => cause.to_string(),
        _ => format!("{server}: {cause}"),
    }
}

/// How far a client got.
#[derive(Debug)]
enum Progress {
    /// Not logged in; why not, if a try has failed.
    Trying { failure: Option<String> },
    /// Logged in.
    LoggedIn,
}

impl Progress {
    fn too_late(&self, patience: &Patience) -> Failure {
        let Patience {
            server,
            timeout,
            hint,
        } = patience;
        let seconds = timeout.as_secs_f64();
        let hint = hint.map(|hint| format!(" ({hint})")).unwrap_or_default();
        match self {
            Progress::Trying { failure: Some(why) } => Failure::server(format_args!(
                "{why}{hint} (gave up after {seconds} s; --timeout sets how long to try)"
            )),
            Progress::Trying { failure: None } => Failure::server(format_args!(
                "{server}: no answer within {seconds} s; is it an MQTT server, and is TLS right?"
            )),
            Progress::LoggedIn => Failure::operation(format_args!(
                "{server}: logged in, but no answer within {seconds} s: is there a shadow service \
                 at this server?"
            )),
        }
    }
}
