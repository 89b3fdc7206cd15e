//! Reads this workspace's own source: which tests there are, and what their assertions say.
//!
//! A small lexer that knows comments and literals, so that a number in a comment or in a string
//! outside of an assertion does not count, and a brace in a string does not end a function.

use std::fs;
use std::path::{Path, PathBuf};

/// A text file of the workspace.
pub(crate) struct SourceFile {
    /// Below the workspace's folder.
    pub(crate) path: PathBuf,
    pub(crate) text: String,
}

/// A function with `#[test]`.
pub(crate) struct TestFunction {
    /// Crate folder, modules and name, as in `shadow-core::tests::engine::link::connects`.
    pub(crate) path: String,
    /// The strings inside the function's assertion macros.
    assertions: Vec<String>,
}

impl TestFunction {
    /// Whether an assertion's text has the number in brackets.
    pub(crate) fn asserts(&self, id: &str) -> bool {
        self.asserted_ids().any(|asserted| asserted == id)
    }

    /// The numbers in brackets that its assertions have.
    pub(crate) fn asserted_ids(&self) -> impl Iterator<Item = &str> {
        self.assertions.iter().flat_map(|text| {
            text.split('[').skip(1).filter_map(|rest| {
                let (id, _) = rest.split_once(']')?;
                cited(id).next().filter(|cited| *cited == id)
            })
        })
    }
}

/// Every file of the workspace that people write, without what is built or fetched.
pub(crate) fn workspace_sources() -> Vec<SourceFile> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut files = Vec::new();
    collect(root, root, &mut files);
    files.sort_by(|one, other| one.path.cmp(&other.path));
    assert!(files.len() > 100, "{} files", files.len());
    files
}

fn collect(root: &Path, folder: &Path, files: &mut Vec<SourceFile>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap_or_default();
        if path.is_dir() {
            if name != "target" && !name.starts_with('.') {
                collect(root, &path, files);
            }
        } else if name.ends_with(".rs") || name.ends_with(".md") || name.ends_with(".toml") {
            let text = fs::read_to_string(&path).unwrap();
            let path = path.strip_prefix(root).unwrap().to_owned();
            files.push(SourceFile { path, text });
        }
    }
}

/// The numbers of statements, as in `MQTT-3.1.2-24`, that stand in `text`.
pub(crate) fn cited(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices("MQTT-").filter_map(|(start, prefix)| {
        let rest = &text[start + prefix.len()..];
        let number = |c: char| c.is_ascii_digit() || c == '.' || c == '-';
        let end = rest.find(|c| !number(c)).unwrap_or(rest.len());
        let id = rest[..end].trim_end_matches(['.', '-']);
        let (section, statement) = id.rsplit_once('-')?;
        let levels: Vec<&str> = section.split('.').collect();
        let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        (levels.len() == 3 && levels.into_iter().all(is_number) && is_number(statement))
            .then(|| &text[start..start + prefix.len() + id.len()])
    })
}

impl SourceFile {
    /// The tests in it. None in a file that is no Rust.
    pub(crate) fn tests(&self) -> Vec<TestFunction> {
        if self
            .path
            .extension()
            .is_none_or(|extension| extension != "rs")
        {
            return Vec::new();
        }
        let mut path: Vec<&str> = self
            .path
            .iter()
            .map(|part| part.to_str().unwrap())
            .collect();
        let file = path.pop().unwrap().trim_end_matches(".rs");
        if file != "mod" && file != "main" {
            path.push(file);
        }
        test_functions(&path.join("::"), &self.text)
    }
}

#[derive(Debug, PartialEq)]
enum Token {
    /// An identifier, keyword or number.
    Word(String),
    /// The inside of a string literal, escapes as written.
    Text(String),
    /// Any other character that is no space and no part of a comment or character literal.
    Mark(char),
}

fn tokens(text: &str) -> Vec<Token> {
    let source: Vec<char> = text.chars().collect();
    let at = |index: usize| source.get(index).copied().unwrap_or('\0');
    let mut tokens = Vec::new();
    let mut i = 0;
    while i < source.len() {
        let c = source[i];
        if c == '/' && at(i + 1) == '/' {
            while i < source.len() && source[i] != '\n' {
                i += 1;
            }
        } else if c == '/' && at(i + 1) == '*' {
            i = after_block_comment(&source, i);
        } else if c == '"' {
            let end = end_of_string(&source, i + 1);
            tokens.push(Token::Text(source[i + 1..end].iter().collect()));
            i = end + 1;
        } else if c == '\'' {
            // A character has a quote behind it or begins with a backslash; a lifetime has neither.
            if at(i + 1) == '\\' {
                i += 3;
                while i < source.len() && source[i] != '\'' {
                    i += 1;
                }
                i += 1;
            } else if at(i + 2) == '\'' {
                i += 3;
            } else {
                i += 1;
            }
        } else if c.is_alphanumeric() || c == '_' {
            let start = i;
            while at(i).is_alphanumeric() || at(i) == '_' {
                i += 1;
            }
            let word: String = source[start..i].iter().collect();
            if matches!(word.as_str(), "r" | "br" | "cr")
                && let Some((text, end)) = raw_string(&source, i)
            {
                tokens.push(Token::Text(text));
                i = end;
            } else if !(matches!(word.as_str(), "b" | "c") && matches!(at(i), '"' | '\'')) {
                tokens.push(Token::Word(word));
            }
        } else {
            if !c.is_whitespace() {
                tokens.push(Token::Mark(c));
            }
            i += 1;
        }
    }
    tokens
}

