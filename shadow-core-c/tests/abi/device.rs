//! A device that knows the engine by its C functions alone, and a cloud beside it, without sockets
//! and under a clock of the test's.
#![expect(unsafe_code, reason = "it calls what C calls")]

use std::ffi::{CStr, CString, c_char};
use std::ptr;

use shadow_core::{Instant, WallTime};
use shadow_core_c::ffi::*;
use shadow_core_c::shadow_result::{self, *};
use shadow_core_c::shadow_transmit_kind::*;
use shadow_core_c::*;
use transport_mock::cloud::Cloud;
use transport_mock::server::{ConnectionId, ServerTransmit};

pub(crate) const UNIX_MILLIS: u64 = 1_626_770_697_670;
pub(crate) const SECOND: u64 = 1_000_000;

/// The numbers of an event, and its texts, copied as a C program would.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) event: shadow_event,
    pub(crate) text: String,
    pub(crate) topic: String,
    pub(crate) payload: Vec<u8>,
    pub(crate) delta: String,
    pub(crate) document: String,
    pub(crate) reported: String,
    pub(crate) desired: String,
}

fn copy(text: shadow_text) -> String {
    // SAFETY: it was lent by the last poll.
    let text_of_length = unsafe { std::slice::from_raw_parts(text.data.cast::<u8>(), text.length) };
    // SAFETY: the same, and a NUL stands behind it.
    let terminated = unsafe { CStr::from_ptr(text.data) };
    assert_eq!(terminated.to_bytes(), text_of_length);
    String::from_utf8(text_of_length.to_vec()).unwrap()
}

/// One engine. Freed when dropped.
pub(crate) struct Device {
    engine: *mut shadow_engine,
    pub(crate) now: u64,
}

impl Drop for Device {
    fn drop(&mut self) {
        // SAFETY: it came from `shadow_new`, and nobody uses it after this.
        unsafe { shadow_free(self.engine) };
    }
}

pub(crate) fn defaults() -> shadow_config {
    let mut config = std::mem::MaybeUninit::uninit();
    // SAFETY: it may be written to.
    let result = unsafe { shadow_config_init(config.as_mut_ptr()) };
    assert_eq!(result, SHADOW_OK);
    // SAFETY: that has filled it in.
    unsafe { config.assume_init() }
}

impl Device {
    pub(crate) fn new(config: &shadow_config, now: u64) -> Result<Device, (shadow_result, String)> {
        let mut engine = ptr::null_mut();
        let mut error: [c_char; 200] = [1; 200];
        // SAFETY: all of it is valid, as far as the test gives it.
        let result =
            unsafe { shadow_new(config, now, &mut engine, error.as_mut_ptr(), error.len()) };
        if result == SHADOW_OK {
            let device = Device { engine, now };
            // SAFETY: it was just made.
            let wall = unsafe { shadow_handle_wall_time(engine, now, UNIX_MILLIS) };
            assert_eq!(wall, SHADOW_OK);
            return Ok(device);
        }
        assert!(engine.is_null());
        // SAFETY: the buffer has a text with a NUL in it.
        let error = unsafe { CStr::from_ptr(error.as_ptr()) };
        Err((result, error.to_str().unwrap().to_owned()))
    }

    /// Of the example device.
    pub(crate) fn example(config: shadow_config) -> Device {
        let config = shadow_config {
            product_id: c"EXAMPLE001".as_ptr(),
            device_name: c"test01".as_ptr(),
            device_secret: c"bm90IGEgcmVhbCBzZWNyZXQsIG9ubHkgYW4gZXhhbXBsZQ==".as_ptr(),
            seed: 7,
            ..config
        };
        Device::new(&config, 0).unwrap()
    }

    /// What `call` says, given engine and time.
    pub(crate) fn call(
        &mut self,
        call: impl FnOnce(*mut shadow_engine, u64) -> shadow_result,
    ) -> shadow_result {
        call(self.engine, self.now)
    }

