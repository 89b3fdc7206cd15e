//! transport-mock
