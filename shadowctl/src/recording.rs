//! What a device command writes down of its device.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, ValueEnum};
use shadow_core::recording::Mask;
use transport_tcp::recording::{self, RecordingFile};
use transport_tcp::{Clock, Connector, Driver};

use crate::failure::{Failure, FailureKind};
use crate::seed::random_key;

/// Whether, where and how the device's engine is recorded.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Recording")]
pub struct RecordingOptions {
    /// Record all that the device does in this new file, so that it can be replayed; secrets are
    /// never in it
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,

    /// What the recording does not show beside secrets
    #[arg(
        long,
        value_enum,
        value_name = "WHAT",
        value_delimiter = ',',
        requires = "record"
    )]
    pub record_mask: Vec<Masked>,

    /// The most bytes of a file, also as 500K, 64M or 1G; then FILE goes on as a file with a number
    #[arg(long, value_name = "SIZE", default_value = "64M", requires = "record")]
    pub record_limit: Size,

    /// How many files to keep, the newest; without the first it can be shown, but not replayed
    #[arg(long, value_name = "N", requires = "record")]
    pub record_keep: Option<NonZeroU32>,
}

/// What can be masked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Masked {
    /// Product ids, device names, client ids and user names
    Names,
    /// The values in documents and messages
    Values,
}

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size(u64);

impl Default for Size {
    fn default() -> Size {
        Size(recording::RecordingOptions::default().maximum_size)
    }
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Size, String> {
        let shifts = [('K', 10), ('M', 20), ('G', 30)];
        let unit = shifts.iter().find(|(unit, _)| text.ends_with(*unit));
        let (digits, shift) = match unit {
            Some((unit, shift)) => (text.trim_end_matches(*unit), *shift),
            None => (text, 0),
        };
        digits
            .bytes()
            .all(|byte| byte.is_ascii_digit())
            .then(|| digits.parse::<u64>().ok()?.checked_mul(1 << shift))
            .flatten()
            .filter(|size| *size > 0)
            .map(Size)
            .ok_or_else(|| "a size is a number of bytes, or one with K, M or G behind it".into())
    }
}

/// Where a device is recorded, if it is.
#[derive(Debug, Default)]
pub struct Recording(Option<(Mask, RecordingFile)>);

impl RecordingOptions {
    /// Creates the file.
    ///
    /// # Errors
    ///
    /// [`FailureKind::InputFile`], naming the file: it exists, or cannot be made.
    pub fn begin(&self) -> Result<Recording, Failure> {
        let Some(path) = &self.record else {
            return Ok(Recording::default());
        };
        let options = recording::RecordingOptions {
            maximum_size: self.record_limit.0,
            keep: self.record_keep,
            overwrite: false,
        };
        let file = RecordingFile::create(path, options)
            .map_err(|error| Failure::new(FailureKind::InputFile, error.to_string()))?;
        let mut mask = Mask::default();
        if !self.record_mask.is_empty() {
            mask = Mask::keyed(random_key()?);
        }
        for masked in &self.record_mask {
            mask = match masked {
                Masked::Names => mask.names(),
                Masked::Values => mask.values(),
            };
        }
        Ok(Recording(Some((mask, file))))
    }
}

impl Recording {
    /// Has the driver's engine recorded there.
    pub fn of<C: Connector, K: Clock>(self, driver: Driver<C, K>) -> Driver<C, K> {
        match self.0 {
            Some((mask, file)) => driver.with_recording(mask, file),
            None => driver,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        let size = |text: &str| text.parse::<Size>().map(|size| size.0);
        for (text, bytes) in [
            ("1", 1),
            ("500K", 512_000),
            ("64M", Size::default().0),
            ("2G", 1 << 31),
        ] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for text in [
            "",
            "M",
            "0",
            "-1",
            "+1",
            "1.5M",
            "64m",
            "1MK",
            "99999999999G",
        ] {
            assert!(size(text).is_err(), "{text}");
        }
    }
}
