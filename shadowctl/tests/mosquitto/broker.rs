//! A mosquitto of a test.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use smol::net::TcpStream;
use smol::process::{Child, Command};
use tempfile::TempDir;

use crate::authority::Authority;
use crate::wait::{in_time, until_it_works};

/// Where mosquitto is; `None` where it is not installed.
pub(crate) fn mosquitto() -> Option<PathBuf> {
    find("mosquitto")
}

/// A program of the PATH, or of the directories of system services, which are not on it for
/// everyone.
fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let services = ["/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin"].map(PathBuf::from);
    let directories = std::env::split_paths(&path).chain(services);
    directories
        .map(|directory| directory.join(program))
        .find(|file| file.is_file())
}

/// A running mosquitto on free ports of this machine, for TCP, for TLS, and for WebSocket over
/// both. It is killed when dropped.
pub(crate) struct Broker {
    pub(crate) port: u16,
    pub(crate) tls_port: u16,
    pub(crate) websocket_port: u16,
    pub(crate) secure_websocket_port: u16,
    directory: TempDir,
    child: Child,
}

impl Broker {
    /// One that lets everybody do everything.
    pub(crate) async fn start() -> Broker {
        Broker::start_with(|_| "allow_anonymous true".into()).await
    }

    /// One with these lines of configuration, which may name files that they were written from in
    /// the given directory.
    pub(crate) async fn start_with(configure: impl Fn(&Path) -> String) -> Broker {
        // Another process can take a port between its being found free and mosquitto's start.
        for _ in 0..5 {
            let directory = TempDir::new().unwrap();
            let ports = free_ports();
            let lines = configure(directory.path());
            configuration(directory.path(), ports, &lines);
            let [port, tls_port, websocket_port, secure_websocket_port] = ports;
            let child = spawn(directory.path());
            let mut broker = Broker {
                port,
                tls_port,
                websocket_port,
                secure_websocket_port,
                directory,
                child,
            };
            if broker.ready().await {
                return broker;
            }
        }
        panic!("mosquitto does not start");
    }

    /// The port as an argument.
    pub(crate) fn port(&self) -> String {
        self.port.to_string()
    }

    /// The TLS port as an argument.
    pub(crate) fn tls_port(&self) -> String {
        self.tls_port.to_string()
    }

    /// The certificate of the authority that issued the broker's.
    pub(crate) fn ca(&self) -> String {
        let path = self.directory.path().join("ca.pem");
        path.to_str().unwrap().to_owned()
    }

    /// A directory that lives as long as the broker.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// What it has logged.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("mosquitto.log")).unwrap_or_default()
    }

    /// Stops it in the middle of whatever it is doing: it reads and answers nothing, and its
    /// connections stay open.
    pub(crate) async fn freeze(&self) {
        let id = self.child.id().to_string();
        let mut stop = Command::new("kill");
        let status = stop.args(["-STOP", &id]).status().await.unwrap();
        assert!(status.success());
    }

    /// Ends it without a word to its clients.
    pub(crate) async fn kill(&mut self) {
        self.child.kill().unwrap();
        in_time("the end of mosquitto", self.child.status())
            .await
            .unwrap();
    }

    /// Starts it again, on the same ports and without anything it knew.
    pub(crate) async fn start_again(&mut self) {
        self.child = spawn(self.directory.path());
        assert!(self.ready().await, "{}", self.log());
    }

    /// Whether it takes connections; false if it has ended instead.
    async fn ready(&mut self) -> bool {
        let plain = [self.port, self.websocket_port];
        let secure = [self.tls_port, self.secure_websocket_port];
        for port in [plain, secure].concat() {
            let child = &mut self.child;
            let ready = until_it_works("mosquitto's start", async || {
                if child.try_status().unwrap().is_some() {
                    return Ok(false);
                }
                let connected = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await;
                connected.map(|_| true)
            });
            if !ready.await {
                return false;
            }
        }
        true
    }
}

fn free_ports() -> [u16; 4] {
    let listeners = [0; 4].map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}

fn configuration(directory: &Path, ports: [u16; 4], lines: &str) {
    let [port, tls_port, websocket_port, secure_websocket_port] = ports;
    let authority = Authority::new();
    authority.write(&directory.join("ca.pem"));
    let (certificate, key) = authority.certify(directory);
    // `user` counts only where the test runs as root, and keeps mosquitto from becoming somebody
    // who may not read the directory.
    let text = format!(
        "user root\n\
         persistence false\n\
         log_dest file {log}\n\
         log_type all\n\
         {lines}\n\
         listener {port} 127.0.0.1\n\
         listener {tls_port} 127.0.0.1\n\
         certfile {certificate}\n\
         keyfile {key}\n\
         listener {websocket_port} 127.0.0.1\n\
         protocol websockets\n\
         listener {secure_websocket_port} 127.0.0.1\n\
         protocol websockets\n\
         certfile {certificate}\n\
         keyfile {key}\n",
        log = directory.join("mosquitto.log").display(),
        certificate = certificate.display(),
        key = key.display(),
    );
    fs::write(directory.join("mosquitto.conf"), text).unwrap();
}

fn spawn(directory: &Path) -> Child {
    Command::new(mosquitto().expect("tests run only where it is"))
        .arg("-c")
        .arg(directory.join("mosquitto.conf"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

/// Writes a password file for mosquitto.
pub(crate) async fn write_password_file(path: &Path, user: &str, password: &str) {
    let program = find("mosquitto_passwd").expect("it comes with mosquitto");
    let mut command = Command::new(program);
    command.args(["-b", "-c"]).arg(path).args([user, password]);
    assert!(command.status().await.unwrap().success());
}
