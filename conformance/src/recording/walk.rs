//! Walks through a recording, forward and back.

use std::fmt;

use serde::Serialize;
use shadow_core::recording::Input;
use shadow_core::{Engine, Instant};

use super::Summary;
use super::divergence::Divergence;
use super::documents::Documents;
use super::error::ReadError;
use super::fields::Fields;
use super::reader::{Place, Reader};
use super::replay::Replay;
use super::words::{describe, seconds};

/// A replay that can be stopped at every line and looked at, and that can go back.
///
/// An engine cannot run backwards: to go back is to replay from the start up to the line before, so
/// it takes as long as the way there did, and no memory.
///
/// ```
/// use conformance::recording::{Part, Reader, Walk};
/// # use shadow_core::recording::{Mask, Recorder};
/// # use shadow_core::{Config, Instant, Session};
/// # let mut engine = Recorder::new(
/// #     Config::plain("sensor-1"), Session::new(), 7, Instant::ZERO, Mask::default(), String::new());
/// # engine.handle_tick(Instant::ZERO);
/// # engine.poll_transmit(Instant::ZERO, &mut Vec::new());
/// # let recording = engine.finish().1.unwrap();
///
/// let mut walk = Walk::new(|| Reader::new(vec![Part::of_text("sensor", &recording)]))?;
/// assert_eq!(walk.forward()?.unwrap().words, "waits until 0.000000s (Reconnect)");
/// assert_eq!(walk.forward()?.unwrap().words, "ticks");
/// assert_eq!(walk.forward()?.unwrap().words, "asks for a connection");
/// assert_eq!(walk.back()?.unwrap().words, "ticks");
/// assert_eq!(walk.find(|moment| moment.words == "is given up")?.unwrap().place.line, 7);
/// # Ok::<(), conformance::recording::ReadError>(())
/// ```
pub struct Walk<'a> {
    open: Box<dyn Fn() -> Result<Reader<'a>, ReadError> + 'a>,
    replay: Replay<'a>,
    documents: Documents,
    position: u64,
    moment: Option<Moment>,
}

/// One line of a recording, replayed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Where the line is.
    pub place: Place,
    /// How many inputs have gone in; the start is the first.
    pub step: u64,
    /// The line's time.
    pub at: Instant,
    /// The line.
    pub line: String,
    /// The same in words; bytes received are told as packets.
    pub words: String,
    /// The engine does something else here.
    pub divergence: Option<Box<Divergence>>,
}

