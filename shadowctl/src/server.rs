//! Which server a command talks to, and as which device.

use std::net::{IpAddr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use shadow_core::Config;
use shadow_core::tencent::{Authentication, DeviceInfo};
use transport_mock::cloud::example_device;
use transport_tcp::websocket::{DEFAULT_PATH, WebSocketConnector};
use transport_tcp::{ClientCertificate, NetworkConnector, TlsError, TlsOptions};

use crate::failure::{Failure, FailureKind};
use crate::input;

/// The port of MQTT over TCP.
const PORT: u16 = 1883;
/// The port of MQTT over TLS.
const TLS_PORT: u16 = 8883;
/// The port of WebSocket over TCP.
const WEBSOCKET_PORT: u16 = 80;
/// The port of WebSocket over TLS.
const SECURE_WEBSOCKET_PORT: u16 = 443;

/// Which server, and as which device.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Server")]
pub struct ServerOptions {
    /// The device's device_info.json; without it, the example device of the embedded cloud
    #[arg(long, value_name = "FILE")]
    pub device: Option<PathBuf>,

    /// Host to connect to; without it, the vendor's server if there is a --device, otherwise a
    /// cloud embedded in this command
    #[arg(long, value_name = "HOST")]
    pub host: Option<String>,

    /// Port to connect to [default: 8883 with TLS, 1883 without; for WebSocket 443 and 80]
    #[arg(long, value_name = "PORT")]
    pub port: Option<u16>,

    /// Use TLS, which is the default with --device
    #[arg(long, conflicts_with = "no_tls")]
    pub tls: bool,

    /// Use no TLS, which is the default without --device
    #[arg(long)]
    pub no_tls: bool,

    /// PEM file with the CAs to trust, instead of those of the system
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,

    /// Speak MQTT over WebSocket, at this path of the server: /mqtt if none is given
    #[arg(long, value_name = "PATH", num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = DEFAULT_PATH)]
    pub websocket: Option<String>,

    /// Give up when there is no session with the server, or no answer, within this many seconds
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    pub timeout: Duration,
}

/// A device and where its server is.
#[derive(Debug)]
pub struct Server {
    /// Who logs in.
    pub device: DeviceInfo,
    /// Where the server is.
    pub place: Place,
    /// How long to try.
    pub timeout: Duration,
}

/// Where a server is.
#[derive(Debug)]
pub enum Place {
    /// In this process, for the length of the command.
    Embedded,
    /// On the network.
    Network {
        /// How to get there.
        connector: Box<NetworkConnector>,
        /// Host and port, for people.
        address: String,
        /// Whether it is reached by TLS.
        tls: bool,
    },
}

impl ServerOptions {
    /// Reads the files that the options name and works out the defaults of the others. Connects to
    /// nothing.
    ///
    /// # Errors
    ///
    /// * [`FailureKind::Usage`]: options that contradict each other or the device.
    /// * [`FailureKind::InputFile`]: a file that is missing or wrong.
    /// * [`FailureKind::Server`]: the system has no CA certificates.
    pub fn resolve(&self) -> Result<Server, Failure> {
        let device = match &self.device {
            Some(path) => read_device(path)?,
            None => example_device(),
        };
        let place = self.place(&device)?;
        Ok(Server {
            device,
            place,
            timeout: self.timeout,
        })
    }

    /// What to know before a device logs in without TLS over a network, if that is asked for.
    #[must_use]
    pub fn warning(&self) -> Option<&'static str> {
        let host = self.host.as_deref();
        let remote = host.is_none_or(|host| !is_this_machine(host));
        (self.device.is_some() && self.no_tls && remote).then_some(
            "--no-tls: whoever is on the way can read and change all of this, and log in as the \
             device for an hour",
        )
    }

    /// What to think of when a server of one's own cannot be reached: that nobody asked for TLS.
    #[must_use]
    pub fn hint(&self, device: &DeviceInfo) -> Option<&'static str> {
        let by_default = self.device.is_some() && !self.tls && !self.no_tls;
        // One with a certificate has to show it by TLS.
        let may_do_without = matches!(device.authentication, Authentication::Key { .. });
        (by_default && may_do_without && self.host.is_some())
            .then_some("TLS is the default with --device; --no-tls for a server without")
    }

    fn place(&self, device: &DeviceInfo) -> Result<Place, Failure> {
        let host = match (&self.host, &self.device) {
            (Some(host), _) => host_alone(host)?,
            (None, Some(_)) => device.name.host_name(),
            (None, None) => return self.embedded(),
        };
        let tls = self.tls || (self.device.is_some() && !self.no_tls);
        let port = self.port.unwrap_or(match (&self.websocket, tls) {
            (None, true) => TLS_PORT,
            (None, false) => PORT,
            (Some(_), true) => SECURE_WEBSOCKET_PORT,
            (Some(_), false) => WEBSOCKET_PORT,
        });
        let connector = if tls {
            let options = self.tls_options(device);
            self.secure_connector(&host, port, &options)?
        } else {
            self.check_without_tls(device)?;
            self.plain_connector(&host, port)?
        };
        let address = match host.contains(':') {
            true => format!("[{host}]:{port}"),
            false => format!("{host}:{port}"),
        };
        Ok(Place::Network {
            connector: Box::new(connector),
            address,
            tls,
        })
    }

    fn secure_connector(
        &self,
        host: &str,
        port: u16,
        options: &TlsOptions,
    ) -> Result<NetworkConnector, Failure> {
        let Some(path) = &self.websocket else {
            return NetworkConnector::tls(host, port, options).map_err(|error| tls_failure(&error));
        };
        let connector = WebSocketConnector::secure(host, port, options)
            .map_err(|error| tls_failure(&error))?
            .with_path(path)
            .map_err(|error| Failure::usage(format_args!("--websocket: {error}")))?;
        Ok(NetworkConnector::SecureWebSocket(connector))
    }

    fn plain_connector(&self, host: &str, port: u16) -> Result<NetworkConnector, Failure> {
        let Some(path) = &self.websocket else {
            return Ok(NetworkConnector::tcp(host, port));
        };
        let connector = WebSocketConnector::new(host, port)
            .with_path(path)
            .map_err(|error| Failure::usage(format_args!("--websocket: {error}")))?;
        Ok(NetworkConnector::WebSocket(connector))
    }

    fn embedded(&self) -> Result<Place, Failure> {
        let given = [
            ("--port", self.port.is_some()),
            ("--tls", self.tls),
            ("--ca", self.ca.is_some()),
            ("--websocket", self.websocket.is_some()),
        ];
        match given.iter().find(|(_, given)| *given) {
            Some((option, _)) => Err(Failure::usage(format_args!(
                "{option} says how to reach a server: give --host or --device with it"
            ))),
            None => Ok(Place::Embedded),
        }
    }

    fn tls_options(&self, device: &DeviceInfo) -> TlsOptions {
        let mut options = TlsOptions {
            ca_file: self.ca.clone(),
            ..TlsOptions::default()
        };
        if let Authentication::Certificate {
            ca_file,
            certificate_file,
            private_key_file,
        } = &device.authentication
        {
            let ca_file = ca_file.as_deref().map(|file| self.beside_device(file));
            options.ca_file = options.ca_file.or(ca_file);
            options.client = Some(ClientCertificate {
                certificate_file: self.beside_device(certificate_file),
                private_key_file: self.beside_device(private_key_file),
            });
        }
        options
    }

    fn check_without_tls(&self, device: &DeviceInfo) -> Result<(), Failure> {
        if self.ca.is_some() {
            return Err(Failure::usage("--ca needs TLS: add --tls"));
        }
        match device.authentication {
            Authentication::Key { .. } => Ok(()),
            Authentication::Certificate { .. } => Err(Failure::usage(
                "a device with auth_mode CERT shows its certificate by TLS: leave --no-tls out",
            )),
        }
    }

    /// A file that device_info.json names, relative to it.
    fn beside_device(&self, file: &str) -> PathBuf {
        let device = self.device.as_deref();
        match device.and_then(Path::parent) {
            Some(directory) => directory.join(file),
            None => PathBuf::from(file),
        }
    }
}

