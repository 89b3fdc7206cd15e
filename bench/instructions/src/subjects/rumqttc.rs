//! To come.

use super::Subject;

pub(super) const SUBJECTS: [Subject; 0] = [];
