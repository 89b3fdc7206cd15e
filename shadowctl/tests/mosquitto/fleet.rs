//! A fleet at a broker.

use crate::broker::Broker;
use crate::program::{Running, run};

/// Every device of it has its shadow, and every round trip its answer, by way of the broker.
pub(crate) fn round_trips() {
    smol::block_on(async {
        let broker = Broker::start().await;
        let _service = Running::serve(&broker).await;
        let port = broker.port.to_string();
        let place = ["--host", "127.0.0.1", "--port", &port, "--output", "json"];
        let load = [
            "fleet",
            "--devices",
            "20",
            "--rate",
            "100",
            "--duration",
            "0.5",
        ];
        let summary = run(&[&load[..], &place].concat()).await.result();
        assert_eq!(summary["connected"], 20, "{summary}");
        assert_eq!(summary["answered"], 50, "{summary}");
        assert_eq!(summary["failed"], 0, "{summary}");
    });
}
