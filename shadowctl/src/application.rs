//! The application's side of a shadow, over MQTT.

use std::fmt;

use shadow_core::config::Login;
use shadow_core::mqtt::QoS;
use shadow_core::tencent::credentials::sign;
use shadow_core::tencent::{
    Authentication, DEFAULT_SDK_APP_ID, DeviceInfo, Document, Message, SignatureMethod, reply,
};
use shadow_core::{Config, DisconnectCause, Event, Publication, Session, WallTime};
use smol::Task;
use transport_mock::application::{ApplicationRequest, request_topic, result_topic};
use transport_tcp::{Client, ClientError, Clock, Connector, client};

use crate::destination::Destination;
use crate::document::rejected;
use crate::failure::{Failure, FailureKind};
use crate::output::Output;
use crate::runtime::{Inbox, Patience, Runtime, block_on};
use crate::seed::random_seed;
use crate::server::{Server, ServerOptions};

/// For how long a login is signed. It is signed once, and a command is over long before.
const LOGIN_SECONDS: u64 = 3_600;

/// An application that is logged in and has its result topic subscribed.
///
/// It logs in as `{productId}{deviceName}@shadowctl-{number}`, signed with the device's secret, and
/// talks on the topics of [`transport_mock::application`].
#[derive(Debug)]
pub struct Application {
    device: DeviceInfo,
    patience: Patience,
    nonce: u64,
    asked: u64,
    client: Client,
    inbox: Inbox,
    driver: Task<Session>,
}

/// Why an application got no result.
#[derive(Clone, Debug, PartialEq)]
pub enum ApplicationError {
    /// The server has no application's side over MQTT, as far as one can see.
    Absent(Absence),
    /// The service answered with a result other than 0.
    Rejected {
        /// The result code.
        code: i64,
        /// What came with it.
        document: Document,
    },
    /// Anything else.
    Failed(Failure),
}

/// How it shows that a server has no application's side over MQTT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Absence {
    /// The login was refused; the text says how.
    LoginRefused(String),
    /// The subscription of the result topic was refused.
    SubscriptionRefused,
    /// Nobody answered, be it a request or the subscription before it.
    NoReply,
    /// The device has a certificate and so no secret that could sign an application's login.
    NoSecret,
}

impl fmt::Display for Absence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Absence::LoginRefused(why) => f.write_str(why),
            Absence::SubscriptionRefused => {
                f.write_str("the subscription of the application's topic was refused (SUBACK 0x80)")
            }
            Absence::NoReply => f.write_str("nobody answered on the application's topic"),
            Absence::NoSecret => f.write_str(
                "a device with a certificate has no secret to sign an application's login with",
            ),
        }
    }
}

impl Absence {
    /// The whole of what there is to say about it.
    #[must_use]
    pub fn explain(&self) -> String {
        format!(
            "this server gives no application's side over MQTT ({self}). `shadowctl serve` does; \
             the vendor serves applications over its HTTP API and its console"
        )
    }
}

impl From<Failure> for ApplicationError {
    fn from(failure: Failure) -> ApplicationError {
        ApplicationError::Failed(failure)
    }
}

impl Application {
    /// Logs in and subscribes.
    ///
    /// # Errors
    ///
    /// [`ApplicationError::Absent`], or [`ApplicationError::Failed`] for those of [`Inbox::find`].
    pub async fn connect<C: Connector + 'static, K: Clock>(
        runtime: Runtime<'_, K>,
        device: &DeviceInfo,
        seed: u64,
        connector: C,
        patience: &Patience,
        output: &mut Output,
    ) -> Result<Application, ApplicationError> {
        let mut config = config(device, seed, runtime.clock.wall_time())?;
        config.request_timeout = patience.timeout;
        let clock = runtime.clock.clone();
        let (client, events, driver) = client(config, Session::new(), seed, connector, clock);
        let driver = runtime.executor.spawn(driver.run());
        let logged_in = |event: &Event| match event {
            Event::Connected { .. } => Some(Ok(Ok(()))),
            Event::Disconnected {
                cause: cause @ DisconnectCause::Refused(_),
                ..
            } => Some(Ok(Err(Absence::LoginRefused(cause.to_string())))),
            _ => None,
        };
        let mut inbox = Inbox::new(events);
        inbox
            .find(runtime.clock, patience, output, logged_in)
            .await?
            .map_err(ApplicationError::Absent)?;
        let filter = result_topic(&device.name);
        match client.subscribe(&filter, QoS::AtMostOnce).await {
            Ok(_) => Ok(Application {
                device: device.clone(),
                patience: patience.clone(),
                nonce: seed,
                asked: 0,
                client,
                inbox,
                driver,
            }),
            Err(ClientError::SubscriptionRefused) => {
                Err(ApplicationError::Absent(Absence::SubscriptionRefused))
            }
            Err(ClientError::TimedOut) => Err(ApplicationError::Absent(Absence::NoReply)),
            Err(error) => Err(Failure::operation(error).into()),
        }
    }

    /// Asks one thing of the service and waits for its reply.
    ///
    /// # Errors
    ///
    /// [`ApplicationError::Absent`] when nobody answers in time, [`ApplicationError::Rejected`], or
    /// [`ApplicationError::Failed`] when the request cannot be sent.
    pub async fn ask<K: Clock>(
        &mut self,
        clock: &K,
        request: &ApplicationRequest<'_>,
        output: &mut Output,
    ) -> Result<Document, ApplicationError> {
        let token = format!("{:016x}-{}", self.nonce, self.asked);
        self.asked += 1;
        let payload = request.to_json(&token).map_err(Failure::usage)?;
        let topic = request_topic(&self.device.name);
        let publication = Publication::new(&topic, payload.as_bytes());
        let published = self.client.publish(&publication).await;
        published.map_err(Failure::operation)?;
        let own_topic = result_topic(&self.device.name);
        let answered = |event: &Event| match event {
            Event::Message(message) if message.topic == own_topic => {
                answer(&message.payload, &token).map(Ok)
            }
            _ => None,
        };
        let reply = self
            .inbox
            .find(clock, &self.patience, output, answered)
            .await;
        match reply {
            Ok((0, document)) => Ok(document),
            Ok((code, document)) => Err(ApplicationError::Rejected { code, document }),
            // Logged in, and no reply in time.
            Err(failure) if failure.kind() == FailureKind::Operation => {
                Err(ApplicationError::Absent(Absence::NoReply))
            }
            Err(failure) => Err(failure.into()),
        }
    }

    /// Says goodbye (DISCONNECT) and closes the connection.
    pub async fn close(self) {
        self.client.close().await;
        self.driver.await;
    }
}

