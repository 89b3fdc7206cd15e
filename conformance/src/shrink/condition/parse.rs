//! Conditions from text.

use std::fmt;
use std::str::FromStr;

use serde_json::Value;

use super::{Clause, Comparison, Condition, Key, Node, Pattern};

/// What is wrong with the text of a condition, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConditionError {
    column: usize,
    what: String,
}

impl ConditionError {
    /// The character at which it was noticed, from 1.
    #[must_use]
    pub fn column(&self) -> usize {
        self.column
    }

    /// What is wrong there.
    #[must_use]
    pub fn what(&self) -> &str {
        &self.what
    }
}

impl fmt::Display for ConditionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "column {}: {}", self.column, self.what)
    }
}

impl std::error::Error for ConditionError {}

impl FromStr for Condition {
    type Err = ConditionError;

    /// # Errors
    ///
    /// [`ConditionError`]: the text is no condition.
    fn from_str(text: &str) -> Result<Condition, ConditionError> {
        let mut parser = Parser {
            text,
            rest: text,
            depth: 0,
        };
        let node = parser.alternatives()?;
        if !parser.peek().is_empty() {
            return Err(parser.error("here belongs `and`, `or`, `then`, `,` or the end"));
        }
        Ok(Condition(node))
    }
}

/// How deep parentheses and `not` may nest.
const MAXIMUM_DEPTH: usize = 64;

/// How many conditions may be joined.
const MAXIMUM_LENGTH: usize = 16 * 1024;

const KINDS: [&str; 8] = [
    "event", "packet", "outcome", "refused", "accepted", "connect", "close", "deadline",
];

const KEYWORDS: [&str; 4] = ["and", "or", "then", "not"];

struct Parser<'t> {
    text: &'t str,
    rest: &'t str,
    depth: usize,
}

impl<'t> Parser<'t> {
    fn error(&self, what: impl Into<String>) -> ConditionError {
        let read = self.text.len() - self.rest.len();
        let before = self.text.get(..read).unwrap_or_default();
        ConditionError {
            column: before.chars().count() + 1,
            what: what.into(),
        }
    }

