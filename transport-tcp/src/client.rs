//! The application's handle.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use async_channel::{Receiver, Sender};
use futures_channel::oneshot;
use futures_lite::Stream;
use serde::Serialize;
use shadow_core::json::Json;
use shadow_core::mqtt::QoS;
use shadow_core::tencent::{Document, ShadowName, Update};
use shadow_core::{
    Config, Counters, Delta, Engine, Instant, Outcome, Publication, RequestError, RequestId,
    Session, ShadowId,
};

use crate::clock::Clock;
use crate::connector::Connector;
use crate::driver::{Driver, Origin};
use crate::error::ClientError;
use crate::events::Events;
use crate::recording::RecordedEngine;

/// How many commands wait for the driver before senders wait too.
const COMMAND_CAPACITY: usize = 32;

/// What a client asks of its driver.
pub(crate) enum Command {
    /// A request of which only its end, or that it was refused, is of interest.
    Ask { start: Start, answer: Answer },
    /// A request that is accepted, and ends later.
    Post { start: Start, accepted: Accepted },
    /// Something that is done at once; it sends its own answer.
    Call(Call),
    /// To pass in the wall time and connect now instead of later.
    Reconnect,
    /// To close.
    Close,
}

/// Does something with the engine.
pub(crate) type Call = Box<dyn FnOnce(&mut RecordedEngine, Instant) + Send>;

/// Puts a request to the engine.
pub(crate) type Start =
    Box<dyn FnOnce(&mut RecordedEngine, Instant) -> Result<RequestId, RequestError> + Send>;

/// Where it goes how a request ended. Nobody listens if the application dropped its future.
pub(crate) type Answer = oneshot::Sender<Result<Outcome, RequestError>>;

/// Where it goes whether a request was accepted, and how its end is learnt. Nobody listens if the
/// application dropped its future.
pub(crate) type Accepted = Sender<Result<Ending, RequestError>>;

/// What waits for the end of a request; clones wait for the same.
#[derive(Clone, Debug)]
pub(crate) struct Ending {
    outcome: Arc<OnceLock<Outcome>>,
    /// Carries nothing; closed when the outcome is there, or will never be.
    ended: Receiver<Infallible>,
}

/// Who is told the end of a request. Dropping it instead tells them that the driver has stopped.
pub(crate) enum Ender {
    /// The one that asked. It does without the outcome's clone and the second channel of the
    /// others.
    Asked(Answer),
    /// All whose reports left together.
    Posted {
        ending: Ending,
        _ended: Sender<Infallible>,
    },
}

impl Ender {
    /// For those that wait for the same, of whom the first is given.
    pub(crate) fn posted() -> (Ender, Ending) {
        let (_ended, ended) = async_channel::bounded(1);
        let outcome = Arc::default();
        let ending = Ending { outcome, ended };
        let first = ending.clone();
        (Ender::Posted { ending, _ended }, first)
    }

    /// Ends all that wait.
    pub(crate) fn end(self, outcome: Outcome) {
        match self {
            Ender::Asked(answer) => drop(answer.send(Ok(outcome))),
            // It is empty: this is the one place that fills it, and takes what would fill it
            // again.
            Ender::Posted { ending, .. } => drop(ending.outcome.set(outcome)),
        }
    }
}

impl Ending {
    async fn outcome(self) -> Result<Outcome, ClientError> {
        let Err(_) = self.ended.recv().await;
        let outcome = self.outcome.get().cloned();
        outcome.ok_or(ClientError::DriverStopped)
    }
}

/// The driver's end of the command channel.
pub(crate) struct Commands(Pin<Box<Receiver<Command>>>);

impl Commands {
    /// The next one, if there is one.
    pub(crate) fn next_waiting(&mut self) -> Option<Command> {
        self.0.try_recv().ok()
    }

    /// The next one; `None` when all handles are dropped.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Command>> {
        self.0.as_mut().poll_next(cx)
    }
}

/// What is still queued is dropped with the driver, so that nobody waits for its answer for ever.
impl Drop for Commands {
    fn drop(&mut self) {
        self.0.close();
        while self.0.try_recv().is_ok() {}
    }
}

