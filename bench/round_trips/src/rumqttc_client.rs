//! rumqttc doing by hand what a shadow client does.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::{Duration, Instant};

use rumqttc::{AsyncClient, Event, EventLoop, MqttOptions, NetworkOptions, Packet, QoS};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Failure;
use crate::tally::{Operation, Reported, Tally, Task, Trips};

/// Topics of the example device's shadow.
const REQUESTS: &str = "$shadow/operation/EXAMPLE001/test01";
const REPLIES: &str = "$shadow/operation/result/EXAMPLE001/test01";

/// What matters in a reply.
#[derive(Deserialize)]
struct Reply {
    #[serde(rename = "clientToken")]
    token: Option<String>,
    result: Option<i64>,
    payload: Option<Value>,
}

/// All in the task that runs the event loop: the natural way that costs rumqttc the least. With
/// a task or a thread of its own for the application, replies go through one more channel.
pub(crate) fn run(task: &Task) -> Result<Trips, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(ask(task))
}

async fn ask(task: &Task) -> Result<Trips, Failure> {
    let mut options = MqttOptions::new("EXAMPLE001test01", "127.0.0.1", task.port);
    options.set_keep_alive(Duration::from_secs(60));
    let (client, mut eventloop) = AsyncClient::new(options, 2 * task.in_flight.max(1));
    let mut network = NetworkOptions::new();
    network.set_tcp_nodelay(true);
    eventloop.set_network_options(network);
    client.try_subscribe(REPLIES, QoS::AtMostOnce)?;
    while !matches!(next(&mut eventloop).await?, Packet::SubAck(_)) {}

    let mut asking = Asking {
        client,
        operation: task.operation,
        open: BTreeMap::new(),
        number: 0,
    };
    let mut tally = Tally::new();
    for _ in 0..task.in_flight {
        asking.ask()?;
    }
    loop {
        let Packet::Publish(publish) = next(&mut eventloop).await? else {
            continue;
        };
        let reply: Reply = serde_json::from_slice(&publish.payload)?;
        if reply.result != Some(0) {
            return Err(format!("the service refused: {:?}", reply.result).into());
        }
        black_box(reply.payload);
        let Some(start) = reply.token.and_then(|token| asking.open.remove(&token)) else {
            continue;
        };
        if !tally.add(start) {
            return Ok(tally.finish());
        }
        asking.ask()?;
    }
}

/// The next packet from the broker.
async fn next(eventloop: &mut EventLoop) -> Result<Packet, Failure> {
    loop {
        if let Event::Incoming(packet) = eventloop.poll().await? {
            return Ok(packet);
        }
    }
}

struct Asking {
    client: AsyncClient,
    operation: Operation,
    /// When which request was made.
    open: BTreeMap<String, Instant>,
    number: usize,
}

impl Asking {
    fn ask(&mut self) -> Result<(), Failure> {
        let start = Instant::now();
        self.number += 1;
        let token = format!("rumqttc1-{}", self.number);
        let request = match self.operation {
            Operation::Get => json!({"type": "get", "clientToken": token}),
            Operation::Update => json!({
                "type": "update",
                "state": {"reported": Reported::new(self.number)},
                "clientToken": token,
            }),
        };
        let payload = serde_json::to_vec(&request)?;
        self.client
            .try_publish(REQUESTS, QoS::AtMostOnce, false, payload)?;
        self.open.insert(token, start);
        Ok(())
    }
}
