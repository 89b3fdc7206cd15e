//! Where a session waits for the next run.

mod contents;
mod disk;
mod error;
#[cfg(test)]
mod tests;

pub use error::StoreError;
