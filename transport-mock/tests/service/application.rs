//! The application's side, and what a test sets up with.

use transport_mock::service::{Change, ChangeError, Limits, ServiceConfig, ShadowService};

use crate::support::{at, line, name, reply};

const SEED: &str = r#"{"reported":{"updateCount":0,"updateCount11":"shadow"}}"#;

#[test]
fn reads_a_shadow() {
    let mut cloud = ShadowService::new();
    cloud
        .seed(
            &name(),
            r#"{"reported":{"a":1},"desired":{"a":2,"b":{"c":3}}}"#,
            8,
            at(1_000),
        )
        .unwrap();
    let shadow = cloud.shadow(&name()).unwrap();
    assert_eq!(shadow.version(), 8);
    assert_eq!(shadow.timestamp(), Some(at(1_000)));
    assert_eq!(shadow.reported(), r#"{"a":1}"#);
    assert_eq!(shadow.desired().as_deref(), Some(r#"{"a":2,"b":{"c":3}}"#));
    assert_eq!(shadow.delta().as_deref(), Some(r#"{"a":2,"b":{"c":3}}"#));
}

#[test]
fn changes_desired_at_the_expected_version_only() {
    let mut cloud = ShadowService::new();
    let mut desire = |patch, version| cloud.set_desired(at(5_000), &name(), patch, version);
    let Change { version, push } = desire(r#"{"a":1}"#, Some(0)).unwrap();
    assert_eq!(version, 1);
    assert_eq!(
        line(push.unwrap()),
        concat!(
            r#"{"payload":{"state":{"a":1},"timestamp":5000,"version":1},"timestamp":5000,"#,
            r#""type":"delta"}"#
        )
    );
    assert_eq!(
        desire(r#"{"a":2}"#, Some(0)),
        Err(ChangeError::VersionConflict { current: 1 })
    );
    let unchanged = Change {
        version: 1,
        push: None,
    };
    assert_eq!(desire(r#"{"a":1}"#, Some(1)), Ok(unchanged));
    let cleared = Change {
        version: 2,
        push: None,
    };
    assert_eq!(desire("null", None), Ok(cleared));
}

#[test]
fn refuses_what_is_no_part_of_a_document() {
    let limits = Limits {
        document_bytes: 30,
        levels: 2,
        shadows: 1,
        ..Limits::default()
    };
    let mut cloud = ShadowService::with_config(ServiceConfig {
        limits,
        ..ServiceConfig::default()
    });
    for (patch, error) in [
        ("", ChangeError::NotJson),
        ("{a:1}", ChangeError::NotJson),
        ("[1]", ChangeError::NotAnObject),
        ("7", ChangeError::NotAnObject),
        (r#"{"a":[{}]}"#, ChangeError::TooDeep),
        (r#"{"a":12345678}"#, ChangeError::TooLarge { bytes: 40 }),
    ] {
        assert_eq!(
            cloud.set_desired(at(1), &name(), patch, None),
            Err(error),
            "{patch}"
        );
        assert!(!error.to_string().is_empty());
    }
    for (state, error) in [
        ("nul", ChangeError::NotJson),
        ("null", ChangeError::NotAnObject),
        (r#"{"reported":1}"#, ChangeError::NotAnObject),
        (r#"{"reported":{"a":{"b":{}}}}"#, ChangeError::TooDeep),
    ] {
        assert_eq!(cloud.seed(&name(), state, 1, at(1)), Err(error), "{state}");
    }
    assert_eq!(cloud.shadow(&name()), None);
}

#[test]
fn reports_on_behalf_of_a_device() {
    let mut cloud = ShadowService::new();
    let desired = cloud
        .set_desired(at(1), &name(), r#"{"a":1}"#, None)
        .unwrap();
    assert!(desired.push.is_some());
    let reported = cloud
        .set_reported(at(2), &name(), r#"{"a":1}"#, Some(1))
        .unwrap();
    assert_eq!((reported.version, reported.push), (2, None));
    assert_eq!(cloud.shadow(&name()).unwrap().delta(), None);
}

#[test]
fn reset_goes_back_to_the_seed_and_counts_as_a_change() {
    let mut cloud = ShadowService::new();
    cloud.seed(&name(), SEED, 8, at(1_626_770_626_087)).unwrap();
    let seeded = cloud.document(at(0), &name());
    reply(
        &mut cloud,
        1_626_770_697_670,
        r#"{"type":"update","state":{"reported":{"updateCount":12,"updateCount12":"shadow"}}}"#,
    );
    let change = cloud.reset(at(1_626_770_700_000), &name());
    assert_eq!((change.version, change.push), (10, None));
    assert_eq!(
        cloud.document(at(0), &name()),
        seeded
            .replace("1626770626087", "1626770700000")
            .replace(r#""version":8"#, r#""version":10"#)
    );
    let again = cloud.reset(at(1_626_770_701_000), &name());
    assert_eq!(again.version, 10, "nothing changed");
}

#[test]
fn reset_empties_what_was_never_seeded_and_leaves_alone_what_never_was() {
    let mut cloud = ShadowService::new();
    assert_eq!(cloud.reset(at(1), &name()).version, 0);
    assert_eq!(cloud.shadow(&name()), None);
    let reported = cloud
        .set_reported(at(1), &name(), r#"{"a":1}"#, None)
        .unwrap();
    assert_eq!(reported.version, 1);
    assert_eq!(cloud.reset(at(2), &name()).version, 2);
    assert_eq!(cloud.shadow(&name()).unwrap().reported(), "{}");
}

#[test]
fn reset_to_a_seed_that_desires_pushes_its_delta() {
    let mut cloud = ShadowService::new();
    cloud
        .seed(&name(), r#"{"desired":{"a":1}}"#, 1, at(1))
        .unwrap();
    let cleared = cloud.set_desired(at(2), &name(), "null", None).unwrap();
    assert_eq!(cleared.push, None);
    let push = line(cloud.reset(at(3), &name()).push.unwrap());
    assert!(
        push.starts_with(r#"{"payload":{"state":{"a":1},"#),
        "{push}"
    );
}
