//! The examples are short, and the table in README.md has all of their files as they are.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Each file of an example has fewer lines than this.
const TOO_LONG: usize = 150;

/// What an example consists of, beside its tests and what builds it.
const SOURCES: [&str; 3] = ["rs", "mjs", "c"];

#[test]
fn the_table_has_every_file_of_the_examples_and_its_length() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let readme = fs::read_to_string(examples.join("README.md")).unwrap();
    let mut in_table = BTreeSet::new();
    for row in readme.lines().filter(|line| line.starts_with("| [")) {
        // The last cell is the length of the first link; what else there is states its own behind.
        let main = row.trim_end_matches(" |").rsplit_once(' ').unwrap().1;
        for (index, link) in row.split("](").skip(1).enumerate() {
            let (path, rest) = link.split_once(')').unwrap();
            if path.starts_with("..") {
                continue;
            }
            let stated = match index {
                0 => main,
                _ => rest.trim_start().split([' ', ',']).next().unwrap(),
            };
            let lines = lines(&examples.join(path));
            assert_eq!(stated, lines.to_string(), "the table's length of {path}");
            assert!(lines < TOO_LONG, "{path} has {lines} lines");
            assert!(in_table.insert(path.to_owned()), "{path} is there twice");
        }
    }
    assert_eq!(in_table, sources(examples));
}

fn lines(file: &Path) -> usize {
    fs::read_to_string(file).unwrap().lines().count()
}

/// The source files of all examples, seen from `examples`.
fn sources(examples: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for example in names(examples) {
        if matches!(example.as_str(), "check" | "target") {
            continue;
        }
        for folder in [example.clone(), format!("{example}/src")] {
            let files = names(&examples.join(&folder));
            let sources = files.into_iter().filter(|file| {
                let (_, extension) = file.rsplit_once('.').unwrap_or_default();
                file != "build.rs" && SOURCES.contains(&extension)
            });
            found.extend(sources.map(|file| format!("{folder}/{file}")));
        }
    }
    found
}

/// What is in a folder; nothing where there is none.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name();
    entries
        .map(|entry| name(entry).into_string().unwrap())
        .collect()
}
