//! This project's engine.
//!
//! One request is under way at a time. What has to be so for an operation to begin, as an open get
//! whose reply is to come, is prepared before each run, and is not measured.

use std::hint::black_box;

use serde::Serialize;
use shadow_core::tencent::Update;
use shadow_core::{Event, Outcome};

use super::description::{described, described_publish};
use super::shadow_device::Device;
use crate::messages::{
    LARGE, PINGRESP, REPORTED, Reported, get_reply, large_get_reply, sensors, update_reply,
};
use crate::operation::Operation;
use crate::work::Work;

pub(super) fn work(operation: Operation) -> Option<Box<dyn Work>> {
    Some(match operation {
        Operation::GetReply => reply(get_reply, receive),
        Operation::LargeGetReply => reply(large_get_reply, receive),
        Operation::GetReplyByBytes => reply(get_reply, |device| {
            for byte in device.received.chunks(1) {
                device.engine.handle_bytes(device.now, byte);
            }
            device.engine.poll_event()
        }),
        Operation::Update => update(REPORTED),
        Operation::LargeUpdate => update(sensors(LARGE)),
        Operation::Delta => on_device(
            |device| {
                if device.version > device.first_version {
                    device.next_token();
                    answer(device);
                    device.settle();
                }
                device.expect_delta();
            },
            receive,
        ),
        Operation::Accept => on_device(
            |device| {
                device.settle();
                device.expect_delta();
                let told = receive(device);
                assert!(matches!(told, Some(Event::Delta(_))), "{told:?}");
                device.next_token();
            },
            answer,
        ),
        Operation::Report => on_device(
            |device| {
                device.settle();
                device.next_token();
            },
            |device| {
                let patch = Reported {
                    update_count: black_box(device.requests),
                    ..REPORTED
                };
                let asked = device.engine.report(device.now, device.shadow, &patch);
                let _ = black_box(asked);
                device.transmit_one()
            },
        ),
        Operation::GetRoundTrip => on_device(
            |device| {
                let token = device.next_token();
                device.expect(&get_reply(&token));
            },
            |device| {
                let asked = device.engine.get(device.now, device.shadow);
                let _ = black_box(asked);
                exchange(device)
            },
        ),
        Operation::UpdateRoundTrip => on_device(
            |device| {
                let token = device.next_token();
                device.version += 1;
                device.expect(&update_reply(&token, device.version));
            },
            |device| {
                let update = Update::new().reported(black_box(&REPORTED));
                let asked = device.engine.update(device.now, device.shadow, &update);
                let _ = black_box(asked);
                exchange(device)
            },
        ),
        Operation::Tick => on_device(
            |_| {},
            |device| {
                device.engine.handle_tick(black_box(device.now));
                None
            },
        ),
        Operation::Deadline => on_device(
            |_| {},
            |device| {
                let _ = black_box(device.engine.poll_deadline());
                None
            },
        ),
        Operation::KeepAlive => on_device(
            |device| {
                let deadline = device.engine.poll_deadline();
                device.now = deadline
                    .expect("a connected engine keeps its link alive")
                    .at;
            },
            |device| {
                device.engine.handle_tick(device.now);
                device.transmit_one();
                device.engine.handle_bytes(device.now, black_box(&PINGRESP));
                None
            },
        ),
        _ => return None,
    })
}

/// An operation of a device, prepared each time.
struct OnDevice<P, R> {
    device: Device,
    prepare: P,
    run: R,
}

impl<P, R> Work for OnDevice<P, R>
where
    P: FnMut(&mut Device),
    R: FnMut(&mut Device) -> Option<Event>,
{
    fn batch(&self) -> u32 {
        1
    }

    fn prepare(&mut self) {
        (self.prepare)(&mut self.device);
    }

    fn run(&mut self) {
        drop(black_box((self.run)(&mut self.device)));
    }

    fn outcome(&mut self) -> String {
        (self.prepare)(&mut self.device);
        self.device.sent.clear();
        let event = (self.run)(&mut self.device);
        let told = event.map_or_else(String::new, |event| describe(&event));
        format!("{}{told}", described_publish(&self.device.sent))
    }
}

fn on_device(
    prepare: impl FnMut(&mut Device) + 'static,
    run: impl FnMut(&mut Device) -> Option<Event> + 'static,
) -> Box<dyn Work> {
    let device = Device::ready();
    Box::new(OnDevice {
        device,
        prepare,
        run,
    })
}

fn describe(event: &Event) -> String {
    match event {
        Event::Ended {
            outcome: Outcome::Accepted(document),
            ..
        } => described(
            "accepted",
            document.version(),
            document.state().unwrap_or("null"),
        ),
        Event::Delta(delta) => described("delta", delta.version, delta.state.as_str()),
        other => format!("{other:?}"),
    }
}

/// A get is open, and its reply comes.
fn reply(
    reply: fn(&str) -> String,
    run: impl FnMut(&mut Device) -> Option<Event> + 'static,
) -> Box<dyn Work> {
    let prepare = move |device: &mut Device| {
        let token = device.next_token();
        let asked = device.engine.get(device.now, device.shadow);
        asked.expect("there is room for a request");
        device.transmit();
        device.sent.clear();
        device.expect(&reply(&token));
    };
    on_device(prepare, run)
}

/// An update is made, after the one before was answered.
fn update(values: impl Serialize + 'static) -> Box<dyn Work> {
    let prepare = |device: &mut Device| {
        device.settle();
        device.next_token();
    };
    on_device(prepare, move |device| {
        let update = Update::new().reported(black_box(&values));
        let asked = device.engine.update(device.now, device.shadow, &update);
        let _ = black_box(asked);
        device.transmit_one()
    })
}

/// The delta that came last is answered.
fn answer(device: &mut Device) -> Option<Event> {
    let asked = device.engine.accept(device.now, &device.delta);
    let _ = black_box(asked);
    device.transmit_one()
}

fn receive(device: &mut Device) -> Option<Event> {
    device.engine.handle_bytes(device.now, &device.received);
    device.engine.poll_event()
}

/// All that a driver does for an exchange once the request is made: after each input it polls for
/// what is to leave, for events and for the deadline, until there is nothing left.
fn exchange(device: &mut Device) -> Option<Event> {
    device.sent.clear();
    let none = settled(device);
    let _ = black_box((none, &device.sent));
    device.engine.handle_bytes(device.now, &device.received);
    settled(device)
}

/// The one event, once nothing is left.
fn settled(device: &mut Device) -> Option<Event> {
    let (engine, now) = (&mut device.engine, device.now);
    while engine.poll_transmit(now, &mut device.sent).is_some() {}
    let mut told = None;
    while let Some(event) = engine.poll_event() {
        told = Some(event);
    }
    let _ = black_box(engine.poll_deadline());
    told
}
