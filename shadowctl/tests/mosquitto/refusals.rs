//! What a broker does not allow, and the end.

use std::fs;
use std::path::Path;

use shadow_core::Event;
use transport_tcp::ClientError;

use crate::broker::{Broker, write_password_file};
use crate::device::Device;
use crate::program::Running;
use crate::wait::until_it_works;

/// Where mosquitto's dynamic security plugin is; `None` where it is not installed.
pub(crate) fn dynamic_security() -> Option<&'static str> {
    [
        "/usr/lib/x86_64-linux-gnu/mosquitto_dynamic_security.so",
        "/usr/lib/aarch64-linux-gnu/mosquitto_dynamic_security.so",
        "/usr/lib/mosquitto_dynamic_security.so",
        "/opt/homebrew/lib/mosquitto_dynamic_security.so",
    ]
    .into_iter()
    .find(|path| Path::new(path).is_file())
}

/// A mosquitto that refuses every subscription, by its dynamic security plugin. Its ACL files
/// cannot do that: with them everybody may subscribe everything, and is sent nothing.
async fn without_subscriptions() -> Broker {
    let plugin = dynamic_security().expect("the test runs only where it is");
    Broker::start_with(|directory| {
        let path = directory.join("dynamic-security.json");
        let text = r#"{
            "defaultACLAccess": {"publishClientSend": true, "publishClientReceive": true,
                "subscribe": false, "unsubscribe": true},
            "clients": [], "roles": [],
            "groups": [{"groupname": "everybody", "roles": []}],
            "anonymousGroup": "everybody"
        }"#;
        fs::write(&path, text).unwrap();
        format!(
            "allow_anonymous true\nplugin {plugin}\nplugin_opt_config_file {}",
            path.display()
        )
    })
    .await
}

/// The plugin knows its clients by their user names, of which a device has a new one for each
/// login; so this one logs in without.
pub(crate) fn subscription_of_a_device() {
    smol::block_on(async {
        let broker = without_subscriptions().await;
        let mut device = Device::start_anonymous(&broker, "refused");
        device
            .next("the refusal", |event| {
                matches!(event, Event::ShadowRefused { .. }).then_some(())
            })
            .await;
        let refused = device.shadow.get().await;
        assert_eq!(refused, Err(ClientError::SubscriptionRefused));
        device.close().await;
    });
}

pub(crate) fn subscription_of_the_service() {
    smol::block_on(async {
        let broker = without_subscriptions().await;
        let address = format!("127.0.0.1:{}", broker.port);
        let service = Running::start(&["serve", "--broker", &address]);
        let words = [&address, "$shadow/operation/+/+", "SUBACK 0x80"];
        service.end().await.assert_failed(1, &words);
    });
}

/// A refused login is told at each try; the service goes on trying, as the broker's rules may
/// change.
pub(crate) fn login_of_the_service() {
    smol::block_on(async {
        let (user, password) = ("shadow-service", "a password with spaces");
        let broker = Broker::start_with(|directory| {
            let path = directory.join("passwords");
            smol::block_on(write_password_file(&path, user, password));
            format!("allow_anonymous false\npassword_file {}", path.display())
        })
        .await;
        let address = format!("127.0.0.1:{}", broker.port);
        let (right, wrong) = (
            broker.directory().join("right"),
            broker.directory().join("wrong"),
        );
        fs::write(&right, format!("{password}\n")).unwrap();
        fs::write(&wrong, "wrong").unwrap();
        let start = |password: &Path| {
            let file = password.to_str().unwrap();
            Running::start(&[
                "serve",
                "--broker",
                &address,
                "--user",
                user,
                "--password-file",
                file,
            ])
        };
        let mut service = start(&wrong);
        for _ in 0..2 {
            let offline = service.next("offline").await;
            let why = offline["why"].as_str().unwrap();
            assert!(why.contains("login refused"), "{why}");
        }
        assert_eq!(service.interrupt().await.code, 0);
        let mut service = start(&right);
        service.next("online").await;
        let run = service.interrupt().await;
        assert_eq!(run.code, 0, "{run:#?}");
        assert!(!broker.log().contains(password) && !run.stderr.contains(password));
    });
}

/// Ctrl-C: the broker gets a DISCONNECT.
pub(crate) fn end_of_the_service() {
    smol::block_on(async {
        let broker = Broker::start().await;
        let service = Running::serve(&broker).await;
        let run = service.interrupt().await;
        assert_eq!(run.code, 0, "{run:#?}");
        let logged = async || match broker.log() {
            log if log.contains("Received DISCONNECT from shadow-service") => Ok(()),
            log => Err(log),
        };
        until_it_works("the broker's word of it", logged).await;
    });
}