/// Runs a command that asks one thing as an application.
///
/// # Errors
///
/// Those of [`Destination::find_aloud`] and [`Application`], in words. `device_command` is the one
/// that tells, as the device, whether it is the login that is wrong.
pub fn ask(
    options: &ServerOptions,
    request: &ApplicationRequest<'_>,
    device_command: &str,
    output: &mut Output,
) -> Result<(Server, Document), Failure> {
    let result = block_on(async |runtime| {
        let destination = Destination::find_aloud(runtime, options, output).await?;
        let Destination {
            server,
            connector,
            patience,
        } = destination;
        let seed = random_seed();
        let device = &server.device;
        let mut application =
            Application::connect(runtime, device, seed, connector, &patience, output).await?;
        let result = application.ask(runtime.clock, request, output).await;
        application.close().await;
        Ok((server, result?))
    });
    result.map_err(|error| match error {
        // From here it looks the same when the secret is wrong.
        ApplicationError::Absent(absence @ Absence::LoginRefused(_)) => {
            Failure::operation(format_args!(
                "{}. If {device_command} is refused as well, the login itself is wrong",
                absence.explain()
            ))
        }
        ApplicationError::Absent(absence) => Failure::operation(absence.explain()),
        ApplicationError::Rejected { code, document } => rejected(code, &document, output),
        ApplicationError::Failed(failure) => failure,
    })
}

/// Result code and document of the reply to the request with `token`; `None` for anything else.
fn answer(payload: &[u8], token: &str) -> Option<(i64, Document)> {
    match reply::parse(payload).ok()? {
        Message::Reply {
            token: Some(found),
            result,
            body,
            ..
        } if found == token => Some((result, body.to_document())),
        _ => None,
    }
}

/// A plain MQTT client with a login that is signed here: it is not the device's own.
fn config(
    device: &DeviceInfo,
    seed: u64,
    wall: Option<WallTime>,
) -> Result<Config, ApplicationError> {
    let Authentication::Key { secret } = &device.authentication else {
        return Err(ApplicationError::Absent(Absence::NoSecret));
    };
    let wall = wall.ok_or_else(|| {
        Failure::operation("a login is signed with the time, and this machine's clock shows none")
    })?;
    // A name of its own, so that two applications do not put each other out.
    let number = seed % 100_000;
    let client_id = format!("{}@shadowctl-{number}", device.name.client_id());
    let signed = sign(
        SignatureMethod::HmacSha256,
        &client_id,
        DEFAULT_SDK_APP_ID,
        connection_id(seed),
        wall.as_unix_seconds() + LOGIN_SECONDS,
        secret,
    );
    let mut config = Config::plain(&client_id);
    config.login = Login::Plain {
        client_id,
        user_name: Some(signed.user_name),
        password: Some(signed.password),
    };
    Ok(config)
}

/// Five letters, as the vendor's rules for user names want them (vendor doc 634/46346).
fn connection_id(seed: u64) -> [u8; 5] {
    seed.to_be_bytes()
        .first_chunk::<5>()
        .map_or([b'a'; 5], |bytes| bytes.map(|byte| b'a' + byte % 26))
}
