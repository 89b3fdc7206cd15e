//! The engine from outside, against a server that each test plays itself.

mod device;
mod link;
mod login;
mod memory;
mod plain;
mod profile;
mod requests;
mod robustness;
mod shadow;
