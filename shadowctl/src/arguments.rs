//! What can be typed.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

pub use crate::commands::export::ExportArguments;
pub use crate::commands::shrink::ShrinkArguments;
use crate::files::FileOptions;
pub use crate::fleet::FleetArguments;
use crate::output::Format;
pub use crate::serve::ServeArguments;
use crate::server::ServerOptions;
use crate::session_file::CaptureOptions;

mod help;

/// Device shadows over MQTT: look at one, change it, watch it, and play the cloud.
///
/// A device shadow is the copy of a device's state that the cloud keeps. The device writes its
/// `reported` part, applications write its `desired` part, and the cloud tells the device the
/// difference, the delta.
///
/// Start with `shadowctl demo`.
#[derive(Parser, Clone, Debug)]
#[command(name = "shadowctl", version, after_help = help::EXIT_CODES)]
pub struct Arguments {
    /// Form of the results on stdout
    #[arg(
        long,
        global = true,
        value_enum,
        value_name = "FORMAT",
        default_value_t
    )]
    pub output: Format,

    /// Log more to stderr; -vv also what is sent and received. RUST_LOG, if set, counts instead
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,

    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Subcommand, Clone, Debug)]
pub enum Command {
    /// Show what a device shadow is, step by step
    #[command(long_about = help::DEMO, after_long_help = help::DEMO_EXAMPLES)]
    Demo(DemoArguments),
    /// Print the shadow
    #[command(long_about = help::GET, after_long_help = help::GET_EXAMPLES)]
    Get(GetArguments),
    /// Report state, as the device
    #[command(long_about = help::REPORT, after_long_help = help::REPORT_EXAMPLES)]
    Report(ReportArguments),
    /// Ask for state, as an application
    #[command(long_about = help::DESIRE, after_long_help = help::DESIRE_EXAMPLES)]
    Desire(DesireArguments),
    /// Delete the desired part, as the device does once it has obeyed
    #[command(long_about = help::CLEAR_DESIRED, after_long_help = help::CLEAR_DESIRED_EXAMPLES)]
    ClearDesired(DeviceArguments),
    /// Delete the reported part
    #[command(long_about = help::CLEAR_REPORTED, after_long_help = help::CLEAR_REPORTED_EXAMPLES)]
    ClearReported(DeviceArguments),
    /// Print deltas and connection states until Ctrl-C
    #[command(long_about = help::WATCH, after_long_help = help::WATCH_EXAMPLES)]
    Watch(WatchArguments),
    /// Be the cloud: accept devices, or serve those of an MQTT broker
    #[command(long_about = crate::serve::ABOUT, after_long_help = crate::serve::EXAMPLES)]
    Serve(ServeArguments),
    /// Drive many devices at once, and measure it
    #[command(long_about = crate::fleet::ABOUT, after_long_help = crate::fleet::EXAMPLES)]
    Fleet(FleetArguments),
    /// Replay a recording and find the first difference; or a log or capture of another client
    #[command(long_about = help::REPLAY, after_long_help = help::REPLAY_EXAMPLES)]
    Replay(ReplayArguments),
    /// Drive this project's engine with another client's session, and record what it does
    #[command(long_about = help::IMPORT, after_long_help = help::IMPORT_EXAMPLES)]
    Import(ImportArguments),
    /// Tell where a recorded device broke the specification, or lost something
    #[command(long_about = help::DIAGNOSE, after_long_help = help::DIAGNOSE_EXAMPLES)]
    Diagnose(DiagnoseArguments),
    /// Tell a recorded session step by step, or draw it as one page
    #[command(long_about = help::SHOW, after_long_help = help::SHOW_EXAMPLES)]
    Show(ShowArguments),
    /// Write a recording for another program: as a capture, or as text for snapshots
    #[command(
        long_about = crate::commands::export::ABOUT,
        after_long_help = crate::commands::export::EXAMPLES
    )]
    Export(ExportArguments),
    /// Make a recording that fails as small as it can be and still fail
    #[command(
        long_about = crate::commands::shrink::ABOUT,
        after_long_help = crate::commands::shrink::EXAMPLES
    )]
    Shrink(ShrinkArguments),
    /// Print a completion script for a shell
    #[command(after_long_help = help::COMPLETIONS_EXAMPLES)]
    Completions(CompletionsArguments),
    /// Print the manual page, or write those of all commands
    #[command(long_about = help::MAN, after_long_help = help::MAN_EXAMPLES)]
    Man(ManArguments),
}