/// Makes an engine with the driver that runs it, a handle on it, and its events.
///
/// `config`, `session` and `seed` are those of [`Engine::new`]. Spawn
/// [`Driver::run`](crate::Driver::run) soon: the time of the first connection counts from here.
///
/// A configuration that [`Config::check`] finds fault with never connects. It is traced as a
/// warning, and told by [`Event::Disconnected`](shadow_core::Event); call `check` before to know it
/// at once.
pub fn client<C: Connector, K: Clock>(
    config: Config,
    session: Session,
    seed: u64,
    connector: C,
    clock: K,
) -> (Client, Events, Driver<C, K>) {
    let (event_sender, events) = crate::events::channel(config.maximum_events);
    let (commands, command_receiver) = async_channel::bounded(COMMAND_CAPACITY);
    let (running, ended) = async_channel::bounded(1);
    let now = clock.now();
    let origin = Origin {
        session: session.clone(),
        seed,
        now,
    };
    let engine = Engine::new(config, session, seed, now);
    let client = Client {
        commands,
        ended,
        own_shadow: engine.own_shadow(),
    };
    let commands = Commands(Box::pin(command_receiver));
    let driver = Driver::new(
        engine,
        origin,
        connector,
        clock,
        commands,
        event_sender,
        running,
    );
    (client, events, driver)
}

/// A handle on a running engine; clones are handles on the same one.
///
/// Every method needs a [`Driver`] that runs, and waits until its request has ended, which the
/// engine bounds by [`Config::request_timeout`](shadow_core::Config). Those that give a [`Receipt`]
/// do not: what they are given is kept until the cloud has it, however long that takes.
///
/// **Dropping a future** is harmless at any point, and takes nothing back: a request that the
/// driver has got goes on, ends in the engine as it would have, and its outcome is discarded. No
/// other request notices.
///
/// When the last handle is dropped ([`Shadow`]s are handles too) the driver closes as by
/// [`Client::close`].
#[derive(Clone, Debug)]
pub struct Client {
    commands: Sender<Command>,
    /// Carries nothing; closed when the driver has ended.
    ended: Receiver<Infallible>,
    own_shadow: Option<ShadowId>,
}

impl Client {
    /// The device's own shadow, if [`Config::own_shadow`](shadow_core::Config) names one.
    #[must_use]
    pub fn own_shadow(&self) -> Option<Shadow> {
        self.own_shadow.map(|id| self.shadow(id))
    }

    /// The shadow of an id that an event names.
    #[must_use]
    pub fn shadow(&self, id: ShadowId) -> Shadow {
        Shadow {
            client: self.clone(),
            id,
        }
    }

    /// Attaches one more shadow, as that of a gateway's sub-device. Its requests may follow at
    /// once; they wait for its subscription.
    ///
    /// # Errors
    ///
    /// [`ClientError::Refused`] for the reasons of [`Engine::attach`];
    /// [`ClientError::DriverStopped`].
    pub async fn attach(&self, name: &ShadowName) -> Result<Shadow, ClientError> {
        let name = name.clone();
        let attach = move |engine: &mut RecordedEngine, now| engine.attach(now, &name);
        Ok(self.shadow(self.call(attach).await??))
    }

    /// Publishes a message on a topic that is no shadow's. Done when it was handed to the
    /// transport (QoS 0) or acknowledged (QoS 1 and 2).
    ///
    /// # Errors
    ///
    /// [`ClientError::Refused`] for the reasons of [`Engine::publish`]; [`ClientError::TimedOut`],
    /// [`ClientError::Disconnected`], [`ClientError::Cancelled`] or
    /// [`ClientError::DriverStopped`].
    pub async fn publish(&self, publication: &Publication<'_>) -> Result<(), ClientError> {
        let (topic, payload) = (publication.topic.to_owned(), publication.payload.to_vec());
        let (qos, retain) = (publication.qos, publication.retain);
        let start = move |engine: &mut RecordedEngine, now| {
            let publication = Publication::new(&topic, &payload).qos(qos);
            engine.publish(
                now,
                &Publication {
                    retain,
                    ..publication
                },
            )
        };
        match self.request(start).await? {
            Outcome::Published => Ok(()),
            other => Err(other.into()),
        }
    }

