//! Schedules of the simulator: how they are made, and how one that fails is made small.

use proptest::prelude::Rng as _;
use proptest::strategy::{NewTree, Strategy};
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

use super::tree::{Simplify, SimplifyTree};
use crate::simulation::fault::{Documents, Fault, ReplyFault, Restore, WireFault};
use crate::simulation::script::{Answer, Script, Setup, Step};

/// Schedules of the simulator, of 1 to 60 steps on one or two devices; short ones are more frequent.
/// [`play`](crate::simulation::play) plays them.
///
/// Shrinks towards no steps on one device in [`Setup::plain`], each step about the first device, with
/// times of 0, one key, new values, and the mildest form of its fault: several steps at once are left out first,
/// then single ones, then what is left is made simpler, over and over until nothing of it helps.
///
/// ```
/// use proptest::prelude::*;
/// use transport_mock::simulation::play;
/// use transport_mock::strategies::schedule;
///
/// proptest! {
///     #![proptest_config(ProptestConfig::with_cases(16))]
///     fn the_guarantee_holds(script in schedule()) {
///         prop_assert!(play(&script, false).is_ok());
///     }
/// }
/// the_guarantee_holds();
/// ```
pub fn schedule() -> impl Strategy<Value = Script> + Clone {
    Schedules
}

#[derive(Clone, Copy, Debug)]
struct Schedules;

/// The most steps of a schedule.
const LONGEST: u64 = 60;

impl Strategy for Schedules {
    type Tree = SimplifyTree<Script>;
    type Value = Script;

    fn new_tree(&self, runner: &mut TestRunner) -> NewTree<Schedules> {
        let seed = runner.rng().next_u64();
        Ok(SimplifyTree::new(random_script(seed)))
    }
}

/// The schedule of a seed, as [`schedule`] makes them: the same one every time.
#[must_use]
pub fn random_script(seed: u64) -> Script {
    let spread = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
    let size = match seed % 4 {
        0 => spread % LONGEST.div_ceil(4),
        1 | 2 => spread % LONGEST.div_ceil(2),
        _ => spread % LONGEST,
    };
    Script::random(seed, usize::try_from(size).unwrap_or(1) + 1)
}

impl Simplify for Script {
    fn simpler(&self, number: usize) -> Option<Script> {
        changes(self).get(number).map(|change| change.apply(self))
    }
}

/// A way to make a script smaller.
enum Change {
    Remove {
        from: usize,
        count: usize,
    },
    /// All steps are about the first device.
    FirstDevice,
    OneDevice,
    Setup(fn(&mut Setup)),
    Step {
        index: usize,
        how: fn(&mut Step),
    },
}

fn changes(script: &Script) -> Vec<Change> {
    let steps = script.steps.len();
    let mut changes = Vec::new();
    let mut count = steps.div_ceil(2);
    while count > 0 {
        let from = (0..steps).step_by(count).rev();
        changes.extend(from.map(|from| Change::Remove { from, count }));
        count /= 2;
    }
    changes.push(Change::FirstDevice);
    changes.push(Change::OneDevice);
    let setups: [fn(&mut Setup); 9] = [
        |setup| *setup = Setup::plain(),
        |setup| setup.latency = (0, 0),
        |setup| setup.latency = setup.latency.min((20, 20)),
        |setup| setup.qos = 0,
        |setup| setup.clean_session = true,
        |setup| setup.policy = Setup::plain().policy,
        |setup| setup.keep_alive = 60,
        |setup| (setup.push_changes, setup.count_unchanged) = (false, false),
        |setup| setup.narrow = false,
    ];
    changes.extend(setups.map(Change::Setup));
    let simpler: [fn(&mut Step); 6] = [
        first_device,
        new_values,
        |step| numbers(step, |number| *number = 0),
        |step| numbers(step, |number| *number /= 2),
        |step| numbers(step, |number| *number = number.saturating_sub(1)),
        simplify,
    ];
    for index in 0..steps {
        changes.extend(simpler.map(|how| Change::Step { index, how }));
    }
    changes
}

