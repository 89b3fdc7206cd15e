//! Sessions written for other programs to read.

pub mod pcapng;