    /// Subscribes a topic filter, on this link and every later one; the QoS that the server
    /// grants, which may be less. Messages come as [`Event::Message`](shadow_core::Event).
    ///
    /// # Errors
    ///
    /// [`ClientError::Refused`] for the reasons of [`Engine::subscribe`];
    /// [`ClientError::SubscriptionRefused`], [`ClientError::TimedOut`],
    /// [`ClientError::Disconnected`], [`ClientError::Cancelled`] or
    /// [`ClientError::DriverStopped`].
    pub async fn subscribe(&self, filter: &str, qos: QoS) -> Result<QoS, ClientError> {
        let filter = filter.to_owned();
        let start = move |engine: &mut RecordedEngine, now| engine.subscribe(now, &filter, qos);
        match self.request(start).await? {
            Outcome::Subscribed { granted } => Ok(granted),
            other => Err(other.into()),
        }
    }

    /// Unsubscribes a topic filter.
    ///
    /// # Errors
    ///
    /// [`ClientError::Refused`] for the reasons of [`Engine::unsubscribe`];
    /// [`ClientError::TimedOut`], [`ClientError::Disconnected`], [`ClientError::Cancelled`] or
    /// [`ClientError::DriverStopped`].
    pub async fn unsubscribe(&self, filter: &str) -> Result<(), ClientError> {
        let filter = filter.to_owned();
        let start = move |engine: &mut RecordedEngine, now| engine.unsubscribe(now, &filter);
        match self.request(start).await? {
            Outcome::Unsubscribed => Ok(()),
            other => Err(other.into()),
        }
    }

    /// What survives the link, as it is now, to be stored.
    ///
    /// # Errors
    ///
    /// [`ClientError::DriverStopped`]; [`Driver::run`](crate::Driver::run) has returned it then.
    pub async fn session(&self) -> Result<Session, ClientError> {
        self.call(|engine, _| engine.session().clone()).await
    }

    /// What the engine has counted up to now, for metrics.
    ///
    /// # Errors
    ///
    /// [`ClientError::DriverStopped`].
    pub async fn counters(&self) -> Result<Counters, ClientError> {
        self.call(|engine, _| engine.counters()).await
    }

    /// Connects now instead of waiting for the next try, as when the network is known to be back,
    /// and reads the wall clock again, as when it was set. Without effect while there is a link.
    ///
    /// # Errors
    ///
    /// [`ClientError::DriverStopped`].
    pub async fn reconnect(&self) -> Result<(), ClientError> {
        self.send(Command::Reconnect).await
    }

    /// Ends everything: open requests end as cancelled, DISCONNECT is sent, the connection closed.
    /// Done when the driver has ended, at once if it has already. A server that does not read
    /// DISCONNECT, or does not close its direction then, delays that by a second at most.
    pub async fn close(&self) {
        if self.send(Command::Close).await.is_ok() {
            let Err(_) = self.ended.recv().await;
        }
    }

    async fn send(&self, command: Command) -> Result<(), ClientError> {
        let sent = self.commands.send(command).await;
        sent.map_err(|_| ClientError::DriverStopped)
    }

    /// Has the driver do something with its engine.
    async fn call<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut RecordedEngine, Instant) -> T + Send + 'static,
    ) -> Result<T, ClientError> {
        let (answer, result) = async_channel::bounded(1);
        let call = move |engine: &mut RecordedEngine, now: Instant| {
            // Nobody listens if the application dropped its future.
            drop(answer.try_send(work(engine, now)));
        };
        self.send(Command::Call(Box::new(call))).await?;
        result.recv().await.map_err(|_| ClientError::DriverStopped)
    }

    /// Has the driver start a request that ends later; what waits for its end.
    async fn post(
        &self,
        start: impl FnOnce(&mut RecordedEngine, Instant) -> Result<RequestId, RequestError>
        + Send
        + 'static,
    ) -> Result<Ending, ClientError> {
        let (accepted, acceptance) = async_channel::bounded(1);
        let start = Box::new(start);
        self.send(Command::Post { start, accepted }).await?;
        let acceptance = acceptance.recv().await;
        Ok(acceptance.map_err(|_| ClientError::DriverStopped)??)
    }

    /// Has the driver start a request, and waits for its end.
    async fn request(
        &self,
        start: impl FnOnce(&mut RecordedEngine, Instant) -> Result<RequestId, RequestError>
        + Send
        + 'static,
    ) -> Result<Outcome, ClientError> {
        let (answer, outcome) = oneshot::channel();
        let start = Box::new(start);
        self.send(Command::Ask { start, answer }).await?;
        Ok(outcome.await.map_err(|_| ClientError::DriverStopped)??)
    }
}

