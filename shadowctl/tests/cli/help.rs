//! --help, --version and completions.

use crate::command::run;

const COMMANDS: [&str; 17] = [
    "demo",
    "get",
    "report",
    "desire",
    "clear-desired",
    "clear-reported",
    "watch",
    "serve",
    "fleet",
    "replay",
    "import",
    "diagnose",
    "show",
    "export",
    "shrink",
    "completions",
    "man",
];

#[test]
fn help_lists_the_commands_and_the_exit_codes() {
    let run = run(["--help"]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    for command in COMMANDS {
        assert!(run.stdout.contains(&format!("\n  {command} ")), "{command}");
    }
    assert!(run.stdout.contains("Exit codes:"));
}

#[test]
fn help_of_each_command_has_examples() {
    for command in COMMANDS {
        let run = run([command, "--help"]);
        assert_eq!((run.code, run.stderr.as_str()), (0, ""));
        // That of `serve` is its own module's.
        if command != "serve" {
            let example = format!("Examples:\n  shadowctl {command}");
            assert!(run.stdout.contains(&example), "{}", run.stdout);
        }
        let widest = run.stdout.lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(100), "{}", run.stdout);
    }
}

/// Without a command there is help, but it is an error.
#[test]
fn no_command_is_a_usage_error() {
    let none: [&str; 0] = [];
    run(none).assert_failed(2, &["Usage: shadowctl"]);
    run(["gett"]).assert_failed(2, &["unrecognized subcommand 'gett'", "'get'"]);
}

#[test]
fn version_is_the_packages() {
    let run = run(["--version"]);
    let expected = concat!("shadowctl ", env!("CARGO_PKG_VERSION"), "\n");
    assert_eq!((run.code, run.stdout.as_str()), (0, expected));
}

#[test]
fn completions_know_the_commands() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let run = run(["completions", shell]);
        assert_eq!((run.code, run.stderr.as_str()), (0, ""));
        for command in COMMANDS {
            assert!(run.stdout.contains(command), "{command} for {shell}");
        }
    }
    run(["completions", "tcsh"]).assert_failed(2, &["tcsh", "bash"]);
}

/// The commands and options of a page stand in it as troff prints them.
#[test]
fn manual_pages_know_the_commands_and_their_options() {
    let run = run(["man"]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    for command in COMMANDS {
        let name = command.replace('-', "\\-");
        assert!(
            run.stdout.contains(&format!("shadowctl\\-{name}(1)")),
            "{command}"
        );
    }
    assert!(run.stdout.contains("Exit codes:"), "{}", run.stdout);
}

#[test]
fn manual_pages_go_to_a_directory() {
    let directory = tempfile::tempdir().unwrap();
    let pages = directory.path().join("share/man1");
    let run = run(["man", "-o", pages.to_str().unwrap()]);
    assert_eq!(
        (run.code, run.stdout.as_str(), run.stderr.as_str()),
        (0, "", "")
    );
    for command in COMMANDS {
        let page = std::fs::read_to_string(pages.join(format!("shadowctl-{command}.1"))).unwrap();
        assert!(page.contains(".SH OPTIONS"), "{command}");
    }
    assert!(pages.join("shadowctl.1").exists());

    let file = pages.join("shadowctl.1/below-a-file");
    super::command::run(["man", "-o", file.to_str().unwrap()]).assert_failed(1, &["below-a-file"]);
}