    /// The id of a request that is accepted.
    #[track_caller]
    pub(crate) fn ask(
        &mut self,
        ask: impl FnOnce(*mut shadow_engine, u64, *mut u64) -> shadow_result,
    ) -> u64 {
        let mut request = SHADOW_NO_REQUEST;
        let result = ask(self.engine, self.now, &mut request);
        assert_eq!(result, SHADOW_OK, "{}", self.last_error());
        assert_ne!(request, SHADOW_NO_REQUEST);
        request
    }

    #[track_caller]
    pub(crate) fn report(&mut self, patch: &str) -> u64 {
        let patch = CString::new(patch).unwrap();
        self.ask(|engine, now, request| {
            // SAFETY: all of it is valid.
            unsafe { shadow_report(engine, now, SHADOW_OWN, patch.as_ptr(), request) }
        })
    }

    pub(crate) fn last_error(&self) -> String {
        // SAFETY: the engine was not freed.
        let text = unsafe { shadow_last_error(self.engine) };
        // SAFETY: it is lent until the next refusal.
        unsafe { CStr::from_ptr(text) }.to_str().unwrap().to_owned()
    }

    pub(crate) fn transmit(&mut self) -> Option<(shadow_transmit_kind, Vec<u8>)> {
        let mut transmit = std::mem::MaybeUninit::uninit();
        let result = self.call(|engine, now| {
            // SAFETY: it may be written to.
            unsafe { shadow_poll_transmit(engine, now, transmit.as_mut_ptr()) }
        });
        // SAFETY: it is written whatever the result is.
        let shadow_transmit { kind, bytes } = unsafe { transmit.assume_init() };
        // SAFETY: they were just lent.
        let bytes = unsafe { std::slice::from_raw_parts(bytes.data, bytes.length) };
        assert_eq!(result == SHADOW_EMPTY, kind == SHADOW_TRANSMIT_NONE);
        (result == SHADOW_OK).then(|| (kind, bytes.to_vec()))
    }

    pub(crate) fn event(&mut self) -> Option<Told> {
        let mut event = std::mem::MaybeUninit::uninit();
        let result = self.call(|engine, _| {
            // SAFETY: it may be written to.
            unsafe { shadow_poll_event(engine, event.as_mut_ptr()) }
        });
        // SAFETY: it is written whatever the result is.
        let event: shadow_event = unsafe { event.assume_init() };
        let payload = event.payload;
        // SAFETY: they were just lent.
        let payload = unsafe { std::slice::from_raw_parts(payload.data, payload.length) };
        (result == SHADOW_OK).then(|| Told {
            event,
            text: copy(event.text),
            topic: copy(event.topic),
            payload: payload.to_vec(),
            delta: copy(event.delta),
            document: copy(event.document),
            reported: copy(event.reported),
            desired: copy(event.desired),
        })
    }

    pub(crate) fn events(&mut self) -> Vec<Told> {
        std::iter::from_fn(|| self.event()).collect()
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        let result = self.call(|engine, now| {
            // SAFETY: the slice is valid.
            unsafe { shadow_handle_bytes(engine, now, bytes.as_ptr(), bytes.len()) }
        });
        assert_eq!(result, SHADOW_OK);
    }

    pub(crate) fn deadline(&self) -> Option<u64> {
        let mut micros = 0;
        // SAFETY: all of it is valid.
        let result = unsafe { shadow_poll_deadline(self.engine, &mut micros) };
        assert_eq!(result == SHADOW_EMPTY, micros == u64::MAX);
        (result == SHADOW_OK).then_some(micros)
    }

    pub(crate) fn session(&self) -> Vec<u8> {
        let mut session = std::mem::MaybeUninit::uninit();
        // SAFETY: it may be written to.
        let result = unsafe { shadow_session(self.engine, session.as_mut_ptr()) };
        assert_eq!(result, SHADOW_OK);
        // SAFETY: that has filled it in.
        let shadow_bytes { data, length } = unsafe { session.assume_init() };
        // SAFETY: they were just lent.
        unsafe { std::slice::from_raw_parts(data, length) }.to_vec()
    }

    pub(crate) fn revision(&self) -> u64 {
        // SAFETY: the engine was not freed.
        unsafe { shadow_session_revision(self.engine) }
    }

