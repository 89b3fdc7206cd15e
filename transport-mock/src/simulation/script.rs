//! What a schedule does, as data.

use serde::{Deserialize, Serialize};

use super::fault::{Direction, Documents, Fault, ReplyFault, Restore, WireFault};
use super::random::Random;

/// A schedule: some devices, and what happens to them one after another.
///
/// Plain data: it prints, goes to a file as JSON and comes back, and the same script always gives
/// the same run. Numbers choose among what is there: a device that does not exist is skipped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Script {
    /// For the engines.
    pub seed: u64,
    /// How many devices there are, at least 1 and at most 8.
    pub devices: u8,
    /// How they and the cloud are set up.
    pub setup: Setup,
    /// What happens.
    pub steps: Vec<Step>,
}

/// How devices and cloud are set up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setup {
    /// Milliseconds to the cloud and back.
    pub latency: (u16, u16),
    /// QoS of the shadow topics, 0 or 1; others count as 1.
    pub qos: u8,
    /// CONNECT's clean session flag.
    pub clean_session: bool,
    /// How the engine checks versions.
    pub policy: Policy,
    /// Seconds.
    pub keep_alive: u16,
    /// Whether a push holds only what has just been changed.
    pub push_changes: bool,
    /// Whether an update that changes nothing counts as a change.
    pub count_unchanged: bool,
    /// Whether the engine's bounds are so small that they are met.
    pub narrow: bool,
}

/// The version policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Policy {
    /// [`VersionPolicy::Unchecked`](shadow_core::config::VersionPolicy::Unchecked).
    Unchecked,
    /// [`VersionPolicy::Strict`](shadow_core::config::VersionPolicy::Strict).
    Strict,
    /// [`VersionPolicy::Rebase`](shadow_core::config::VersionPolicy::Rebase).
    Rebase {
        /// How many conflicts in a row are put up with.
        tries: u8,
    },
}

/// One leaf of a document; `N` and `E` are nested objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Key {
    /// `r0`, reported by the device.
    R0,
    /// `r1`, reported by the device.
    R1,
    /// `n.a`, reported by the device.
    Na,
    /// `n.b`, reported by the device.
    Nb,
    /// `d0`, desired by the application.
    D0,
    /// `d1`, desired by the application.
    D1,
    /// `e.x`, desired by the application.
    Ex,
    /// `e.y`, desired by the application.
    Ey,
    /// `o0`, for one-shot updates.
    O0,
    /// `o1`, for one-shot updates.
    O1,
}

/// How many keys there are.
pub const KEYS: usize = Key::ALL.len();

impl Key {
    /// All of them.
    pub const ALL: [Key; 10] = [
        Key::R0,
        Key::R1,
        Key::Na,
        Key::Nb,
        Key::D0,
        Key::D1,
        Key::Ex,
        Key::Ey,
        Key::O0,
        Key::O1,
    ];

    /// Those that the application may desire.
    pub const DESIRED: [Key; 4] = [Key::D0, Key::D1, Key::Ex, Key::Ey];

    /// The member of the document and, where that is an object, the member of it.
    #[must_use]
    pub const fn path(self) -> (&'static str, Option<&'static str>) {
        match self {
            Key::R0 => ("r0", None),
            Key::R1 => ("r1", None),
            Key::Na => ("n", Some("a")),
            Key::Nb => ("n", Some("b")),
            Key::D0 => ("d0", None),
            Key::D1 => ("d1", None),
            Key::Ex => ("e", Some("x")),
            Key::Ey => ("e", Some("y")),
            Key::O0 => ("o0", None),
            Key::O1 => ("o1", None),
        }
    }
}