/// Block comments nest.
fn after_block_comment(source: &[char], start: usize) -> usize {
    let (mut i, mut depth) = (start, 0_usize);
    while i < source.len() {
        match (source[i], source.get(i + 1)) {
            ('/', Some('*')) => {
                depth += 1;
                i += 2;
            }
            ('*', Some('/')) => {
                depth -= 1;
                i += 2;
                if depth == 0 {
                    return i;
                }
            }
            _ => i += 1,
        }
    }
    i
}

/// Where the quote is that ends the string whose inside begins at `start`.
fn end_of_string(source: &[char], start: usize) -> usize {
    let mut i = start;
    while i < source.len() && source[i] != '"' {
        i += if source[i] == '\\' { 2 } else { 1 };
    }
    i.min(source.len())
}

/// The inside of the raw string whose `#` or quote is at `start`, and where it is over.
fn raw_string(source: &[char], start: usize) -> Option<(String, usize)> {
    let rest = &source[start..];
    let hashes = rest.iter().take_while(|c| **c == '#').count();
    if rest.get(hashes) != Some(&'"') {
        return None; // a raw identifier
    }
    let inside = &rest[hashes + 1..];
    let closing: Vec<char> = core::iter::once('"')
        .chain(core::iter::repeat_n('#', hashes))
        .collect();
    let length = inside
        .windows(closing.len())
        .position(|window| window == closing)?;
    let end = start + hashes + 1 + length + closing.len();
    Some((inside[..length].iter().collect(), end))
}

fn test_functions(module: &str, text: &str) -> Vec<TestFunction> {
    let tokens = tokens(text);
    let mut functions = Vec::new();
    let mut is_test = false;
    let mut i = 0;
    while i < tokens.len() {
        match &tokens[i] {
            Token::Mark('#') if tokens.get(i + 1) == Some(&Token::Mark('[')) => {
                let end = matching(&tokens, i + 1);
                is_test |= matches!(&tokens[i + 2..end], [Token::Word(word)] if word == "test");
                i = end;
            }
            Token::Word(word) if word == "fn" && is_test => {
                is_test = false;
                let Some(Token::Word(name)) = tokens.get(i + 1) else {
                    panic!("{module}: a test without a name");
                };
                let begin = i + tokens[i..]
                    .iter()
                    .position(|t| *t == Token::Mark('{'))
                    .unwrap();
                let end = matching(&tokens, begin);
                functions.push(TestFunction {
                    path: format!("{module}::{name}"),
                    assertions: assertions(&tokens[begin..end]),
                });
                i = end;
            }
            Token::Mark('}' | ';') => is_test = false,
            _ => {}
        }
        i += 1;
    }
    functions
}

/// The strings within assertion macros.
fn assertions(body: &[Token]) -> Vec<String> {
    let mut found = Vec::new();
    for (index, token) in body.iter().enumerate() {
        let Token::Word(name) = token else { continue };
        let is_assertion = name.starts_with("assert") || name.starts_with("prop_assert");
        if is_assertion && body.get(index + 1) == Some(&Token::Mark('!')) {
            let end = matching(body, index + 2);
            found.extend(body[index..end].iter().filter_map(|token| match token {
                Token::Text(text) => Some(text.clone()),
                _ => None,
            }));
        }
    }
    found
}

/// Where the bracket is that closes the one at `open`.
fn matching(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0_usize;
    for (index, token) in tokens.iter().enumerate().skip(open) {
        match token {
            Token::Mark('(' | '[' | '{') => depth += 1,
            Token::Mark(')' | ']' | '}') => {
                depth -= 1;
                if depth == 0 {
                    return index;
                }
            }
            _ => {}
        }
    }
    panic!("a bracket is not closed: {:?}", &tokens[open..open + 3]);
}

#[test]
fn only_assertions_of_tests_count() {
    let source = r##"
        // #[test] fn in_a_comment() { assert!(false, "[MQTT-3.1.4-1]") }
        /* nested /* comments */ #[test] fn neither() { assert!(false, "[MQTT-3.1.4-2]") } */
        fn no_test<'a>(c: &'a str) { assert!(false, "[MQTT-3.1.4-3]") }
        #[test]
        #[should_panic]
        fn real() {
            let brace = '}'; let quote = '"'; let escaped = '\''; let byte = b'{';
            let text = "} not [MQTT-3.1.4-4] \" here";
            let raw = r#"{ "nor" [MQTT-3.1.4-5] "#;
            // assert!(false, "[MQTT-3.2.2-1]");
            for _ in 0..2 { assert_eq!((1, "x"), (1, "y"), "[MQTT-2.2.2-1] [MQTT-3.10.4-6] yes"); }
            prop_assert!(true, b"[MQTT-4.4.0-1] too");
            assert!(true, "MQTT-4.8.0-1 without brackets, [MQTT-4.8-1], [MQTT-4.8.0]");
            r#fn();
        }
        #[cfg(test)] fn after() { assert!(false, "[MQTT-3.2.2-2]") }
    "##;
    let found = test_functions("a::b", source);
    let paths: Vec<&str> = found.iter().map(|test| test.path.as_str()).collect();
    assert_eq!(paths, ["a::b::real"]);
    let ids: Vec<&str> = found[0].asserted_ids().collect();
    assert_eq!(ids, ["MQTT-2.2.2-1", "MQTT-3.10.4-6", "MQTT-4.4.0-1"]);
}

#[test]
fn citations_are_found_in_any_text() {
    let text = "see MQTT-3.1.2-24. [MQTT-1.5.3-1], MQTT-3.11, `MQTT-4.4.0-1`; MQTT-5, MQTT-2.3.1-";
    let found: Vec<&str> = cited(text).collect();
    assert_eq!(found, ["MQTT-3.1.2-24", "MQTT-1.5.3-1", "MQTT-4.4.0-1"]);
}
