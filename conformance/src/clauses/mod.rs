//! The normative statements of MQTT 3.1.1, and what shows that the client obeys them.
//!
//! The OASIS standard of 29 October 2014 numbers its normative statements and lists them in its
//! appendix B. [`CHAPTERS`] has all 141 of them, each in a few words of this project's own: the
//! standard's words decide. Where a statement binds a client, the row names the tests that show it
//! holds for [`shadow_core::Engine`], or for the transport below it. Statements that bind only
//! servers are listed so that no number is missing; some of them have tests too, as a client
//! notices when its server breaks them.
//!
//! Two numbers are misprinted in the standard: `3.1.2.7` and `3-8.3-4` are [MQTT-3.1.2-7] and
//! [MQTT-3.8.3-4] here.
//!
//! The verdicts hold for the default configuration. Of the choices that copy the vendor's Python
//! SDK ([`shadow_core::config::Behaviour`]) one bends a statement:
//! [`duplicate_without_session`](shadow_core::config::Behaviour::duplicate_without_session) sets
//! DUP in what is a new message to the server [MQTT-4.3.2-1], and MQTT 3.1 has no numbered
//! statements at all.
//!
//! `cargo run -p conformance --example clauses` prints the table.
//!
//! ```
//! use conformance::clauses::{self, Count, Verdict};
//!
//! let clause = clauses::find("MQTT-3.1.0-1").ok_or("it is in the table")?;
//! assert_eq!(clause.statement, "A client's first packet on a link is CONNECT.");
//! assert!(matches!(clause.verdict, Verdict::Tested(tests) if !tests.is_empty()));
//!
//! let count = Count::of(clauses::all().filter(|clause| clause.binds.binds_client()));
//! assert_eq!((count.total(), count.gaps), (72, 0));
//! # Ok::<(), &str>(())
//! ```

mod behaviour;
mod connect;
mod format;
mod messages;
mod requests;

/// One normative statement of MQTT 3.1.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clause {
    /// The standard's number, as in `MQTT-3.1.2-24`.
    pub id: &'static str,
    /// What it demands, in other words than the standard's.
    pub statement: &'static str,
    /// Whom it binds.
    pub binds: Party,
    /// What is known about the client.
    pub verdict: Verdict,
}

/// Whom a statement binds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Party {
    /// Only clients.
    Client,
    /// Only servers.
    Server,
    /// Clients and servers, as whoever sends or receives a packet.
    Both,
}

impl Party {
    /// Whether a client has to obey it.
    #[must_use]
    pub const fn binds_client(self) -> bool {
        matches!(self, Party::Client | Party::Both)
    }
}

/// What is known about the client and a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// These tests have the statement's number in their assertions. A name is the end of a test's
    /// path, such as `clauses::login::connect_is_the_first_packet`, and unique in the workspace.
    ///
    /// With [`Party::Server`]: the client notices when the statement is broken.
    Tested(&'static [&'static str]),
    /// It binds only servers, and a client cannot tell or need not.
    ServerOnly,
    /// A gap: it binds a client and nothing shows that it holds.
    Untested,
}

/// Statements that belong together, in the order of their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chapter {
    /// Which part of the standard.
    pub title: &'static str,
    /// Its statements.
    pub clauses: &'static [Clause],
}

/// Every statement, in the order of the standard.
pub const CHAPTERS: [Chapter; 5] = [
    format::CHAPTER,
    connect::CHAPTER,
    messages::CHAPTER,
    requests::CHAPTER,
    behaviour::CHAPTER,
];

/// Every statement, in the order of the standard.
pub fn all() -> impl Iterator<Item = &'static Clause> {
    CHAPTERS.into_iter().flat_map(|chapter| chapter.clauses)
}

/// The statement with this number, as in `MQTT-3.1.2-24`; `None` if the standard has none.
#[must_use]
pub fn find(id: &str) -> Option<&'static Clause> {
    all().find(|clause| clause.id == id)
}

/// How many statements have which verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// [`Verdict::Tested`].
    pub tested: usize,
    /// [`Verdict::ServerOnly`].
    pub server_only: usize,
    /// [`Verdict::Untested`].
    pub gaps: usize,
}

impl Count {
    /// Counts `clauses`.
    pub fn of<'a>(clauses: impl IntoIterator<Item = &'a Clause>) -> Count {
        let mut count = Count::default();
        for clause in clauses {
            *match clause.verdict {
                Verdict::Tested(_) => &mut count.tested,
                Verdict::ServerOnly => &mut count.server_only,
                Verdict::Untested => &mut count.gaps,
            } += 1;
        }
        count
    }

    /// How many there are in all.
    #[must_use]
    pub const fn total(&self) -> usize {
        self.tested + self.server_only + self.gaps
    }
}

/// A row with tests.
const fn tested(
    binds: Party,
    id: &'static str,
    statement: &'static str,
    tests: &'static [&'static str],
) -> Clause {
    Clause {
        id,
        statement,
        binds,
        verdict: Verdict::Tested(tests),
    }
}

/// A row that is the server's business.
const fn server_only(id: &'static str, statement: &'static str) -> Clause {
    Clause {
        id,
        statement,
        binds: Party::Server,
        verdict: Verdict::ServerOnly,
    }
}
