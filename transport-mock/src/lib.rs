//! transport-mock

pub mod application;
pub mod cloud;
pub mod server;
pub mod service;
pub mod stream;
mod wall_clock;
