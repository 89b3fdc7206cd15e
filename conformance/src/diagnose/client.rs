//! Whose connections are whose, and where findings are collected.

use std::collections::BTreeMap;

use shadow_core::tencent::ShadowName;
use shadow_core::tencent::credentials;

use super::finding::Finding;
use super::session::{Connection, Packet, Record, Session};
use super::{Diagnosis, MAXIMUM_FINDINGS, Patience};

/// The connections of one client, in order.
pub(super) struct Client<'a> {
    pub(super) session: &'a Session,
    pub(super) patience: &'a Patience,
    /// The client identifier; `None` for connections that no CONNECT and no address tells of.
    pub(super) id: Option<&'a str>,
    pub(super) connections: Vec<(usize, &'a Connection)>,
    /// Whether it is a device of the vendor's, to which its limits apply.
    pub(super) is_vendors: bool,
}

impl<'a> Client<'a> {
    /// Groups connections by client identifier. An attempt without a CONNECT is that of the only
    /// client with its address.
    pub(super) fn all(session: &'a Session, patience: &'a Patience) -> Vec<Client<'a>> {
        let id_of = |connection: &'a Connection| {
            let id = connection.connect()?.1.client_id.as_str();
            // The server gives out a name of its own for an empty one.
            (!id.is_empty()).then_some(id)
        };
        let mut addresses = BTreeMap::new();
        let mut ids: Vec<Option<&str>> = Vec::new();
        for connection in &session.connections {
            if let (Some(address), Some(id)) = (connection.device, id_of(connection)) {
                let known = addresses.entry(address).or_insert(Some(id));
                if *known != Some(id) {
                    *known = None;
                }
            }
            let known = ids.contains(&id_of(connection));
            if let (false, Some(id)) = (known, id_of(connection)) {
                ids.push(Some(id));
            }
        }
        let only = match ids.as_slice() {
            [only] => *only,
            _ => None,
        };
        let owner = |connection: &'a Connection| {
            let by_address = || match connection.device {
                Some(address) => addresses.get(&address).copied().flatten(),
                None => only,
            };
            match connection.connect() {
                Some(_) => id_of(connection),
                None => by_address(),
            }
        };
        ids.push(None);
        let mut clients = Vec::new();
        for id in ids {
            let own = session.connections.iter().enumerate();
            let connections: Vec<_> = own.filter(|(_, c)| owner(c) == id).collect();
            if id.is_some() {
                clients.push(Client {
                    session,
                    patience,
                    id,
                    is_vendors: connections.iter().any(|(_, c)| is_vendors(c)),
                    connections,
                });
                continue;
            }
            // Of these each is a client of its own, for all that is known.
            for (index, connection) in connections {
                clients.push(Client {
                    session,
                    patience,
                    id: None,
                    is_vendors: is_vendors(connection),
                    connections: vec![(index, connection)],
                });
            }
        }
        clients
    }

    /// The packets of all connections: connection, ordinal from 1, record.
    pub(super) fn records(&self) -> impl Iterator<Item = (Place, &'a Connection, &'a Record)> + '_ {
        self.connections.iter().flat_map(|&(index, connection)| {
            let records = connection.packets.iter().enumerate();
            records.map(move |(ordinal, record)| {
                (Place::packet(index, ordinal, record), connection, record)
            })
        })
    }

    pub(super) fn stood_until(&self, connection: &Connection) -> u64 {
        connection.stood_until(self.session)
    }
}

fn is_vendors(connection: &Connection) -> bool {
    connection
        .packets
        .iter()
        .any(|record| match &record.packet {
            Packet::Connect(connect) => connect
                .login
                .as_ref()
                .and_then(|login| credentials::UserName::parse(login.user_name.as_deref()?))
                .is_some_and(|user_name| user_name.client_id == connect.client_id),
            Packet::Publish(publish) => {
                ShadowName::from_operation_topic(&publish.topic).is_some()
                    || ShadowName::from_result_topic(&publish.topic).is_some()
            }
            Packet::Subscribe { filters, .. } => filters
                .iter()
                .any(|(filter, _)| ShadowName::from_result_topic(filter).is_some()),
            _ => false,
        })
}

/// How reports name a shadow.
pub(super) fn name_of(shadow: &ShadowName) -> String {
    format!("{}/{}", shadow.product_id(), shadow.device_name())
}

/// Where something was found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) connection: Option<usize>,
    pub(super) packet: Option<usize>,
    pub(super) at: Option<u64>,
}

impl Place {
    pub(super) fn packet(connection: usize, ordinal: usize, record: &Record) -> Place {
        Place {
            connection: Some(connection),
            packet: Some(ordinal + 1),
            at: Some(record.at_micros),
        }
    }

    pub(super) fn connection(index: usize, at: Option<u64>) -> Place {
        Place {
            connection: Some(index),
            packet: None,
            at,
        }
    }
}

/// What was found, up to a bound.
#[derive(Default)]
pub(super) struct Findings {
    pub(super) list: Vec<Diagnosis>,
    pub(super) left_out: usize,
    pub(super) client: Option<String>,
}

impl Findings {
    pub(super) fn add(&mut self, place: Place, finding: Finding) {
        if self.list.len() == MAXIMUM_FINDINGS {
            self.left_out += 1;
            return;
        }
        self.list
            .push(Diagnosis::new(self.client.clone(), place, finding));
    }
}
