//! This project's client.

use std::cell::{Cell, RefCell};
use std::hint::black_box;
use std::rc::Rc;
use std::time::Instant;

use futures_lite::StreamExt;
use shadow_core::tencent::Update;
use shadow_core::{Event, Session};
use smol::LocalExecutor;
use transport_tcp::{Client, Events, Notification, Shadow, SystemClock, TcpConnector, client};

use crate::Failure;
use crate::tally::{Operation, Reported, Tally, Task, Trips};
use crate::wire;

/// The driver and the application as tasks of one thread: what a device does that asks and waits.
/// Polling the two as one future (`future::or`) looks at the stream for every step of either, and
/// took 24.7 us where this takes 21.3 us.
pub(crate) fn on_one_thread(task: &Task) -> Result<Trips, Failure> {
    let executor = LocalExecutor::new();
    let connector = TcpConnector::new("127.0.0.1", task.port);
    let (client, events, driver) = client(
        wire::config(),
        Session::new(),
        1,
        connector,
        SystemClock::new(),
    );
    executor.spawn(driver.run()).detach();
    smol::block_on(executor.run(ask(&executor, task, &client, events)))
}

/// The driver on smol's own thread, and the application on another, as `smol::spawn` makes it.
pub(crate) fn on_two_threads(task: &Task) -> Result<Trips, Failure> {
    let executor = LocalExecutor::new();
    let connector = TcpConnector::new("127.0.0.1", task.port);
    let (client, events, driver) = client(
        wire::config(),
        Session::new(),
        1,
        connector,
        SystemClock::new(),
    );
    smol::spawn(driver.run()).detach();
    smol::block_on(executor.run(ask(&executor, task, &client, events)))
}

/// As many tasks as are to be in flight, each of which asks, waits and asks again.
async fn ask(
    executor: &LocalExecutor<'static>,
    task: &Task,
    client: &Client,
    events: Events,
) -> Result<Trips, Failure> {
    let shadow = client.own_shadow().ok_or("there is no shadow")?;
    ready(events).await?;
    let asking = Rc::new(Asking {
        shadow,
        operation: task.operation,
        count: Cell::new(0),
        tally: RefCell::new(Tally::new()),
    });
    let tasks: Vec<_> = (0..task.in_flight)
        .map(|_| executor.spawn(Rc::clone(&asking).ask()))
        .collect();
    for task in tasks {
        task.await?;
    }
    let asking = Rc::into_inner(asking).ok_or("somebody still asks")?;
    Ok(asking.tally.into_inner().finish())
}

/// Waits for the shadow's subscription. Nobody reads events from then on.
async fn ready(mut events: Events) -> Result<(), Failure> {
    loop {
        match events.next().await {
            Some(Notification::Event(Event::Ready { .. })) => return Ok(()),
            Some(Notification::Event(Event::Disconnected { cause, .. })) => {
                return Err(cause.to_string().into());
            }
            Some(_) => {}
            None => return Err("the driver has ended".into()),
        }
    }
}

struct Asking {
    shadow: Shadow,
    operation: Operation,
    count: Cell<usize>,
    tally: RefCell<Tally>,
}

impl Asking {
    async fn ask(self: Rc<Asking>) -> Result<(), Failure> {
        loop {
            let start = Instant::now();
            let document = match self.operation {
                Operation::Get => self.shadow.get().await?,
                Operation::Update => {
                    self.count.set(self.count.get() + 1);
                    let update = Update::new().reported(Reported::new(self.count.get()));
                    self.shadow.update(update).await?
                }
            };
            black_box(document);
            if !self.tally.borrow_mut().add(start) {
                return Ok(());
            }
        }
    }
}