/// One thing that happens. A value that is written is one that never was before, unless the step says
/// which it is again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Step {
    /// Time passes.
    Wait {
        /// Milliseconds.
        millis: u32,
    },
    /// The application desires values of these keys.
    Desire {
        /// Of which device.
        device: usize,
        /// Which.
        keys: Vec<Key>,
        /// For each of the keys in turn: 0 for a new value, or which of the values that were desired
        /// or reported of that key it is again, 1 for the last. What is missing is 0, and so is what
        /// goes beyond the four that are remembered.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        again: Vec<u8>,
    },
    /// The application desires nothing any more of these keys.
    Undesire {
        /// Of which device.
        device: usize,
        /// Which.
        keys: Vec<Key>,
    },
    /// The device reports values of these keys, or deletes them.
    Report {
        /// Which device.
        device: usize,
        /// Which keys.
        keys: Vec<Key>,
        /// Whether it deletes them.
        delete: bool,
        /// As [`Step::Desire`] has it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        again: Vec<u8>,
    },
    /// The device answers the deltas that it was told and has not answered yet, the oldest first.
    Answer {
        /// Which device.
        device: usize,
        /// How.
        how: Answer,
    },
    /// From now on the device answers each delta at once.
    AnswerAtOnce {
        /// Which device.
        device: usize,
        /// How.
        how: Answer,
    },
    /// The device sends a one-shot update of this key of `reported`.
    Update {
        /// Which device.
        device: usize,
        /// Which key.
        key: Key,
        /// Whether it states a version, the one last heard of in an answer.
        checked: bool,
    },
    /// The device asks for the whole shadow.
    Get {
        /// Which device.
        device: usize,
    },
    /// The device publishes a message on a topic of its own.
    Publish {
        /// Which device.
        device: usize,
        /// 0 to 2.
        qos: u8,
    },
    /// The device cancels its oldest request.
    Cancel {
        /// Which device.
        device: usize,
    },
    /// The cloud makes a backup of its documents.
    BackUp,
    /// Something goes wrong.
    Fault(Fault),
    /// All faults are lifted and everything comes to rest.
    Rest,
}

/// What a device does about a delta.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// It applies it.
    Accept,
    /// It applies it and ends up with other values.
    AcceptAs,
    /// It refuses it.
    Reject,
    /// It applies the first member and refuses the others.
    Partial,
    /// It applies the first member and leaves the others.
    First,
    /// It forgets it.
    Ignore,
}

impl Script {
    /// A script of about `size` steps that `seed` alone decides.
    #[must_use]
    pub fn random(seed: u64, size: usize) -> Script {
        let mut random = Random::new(seed);
        let devices = if random.one_in(4) { 2 } else { 1 };
        let setup = Setup::random(&mut random);
        let mut steps = Vec::with_capacity(size);
        // The first faults meet the very first connection in one script of two.
        if random.one_in(2) {
            steps.push(Step::Wait { millis: 2_000 });
        }
        while steps.len() < size.max(1) {
            let device = random.index(devices);
            random_steps(&mut random, device, &mut steps);
        }
        // Numbers of their own: what else a seed stands for does not depend on them.
        let mut random = Random::new(!seed);
        for step in &mut steps {
            if let Step::Desire { keys, again, .. } | Step::Report { keys, again, .. } = step {
                *again = random_again(&mut random, keys.len());
            }
        }
        Script {
            seed,
            devices: u8::try_from(devices).unwrap_or(1),
            setup,
            steps,
        }
    }
}

impl Setup {
    /// What a script begins from: no latency, QoS 0, a clean session, the engine's defaults.
    #[must_use]
    pub const fn plain() -> Setup {
        Setup {
            latency: (0, 0),
            qos: 0,
            clean_session: true,
            policy: Policy::Rebase { tries: 3 },
            keep_alive: 60,
            push_changes: false,
            count_unchanged: false,
            narrow: false,
        }
    }

    fn random(random: &mut Random) -> Setup {
        let latencies = [0, 1, 20, 150];
        let mut latency = || random.choose(&latencies);
        let latency = (latency(), latency());
        Setup {
            latency,
            qos: u8::from(random.one_in(2)),
            clean_session: random.one_in(2),
            policy: match random.below(8) {
                0 => Policy::Unchecked,
                1 => Policy::Strict,
                tries => Policy::Rebase {
                    tries: [1, 2, 3, 3, 3, 3]
                        .get(tries as usize - 2)
                        .copied()
                        .unwrap_or(3),
                },
            },
            keep_alive: random.choose(&[60, 240, 850]),
            push_changes: random.one_in(4),
            count_unchanged: random.one_in(4),
            narrow: random.one_in(8),
        }
    }
}

fn random_steps(random: &mut Random, device: usize, steps: &mut Vec<Step>) {
    let step = match random.below(32) {
        0..=7 => Step::Wait {
            millis: random_wait(random),
        },
        8..=10 => Step::Desire {
            device,
            keys: random.some_of(&Key::DESIRED, 2),
            again: Vec::new(),
        },
        11 if random.one_in(2) => Step::Undesire {
            device,
            keys: random.some_of(&Key::DESIRED, 1),
        },
        11..=14 => Step::Report {
            device,
            keys: random.some_of(&REPORTED, 3),
            delete: random.one_in(5),
            again: Vec::new(),
        },
        15..=16 => Step::Answer {
            device,
            how: random_answer(random),
        },
        17 => Step::AnswerAtOnce {
            device,
            how: random_answer(random),
        },
        18 => Step::Update {
            device,
            key: random.choose(&[Key::O0, Key::O1, Key::O0, Key::R0]),
            checked: random.one_in(4),
        },
        19 => Step::Get { device },
        20 if random.one_in(2) => Step::Publish {
            device,
            qos: random.below(3) as u8,
        },
        20 if random.one_in(2) => Step::Cancel { device },
        20 => Step::BackUp,
        21 if random.one_in(6) => Step::Rest,
        _ => Step::Fault(random_fault(random, device)),
    };
    steps.push(step);
}

