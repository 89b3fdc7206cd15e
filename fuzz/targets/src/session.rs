//! Stored sessions: what is read is written the same, and nothing damaged is read.

use sha2::{Digest, Sha256};
use shadow_core::tencent::DeviceInfo;
use shadow_core::{Config, Engine, Instant, Session, SessionError, WallTime};

use crate::json::is_json;

/// Reads the bytes as a stored session: as they are, and as the body of one whose digest is right.
///
/// # Panics
/// If a session is not read back as it was written, a change of one byte is not found, or an engine
/// cannot go on with what was read.
pub fn session(data: &[u8]) {
    if let Ok(session) = Session::from_bytes(data) {
        check(&session);
    }
    // The digest keeps a fuzzer from getting any further, so it is put in.
    let Ok(body) = core::str::from_utf8(data) else {
        return;
    };
    let signed = sign(body.trim_end_matches('\n'));
    match Session::from_bytes(&signed) {
        Ok(session) => check(&session),
        Err(error) => assert!(matches!(error, SessionError::Corrupted(_)), "{error}"),
    }
}

/// The stored form of a body.
fn sign(body: &str) -> Vec<u8> {
    let digest = Sha256::digest(body);
    let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("shadow-session 1 {digest}\n{body}\n").into_bytes()
}

fn check(session: &Session) {
    let stored = session.to_bytes();
    assert_eq!(Session::from_bytes(&stored).as_ref(), Ok(session));
    // A byte of it is another.
    for place in [0, stored.len() / 2, stored.len() - 1] {
        let mut damaged = stored.clone();
        if let Some(byte) = damaged.get_mut(place) {
            *byte ^= 1;
        }
        assert!(Session::from_bytes(&damaged).is_err(), "byte {place}");
    }
    let cut = stored.len() - 1;
    assert!(Session::from_bytes(stored.get(..cut).unwrap_or_default()).is_err());
    go_on(session.clone());
}

/// An engine goes on with it: logs in, where the server kept the session too, and ends.
fn go_on(session: Session) {
    let device = DeviceInfo::with_key("PRODUCT001", "lamp", "c2VjcmV0");
    let mut config = Config::new(&device.expect("names and secret are as the vendor allows"));
    config.clean_session = false;
    let now = Instant::from_secs(1);
    let mut engine = Engine::new(config, session, 1, now);
    engine.handle_wall_time(now, WallTime::from_unix_millis(1_700_000_000_000));
    poll(&mut engine, now);
    engine.handle_connected(now);
    poll(&mut engine, now);
    engine.handle_bytes(now, &[0x20, 2, 1, 0]);
    poll(&mut engine, now);
    if let Some(shadow) = engine.own_shadow() {
        let reported = engine.reported(shadow).unwrap_or_default();
        assert!(reported.starts_with('{') && is_json(reported), "{reported}");
    }
    let again = Session::from_bytes(&engine.session().to_bytes());
    assert_eq!(again.as_ref(), Ok(engine.session()));
    engine.close(now);
    poll(&mut engine, now);
}

fn poll(engine: &mut Engine, now: Instant) {
    let mut bytes = Vec::new();
    while engine.poll_transmit(now, &mut bytes).is_some() {}
    while engine.poll_event().is_some() {}
    assert!(!engine.has_output());
}
