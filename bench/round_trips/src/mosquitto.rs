//! The broker.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::Failure;
use crate::child::Process;

/// Where distributions put it; some not on the path of ordinary users.
const PROGRAMS: [&str; 3] = [
    "mosquitto",
    "/usr/sbin/mosquitto",
    "/usr/local/sbin/mosquitto",
];

/// How often to look whether it listens, a twentieth of a second apart.
const TRIES: usize = 100;

/// A broker that runs.
#[derive(Debug)]
pub(crate) struct Mosquitto {
    process: Process,
    /// Where it listens on 127.0.0.1.
    pub(crate) port: u16,
    configuration: PathBuf,
}

impl Mosquitto {
    /// Starts it on a free port. Whoever comes is let in, nothing is kept or logged, and small
    /// packets leave at once for all alike.
    pub(crate) fn start() -> Result<Mosquitto, Failure> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
            .local_addr()?
            .port();
        let name = format!("round_trips-{}.conf", std::process::id());
        let configuration = std::env::temp_dir().join(name);
        let lines = format!(
            "listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\n\
             set_tcp_nodelay true\nlog_dest none\n"
        );
        fs::write(&configuration, lines)?;
        let mut failure: Failure = "it is not installed".into();
        for program in PROGRAMS {
            let mut command = Command::new(program);
            command.arg("-c").arg(&configuration);
            command.stdout(Stdio::null()).stderr(Stdio::null());
            match Process::start(&mut command) {
                Ok(process) => {
                    let mut broker = Mosquitto {
                        process,
                        port,
                        configuration,
                    };
                    broker.wait()?;
                    return Ok(broker);
                }
                Err(error) => failure = error,
            }
        }
        drop(fs::remove_file(configuration));
        Err(format!("mosquitto: {failure}").into())
    }

    fn wait(&mut self) -> Result<(), Failure> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        for _ in 0..TRIES {
            if TcpStream::connect(address).is_ok() {
                return Ok(());
            }
            if self.process.has_ended() {
                break;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Err("mosquitto: it does not listen".into())
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.configuration));
    }
}
