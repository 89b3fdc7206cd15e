//! Counting instructions with valgrind's callgrind.

use std::fmt;
use std::path::PathBuf;
use std::process::{Command, Output};

use crate::operation::Operation;

/// Callgrind counts in this function and what it calls; the name may be mangled in two ways.
const COUNTED: &str = "--toggle-collect=*counted_run*";

/// libc chooses its memory functions by the processor. These are the features that it goes by, under
/// their names of before and after glibc 2.33; without them it is the same ones everywhere.
const TUNABLES: &str = "glibc.cpu.hwcaps=-AVX512F,-AVX512VL,-AVX512BW,-AVX2,-AVX,-ERMS,-FSRM,\
                        -SSSE3,-SSE4_1,-SSE4_2,-BMI1,-BMI2,-LZCNT,-MOVBE,-RTM,-AVX2_Usable,\
                        -AVX_Usable,-AVX_Fast_Unaligned_Load,-Fast_Unaligned_Copy";

/// Why there is no count.
#[derive(Debug)]
pub enum CountError {
    /// Valgrind could not be started.
    Valgrind(std::io::Error),
    /// It ended otherwise than expected; this is what it said.
    Failed(String),
}

impl fmt::Display for CountError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CountError::Valgrind(error) => write!(f, "valgrind cannot be started: {error}"),
            CountError::Failed(said) => write!(f, "callgrind has no count: {said}"),
        }
    }
}

impl std::error::Error for CountError {}

/// The version of valgrind, as it tells it.
///
/// # Errors
/// [`CountError::Valgrind`] where there is none.
pub fn version() -> Result<String, CountError> {
    let output = Command::new("valgrind").arg("--version").output();
    let output = output.map_err(CountError::Valgrind)?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The program `operation`, which lies beside this one.
#[must_use]
pub fn repeater() -> PathBuf {
    let own = std::env::current_exe().unwrap_or_default();
    own.with_file_name("operation")
}

/// The instructions of all `repetitions` together, with those of the call that stands around each.
///
/// # Errors
/// [`CountError`].
pub fn count(operation: Operation, subject: &str, repetitions: u32) -> Result<u64, CountError> {
    let output = run(operation, subject, repetitions, "/dev/null")?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let collected = said.lines().find_map(collected);
    collected
        .filter(|_| output.status.success())
        .ok_or(CountError::Failed(said))
}

/// Runs it under callgrind, which writes its profile to `profile`.
///
/// # Errors
/// [`CountError::Valgrind`].
pub fn run(
    operation: Operation,
    subject: &str,
    repetitions: u32,
    profile: &str,
) -> Result<Output, CountError> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Whatever else stands in the environment would lie on the stack, and move it.
    let mut command = Command::new("valgrind");
    command
        .env_clear()
        .env("PATH", path)
        .env("GLIBC_TUNABLES", TUNABLES);
    command.args(["--tool=callgrind", COUNTED]);
    command.arg(format!("--callgrind-out-file={profile}"));
    command.arg(repeater());
    command.args(["count", operation.name(), subject, &repetitions.to_string()]);
    command.output().map_err(CountError::Valgrind)
}

/// The number of a line `==1234== Collected : 5678`.
fn collected(line: &str) -> Option<u64> {
    let (_, number) = line.split_once("Collected :")?;
    number.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_is_found_in_what_callgrind_says() {
        assert_eq!(collected("==31485== Collected : 30592"), Some(30_592));
        assert_eq!(collected("==31485== I   refs:      30,592"), None);
    }
}
