//! Tells a recorded session as a sequence of steps, and draws it.
//!
//! * [`Story`] reads a recording line by line and gives a [`Step`] for each thing that happened:
//!   calls of the application, packets both ways, the link, events, timers. Requests are joined to
//!   their replies, and the shadow's document is followed as far as the session shows it.
//! * [`write_page`] makes one page of them that needs nothing but a browser.
//!
//! All of it is read off the recording alone; no engine runs. Memory is bounded: what is kept is
//! what waits for an answer, and the documents.
//!
//! ```
//! use conformance::recording::{Part, Reader};
//! use conformance::show::{Kind, Story};
//!
//! let recording = concat!(
//!     r#"{"shadow-recording":1,"engine":"0.1.0","part":1,"mask":[]}"#, "\n",
//!     r#"{"at":7000000,"out":"packet","packet":"PINGREQ"}"#, "\n",
//!     r#"{"at":7012300,"in":"bytes","bytes":"\u00d0\u0000"}"#, "\n",
//! );
//! let reader = Reader::new(vec![Part::of_text("lamp", recording)])?;
//! let steps: Vec<_> = Story::new(reader).collect::<Result<_, _>>()?;
//! assert_eq!((steps[1].name.as_str(), steps[1].kind), ("PINGRESP", Kind::Control));
//! assert_eq!(steps[1].at.as_micros(), 12_300);
//! assert_eq!(steps[1].answers[0].step, steps[0].number);
//! # Ok::<(), conformance::recording::ReadError>(())
//! ```

mod call;
mod document;
mod event;
mod exchange;
mod line;
mod packet;
mod page;
mod step;
mod story;
mod teller;
mod words;

pub use page::{MAXIMUM_STEPS, Page, PageError, write_page};
pub use step::{Answer, Change, Content, Deadline, Kind, Link, Route, Step};
pub use story::{Known, Story};
pub use words::{ShadowWords, Span};
