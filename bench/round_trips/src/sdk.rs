//! The vendor's Python SDK.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::Failure;
use crate::child::{PATIENCE, output};

/// The SDK as its vendor publishes it, and what it needs. Its own list names pycrypto, which does
/// not build any more; the vendor's later versions take the drop-in replacement.
const PACKAGES: [&str; 3] = [
    "tencent-iot-device==1.0.0",
    "paho-mqtt==1.5.1",
    "pycryptodome==3.19.1",
];

/// How long each step of the installation may take, the download over a slow network included.
const INSTALLATION: Duration = Duration::from_secs(60);

/// A Python that has the SDK.
#[derive(Debug)]
pub(crate) struct Sdk {
    python: PathBuf,
}

impl Sdk {
    /// Installs it into a folder of its own below this workspace's target, unless it is there.
    pub(crate) fn install() -> Result<Sdk, Failure> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/python-sdk");
        let python = folder.join("bin/python");
        if !has_sdk(&python) {
            let mut venv = Command::new("python3");
            run(venv.args(["-m", "venv"]).arg(&folder))?;
            let mut pip = Command::new(&python);
            pip.args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
            ]);
            run(pip.arg("--no-deps").args(PACKAGES))?;
        }
        match has_sdk(&python) {
            true => Ok(Sdk { python }),
            false => Err("it is installed, but cannot be imported".into()),
        }
    }

    /// The client.
    pub(crate) fn client(&self) -> Command {
        let mut command = Command::new(&self.python);
        command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("sdk_client.py"));
        command
    }
}

fn has_sdk(python: &Path) -> bool {
    let mut import = Command::new(python);
    import
        .args(["-c", "import hub.hub"])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    output(&mut import, PATIENCE).is_ok_and(|output| output.status.success())
}

fn run(command: &mut Command) -> Result<(), Failure> {
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    let program = command.get_program().display().to_string();
    let output = output(command, INSTALLATION).map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.lines().last().unwrap_or("without a word");
    Err(format!("{program} failed: {last}").into())
}
