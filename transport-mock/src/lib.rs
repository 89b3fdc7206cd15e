//! transport-mock

pub mod service;
