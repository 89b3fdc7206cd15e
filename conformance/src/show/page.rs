//! One page that needs nothing but a browser.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Write};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::{Serialize, Serializer};
use sha2::{Digest, Sha256};

use super::step::{Change, Content, Deadline, Link, Step};
use super::story::{Known, Story};
use crate::recording::ReadError;

/// How many steps one page shows at most: browsers draw no element that is higher than some 17 million pixels.
pub const MAXIMUM_STEPS: u64 = 200_000;

/// How many topics and names stand in the page once, however often they come.
const MAXIMUM_SHARED: usize = 1024;

const TEMPLATE: &str = include_str!("page/page.html");
const STYLE: &str = include_str!("page/style.css");
/// Parts of one script, in a block so that their names are nobody else's.
const SCRIPT: &str = concat!(
    "\n\"use strict\";\n{\n",
    include_str!("page/script/model.js"),
    include_str!("page/script/words.js"),
    include_str!("page/script/document.js"),
    include_str!("page/script/arrangement.js"),
    include_str!("page/script/diagram.js"),
    include_str!("page/script/panel.js"),
    include_str!("page/script/choice.js"),
    include_str!("page/script/overview.js"),
    include_str!("page/script/controls.js"),
    "}\n"
);

/// Which page is wanted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Page<'a> {
    /// What stands above it.
    pub title: &'a str,
    /// The first moment that is shown, since the recording began.
    pub from: Duration,
    /// The last one; `None` for the end.
    pub until: Option<Duration>,
}

/// Why there is no page.
#[derive(Debug)]
#[non_exhaustive]
pub enum PageError {
    /// The recording cannot be told.
    Story(ReadError),
    /// The page cannot be written.
    Write(io::Error),
    /// There are more than [`MAXIMUM_STEPS`].
    TooManySteps,
}

impl fmt::Display for PageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PageError::Story(error) => error.fmt(f),
            PageError::Write(error) => write!(f, "cannot write the page: {error}"),
            PageError::TooManySteps => write!(
                f,
                "more than {MAXIMUM_STEPS} steps do not fit on a page; show a part of the session"
            ),
        }
    }
}

impl std::error::Error for PageError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            PageError::Story(error) => Some(error),
            PageError::Write(error) => Some(error),
            PageError::TooManySteps => None,
        }
    }
}

impl From<io::Error> for PageError {
    fn from(error: io::Error) -> PageError {
        PageError::Write(error)
    }
}

/// Writes the page of a story to `out`, step by step; gives the number of steps on it.
///
/// The page is one HTML file: it loads nothing, and its policy forbids it to. What was recorded is
/// in it as JSON and shown as text only, so that a payload cannot become a part of the page.
///
/// ```
/// use conformance::recording::{Part, Reader};
/// use conformance::show::{Page, Story, write_page};
///
/// let recording = concat!(
///     r#"{"shadow-recording":1,"engine":"0.1.0","part":1,"mask":[]}"#, "\n",
///     r#"{"at":0,"out":"packet","packet":"PINGREQ"}"#, "\n",
/// );
/// let mut page = Vec::new();
/// let wanted = Page { title: "lamp", ..Page::default() };
/// let mut story = Story::new(Reader::new(vec![Part::of_text("lamp", recording)])?);
/// let steps = write_page(&mut story, wanted, &mut page)?;
/// assert_eq!(steps, 1);
/// assert!(page.starts_with(b"<!doctype html>"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// [`PageError`]; a part of the page may be written then.
pub fn write_page(
    story: &mut Story<'_>,
    page: Page<'_>,
    out: &mut impl Write,
) -> Result<u64, PageError> {
    let mut count = 0;
    let mut rest = TEMPLATE;
    while let Some((text, marked)) = rest.split_once("{{") {
        out.write_all(text.as_bytes())?;
        let (mark, after) = marked.split_once("}}").unwrap_or((marked, ""));
        rest = after;
        match mark {
            "policy" => out.write_all(policy().as_bytes())?,
            "title" => out.write_all(as_html(page.title).as_bytes())?,
            "style" => out.write_all(STYLE.as_bytes())?,
            "script" => out.write_all(SCRIPT.as_bytes())?,
            _ => count = write_data(story, page, out)?,
        }
    }
    out.write_all(rest.as_bytes())?;
    Ok(count)
}

