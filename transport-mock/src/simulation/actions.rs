//! What applications do: the desiring one, and that of each device.

use shadow_core::mqtt::QoS;
use shadow_core::tencent::Update;
use shadow_core::{Delta, Instant, Publication, RequestError, RequestId, ShadowId};

use super::SimulatedEngine;
use super::invariant::{Invariant, Violation};
use super::model::{Asked, Model, Voice, leaves, patch};
use super::play::{Actor, Play};
use super::script::{Answer, Key};

impl Play {
    /// A device's actor, unless it has no power.
    pub(super) fn awake(&mut self, index: usize) -> Option<&mut Actor> {
        let actor = self.actors.get_mut(index)?;
        (!self.simulation.is_dark(actor.id)).then_some(actor)
    }

    pub(super) fn desire(&mut self, index: usize, values: &[(Key, Option<u64>)]) {
        let Some(actor) = self.actors.get_mut(index) else {
            return;
        };
        let patch = patch(values.iter().copied()).to_string();
        if self.simulation.set_desired(&actor.name, &patch).is_ok() {
            let engine = self.simulation.engine(actor.id);
            let powered = !self.simulation.is_dark(actor.id);
            let settled = powered && engine.is_synchronized(actor.shadow);
            for (key, value) in values {
                actor.model.desired(*key, *value, settled);
            }
            actor.model.compare(&actor.reported);
            actor.written.push(values);
        }
    }

    /// Makes a request; one that is refused changes nothing.
    pub(super) fn request(
        &mut self,
        index: usize,
        asked: Asked,
        make: impl FnOnce(&mut SimulatedEngine, Instant, ShadowId) -> Result<RequestId, RequestError>,
    ) -> Result<bool, Violation> {
        let Some(actor) = self.awake(index) else {
            return Ok(false);
        };
        let (id, shadow) = (actor.id, actor.shadow);
        let made = self
            .simulation
            .with(id, |engine, now| make(engine, now, shadow));
        let refusal = made.as_ref().err();
        let expected = matches!(
            refusal,
            None | Some(RequestError::TooManyRequests { .. } | RequestError::QueueFull { .. })
        );
        self.checks.that(Invariant::Bounds, expected, || {
            format!("a request was refused: {refusal:?}")
        })?;
        let (Ok(request), Some(actor)) = (made, self.actors.get_mut(index)) else {
            return Ok(false);
        };
        actor.model.asked(&mut self.checks, request, asked)?;
        Ok(true)
    }

    pub(super) fn report(
        &mut self,
        index: usize,
        values: &[(Key, Option<u64>)],
    ) -> Result<(), Violation> {
        let Some(actor) = self.awake(index) else {
            return Ok(());
        };
        let before = actor.model.clone();
        let said = said(&mut actor.model, values, Voice::Report);
        actor.written.push(values);
        let asked = Asked::Report(said);
        let patch = patch(values.iter().copied());
        let made = self.request(index, asked, |engine, now, shadow| {
            engine.report(now, shadow, &patch)
        })?;
        self.take_back(index, made, before);
        Ok(())
    }

    pub(super) fn report_again(
        &mut self,
        index: usize,
        leaves: Vec<(Key, usize)>,
    ) -> Result<(), Violation> {
        let asked = Asked::Report(leaves);
        self.request(index, asked, |engine, now, shadow| {
            engine.report(now, shadow, &serde_json::json!({}))
        })?;
        Ok(())
    }

    /// What was refused was never said.
    fn take_back(&mut self, index: usize, made: bool, before: Model) {
        if !made && let Some(actor) = self.actors.get_mut(index) {
            actor.model = before;
        }
    }

    pub(super) fn update(
        &mut self,
        index: usize,
        key: Key,
        checked: bool,
    ) -> Result<(), Violation> {
        let value = self.value();
        let Some(actor) = self.awake(index) else {
            return Ok(());
        };
        let before = actor.model.clone();
        let version = actor.heard.filter(|_| checked);
        actor.model.said(key, Some(value), Voice::Update);
        let mut update = Update::new().reported(patch([(key, Some(value))]));
        if let Some(version) = version {
            update = update.version(version);
        }
        let asked = Asked::Update(value);
        let made = self.request(index, asked, |engine, now, shadow| {
            engine.update(now, shadow, &update)
        })?;
        self.take_back(index, made, before);
        Ok(())
    }

