//! A network between a device and its broker that can go quiet.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};

use smol::Task;
use smol::future::{or, poll_fn};
use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::net::{TcpListener, TcpStream};

/// TCP from a port of its own to the broker's. All of it ends when it is dropped.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    gate: Gate,
    connections: Arc<Mutex<Vec<Task<()>>>>,
    _listening: Task<()>,
}

impl Proxy {
    pub(crate) async fn start(broker: u16) -> Proxy {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let gate = Gate::default();
        let connections = Arc::default();
        let listening = listen(listener, broker, gate.clone(), Arc::clone(&connections));
        let _listening = smol::spawn(listening);
        Proxy {
            port,
            gate,
            connections,
            _listening,
        }
    }

    /// From now on nothing passes, in either direction, and nobody is told: connections stay open,
    /// and new ones lead nowhere and never will.
    pub(crate) fn stall(&self) {
        self.gate.set(true);
    }

    /// Closes every connection, to both sides.
    pub(crate) fn cut(&self) {
        self.connections.lock().unwrap().clear();
    }

    /// What is under way on older connections passes, and all that follows.
    pub(crate) fn forward(&self) {
        self.gate.set(false);
    }
}

/// Whether anything passes.
#[derive(Clone, Default)]
struct Gate(Arc<Mutex<GateState>>);

#[derive(Default)]
struct GateState {
    closed: bool,
    waiting: Vec<Waker>,
}

impl Gate {
    fn set(&self, closed: bool) {
        let mut state = self.0.lock().unwrap();
        state.closed = closed;
        state.waiting.drain(..).for_each(Waker::wake);
    }

    fn is_closed(&self) -> bool {
        self.0.lock().unwrap().closed
    }

    /// Waits until it is as it should be.
    async fn until(&self, closed: bool) {
        poll_fn(|cx| {
            let mut state = self.0.lock().unwrap();
            if state.closed == closed {
                return Poll::Ready(());
            }
            state.waiting.push(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

async fn listen(
    listener: TcpListener,
    broker: u16,
    gate: Gate,
    connections: Arc<Mutex<Vec<Task<()>>>>,
) {
    loop {
        let (device, _) = listener.accept().await.unwrap();
        let connection = smol::spawn(connection(device, broker, gate.clone()));
        let mut connections = connections.lock().unwrap();
        connections.push(connection);
        connections.retain(|connection| !connection.is_finished());
    }
}

async fn connection(device: TcpStream, broker: u16, gate: Gate) {
    if gate.is_closed() {
        // A network would have dropped the very first packet. What was written since goes with it:
        // a CONNECT that comes late would put out the device's next connection.
        gate.until(false).await;
        return;
    }
    // A broker that is not there is a connection that ends at once.
    let Ok(broker) = TcpStream::connect((Ipv4Addr::LOCALHOST, broker)).await else {
        return;
    };
    for stream in [&device, &broker] {
        stream.set_nodelay(true).unwrap();
    }
    let up = carry(device.clone(), broker.clone(), &gate);
    let down = carry(broker, device, &gate);
    or(up, down).await;
}

/// Carries bytes one way until either end is closed.
async fn carry(mut from: TcpStream, mut to: TcpStream, gate: &Gate) {
    let mut buffer = [0; 4 * 1024];
    loop {
        let len = match from.read(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(len) => len,
        };
        // It may have been closed while this waited for bytes.
        gate.until(false).await;
        if to.write_all(&buffer[..len]).await.is_err() {
            return;
        }
    }
}