/// A handle on one shadow. What holds for a [`Client`] holds for it.
#[derive(Clone, Debug)]
pub struct Shadow {
    client: Client,
    id: ShadowId,
}

impl Shadow {
    /// Its id, as events name it.
    #[must_use]
    pub fn id(&self) -> ShadowId {
        self.id
    }

    /// Asks for the whole document.
    ///
    /// # Errors
    ///
    /// [`ClientError::Refused`] for the reasons of [`Engine::get`], or any other [`ClientError`].
    pub async fn get(&self) -> Result<Document, ClientError> {
        let id = self.id;
        self.ask(move |engine, now| engine.get(now, id)).await
    }

    /// What the device reported last, whether or not the cloud has it yet: a JSON object of what
    /// [`Shadow::report`] and its like keep, `{}` of a shadow that nothing was reported of. It begins
    /// with what the session of the last run held, so that a program finds its own state again
    /// after a restart, also without a link. [`Shadow::get`] is what the cloud has.
    ///
    /// ```
    /// # async fn read_back(shadow: transport_tcp::Shadow) -> Result<(), Box<dyn std::error::Error>> {
    /// #[derive(Default, serde::Deserialize)]
    /// #[serde(default)]
    /// struct Lamp {
    ///     on: bool,
    /// }
    /// let lamp: Lamp = shadow.reported().await?.parse()?;
    /// # drop(lamp);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ClientError::Refused`] when the shadow is detached; [`ClientError::DriverStopped`].
    pub async fn reported(&self) -> Result<Json, ClientError> {
        let id = self.id;
        let reported = move |engine: &mut RecordedEngine, _| engine.reported(id).map(str::to_owned);
        let reported = self.client.call(reported).await?;
        let reported = reported.ok_or(RequestError::UnknownShadow(id))?;
        Ok(Json::new(reported).expect("an engine keeps valid JSON"))
    }

    /// Reports that these keys have these values now; null deletes a key. Done when the engine has
    /// taken it, and the driver's store if it has one: from then on the value is the device's, and
    /// goes to the cloud as soon as it may, on whatever link. Later values replace earlier ones that
    /// are still waiting.
    ///
    /// Whoever wants to know that the cloud has it awaits the receipt; reports that leave together
    /// have one end. Dropping it changes nothing.
    ///
    /// The values are serialized here, in the caller's task, so they may be borrowed.
    ///
    /// # Errors
    ///
    /// [`ClientError::Refused`] for the reasons of [`Engine::report`];
    /// [`ClientError::DriverStopped`].
    pub async fn report<T: Serialize + ?Sized>(
        &self,
        reported: &T,
    ) -> Result<Receipt, ClientError> {
        let (id, patch) = (self.id, to_json(reported)?);
        self.post(move |engine, now| engine.report(now, id, &patch))
            .await
    }

    /// Answers a change of `desired`: the device has applied it. Reports its values and deletes them
    /// from `desired`, in one update. [`Delta::only`] makes it a part of the change.
    ///
    /// `delta` may be any shadow's of this client.
    ///
    /// # Errors
    ///
    /// [`ClientError::Refused`] for the reasons of [`Engine::accept`];
    /// [`ClientError::DriverStopped`].
    pub async fn accept(&self, delta: &Delta) -> Result<Receipt, ClientError> {
        let delta = delta.clone();
        self.post(move |engine, now| engine.accept(now, &delta))
            .await
    }

    /// Answers a change of `desired` as [`Shadow::accept`], but reports other values: those that the
    /// device has now, as when 150 was asked for and 100 is the most it can do.
    ///
    /// # Errors
    ///
    /// [`ClientError::Refused`] for the reasons of [`Engine::accept_as`];
    /// [`ClientError::DriverStopped`].
    pub async fn accept_as<T: Serialize + ?Sized>(
        &self,
        delta: &Delta,
        reported: &T,
    ) -> Result<Receipt, ClientError> {
        let (delta, reported) = (delta.clone(), to_json(reported)?);
        self.post(move |engine, now| engine.accept_as(now, &delta, &reported))
            .await
    }

