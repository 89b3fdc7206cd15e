//! The attached shadows.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::json::Object;
use crate::request::ShadowId;
use crate::tencent::ShadowName;
use crate::time::Instant;

/// An attached shadow.
#[derive(Debug)]
pub(super) struct Shadow {
    pub(super) id: ShadowId,
    pub(super) name: ShadowName,
    pub(super) operation_topic: Box<str>,
    pub(super) result_topic: Box<str>,
    /// Numbers tokens of the style that counts for each shadow apart.
    pub(super) next_token: u64,
    /// Whether `reported` or an answer may be ahead of the cloud; false only if neither is.
    pub(super) unsynchronized: bool,
    /// What was reported while a one-shot update was open, as nulls: that may arrive behind the get
    /// that shows the contrary.
    pub(super) contested: Object,
    pub(super) link: ShadowLink,
}

/// What dies with the link.
#[derive(Debug, Default)]
pub(super) struct ShadowLink {
    pub(super) subscription: Subscribed,
    /// Whether the barrier was told.
    pub(super) ready: bool,
    /// What is known of the document.
    pub(super) knowledge: Knowledge,
    /// Whether what waits for an answer was told on this link.
    pub(super) told: bool,
    /// Whether a get of the engine's is under way, or about to be.
    pub(super) fetching: bool,
    /// Whether a one-shot update was open when the engine's last get was made, and so may have been
    /// sent behind it.
    pub(super) precedes_update: bool,
    /// Whether the cloud refused the engine's update, so that the next one waits for something new.
    pub(super) paused: bool,
    /// Whether there is an update to send as soon as the pace of messages allows.
    pub(super) paced: bool,
    /// Version conflicts in a row.
    pub(super) conflicts: u8,
    /// When the engine's last get was made.
    pub(super) asked: Option<Instant>,
    /// Whether a higher version or news was seen since, so that the get's reply may be older than
    /// that.
    pub(super) risen: bool,
    /// The engine's update that is under way.
    pub(super) update: Option<Box<UpdateUnderWay>>,
}

/// What is known of the document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) enum Knowledge {
    /// No get of this link was answered yet.
    #[default]
    None,
    /// The cloud rejects gets.
    Refused,
    /// All that happened up to the known version.
    Complete,
    /// A change was missed; a get is to show which.
    Gap,
}

impl Knowledge {
    /// A change was missed.
    pub(super) fn miss(&mut self) {
        if *self == Knowledge::Complete {
            *self = Knowledge::Gap;
        }
    }
}

/// An update that the engine made.
#[derive(Debug)]
pub(super) struct UpdateUnderWay {
    /// The patch of `reported` in it.
    pub(super) reported: Object,
    /// The answered values that it deletes from `desired`.
    pub(super) answered: Object,
    /// The version that it carries.
    pub(super) version: Option<u64>,
}

/// Whether replies can come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) enum Subscribed {
    /// SUBSCRIBE is still to be sent on this link.
    #[default]
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
    /// Ids only grow, so the oldest first are the smallest first.
    attached: Vec<Shadow>,
    next_id: u32,
    /// The one that the engine's last update was for.
    last_turn: Option<ShadowId>,
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
            next_token: first_token,
            // Until a get of the first link has shown otherwise.
            unsynchronized: true,
            contested: Object::default(),
            link: ShadowLink::default(),
        });
        id
    }

    pub(super) fn detach(&mut self, id: ShadowId) -> Option<Shadow> {
        let index = self.index(id)?;
        Some(self.attached.remove(index))
    }

    pub(super) fn len(&self) -> usize {
        self.attached.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Shadow> {
        self.attached.iter()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Shadow> {
        self.attached.iter_mut()
    }

    /// By its place.
    pub(super) fn at(&self, index: usize) -> Option<&Shadow> {
        self.attached.get(index)
    }

    /// The place of the shadow whose turn it is.
    pub(super) fn turn(&self) -> usize {
        let last = self.last_turn;
        self.attached
            .partition_point(|shadow| Some(shadow.id) <= last)
    }

    /// This one had its turn.
    pub(super) fn end_turn(&mut self, id: ShadowId) {
        self.last_turn = Some(id);
    }

    pub(super) fn get(&self, id: ShadowId) -> Option<&Shadow> {
        self.attached.get(self.index(id)?)
    }

    pub(super) fn get_mut(&mut self, id: ShadowId) -> Option<&mut Shadow> {
        let index = self.index(id)?;
        self.attached.get_mut(index)
    }

    fn index(&self, id: ShadowId) -> Option<usize> {
        self.attached
            .binary_search_by_key(&id, |shadow| shadow.id)
            .ok()
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
