//! What can be typed after `serve`.

use std::path::PathBuf;

use clap::Args;

/// Arguments of `serve`.
#[derive(Args, Clone, Debug)]
pub struct ServeArguments {
    /// Address to accept connections on
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:1883")]
    pub listen: String,

    /// PEM file with the server's certificate: speak TLS
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,

    /// PEM file with the private key of --tls-cert
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,

    /// Serve devices that are connected to this MQTT broker instead of listening
    #[arg(
        long,
        value_name = "HOST:PORT",
        conflicts_with_all = ["listen", "tls_cert", "tls_key"]
    )]
    pub broker: Option<String>,
}