    pub(super) fn publish(&mut self, index: usize, qos: u8) -> Result<(), Violation> {
        let Some(actor) = self.awake(index) else {
            return Ok(());
        };
        let topic = format!(
            "{}/{}/data",
            actor.name.product_id(),
            actor.name.device_name()
        );
        let (qos, value) = (qos.min(2), self.value());
        let payload = value.to_string();
        self.request(index, Asked::Publish { qos, value }, |engine, now, _| {
            let quality = QoS::from_number(qos).unwrap_or(QoS::AtMostOnce);
            engine.publish(
                now,
                &Publication::new(&topic, payload.as_bytes()).qos(quality),
            )
        })?;
        Ok(())
    }

    pub(super) fn answer(
        &mut self,
        index: usize,
        delta: &Delta,
        how: Answer,
    ) -> Result<(), Violation> {
        let first = first_member(delta);
        match how {
            Answer::Accept => self.accept(index, delta),
            Answer::AcceptAs => {
                let wanted = leaves(delta.state.as_str());
                let values: Vec<_> = Key::ALL
                    .into_iter()
                    .zip(wanted)
                    .filter(|(_, value)| value.is_some())
                    .map(|(key, _)| (key, Some(self.value())))
                    .collect();
                self.accept_as(index, delta, &values)
            }
            Answer::Reject => self.reject(index, delta),
            Answer::Partial => {
                self.accept(index, &delta.only(&[first.as_str()]))?;
                let rest = delta.without(&[first.as_str()]);
                match rest.state.as_str() {
                    "{}" => Ok(()),
                    _ => self.reject(index, &rest),
                }
            }
            Answer::First => {
                let rest = delta.without(&[first.as_str()]);
                if rest.state.as_str() != "{}"
                    && let Some(actor) = self.actors.get_mut(index)
                {
                    actor.deltas.push_back(rest);
                }
                self.accept(index, &delta.only(&[first.as_str()]))
            }
            Answer::Ignore => Ok(()),
        }
    }

    fn accept(&mut self, index: usize, delta: &Delta) -> Result<(), Violation> {
        let values = leaves(delta.state.as_str());
        let values: Vec<_> = Key::ALL
            .into_iter()
            .zip(values)
            .filter(|(_, value)| value.is_some())
            .collect();
        self.accept_with(index, delta, &values, |engine, now, delta| {
            engine.accept(now, delta)
        })
    }

    fn accept_as(
        &mut self,
        index: usize,
        delta: &Delta,
        values: &[(Key, Option<u64>)],
    ) -> Result<(), Violation> {
        let patch = patch(values.iter().copied());
        self.accept_with(index, delta, values, |engine, now, delta| {
            engine.accept_as(now, delta, &patch)
        })
    }

    fn accept_with(
        &mut self,
        index: usize,
        delta: &Delta,
        values: &[(Key, Option<u64>)],
        accept: impl FnOnce(&mut SimulatedEngine, Instant, &Delta) -> Result<RequestId, RequestError>,
    ) -> Result<(), Violation> {
        let Some(actor) = self.awake(index) else {
            return Ok(());
        };
        let before = actor.model.clone();
        let said = said(&mut actor.model, values, Voice::Answer);
        actor.written.push(values);
        actor.model.answered(&leaves(delta.state.as_str()));
        let asked = Asked::Report(said);
        let made = self.request(index, asked, |engine, now, _| accept(engine, now, delta))?;
        self.answer_later(index, made, delta);
        self.take_back(index, made, before);
        Ok(())
    }

    fn reject(&mut self, index: usize, delta: &Delta) -> Result<(), Violation> {
        let values = leaves(delta.state.as_str());
        let Some(actor) = self.awake(index) else {
            return Ok(());
        };
        let before = actor.model.clone();
        actor.model.answered(&values);
        let asked = Asked::Reject(values);
        let made = self.request(index, asked, |engine, now, _| {
            engine.reject(now, delta, "not today")
        })?;
        self.answer_later(index, made, delta);
        self.take_back(index, made, before);
        Ok(())
    }

    fn answer_later(&mut self, index: usize, made: bool, delta: &Delta) {
        if !made && let Some(actor) = self.actors.get_mut(index) {
            actor.deltas.push_front(delta.clone());
        }
    }
}

/// Has a model remember what the device says; returns where.
fn said(model: &mut Model, values: &[(Key, Option<u64>)], voice: Voice) -> Vec<(Key, usize)> {
    let say = |(key, value): &(Key, Option<u64>)| (*key, model.said(*key, *value, voice));
    values.iter().map(say).collect()
}

/// The first member of a delta's state.
fn first_member(delta: &Delta) -> String {
    let text = delta.state.as_str();
    text.split('"').nth(1).unwrap_or_default().to_owned()
}
