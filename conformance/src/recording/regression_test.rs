//! Recordings as Rust tests.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use shadow_core::WallTime;
use shadow_core::recording::{Header, Input};

use super::error::ReadError;
use super::fields::Fields;
use super::reader::Reader;

/// Longest recording that is written into a test, in bytes. Larger ones are better kept as files,
/// for [`replay`](super::replay).
pub const MAXIMUM_TEST: usize = 4 << 20;

/// A Rust file with one test: the recording has to replay the same. All parts of it are in the text,
/// behind one header; a torn last line is left out.
///
/// The test is named after `name`, a file's name or anything else, and needs nothing but the crate
/// `conformance`. Above it is said what the recording is of.
///
/// # Errors
///
/// [`ReadError`]: the recording cannot be read, or is longer than [`MAXIMUM_TEST`].
pub fn regression_test(name: &str, mut reader: Reader<'_>) -> Result<String, ReadError> {
    let mut about = About::of(reader.header());
    let mut recording = reader.header().to_line();
    while let Some(line) = reader.next_line()? {
        about.take(line.text);
        recording.push_str(line.text);
        recording.push('\n');
        if recording.len() > MAXIMUM_TEST {
            let what =
                format!("a recording of more than {MAXIMUM_TEST} bytes is too long for a test");
            return Err(reader.error(1, what));
        }
    }
    let name = identifier(name);
    let about = about.comment();
    let literal = literal(&recording);
    Ok(format!(
        "{about}\n#[test]\nfn {name}_replays() {{\n    \
         conformance::replay_text(\"{name}\", RECORDING).assert_same();\n}}\n\n\
         const RECORDING: &str = {literal};\n"
    ))
}

/// Rust text that stands for `text`.
fn literal(text: &str) -> String {
    // A raw string cannot hold a carriage return, and what changes the direction of writing is
    // refused in any literal.
    let unprintable =
        |c: char| c != '\n' && c.escape_debug().len() > 1 && !matches!(c, '"' | '\\' | '\'');
    if text.contains(unprintable) {
        let lines = text
            .split_inclusive('\n')
            .map(|line| format!("    {line:?},\n"));
        return format!("concat!(\n{})", lines.collect::<String>());
    }
    let mut longest = 0;
    for behind in text.split('"').skip(1) {
        let hashes = behind.bytes().take_while(|byte| *byte == b'#').count();
        longest = longest.max(hashes + 1);
    }
    let hashes = "#".repeat(longest);
    format!("r{hashes}\"{text}\"{hashes}")
}

/// A name that Rust takes.
fn identifier(name: &str) -> String {
    let lower = name.chars().map(|c| match c.is_ascii_alphanumeric() {
        true => c.to_ascii_lowercase(),
        false => '_',
    });
    let lower: String = lower.collect();
    let words: Vec<&str> = lower.split('_').filter(|word| !word.is_empty()).collect();
    let joined = words.join("_");
    match joined.chars().next() {
        None => "recording".to_owned(),
        Some('0'..='9') => format!("recording_{joined}"),
        Some(_) => joined,
    }
}

/// What a recording is of.
struct About {
    engine: String,
    mask: String,
    client: Option<String>,
    began: Option<u64>,
    last: u64,
    wall: Option<WallTime>,
    /// How often each input and output was.
    counts: BTreeMap<(bool, String), u64>,
}

impl About {
    fn of(header: &Header) -> About {
        About {
            engine: header.engine.clone(),
            mask: header.mask.to_string(),
            client: None,
            began: None,
            last: 0,
            wall: None,
            counts: BTreeMap::new(),
        }
    }