impl Change {
    fn apply(&self, script: &Script) -> Script {
        let mut script = script.clone();
        match self {
            Change::Remove { from, count } => {
                let end = (from + count).min(script.steps.len());
                script.steps.drain(*from..end);
            }
            Change::FirstDevice => script.steps.iter_mut().for_each(first_device),
            Change::OneDevice => script.devices = 1,
            Change::Setup(change) => change(&mut script.setup),
            Change::Step { index, how } => {
                if let Some(step) = script.steps.get_mut(*index) {
                    how(step);
                }
            }
        }
        script
    }
}

/// The numbers of a step that may be smaller.
fn numbers(step: &mut Step, change: impl Fn(&mut u32)) {
    match step {
        Step::Wait { millis } => change(millis),
        Step::Fault(fault) => match fault {
            Fault::Wire { after, what, .. } => {
                change(after);
                if let WireFault::Stall { millis } = what {
                    change(millis);
                }
            }
            Fault::Merge { hold, millis, .. } => {
                change(hold);
                change(millis);
            }
            Fault::SlowServer { late, millis } => {
                change(late);
                change(millis);
            }
            Fault::Replies {
                what: ReplyFault::Late { millis },
                ..
            }
            | Fault::Segments { millis, .. }
            | Fault::RefuseConnections { millis, .. }
            | Fault::Unreachable { millis, .. }
            | Fault::Deaf { millis, .. } => change(millis),
            Fault::RestartServer { down, .. } => change(down),
            Fault::PowerCut { after, dark, .. } => {
                change(after);
                change(dark);
            }
            _ => {}
        },
        _ => {}
    }
}

fn first_device(step: &mut Step) {
    match step {
        Step::Desire { device, .. }
        | Step::Undesire { device, .. }
        | Step::Report { device, .. }
        | Step::Answer { device, .. }
        | Step::AnswerAtOnce { device, .. }
        | Step::Update { device, .. }
        | Step::Get { device }
        | Step::Publish { device, .. }
        | Step::Cancel { device }
        | Step::Fault(
            Fault::Wire { device, .. }
            | Fault::Segments { device, .. }
            | Fault::Merge { device, .. }
            | Fault::RefuseConnections { device, .. }
            | Fault::Unreachable { device, .. }
            | Fault::RefuseLogins { device, .. }
            | Fault::Replies { device, .. }
            | Fault::PowerCut { device, .. }
            | Fault::WrongClock { device, .. }
            | Fault::SecondClient { device, .. }
            | Fault::Deaf { device, .. },
        ) => *device = 0,
        _ => {}
    }
}

fn new_values(step: &mut Step) {
    if let Step::Desire { again, .. } | Step::Report { again, .. } = step {
        again.clear();
    }
}

fn simplify(step: &mut Step) {
    match step {
        Step::Desire { keys, again, .. } | Step::Report { keys, again, .. } => {
            keys.truncate(1);
            again.truncate(1);
        }
        Step::Undesire { keys, .. } => keys.truncate(1),
        Step::Answer { how, .. } | Step::AnswerAtOnce { how, .. } => *how = Answer::Accept,
        Step::Fault(fault) => milder(fault),
        _ => {}
    }
}

/// The mildest form of a fault.
fn milder(fault: &mut Fault) {
    match fault {
        Fault::Replies { count, .. } | Fault::RefuseLogins { count, .. } => *count = 1,
        Fault::RestartServer {
            sessions,
            documents,
            ..
        } => (*sessions, *documents) = (true, Documents::Kept),
        Fault::PowerCut { restore, .. } => *restore = Restore::Latest,
        Fault::SecondClient { clean_session, .. } => *clean_session = false,
        _ => {}
    }
}

/// The smallest form of a script that still fails, and what is wrong with it then. `attempt` says
/// what is wrong with a script, if anything is; it has to say the same every time. It is shrunk as
/// [`schedule`] says.
#[must_use]
pub fn shrink_script(
    script: Script,
    attempt: impl Fn(&Script) -> Result<(), String>,
) -> (Script, String) {
    let config = Config {
        failure_persistence: None,
        max_shrink_iters: 100_000,
        ..Config::default()
    };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let result = runner.run_one(SimplifyTree::new(script.clone()), |script| {
        attempt(&script).map_err(TestCaseError::fail)
    });
    match result {
        Err(TestError::Fail(why, smallest)) => (smallest, why.to_string()),
        Err(TestError::Abort(why)) => (script, why.to_string()),
        Ok(_) => (
            script,
            "it does not fail when it is played again".to_owned(),
        ),
    }
}
