//! The attached shadows.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::json::Json;
use crate::request::ShadowId;
use crate::tencent::ShadowName;

/// An attached shadow.
#[derive(Debug)]
pub(super) struct Shadow {
    pub(super) id: ShadowId,
    pub(super) name: ShadowName,
    pub(super) operation_topic: Box<str>,
    pub(super) result_topic: Box<str>,
    pub(super) subscription: Subscribed,
    /// Numbers tokens of the style that counts for each shadow apart.
    pub(super) next_token: u64,
    /// The last delta that was told on this link, so that a pushed and a fetched copy of one change
    /// are told once.
    pub(super) last_delta: Option<(u64, Json)>,
}

/// Whether replies can come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Subscribed {
    /// SUBSCRIBE is still to be sent on this link.
    No,
    /// SUBSCRIBE was sent.
    Asked,
    /// SUBACK granted it.
    Live,
    /// SUBACK refused it, or this link's subscription is the application's affair.
    Refused,
}

/// All attached shadows, in the order of their ids.
#[derive(Debug, Default)]
pub(super) struct Shadows {
    attached: Vec<Shadow>,
    next_id: u32,
}

impl Shadows {
    pub(super) fn attach(&mut self, name: ShadowName, first_token: u64) -> ShadowId {
        let id = ShadowId(self.next_id);
        self.next_id += 1;
        if self.attached.is_empty() {
            // Nearly every device has just this one.
            self.attached.reserve_exact(1);
        }
        self.attached.push(Shadow {
            id,
            operation_topic: name.operation_topic().into(),
            result_topic: name.result_topic().into(),
            name,
            subscription: Subscribed::No,
            next_token: first_token,
            last_delta: None,
        });
        id
    }

    pub(super) fn detach(&mut self, id: ShadowId) -> Option<Shadow> {
        let index = self.attached.iter().position(|shadow| shadow.id == id)?;
        Some(self.attached.remove(index))
    }

    pub(super) fn len(&self) -> usize {
        self.attached.len()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Shadow> {
        self.attached.iter_mut()
    }

    pub(super) fn get(&self, id: ShadowId) -> Option<&Shadow> {
        self.attached.iter().find(|shadow| shadow.id == id)
    }

    pub(super) fn get_mut(&mut self, id: ShadowId) -> Option<&mut Shadow> {
        self.attached.iter_mut().find(|shadow| shadow.id == id)
    }

    pub(super) fn by_name(&self, name: &ShadowName) -> Option<&Shadow> {
        self.attached.iter().find(|shadow| shadow.name == *name)
    }

    pub(super) fn by_result_topic(&mut self, topic: &str) -> Option<&mut Shadow> {
        self.attached
            .iter_mut()
            .find(|shadow| *shadow.result_topic == *topic)
    }

    /// Whether `topic` is one that an attached shadow uses.
    pub(super) fn own(&self, topic: &str) -> bool {
        let mut topics = self
            .attached
            .iter()
            .flat_map(|shadow| [&shadow.operation_topic, &shadow.result_topic]);
        topics.any(|own| **own == *topic)
    }
}
