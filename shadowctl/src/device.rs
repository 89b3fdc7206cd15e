//! The device's side of a shadow, online for the length of a command.

use shadow_core::tencent::Document;
use shadow_core::{Config, Delta, Event, Session};
use smol::Task;
use transport_tcp::{Client, ClientError, Clock, Connector, Shadow, client};

use crate::destination::Destination;
use crate::failure::Failure;
use crate::files::{FileOptions, Files};
use crate::output::Output;
use crate::runtime::{Inbox, Patience, Runtime, block_on};
use crate::seed::random_seed;
use crate::server::{Server, ServerOptions};
use crate::session::KeptSession;

/// A device that is logged in and has its shadow's result topic subscribed.
#[derive(Debug)]
pub struct Device {
    /// Its shadow.
    pub shadow: Shadow,
    /// What the engine's own first get brought; `None` if it was configured to send none.
    pub first_document: Option<Document>,
    /// The last change of `desired` that it was told of until then.
    pub first_delta: Option<Delta>,
    client: Client,
    inbox: Inbox,
    driver: Task<Session>,
}

impl Device {
    /// Logs in and subscribes.
    ///
    /// Requests may take as long as the patience lasts.
    ///
    /// With [`Behaviour::get_on_subscribe`](shadow_core::config::Behaviour) it also waits for the
    /// answer to that get.
    ///
    /// # Errors
    ///
    /// Those of [`Inbox::find`] and [`KeptSession::check`], and
    /// [`FailureKind::Operation`](crate::failure::FailureKind) when
    /// the server refuses the subscription or the get, or would refuse the configuration.
    pub async fn connect<C: Connector + 'static, K: Clock>(
        runtime: Runtime<'_, K>,
        mut config: Config,
        files: Files,
        seed: u64,
        connector: C,
        patience: &Patience,
        output: &mut Output,
    ) -> Result<Device, Failure> {
        config.request_timeout = patience.timeout;
        config.check().map_err(Failure::operation)?;
        let gets = config.behaviour.get_on_subscribe;
        let topic = config.own_shadow.as_ref().map(|name| name.result_topic());
        let clock = runtime.clock.clone();
        if let Some(name) = &config.own_shadow {
            files.session.check(name)?;
        }
        let Files {
            session: KeptSession { session, store },
            recording,
        } = files;
        let (client, events, driver) = client(config, session, seed, connector, clock);
        let driver = recording.of(store.keep(driver));
        let no_shadow = || Failure::operation("the device has no shadow of its own");
        let shadow = client.own_shadow().ok_or_else(no_shadow)?;
        let driver = runtime.executor.spawn(driver.run());
        let mut first_delta = None;
        let server = &patience.server;
        let wanted = |event: &Event| match event {
            Event::ShadowSubscribed { .. } if !gets => Some(Ok(None)),
            Event::Ready { document, .. } => Some(Ok(Some(document.clone()))),
            Event::Delta(delta) => {
                first_delta = Some(delta.clone());
                None
            }
            Event::GetRejected { code, .. } => Some(Err(Failure::operation(format_args!(
                "{server}: the get was rejected with result {code}"
            )))),
            Event::ShadowRefused { .. } => Some(Err(subscription_refused(
                server,
                topic.as_deref().unwrap_or_default(),
            ))),
            _ => None,
        };
        let mut inbox = Inbox::new(events);
        let first_document = match inbox.find(runtime.clock, patience, output, wanted).await {
            Ok(found) => found,
            Err(failure) => {
                // In order, so that a recording of it has an end.
                client.close().await;
                driver.await;
                return Err(failure);
            }
        };
        Ok(Device {
            shadow,
            first_document,
            first_delta,
            client,
            inbox,
            driver,
        })
    }

    /// Says goodbye (DISCONNECT) and closes the connection.
    pub async fn close(self) {
        self.client.close().await;
        self.driver.await;
    }
}

/// Runs a command that asks one thing of the device's shadow.
///
/// The device sends nothing but what is asked: the engine's own get is left out.
///
/// # Errors
///
/// Those of [`FileOptions::open`], [`Destination::find`] and [`Device::connect`]. How the request
/// ended is in the result.
pub fn ask(
    options: &ServerOptions,
    files: &FileOptions,
    output: &mut Output,
    request: impl AsyncFnOnce(&Shadow) -> Result<Document, ClientError>,
) -> Result<(Server, Result<Document, ClientError>), Failure> {
    let files = files.open()?;
    block_on(async |runtime| {
        let destination = Destination::find_aloud(runtime, options, output).await?;
        let Destination {
            server,
            connector,
            patience,
        } = destination;
        let mut config = server.config();
        config.behaviour.get_on_subscribe = false;
        let seed = random_seed();
        let mut device =
            Device::connect(runtime, config, files, seed, connector, &patience, output).await?;
        let result = request(&device.shadow).await;
        if let Err(ClientError::Disconnected { .. }) = result {
            device
                .inbox
                .tell_loss(runtime.clock, &patience, output)
                .await;
        }
        device.close().await;
        Ok((server, result))
    })
}

/// A subscription that the server refused.
fn subscription_refused(server: &str, topic: &str) -> Failure {
    Failure::operation(format_args!(
        "{server}: the server refused the subscription of {topic} (SUBACK 0x80): it does not let \
         this client read the topic"
    ))
}
