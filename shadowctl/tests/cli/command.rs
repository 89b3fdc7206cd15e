//! Running the program.

use std::ffi::OsStr;
use std::process::{Command, Stdio};

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    /// That it failed with this code and these words on stderr, in this order, and printed no
    /// result.
    #[track_caller]
    pub(crate) fn assert_failed(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, code, "{self:#?}");
        assert_eq!(self.stdout, "", "{self:#?}");
        let mut rest = self.stderr.as_str();
        for word in words {
            let Some((_, after)) = rest.split_once(word) else {
                panic!("no {word:?} in {self:#?}");
            };
            rest = after;
        }
        assert!(!self.stderr.contains("panicked"), "{self:#?}");
    }
}

/// The program with nothing of this environment that it would look at.
pub(crate) fn shadowctl() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_shadowctl"));
    for variable in ["RUST_LOG", "CLICOLOR_FORCE", "NO_COLOR", "COLUMNS"] {
        command.env_remove(variable);
    }
    command.stdin(Stdio::null());
    command
}

/// Runs the program to its end. Nothing of it is coloured, as it writes to no terminal.
pub(crate) fn run<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Run {
    let output = shadowctl().args(arguments).output().unwrap();
    let run = Run {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    };
    assert!(!run.stdout.contains('\u{1b}'), "{run:#?}");
    assert!(!run.stderr.contains('\u{1b}'), "{run:#?}");
    run
}

/// Runs the program against a server on this port of this machine.
pub(crate) fn run_at(port: u16, arguments: &[&str]) -> Run {
    let port = port.to_string();
    let place = ["--host", "127.0.0.1", "--port", &port];
    run(arguments.iter().copied().chain(place))
}