impl Server {
    /// The engine's configuration: the device with its own shadow and the safe defaults.
    #[must_use]
    pub fn config(&self) -> Config {
        Config::new(&self.device)
    }
}

/// Reads a device_info.json.
///
/// # Errors
///
/// [`FailureKind::InputFile`], naming the file and the field.
pub fn read_device(path: &Path) -> Result<DeviceInfo, Failure> {
    let content = input::read(path)?;
    let text = std::str::from_utf8(&content)
        .map_err(|_| Failure::input_file(path, "not JSON: it is not UTF-8 text"))?;
    // Editors of some systems begin a file with a byte order mark.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    DeviceInfo::from_json(text).map_err(|error| Failure::input_file(path, error))
}

/// Sorts a TLS configuration that cannot be used.
#[must_use]
pub fn tls_failure(error: &TlsError) -> Failure {
    let kind = match error {
        TlsError::InvalidServerName { .. } => FailureKind::Usage,
        TlsError::NoSystemRoots { .. } | TlsError::Unsupported { .. } => FailureKind::Server,
        _ => FailureKind::InputFile,
    };
    Failure::new(kind, error.to_string())
}

/// Whether nothing leaves the machine on the way to `host`.
#[must_use]
pub fn is_this_machine(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || bare
            .parse()
            .is_ok_and(|address: IpAddr| address.is_loopback())
}

/// A name or an address: an IPv6 address without its brackets, and no port.
fn host_alone(host: &str) -> Result<String, Failure> {
    let bare = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let bare = bare.unwrap_or(host);
    if bare.is_empty() {
        return Err(Failure::usage("--host is empty"));
    }
    if let Some((scheme, rest)) = bare.split_once("://") {
        return Err(Failure::usage(format_args!(
            "--host takes a host alone: leave the {scheme}:// out of {rest:?}, and see --tls and \
             --websocket"
        )));
    }
    match bare.rsplit_once(':') {
        Some((name, port)) if bare.parse::<Ipv6Addr>().is_err() => Err(Failure::usage(
            format_args!("--host takes a host alone: write --host {name} --port {port}"),
        )),
        _ => Ok(bare.to_owned()),
    }
}

/// A positive number of seconds, at most a day.
pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    let wanted = "a number of seconds above 0 and up to 86400";
    let seconds: f64 = text.parse().map_err(|_| wanted.to_owned())?;
    if seconds > 0.0 && seconds <= 86_400.0 {
        Ok(Duration::from_secs_f64(seconds))
    } else {
        Err(wanted.to_owned())
    }
}
