//! The commands that do one thing each.

pub mod clear;
pub mod completions;
pub mod desire;
pub mod diagnose;
pub mod export;
pub mod get;
pub mod import;
pub mod man;
pub mod replay;
pub mod report;
pub mod show;
pub mod shrink;
pub mod watch;