/// What the page may do: run its own script and style, and nothing else.
fn policy() -> String {
    let hash = |text: &str| BASE64_STANDARD.encode(Sha256::digest(text.as_bytes()));
    format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; base-uri 'none'; \
         form-action 'none'",
        hash(STYLE),
        hash(SCRIPT)
    )
}

fn write_data(
    story: &mut Story<'_>,
    page: Page<'_>,
    out: &mut impl Write,
) -> Result<u64, PageError> {
    let mut shared = Shared::default();
    let mut before = Before::default();
    let mut count = 0;
    let mut known = story.documents();
    let mut head_written = false;
    while let Some(step) = story.next() {
        let step = step.map_err(PageError::Story)?;
        if page.until.is_some_and(|until| step.at > until) {
            break;
        }
        if step.at < page.from {
            before = Before::of(&step);
            known = story.documents();
            continue;
        }
        if count == MAXIMUM_STEPS {
            return Err(PageError::TooManySteps);
        }
        if head_written {
            out.write_all(b",\n")?;
        } else {
            write_head(story, step.number, &before, &known, out)?;
            head_written = true;
        }
        write_json(&OnPage::of(&step, &before, &mut shared), out)?;
        before = Before::of(&step);
        count += 1;
    }
    if !head_written {
        write_head(story, 1, &before, &known, out)?;
    }
    out.write_all(b"],\n\"shared\":")?;
    write_json(&shared.texts, out)?;
    out.write_all(b",\"end\":")?;
    write_json(&serde_json::json!({"torn": story.torn().is_some()}), out)?;
    out.write_all(b"}")?;
    Ok(count)
}

/// All that stands before the steps.
fn write_head(
    story: &Story<'_>,
    first: u64,
    before: &Before,
    known: &[Known],
    out: &mut impl Write,
) -> Result<(), PageError> {
    #[derive(Serialize)]
    struct Head<'a> {
        engine: &'a str,
        part: u32,
        masked: String,
        first: u64,
        link: u8,
        due: Option<Due<'a>>,
        known: Vec<(&'a str, Option<u64>, Vec<OneChange<'a>>)>,
    }
    let header = story.header();
    let known = known.iter().map(|known| {
        let holds = known.holds.iter().map(OneChange);
        (known.shadow.as_str(), known.version, holds.collect())
    });
    let head = Head {
        engine: &header.engine,
        part: header.part,
        masked: header.mask.to_string(),
        first,
        link: before.link as u8,
        due: before.deadline.as_ref().map(Due),
        known: known.collect(),
    };
    let mut json = Vec::new();
    write_json(&head, &mut json)?;
    // Its end is the end of the steps.
    json.pop();
    json.extend_from_slice(b",\"steps\":[\n");
    Ok(out.write_all(&json)?)
}

/// What a step leaves out where it is as it was.
#[derive(Default)]
struct Before {
    link: Link,
    deadline: Option<Deadline>,
}

impl Before {
    fn of(step: &Step) -> Before {
        Before {
            link: step.link,
            deadline: step.deadline.clone(),
        }
    }
}

/// Texts that come often.
#[derive(Default)]
struct Shared {
    places: BTreeMap<String, usize>,
    texts: Vec<String>,
}

