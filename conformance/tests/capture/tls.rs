//! Real handshakes, captured and decrypted.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use conformance::capture::Direction::{Device, Server};
use conformance::capture::tls::{self, KeyLog, TlsError};
use conformance::capture::{Capture, Connection, Direction, MQTT_TLS_PORT};
use conformance::diagnose::diagnose;
use conformance::import::import_capture;
use futures_rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use futures_rustls::rustls::client::Resumption;
use futures_rustls::rustls::crypto::ring::{self, cipher_suite, kx_group};
use futures_rustls::rustls::crypto::{CryptoProvider, SupportedKxGroup};
use futures_rustls::rustls::version::{TLS12, TLS13};
use futures_rustls::rustls::{
    self, ClientConfig, ClientConnection, HandshakeKind, RootCertStore, ServerConfig,
    ServerConnection, SupportedCipherSuite, SupportedProtocolVersion,
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use crate::tools::{self, hex, run, text};
use crate::wire::{ACK, FIN, Flow, pcap};

/// The key log of one end, as a file would have it.
#[derive(Debug, Default)]
struct Logged(Mutex<String>);

impl rustls::KeyLog for Logged {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        let line = format!("{label} {} {}\n", hex(client_random), hex(secret));
        self.0.lock().unwrap().push_str(&line);
    }
}

/// Both ends' configurations.
struct Ends {
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
    logged: Arc<Logged>,
}

/// How the ends differ from what rustls does by default.
#[derive(Clone, Copy)]
struct Choices {
    version: &'static SupportedProtocolVersion,
    suite: SupportedCipherSuite,
    /// Longest record.
    fragment: Option<usize>,
    /// What the client shows first is not what the server takes.
    retry: bool,
}

fn choices(version: &'static SupportedProtocolVersion, suite: SupportedCipherSuite) -> Choices {
    Choices {
        version,
        suite,
        fragment: None,
        retry: false,
    }
}

impl Choices {
    fn ends(&self) -> Ends {
        let mut authority = CertificateParams::default();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority =
            CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
        let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &authority).unwrap();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let mut roots = RootCertStore::empty();
        roots.add(authority.der().clone()).unwrap();
        let provider = |groups: Vec<&'static dyn SupportedKxGroup>| {
            Arc::new(CryptoProvider {
                cipher_suites: vec![self.suite],
                kx_groups: groups,
                ..ring::default_provider()
            })
        };
        let (first, both) = if self.retry {
            (
                vec![kx_group::X25519],
                vec![kx_group::SECP256R1, kx_group::X25519],
            )
        } else {
            (vec![kx_group::X25519], vec![kx_group::X25519])
        };
        let logged = Arc::new(Logged::default());
        let mut client = ClientConfig::builder_with_provider(provider(both))
            .with_protocol_versions(&[self.version])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        client.key_log = logged.clone();
        client.max_fragment_size = self.fragment;
        client.resumption = Resumption::in_memory_sessions(8);
        let mut server = ServerConfig::builder_with_provider(provider(first))
            .with_protocol_versions(&[self.version])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        server.max_fragment_size = self.fragment;
        Ends {
            client: Arc::new(client),
            server: Arc::new(server),
            logged,
        }
    }
}

/// A session in memory.
struct Session {
    client: ClientConnection,
    server: ServerConnection,
    /// What went over the wire.
    sent: Vec<(Direction, Vec<u8>)>,
    /// What the applications sent.
    said: [Vec<u8>; 2],
}

impl Session {
    fn new(ends: &Ends) -> Self {
        let name = ServerName::try_from("localhost").unwrap();
        let mut session = Session {
            client: ClientConnection::new(ends.client.clone(), name).unwrap(),
            server: ServerConnection::new(ends.server.clone()).unwrap(),
            sent: Vec::new(),
            said: [Vec::new(), Vec::new()],
        };
        session.carry();
        assert!(!session.client.is_handshaking() && !session.server.is_handshaking());
        session
    }

