//! Logins: refusals and their likely cause, expiries, signatures used again.

use shadow_core::tencent::credentials::UserName;

use super::client::{Client, Findings, Place};
use super::finding::Finding;
use super::session::{Connect, Connection, Login, Packet};

/// From this number on an expiry is in milliseconds, as for every time of the vendor's.
const MILLISECONDS_FROM: u64 = 100_000_000_000;
/// How far the clocks of device and capture may differ, in seconds.
const CLOCK_SKEW: u64 = 60;

pub(super) fn check(client: &Client<'_>, findings: &mut Findings) {
    let mut used: Vec<&Login> = Vec::new();
    let (mut reused, mut in_milliseconds) = (0, false);
    let mut first_reuse = None;
    for &(index, connection) in &client.connections {
        let Some((at, connect)) = connection.connect() else {
            continue;
        };
        let place = Place::connection(index, Some(at));
        let refusal = connection.packets.iter().find_map(|r| match r.packet {
            Packet::ConnAck { code, .. } if code != 0 => Some(code),
            _ => None,
        });
        if let Some(code) = refusal {
            let cause = cause(connection, at, connect, code);
            findings.add(place, Finding::LoginRefused { code, cause });
        }
        let Some(login) = &connect.login else {
            continue;
        };
        let Some(user_name) = signed(login) else {
            continue;
        };
        if user_name.expiry >= MILLISECONDS_FROM {
            if !in_milliseconds {
                findings.add(place, Finding::ExpiryInMilliseconds);
            }
            in_milliseconds = true;
        } else if let Some(seconds) = past(connection, at, &user_name) {
            let refused = matches!(refusal, Some(4 | 5));
            findings.add(place, Finding::ExpiryPast { seconds, refused });
        }
        if used.iter().any(|earlier| is_same(earlier, login)) {
            reused += 1;
            first_reuse.get_or_insert(place);
        }
        used.push(login);
    }
    if let Some(place) = first_reuse {
        findings.add(place, Finding::SignatureReused { times: reused });
    }
}

/// The parts of a user name in the vendor's form, beside a signature.
fn signed(login: &Login) -> Option<UserName<'_>> {
    let password = login.password.as_ref()?.expose();
    let is_signature = password.ends_with(b";hmacsha1") || password.ends_with(b";hmacsha256");
    UserName::parse(login.user_name.as_deref()?).filter(|_| is_signature)
}

fn is_same(a: &Login, b: &Login) -> bool {
    match (&a.password, &b.password) {
        (Some(first), Some(second)) => {
            a.user_name == b.user_name && first.expose() == second.expose()
        }
        _ => false,
    }
}

fn past(connection: &Connection, at: u64, user_name: &UserName<'_>) -> Option<u64> {
    let now = at / 1_000_000;
    let by = now.saturating_sub(user_name.expiry);
    (connection.has_wall_time && by > CLOCK_SKEW).then_some(by)
}

fn cause(connection: &Connection, at: u64, connect: &Connect, code: u8) -> String {
    let user_name = connect
        .login
        .as_ref()
        .and_then(|login| UserName::parse(login.user_name.as_deref()?));
    match (code, user_name) {
        (1, _) => "the server does not speak this version of MQTT".to_owned(),
        (2, _) if connect.client_id.is_empty() && !connect.clean_session => {
            "an empty client identifier needs a clean session".to_owned()
        }
        (2, _) => "the server does not take this client identifier".to_owned(),
        (3, _) => "the server is not available".to_owned(),
        (4 | 5, Some(user_name)) if user_name.client_id != connect.client_id => {
            "the user name is that of another client identifier".to_owned()
        }
        (4 | 5, Some(user_name))
            if user_name.expiry < MILLISECONDS_FROM
                && past(connection, at, &user_name).is_some() =>
        {
            "the signature has expired; the device's clock may be wrong".to_owned()
        }
        (4, Some(_)) => "the secret is another than the server's, the signature is wrong, or the \
             device's clock is"
            .to_owned(),
        (4, None) => {
            "user name or password is wrong, or a signature that the device's clock spoiled"
                .to_owned()
        }
        (5, _) => "the client is known and may not connect: see whether it is enabled".to_owned(),
        _ => "a code that MQTT does not have".to_owned(),
    }
}
