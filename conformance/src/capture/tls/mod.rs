//! TLS connections, decrypted.

mod key_log;

pub use key_log::{KeyLog, MAX_SECRETS};
