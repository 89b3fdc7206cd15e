//! The server of a command, found and ready to be connected to.

use transport_tcp::{Clock, NetworkConnector};

use crate::embedded;
use crate::failure::Failure;
use crate::output::Output;
use crate::runtime::{Patience, Runtime};
use crate::server::{Place, Server, ServerOptions};

/// A server of a command: where it is, whether embedded or not, and how long to wait for it.
#[derive(Debug)]
pub struct Destination {
    /// The device and the options' answers.
    pub server: Server,
    /// How to get there.
    pub connector: NetworkConnector,
    /// How long to wait, and what it is called.
    pub patience: Patience,
}

impl Destination {
    /// Finds the server that the options mean, and starts the embedded cloud if that is it.
    ///
    /// # Errors
    ///
    /// Those of [`ServerOptions::resolve`] and [`embedded::start`].
    pub async fn find<K: Clock>(
        runtime: Runtime<'_, K>,
        options: &ServerOptions,
    ) -> Result<Destination, Failure> {
        let server = options.resolve()?;
        let (connector, name) = match &server.place {
            Place::Network {
                connector, address, ..
            } => (NetworkConnector::clone(connector), address.clone()),
            Place::Embedded => {
                let (connector, address) = embedded::start(runtime).await?;
                (connector, format!("the embedded cloud ({address})"))
            }
        };
        let patience = Patience {
            server: name,
            timeout: server.timeout,
            hint: options.hint(&server.device),
        };
        Ok(Destination {
            server,
            connector,
            patience,
        })
    }

    /// The same, with a remark where the embedded cloud is it, or a login can be read on its way.
    ///
    /// # Errors
    ///
    /// Those of [`Destination::find`].
    pub async fn find_aloud<K: Clock>(
        runtime: Runtime<'_, K>,
        options: &ServerOptions,
        output: &mut Output,
    ) -> Result<Destination, Failure> {
        let destination = Destination::find(runtime, options).await?;
        if let Some(warning) = options.warning() {
            output.remark(warning);
        }
        if matches!(destination.server.place, Place::Embedded) {
            output.remark(
                "no --host and no --device: this talks to a cloud of its own, which begins anew \
                 each time. To keep one, run `shadowctl serve` and add --host 127.0.0.1.",
            );
        }
        Ok(destination)
    }
}
