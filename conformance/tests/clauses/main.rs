//! The table of the statements of MQTT 3.1.1 is complete, and says the truth about the tests.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that meets the unexpected should stop there"
)]

mod source;
mod transport;

use std::collections::BTreeMap;

use conformance::clauses::{self, Count, Verdict};

use source::{SourceFile, TestFunction, cited, workspace_sources};

/// How many statements each section has, from appendix B of the standard. They are numbered from 1.
const SECTIONS: [(&str, usize); 39] = [
    ("1.5.3", 3),
    ("2.2.2", 2),
    ("2.3.1", 7),
    ("3.1.0", 2),
    ("3.1.2", 24),
    ("3.1.3", 11),
    ("3.1.4", 5),
    ("3.2.0", 1),
    ("3.2.2", 6),
    ("3.3.1", 12),
    ("3.3.2", 3),
    ("3.3.4", 1),
    ("3.3.5", 2),
    ("3.6.1", 1),
    ("3.8.1", 1),
    ("3.8.3", 4),
    ("3.8.4", 6),
    ("3.9.3", 2),
    ("3.10.1", 1),
    ("3.10.3", 2),
    ("3.10.4", 6),
    ("3.12.4", 1),
    ("3.14.1", 1),
    ("3.14.4", 3),
    ("4.1.0", 2),
    ("4.3.1", 1),
    ("4.3.2", 2),
    ("4.3.3", 2),
    ("4.4.0", 1),
    ("4.5.0", 2),
    ("4.6.0", 6),
    ("4.7.1", 3),
    ("4.7.2", 1),
    ("4.7.3", 4),
    ("4.8.0", 2),
    ("6.0.0", 4),
    ("7.0.0", 2),
    ("7.1.1", 1),
    ("7.1.2", 1),
];

/// The tests of the workspace that hold this project's clause tests.
const CLAUSE_TESTS: &str = "shadow-core/tests/engine/clauses";

#[test]
fn the_table_has_every_statement_once_and_in_order() {
    let expected: Vec<String> = SECTIONS
        .iter()
        .flat_map(|(section, count)| (1..=*count).map(move |n| format!("MQTT-{section}-{n}")))
        .collect();
    let listed: Vec<&str> = clauses::all().map(|clause| clause.id).collect();
    assert_eq!(listed, expected);
    assert_eq!(listed.len(), 141);
    for clause in clauses::all() {
        assert_eq!(clauses::find(clause.id), Some(clause));
        assert!(clause.statement.ends_with('.'), "{}", clause.id);
    }
}

#[test]
fn the_client_has_no_gap() {
    let count = Count::of(clauses::all().filter(|clause| clause.binds.binds_client()));
    let expected = Count {
        tested: 72,
        server_only: 0,
        gaps: 0,
    };
    assert_eq!(count, expected);
}

fn resolve<'a>(functions: &'a [TestFunction], name: &str) -> Vec<&'a TestFunction> {
    let suffix = format!("::{name}");
    functions
        .iter()
        .filter(|function| function.path.ends_with(&suffix))
        .collect()
}

#[test]
fn every_named_test_asserts_its_statement() {
    let sources = workspace_sources();
    let functions: Vec<TestFunction> = sources.iter().flat_map(SourceFile::tests).collect();
    for clause in clauses::all() {
        let Verdict::Tested(names) = clause.verdict else {
            continue;
        };
        assert!(!names.is_empty(), "{}", clause.id);
        for name in names {
            let found = resolve(&functions, name);
            assert_eq!(found.len(), 1, "{}: {name}", clause.id);
            assert!(
                found[0].asserts(clause.id),
                "{name} does not assert [{}]",
                clause.id
            );
        }
    }
}

/// The other way round: nothing is tested that the table does not tell.
#[test]
fn every_clause_test_is_in_the_table() {
    let mut missing = Vec::new();
    let mut tests = 0;
    for file in workspace_sources() {
        if !file.path.starts_with(CLAUSE_TESTS) {
            continue;
        }
        for function in file.tests() {
            tests += 1;
            let ids: Vec<&str> = function.asserted_ids().collect();
            assert!(!ids.is_empty(), "{} asserts no statement", function.path);
            for id in ids {
                let named = clauses::find(id).is_some_and(|clause| match clause.verdict {
                    Verdict::Tested(names) => names
                        .iter()
                        .any(|name| function.path.ends_with(&format!("::{name}"))),
                    _ => false,
                });
                if !named {
                    missing.push(format!("{id}: {}", function.path));
                }
            }
        }
    }
    assert_eq!(missing, Vec::<String>::new());
    assert!(tests > 50, "{tests} tests");
}

#[test]
fn every_cited_number_exists() {
    let mut unknown = Vec::new();
    let mut citations: BTreeMap<&'static str, usize> = BTreeMap::new();
    for file in workspace_sources() {
        for id in cited(&file.text) {
            match clauses::find(id) {
                Some(clause) => *citations.entry(clause.id).or_default() += 1,
                None => unknown.push(format!("{}: {id}", file.path.display())),
            }
        }
    }
    assert_eq!(unknown, Vec::<String>::new());
    assert_eq!(citations.len(), 141, "the table itself cites each");
}
