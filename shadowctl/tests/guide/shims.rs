//! What stands for `shadowctl` and `cargo` on the path of a chapter's commands.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use clap::Parser;
use shadowctl::arguments::Arguments;

/// The program itself, at a port that is free: `serve` takes any, and whoever asks 127.0.0.1 asks
/// there.
const REAL: &str = r#"#!/bin/sh
case " $* " in
  *" --port "* | *" --listen "* | *" --broker "*) ;;
  " serve "*) set -- "$@" --listen 127.0.0.1:0 ;;
  *" --host 127.0.0.1 "*) set -- "$@" --port "$(cat "$GUIDE_PORT")" ;;
esac
exec "$GUIDE_SHADOWCTL" "$@"
"#;

/// In place of `sleep`: nobody waits here.
const SLEEPLESS: &str = "#!/bin/sh\n";

/// Writes down how it was called: a line for each word, and an empty one.
const LISTENER: &str = r#"#!/bin/sh
printf '%s\n' "${0##*/}" "$@" >> "$GUIDE_CALLS"
echo >> "$GUIDE_CALLS"
"#;

/// Makes both sets: what runs in `real`, what listens in `listening`.
pub(crate) fn write(real: &Path, listening: &Path) -> io::Result<()> {
    executable(&real.join("shadowctl"), REAL)?;
    executable(&real.join("sleep"), SLEEPLESS)?;
    for name in ["shadowctl", "cargo", "git", "make"] {
        executable(&listening.join(name), LISTENER)?;
    }
    Ok(())
}

fn executable(path: &Path, script: &str) -> io::Result<()> {
    fs::create_dir_all(path.parent().unwrap_or(path))?;
    fs::write(path, script)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
}

/// Whether what was written down can be done: `calls` is what the listeners wrote.
pub(crate) fn check(calls: &str, repository: &Path) -> Result<(), String> {
    let calls: Vec<Vec<&str>> = calls
        .split_terminator("\n\n")
        .map(|call| call.lines().collect())
        .collect();
    if calls.is_empty() {
        return Err("it calls neither shadowctl nor cargo".into());
    }
    for call in calls {
        match call.split_first() {
            Some((&"shadowctl", _)) => parse(&call)?,
            Some((&"cargo", arguments)) => check_cargo(arguments, repository)?,
            _ => {}
        }
    }
    Ok(())
}

fn parse(call: &[&str]) -> Result<(), String> {
    match Arguments::try_parse_from(call) {
        Ok(_) => Ok(()),
        Err(error) if error.exit_code() == 0 => Ok(()), // --help and --version
        Err(error) => Err(format!("{call:?}: {error}")),
    }
}

/// Whether the package, example, test or directory that cargo is asked for is there.
fn check_cargo(arguments: &[&str], repository: &Path) -> Result<(), String> {
    let (own, program) = match arguments.iter().position(|word| *word == "--") {
        Some(at) => (&arguments[..at], &arguments[at + 1..]),
        None => (arguments, &[][..]),
    };
    let value = |option: &str| {
        let at = own.iter().position(|word| *word == option)?;
        own.get(at + 1).copied()
    };
    // A workspace of its own has its packages beside its manifest.
    let manifest = value("--manifest-path");
    let workspace = manifest.and_then(|manifest| manifest.strip_suffix("Cargo.toml"));
    let package = value("-p").map(|name| format!("{}{name}", workspace.unwrap_or_default()));
    let mut wanted: Vec<String> = package.iter().cloned().collect();
    wanted.extend(value("--path").map(String::from));
    wanted.extend(manifest.map(String::from));
    if let Some(package) = &package {
        let example = value("--example").map(|name| format!("{package}/examples/{name}.rs"));
        let test = value("--test").map(|name| format!("{package}/tests/{name}"));
        wanted.extend(example.into_iter().chain(test));
    }
    for path in wanted {
        let found =
            repository.join(&path).exists() || repository.join(path.clone() + ".rs").exists();
        if !found {
            return Err(format!("cargo {arguments:?}: there is no {path}"));
        }
    }
    if package.as_deref() == Some("shadowctl") && own.first() == Some(&"run") {
        let call: Vec<&str> = ["shadowctl"]
            .into_iter()
            .chain(program.iter().copied())
            .collect();
        parse(&call)?;
    }
    Ok(())
}