impl<'a> Walk<'a> {
    /// Begins at the start. `open` opens the recording, now and whenever it goes back.
    ///
    /// # Errors
    ///
    /// [`ReadError`]: the recording is none, or begins in the middle.
    pub fn new(
        open: impl Fn() -> Result<Reader<'a>, ReadError> + 'a,
    ) -> Result<Walk<'a>, ReadError> {
        let replay = Replay::new(open()?)?;
        let documents = Documents::new(replay.engine().config().protocol_version);
        Ok(Walk {
            open: Box::new(open),
            replay,
            documents,
            position: 0,
            moment: None,
        })
    }

    /// The line that was replayed last; `None` at the start.
    #[must_use]
    pub fn moment(&self) -> Option<&Moment> {
        self.moment.as_ref()
    }

    /// How many lines behind the start were replayed.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.position
    }

    /// The engine, as it is now.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        self.replay.engine()
    }

    /// The documents as they were shown until now.
    #[must_use]
    pub fn documents(&self) -> &Documents {
        &self.documents
    }

    /// What was replayed until now.
    #[must_use]
    pub fn summary(&self) -> Summary {
        self.replay.summary()
    }

    /// The recording that is read.
    #[must_use]
    pub fn reader(&self) -> &Reader<'a> {
        self.replay.reader()
    }

    /// Replays the next line; `None` behind the last one.
    ///
    /// # Errors
    ///
    /// [`ReadError`]: the line cannot be read.
    pub fn forward(&mut self) -> Result<Option<&Moment>, ReadError> {
        let Some(divergence) = self.replay.next_step()? else {
            return Ok(None);
        };
        self.position += 1;
        let line = self.replay.last_line().unwrap_or_default().to_owned();
        let words = match received(&mut self.documents, &line) {
            Some(packets) => format!("receives {packets}"),
            None => describe(&line),
        };
        let at = Fields::parse(&line).and_then(|fields| fields.number("at"));
        self.moment = Some(Moment {
            place: self.replay.place(),
            step: self.replay.summary().inputs,
            at: Instant::from_micros(at.unwrap_or(0)),
            words,
            divergence: divergence.map(Box::new),
            line,
        });
        Ok(self.moment.as_ref())
    }

    /// Goes back by one line; `None` at the start.
    ///
    /// # Errors
    ///
    /// [`ReadError`]: a line cannot be read any more.
    pub fn back(&mut self) -> Result<Option<&Moment>, ReadError> {
        self.go_to(self.position.saturating_sub(1))
    }

    /// Goes to where so many lines behind the start were replayed, or to the end.
    ///
    /// # Errors
    ///
    /// [`ReadError`]: a line cannot be read.
    pub fn go_to(&mut self, position: u64) -> Result<Option<&Moment>, ReadError> {
        let untold = position == self.position && self.moment.is_none();
        if position < self.position || untold {
            self.restart()?;
        }
        // All but the last, which is put in words.
        while self.position + 1 < position && self.pass()? {}
        if self.position < position {
            self.forward()?;
        }
        Ok(self.moment.as_ref())
    }

    /// Goes to the last line that is not later than `at`, forward or back.
    ///
    /// # Errors
    ///
    /// [`ReadError`]: a line cannot be read.
    pub fn go_to_time(&mut self, at: Instant) -> Result<Option<&Moment>, ReadError> {
        // One line too many has to be read to know.
        self.restart()?;
        let mut last = 0;
        while self.pass()? {
            if self.replay.summary().until > at {
                break;
            }
            last = self.position;
        }
        self.go_to(last)
    }

    /// Goes forward to the next line that is wanted; `None` if there is none, and then it is at the
    /// end.
    ///
    /// # Errors
    ///
    /// [`ReadError`]: a line cannot be read.
    pub fn find(&mut self, wanted: impl Fn(&Moment) -> bool) -> Result<Option<&Moment>, ReadError> {
        loop {
            match self.forward()? {
                None => return Ok(None),
                Some(moment) if wanted(moment) => break,
                Some(_) => {}
            }
        }
        Ok(self.moment.as_ref())
    }

    /// Replays a line without putting it in words; false behind the last one.
    fn pass(&mut self) -> Result<bool, ReadError> {
        let found = self.replay.next_step()?.is_some();
        if found {
            self.position += 1;
            received(
                &mut self.documents,
                self.replay.last_line().unwrap_or_default(),
            );
        }
        Ok(found)
    }

    fn restart(&mut self) -> Result<(), ReadError> {
        self.replay = Replay::new((self.open)()?)?;
        self.documents = Documents::new(self.replay.engine().config().protocol_version);
        self.position = 0;
        self.moment = None;
        Ok(())
    }
}

impl fmt::Debug for Walk<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Walk")
            .field("position", &self.position)
            .field("moment", &self.moment)
            .finish_non_exhaustive()
    }
}

/// Has the documents follow a line; the packets in words if it is of bytes received.
fn received(documents: &mut Documents, line: &str) -> Option<String> {
    // Most lines are neither, and need not be read.
    if !line.contains(r#""bytes""#) && !line.contains(r#""connected""#) {
        return None;
    }
    match Input::parse(line).ok()?? {
        (_, Input::Connected) => {
            documents.connected();
            None
        }
        (_, Input::Bytes(bytes)) => {
            let packets = documents.received(&bytes);
            Some(match packets.len() {
                0 => format!("{} bytes of a packet", bytes.len()),
                _ => packets.join("; "),
            })
        }
        _ => None,
    }
}

/// `   12.345678s line 30, step 7: sends ..`.
impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = seconds(self.at.as_micros());
        write!(
            f,
            "{at:>14} line {}, step {}: {}",
            self.place.line, self.step, self.words
        )
    }
}

/// `{"file", "line", "step", "at", "words", "recorded", "divergence"?}`.
impl Serialize for Moment {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Fields<'m> {
            file: &'m str,
            line: u64,
            step: u64,
            at: u64,
            words: &'m str,
            recorded: &'m str,
            #[serde(skip_serializing_if = "Option::is_none")]
            divergence: Option<&'m Divergence>,
        }
        let fields = Fields {
            file: &self.place.file,
            line: self.place.line,
            step: self.step,
            at: self.at.as_micros(),
            words: &self.words,
            recorded: &self.line,
            divergence: self.divergence.as_deref(),
        };
        fields.serialize(serializer)
    }
}
