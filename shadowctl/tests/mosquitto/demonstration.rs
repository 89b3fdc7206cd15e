//! The document's scenarios, by the command that demonstrates them.

use serde_json::Value;

use crate::broker::Broker;
use crate::device::write_device_info;
use crate::program::{Run, Running, run};

pub(crate) fn over_tcp() {
    smol::block_on(async {
        let broker = Broker::start().await;
        let _service = Running::serve(&broker).await;
        let device = write_device_info(broker.directory(), "demo");
        let port = broker.port();
        let run = run(&[
            "demo",
            "--output",
            "json",
            "--device",
            &device,
            "--no-tls",
            "--host",
            "127.0.0.1",
            "--port",
            &port,
        ])
        .await;
        all_passed(&run);
    });
}

pub(crate) fn over_tls() {
    smol::block_on(async {
        let broker = Broker::start().await;
        let _service = Running::serve(&broker).await;
        let device = write_device_info(broker.directory(), "demo");
        let (port, ca) = (broker.tls_port(), broker.ca());
        let run = run(&[
            "demo",
            "--output",
            "json",
            "--device",
            &device,
            "--tls",
            "--ca",
            &ca,
            "--host",
            "localhost",
            "--port",
            &port,
        ])
        .await;
        all_passed(&run);
    });
}

/// That every demonstration was held to its end, and nothing of it skipped. The check that the
/// cached status is the document's is left out, as this device begins with an empty shadow.
#[track_caller]
fn all_passed(run: &Run) {
    assert_eq!(run.code, 0, "{run:#?}");
    let lines: Vec<Value> = run
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let of = |event: &str| -> Vec<&Value> {
        lines.iter().filter(|line| line["event"] == event).collect()
    };
    assert_eq!(of("demonstration").len(), 4, "{run:#?}");
    assert_eq!(of("check").len(), 9, "{run:#?}");
    assert!(of("check").iter().all(|check| check["passed"] == true));
    assert!(of("skipped").is_empty(), "{run:#?}");
}
