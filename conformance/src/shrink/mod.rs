//! Makes a recording that fails as small as it can be and still fail.
//!
//! [`shrink`] leaves out inputs of a [`Recording`], runs what is left through the engine, and asks
//! whether it fails still: by a [`Condition`] or by any closure. It goes on until nothing more can go
//! (delta debugging). The result is a recording that replays.
//!
//! ```
//! use conformance::shrink::{Condition, Options, Recording, shrink_to};
//! use shadow_core::recording::{Mask, Recorder};
//! use shadow_core::{Config, Instant, Publication, Session};
//!
//! // A client that asks for many things before it is connected, one of which cannot be.
//! let mut engine = Recorder::new(
//!     Config::plain("sensor-1"), Session::new(), 7, Instant::ZERO, Mask::default(), String::new(),
//! );
//! for number in 0..30 {
//!     let topic = if number == 17 { "a/#" } else { "a/b" };
//!     drop(engine.publish(Instant::ZERO, &Publication::new(topic, b"{\"n\":1}")));
//! }
//! let recording = Recording::of_text("example", &engine.finish().1.unwrap())?;
//!
//! let condition: Condition = "refused".parse()?;
//! let shrunk = shrink_to(&recording, &condition, &Options::default(), |_| {})?;
//! assert_eq!((shrunk.before, shrunk.after), (31, 1));
//! assert!(shrunk.recording.contains(r#""topic":"a/#""#));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What can go, and what goes with it
//!
//! Inputs refer to what the engine did: CONNACK to CONNECT, other acknowledgements to packet
//! identifiers, replies to client tokens, an answered delta to one that was told, a cancellation to a
//! request, a made connection to one that was asked for. When something is left out, identifiers,
//! tokens and numbers change. So each input is tied to what it refers to, bytes are taken apart into
//! packets, and every run writes them anew with the identifiers of that run. What refers to
//! something that did not happen in a run is not in the run: there is no reply without its request,
//! no message without its subscription, nothing on a link that is not up.
//!
//! Two outputs of two runs are the same if they are of one kind (for requests to a shadow, of one
//! topic and type) and come of the same input. Where the input that an output comes of has gone and
//! another brings it about, as when a request waits for another SUBACK, the answer goes to the latest
//! one of its kind.
//!
//! A run polls everything after each input, unless the recording did not, and ticks at each deadline,
//! unless the recording came later. Inputs keep their distance in time until it is found to be
//! needless. A connection waits until the engine asks for it: how long that takes is random.
//!
//! Then the rest is made plainer: one packet in one piece of bytes, everything polled, time as short
//! as can be, documents with fewer members, smaller numbers and shorter texts, no stored session, the
//! default settings.
//!
//! # What does not hold
//!
//! * What the cloud says of documents is kept as it was recorded, also where what led to it is gone.
//!   Only their versions are counted anew, without what has gone: no version is missing that was not
//!   missing in the recording, an update that was accepted had the document's version, and one that
//!   was in conflict had not. If more can go with the versions of the recording, as where a
//!   condition names one, they are kept.
//! * The condition is all that is looked at. One that is too weak may end up with another failure.
//! * It is a minimum among the ways that were tried: no single input and, of the last 32, no pair can
//!   go. There may be a smaller recording that fails.

mod cause;
mod condition;
mod content;
mod divergence;
mod error;
mod framing;
mod lift;
mod note;
mod outputs;
mod rewrite;
mod run;
mod search;
mod source;
mod tape;
mod tree;
mod version;

pub use condition::{Condition, ConditionError};
pub use error::ShrinkError;
pub use outputs::Outputs;
pub use search::Progress;
pub use source::{MAX_RECORDING, Recording};
pub use tape::Run;

use cause::Case;
use search::{Question, Search};

/// How hard to try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// How many times inputs are run at most. Default 100,000.
    pub runs: u64,
    /// Whether the start stays as it is: seed, settings, stored session. Default false.
    pub keep_start: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            runs: 100_000,
            keep_start: false,
        }
    }
}

