//! What is logged, and what never is.

use transport_mock::cloud::EXAMPLE_DEVICE_SECRET;

use crate::command::{run, shadowctl};

#[test]
fn everything_is_logged_but_secrets() {
    let run = run(["get", "-vv"]);
    assert_eq!(run.code, 0, "{run:#?}");
    for words in ["TRACE transport_tcp", "kind=CONNECT", "kind=PUBLISH"] {
        assert!(run.stderr.contains(words), "{words}: {run:#?}");
    }
    // The secret as it is written and as it is, and the password that is made from it.
    for secret in [EXAMPLE_DEVICE_SECRET, "not a real secret", "hmacsha256"] {
        assert!(!run.stderr.contains(secret), "{secret}: {run:#?}");
    }
}

#[test]
fn rust_log_counts_instead_of_the_option() {
    let with = |filter: &str| {
        let mut command = shadowctl();
        let output = command
            .args(["get", "-vv"])
            .env("RUST_LOG", filter)
            .output()
            .unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    let (code, stderr) = with("off");
    assert_eq!(code, Some(0));
    assert!(!stderr.contains("transport_tcp"), "{stderr}");
    let (code, stderr) = with("transport_tcp=loud");
    assert_eq!(code, Some(2));
    assert!(stderr.starts_with("error: RUST_LOG: "), "{stderr}");
}
