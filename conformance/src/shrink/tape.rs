//! What a run writes.

use shadow_core::recording::Sink;

/// What came of running some of the inputs of a recording: a recording itself.
#[derive(Clone, Debug, Default)]
pub struct Run {
    pub(super) text: String,
    pub(super) marks: Vec<Mark>,
    /// Of each cause of the case, whether the engine got it.
    pub(super) used: Vec<bool>,
    /// How many inputs there were: causes and ticks, without the start.
    pub(super) inputs: usize,
    /// How many of them are ticks that the case does not have.
    pub(super) ticks: usize,
    /// Whether it was given up, as time went on without end.
    pub(super) endless: bool,
}

/// Where a line begins, and the step it is of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    pub(super) start: usize,
    pub(super) step: u32,
}

impl Run {
    /// The recording of it. It replays.
    #[must_use]
    pub fn recording(&self) -> &str {
        &self.text
    }

    /// Its lines behind the header, without line feeds.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.steps().map(|(_, line)| line).skip(1)
    }

    /// How many inputs there were behind the start. Each packet of the peer counts as one.
    #[must_use]
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// All lines with their steps.
    pub(super) fn steps(&self) -> impl Iterator<Item = (u32, &str)> {
        let ends = self.marks.iter().skip(1).map(|mark| mark.start);
        let ends = ends.chain([self.text.len()]);
        self.marks.iter().zip(ends).map(|(mark, end)| {
            let line = self.text.get(mark.start..end).unwrap_or_default();
            (mark.step, line.trim_end_matches('\n'))
        })
    }

    /// The recorded lines themselves, as if they were a run.
    pub(super) fn recorded(text: &str, steps: &[u32]) -> Run {
        let mut run = Run {
            text: text.to_owned(),
            ..Run::default()
        };
        let mut start = 0;
        for (line, step) in text.split_inclusive('\n').zip(steps) {
            run.marks.push(Mark { start, step: *step });
            start += line.len();
        }
        run
    }
}

/// What the recorder writes.
#[derive(Debug, Default)]
pub(super) struct Tape {
    pub(super) text: String,
    pub(super) marks: Vec<Mark>,
    /// The step of what is written now, and that of the next input.
    pub(super) step: u32,
    pub(super) next: u32,
}

impl Sink for Tape {
    fn line(&mut self, line: &str) {
        if is_input(line) {
            self.step = self.next;
        }
        self.marks.push(Mark {
            start: self.text.len(),
            step: self.step,
        });
        self.text.push_str(line);
    }
}

/// Whether a line of a recorder is an input.
pub(super) fn is_input(line: &str) -> bool {
    let rest = line.strip_prefix("{\"at\":").unwrap_or_default();
    rest.trim_start_matches(|character: char| character.is_ascii_digit())
        .starts_with(",\"in\":")
}