/// What has become of a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shrunk {
    /// The smallest recording found that fails. It replays, and diverges only if that is the failure.
    pub recording: String,
    /// How many inputs there were behind the start. Each packet of the peer counts as one.
    pub before: usize,
    /// How many there are, ticks included.
    pub after: usize,
    /// How many times inputs were run.
    pub runs: u64,
    /// Whether nothing more can go. Otherwise the search was ended by [`Options::runs`].
    pub complete: bool,
}

/// Makes a recording smaller as long as a condition holds for it.
///
/// # Errors
///
/// [`ShrinkError`]: the recording cannot be read, or does not meet the condition.
pub fn shrink_to(
    recording: &Recording,
    condition: &Condition,
    options: &Options,
    mut progress: impl FnMut(Progress),
) -> Result<Shrunk, ShrinkError> {
    let lifted = lift::lift(recording)?;
    let mut bound = condition.bind(recording, &lifted)?;
    let (mut shrunk, run) = search(lifted.case, options, &mut bound, &mut progress)?;
    shrunk.recording = bound.recording(&run);
    Ok(shrunk)
}

/// Makes a recording smaller as long as `fails` is true of it.
///
/// # Errors
///
/// [`ShrinkError::Read`], and [`ShrinkError::Gone`] if `fails` is not true of all of it when the
/// present engine gets its inputs.
pub fn shrink(
    recording: &Recording,
    options: &Options,
    fails: impl FnMut(&Run) -> bool,
    mut progress: impl FnMut(Progress),
) -> Result<Shrunk, ShrinkError> {
    let lifted = lift::lift(recording)?;
    let mut asked = Asked(fails);
    let (mut shrunk, run) = search(lifted.case, options, &mut asked, &mut progress)?;
    run.recording().clone_into(&mut shrunk.recording);
    Ok(shrunk)
}

/// A closure that is asked.
struct Asked<F>(F);

impl<F: FnMut(&Run) -> bool> Question for Asked<F> {
    fn fails(&mut self, run: &Run) -> bool {
        self.0(run)
    }
}

/// Searches; and as the ticks of the result are inputs that can go, searches on from there.
fn search(
    mut case: Case,
    options: &Options,
    question: &mut dyn Question,
    progress: &mut dyn FnMut(Progress),
) -> Result<(Shrunk, Run), ShrinkError> {
    let run = run::measure(&mut case);
    if !question.fails(&run) {
        return Err(ShrinkError::Gone);
    }
    let before = case.causes.len();
    let mut search = Search {
        case,
        run,
        runs: 1,
        limit: options.runs,
        stopped: false,
        question,
        progress,
    };
    search.choose_versions();
    let mut least = usize::MAX;
    loop {
        search.reduce(options.keep_start);
        search.reduce_by_other_versions(options.keep_start);
        if search.stopped || search.run.ticks == 0 || search.run.inputs() >= least {
            break;
        }
        least = search.run.inputs();
        let found = Recording::of_text("shrunk", search.run.recording())?;
        let lifted = lift::lift(&found)?;
        let old = search.run.steps().map(|(step, _)| step);
        let steps: Vec<(u32, u32)> = old.zip(lifted.steps).collect();
        let mut case = lifted.case;
        let run = run::measure(&mut case);
        let inputs = search.run.inputs();
        search.question.renumber(&steps);
        search.runs += 1;
        if run.inputs() > inputs || !search.question.fails(&run) {
            let back: Vec<(u32, u32)> = steps.iter().map(|(old, new)| (*new, *old)).collect();
            search.question.renumber(&back);
            break;
        }
        (search.case, search.run) = (case, run);
    }
    let shrunk = Shrunk {
        recording: String::new(),
        before,
        after: search.run.inputs(),
        runs: search.runs,
        complete: !search.stopped,
    };
    Ok((shrunk, search.run))
}
