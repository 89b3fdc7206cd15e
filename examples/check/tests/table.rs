//! The examples are short, and the table in README.md has all of them as they are.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Each example has fewer lines than this.
const TOO_LONG: usize = 150;

#[test]
fn the_table_has_every_example_and_its_length() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let readme = fs::read_to_string(examples.join("README.md")).unwrap();
    let mut in_table = BTreeSet::new();
    for row in readme.lines().filter(|line| line.starts_with("| [")) {
        let (_, link) = row.split_once("](").unwrap();
        let (path, _) = link.split_once(')').unwrap();
        let stated = row.trim_end_matches(" |").rsplit_once(' ').unwrap().1;
        let source = fs::read_to_string(examples.join(path)).unwrap();
        let lines = source.lines().count();
        assert_eq!(stated, lines.to_string(), "the table's length of {path}");
        assert!(lines < TOO_LONG, "{path} has {lines} lines");
        in_table.insert(path.split_once('/').unwrap().0.to_owned());
    }
    let directories = fs::read_dir(examples).unwrap().map(Result::unwrap);
    let own = |name: &String| !matches!(name.as_str(), "check" | "target");
    let present: BTreeSet<_> = directories
        .filter(|entry| entry.file_type().unwrap().is_dir())
        .map(|entry| entry.file_name().into_string().unwrap())
        .filter(own)
        .collect();
    assert_eq!(in_table, present);
}