    pub(crate) fn counters(&self) -> shadow_counts {
        let mut counts = std::mem::MaybeUninit::uninit();
        // SAFETY: it may be written to.
        let result = unsafe { shadow_counters(self.engine, counts.as_mut_ptr()) };
        assert_eq!(result, SHADOW_OK);
        // SAFETY: that has filled it in.
        unsafe { counts.assume_init() }
    }

    /// What is kept as reported, copied.
    pub(crate) fn reported(&self, shadow: u32) -> Result<String, shadow_result> {
        let mut reported = std::mem::MaybeUninit::uninit();
        // SAFETY: it may be written to.
        let result = unsafe { shadow_reported(self.engine, shadow, reported.as_mut_ptr()) };
        // SAFETY: it is written whatever the result is.
        let text = copy(unsafe { reported.assume_init() });
        match result {
            SHADOW_OK => Ok(text),
            refused => {
                assert_eq!(text, "");
                Err(refused)
            }
        }
    }

    pub(crate) fn is_synchronized(&self) -> bool {
        // SAFETY: the engine was not freed.
        unsafe { shadow_is_synchronized(self.engine, SHADOW_OWN) }
    }
}

/// A cloud, and the connection that the device has to it.
pub(crate) struct Network {
    pub(crate) cloud: Cloud,
    connection: Option<ConnectionId>,
}

impl Network {
    pub(crate) fn new() -> Network {
        let wall = WallTime::from_unix_millis(UNIX_MILLIS);
        Network {
            cloud: Cloud::example(Instant::ZERO, wall),
            connection: None,
        }
    }

    /// Carries everything to and fro until nothing is left; the packets that the device has sent.
    pub(crate) fn carry(&mut self, device: &mut Device) -> Vec<Vec<u8>> {
        let now = Instant::from_micros(device.now);
        let mut sent = Vec::new();
        loop {
            let mut idle = true;
            while let Some((kind, bytes)) = device.transmit() {
                idle = false;
                match (kind, self.connection) {
                    (SHADOW_TRANSMIT_CONNECT, _) => {
                        self.connection = Some(self.cloud.accept(now));
                        // SAFETY: the engine was not freed.
                        let connected = |e, n| unsafe { shadow_handle_connected(e, n) };
                        assert_eq!(device.call(connected), SHADOW_OK);
                    }
                    (SHADOW_TRANSMIT_SEND, Some(id)) => {
                        self.cloud.handle_bytes(now, id, &bytes);
                        sent.push(bytes);
                    }
                    (SHADOW_TRANSMIT_CLOSE, Some(id)) => {
                        self.cloud.handle_closed(now, id);
                        self.connection = None;
                    }
                    (kind, None) => panic!("{kind:?} without a connection"),
                    (kind, _) => panic!("{kind:?}"),
                }
            }
            // One at a time: the device may close because of it.
            let mut packet = Vec::new();
            if let Some((_, transmit)) = self.cloud.poll_transmit(now, &mut packet) {
                idle = false;
                match transmit {
                    _ if self.connection.is_none() => {}
                    ServerTransmit::Packet { .. } => device.bytes(&packet),
                    ServerTransmit::Close => self.cut(device),
                }
            }
            if idle {
                return sent;
            }
        }
    }

    /// The device loses its connection.
    pub(crate) fn cut(&mut self, device: &mut Device) {
        if let Some(id) = self.connection.take() {
            self.cloud
                .handle_closed(Instant::from_micros(device.now), id);
        }
        let failure = shadow_failure::SHADOW_BROKEN as u32;
        let why = c"a test".as_ptr();
        // SAFETY: the engine was not freed, and the text is one.
        let cut = |e, n| unsafe { shadow_handle_disconnected(e, n, failure, why) };
        assert_eq!(device.call(cut), SHADOW_OK);
    }

    /// Time passes until the device's next deadline, and what is due happens.
    pub(crate) fn wait(&mut self, device: &mut Device) {
        device.now = device.now.max(device.deadline().expect("something is due"));
        // SAFETY: the engine was not freed.
        let tick = |e, n| unsafe { shadow_handle_tick(e, n) };
        assert_eq!(device.call(tick), SHADOW_OK);
        self.carry(device);
    }
}
