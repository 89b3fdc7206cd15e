//! `show`.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::slice;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use conformance::show::{
    Change, Deadline, Kind, Page, PageError, Route, Span, Step, Story, write_page,
};
use serde::Serialize;

use crate::arguments::{ShowArguments, StepSort};
use crate::document::Printable;
use crate::failure::Failure;
use crate::output::{ERROR, FAINT, Format, GOOD, HEADING, Output, RECEIVED, SENT};
use crate::session_file::{self, WriteError, cannot_write, no_recording};

/// Style of timers.
const TIMER: Style = AnsiColor::Magenta.on_default();

/// A pause that is told.
const SILENCE: Duration = Duration::from_secs(1);

/// How many steps without an answer are remembered.
const MOST_OPEN: usize = 4096;

/// How many of them are named.
const NAMED: usize = 8;

/// Prints the session that the files are parts of, or draws it as a page.
///
/// # Errors
///
/// * [`FailureKind::InputFile`](crate::failure::FailureKind::InputFile): a file that cannot be read or is no recording, with line and
///   column; what stands before that line is printed.
/// * [`FailureKind::Usage`](crate::failure::FailureKind::Usage): the page would replace a recording.
/// * [`FailureKind::Operation`](crate::failure::FailureKind::Operation): the page cannot be written, or would be too large.
pub fn run(arguments: &ShowArguments, output: &mut Output) -> Result<(), Failure> {
    let story = Story::new(session_file::recording(&arguments.files)?);
    match &arguments.page {
        Some(page) => draw(arguments, page, story, output),
        None => print(arguments, story, output),
    }
}

fn draw(
    arguments: &ShowArguments,
    path: &PathBuf,
    mut story: Story<'_>,
    output: &mut Output,
) -> Result<(), Failure> {
    let read = session_file::read_files(&arguments.files);
    session_file::refuse_to_replace(slice::from_ref(path), &read)?;
    let title = arguments.files.first().and_then(|file| file.file_name());
    let title = title.map(|name| name.to_string_lossy().into_owned());
    let page = Page {
        title: title.as_deref().unwrap_or("session"),
        from: arguments.from.unwrap_or_default(),
        until: arguments.until,
    };
    // Half a page is none.
    let written = session_file::write_whole(path, |file| write_page(&mut story, page, file));
    let steps = written.map_err(|error| match error {
        WriteError::Content(PageError::Story(error)) => no_recording(&error),
        WriteError::Content(PageError::Write(error)) | WriteError::Target(error) => {
            cannot_write(path, &error)
        }
        WriteError::Content(error) => {
            Failure::operation(format_args!("{error} with --from and --until"))
        }
    })?;
    let display = path.display();
    output.remark(format_args!("{steps} steps drawn into {display}"));
    remark_torn(&story, output);
    Ok(())
}

fn print(
    arguments: &ShowArguments,
    mut story: Story<'_>,
    output: &mut Output,
) -> Result<(), Failure> {
    let header = story.header();
    output.text(format_args!(
        "{HEADING}Recorded with engine {}, {} masked{HEADING:#}",
        Printable(&header.engine),
        header.mask
    ))?;
    let mut totals = Totals::default();
    let mut before = None;
    let mut own = None;
    for step in story.by_ref() {
        let step = step.map_err(|error| no_recording(&error))?;
        if arguments.until.is_some_and(|until| step.at > until) {
            break;
        }
        totals.add(&step);
        own = own.or_else(|| step.shadow.clone());
        if arguments.from.is_some_and(|from| step.at < from) || !is_wanted(&arguments.only, &step) {
            continue;
        }
        if output.format() == Format::Text
            && let Some(silence) = Silence::between(before, &step)
        {
            output.text(silence)?;
        }
        before = Some(step.at);
        let is_own = own.is_none() || own == step.shadow || step.shadow.is_none();
        output.result(&Printed { step, is_own })?;
    }
    output.text(&totals)?;
    remark_torn(&story, output);
    Ok(())
}

fn remark_torn(story: &Story<'_>, output: &mut Output) {
    if let Some(bytes) = story.torn() {
        output.remark(format_args!(
            "the last line was torn off after {bytes} bytes and is left out"
        ));
    }
}

fn is_wanted(only: &[StepSort], step: &Step) -> bool {
    let sort = match step.kind {
        Kind::Call => StepSort::Call,
        Kind::Message => StepSort::Message,
        Kind::Control => StepSort::Control,
        Kind::Link => StepSort::Link,
        Kind::Event => StepSort::Event,
        Kind::Timer => StepSort::Timer,
        Kind::Clock => StepSort::Clock,
    };
    match only {
        [] => sort != StepSort::Clock,
        only => {
            let is_fault = step.fault.is_some() && only.contains(&StepSort::Fault);
            is_fault || only.contains(&sort)
        }
    }
}

/// One step: for people a line, and a line for each difference and fault.
#[derive(Serialize)]
struct Printed {
    #[serde(flatten)]
    step: Step,
    /// Whether it is about the shadow that came first, which is not named.
    #[serde(skip)]
    is_own: bool,
}

