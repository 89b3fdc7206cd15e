//! How a fault begins, and how all of them end.

use std::time::Duration;

use shadow_core::mqtt::ConnectReturnCode;
use shadow_core::{Engine, Session};

use super::fault::{Direction, Documents, Fault, FaultKind};
use super::{DeviceId, Simulation};
use crate::service::ShadowService;
use crate::trace::LineKind;

impl Simulation {
    /// Has a fault happen, from now on. One of a device that is not there does nothing: schedules
    /// that are made by chance have such.
    pub fn inject(&mut self, fault: &Fault) {
        self.note_with(LineKind::Fault, || format!("fault: {fault}"));
        let now = self.now;
        let until = |millis: u32| now + milliseconds(millis);
        let known = |device: usize| (device < self.devices.len()).then_some(DeviceId(device));
        match *fault {
            Fault::Wire {
                device,
                direction,
                after,
                what,
            } => {
                let Some(device) = known(device) else { return };
                match self.device_at(device).connection {
                    Some(connection) => {
                        if let Some(link) = self.network.link_mut(connection) {
                            link.wire_mut(direction).arm(after.into(), what);
                        }
                        self.network.write(now, connection, direction, &[]);
                    }
                    None => {
                        let ills = &mut self.device_mut(device).ills;
                        ills.next_wires.push((direction, after, what));
                    }
                }
            }
            Fault::Segments {
                device,
                direction,
                size,
                millis,
            } => {
                if let Some(device) = known(device) {
                    let size = usize::try_from(size).unwrap_or(usize::MAX);
                    let ills = &mut self.device_mut(device).ills;
                    ills.shape_mut(direction).segment = Some((size, until(millis)));
                }
            }
            Fault::Merge {
                device,
                direction,
                hold,
                millis,
            } => {
                if let Some(device) = known(device) {
                    let ills = &mut self.device_mut(device).ills;
                    ills.shape_mut(direction).hold = Some((milliseconds(hold), until(millis)));
                }
            }
            Fault::RefuseConnections { device, millis } => {
                if let Some(device) = known(device) {
                    self.device_mut(device).ills.refused_until = until(millis);
                }
            }
            Fault::Unreachable { device, millis } => {
                if let Some(device) = known(device) {
                    self.device_mut(device).ills.unreachable_until = until(millis);
                }
            }
            Fault::RefuseLogins {
                device,
                code,
                count,
            } => {
                if let Some(device) = known(device) {
                    let client_id = self.client_id(device);
                    let code = return_code(code);
                    self.cloud.refuse_logins(&client_id, code, u32::from(count));
                }
            }
            Fault::SlowServer { late, millis } => {
                self.server.slow = milliseconds(late);
                self.server.slow_until = until(millis);
            }
            Fault::Replies {
                device,
                what,
                count,
            } => {
                let name = known(device).and_then(|device| self.own_name(device));
                if let Some(name) = name {
                    self.cloud.disturb_replies(&name, what, count.into());
                }
            }
            Fault::RestartServer {
                sessions,
                documents,
                down,
            } => {
                self.server.down_until = until(down);
                self.restart(sessions, documents);
            }
            Fault::PowerCut {
                device,
                after,
                dark,
                restore,
            } => {
                let Some(device) = known(device) else { return };
                let dark = milliseconds(dark);
                if after == 0 {
                    self.cut_power(device, dark, restore);
                } else {
                    let power = &mut self.device_mut(device).power;
                    power.cut = Some((power.steps + u64::from(after), dark, restore));
                }
            }
            Fault::WrongClock { device, seconds } => {
                if let Some(device) = known(device) {
                    self.set_clock(device, seconds);
                }
            }
            Fault::SecondClient {
                device,
                clean_session,
            } => {
                if let Some(device) = known(device) {
                    self.kick(device, clean_session);
                }
            }
            Fault::Deaf { device, millis } => {
                if let Some(device) = known(device) {
                    let ills = &mut self.device_mut(device).ills;
                    ills.deaf_until = until(millis);
                    ills.missed = false;
                }
            }
        }
    }

