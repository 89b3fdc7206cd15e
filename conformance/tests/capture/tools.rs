//! The programs of Wireshark, as another implementation to compare with.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use conformance::capture::Connection;

/// Whether a program can be run. If not, the test that asks is to end.
pub(crate) fn present(program: &str) -> bool {
    let found = Command::new(program).arg("--version").output();
    if found.is_ok_and(|output| output.status.success()) {
        return true;
    }
    assert!(
        std::env::var_os("SHADOW_REQUIRE_TSHARK").is_none(),
        "{program} is missing"
    );
    eprintln!("SKIPPED: {program} is missing");
    false
}

/// What a program prints.
pub(crate) fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

pub(crate) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures/recorded")
        .join(name)
}

pub(crate) const FIXTURES: [&str; 5] = [
    "python-sdk-delta.pcap",
    "python-sdk-first-contact.pcap",
    "python-sdk-own-requests.pcap",
    "python-sdk-reconnect.pcap",
    "python-sdk-unanswered-ping.pcap",
];

/// One TCP stream as `tshark -z follow,tcp,raw,N` prints it: the ends, and for each in hexadecimal
/// digits what it sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Followed {
    pub(crate) ends: [SocketAddr; 2],
    pub(crate) sent: [String; 2],
}

/// Every TCP stream of a file.
pub(crate) fn follow(path: &Path) -> Vec<Followed> {
    let numbers = run(
        "tshark",
        &[
            "-r",
            text(path),
            "-Y",
            "tcp",
            "-T",
            "fields",
            "-e",
            "tcp.stream",
        ],
    );
    let count = numbers
        .lines()
        .filter_map(|line| line.split(',').next()?.parse::<usize>().ok())
        .max()
        .map_or(0, |last| last + 1);
    (0..count)
        .map(|number| {
            let statistic = format!("follow,tcp,raw,{number}");
            parse(&run("tshark", &["-r", text(path), "-q", "-z", &statistic]))
        })
        .collect()
}

fn parse(printed: &str) -> Followed {
    let end = |node: &str| {
        let line = printed.lines().find_map(|line| line.strip_prefix(node));
        let line = line.unwrap_or_else(|| panic!("{node} in {printed}"));
        line.trim().parse::<SocketAddr>().unwrap()
    };
    Followed {
        ends: [end("Node 0:"), end("Node 1:")],
        sent: sent(printed),
    }
}

/// What both ends sent: first the one that is printed as node 0.
pub(crate) fn sent(printed: &str) -> [String; 2] {
    let mut sent = [String::new(), String::new()];
    let lines = printed
        .lines()
        .skip_while(|line| !line.starts_with("Node 1"));
    for line in lines.skip(1).filter(|line| !line.starts_with('=')) {
        sent[usize::from(line.starts_with('\t'))].push_str(line.trim());
    }
    sent
}

/// A connection in the same terms.
pub(crate) fn followed(connection: &Connection) -> Followed {
    Followed {
        ends: [connection.device, connection.server],
        sent: [
            hex(&connection.device_bytes()),
            hex(&connection.server_bytes()),
        ],
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}
