//! What an application does with a peer where ours does it with the engine: a client for the
//! packets, and serde_json for the payloads.
//!
//! Only what the exchange itself needs is done: one request is open at a time and its token is
//! compared, but nothing is timed, kept for a reconnect or checked against a limit, as the engine
//! does. What the peers' interfaces let one keep between runs is kept.

use std::fmt::Write as _;
use std::hint::black_box;
use std::marker::PhantomData;

use serde::Serialize;

use super::description::{described, described_publish};
use super::peer_json::{Heard, JsonText};
use crate::messages::{
    LARGE, REPORTED, RESULT_TOPIC, delta, get_reply, large_get_reply, publish, sensors,
    update_reply,
};
use crate::operation::Operation;
use crate::work::Work;

/// A peer's way with packets.
pub(super) trait Client: Default + 'static {
    /// Appends to what has come from the network.
    fn fill(&mut self, bytes: &[u8]);

    /// Takes the next packet of what has come. If it is a PUBLISH, `read` has its payload.
    fn receive<T>(&mut self, read: impl FnOnce(&[u8]) -> Option<T>) -> Option<T>;

    /// Makes the bytes of a PUBLISH of QoS 0 with this payload on the operation topic.
    fn send(&mut self, payload: &[u8]);

    /// The bytes that were made last.
    fn sent(&self) -> &[u8];
}

/// Its work on what ours does with the engine.
pub(super) fn work<C: Client, J: JsonText>(operation: Operation) -> Option<Box<dyn Work>> {
    Some(match operation {
        Operation::GetReply => on_peer::<C, J>(|peer| peer.expect(get_reply), Peer::receive),
        Operation::LargeGetReply => {
            on_peer::<C, J>(|peer| peer.expect(large_get_reply), Peer::receive)
        }
        Operation::GetReplyByBytes => on_peer::<C, J>(
            |peer| {
                peer.next_request();
                peer.waiting = publish(RESULT_TOPIC, get_reply(&peer.token).as_bytes(), false);
            },
            |peer| {
                let Peer {
                    client,
                    token,
                    waiting,
                    ..
                } = peer;
                waiting.chunks(1).find_map(|byte| {
                    client.fill(byte);
                    client.receive(|payload| J::read(payload, token))
                })
            },
        ),
        Operation::Delta => on_peer::<C, J>(
            |peer| {
                peer.version += 2;
                let message = delta(peer.version);
                peer.client
                    .fill(&publish(RESULT_TOPIC, message.as_bytes(), false));
            },
            Peer::receive,
        ),
        Operation::Update => update::<C, J>(REPORTED),
        Operation::LargeUpdate => update::<C, J>(sensors(LARGE)),
        Operation::GetRoundTrip => on_peer::<C, J>(
            |peer| peer.expect(get_reply),
            |peer| {
                peer.write_token();
                J::write_get(&peer.token, &mut peer.payload);
                peer.send();
                peer.receive()
            },
        ),
        Operation::UpdateRoundTrip => on_peer::<C, J>(
            |peer| {
                peer.version += 2;
                let version = peer.version;
                peer.expect(|token| update_reply(token, version));
            },
            |peer| {
                peer.update(black_box(&REPORTED));
                peer.receive()
            },
        ),
        _ => return None,
    })
}

/// An application.
struct Peer<C, J> {
    client: C,
    json: PhantomData<J>,
    /// The number of the request that is open, or is the next to be, and its token.
    number: u32,
    token: String,
    version: u64,
    payload: Vec<u8>,
    /// What is to come by single bytes.
    waiting: Vec<u8>,
}

impl<C: Client, J: JsonText> Peer<C, J> {
    /// Tokens have three digits, as ours.
    fn next_request(&mut self) {
        self.number = if self.number == 989 {
            100
        } else {
            self.number + 1
        };
        self.write_token();
    }

    fn write_token(&mut self) {
        self.token.clear();
        let written = write!(self.token, "k3Jd82hs-{}", self.number);
        let _ = black_box(written);
    }

    /// A request is open, and its reply has come.
    fn expect(&mut self, reply: impl Fn(&str) -> String) {
        self.next_request();
        let packet = publish(RESULT_TOPIC, reply(&self.token).as_bytes(), false);
        self.client.fill(&packet);
    }

    fn receive(&mut self) -> Option<Heard<J::State>> {
        let Peer { client, token, .. } = self;
        client.receive(|payload| J::read(payload, token))
    }

    fn update<R: Serialize>(&mut self, values: &R) {
        self.write_token();
        J::write_update(&self.token, values, &mut self.payload);
        self.send();
    }

    fn send(&mut self) {
        self.client.send(&self.payload);
        let _ = black_box(self.client.sent());
    }
}

/// An operation of an application, prepared each time.
struct OnPeer<C, J, P, R> {
    peer: Peer<C, J>,
    prepare: P,
    run: R,
}

impl<C, J, P, R> Work for OnPeer<C, J, P, R>
where
    C: Client,
    J: JsonText,
    P: FnMut(&mut Peer<C, J>),
    R: FnMut(&mut Peer<C, J>) -> Option<Heard<J::State>>,
{
    fn batch(&self) -> u32 {
        1
    }

    fn prepare(&mut self) {
        (self.prepare)(&mut self.peer);
    }

    fn run(&mut self) {
        drop(black_box((self.run)(&mut self.peer)));
    }

    fn outcome(&mut self) -> String {
        (self.prepare)(&mut self.peer);
        let heard = (self.run)(&mut self.peer);
        let told = heard.map_or_else(String::new, |heard| {
            described(heard.what, heard.version, &J::text(&heard.state))
        });
        format!("{}{told}", described_publish(self.peer.client.sent()))
    }
}

fn on_peer<C: Client, J: JsonText>(
    prepare: impl FnMut(&mut Peer<C, J>) + 'static,
    run: impl FnMut(&mut Peer<C, J>) -> Option<Heard<J::State>> + 'static,
) -> Box<dyn Work> {
    let peer = Peer {
        client: C::default(),
        json: PhantomData,
        number: 99,
        token: String::new(),
        version: 20,
        payload: Vec::with_capacity(32 * 1024),
        waiting: Vec::new(),
    };
    Box::new(OnPeer { peer, prepare, run })
}

fn update<C: Client, J: JsonText>(values: impl Serialize + 'static) -> Box<dyn Work> {
    on_peer::<C, J>(Peer::next_request, move |peer| {
        peer.update(black_box(&values));
        None
    })
}
