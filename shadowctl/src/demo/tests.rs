//! Stories that come out otherwise.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use shadow_core::tencent::DeviceInfo;
use transport_mock::cloud::{CloudConfig, EXAMPLE_DEVICE_NAME, EXAMPLE_PRODUCT_ID, example_name};
use transport_mock::server::{Credentials, KnownDevice, ServerConfig};
use transport_tcp::Clock;

use super::*;
use crate::failure::FailureKind;
use crate::output::Format;

/// What was written.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn story(
    cloud: impl FnOnce(&VirtualClock) -> Cloud,
    documented: bool,
) -> (Result<(), Failure>, String) {
    let written = Written::default();
    let results = anstream::StripStream::new(Box::new(written.clone()) as Box<dyn Write + Send>);
    let mut output = Output::new(Format::Text, Box::new(results), Box::new(io::sink()));
    let clock = VirtualClock::new(DOCUMENTED_TIME);
    let result = tell_fast(&clock, cloud(&clock), documented, &mut output);
    drop(output);
    let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
    (result, text)
}

/// A cloud with nothing in it.
fn empty(clock: &VirtualClock, server: ServerConfig) -> Cloud {
    let config = CloudConfig {
        server,
        ..CloudConfig::default()
    };
    Cloud::new(config, clock.now(), DOCUMENTED_TIME)
}

#[test]
fn other_outcome_fails_and_says_which() {
    let (result, text) = story(|clock| empty(clock, ServerConfig::default()), true);
    let failure = result.unwrap_err();
    assert_eq!(failure.kind(), FailureKind::Operation);
    let why = "demonstration 1: expected that updateCount is 0 and updateCount11 is \"shadow\", at \
               version 8, but found {";
    assert!(failure.to_string().starts_with(why), "{failure}");
    assert!(text.contains("✗ updateCount is 0"), "{text}");
    assert!(!text.contains("2. "), "{text}");
}

#[test]
fn shadow_with_a_past_of_its_own_is_no_failure() {
    let seeded = |clock: &VirtualClock| {
        let mut cloud = empty(clock, ServerConfig::default());
        let state = r#"{"reported":{"other":[1]},"desired":{"reportSeconds":60}}"#;
        cloud
            .seed(&example_name(), state, 3, DOCUMENTED_TIME)
            .unwrap();
        cloud
    };
    let (result, text) = story(seeded, false);
    assert_eq!(result, Ok(()), "{text}");
    assert!(
        text.contains("What this shadow holds now is overwritten"),
        "{text}"
    );
    assert!(text.contains("All 9 checks passed."), "{text}");
}

/// A device with a certificate has no application beside it.
#[test]
fn without_an_application_the_step_is_skipped() {
    let only_device = |clock: &VirtualClock| {
        let (product, name) = (EXAMPLE_PRODUCT_ID, EXAMPLE_DEVICE_NAME);
        let device =
            DeviceInfo::with_certificate(product, name, None, "c".into(), "k".into()).unwrap();
        let server = ServerConfig {
            credentials: Credentials::Devices(vec![KnownDevice::new(device)]),
            ..ServerConfig::default()
        };
        empty(clock, server)
    };
    let (result, text) = story(only_device, false);
    assert_eq!(result, Ok(()), "{text}");
    let (_, end) = text.split_once("  Skipped: ").unwrap();
    assert!(end.starts_with("this server gives no application's side over MQTT (login refused"));
    assert!(end.contains("All 7 checks passed."), "{text}");
}

#[test]
fn refused_subscription_ends_it() {
    let deaf = |clock: &VirtualClock| {
        let server = ServerConfig {
            maximum_subscriptions: 0,
            ..ServerConfig::default()
        };
        empty(clock, server)
    };
    let (result, text) = story(deaf, false);
    let failure = result.unwrap_err().to_string();
    assert!(failure.contains("SUBACK 0x80"), "{failure}");
    assert!(text.contains("SUBACK     refused (0x80)"), "{text}");
}
