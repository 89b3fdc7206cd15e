//! Walking through a recording, by commands on stdin.

use std::fmt;
use std::io::{BufRead, IsTerminal, Read, stdin};
use std::time::Duration;

use conformance::recording::{Moment, Walk};

use crate::arguments::{ReplayArguments, parse_seconds};
use crate::document::{Foreign, Printable};
use crate::failure::Failure;
use crate::output::{ERROR, FAINT, Format, HEADING, Output};
use crate::session_file::{no_recording, recording_files};

/// A longer command is none.
const LONGEST_COMMAND: u64 = 4_096;

const HELP: &str = "\
n [COUNT]   the next line, or lines; so does an empty command
b [COUNT]   back by a line, or lines
i           on to the next input
g SECONDS   go to that time since the start, forward or back
d           on to where the engine does something else
x           on to the next disconnect
a           on to the next delta
/TEXT       on to the next line with this text in it, as words or as recorded; / again
s           the engine: link, queues, requests, events, timers, shadows
v           the documents, as the cloud showed them
l           the line as it is recorded
h           this
q           quit";

/// What was typed.
#[derive(Debug, PartialEq, Eq)]
enum StepCommand {
    Next(u64),
    Back(u64),
    Input,
    Time(Duration),
    Divergence,
    Disconnect,
    Delta,
    /// `None` for the text before.
    Search(Option<String>),
    State,
    Documents,
    Line,
    Help,
    Quit,
}

impl StepCommand {
    fn parse(typed: &str) -> Result<StepCommand, String> {
        if let Some(text) = typed.strip_prefix('/') {
            let text = Some(text.to_owned()).filter(|text| !text.is_empty());
            return Ok(StepCommand::Search(text));
        }
        let (command, rest) = typed.trim().split_once(' ').unwrap_or((typed.trim(), ""));
        let rest = rest.trim();
        let count = || match rest {
            "" => Ok(1),
            number => number
                .parse()
                .map_err(|_| format!("`{number}` is no number of lines")),
        };
        let parsed = match command {
            "" | "n" | "next" => return count().map(StepCommand::Next),
            "b" | "back" => return count().map(StepCommand::Back),
            "g" | "goto" => return parse_seconds(rest).map(StepCommand::Time),
            "i" | "input" => StepCommand::Input,
            "d" | "divergence" => StepCommand::Divergence,
            "x" | "disconnect" => StepCommand::Disconnect,
            "a" | "delta" => StepCommand::Delta,
            "s" | "state" => StepCommand::State,
            "v" | "documents" => StepCommand::Documents,
            "l" | "line" => StepCommand::Line,
            "h" | "?" | "help" => StepCommand::Help,
            "q" | "quit" => StepCommand::Quit,
            other => return Err(format!("there is no command `{other}`; h lists them")),
        };
        match rest {
            "" => Ok(parsed),
            rest => Err(format!(
                "`{command}` takes nothing behind it, and there is `{rest}`"
            )),
        }
    }
}

/// Reads commands until there are no more.
pub(super) fn run(arguments: &ReplayArguments, output: &mut Output) -> Result<(), Failure> {
    if output.format() == Format::Json {
        return Err(Failure::usage(
            "--step is for people: leave out --output json",
        ));
    }
    let files = recording_files(&arguments.files);
    let mut walk = Walk::new(|| files.open()).map_err(|error| no_recording(&error))?;
    let start = walk.summary().from;
    if let Some(from) = arguments.from {
        walk.go_to_time(start + from)
            .map_err(|error| no_recording(&error))?;
    }
    let mut walker = Walker {
        end: arguments.until.map(|until| start + until),
        walk,
        searched: None,
    };
    let prompts = stdin().is_terminal();
    output.text(walker.header())?;
    if let Some(moment) = walker.walk.moment() {
        output.text(Shown(moment))?;
    }
    loop {
        if prompts {
            output.verbatim(b"> ")?;
        }
        let mut typed = String::new();
        let read = stdin().lock().take(LONGEST_COMMAND).read_line(&mut typed);
        match read {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(error) => {
                return Err(Failure::operation(format_args!(
                    "cannot read commands: {error}"
                )));
            }
        }
        match StepCommand::parse(typed.trim_end_matches(['\n', '\r'])) {
            Ok(StepCommand::Quit) => return Ok(()),
            Ok(command) => walker.carry_out(command, output)?,
            Err(why) => output.text(format_args!("{FAINT}{}{FAINT:#}", Printable(&why)))?,
        }
    }
}

struct Walker<'a> {
    walk: Walk<'a>,
    /// Beyond this it does not go.
    end: Option<shadow_core::Instant>,
    searched: Option<String>,
}