    /// Carries what both ends have for each other until neither has more.
    fn carry(&mut self) {
        while self.client.wants_write() || self.server.wants_write() {
            let mut flight = Vec::new();
            while self.client.wants_write() {
                self.client.write_tls(&mut flight).unwrap();
            }
            self.sent.push((Device, flight.clone()));
            let mut rest = &flight[..];
            while !rest.is_empty() {
                self.server.read_tls(&mut rest).unwrap();
                self.server.process_new_packets().unwrap();
                let _ = self.server.reader().read_to_end(&mut Vec::new());
            }
            let mut flight = Vec::new();
            while self.server.wants_write() {
                self.server.write_tls(&mut flight).unwrap();
            }
            self.sent.push((Server, flight.clone()));
            let mut rest = &flight[..];
            while !rest.is_empty() {
                self.client.read_tls(&mut rest).unwrap();
                self.client.process_new_packets().unwrap();
                let _ = self.client.reader().read_to_end(&mut Vec::new());
            }
        }
    }

    fn say(&mut self, who: Direction, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let part = &rest[..rest.len().min(20_000)];
            match who {
                Device => self.client.writer().write_all(part).unwrap(),
                Server => self.server.writer().write_all(part).unwrap(),
            }
            self.carry();
            rest = &rest[part.len()..];
        }
        self.said[usize::from(who == Server)].extend(bytes);
    }

    /// A talk with all that TLS 1.3 has: long messages, new keys on both sides, and an end.
    fn talk(&mut self, version: &SupportedProtocolVersion) {
        self.say(Device, b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00");
        self.say(Server, b"\x20\x02\x00\x00");
        for round in 0..3_u8 {
            self.say(Device, &[round; 40_000]);
            self.say(Server, &[round + 100; 700]);
            if *version == TLS13 {
                self.client.refresh_traffic_keys().unwrap();
                if round == 1 {
                    self.server.refresh_traffic_keys().unwrap();
                }
            }
        }
        self.client.send_close_notify();
        self.server.send_close_notify();
        self.carry();
    }
}

fn flow() -> Flow {
    Flow {
        server: "10.0.0.1:8883".parse().unwrap(),
        ..Flow::new(50_000, 77, 99)
    }
}

/// A capture of what was sent, in segments of at most so many bytes.
fn frames(sent: &[(Direction, Vec<u8>)], size: usize) -> Vec<Vec<u8>> {
    let flow = flow();
    let mut frames = flow.opening();
    let mut at = [0, 0];
    for (who, bytes) in sent {
        let (own, other) = match who {
            Device => (0, 1),
            Server => (1, 0),
        };
        for part in bytes.chunks(size) {
            frames.push(flow.frame(*who, ACK, at[own], at[other], part));
            at[own] += u32::try_from(part.len()).unwrap();
        }
    }
    frames.push(flow.frame(Device, FIN | ACK, at[0], at[1], b""));
    frames
}

fn captured(sent: &[(Direction, Vec<u8>)], size: usize) -> Connection {
    let capture = Capture::parse(&pcap(&frames(sent, size)), MQTT_TLS_PORT).unwrap();
    let [connection] = <[Connection; 1]>::try_from(capture.connections).unwrap();
    assert!(connection.gaps.is_empty());
    connection
}

fn check(session: &Session, key_log: &KeyLog) {
    for size in [1460, 7, 16_000] {
        let connection = captured(&session.sent, size);
        assert!(tls::is_tls(&connection));
        let decrypted = tls::decrypt(&connection, key_log).unwrap();
        assert!(decrypted.device_bytes() == session.said[0], "{size}");
        assert!(decrypted.server_bytes() == session.said[1], "{size}");
        assert!(
            decrypted
                .segments
                .is_sorted_by_key(|segment| segment.at_micros)
        );
        assert_eq!(decrypted.closed_by, connection.closed_by);
        let times = |of: &Connection| [of.asked_at, of.opened_at, of.ended_at];
        assert_eq!(times(&decrypted), times(&connection));
        assert!(times(&decrypted).iter().all(Option::is_some));
        assert!(decrypted.is_decrypted && !connection.is_decrypted);
        assert!(!tls::is_tls(&decrypted));
    }
}

fn all() -> Vec<Choices> {
    use cipher_suite as suite;
    vec![
        choices(&TLS13, suite::TLS13_AES_128_GCM_SHA256),
        choices(&TLS13, suite::TLS13_AES_256_GCM_SHA384),
        choices(&TLS13, suite::TLS13_CHACHA20_POLY1305_SHA256),
        choices(&TLS12, suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256),
        choices(&TLS12, suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384),
        choices(&TLS12, suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256),
    ]
}

