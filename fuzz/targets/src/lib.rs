//! What each fuzz target does with its bytes.
//!
//! A target is a function that takes any bytes and panics if one of the promises of the crates does
//! not hold for them. The fuzzer's programs call them, and so does a test, with each file of the
//! corpus. The README beside this crate says how to run and extend them.
#![expect(clippy::panic, reason = "a panic is how a target tells of a fault")]

mod captures;
mod decoder;
mod device_info;
mod engine;
mod input;
mod json;
mod log_importer;
mod recording;
mod session;
mod sessions;
mod shadow_messages;

pub use captures::captures;
pub use decoder::decoder;
pub use device_info::device_info;
pub use engine::engine;
pub use log_importer::log_importer;
pub use recording::recording;
pub use session::session;
pub use sessions::sessions;
pub use shadow_messages::shadow_messages;

/// A target: it returns for every input, or has found a fault.
pub type Target = fn(&[u8]);

/// Every target by its name, which is that of its directory in the corpus.
pub const TARGETS: [(&str, Target); 9] = [
    ("decoder", decoder),
    ("engine", engine),
    ("shadow_messages", shadow_messages),
    ("device_info", device_info),
    ("log_importer", log_importer),
    ("session", session),
    ("recording", recording),
    ("captures", captures),
    ("sessions", sessions),
];
