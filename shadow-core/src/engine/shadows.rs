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
    /// Where the session keeps it.
    pub(super) place: u32,
    pub(super) operation_topic: Box<str>,
    /// Numbers tokens of the style that counts for each shadow apart.
    pub(super) next_token: u64,
    /// Whether `reported` or an answer may be ahead of the cloud; false only if neither is.
    pub(super) unsynchronized: bool,
    /// What was reported while a one-shot update was open, as nulls: that may arrive behind the get
    /// that shows the contrary.
    pub(super) contested: Object,
    pub(super) link: ShadowLink,
}

impl Shadow {
    /// Something is to be sent: what no push has said is to be known by then, or an answer would
    /// delete what nobody was told of.
    pub(super) fn ask_for_unsaid(&mut self) {
        if self.link.unsaid {
            self.link.knowledge.miss();
        }
    }
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
    /// Whether a push left out what waits for an answer, or something was answered that waits no
    /// more. What is desired in its place may be just what is reported: no push says so.
    pub(super) unsaid: bool,
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
    /// The indices in `attached` in the order of the names, if there are more than [`FEW`].
    by_name: Vec<u32>,
    next_id: u32,
    /// The least id of those whose turn it is to send an update of the engine's.
    next_turn: u32,
}

/// So many are looked through one by one.
const FEW: usize = 8;

impl Shadows {
    /// `place` is where the session keeps it.
    pub(super) fn attach(&mut self, name: ShadowName, place: u32, first_token: u64) -> ShadowId {
        let id = ShadowId(self.next_id);
        self.next_id += 1;
        if self.attached.is_empty() {
            // Nearly every device has just this one.
            self.attached.reserve_exact(1);
        }
        self.attached.push(Shadow {
            id,
            operation_topic: name.operation_topic().into(),
            name,
            place,
            next_token: first_token,
            // Until a get of the first link has shown otherwise.
            unsynchronized: true,
            contested: Object::default(),
            link: ShadowLink::default(),
        });
        self.sort_names();
        id
    }

    /// What the session keeps of it has to be forgotten then.
    #[cfg(feature = "messages")]
    pub(super) fn detach(&mut self, id: ShadowId) -> Option<Shadow> {
        let index = self.index(id)?;
        let detached = self.attached.remove(index);
        for shadow in &mut self.attached {
            shadow.place -= u32::from(shadow.place > detached.place);
        }
        self.by_name = Vec::new();
        self.sort_names();
        Some(detached)
    }

    /// Puts those into `by_name` that are not there yet.
    fn sort_names(&mut self) {
        if self.attached.len() <= FEW {
            return;
        }
        for (index, shadow) in self.attached.iter().enumerate().skip(self.by_name.len()) {
            let place = self.search(shadow.name.parts());
            let place = place.unwrap_or_else(|place| place);
            self.by_name.insert(place, index as u32);
        }
    }

    /// The place in `by_name` of a product id and device name.
    fn search(&self, parts: (&str, &str)) -> Result<usize, usize> {
        self.by_name.binary_search_by(|index| {
            let shadow = self.attached.get(*index as usize);
            shadow.map(|shadow| shadow.name.parts()).cmp(&Some(parts))
        })
    }

    /// Whether there is anything to be sent for any, as soon as that is possible.
    pub(super) fn want_to_send(&self) -> bool {
        self.attached.iter().any(|shadow| {
            let link = &shadow.link;
            shadow.unsynchronized
                || link.subscription == Subscribed::No
                || link.knowledge == Knowledge::Gap
        })
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
        self.attached
            .partition_point(|shadow| shadow.id.0 < self.next_turn)
    }

    /// This one had its turn.
    pub(super) fn end_turn(&mut self, id: ShadowId) {
        self.next_turn = id.0 + 1;
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
        if self.by_name.is_empty() {
            return self.attached.iter().find(|shadow| shadow.name == *name);
        }
        let place = self.search(name.parts()).ok()?;
        self.attached.get(*self.by_name.get(place)? as usize)
    }

    pub(super) fn by_result_topic(&mut self, topic: &str) -> Option<&mut Shadow> {
        if self.by_name.is_empty() {
            let mut attached = self.attached.iter_mut();
            return attached.find(|shadow| shadow.name.is_result_topic(topic));
        }
        let place = self.search(ShadowName::split_result_topic(topic)?).ok()?;
        self.attached.get_mut(*self.by_name.get(place)? as usize)
    }

    /// Whether `topic` is one that an attached shadow uses.
    pub(super) fn own(&self, topic: &str) -> bool {
        self.attached
            .iter()
            .any(|shadow| *shadow.operation_topic == *topic || shadow.name.is_result_topic(topic))
    }
}