fn key_log(ends: &Ends) -> KeyLog {
    KeyLog::parse(ends.logged.0.lock().unwrap().as_bytes())
}

#[test]
fn both_versions_with_each_cipher() {
    for choices in all() {
        for fragment in [None, Some(64)] {
            let ends = Choices {
                fragment,
                ..choices
            }
            .ends();
            let mut session = Session::new(&ends);
            session.talk(choices.version);
            check(&session, &key_log(&ends));
        }
    }
}

#[test]
fn resumed_sessions_and_second_hellos() {
    for choices in all() {
        let ends = choices.ends();
        for kind in [HandshakeKind::Full, HandshakeKind::Resumed] {
            let mut session = Session::new(&ends);
            assert_eq!(session.client.handshake_kind(), Some(kind));
            session.talk(choices.version);
            check(&session, &key_log(&ends));
        }
    }
    let retry = Choices {
        retry: true,
        ..choices(&TLS13, cipher_suite::TLS13_AES_128_GCM_SHA256)
    };
    let ends = retry.ends();
    let mut session = Session::new(&ends);
    let kind = session.client.handshake_kind();
    assert_eq!(kind, Some(HandshakeKind::FullWithHelloRetryRequest));
    session.talk(&TLS13);
    check(&session, &key_log(&ends));
}

/// With the keys in the file.
#[test]
fn tshark_decrypts_the_same() {
    if !tools::present("tshark") || !tools::present("editcap") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let [keys, file, with_keys] =
        ["keys.txt", "tls.pcap", "keys.pcapng"].map(|name| directory.path().join(name));
    for choices in all() {
        let ends = choices.ends();
        let mut session = Session::new(&ends);
        session.talk(choices.version);
        std::fs::write(&keys, ends.logged.0.lock().unwrap().as_bytes()).unwrap();
        std::fs::write(&file, pcap(&frames(&session.sent, 1460))).unwrap();
        let inject = format!("tls,{}", text(&keys));
        run(
            "editcap",
            &["--inject-secrets", &inject, text(&file), text(&with_keys)],
        );
        let capture = Capture::parse(&std::fs::read(&with_keys).unwrap(), MQTT_TLS_PORT).unwrap();
        let decrypted = tls::decrypt(&capture.connections[0], &capture.key_log).unwrap();
        let expected = tools::followed(&decrypted).sent;
        assert!(follow_tls(&with_keys) == expected);
    }
}

/// What the device and the server sent. tshark names as node 0 whose data it decrypted first, and
/// that may be the server's session tickets.
fn follow_tls(path: &Path) -> [String; 2] {
    let decode = "tcp.port==8883,tls";
    let statistic = "follow,tls,raw,0";
    let arguments = ["-r", text(path), "-d", decode, "-q", "-z", statistic];
    let printed = run("tshark", &arguments);
    let mut sent = tools::sent(&printed);
    if printed.contains("Node 0: 10.0.0.1:8883") {
        sent.reverse();
    }
    sent
}

/// A stream that keeps what goes through it.
struct Recorded {
    stream: TcpStream,
    sent: Vec<(Direction, Vec<u8>)>,
}

impl Read for Recorded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.stream.read(buffer)?;
        self.sent.push((Device, buffer[..count].to_vec()));
        Ok(count)
    }
}

