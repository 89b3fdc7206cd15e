//! Recordings of whole sessions with the model of the cloud: replayed, changed, asserted about.

mod assertions;
mod plants;
mod sessions;

/// Written by `shadowctl replay fixtures/recordings/lamp.jsonl --to-test`; a test compares it with
/// what is written now.
mod generated;
