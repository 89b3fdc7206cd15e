//! `serve --broker`: the shadow service as a client of an existing broker.

use std::future::pending;
use std::path::Path;

use shadow_core::config::Login;
use shadow_core::tencent::Secret;
use shadow_core::{Config, Session};
use smol::future::or;
use transport_mock::bridge::{self, bridge};
use transport_mock::service::{ServiceConfig, ShadowService};
use transport_tcp::{Clock, NetworkConnector, TlsOptions, client};

use super::arguments::{Address, ServeArguments};
use super::example::{example_seed, seed_failure};
use super::line::What;
use super::log::Log;
use crate::failure::Failure;
use crate::fleet::make_room;
use crate::input;
use crate::interrupt::Interrupt;
use crate::output::Output;
use crate::runtime::block_on;
use crate::seed::random_seed;
use crate::server::{is_this_machine, tls_failure};

/// Serves the devices of `broker` until Ctrl-C, however often it comes and goes.
///
/// # Errors
///
/// Those of [`run`](super::run).
pub(super) fn run(
    arguments: &ServeArguments,
    broker: &Address,
    output: &mut Output,
) -> Result<(), Failure> {
    let config = config(arguments)?;
    let connector = connector(arguments, broker)?;
    if !arguments.tls && arguments.password_file.is_some() && !is_this_machine(&broker.host) {
        output.remark(format_args!(
            "no --tls: whoever is on the way to {broker} can read the password"
        ));
    }
    block_on(async |runtime| {
        let mut interrupt = Interrupt::new()?;
        let clock = runtime.clock;
        let mut service = example_service(arguments.fleet, clock)?;
        let log = Log::new(output, *clock, arguments.quiet);
        log.remark(format_args!(
            "serving shadows at the broker {broker}; Ctrl-C ends it"
        ));
        let seed = random_seed();
        let (client, events, driver) = client(config, Session::new(), seed, connector, *clock);
        let driver = runtime.executor.spawn(driver.run());
        let name = broker.to_string();
        let serving = async {
            let on_event = |event| {
                for what in What::of_bridge(&name, event) {
                    log.line(what);
                }
            };
            bridge(&mut service, &client, events, clock, on_event).await
        };
        // The bridge ends with its client, after a word about what it could not deliver.
        let closing = async {
            interrupt.wait().await;
            client.close().await;
            pending().await
        };
        let served = async {
            let served = or(serving, closing).await;
            served.map_err(|error| Failure::operation(format_args!("{broker}: {error}")))
        };
        let failed = async { Err(log.failed().await) };
        let result = or(served, failed).await;
        client.close().await;
        driver.await;
        result
    })
}

fn config(arguments: &ServeArguments) -> Result<Config, Failure> {
    let mut config = bridge::config(&arguments.client_id);
    config.login = Login::Plain {
        client_id: arguments.client_id.clone(),
        user_name: arguments.user.clone(),
        password: match &arguments.password_file {
            Some(path) => Some(password(path)?),
            None => None,
        },
    };
    Ok(config)
}

fn password(path: &Path) -> Result<Secret, Failure> {
    let mut password = input::read(path)?;
    for ending in [b'\n', b'\r'] {
        if password.last() == Some(&ending) {
            password.pop();
        }
    }
    if password.is_empty() {
        return Err(Failure::input_file(path, "there is no password in it"));
    }
    Ok(Secret::from_bytes(password.as_slice()))
}

fn connector(arguments: &ServeArguments, broker: &Address) -> Result<NetworkConnector, Failure> {
    let Address { host, port } = broker;
    if !arguments.tls {
        return Ok(NetworkConnector::tcp(host, *port));
    }
    let options = TlsOptions {
        ca_file: arguments.ca.clone(),
        ..TlsOptions::default()
    };
    NetworkConnector::tls(host, *port, &options).map_err(|error| tls_failure(&error))
}

/// A service with room for a fleet's shadows, and with the example device's as it is in the
/// embedded cloud.
fn example_service(fleet: Option<u32>, clock: &impl Clock) -> Result<ShadowService, Failure> {
    let mut config = ServiceConfig::default();
    make_room(&mut config, fleet.unwrap_or(0));
    let mut service = ShadowService::with_config(config);
    if let Some(seed) = example_seed(clock) {
        service
            .seed(&seed.name, &seed.state, seed.version, seed.last_change)
            .map_err(|error| seed_failure(&error))?;
    }
    Ok(service)
}