    /// Ends all faults that last: from now on connections come about and carry what they are given,
    /// clocks are right, and devices have power. A connection that is silent stays so.
    pub fn lift(&mut self) {
        self.note_with(LineKind::Fault, || "all faults are lifted".to_owned());
        let now = self.now;
        self.server.down_until = now;
        self.server.slow_until = now;
        self.cloud.leave_replies_alone();
        for link in self.network.links_mut() {
            link.wire_mut(Direction::ToCloud).lift();
            link.wire_mut(Direction::ToDevice).lift();
        }
        for device in self.devices() {
            let client_id = self.client_id(device);
            let code = ConnectReturnCode::Accepted;
            self.cloud.refuse_logins(&client_id, code, 0);
            let this = self.device_mut(device);
            let ahead = this.ills.clock_ahead;
            this.ills = super::Ills::default();
            this.power.cut = None;
            if let Some(until) = &mut this.power.dark_until {
                *until = now;
            }
            if ahead != 0 {
                self.set_clock(device, 0);
            }
        }
    }

    fn restart(&mut self, sessions: bool, documents: Documents) {
        let online = self.cloud.server().clients().next().is_some();
        if online {
            self.network.counts.count(match sessions {
                true => FaultKind::RestartWithSessions,
                false => FaultKind::RestartWithoutSessions,
            });
        }
        self.cloud.restart(self.now, sessions);
        let names = self.devices().filter_map(|device| self.own_name(device));
        let written: Vec<_> = names
            .filter(|name| self.cloud.shadow(name).is_some())
            .collect();
        let (service, kind) = match documents {
            Documents::Kept => return,
            Documents::Older => (self.server.backup.clone(), FaultKind::DocumentsOlder),
            Documents::Lost => (None, FaultKind::DocumentsLost),
        };
        let service = service
            .unwrap_or_else(|| ShadowService::with_config(self.cloud.service().config().clone()));
        let changed = |name| self.cloud.shadow(name) != service.shadow(name);
        if written.iter().any(changed) {
            self.network.counts.count(kind);
        }
        self.cloud.replace_service(service);
    }

    fn set_clock(&mut self, device: DeviceId, ahead: i32) {
        let (now, wall) = (self.now, self.wall_time());
        let this = self.device_mut(device);
        this.ills.clock_ahead = ahead;
        let wall = this.ills.wall_time(wall);
        if !this.is_dark() {
            this.body.handle_wall_time(now, wall, ahead);
            self.stepped(device);
        }
    }

    /// Another client logs in with the device's name and secret, and says nothing more.
    fn kick(&mut self, device: DeviceId, clean_session: bool) {
        let (now, wall) = (self.now, self.wall_time());
        let client_id = self.client_id(device);
        let online = self.cloud.server().clients().any(|id| id == client_id);
        let mut config = self.device_at(device).body.config().clone();
        config.clean_session = clean_session;
        let mut rival = Engine::new(config, Session::new(), now.as_micros(), now);
        rival.handle_wall_time(now, wall);
        let mut packet = Vec::new();
        while rival.poll_transmit(now, &mut packet).is_some() {}
        rival.handle_connected(now);
        while rival.poll_transmit(now, &mut packet).is_some() {}
        let connection = self.cloud.accept(now);
        self.cloud.handle_bytes(now, connection, &packet);
        if online {
            self.network.counts.count(FaultKind::Kicked);
        }
    }

    fn client_id(&self, device: DeviceId) -> String {
        self.device_at(device).body.config().login.client_id()
    }

    fn own_name(&self, device: DeviceId) -> Option<shadow_core::tencent::ShadowName> {
        self.device_at(device).body.config().own_shadow.clone()
    }
}

fn milliseconds(millis: u32) -> Duration {
    Duration::from_millis(millis.into())
}

fn return_code(code: u8) -> ConnectReturnCode {
    match code {
        1 => ConnectReturnCode::UnacceptableProtocolVersion,
        2 => ConnectReturnCode::IdentifierRejected,
        4 => ConnectReturnCode::BadUserNameOrPassword,
        5 => ConnectReturnCode::NotAuthorized,
        _ => ConnectReturnCode::ServerUnavailable,
    }
}
