//! The bytes of one round trip, for whoever is to carry the same.

use shadow_core::tencent::Update;
use shadow_core::{Config, Engine, Event, Instant, Session, ShadowId, Transmit, WallTime};
use transport_mock::cloud::{Cloud, example_device};

use crate::Failure;
use crate::tally::{Operation, Reported, WARM_UP};

/// The bytes of one request and of the reply to it.
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    /// From the device.
    pub(crate) request: Vec<u8>,
    /// To the device.
    pub(crate) reply: Vec<u8>,
}

impl Exchange {
    /// That of this operation, as an engine and the embedded cloud have it.
    pub(crate) fn new(operation: Operation) -> Result<Exchange, Failure> {
        let now = Instant::ZERO;
        let wall = WallTime::from_unix_millis(1_626_770_697_670);
        let mut cloud = Cloud::example(now, wall);
        let mut engine = Engine::new(config(), Session::new(), 1, now);
        engine.handle_wall_time(now, wall);
        let mut shadow = None;
        let connection = cloud.accept(now);
        let mut asked = false;
        loop {
            let (mut request, mut reply) = (Vec::new(), Vec::new());
            let mut connect = false;
            while let Some(transmit) = engine.poll_transmit(now, &mut request) {
                connect |= transmit == Transmit::Connect;
            }
            if connect {
                engine.handle_connected(now);
            }
            cloud.handle_bytes(now, connection, &request);
            while cloud
                .poll_transmit_to(now, connection, &mut reply)
                .is_some()
            {}
            if asked {
                return Ok(Exchange { request, reply });
            }
            engine.handle_bytes(now, &reply);
            while let Some(event) = engine.poll_event() {
                if let Event::Ready { shadow: id, .. } = event {
                    shadow = Some(id);
                }
            }
            if let Some(id) = shadow {
                ask(&mut engine, id, operation)?;
                asked = true;
            }
        }
    }
}

fn ask(engine: &mut Engine, shadow: ShadowId, operation: Operation) -> Result<(), Failure> {
    let now = Instant::ZERO;
    match operation {
        Operation::Get => engine.get(now, shadow)?,
        Operation::Update => {
            let update = Update::new().reported(Reported::new(WARM_UP)).to_json()?;
            engine.update(now, shadow, &update)?
        }
    };
    Ok(())
}

/// The example device, as fast as it can: the vendor's server takes 20 messages a second, which is
/// what an engine keeps to by default.
pub(crate) fn config() -> Config {
    let mut config = Config::new(&example_device());
    config.limits.messages_per_second = None;
    config
}
