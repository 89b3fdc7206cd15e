//! What an import of a capture has to say.

use std::fmt;

use serde::Serialize;

use super::fault::Fault;
use super::missing::Missing;
use super::profile::CaptureProfile;

/// A capture imported: one report for each connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CaptureReport {
    /// In the order of the capture.
    pub connections: Vec<ConnectionReport>,
    /// In what the clients had to be followed against the engine's better judgement.
    pub faults: Vec<Fault>,
    /// Whether the file ends in the middle of a frame.
    pub truncated: bool,
    /// How many frames were skipped: they are not TCP of the server's ports, or cannot be read.
    pub skipped: usize,
    /// How many of them are TCP of which nothing tells whose they are, as their header was cut off.
    pub headless: usize,
}

impl CaptureReport {
    /// How much is unexplained: connections with a difference or with something missing, and the
    /// file itself if it is truncated or has frames without their headers. 0 is success, if there is
    /// a connection at all.
    #[must_use]
    pub fn unexplained(&self) -> usize {
        let connections = self.connections.iter();
        let unexplained = connections.filter(|one| one.is_unexplained()).count();
        unexplained + usize::from(self.truncated || self.headless > 0)
    }

    /// Whether the device sent something, and its bytes came out identical on every connection, with
    /// nothing missing.
    #[must_use]
    pub fn is_identical(&self) -> bool {
        let mut connections = self.connections.iter();
        let sent = self
            .connections
            .iter()
            .any(|connection| connection.bytes > 0);
        sent && self.unexplained() == 0 && connections.all(|one| one.difference.is_none())
    }
}

/// One connection imported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ConnectionReport {
    /// The device's and the server's address.
    pub ends: String,
    /// CONNECT's client id.
    pub client_id: String,
    /// What kind of client it is; none if it sent nothing, or no CONNECT.
    pub profile: Option<CaptureProfile>,
    /// Whether the engine is that of the client's connection before, which lost its link; otherwise
    /// it is a new one.
    pub goes_on: bool,
    /// Where the password came from.
    pub password: &'static str,
    /// How many packets the device sent.
    pub packets: usize,
    /// How many bytes it sent.
    pub bytes: usize,
    /// How many of its packets came out identical, in order.
    pub identical: usize,
    /// How many came out with the same meaning, in order: apart from packet identifiers, client
    /// tokens and the spelling of JSON. The identical ones are among them.
    pub alike: usize,
    /// How many of them the engine has no request for, such as SUBSCRIBE of several topics: its codec
    /// wrote them, with the engine's packet identifiers.
    pub by_codec: usize,
    /// How many shadow requests the engine published as they are, since the client wrote them in
    /// another form or with tokens of its own: the engine knows of no request then.
    pub as_they_are: usize,
    /// The first place where the engine's bytes are others; none if they are identical.
    pub difference: Option<Difference>,
    /// What was not looked at, as the capture lacks it or cannot be read.
    pub missing: Vec<Missing>,
}

impl ConnectionReport {
    /// Whether the engine's bytes differ, or something of the connection was not looked at.
    #[must_use]
    pub fn is_unexplained(&self) -> bool {
        self.difference.is_some() || self.missing.iter().any(Missing::is_unexplained)
    }

    fn is_encrypted(&self) -> bool {
        let mut missing = self.missing.iter();
        missing.any(|missing| matches!(missing, Missing::Encrypted { .. }))
    }

    fn write_missing(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for missing in &self.missing {
            writeln!(f, "  {missing}")?;
        }
        Ok(())
    }
}

/// Where the engine's bytes part from the device's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Offset in the device's stream.
    pub offset: usize,
    /// The device's packet there.
    pub packet: String,
    /// What the capture has from there on, in hex, at most 32 bytes; withheld for CONNECT, which has the
    /// password in it.
    pub expected: String,
    /// What the engine has.
    pub found: String,
}

impl fmt::Display for CaptureReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for connection in &self.connections {
            write!(f, "{connection}")?;
        }
        if !self.faults.is_empty() {
            writeln!(f, "options that the clients' faults need:")?;
        }
        for fault in &self.faults {
            writeln!(f, "  * {fault} ({})", fault.option())?;
        }
        if self.truncated {
            writeln!(
                f,
                "the file ends in the middle of a frame: more may have followed"
            )?;
        }
        if self.headless > 0 {
            writeln!(f, "frames without their TCP header: {}", self.headless)?;
        }
        let others = self.skipped.saturating_sub(self.headless);
        if others > 0 {
            writeln!(f, "frames that are no TCP of the server's port: {others}")?;
        }
        Ok(())
    }
}

impl fmt::Display for ConnectionReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ConnectionReport {
            ends,
            client_id,
            profile,
            goes_on,
            password,
            packets,
            bytes,
            identical,
            alike,
            by_codec,
            as_they_are,
            difference,
            missing: _,
        } = self;
        if self.is_encrypted() {
            writeln!(f, "{ends}: encrypted")?;
            return self.write_missing(f);
        }
        if *bytes == 0 {
            let nothing = match self.is_unexplained() {
                false => "the device sent nothing",
                true => "nothing of the device can be read",
            };
            writeln!(f, "{ends}: {nothing}")?;
            return self.write_missing(f);
        }
        let again = if *goes_on {
            ", the engine of the connection before"
        } else {
            ""
        };
        if let Some(profile) = profile {
            let client = match client_id.as_str() {
                "" => "a client without identifier",
                client_id => client_id,
            };
            writeln!(f, "{ends}: {client}{again}; the password is {password}")?;
            writeln!(f, "  {profile}")?;
        } else {
            writeln!(f, "{ends}: a client of which no CONNECT was seen")?;
        }
        self.write_missing(f)?;
        if profile.is_none() {
            return writeln!(
                f,
                "  {bytes} bytes of the device were not compared: the engine begins with a CONNECT"
            );
        }
        if *by_codec > 0 {
            writeln!(
                f,
                "  the engine has no request for {by_codec} of the packets; its codec writes them"
            )?;
        }
        if *as_they_are > 0 {
            writeln!(
                f,
                "  {as_they_are} requests are not of the engine's form; it publishes them as they are"
            )?;
        }
        let Some(Difference {
            offset,
            packet,
            expected,
            found,
        }) = difference
        else {
            let so_far = if self.is_unexplained() {
                ", as far as they are there"
            } else {
                ""
            };
            return writeln!(
                f,
                "  {packets} packets, {bytes} bytes of the device: identical{so_far}"
            );
        };
        writeln!(
            f,
            "  {packets} packets, {bytes} bytes of the device: {identical} packets identical, {alike} \
             with the same meaning"
        )?;
        writeln!(f, "  the bytes differ from offset {offset} on, in {packet}")?;
        writeln!(f, "    expected {expected}\n    found    {found}")
    }
}
