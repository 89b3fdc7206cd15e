//! What can be typed after `serve`.

use std::fmt;
use std::path::PathBuf;

use clap::Args;

pub(crate) const ABOUT: &str = "\
Be the cloud: accept devices, or serve those of an MQTT broker

With --listen it is an MQTT server with the shadow service in it. It knows the example device and \
those of --device and --fleet, checks their logins, and lets nobody else in.

With --broker it is one more client of an MQTT broker, such as mosquitto, and gives shadows to every \
device there: it subscribes $shadow/operation/+/+ and $shadow/application/+/+ and publishes the \
replies and deltas. Who may log in and what they may use is for the broker to decide. It comes back \
when the broker does. Run one of them at a broker: two with one client id put each other out. \
A mosquitto delays each of its answers by up to 40 ms unless its configuration says \
`set_tcp_nodelay true`.

Documents are kept in memory: they begin anew with the command. The example device's shadow begins \
as in the vendor's document of the device shadow, every other one empty.";

pub(crate) const EXAMPLES: &str = "\
Examples:
  shadowctl serve                                        the example device, on 127.0.0.1:1883
  shadowctl serve --listen 0.0.0.0:8883 --tls-cert server.pem --tls-key server.key \\
                  --device device_info.json              a device of your own, over TLS
  shadowctl serve --websocket 8083                       beside it for `get --websocket`, browsers
  shadowctl serve --fleet 10000 --quiet                  for `shadowctl fleet --host 127.0.0.1`
  shadowctl serve --broker 127.0.0.1:1883                shadows for the devices of a mosquitto
  shadowctl serve --broker broker.example:8883 --tls --ca ca.pem \\
                  --user shadow-service --password-file password.txt

With --output json, one object a line with \"time\" (ms since 1970) and \"event\". Both ways: \
\"request\" (from, shadow, payload), \"delta\" (shadow, version, state). With --listen: \
\"listening\" (address, websocket, tls, devices, fleet), \"connected\" (client_id, protocol, \
session_present), \"login_refused\" (client_id, why), \"connection_failed\" (peer, why), \
\"subscribed\", \"unsubscribed\" and \"subscription_refused\" (client_id, filter), \"message\" \
(client_id, topic, bytes), \"publish_forbidden\" and \"dropped\" (client_id, topic), \"disconnected\" (client_id, why), \
\"missed\" (count). With --broker: \"online\" (broker, qos), \"offline\" (why, retry_in_ms), \
\"reply\" (to, shadow, result, version), \"ignored\", \"unacknowledged\" and \"undelivered\" (topic, \
why), \"missed\" (count).

A port that is in use, and a broker that refuses the subscription, are exit code 1.";

/// Arguments of `serve`.
#[derive(Args, Clone, Debug)]
pub struct ServeArguments {
    /// Accept connections on this address; port 0 takes a free one, which is printed
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:1883")]
    #[arg(value_parser = Address::parse)]
    pub listen: Address,

    /// Accept MQTT over WebSocket too, on this port of the same host; port 0 takes a free one, which
    /// is printed. With a certificate both speak TLS
    #[arg(long, value_name = "PORT")]
    pub websocket: Option<u16>,

    /// PEM file with the server's certificate, and those of intermediate CAs: speak TLS
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,

    /// PEM file with the private key of --tls-cert
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,

    /// Let this device in too, by its device_info.json; may be given several times. A device with a
    /// certificate is let in without a look at it
    #[arg(long, value_name = "FILE")]
    pub device: Vec<PathBuf>,

    /// Let the first N devices of `shadowctl fleet` in too, whose secret is public, and have room for
    /// them; at a broker, room for their documents
    #[arg(long, value_name = "N", value_parser = crate::fleet::devices)]
    pub fleet: Option<u32>,

    /// Print only what goes wrong, not what devices and applications do
    #[arg(long)]
    pub quiet: bool,

    /// Serve the devices of this MQTT broker instead of listening
    #[arg(long, value_name = "HOST:PORT", value_parser = Address::parse)]
    #[arg(conflicts_with_all = ["listen", "websocket", "tls_cert", "tls_key", "device"])]
    pub broker: Option<Address>,

    /// Reach the broker by TLS
    #[arg(long, requires = "broker")]
    pub tls: bool,

    /// PEM file with the CAs to trust for the broker, instead of those of the system
    #[arg(long, value_name = "FILE", requires = "tls")]
    pub ca: Option<PathBuf>,

    /// User name for the broker
    #[arg(long, value_name = "NAME", requires = "broker")]
    pub user: Option<String>,

    /// File with the password for the broker; one newline at its end does not count
    #[arg(long, value_name = "FILE", requires = "user")]
    pub password_file: Option<PathBuf>,

    /// Client id at the broker
    #[arg(long, value_name = "ID", requires = "broker")]
    #[arg(default_value = "shadow-service")]
    pub client_id: String,
}

/// A host and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// A name or an IP address; IPv6 without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl Address {
    /// Reads `HOST:PORT`; IPv6 addresses stand in brackets, as in `[::1]:1883`.
    ///
    /// # Errors
    ///
    /// What is wrong with the text.
    pub fn parse(text: &str) -> Result<Address, String> {
        let wanted = "wanted is HOST:PORT, as in 127.0.0.1:1883 or [::1]:1883";
        let (host, port) = text.rsplit_once(':').ok_or(wanted)?;
        let port = port
            .parse()
            .map_err(|_| format!("{port:?} is no port (0 to 65535); {wanted}"))?;
        let bracketed = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
        let host = match bracketed {
            Some(host) => host,
            None if host.is_empty() || host.contains(':') => return Err(wanted.into()),
            None => host,
        };
        Ok(Address {
            host: host.into(),
            port,
        })
    }

    /// Another port of the same host.
    #[must_use]
    pub fn with_port(&self, port: u16) -> Address {
        Address {
            host: self.host.clone(),
            port,
        }
    }
}

/// As it is typed.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Address { host, port } = self;
        match host.contains(':') {
            true => write!(f, "[{host}]:{port}"),
            false => write!(f, "{host}:{port}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_parse_and_print_back() {
        for (text, host, port) in [
            ("127.0.0.1:1883", "127.0.0.1", 1883),
            ("[::1]:0", "::1", 0),
            ("broker.example:8883", "broker.example", 8883),
        ] {
            let address = Address::parse(text).unwrap();
            assert_eq!((address.host.as_str(), address.port), (host, port));
            assert_eq!(address.to_string(), text);
        }
        for text in [
            "",
            "1883",
            ":1883",
            "::1:1883",
            "host:",
            "host:65536",
            "host:-1",
        ] {
            assert!(Address::parse(text).is_err(), "{text}");
        }
    }
}
