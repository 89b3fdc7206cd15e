//! What can be typed after `fleet`.

use std::ffi::OsString;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::schedule::Mix;
use crate::server::{ServerOptions, seconds};

pub(crate) const ABOUT: &str = "\
Drive many devices at once, and measure it

Many engines in one process: they log in, subscribe and get their shadows, then do round trips, a \
get or a report each and its answer, spread evenly over time and devices. It ends by itself with a \
summary, at Ctrl-C earlier.

Without --host the cloud is a model in this process: no sockets, so what is measured is the engines \
and the model. With --host every device has a connection of its own, and the limit on open files \
is raised as far as the system lets it.

Latency counts from the moment at which a round trip was due, so that a server that stalls is seen \
to. Memory is what is resident of this process; against the model, the model's part included.

With several --devices each number is run in a process of its own, one after the other, and the \
table shows what a device costs.";

pub(crate) const EXAMPLES: &str = "\
Examples:
  shadowctl fleet                                     100 devices against the model
  shadowctl fleet --devices 100000 --rate 0           idle ones: what do they weigh?
  shadowctl fleet --devices 100,1000,10000,100000     does a device cost the same among many?

Over TCP, the server in one terminal and the fleet in another:
  shadowctl serve --fleet 10000 --quiet
  shadowctl fleet --host 127.0.0.1 --devices 10000 --rate 2000

Over mosquitto, with the shadow service behind it:
  shadowctl serve --broker 127.0.0.1:1883 --fleet 1000 --quiet
  shadowctl fleet --host 127.0.0.1 --devices 1000 --rate 500

With --output json, one object for each number of devices: server, seed, devices, connected, \
connect_seconds, rate, seconds, planned, begun, answered, failed, cancelled, per_second, \
latency_us (p50, p90, p99, maximum), resident_bytes, bytes_per_device, processor_seconds, \
processor_us_per_round_trip, open_files (was, is), errors (kind, count, example).

A round trip that fails and a device that does not connect in time are exit code 1; a server that no device \
can connect to is 3.";

/// The most devices of one fleet: their names have six digits.
pub(crate) const MAXIMUM_DEVICES: u32 = 1_000_000;

/// The most of anything in a second.
const MAXIMUM_RATE: u32 = 1_000_000;

/// How many devices connect in a second over TCP: a server's queue of connections that it has not
/// accepted is short, and each login is a signature to be verified.
const CONNECT_RATE: u32 = 1_000;

/// Arguments of `fleet`.
#[derive(Args, Clone, Debug)]
pub struct FleetArguments {
    /// How many devices, up to 1000000; several numbers with commas are run one after the other
    #[arg(long, value_name = "N", default_value = "100", value_delimiter = ',')]
    #[arg(value_parser = devices)]
    pub devices: Vec<u32>,

    /// How many round trips a second, of all devices together; 0 leaves them idle
    #[arg(long, value_name = "R", default_value = "100", value_parser = rate)]
    pub rate: u32,

    /// What a round trip is
    #[arg(long, value_enum, default_value_t)]
    pub mix: Mix,

    /// How long round trips begin, or the devices are idle
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    pub duration: Duration,

    /// How many devices connect in a second [default: 1000 with --host, otherwise any number]
    #[arg(long, value_name = "C", value_parser = connect_rate)]
    pub connect_rate: Option<u32>,

    /// Seed of all that is random; another one each time without it
    #[arg(long, value_name = "SEED")]
    pub seed: Option<u64>,

    /// Host to connect to; without it, a model of the cloud in this process
    #[arg(long, value_name = "HOST", help_heading = "Server")]
    pub host: Option<String>,

    /// Port to connect to [default: 8883 with TLS, 1883 without]
    #[arg(long, value_name = "PORT", requires = "host", help_heading = "Server")]
    pub port: Option<u16>,

    /// Use TLS
    #[arg(long, requires = "host", help_heading = "Server")]
    pub tls: bool,

    /// PEM file with the CAs to trust, instead of those of the system
    #[arg(long, value_name = "FILE", requires = "tls", help_heading = "Server")]
    pub ca: Option<PathBuf>,

