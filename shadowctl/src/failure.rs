//! What can go wrong, sorted by who must act.

use std::fmt;
use std::io;
use std::path::Path;
use std::process::ExitCode;

/// Why a command failed. Printed as one paragraph that names the field, file, address or clause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    kind: FailureKind,
    message: String,
}

/// Who must act, which is what the exit code tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// The operation did not succeed: it was rejected, it timed out, or something is unexplained.
    /// Exit code 1.
    Operation,
    /// The command line is wrong. Exit code 2, as clap's.
    Usage,
    /// The server cannot be reached or trusted, or does not trust this device: unreachable, TLS,
    /// login refused. Exit code 3.
    Server,
    /// An input file cannot be read or is wrong: `device_info.json`, a log, a certificate. Exit
    /// code 4.
    InputFile,
    /// Nobody reads the results any more, as `head` once it has seen enough. Exit code 1, and no
    /// word about it.
    OutputClosed,
}

impl Failure {
    /// A failure with its text, which says what was wrong and, where it can, what to do.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Failure {
        Failure {
            kind,
            message: message.into(),
        }
    }

    /// An [operation](FailureKind::Operation) that did not succeed.
    pub fn operation(message: impl fmt::Display) -> Failure {
        Failure::new(FailureKind::Operation, message.to_string())
    }

    /// A wrong [command line](FailureKind::Usage).
    pub fn usage(message: impl fmt::Display) -> Failure {
        Failure::new(FailureKind::Usage, message.to_string())
    }

    /// A [server](FailureKind::Server) that cannot be reached or trusted.
    pub fn server(message: impl fmt::Display) -> Failure {
        Failure::new(FailureKind::Server, message.to_string())
    }

    /// A wrong [input file](FailureKind::InputFile) and what is wrong with it.
    pub fn input_file(path: &Path, why: impl fmt::Display) -> Failure {
        let message = format!("{}: {why}", path.display());
        Failure::new(FailureKind::InputFile, message)
    }

    /// Results that could not be written.
    #[must_use]
    pub fn output(error: &io::Error) -> Failure {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::new(FailureKind::OutputClosed, ""),
            _ => Failure::operation(format_args!("cannot write the results: {error}")),
        }
    }

    /// Who must act.
    #[must_use]
    pub fn kind(&self) -> FailureKind {
        self.kind
    }

    /// What the process ends with.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self.kind {
            FailureKind::Operation | FailureKind::OutputClosed => 1,
            FailureKind::Usage => 2,
            FailureKind::Server => 3,
            FailureKind::InputFile => 4,
        })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}
