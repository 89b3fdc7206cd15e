//! What is kept of one shadow.

use crate::json::Object;
use crate::tencent::ShadowName;

/// What is kept of one shadow: the two halves of the document as far as the device has to do with
/// them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ShadowState {
    pub(crate) name: ShadowName,
    /// What the device last reported. Holds no nulls.
    pub(crate) reported: Object,
    /// What the cloud is known to hold of all that the device ever reported; null where an update
    /// was sent and not answered, or where the device deleted a key that it had never set. The
    /// patch from here to `reported` is what is still to be sent.
    pub(crate) acknowledged: Object,
    /// The changes of `desired` that the application was told of and has not answered.
    pub(crate) pending: Object,
    /// The values of `desired` that it has answered, until the cloud has deleted them.
    pub(crate) answered: Object,
    /// The document's highest version seen, as of the last reset.
    pub(crate) version: Option<u64>,
}

impl ShadowState {
    pub(super) fn new(name: ShadowName) -> ShadowState {
        ShadowState {
            name,
            reported: Object::default(),
            acknowledged: Object::default(),
            pending: Object::default(),
            answered: Object::default(),
            version: None,
        }
    }

    /// Whether there is nothing but a name and a version.
    pub(crate) fn is_blank(&self) -> bool {
        let parts = [
            &self.reported,
            &self.acknowledged,
            &self.pending,
            &self.answered,
        ];
        parts.into_iter().all(Object::is_empty)
    }

    /// What the cloud has not acknowledged, as the patch that brings it there.
    pub(crate) fn unacknowledged(&self) -> Object {
        self.acknowledged.patch_to(&self.reported)
    }

    /// Another writer takes over the keys that `update` names; all keys for `None`.
    pub(crate) fn give_up(&mut self, update: Option<&Object>) {
        match update {
            Some(named) => {
                self.reported = self.reported.without(named);
                self.acknowledged = self.acknowledged.without(named);
            }
            None => {
                self.reported = Object::default();
                self.acknowledged = Object::default();
            }
        }
    }
}