/// Arguments of `get`.
#[derive(Args, Clone, Debug)]
pub struct GetArguments {
    /// Look at it as an application does: beside the device, which stays connected
    #[arg(long, conflicts_with_all = ["session", "record"])]
    pub app: bool,

    /// Which server, and as which device.
    #[command(flatten)]
    pub server: ServerOptions,

    /// What the device keeps, and what is written down of it.
    #[command(flatten)]
    pub files: FileOptions,
}

/// Arguments of the commands that need nothing but a device and its server.
#[derive(Args, Clone, Debug)]
pub struct DeviceArguments {
    /// Which server, and as which device.
    #[command(flatten)]
    pub server: ServerOptions,

    /// What the device keeps, and what is written down of it.
    #[command(flatten)]
    pub files: FileOptions,
}

/// Arguments of `watch`.
#[derive(Args, Clone, Debug)]
pub struct WatchArguments {
    /// Answer each delta, as a device that has applied it: report its values and delete them from
    /// what is desired
    #[arg(long)]
    pub accept: bool,

    /// Which server, and as which device.
    #[command(flatten)]
    pub server: ServerOptions,

    /// What the device keeps, and what is written down of it.
    #[command(flatten)]
    pub files: FileOptions,
}

/// Arguments of `demo`.
#[derive(Args, Clone, Debug)]
pub struct DemoArguments {
    /// Do not wait: the same in virtual time and over streams in memory
    #[arg(long)]
    #[arg(conflicts_with_all = ["device", "host", "port", "tls", "no_tls", "ca", "websocket"])]
    pub fast: bool,

    /// Which server, and as which device.
    #[command(flatten)]
    pub server: ServerOptions,
}

/// Arguments of `report`.
#[derive(Args, Clone, Debug)]
pub struct ReportArguments {
    /// What to report.
    #[command(flatten)]
    pub state: StateArguments,

    /// Which server, and as which device.
    #[command(flatten)]
    pub server: ServerOptions,

    /// What the device keeps, and what is written down of it.
    #[command(flatten)]
    pub files: FileOptions,
}

/// Arguments of `desire`.
#[derive(Args, Clone, Debug)]
pub struct DesireArguments {
    /// What to desire.
    #[command(flatten)]
    pub state: StateArguments,

    /// Only if the shadow is at this version; otherwise it is refused with result 5005
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub version: Option<u64>,

    /// Which server, and as which device.
    #[command(flatten)]
    pub server: ServerOptions,
}

/// State, as pairs or as a JSON object.
#[derive(Args, Clone, Debug)]
#[group(required = true, multiple = false)]
pub struct StateArguments {
    /// Keys and values: JSON where the value parses as JSON, otherwise a string; a dot nests
    #[arg(value_name = "KEY=VALUE")]
    pub pairs: Vec<String>,

    /// The state as one JSON object
    #[arg(long, value_name = "OBJECT")]
    pub json: Option<String>,
}

/// Arguments of `replay`.
#[derive(Args, Clone, Debug)]
pub struct ReplayArguments {
    /// A recording, whose further parts are found beside it, or all its parts in order; or logs of
    /// the vendor's Python SDK, excerpts of one session in order; or captures
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,