impl Walker<'_> {
    fn header(&self) -> String {
        let header = self.walk.reader().header();
        let client = self.walk.engine().config().login.client_id();
        format!(
            "{HEADING}{}{HEADING:#}: {}, recorded by engine {}; h for help",
            Printable(&self.walk.reader().place().file),
            Printable(&client),
            Printable(&header.engine)
        )
    }

    fn carry_out(&mut self, command: StepCommand, output: &mut Output) -> Result<(), Failure> {
        match command {
            StepCommand::Next(count) => {
                for _ in 0..count {
                    if !self.forward(output)? {
                        break;
                    }
                }
                Ok(())
            }
            StepCommand::Back(count) => {
                let position = self.walk.position().saturating_sub(count);
                self.walk
                    .go_to(position)
                    .map_err(|error| no_recording(&error))?;
                self.show(output)
            }
            StepCommand::Time(time) => {
                let at = self.walk.summary().from + time;
                let at = self.end.map_or(at, |end| at.min(end));
                self.walk
                    .go_to_time(at)
                    .map_err(|error| no_recording(&error))?;
                self.show(output)
            }
            StepCommand::Input => self.find(|moment| moment.line.contains(r#","in":""#), output),
            StepCommand::Divergence => self.find(|moment| moment.divergence.is_some(), output),
            StepCommand::Disconnect => self.find(
                |moment| moment.words.starts_with("tells Disconnected"),
                output,
            ),
            StepCommand::Delta => {
                self.find(|moment| moment.words.starts_with("tells Delta"), output)
            }
            StepCommand::Search(text) => {
                let text = text.or_else(|| self.searched.take());
                let Some(text) = text else {
                    return output.text(format_args!("{FAINT}type /TEXT first{FAINT:#}"));
                };
                self.searched = Some(text.clone());
                let has =
                    |moment: &Moment| moment.words.contains(&text) || moment.line.contains(&text);
                self.find(has, output)
            }
            StepCommand::State => output.text(Foreign(self.walk.engine().inspect())),
            StepCommand::Documents => self.documents(output),
            StepCommand::Line => match self.walk.moment() {
                Some(moment) => output.text(Printable(&moment.line)),
                None => self.show(output),
            },
            StepCommand::Help => output.text(HELP),
            StepCommand::Quit => Ok(()),
        }
    }

    /// Replays and shows one more line; false at the end.
    fn forward(&mut self, output: &mut Output) -> Result<bool, Failure> {
        let position = self.walk.position();
        let end = self.end;
        let moment = self.walk.forward().map_err(|error| no_recording(&error))?;
        match moment {
            Some(moment) if end.is_none_or(|end| moment.at <= end) => {
                output.text(Shown(moment))?;
                Ok(true)
            }
            found => {
                if found.is_some() {
                    self.walk
                        .go_to(position)
                        .map_err(|error| no_recording(&error))?;
                }
                output.text(format_args!("{FAINT}this is the end{FAINT:#}"))?;
                Ok(false)
            }
        }
    }

    fn find(
        &mut self,
        wanted: impl Fn(&Moment) -> bool,
        output: &mut Output,
    ) -> Result<(), Failure> {
        let position = self.walk.position();
        let end = self.end;
        let beyond = |moment: &Moment| end.is_some_and(|end| moment.at > end);
        let found = self.walk.find(|moment| beyond(moment) || wanted(moment));
        match found.map_err(|error| no_recording(&error))? {
            Some(moment) if !beyond(moment) => output.text(Shown(moment)),
            // Nobody wants to be at the end for having searched.
            _ => {
                self.walk
                    .go_to(position)
                    .map_err(|error| no_recording(&error))?;
                output.text(format_args!("{FAINT}there is none from here on{FAINT:#}"))
            }
        }
    }

    fn show(&self, output: &mut Output) -> Result<(), Failure> {
        match self.walk.moment() {
            Some(moment) => output.text(Shown(moment)),
            None => output.text(format_args!("{FAINT}this is the start{FAINT:#}")),
        }
    }

    fn documents(&self, output: &mut Output) -> Result<(), Failure> {
        let shown = self.walk.documents().shown();
        if shown.is_empty() {
            return output.text(format_args!("{FAINT}none was shown yet{FAINT:#}"));
        }
        for document in shown {
            output.text(format_args!(
                "{} version {}: {}",
                Printable(&document.name.to_string()),
                document.version,
                Printable(&document.state())
            ))?;
        }
        Ok(())
    }
}

/// A line in words, and in what the engine differs there.
struct Shown<'a>(&'a Moment);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shown(moment) = self;
        Printable(&moment.to_string()).fmt(f)?;
        if let Some(divergence) = &moment.divergence {
            let text = divergence.to_string();
            write!(
                f,
                "\n{ERROR}not as recorded{ERROR:#}: {}",
                Foreign(text.trim_end())
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_letters_or_words() {
        let parse = |typed: &str| StepCommand::parse(typed);
        assert_eq!(parse(""), Ok(StepCommand::Next(1)));
        assert_eq!(parse(" n 12 "), Ok(StepCommand::Next(12)));
        assert_eq!(parse("back 3"), Ok(StepCommand::Back(3)));
        assert_eq!(
            parse("g 1.5"),
            Ok(StepCommand::Time(Duration::from_millis(1_500)))
        );
        assert_eq!(
            parse("/ power"),
            Ok(StepCommand::Search(Some(" power".to_owned())))
        );
        assert_eq!(parse("/"), Ok(StepCommand::Search(None)));
        for wrong in ["n x", "b -1", "g", "g -1", "g nan", "z", "q now"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
