//! Recordings of whole sessions with the model of the cloud: replayed, changed, asserted about.

#[cfg(test)]
mod assertions;
#[cfg(test)]
mod plants;
#[cfg(test)]
mod sessions;

/// Written by `shadowctl replay fixtures/recordings/lamp.jsonl --to-test`; a test compares it with
/// what is written now.
#[cfg(test)]
mod generated;
