//! shadowctl: device shadows from the command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    shadowctl::run(std::env::args_os())
}