    /// What is left, from the next character on that is no white space.
    fn peek(&mut self) -> &'t str {
        self.rest = self.rest.trim_start();
        self.rest
    }

    /// Takes this if it comes next.
    fn take(&mut self, sign: &str) -> bool {
        match self.peek().strip_prefix(sign) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// The word that comes next, which is not taken.
    fn word(&mut self) -> &'t str {
        let rest = self.peek();
        let end = rest.find(|character: char| {
            !character.is_alphanumeric() && !matches!(character, '_' | '-')
        });
        rest.get(..end.unwrap_or(rest.len())).unwrap_or_default()
    }

    fn take_word(&mut self, word: &str) -> bool {
        self.word() == word && self.take(word)
    }

    fn alternatives(&mut self) -> Result<Node, ConditionError> {
        if self.text.len() > MAXIMUM_LENGTH {
            return Err(self.error(format!("a condition has at most {MAXIMUM_LENGTH} bytes")));
        }
        self.depth += 1;
        if self.depth > MAXIMUM_DEPTH {
            return Err(self.error(format!("conditions nest at most {MAXIMUM_DEPTH} deep")));
        }
        let mut node = self.conjunction()?;
        while self.take_word("or") {
            node = Node::Or(Box::new(node), Box::new(self.conjunction()?));
        }
        self.depth -= 1;
        Ok(node)
    }

    fn conjunction(&mut self) -> Result<Node, ConditionError> {
        let mut node = self.sequence()?;
        while self.take_word("and") {
            node = Node::And(Box::new(node), Box::new(self.sequence()?));
        }
        Ok(node)
    }

    fn sequence(&mut self) -> Result<Node, ConditionError> {
        let mut node = self.single()?;
        while self.take_word("then") {
            node = Node::Then(Box::new(node), Box::new(self.single()?));
        }
        Ok(node)
    }

    fn single(&mut self) -> Result<Node, ConditionError> {
        let mut negations = 0_usize;
        while self.take_word("not") {
            negations += 1;
        }
        let node = if self.take("(") {
            let node = self.alternatives()?;
            if !self.take(")") {
                return Err(self.error("here belongs `)`"));
            }
            node
        } else {
            self.test()?
        };
        // Twice is none.
        Ok(if negations % 2 == 1 {
            Node::Not(Box::new(node))
        } else {
            node
        })
    }

    fn test(&mut self) -> Result<Node, ConditionError> {
        if self.peek().starts_with('"') {
            return Ok(Node::Text(self.string()?));
        }
        for (word, node) in [
            ("divergence", Node::Divergence),
            ("unended", Node::Unended),
            ("unsynchronized", Node::Unsynchronized),
        ] {
            if self.take_word(word) {
                return Ok(node);
            }
        }
        if self.take_word("count") {
            if !self.take("(") {
                return Err(self.error("here belongs `(`"));
            }
            let pattern = self.pattern()?;
            if !self.take(")") {
                return Err(self.error("here belongs `)`"));
            }
            let comparison = match self.comparison() {
                Some(Comparison::Contains) | None => {
                    return Err(self.error("here belongs `==`, `!=`, `<`, `<=`, `>` or `>=`"));
                }
                Some(comparison) => comparison,
            };
            let digits = self.word();
            let Ok(number) = digits.parse() else {
                return Err(self.error("here belongs a number"));
            };
            self.take(digits);
            return Ok(Node::Count(pattern, comparison, number));
        }
        Ok(Node::Output(self.pattern()?))
    }

    fn pattern(&mut self) -> Result<Pattern, ConditionError> {
        let word = self.word();
        let Some(kind) = KINDS.into_iter().find(|kind| *kind == word) else {
            let given = if word.is_empty() {
                "here belongs a condition".to_owned()
            } else {
                format!("there is no condition `{word}`")
            };
            return Err(self.error(format!(
                "{given}: it begins with `divergence`, `count`, `unended`, `unsynchronized`, \
                 {}, a text in quotes, `not` or `(`",
                KINDS.map(|kind| format!("`{kind}`")).join(", ")
            )));
        };
        self.take(word);
        let mut pattern = Pattern {
            kind,
            name: None,
            clauses: Vec::new(),
        };
        let name = self.word();
        let has_names = matches!(kind, "event" | "packet" | "outcome");
        if has_names && name.starts_with(|first: char| first.is_uppercase()) {
            self.take(name);
            pattern.name = Some(name.to_owned());
            self.take(",");
        }
        if self.has_clause() {
            pattern.clauses.push(self.clause()?);
            while self.take(",") {
                pattern.clauses.push(self.clause()?);
            }
        }
        Ok(pattern)
    }

    fn has_clause(&mut self) -> bool {
        let word = self.word();
        self.peek().starts_with('"') || (!word.is_empty() && !KEYWORDS.contains(&word))
    }

    fn clause(&mut self) -> Result<Clause, ConditionError> {
        if !self.has_clause() {
            return Err(self.error("here belongs a path or a text in quotes"));
        }
        if self.peek().starts_with('"') {
            return Ok(Clause::Text(self.string()?));
        }
        let path = self.path()?;
        let Some(comparison) = self.comparison() else {
            return Ok(Clause::Present(path));
        };
        Ok(Clause::Compare(path, comparison, self.value()?))
    }

    fn path(&mut self) -> Result<Vec<Key>, ConditionError> {
        let mut path = vec![self.key()?];
        loop {
            if self.rest.starts_with('.') {
                self.take(".");
                path.push(self.key()?);
            } else if self.rest.starts_with('[') {
                self.take("[");
                let digits = self.word();
                let Ok(index) = digits.parse() else {
                    return Err(self.error("here belongs the number of an item, from 0"));
                };
                self.take(digits);
                if !self.take("]") {
                    return Err(self.error("here belongs `]`"));
                }
                path.push(Key::Index(index));
            } else {
                return Ok(path);
            }
        }
    }

    fn key(&mut self) -> Result<Key, ConditionError> {
        if self.peek().starts_with('"') {
            return Ok(Key::Name(self.string()?));
        }
        let word = self.word();
        if word.is_empty() {
            return Err(self.error("here belongs a key"));
        }
        self.take(word);
        Ok(Key::Name(word.to_owned()))
    }

    fn comparison(&mut self) -> Option<Comparison> {
        // The longer ones first.
        [
            ("==", Comparison::Equal),
            ("!=", Comparison::Unequal),
            ("<=", Comparison::AtMost),
            (">=", Comparison::AtLeast),
            ("<", Comparison::Less),
            (">", Comparison::More),
            ("~", Comparison::Contains),
        ]
        .into_iter()
        .find(|(sign, _)| self.take(sign))
        .map(|(_, comparison)| comparison)
    }

    fn string(&mut self) -> Result<String, ConditionError> {
        match self.value()? {
            Value::String(text) => Ok(text),
            // It begins with a quotation mark.
            _ => Err(self.error("here belongs a text in quotes")),
        }
    }

    fn value(&mut self) -> Result<Value, ConditionError> {
        let rest = self.peek();
        let (value, read) = if rest.starts_with(['"', '[', '{']) {
            let mut values = serde_json::Deserializer::from_str(rest).into_iter::<Value>();
            let value = values.next().and_then(Result::ok);
            (value, values.byte_offset())
        } else {
            // Numbers and words end where the condition goes on.
            let end = rest.find(|character: char| {
                character.is_whitespace() || matches!(character, ',' | '(' | ')')
            });
            let token = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
            (serde_json::from_str(token).ok(), token.len())
        };
        let Some(value) = value else {
            return Err(self.error(
                "here belongs a JSON value: a number, true, false, null, a text in quotes, an \
                 array or an object",
            ));
        };
        self.rest = rest.get(read..).unwrap_or_default();
        Ok(value)
    }
}
