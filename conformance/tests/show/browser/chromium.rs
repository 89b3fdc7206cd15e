//! Chromium without a window, and what it makes of a page.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

const PROBE: &str = include_str!("probe.js");

/// Where Chromium is; `None` where it is not installed.
pub(crate) fn chromium() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let names = ["chromium", "chromium-browser", "google-chrome"];

    std::env::split_paths(&path)
        .flat_map(|directory| names.map(|name| directory.join(name)))
        .find(|file| file.is_file())
}

/// How a page is looked at.
pub(crate) struct View {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) dark: bool,
}

pub(crate) const DESK: View = View {
    width: 1280,
    height: 900,
    dark: false,
};

/// What came of it.
#[derive(Debug)]
pub(crate) struct Seen {
    /// What the probe found; `null` if it did not come to its end.
    pub(crate) probe: Value,
    /// What the browser's console said.
    pub(crate) console: Vec<String>,
}

/// Loads the page and runs the probe in it, for which `settings` are what it reads.
///
/// The page's policy lets no script run but its own; the probe's is added to it by its hash.
pub(crate) fn probe(page: &str, settings: &str, view: &View) -> Seen {
    let script = format!("{settings};\n{PROBE}");
    let hash = BASE64_STANDARD.encode(Sha256::digest(&script));
    let allowed = page.replacen("script-src ", &format!("script-src 'sha256-{hash}' "), 1);
    assert_ne!(allowed, page);
    let (rest, end) = allowed.rsplit_once("</body>").unwrap();
    load(
        &format!("{rest}<script>{script}</script></body>{end}"),
        view,
    )
}

/// Loads the page.
pub(crate) fn load(page: &str, view: &View) -> Seen {
    let directory = TempDir::new().unwrap();
    fs::write(directory.path().join("page.html"), page).unwrap();
    // No window is narrower than 500 pixels; a frame can be.
    let frame = format!(
        "<!doctype html><body><iframe width={} height={} style=border:0 src=page.html></iframe>
        <script>addEventListener('message', (event) => {{
            const element = document.createElement('pre');
            element.id = 'probe';
            element.textContent = event.data;
            document.body.append(element);
        }});</script>",
        view.width, view.height
    );
    fs::write(directory.path().join("frame.html"), frame).unwrap();
    let narrow = view.width < 500;
    let file = if narrow { "frame.html" } else { "page.html" };
    run(directory.path(), file, view)
}

fn run(directory: &Path, file: &str, view: &View) -> Seen {
    let mut command = Command::new(chromium().unwrap());
    command
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
        ])
        .args(["--disable-background-networking", "--disable-extensions"])
        // There is no network for it.
        .args([
            "--host-resolver-rules=MAP * ~NOTFOUND",
            "--enable-logging=stderr",
        ])
        .args(["--virtual-time-budget=600000", "--dump-dom"])
        .arg(format!(
            "--user-data-dir={}",
            directory.join("profile").display()
        ))
        .arg(format!(
            "--window-size={},{}",
            view.width.max(500),
            view.height
        ));
    if view.dark {
        command.arg("--blink-settings=preferredColorScheme=0");
    }
    let url = format!("file://{}", directory.join(file).display());
    let output = command.arg(url).stdin(Stdio::null()).output().unwrap();
    let (dom, log) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{log}");
    let found = dom.split_once(r#"<pre id="probe">probe:"#);
    let probe = found.and_then(|(_, after)| after.split_once(":</pre>"));
    let probe = probe.map_or(Value::Null, |(text, _)| {
        serde_json::from_slice(&BASE64_STANDARD.decode(text).unwrap()).unwrap()
    });
    let console = log.lines().filter(|line| line.contains("CONSOLE"));
    Seen {
        probe,
        console: console.map(str::to_owned).collect(),
    }
}
