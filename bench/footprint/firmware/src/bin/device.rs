//! A lamp: what a device does with its shadow. It logs in with its key and is told when to connect;
//! takes bytes, ticks and the wall time; gets, reports and updates; accepts what is desired; polls
//! packets, events and the deadline. The driver is at the other end of the
//! [`Console`](firmware::Console); what comes in is passed to the engine, and what comes out of the
//! engine is passed on. The features add what not every device does.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
extern crate alloc;

#[cfg(target_os = "none")]
mod program {
    use alloc::vec::Vec;

    use cortex_m_rt::entry;
    use firmware::Console;
    use semihosting::io::Error;
    use semihosting::process;
    use serde::Serialize;
    #[cfg(feature = "own-topics")]
    use shadow_core::mqtt::QoS;
    #[cfg(not(any(feature = "base64", feature = "device-info")))]
    use shadow_core::tencent::{Authentication, Secret, ShadowName};
    use shadow_core::tencent::{DeviceInfo, Update};
    use shadow_core::{
        Config, Delta, Engine, Event, Instant, Session, Transmit, TransportFailure, WallTime,
    };

    /// What a lamp tells of itself.
    #[derive(Serialize)]
    struct State {
        power: bool,
        brightness: u8,
        uptime: u32,
        #[cfg(feature = "fraction")]
        temperature: f32,
    }

    /// What it is told to be.
    #[cfg(feature = "types")]
    #[derive(serde::Deserialize)]
    struct Desired {
        brightness: Option<u8>,
        power: Option<bool>,
    }

    struct Device {
        console: Console,
        engine: Engine,
        now: Instant,
        state: State,
        /// The last change of `desired` that nobody has answered.
        delta: Option<Delta>,
        buffer: Vec<u8>,
    }

    #[entry]
    fn main() -> ! {
        match start() {
            Ok(mut device) => loop {
                match device.step() {
                    Ok(true) => {}
                    // A device does not end; this one, where its driver does.
                    ended => process::exit(i32::from(ended.is_err())),
                }
            },
            Err(_) => process::exit(1),
        }
    }

    fn start() -> Result<Device, Error> {
        let mut console = Console::open()?;
        // Who it is: from a page of the flash that was written in the factory.
        let identity = console.read()?;
        let Some(info) = device_info(&identity.content) else {
            console.write(b'?', 0, b"")?;
            process::exit(1)
        };
        // What was stored before the last reset, if anything was.
        let stored = console.read()?;
        #[cfg(feature = "stored")]
        let session = Session::from_bytes(&stored.content).unwrap_or_default();
        #[cfg(not(feature = "stored"))]
        let session = Session::new();
        let now = Instant::from_micros(stored.micros);
        Ok(Device {
            console,
            engine: Engine::new(Config::new(&info), session, identity.micros, now),
            now,
            state: State {
                power: false,
                brightness: 0,
                uptime: 0,
                #[cfg(feature = "fraction")]
                temperature: 20.5,
            },
            delta: None,
            buffer: Vec::new(),
        })
    }

    /// Product and name, a line each, and then the key.
    #[cfg(not(any(feature = "base64", feature = "device-info")))]
    fn device_info(content: &[u8]) -> Option<DeviceInfo> {
        let mut parts = content.splitn(3, |byte| *byte == b'\n');
        let mut line = || core::str::from_utf8(parts.next()?).ok();
        let name = ShadowName::new(line()?, line()?).ok()?;
        let secret = Secret::from_bytes(parts.next()?);
        Some(DeviceInfo {
            name,
            authentication: Authentication::Key { secret },
        })
    }

    /// Product, name and the key as the vendor's console shows it, a line each.
    #[cfg(feature = "base64")]
    fn device_info(content: &[u8]) -> Option<DeviceInfo> {
        let mut lines = core::str::from_utf8(content).ok()?.lines();
        DeviceInfo::with_key(lines.next()?, lines.next()?, lines.next()?).ok()
    }

    /// The vendor's file.
    #[cfg(feature = "device-info")]
    fn device_info(content: &[u8]) -> Option<DeviceInfo> {
        DeviceInfo::from_json(core::str::from_utf8(content).ok()?).ok()
    }

