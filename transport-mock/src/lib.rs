//! transport-mock

pub mod application;
pub mod cloud;
pub mod server;
pub mod service;
mod wall_clock;
