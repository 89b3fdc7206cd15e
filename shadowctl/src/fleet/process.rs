//! What this process uses, and what it may.

use std::fs;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::failure::Failure;

/// Bytes of this process that are in memory; `None` where the system has no `/proc`.
pub(super) fn resident_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes * 1_024)
}

/// What the processors have spent on this process's threads, in its own code and in the system's;
/// `None` where the system has no `/proc`.
///
/// Threads that have ended are left out. From there and not by `clock_gettime`, to which rustix
/// finds no way under valgrind.
pub(super) fn processor_time() -> Option<Duration> {
    let mut spent = 0;
    for thread in fs::read_dir("/proc/self/task").ok()? {
        // One that ends meanwhile has no file any more.
        let Ok(times) = fs::read_to_string(thread.ok()?.path().join("schedstat")) else {
            continue;
        };
        let nanoseconds: u64 = times.split(' ').next()?.parse().ok()?;
        spent += nanoseconds;
    }
    Some(Duration::from_nanos(spent))
}

/// The limit on open files, before and after it was raised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OpenFiles {
    pub(crate) was: u64,
    pub(crate) is: u64,
}

/// Files that are open beside the connections: streams, the reactor's, a listener, the signals'.
const OTHER_FILES: u64 = 64;

/// Raises the limit on open files as far as the system lets this process; `None` where there is
/// none.
#[cfg(unix)]
pub(crate) fn raise_open_files() -> Option<OpenFiles> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let was = current?;
    let raised = Rlimit {
        current: maximum,
        maximum,
    };
    let is = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => maximum.unwrap_or(u64::MAX),
        // As on systems where a process may have fewer than the limit says.
        Err(_) => was,
    };
    Some(OpenFiles { was, is })
}

#[cfg(not(unix))]
pub(crate) fn raise_open_files() -> Option<OpenFiles> {
    None
}

/// Whether so many connections can be open.
///
/// # Errors
///
/// [`FailureKind::Operation`](crate::failure::FailureKind::Operation): how many can.
pub(crate) fn check_open_files(connections: u32, files: OpenFiles) -> Result<(), Failure> {
    let room = files.is.saturating_sub(OTHER_FILES);
    if u64::from(connections) <= room {
        return Ok(());
    }
    Err(Failure::operation(format_args!(
        "{connections} devices need as many open files and {OTHER_FILES} more, and this process \
         may have {}: at most {room} devices fit. An administrator can raise the hard limit (see \
         `ulimit -Hn`)",
        files.is
    )))
}

/// Whether so many connections can be made to one server, each of which takes a port of this
/// machine.
///
/// # Errors
///
/// [`FailureKind::Operation`](crate::failure::FailureKind::Operation): how many can.
pub(super) fn check_ports(connections: u32) -> Result<(), Failure> {
    match fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range") {
        Ok(range) => check_port_range(connections, &range),
        // Other systems have other bounds; there the connections tell.
        Err(_) => Ok(()),
    }
}

fn check_port_range(connections: u32, range: &str) -> Result<(), Failure> {
    let mut bounds = range.split_whitespace().map(str::parse::<u32>);
    let (Some(Ok(first)), Some(Ok(last))) = (bounds.next(), bounds.next()) else {
        return Ok(());
    };
    let ports = last.saturating_sub(first) + 1;
    if connections <= ports {
        return Ok(());
    }
    Err(Failure::operation(format_args!(
        "{connections} devices need as many ports for one server, and this machine gives {ports} \
         ({first} to {last}): at most {ports} devices fit. net.ipv4.ip_local_port_range sets it"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_said_with_how_many_do() {
        let files = OpenFiles {
            was: 1_024,
            is: 20_000,
        };
        assert_eq!(check_open_files(19_936, files), Ok(()));
        let error = check_open_files(19_937, files).unwrap_err().to_string();
        assert!(error.contains("at most 19936 devices fit"), "{error}");
        assert_eq!(check_port_range(28_232, "32768\t60999\n"), Ok(()));
        let error = check_port_range(28_233, "32768\t60999\n").unwrap_err();
        assert!(error.to_string().contains("at most 28232 devices fit"));
        // What is not understood forbids nothing.
        assert_eq!(check_port_range(28_233, "all"), Ok(()));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_process_uses_memory_and_time() {
        let before = resident_bytes().unwrap();
        let room = std::hint::black_box(vec![1_u8; 64 << 20]);
        assert!(resident_bytes().unwrap() >= before + (32 << 20));
        drop(room);
        assert!(processor_time().unwrap() > Duration::ZERO);
    }

    #[test]
    #[cfg(unix)]
    fn the_limit_on_open_files_is_raised_once() {
        let first = raise_open_files().unwrap();
        assert!(first.was <= first.is);
        let second = raise_open_files().unwrap();
        assert_eq!((second.was, second.is), (first.is, first.is));
    }
}