    /// Be quiet, or go on to there without stopping, until this time since the start
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true, value_parser = parse_seconds)]
    pub from: Option<Duration>,

    /// Stop at this time since the start
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true, value_parser = parse_seconds)]
    pub until: Option<Duration>,

    /// As fast as it goes, or in the recording's own time with each line in words
    #[arg(long, value_enum, default_value_t)]
    pub speed: Speed,

    /// Walk through it by commands on stdin
    #[arg(long, conflicts_with_all = ["speed", "to_test"])]
    pub step: bool,

    /// Write it as a Rust test that replays it
    #[arg(long, conflicts_with_all = ["speed", "from", "until"])]
    pub to_test: bool,

    /// Where to write the test to; stdout without it
    #[arg(short = 'o', long = "out", value_name = "FILE", requires = "to_test")]
    pub to_file: Option<PathBuf>,

    /// How captures are read.
    #[command(flatten)]
    pub captures: CaptureOptions,
}

/// How fast a recording is replayed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Speed {
    /// As fast as it goes.
    #[default]
    Max,
    /// In its own time, with each line in words.
    Real,
}

/// Seconds with or without a fraction.
pub(crate) fn parse_seconds(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is no number of seconds from 0");
    let seconds: f64 = text.parse().map_err(|_| wrong())?;
    Duration::try_from_secs_f64(seconds).map_err(|_| wrong())
}

/// Arguments of `import`.
#[derive(Args, Clone, Debug)]
pub struct ImportArguments {
    /// A capture (pcap, pcapng), or logs of the vendor's Python SDK, told apart by their content;
    /// several logs are excerpts of one session
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,

    /// Where to write the recording of the engine; of several, the second gets -2 behind its name,
    /// and so on
    #[arg(short = 'o', long = "out", value_name = "FILE")]
    pub recording: Option<PathBuf>,

    /// How captures are read.
    #[command(flatten)]
    pub captures: CaptureOptions,
}

/// Arguments of `diagnose`.
#[derive(Args, Clone, Debug)]
pub struct DiagnoseArguments {
    /// Captures (pcap, pcapng), recordings, and logs of the vendor's Python SDK, told apart by
    /// their content; several logs are excerpts of one session
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,

    /// How captures are read.
    #[command(flatten)]
    pub captures: CaptureOptions,
}

/// Arguments of `show`.
#[derive(Args, Clone, Debug)]
pub struct ShowArguments {
    /// Recording; several files are parts of one, in order. Or a capture or logs, which are imported
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,

    /// Draw it as one HTML page into this file instead of printing it
    #[arg(short = 'o', long = "out", value_name = "HTML")]
    pub page: Option<PathBuf>,

    /// First moment that is shown, in seconds since the recording began
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true, value_parser = parse_seconds)]
    pub from: Option<Duration>,

    /// Last moment that is shown, in seconds since the recording began
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true, value_parser = parse_seconds)]
    pub until: Option<Duration>,

    /// Print steps of this sort only; several with commas. `clock` is printed only if asked for
    #[arg(
        long,
        value_name = "SORT",
        value_enum,
        value_delimiter = ',',
        conflicts_with = "page"
    )]
    pub only: Vec<StepSort>,
}

/// Which steps of a session are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum StepSort {
    /// What the application asks for
    Call,
    /// Messages: PUBLISH
    Message,
    /// All other packets
    Control,
    /// Connections made and lost
    Link,
    /// What the application is told
    Event,
    /// Deadlines that are there
    Timer,
    /// Wall time, and ticks without effect
    Clock,
    /// Whatever went wrong
    Fault,
}

/// Arguments of `completions`.
#[derive(Args, Clone, Debug)]
pub struct CompletionsArguments {
    /// Which shell
    #[arg(value_enum)]
    pub shell: Shell,
}

/// Arguments of `man`.
#[derive(Args, Clone, Debug)]
pub struct ManArguments {
    /// Write one page for each command into this directory, which is made if there is none
    #[arg(short = 'o', long = "out", value_name = "DIRECTORY")]
    pub directory: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn definition_is_consistent() {
        Arguments::command().debug_assert();
    }
}
