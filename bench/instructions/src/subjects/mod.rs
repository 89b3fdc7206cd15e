//! Who is measured.

#[cfg(feature = "peers")]
mod mqttrs;
#[cfg(feature = "peers")]
mod peer;
#[cfg(feature = "peers")]
mod peer_json;
#[cfg(feature = "peers")]
mod protocol_core;
#[cfg(feature = "peers")]
mod rumqttc;

mod description;
mod shadow_codec;
mod shadow_device;
mod shadow_engine;
#[cfg(test)]
mod tests;

use std::any::Any;

use crate::operation::Operation;
use crate::work::{Nothing, Work};

pub use self::shadow_device::{idle_engine, worked_engine};

/// Ours or a peer.
#[derive(Clone, Copy)]
pub struct Subject {
    /// As it stands in the table.
    pub name: &'static str,
    /// Its work for an operation; `None` where it can do no such thing.
    pub work: fn(Operation) -> Option<Box<dyn Work>>,
    /// What it holds for a connection that is idle, all of it on the heap; `None` where it has
    /// nothing of the kind.
    pub idle: Option<fn() -> Box<dyn Any>>,
}

/// Ours.
pub const SHADOW: Subject = Subject {
    name: bench::OURS,
    work: shadow,
    idle: Some(idle_engine),
};

/// All, ours first.
#[must_use]
pub fn subjects() -> Vec<Subject> {
    #[cfg_attr(
        not(feature = "peers"),
        expect(unused_mut, reason = "there are no others")
    )]
    let mut subjects = vec![SHADOW];
    #[cfg(feature = "peers")]
    {
        subjects.extend(mqttrs::SUBJECTS);
        subjects.extend(rumqttc::SUBJECTS);
        subjects.extend(protocol_core::SUBJECTS);
    }
    subjects
}

/// Those that can do it.
pub fn able(operation: Operation) -> impl Iterator<Item = (Subject, Box<dyn Work>)> {
    let subjects = subjects().into_iter();
    subjects.filter_map(move |subject| Some((subject, (subject.work)(operation)?)))
}

fn shadow(operation: Operation) -> Option<Box<dyn Work>> {
    if operation == Operation::Nothing {
        return Some(Box::new(Nothing));
    }
    shadow_codec::work(operation).or_else(|| shadow_engine::work(operation))
}