    /// Answers a change of `desired`: the device will not apply it. Deletes its values from
    /// `desired` and reports nothing. The cloud does not learn `reason`; whoever looks at the
    /// engine's outcomes does.
    ///
    /// # Errors
    ///
    /// [`ClientError::Refused`] for the reasons of [`Engine::reject`];
    /// [`ClientError::DriverStopped`].
    pub async fn reject(&self, delta: &Delta, reason: &str) -> Result<Receipt, ClientError> {
        let (delta, reason) = (delta.clone(), reason.to_owned());
        self.post(move |engine, now| engine.reject(now, &delta, &reason))
            .await
    }

    /// Sends an update of `reported`, `desired` or both, once; what the cloud answers, which is
    /// what it changed. Keys of `reported` that it names are no longer kept as those of
    /// [`Shadow::report`] are.
    ///
    /// The values are serialized here, in the caller's task, so they may be borrowed.
    ///
    /// # Errors
    ///
    /// [`ClientError::Refused`] for the reasons of [`Engine::update`], or any other
    /// [`ClientError`].
    pub async fn update<R, D>(&self, update: Update<R, D>) -> Result<Document, ClientError>
    where
        R: Serialize,
        D: Serialize,
    {
        let id = self.id;
        let update = update
            .to_json()
            .map_err(|error| RequestError::InvalidUpdate(error.to_string()))?;
        self.ask(move |engine, now| engine.update(now, id, &update))
            .await
    }

    /// Deletes all of `reported`.
    ///
    /// # Errors
    ///
    /// Those of [`Shadow::get`].
    pub async fn clear_reported(&self) -> Result<Document, ClientError> {
        self.update(Update::new().clear_reported()).await
    }

    /// Deletes all of `desired`, whatever it is by then; [`Shadow::accept`] deletes no more than
    /// the device was told of.
    ///
    /// # Errors
    ///
    /// Those of [`Shadow::get`].
    pub async fn clear_desired(&self) -> Result<Document, ClientError> {
        self.update(Update::new().clear_desired()).await
    }

    /// Detaches the shadow: its open requests end as cancelled, and its result topic is
    /// unsubscribed.
    ///
    /// # Errors
    ///
    /// [`ClientError::Refused`] when it is detached already; [`ClientError::DriverStopped`].
    pub async fn detach(self) -> Result<(), ClientError> {
        let id = self.id;
        let detach = move |engine: &mut RecordedEngine, now| engine.detach(now, id);
        Ok(self.client.call(detach).await??)
    }

    async fn post(
        &self,
        start: impl FnOnce(&mut RecordedEngine, Instant) -> Result<RequestId, RequestError>
        + Send
        + 'static,
    ) -> Result<Receipt, ClientError> {
        let ending = self.client.post(start).await?;
        Ok(Receipt { ending })
    }

    async fn ask(
        &self,
        start: impl FnOnce(&mut RecordedEngine, Instant) -> Result<RequestId, RequestError>
        + Send
        + 'static,
    ) -> Result<Document, ClientError> {
        match self.client.request(start).await? {
            Outcome::Accepted(document) => Ok(document),
            other => Err(other.into()),
        }
    }
}

/// For something that was reported or answered, and is on its way to the cloud. Dropping it takes
/// nothing back.
#[derive(Debug)]
pub struct Receipt {
    ending: Ending,
}

impl Receipt {
    /// Waits until the cloud is known to have it, over any number of links.
    ///
    /// # Errors
    ///
    /// [`ClientError::Rejected`] when the cloud refused the update; [`ClientError::Cancelled`] when
    /// the shadow was detached or the client closed before; [`ClientError::DriverStopped`]. In all of
    /// these cases the session still holds what was reported, and another run goes on with it.
    pub async fn acknowledged(self) -> Result<(), ClientError> {
        match self.ending.outcome().await? {
            Outcome::Reported { .. } | Outcome::DeltaRejected { .. } => Ok(()),
            other => Err(other.into()),
        }
    }
}

fn to_json<T: Serialize + ?Sized>(value: &T) -> Result<Json, RequestError> {
    Json::from_serialize(value).map_err(|error| RequestError::InvalidUpdate(error.to_string()))
}