    /// Give up a round trip that has no answer within this many seconds, and a device that has no
    /// session
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    #[arg(help_heading = "Server")]
    pub timeout: Duration,
}

impl FleetArguments {
    /// The server's half of it; `None` for the model.
    #[must_use]
    pub fn server(&self) -> Option<ServerOptions> {
        self.host.as_ref()?;
        Some(ServerOptions {
            device: None,
            host: self.host.clone(),
            port: self.port,
            tls: self.tls,
            no_tls: false,
            ca: self.ca.clone(),
            websocket: None,
            timeout: self.timeout,
        })
    }

    /// How many devices connect in a second; `None`: as many as can.
    #[must_use]
    pub fn connects_per_second(&self) -> Option<u32> {
        let usual = self.host.is_some().then_some(CONNECT_RATE);
        self.connect_rate.or(usual)
    }

    /// The command line, from `fleet` on, of a run with this many devices and a line of JSON as its
    /// result.
    pub(super) fn typed(&self, devices: u32) -> Vec<OsString> {
        let mut typed: Vec<OsString> = Vec::new();
        let mut option = |name: &str, value: OsString| typed.extend([name.into(), value]);
        option("fleet", "--output=json".into());
        option("--devices", devices.to_string().into());
        option("--rate", self.rate.to_string().into());
        option("--mix", self.mix.typed().into());
        option("--duration", self.duration.as_secs_f64().to_string().into());
        option("--timeout", self.timeout.as_secs_f64().to_string().into());
        if let Some(rate) = self.connect_rate {
            option("--connect-rate", rate.to_string().into());
        }
        if let Some(seed) = self.seed {
            option("--seed", seed.to_string().into());
        }
        if let Some(host) = &self.host {
            option("--host", host.into());
        }
        if let Some(port) = self.port {
            option("--port", port.to_string().into());
        }
        if let Some(ca) = &self.ca {
            option("--ca", ca.into());
        }
        if self.tls {
            typed.push("--tls".into());
        }
        typed
    }
}

/// For `--help` and the command line of [`curve`](super::curve)'s processes.
impl Mix {
    /// As it is typed.
    pub(super) fn typed(self) -> &'static str {
        match self {
            Mix::Both => "both",
            Mix::Get => "get",
            Mix::Report => "report",
        }
    }
}

/// How it is typed.
impl ValueEnum for Mix {
    fn value_variants<'a>() -> &'a [Mix] {
        &[Mix::Both, Mix::Get, Mix::Report]
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        let help = match self {
            Mix::Both => "A get and a report in turn",
            Mix::Get => "The device gets its shadow",
            Mix::Report => "The device reports a new number",
        };
        Some(clap::builder::PossibleValue::new(self.typed()).help(help))
    }
}

/// A number of devices.
pub(crate) fn devices(text: &str) -> Result<u32, String> {
    within(text, 1..=MAXIMUM_DEVICES)
}

fn rate(text: &str) -> Result<u32, String> {
    within(text, 0..=MAXIMUM_RATE)
}

fn connect_rate(text: &str) -> Result<u32, String> {
    within(text, 1..=MAXIMUM_RATE)
}

fn within(text: &str, range: RangeInclusive<u32>) -> Result<u32, String> {
    let number = text.parse().ok().filter(|number| range.contains(number));
    number.ok_or_else(|| format!("a whole number from {} to {}", range.start(), range.end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_bounds() {
        assert_eq!(devices("1000000"), Ok(1_000_000));
        assert_eq!(rate("0"), Ok(0));
        for (parsed, bounds) in [
            (devices("0"), "from 1 to 1000000"),
            (devices("1000001"), "from 1 to 1000000"),
            (devices("99999999999"), "from 1 to 1000000"),
            (rate("-1"), "from 0 to 1000000"),
            (rate("1.5"), "from 0 to 1000000"),
            (connect_rate("0"), "from 1 to 1000000"),
        ] {
            assert!(parsed.unwrap_err().ends_with(bounds));
        }
    }
}