impl Shared {
    fn place<'a>(&mut self, text: &'a str) -> Place<'a> {
        if let Some(place) = self.places.get(text) {
            return Place::Shared(*place);
        }
        if self.texts.len() >= MAXIMUM_SHARED {
            return Place::Here(text);
        }
        self.places.insert(text.to_owned(), self.texts.len());
        self.texts.push(text.to_owned());
        Place::Shared(self.texts.len() - 1)
    }
}

#[derive(Serialize)]
#[serde(untagged)]
enum Place<'a> {
    Shared(usize),
    Here(&'a str),
}

/// A step as the page's script reads it.
#[derive(Serialize)]
struct OnPage<'a> {
    /// Microseconds.
    t: u64,
    #[serde(rename = "L")]
    line: u64,
    k: u8,
    r: u8,
    n: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    w: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    d: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    s: Option<Place<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    o: Option<Place<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    y: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    q: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    c: Option<&'a str>,
    /// 1 for text, 2 for bytes; otherwise it is JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    ct: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    m: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    f: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    a: Vec<(u64, u64)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    x: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    v: Option<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    g: Vec<OneChange<'a>>,
    /// Left out if it is as before.
    #[serde(skip_serializing_if = "Option::is_none")]
    l: Option<u8>,
    /// Left out if it is as before, `null` if there is none any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    u: Option<Option<Due<'a>>>,
}

impl<'a> OnPage<'a> {
    fn of(step: &'a Step, before: &Before, shared: &mut Shared) -> OnPage<'a> {
        let answers = step.answers.iter();
        OnPage {
            t: micros(step.at),
            line: step.line,
            k: step.kind as u8,
            r: step.route as u8,
            n: &step.name,
            w: &step.words,
            d: &step.detail,
            s: step.shadow.as_deref().map(|shadow| shared.place(shadow)),
            o: step.topic.as_deref().map(|topic| shared.place(topic)),
            y: step.token.as_deref(),
            q: step.request,
            c: step.content.as_ref().map(Content::as_str),
            ct: match step.content {
                None | Some(Content::Json(_)) => None,
                Some(Content::Text(_)) => Some(1),
                Some(Content::Bytes(_)) => Some(2),
            },
            m: step.document_of,
            f: step.fault.as_deref(),
            a: answers
                .map(|answer| (answer.step, micros(answer.after)))
                .collect(),
            x: (step.expects > 0).then_some(step.expects),
            v: step.version,
            g: step.changes.iter().map(OneChange).collect(),
            l: (step.link != before.link).then_some(step.link as u8),
            u: (step.deadline != before.deadline).then(|| step.deadline.as_ref().map(Due)),
        }
    }
}

/// `[["reported","on"],"false","true"]`: path, before, after.
struct OneChange<'a>(&'a Change);

impl Serialize for OneChange<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (&self.0.path, &self.0.before, &self.0.after).serialize(serializer)
    }
}

/// `[60000000,"KeepAlive"]`.
struct Due<'a>(&'a Deadline);

impl Serialize for Due<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (micros(self.0.due), &self.0.timer).serialize(serializer)
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// JSON that cannot end the element it stands in: outside of strings JSON has none of these
/// characters, and in them an escape is the same text.
fn write_json<T: Serialize>(value: &T, out: &mut impl Write) -> Result<(), PageError> {
    let json = serde_json::to_string(value).map_err(io::Error::from)?;
    let mut rest = json.as_str();
    let special = |c: char| matches!(c, '<' | '>' | '&' | '\u{2028}' | '\u{2029}');
    while let Some(place) = rest.find(special) {
        let (plain, after) = rest.split_at(place);
        out.write_all(plain.as_bytes())?;
        let mut characters = after.chars();
        if let Some(character) = characters.next() {
            write!(out, "\\u{:04x}", u32::from(character))?;
        }
        rest = characters.as_str();
    }
    Ok(out.write_all(rest.as_bytes())?)
}

/// Text as the content of an HTML element.
fn as_html(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            control if control.is_control() => html.push('\u{fffd}'),
            other => html.push(other),
        }
    }
    html
}
