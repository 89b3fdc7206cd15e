//! Scripts for proptest: how they are made, and how one that fails is made small.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use transport_mock::simulation::fault::{Fault, WireFault};
use transport_mock::simulation::script::{Answer, Script, Setup, Step};
use transport_mock::simulation::{Tally, play, play_and_replay};

/// The script of a seed: short ones are more frequent than long ones.
pub(crate) fn script(seed: u64, longest: u64) -> Script {
    let spread = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
    let size = match seed % 4 {
        0 => spread % longest.div_ceil(4).max(1),
        1 | 2 => spread % longest.div_ceil(2).max(1),
        _ => spread % longest.max(1),
    };
    Script::random(seed, usize::try_from(size).unwrap_or(1) + 1)
}

/// A script that gets smaller: steps are left out, then what is left is made simpler.
#[derive(Clone, Debug)]
pub(crate) struct ScriptTree {
    /// The smallest that is known to fail.
    best: Script,
    candidate: Script,
    /// Which of the changes that can be made to `best` is tried.
    cursor: usize,
    improved: bool,
}

impl ScriptTree {
    pub(crate) fn new(script: Script) -> ScriptTree {
        ScriptTree {
            candidate: script.clone(),
            best: script,
            cursor: 0,
            improved: false,
        }
    }

    fn next(&mut self) -> bool {
        loop {
            let changes = changes(&self.best);
            let Some(change) = changes.get(self.cursor) else {
                if !std::mem::take(&mut self.improved) {
                    self.candidate = self.best.clone();
                    return false;
                }
                self.cursor = 0;
                continue;
            };
            self.candidate = change.apply(&self.best);
            if self.candidate != self.best {
                return true;
            }
            self.cursor += 1;
        }
    }
}

impl ValueTree for ScriptTree {
    type Value = Script;

    fn current(&self) -> Script {
        self.candidate.clone()
    }

    fn simplify(&mut self) -> bool {
        if self.candidate != self.best {
            self.best = self.candidate.clone();
            self.improved = true;
        }
        self.next()
    }

    fn complicate(&mut self) -> bool {
        self.cursor += 1;
        self.next()
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
    let simpler: [fn(&mut Step); 5] = [
        first_device,
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
            Fault::Segments { millis, .. }
            | Fault::Merge { millis, .. }
            | Fault::RefuseConnections { millis, .. }
            | Fault::Unreachable { millis, .. }
            | Fault::SlowServer { millis, .. }
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

fn simplify(step: &mut Step) {
    match step {
        Step::Desire { keys, .. } | Step::Undesire { keys, .. } | Step::Report { keys, .. } => {
            keys.truncate(1);
        }
        Step::Answer { how, .. } | Step::AnswerAtOnce { how, .. } => *how = Answer::Accept,
        Step::Fault(Fault::Replies { count, .. } | Fault::RefuseLogins { count, .. }) => *count = 1,
        _ => {}
    }
}

/// One script in so many is recorded and replayed, by its seed: it still is when it is made small.
const REPLAYED: u64 = 16;

/// Plays a script; a panic is a failure too.
pub(crate) fn attempt(script: &Script, trace: bool) -> Result<Tally, String> {
    let play = match script.seed.is_multiple_of(REPLAYED) {
        true => play_and_replay,
        false => play,
    };
    match catch_unwind(AssertUnwindSafe(|| play(script, trace))) {
        Ok(Ok(tally)) => Ok(tally),
        Ok(Err(failure)) => Err(failure.to_string()),
        Err(panic) => Err(format!("panicked: {}", message(&*panic))),
    }
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("?")
}

/// The smallest script that proptest finds to fail; with what is wrong with it.
pub(crate) fn shrink(
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
    let result = runner.run_one(ScriptTree::new(script.clone()), |script| {
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
