//! The first line of a recording.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::Deserialize;

use super::Mask;
use super::input::LineError;
use super::line::Line;

/// The format that this version writes, and the newest that it reads.
pub const FORMAT: u32 = 1;

/// The first line: that this is a recording, and of what kind.
///
/// ```
/// use shadow_core::recording::Header;
///
/// let header = Header::parse(r#"{"shadow-recording":1,"engine":"0.1.0","part":1,"mask":[]}"#)?;
/// assert_eq!(header, Header { engine: "0.1.0".into(), ..Header::default() });
/// # Ok::<(), shadow_core::recording::LineError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The version of the engine that was recorded; of this one by default.
    pub engine: String,
    /// Which file of the recording this is, from 1. Each goes on where the one before ends; only the
    /// first has the `start`.
    pub part: u32,
    /// What is masked beside secrets.
    pub mask: Mask,
}

impl Default for Header {
    fn default() -> Header {
        Header {
            engine: env!("CARGO_PKG_VERSION").into(),
            part: 1,
            mask: Mask::default(),
        }
    }
}

#[derive(Deserialize)]
struct Stored {
    #[serde(rename = "shadow-recording")]
    format: u32,
    engine: String,
    part: u32,
    mask: Vec<String>,
}

/// What of a header tells whether it is one.
#[derive(Deserialize)]
struct Signature {
    #[serde(rename = "shadow-recording")]
    format: u64,
}

impl Header {
    /// The header as the line it is, with its line feed.
    #[must_use]
    pub fn to_line(&self) -> String {
        let mut line = Line::default();
        line.begin_plain(r#"{"shadow-recording":1"#)
            .string("engine", &self.engine)
            .number("part", self.part);
        let masked = [
            (self.mask.hides_names(), "names"),
            (self.mask.hides_values(), "values"),
        ];
        let masked = masked.iter().filter(|(set, _)| *set);
        line.list("mask", masked, |line, (_, name)| line.text(name));
        line.end().into()
    }

    /// Reads a header; a line feed at its end does not matter.
    ///
    /// # Errors
    ///
    /// [`LineError`] if it is none, or that of a newer format, which it names.
    pub fn parse(line: &str) -> Result<Header, LineError> {
        let signature: Signature = serde_json::from_str(line).map_err(|error| {
            let column = error.column();
            LineError::new(column, "this is not the first line of a recording")
        })?;
        if signature.format != u64::from(FORMAT) {
            return Err(LineError::new(
                1,
                alloc::format!(
                    "the recording is in format {}, and this version reads format {FORMAT}",
                    signature.format
                ),
            ));
        }
        let stored: Stored = serde_json::from_str(line)?;
        debug_assert_eq!(stored.format, FORMAT, "it was just read");
        let (mut names, mut values) = (false, false);
        for name in &stored.mask {
            match name.as_str() {
                "names" => names = true,
                "values" => values = true,
                other => {
                    return Err(LineError::new(
                        line.find("mask").map_or(1, |at| at + 1),
                        alloc::format!("nothing is masked as `{other}`"),
                    ));
                }
            }
        }
        Ok(Header {
            engine: stored.engine.to_string(),
            part: stored.part,
            mask: Mask::applied(names, values),
        })
    }
}
