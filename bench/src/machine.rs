//! Where and when something was measured.

use std::fs;
use std::process::Command;

use serde::{Deserialize, Serialize};

/// Where and when something was measured. Each line is empty where the machine does not tell.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// The day, `YYYY-MM-DD`.
    pub date: String,
    /// The processor, and how many of its cores there are.
    pub processor: String,
    /// Memory in MiB.
    pub memory_mebibytes: u64,
    /// The kernel.
    pub kernel: String,
    /// The compiler.
    pub compiler: String,
}

impl Machine {
    /// This one, now.
    #[must_use]
    pub fn this() -> Machine {
        let processors = read("/proc/cpuinfo");
        let model = field(&processors, "model name").unwrap_or_default();
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        let kibibytes = field(&read("/proc/meminfo"), "MemTotal")
            .and_then(|total| total.split(' ').next()?.parse::<u64>().ok());
        Machine {
            date: output("date", &["-u", "+%Y-%m-%d"]),
            processor: format!("{model}, {cores} cores"),
            memory_mebibytes: kibibytes.unwrap_or(0) / 1024,
            kernel: output("uname", &["-sr"]),
            compiler: output("rustc", &["--version"]),
        }
    }
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// The value of the first line `name : value`.
fn field(text: &str, name: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then(|| value.trim().to_owned())
    })
}

fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    output.map_or_else(
        |_| String::new(),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    )
}