impl Write for Recorded {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let count = self.stream.write(buffer)?;
        self.sent.push((Server, buffer[..count].to_vec()));
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// OpenSSL as the client, with the key log that it writes.
#[test]
fn openssl_is_decrypted() {
    if !Command::new("openssl")
        .arg("version")
        .output()
        .is_ok_and(|out| out.status.success())
    {
        eprintln!("SKIPPED: openssl is missing");
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    for choices in all() {
        let ends = choices.ends();
        let keys = directory.path().join("keys.txt");
        let _ = std::fs::remove_file(&keys);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let mut openssl = Command::new("openssl")
            .args([
                "s_client",
                "-quiet",
                "-connect",
                &address,
                "-keylogfile",
                text(&keys),
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut input = openssl.stdin.take().unwrap();
        input.write_all(b"a line of the device\n").unwrap();
        let (stream, _) = listener.accept().unwrap();
        let mut stream = Recorded {
            stream,
            sent: Vec::new(),
        };
        let mut server = ServerConnection::new(ends.server.clone()).unwrap();
        let mut said = [0; 21];
        let mut tls = rustls::Stream::new(&mut server, &mut stream);
        tls.read_exact(&mut said).unwrap();
        tls.write_all(b"a line of the server\n").unwrap();
        tls.flush().unwrap();
        drop(input);
        server.send_close_notify();
        server.write_tls(&mut stream).unwrap();
        drop(stream.stream);
        openssl.wait().unwrap();
        let connection = captured(&stream.sent, 1460);
        let key_log = KeyLog::parse(&std::fs::read(&keys).unwrap());
        assert_eq!(key_log.unreadable(), 0);
        let decrypted = tls::decrypt(&connection, &key_log).unwrap();
        assert_eq!(decrypted.device_bytes(), b"a line of the device\n");
        assert_eq!(decrypted.server_bytes(), b"a line of the server\n");
    }
}

#[test]
fn what_cannot_be_decrypted_is_told_without_secrets() {
    for choices in all() {
        let ends = choices.ends();
        let mut session = Session::new(&ends);
        session.talk(choices.version);
        let connection = captured(&session.sent, 1460);
        let whole = ends.logged.0.lock().unwrap().clone();
        let secrets: Vec<_> = whole
            .lines()
            .map(|line| line.split(' ').nth(2).unwrap())
            .collect();
        let mut errors = Vec::new();
        let mut decrypt = |connection: &Connection, keys: &str| {
            let error = tls::decrypt(connection, &KeyLog::parse(keys.as_bytes())).unwrap_err();
            errors.push(error);
            error
        };
        // No key at all, or not one of them.
        let labels = if *choices.version == TLS13 {
            &[
                "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
                "SERVER_HANDSHAKE_TRAFFIC_SECRET",
                "CLIENT_TRAFFIC_SECRET_0",
                "SERVER_TRAFFIC_SECRET_0",
            ][..]
        } else {
            &["CLIENT_RANDOM"]
        };
        for label in labels {
            let kept = whole.lines().filter(|line| !line.starts_with(label));
            let kept = kept.collect::<Vec<_>>().join("\n");
            let error = decrypt(&connection, &kept);
            assert!(matches!(error, TlsError::NoKey { label: found, .. } if found == *label));
            let random = whole.split(' ').nth(1).unwrap();
            assert_eq!(
                error.to_string(),
                format!("the key log has no line `{label} {random} ..`")
            );
            // A wrong key, and one of a wrong length.
            let changed = |change: &dyn Fn(&str) -> String| -> String {
                let lines = whole.lines().map(|line| match line.starts_with(label) {
                    true => change(line) + "\n",
                    false => line.to_owned() + "\n",
                });
                lines.collect()
            };
            let last = |line: &str| if line.ends_with('0') { "1" } else { "0" };
            let wrong = changed(&|line| line[..line.len() - 1].to_owned() + last(line));
            assert!(matches!(
                decrypt(&connection, &wrong),
                TlsError::Unauthentic { .. }
            ));
            let short = changed(&|line| line[..line.len() - 2].to_owned());
            let error = decrypt(&connection, &short);
            assert!(matches!(error, TlsError::KeyLength { label: found } if found == *label));
        }
        // A byte of a record is another.
        let mut damaged = session.sent.clone();
        let (who, bytes) = damaged
            .iter_mut()
            .rfind(|(_, bytes)| bytes.len() > 500)
            .unwrap();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        let who = *who;
        let error = decrypt(&captured(&damaged, 1460), &whole);
        assert!(matches!(error, TlsError::Unauthentic { direction, .. } if direction == who));
        // The capture begins later.
        let late = captured(&session.sent[2..], 1460);
        decrypt(&late, &whole);
        // The server never answers.
        let alone = captured(&session.sent[..1], 1460);
        assert_eq!(decrypt(&alone, &whole), TlsError::NoHello(Server));
        for error in errors {
            let shown = format!("{error} {error:?}").to_lowercase();
            assert!(
                secrets.iter().all(|secret| !shown.contains(&secret[..8])),
                "{shown}"
            );
        }
        let shown = format!("{:?}", KeyLog::parse(whole.as_bytes()));
        let count = labels.len();
        assert_eq!(
            shown,
            format!("KeyLog {{ secrets: {count}, unreadable: 0, left_out: 0 }}")
        );
    }
}

/// What the capture lacks at the end is not made up, and a side's gap stays one.
#[test]
fn a_capture_that_ends_early_has_what_came_before() {
    for choices in all() {
        let ends = choices.ends();
        let mut session = Session::new(&ends);
        session.talk(choices.version);
        let mut frames = frames(&session.sent, 1460);
        frames.remove(frames.len() * 3 / 4);
        let capture = Capture::parse(&pcap(&frames), MQTT_TLS_PORT).unwrap();
        let connection = &capture.connections[0];
        assert_eq!(connection.gaps, [Device]);
        let decrypted = tls::decrypt(connection, &key_log(&ends)).unwrap();
        assert_eq!(decrypted.gaps, [Device]);
        let bytes = decrypted.device_bytes();
        assert!(session.said[0].starts_with(&bytes) && !bytes.is_empty());
        assert!(bytes.len() < session.said[0].len());
        assert!(decrypted.server_bytes() == session.said[1]);
    }
}

#[test]
fn plain_mqtt_is_no_tls() {
    let connection = captured(&[(Device, b"\x10\x00".to_vec())], 10);
    assert!(!tls::is_tls(&connection));
    let error = tls::decrypt(&connection, &KeyLog::default()).unwrap_err();
    assert_eq!(error, TlsError::NoHello(Device));
    assert_eq!(
        error.to_string(),
        "the capture has no beginning of a TLS handshake by the device"
    );
}

#[test]
fn key_logs_of_any_kind() {
    let random = "ab".repeat(32);
    let secret = "CD".repeat(48);
    let mut key_log = KeyLog::parse(
        format!(
            "# comment\r\n\r\nCLIENT_RANDOM {random} {secret}\r\nEXPORTER_SECRET {random} {secret}\n\
             RSA 0011223344556677 {secret}\nCLIENT_RANDOM {random}\nCLIENT_RANDOM {random} xy\n\
             CLIENT_RANDOM {random} {secret} more\nCLIENT_RANDOM 00 {secret}\n\u{0}\u{1}\n"
        )
        .as_bytes(),
    );
    assert_eq!(
        format!("{key_log:?}"),
        "KeyLog { secrets: 1, unreadable: 5, left_out: 0 }"
    );
    let mut many = String::new();
    for number in 0..=tls::MAX_SECRETS {
        many += &format!("CLIENT_RANDOM {number:064x} 00\n");
    }
    key_log.merge(&KeyLog::parse(many.as_bytes()));
    assert_eq!(
        format!("{key_log:?}"),
        "KeyLog { secrets: 65536, unreadable: 5, left_out: 2 }"
    );
}

#[test]
fn an_import_says_why_it_cannot_read() {
    let ends = all().remove(0).ends();
    let mut session = Session::new(&ends);
    session.talk(&TLS13);
    let file = pcap(&frames(&session.sent, 1460));
    let read = || Capture::parse(&file, MQTT_TLS_PORT).unwrap();
    let told = |capture: &Capture| {
        let imported = import_capture(capture, None);
        assert_eq!(imported.unexplained(), 1, "{imported}");
        let diagnosed = diagnose(&conformance::diagnose::Session::from(capture));
        assert!(!diagnosed.saw_packets(), "{diagnosed}");
        [imported.to_string(), diagnosed.to_string()]
    };
    let mut capture = read();
    capture.decrypt(&KeyLog::default());
    assert_eq!(capture.connections[0].undecrypted, None);
    for text in told(&capture) {
        assert!(
            text.contains("TLS") && text.contains("--key-log FILE"),
            "{text}"
        );
        assert!(!text.contains("password"), "{text}");
    }
    // The keys of another session.
    let others = all().remove(0).ends();
    Session::new(&others).talk(&TLS13);
    capture.decrypt(&key_log(&others));
    let why = capture.connections[0].undecrypted.unwrap();
    assert!(matches!(why, TlsError::NoKey { .. }), "{why}");
    for text in told(&capture) {
        assert!(text.contains(&why.to_string()), "{text}");
    }
    capture.decrypt(&key_log(&ends));
    assert_eq!(capture.connections[0].undecrypted, None);
    assert!(capture.connections[0].device_bytes() == session.said[0]);
}