    fn take(&mut self, line: &str) {
        if let Ok(Some((at, input))) = Input::parse(line) {
            self.began.get_or_insert(at.as_micros());
            match input {
                Input::Start(start) => self.client = Some(start.config.login.client_id()),
                Input::WallTime(wall) => drop(self.wall.get_or_insert(wall)),
                _ => {}
            }
        }
        let Some(fields) = Fields::parse(line) else {
            return;
        };
        if let Some(at) = fields.number("at") {
            self.last = self.last.max(at);
        }
        let is_input = fields.json("in").is_some();
        let word = match (fields.text("in"), fields.text("out").as_deref()) {
            (Some(input), _) => match &*input {
                // What nobody asks of it.
                "start" | "wall" | "bytes" | "tick" | "poll" | "end" | "connected" => return,
                "disconnected" => {
                    let failure = fields.text("failure").unwrap_or_default();
                    format!("disconnected ({failure})")
                }
                other => other.to_owned(),
            },
            (None, Some("event")) => {
                let event = fields.text("event").unwrap_or_default();
                let detail = fields.text("outcome");
                match detail {
                    Some(detail) => format!("{event}/{detail}"),
                    None => event.into_owned(),
                }
            }
            (None, Some("connect")) => "connections".to_owned(),
            _ => return,
        };
        *self.counts.entry((is_input, word)).or_default() += 1;
    }

    fn comment(&self) -> String {
        let client = self.client.as_deref().unwrap_or("an unknown client");
        let seconds = self.last.saturating_sub(self.began.unwrap_or(0)) / 1_000_000;
        let mut text = format!(
            "// A recorded session of {}: {} s",
            one_line(client),
            seconds
        );
        if let Some(wall) = self.wall {
            // Writing to a text cannot fail.
            let _ = write!(text, " from {}", date(wall));
        }
        let _ = writeln!(
            text,
            ".\n// Recorded by engine {}, masked: {}.",
            one_line(&self.engine),
            self.mask
        );
        for (is_input, what) in [(true, "What went in"), (false, "What came out")] {
            let counted = self
                .counts
                .iter()
                .filter(|((input, _), _)| *input == is_input);
            let words: Vec<String> = counted
                .map(|((_, word), count)| format!("{count} x {}", one_line(word)))
                .collect();
            if !words.is_empty() {
                let _ = writeln!(text, "// {what}: {}.", words.join(", "));
            }
        }
        text
    }
}

/// Nothing that would end a comment or be taken for more than text.
fn one_line(text: &str) -> String {
    let plain = text.chars().map(|c| match c.escape_debug().len() {
        1 => c,
        _ if matches!(c, '"' | '\'' | '\\') => c,
        _ => '?',
    });
    plain.take(120).collect()
}

/// `2021-07-20T08:44:57Z`.
fn date(wall: WallTime) -> String {
    let seconds = wall.as_unix_seconds();
    let (day, second) = (seconds / 86_400, seconds % 86_400);
    // Years that begin in March, in eras of 400 (Howard Hinnant's `civil_from_days`).
    let shifted = day + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let of_month = of_year - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!(
        "{:04}-{month:02}-{of_month:02}T{hour:02}:{minute:02}:{second:02}Z",
        year + era * 400 + carry
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delimiter_cannot_occur_in_the_text() {
        assert_eq!(literal("a\n"), "r\"a\n\"");
        assert_eq!(literal("{\"a\"}\n"), "r#\"{\"a\"}\n\"#");
        assert_eq!(literal("\"#\"##\n"), "r###\"\"#\"##\n\"###");
        assert_eq!(
            literal("a\r\nb\u{202e}\n"),
            "concat!(\n    \"a\\r\\n\",\n    \"b\\u{202e}\\n\",\n)"
        );
    }

    #[test]
    fn names_are_names() {
        assert_eq!(identifier("Lamp 2.1-a"), "lamp_2_1_a");
        assert_eq!(identifier("2021"), "recording_2021");
        assert_eq!(identifier("…"), "recording");
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        let date = |millis| date(WallTime::from_unix_millis(millis));
        assert_eq!(date(0), "1970-01-01T00:00:00Z");
        assert_eq!(date(951_782_400_000), "2000-02-29T00:00:00Z");
        assert_eq!(date(1_626_770_697_670), "2021-07-20T08:44:57Z");
        assert_eq!(date(4_102_444_799_999), "2099-12-31T23:59:59Z");
    }
}
