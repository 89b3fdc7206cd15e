//! The transport that section 7.1.2 demands of a client.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use futures_lite::StreamExt;
use shadow_core::mqtt::QoS;
use shadow_core::{Config, Event, Publication, Session};
use transport_tcp::{Notification, SystemClock, TcpConnector, client};

/// Large enough to be cut into many segments, and no two places in it alike.
fn payload() -> Vec<u8> {
    (0..8_000_u16).flat_map(u16::to_be_bytes).collect()
}

/// PUBLISH to `t` with that payload: type and flags, 16,005 in two bytes with the low seven bits
/// first, topic, packet identifier.
fn publish() -> Vec<u8> {
    [&b"\x32\x85\x7d\x00\x01t\x00\x01"[..], &payload()].concat()
}

/// A server over a blocking socket: logs the client in, takes one message, sends the same back byte
/// by byte, and waits for the end. Gives back what it received.
fn serve(mut link: TcpStream) -> Vec<u8> {
    link.set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    let mut received = vec![0; 15];
    link.read_exact(&mut received).unwrap();
    link.write_all(&[0x20, 2, 0, 0]).unwrap();
    let mut message = vec![0; publish().len()];
    link.read_exact(&mut message).unwrap();
    received.extend(message);
    link.set_nodelay(true).unwrap();
    for byte in [&[0x40, 2, 0, 1][..], &publish()].concat() {
        link.write_all(&[byte]).unwrap();
    }
    link.read_to_end(&mut received).unwrap();
    received
}

#[test]
fn a_client_speaks_over_tcp() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = thread::spawn(move || serve(listener.accept().unwrap().0));

    let inbound = smol::block_on(async {
        let connector = TcpConnector::new("127.0.0.1", port);
        let config = Config::plain("c");
        let (client, mut events, driver) =
            client(config, Session::new(), 1, connector, SystemClock::new());
        let driver = smol::spawn(driver.run());
        let payload = payload();
        let publication = Publication::new("t", &payload).qos(QoS::AtLeastOnce);
        client.publish(&publication).await.unwrap();
        let inbound = loop {
            match events.next().await.unwrap() {
                Notification::Event(Event::Message(message)) => break message.payload,
                Notification::Event(_) => {}
                other => panic!("{other:?}"),
            }
        };
        client.close().await;
        driver.await;
        inbound
    });

    let expected = [
        &b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01c"[..],
        &publish(),
        b"\x40\x02\x00\x01",
        b"\xe0\x00",
    ];
    assert_eq!(
        server.join().unwrap(),
        expected.concat(),
        "[MQTT-7.1.2-1] all that was sent, in order"
    );
    assert_eq!(
        inbound,
        payload(),
        "[MQTT-7.1.2-1] all that was received, in order"
    );
}