/// What a device reports: also what the application may desire.
const REPORTED: [Key; 6] = [Key::R0, Key::R1, Key::Na, Key::Nb, Key::D0, Key::Ex];

fn random_again(random: &mut Random, keys: usize) -> Vec<u8> {
    let again = |_| random.choose(&[0, 0, 0, 1, 2, 2, 3]);
    (0..keys).map(again).collect()
}

fn random_wait(random: &mut Random) -> u32 {
    let scale = random.choose(&[
        0, 0, 5, 50, 50, 300, 300, 1_000, 2_500, 8_000, 40_000, 150_000,
    ]);
    scale + random.below(u64::from(scale) / 2 + 1) as u32
}

fn random_answer(random: &mut Random) -> Answer {
    random.choose(&[
        Answer::Accept,
        Answer::Accept,
        Answer::Accept,
        Answer::AcceptAs,
        Answer::Reject,
        Answer::Partial,
        Answer::First,
        Answer::Ignore,
    ])
}

fn random_fault(random: &mut Random, device: usize) -> Fault {
    let direction = random.choose(&[Direction::ToCloud, Direction::ToDevice]);
    let lasting = |random: &mut Random| 1 + random_wait(random);
    match random.below(20) {
        0..=7 => {
            let what = match random.below(8) {
                0..=2 => WireFault::Cut,
                3 => WireFault::HalfClose,
                4 => WireFault::Silence,
                5 => WireFault::Split,
                _ => WireFault::Stall {
                    millis: lasting(random),
                },
            };
            let reach = random.choose(&[1, 8, 60, 250, 900]);
            let after = random.below(reach) as u32;
            Fault::Wire {
                device,
                direction,
                after,
                what,
            }
        }
        8 => Fault::Segments {
            device,
            direction,
            size: random.choose(&[1, 2, 3, 7, 40]),
            millis: lasting(random),
        },
        9 => Fault::Merge {
            device,
            direction,
            hold: random.choose(&[1, 10, 100, 1_000]),
            millis: lasting(random),
        },
        10 if random.one_in(2) => Fault::RefuseConnections {
            device,
            millis: lasting(random),
        },
        10 => Fault::Unreachable {
            device,
            millis: lasting(random),
        },
        11 if random.one_in(2) => Fault::RefuseLogins {
            device,
            code: 1 + random.below(5) as u8,
            count: 1 + random.below(2) as u8,
        },
        11 => Fault::SlowServer {
            late: random.choose(&[5, 100, 1_000, 4_000, 11_000]),
            millis: lasting(random),
        },
        12..=14 => Fault::Replies {
            device,
            what: match random.below(5) {
                0 | 1 => ReplyFault::Lost,
                2 => ReplyFault::Late {
                    millis: lasting(random),
                },
                3 => ReplyFault::Twice,
                _ => ReplyFault::AfterPush,
            },
            count: 1 + random.below(2) as u8,
        },
        15 => Fault::RestartServer {
            sessions: random.one_in(2),
            documents: match random.below(4) {
                0 => Documents::Older,
                1 => Documents::Lost,
                _ => Documents::Kept,
            },
            down: random.choose(&[0, 100, 3_000, 20_000]),
        },
        16 | 17 => Fault::PowerCut {
            device,
            after: random.choose(&[0, 1, 2, 3, 5, 8, 13, 20]),
            dark: random.choose(&[0, 10, 2_000, 90_000]),
            restore: match random.below(8) {
                0..=4 => Restore::Latest,
                5 | 6 => Restore::Older {
                    back: 1 + random.below(6) as u8,
                },
                _ => Restore::Nothing,
            },
        },
        18 if random.one_in(2) => Fault::WrongClock {
            device,
            seconds: random.choose(&[-100_000, -4_000, 4_000, 0]),
        },
        18 => Fault::Deaf {
            device,
            millis: lasting(random),
        },
        _ => Fault::SecondClient {
            device,
            clean_session: random.one_in(2),
        },
    }
}