impl fmt::Display for Printed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let step = &self.step;
        let (arrow, style) = arrow(step);
        let (seconds, micros) = (step.at.as_secs(), step.at.subsec_micros());
        let number = step.number;
        write!(f, "{FAINT}{number:>6} {seconds:>6}.{micros:06}{FAINT:#} ")?;
        let name = Printable(&step.name);
        write!(f, "{style}{arrow} {name}{style:#}")?;
        if !step.words.is_empty() {
            write!(f, " {}", Printable(&step.words))?;
        }
        if let Some(request) = step.request.filter(|_| step.kind == Kind::Call) {
            write!(f, " #{request}")?;
        }
        if let Some(shadow) = step.shadow.as_ref().filter(|_| !self.is_own) {
            write!(f, "  {FAINT}of {}{FAINT:#}", Printable(shadow))?;
        }
        for answer in &step.answers {
            let after = Span(answer.after);
            write!(f, "  {FAINT}{after} after {}{FAINT:#}", answer.step)?;
        }
        if let Some(fault) = &step.fault {
            let fault = Printable(fault);
            write!(f, "\n{:24}{ERROR}! {fault}{ERROR:#}", "")?;
        }
        for change in &step.changes {
            write!(f, "\n{:24}", "")?;
            difference(f, change)?;
        }
        Ok(())
    }
}

fn difference(f: &mut fmt::Formatter<'_>, change: &Change) -> fmt::Result {
    let style = match change.sign() {
        '+' => GOOD,
        '-' => AnsiColor::Red.on_default(),
        _ => RECEIVED,
    };
    let path = change.path();
    write!(f, "{style}{} {}", change.sign(), Printable(&path))?;
    if let Some(before) = &change.before {
        write!(f, " {}", Printable(before))?;
    }
    if let Some(after) = &change.after {
        let to = if change.before.is_some() { " to" } else { "" };
        write!(f, "{to} {}", Printable(after))?;
    }
    write!(f, "{style:#}")
}

/// Which way it goes, in two characters.
fn arrow(step: &Step) -> (&'static str, Style) {
    let (arrow, style) = match step.route {
        Route::ApplicationToDevice => (" >", HEADING),
        Route::DeviceToApplication => (" <", HEADING),
        Route::DeviceToCloud => ("->", SENT),
        Route::CloudToDevice => ("<-", RECEIVED),
        Route::DeviceToLink => ("-|", FAINT),
        Route::LinkToDevice => ("<|", FAINT),
        Route::Device if step.kind == Kind::Timer => (" *", TIMER),
        Route::Device => ("  ", FAINT),
    };
    match step.fault {
        Some(_) => (arrow, ERROR),
        None => (arrow, style),
    }
}

/// A pause, and the deadline that was in force in it.
struct Silence<'a> {
    length: Duration,
    step: &'a Step,
}

impl<'a> Silence<'a> {
    fn between(before: Option<Duration>, step: &'a Step) -> Option<Silence<'a>> {
        let length = step.at.saturating_sub(before?);
        (length >= SILENCE).then_some(Silence { length, step })
    }
}

impl fmt::Display for Silence<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:21}{FAINT}: {}", "", Span(self.length))?;
        // The largest time that there is means never.
        let ever = |deadline: &&Deadline| deadline.due.as_micros() < u128::from(u64::MAX / 2);
        if let Some(deadline) = self.step.deadline.as_ref().filter(ever) {
            let (seconds, millis) = (deadline.due.as_secs(), deadline.due.subsec_millis());
            let timer = Printable(&deadline.timer);
            write!(f, ", {timer} is due at {seconds}.{millis:03}")?;
        }
        write!(f, "{FAINT:#}")
    }
}

/// What the last line counts.
#[derive(Debug, Default)]
struct Totals {
    steps: u64,
    end: Duration,
    /// Moments at which something went wrong: the packet and the event that tells of it are one.
    faults: u64,
    last_fault: Option<Duration>,
    /// How many answers are due to a step yet.
    open: BTreeMap<u64, u8>,
    forgotten: u64,
}

impl Totals {
    fn add(&mut self, step: &Step) {
        self.steps += 1;
        self.end = step.at;
        if step.fault.is_some() && self.last_fault != Some(step.at) {
            self.faults += 1;
            self.last_fault = Some(step.at);
        }
        for answer in &step.answers {
            if let Some(due) = self.open.get_mut(&answer.step) {
                *due -= 1;
                if *due == 0 {
                    self.open.remove(&answer.step);
                }
            }
        }
        if step.expects > 0 {
            self.open.insert(step.number, step.expects);
            if self.open.len() > MOST_OPEN {
                self.open.pop_first();
                self.forgotten += 1;
            }
        }
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let open = self.forgotten + self.open.len() as u64;
        write!(
            f,
            "{HEADING}{} steps in {}; {} {}; {open} without an answer{HEADING:#}",
            self.steps,
            Span(self.end),
            self.faults,
            if self.faults == 1 { "fault" } else { "faults" }
        )?;
        if self.open.is_empty() || self.forgotten > 0 {
            return Ok(());
        }
        let named: Vec<String> = self.open.keys().take(NAMED).map(u64::to_string).collect();
        write!(f, ": {}", named.join(", "))?;
        if self.open.len() > NAMED {
            write!(f, ", …")?;
        }
        Ok(())
    }
}
