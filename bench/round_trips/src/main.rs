//! Round trips on loopback, with 1, 8 and 64 requests in flight.
//!
//! Two paths, each beside whoever else can go it:
//!
//! * a device and the embedded cloud over TCP, beside two processes that send each other the same
//!   bytes through the same I/O stack and look at nothing in them: the limit of the machine;
//! * a device, mosquitto and the shadow service behind it, beside rumqttc and the vendor's Python
//!   SDK asking the same service the same through the same broker.
//!
//! Every client and every server is a process of its own, so that processor time and memory are
//! the client's alone. Subjects take turns, and the median of the rounds counts. Nobody is waited for
//! without end: who is late is ended, and told as skipped.

mod child;
mod client;
mod echo;
mod mosquitto;
mod rounds;
mod rumqttc_client;
mod sdk;
mod server;
mod tally;
mod wire;

use std::error::Error;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::tally::Task;

/// What goes wrong here is for a person to read.
type Failure = Box<dyn Error>;

/// Measures round trips on loopback.
#[derive(Debug, Parser)]
struct Arguments {
    /// Print JSON instead of Markdown.
    #[arg(long)]
    json: bool,
    /// How often each subject gets its turn; the median counts.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Only this path.
    #[arg(long)]
    path: Option<rounds::Path>,
    #[command(subcommand)]
    role: Option<Role>,
}

/// What this process is when the measurement starts itself.
#[derive(Clone, Debug, Subcommand)]
enum Role {
    /// The other end of the raw echo.
    #[command(hide = true)]
    EchoServer,
    /// The embedded cloud.
    #[command(hide = true)]
    Cloud,
    /// The shadow service behind a broker.
    #[command(hide = true)]
    Service {
        /// Where the broker listens.
        port: u16,
    },
    /// The raw echo.
    #[command(hide = true)]
    EchoClient(Task),
    /// This project's client, its driver on the application's thread.
    #[command(hide = true)]
    Client(Task),
    /// This project's client, its driver on smol's thread.
    #[command(hide = true)]
    ClientOnTwoThreads(Task),
    /// rumqttc.
    #[command(hide = true)]
    Rumqttc(Task),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match &arguments.role {
        Some(role) => play(role),
        None => measure(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("round_trips: {error}");
            ExitCode::FAILURE
        }
    }
}

fn play(role: &Role) -> Result<(), Failure> {
    let trips = match role {
        Role::EchoServer => return echo::serve(),
        Role::Cloud => return server::cloud(),
        Role::Service { port } => return server::service(*port),
        Role::EchoClient(task) => echo::run(task)?,
        Role::Client(task) => client::on_one_thread(task)?,
        Role::ClientOnTwoThreads(task) => client::on_two_threads(task)?,
        Role::Rumqttc(task) => rumqttc_client::run(task)?,
    };
    println!("{}", serde_json::to_string(&trips)?);
    Ok(())
}

fn measure(arguments: &Arguments) -> Result<(), Failure> {
    let measurements = rounds::measure(arguments.rounds.max(1), arguments.path);
    Ok(bench::print(measurements, arguments.json)?)
}