    impl Device {
        /// One input and what comes of it; whether to go on.
        fn step(&mut self) -> Result<bool, Error> {
            let frame = self.console.read()?;
            self.now = Instant::from_micros(frame.micros);
            self.state.uptime = (frame.micros / 1_000_000) as u32;
            let accepted = self.input(frame.kind, &frame.content);
            self.output()?;
            let answer = if accepted { b'+' } else { b'-' };
            self.console.write(answer, 0, &[])?;
            Ok(frame.kind != b'q')
        }

        /// Whether the engine took it.
        fn input(&mut self, kind: u8, content: &[u8]) -> bool {
            let (engine, now) = (&mut self.engine, self.now);
            let Some(own) = engine.own_shadow() else {
                return false;
            };
            let value = content.first().copied().unwrap_or(0);
            let taken = match kind {
                b'c' => {
                    engine.handle_connected(now);
                    return true;
                }
                b'b' => {
                    engine.handle_bytes(now, content);
                    return true;
                }
                b'd' => {
                    engine.handle_disconnected(now, TransportFailure::ClosedByPeer);
                    return true;
                }
                b't' => {
                    engine.handle_tick(now);
                    return true;
                }
                b'w' => {
                    let millis = content.first_chunk().copied().map(u64::from_le_bytes);
                    let wall = WallTime::from_unix_millis(millis.unwrap_or(0));
                    engine.handle_wall_time(now, wall);
                    return true;
                }
                b'q' => {
                    engine.close(now);
                    return true;
                }
                b'g' => engine.get(now, own),
                b'r' => {
                    self.state.brightness = value;
                    self.state.power = value > 0;
                    engine.report(now, own, &self.state)
                }
                b'u' => {
                    self.state.brightness = value;
                    engine.update(now, own, &Update::new().reported(&self.state))
                }
                b'a' => match self.delta.take() {
                    Some(delta) => engine.accept(now, &delta),
                    None => return false,
                },
                #[cfg(feature = "reject")]
                b'x' => match self.delta.take() {
                    Some(delta) => engine.reject(now, &delta, "not with this bulb"),
                    None => return false,
                },
                #[cfg(feature = "own-topics")]
                b's' => engine.subscribe(
                    now,
                    core::str::from_utf8(content).unwrap_or_default(),
                    QoS::AtLeastOnce,
                ),
                #[cfg(feature = "own-topics")]
                b'p' => engine.publish(
                    now,
                    &shadow_core::Publication::new("PRODUCT001/lamp/event", content),
                ),
                _ => return false,
            };
            taken.is_ok()
        }

        /// Everything that the engine has to say.
        fn output(&mut self) -> Result<(), Error> {
            let Device {
                console,
                engine,
                buffer,
                #[cfg(feature = "types")]
                state,
                ..
            } = self;
            loop {
                buffer.clear();
                let kind = match engine.poll_transmit(self.now, buffer) {
                    None => break,
                    Some(Transmit::Connect) => b'C',
                    Some(Transmit::Packet { .. }) => b'P',
                    Some(Transmit::Close) => b'X',
                };
                console.write(kind, 0, buffer)?;
            }
            while let Some(event) = engine.poll_event() {
                match event {
                    Event::Ready { document, .. } => {
                        #[cfg(feature = "types")]
                        if let Ok(Some(desired)) = document.desired_as::<Desired>() {
                            state.brightness = desired.brightness.unwrap_or(state.brightness);
                            state.power = desired.power.unwrap_or(state.power);
                        }
                        let reported = document.reported().unwrap_or_default();
                        console.write(b'R', 0, reported.as_bytes())?;
                    }
                    Event::Delta(delta) => {
                        console.write(b'D', 0, delta.state.as_str().as_bytes())?;
                        self.delta = Some(delta);
                    }
                    Event::Ended { request, .. } => console.write(b'E', request.as_u64(), b"")?,
                    #[cfg(feature = "own-topics")]
                    Event::Message(message) => console.write(b'M', 0, &message.payload)?,
                    _ => console.write(b'e', 0, b"")?,
                }
            }
            #[cfg(feature = "stored")]
            console.write(b'S', 0, &engine.session().to_bytes())?;
            if let Some(deadline) = engine.poll_deadline() {
                console.write(b'T', deadline.at.as_micros(), b"")?;
            }
            Ok(())
        }
    }
}

#[cfg(not(target_os = "none"))]
fn main() {
    eprintln!("this is a program for a microcontroller");
}
