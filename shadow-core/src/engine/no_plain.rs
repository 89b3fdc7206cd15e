//! Without the feature `messages`: no topics but the own shadow's.

/// What a task on such a topic would have: there is no such task, and the compiler knows.
pub(super) type Plain = core::convert::Infallible;

/// How to make such a task: not at all.
pub(super) const PLAIN: Option<Plain> = None;
