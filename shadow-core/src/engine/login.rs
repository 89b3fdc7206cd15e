//! Making the CONNECT packet: the one place where wall time and secrets meet.

use alloc::string::String;

use crate::config::{Config, Expiry, Login, UserName, Will};
use crate::mqtt;
use crate::random::Random;
use crate::tencent::credentials::{self, Secret};
use crate::time::WallTime;

/// What goes into a CONNECT beside the settings.
#[derive(Clone)]
pub(super) struct Credentials {
    client_id: String,
    user_name: Option<String>,
    password: Option<Secret>,
}

/// A password is inside, so nothing is shown.
impl core::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Credentials")
            .field("client_id", &self.client_id)
            .finish_non_exhaustive()
    }
}

impl Credentials {
    /// Credentials for a CONNECT at `wall`, which only a plain login can do without.
    pub(super) fn new(
        login: &Login,
        wall: Option<WallTime>,
        random: &mut Random,
    ) -> Option<Credentials> {
        let client_id = login.client_id();
        let (user_name, password) = match login {
            Login::Plain {
                user_name,
                password,
                ..
            } => (user_name.clone(), password.clone()),
            Login::Key {
                secret,
                method,
                user_name,
                ..
            } => {
                let (connection_id, expiry) = user_name.draw(wall?, random);
                let app_id = user_name.sdk_app_id;
                let signed =
                    credentials::sign(*method, &client_id, app_id, connection_id, expiry, secret);
                (Some(signed.user_name), Some(signed.password))
            }
            Login::Certificate { user_name, .. } => {
                let (connection_id, expiry) = user_name.draw(wall?, random);
                let app_id = user_name.sdk_app_id;
                let name = credentials::user_name(&client_id, app_id, connection_id, expiry);
                let password = Secret::from_bytes(credentials::CERTIFICATE_PASSWORD);
                (Some(name), Some(password))
            }
        };
        Some(Credentials {
            client_id,
            user_name,
            password,
        })
    }

    pub(super) fn connect<'a>(&'a self, config: &'a Config) -> mqtt::Connect<'a> {
        let user_name = self.user_name.as_deref();
        mqtt::Connect {
            version: config.protocol_version,
            client_id: &self.client_id,
            clean_session: config.clean_session,
            keep_alive: config.keep_alive,
            user_name,
            password: user_name.and(self.password.as_ref().map(Secret::expose)),
            will: config.will.as_ref().map(|Will(will)| mqtt::Will {
                topic: &will.topic,
                payload: &will.payload,
                qos: will.qos,
                retain: will.retain,
            }),
        }
    }
}

impl UserName {
    fn draw(&self, wall: WallTime, random: &mut Random) -> ([u8; 5], u64) {
        let connection_id = self
            .connection_id
            .unwrap_or_else(|| random.letters_and_digits());
        let expiry = match self.expiry {
            Expiry::After(validity) => (wall + validity).as_unix_seconds(),
            Expiry::NowInMilliseconds => wall.as_unix_millis(),
        };
        (connection_id, expiry)
    }
}
