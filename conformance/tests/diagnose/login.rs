//! Logins.

use conformance::diagnose::Finding;

use crate::tape::{CLIENT, EPOCH, Tape, assert_finds, connack, connect_with, report};

/// A login of the vendor's form with this expiry; what stands for the signature tells logins apart.
fn signed(expiry: u64, signature: &str) -> Vec<u8> {
    let user = format!("{CLIENT};12010126;Ab1cD;{expiry}");
    let password = format!("{signature};hmacsha256");
    connect_with(("MQTT", 4), CLIENT, 60, 0xC2, &[&user, &password])
}

const NOW: u64 = EPOCH / 1_000_000;

fn answered(millis: u64, connect: Vec<u8>, code: u8) -> Tape {
    Tape::new()
        .device(millis, connect)
        .server(millis + 10, connack(code))
}

#[test]
fn a_refusal_has_its_likely_cause() {
    for (code, connect, cause) in [
        (1, signed(NOW + 60, "a"), "version"),
        (2, signed(NOW + 60, "a"), "identifier"),
        (3, signed(NOW + 60, "a"), "not available"),
        (4, signed(NOW + 60, "a"), "secret"),
        (4, signed(NOW - 3_600, "a"), "expired"),
        (5, signed(NOW + 60, "a"), "may not connect"),
        (
            4,
            connect_with(
                ("MQTT", 4),
                "other",
                60,
                0xC2,
                &["TAPE000001dev;1;a;9", "x"],
            ),
            "another client identifier",
        ),
        (
            4,
            connect_with(("MQTT", 4), "other", 60, 0xC2, &["user", "word"]),
            "user name or password",
        ),
        (
            2,
            connect_with(("MQTT", 4), "other", 60, 0x00, &[]),
            "identifier",
        ),
        (9, signed(NOW + 60, "a"), "does not have"),
    ] {
        let report = report([answered(0, connect, code)]);
        let found = report
            .findings
            .iter()
            .find_map(|found| match &found.finding {
                Finding::LoginRefused { code: told, cause } => Some((*told, cause.clone())),
                _ => None,
            });
        let (told, words) = found.unwrap();
        assert!(told == code && words.contains(cause), "{report}");
    }
    assert_finds!(0, Finding::LoginRefused { .. }, [Tape::new().login(0)]);
}

#[test]
fn an_expiry_may_be_past() {
    let past = signed(NOW - 100, "a");
    assert_finds!(
        1,
        Finding::ExpiryPast {
            seconds: 100,
            refused: true
        },
        [answered(0, past.clone(), 4)]
    );
    assert_finds!(
        1,
        Finding::ExpiryPast { refused: false, .. },
        [answered(0, past, 0)]
    );
    // Clocks differ.
    assert_finds!(
        0,
        Finding::ExpiryPast { .. },
        [answered(0, signed(NOW - 60, "a"), 0)]
    );
    assert_finds!(
        0,
        Finding::ExpiryPast { .. },
        [answered(0, signed(NOW + 1, "a"), 0)]
    );
}

#[test]
fn an_expiry_is_in_seconds() {
    let millis = answered(0, signed(NOW * 1_000, "a"), 0);
    assert_finds!(1, Finding::ExpiryInMilliseconds, [millis.clone()]);
    assert_finds!(0, Finding::ExpiryPast { .. }, [millis]);
    // The year 5138 is far, and in seconds.
    assert_finds!(
        0,
        Finding::ExpiryInMilliseconds,
        [answered(0, signed(99_999_999_999, "a"), 0)]
    );
}

#[test]
fn each_connect_is_signed_anew() {
    let first = answered(0, signed(NOW + 60, "a"), 0);
    let again = answered(20_000, signed(NOW + 60, "a"), 0);
    let anew = answered(20_000, signed(NOW + 80, "b"), 0);
    assert_finds!(
        1,
        Finding::SignatureReused { times: 1 },
        [first.clone(), again]
    );
    assert_finds!(0, Finding::SignatureReused { .. }, [first, anew]);
    // A fixed password has nothing to expire.
    let plain = connect_with(("MQTT", 4), CLIENT, 60, 0xC2, &["user", "word"]);
    let fixed = [answered(0, plain.clone(), 0), answered(20_000, plain, 0)];
    assert_finds!(0, Finding::SignatureReused { .. }, fixed);
}

#[test]
fn no_report_has_the_password() {
    let connect = connect_with(
        ("MQTT", 4),
        CLIENT,
        0,
        0xC2,
        &["TAPE000001dev;1;a;9", "s3cr3t"],
    );
    let session = crate::tape::session([answered(0, connect, 4)]);
    let report = conformance::diagnose::diagnose(&session);
    let texts = [
        report.to_string(),
        format!("{report:?}"),
        format!("{session:?}"),
        serde_json::to_string(&report).unwrap(),
    ];
    for text in texts {
        assert!(!text.contains("s3cr3t"), "{text}");
    }
}
