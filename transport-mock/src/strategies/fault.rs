//! Faults and scripts of them.

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;

use crate::simulation::fault::{Direction, Documents, Fault, ReplyFault, Restore, WireFault};

/// A fault over which the engine's guarantee holds: the cloud keeps its documents, and a device that
/// loses its power finds the session that it stored last. What lasts does so for at most 150
/// seconds.
///
/// `devices` is how many there are, at least 1.
///
/// Shrinks towards bytes that arrive in two pieces at once on the first device: every fault to a
/// shorter, earlier and smaller one of its kind, and to the kinds before it. They stand in this
/// order: a split, pieces, what is held back, waits; a cut, a half-close, silence; refused, unreachable,
/// refused logins; a second client, a wrong clock; lost, late, doubled and overtaken replies; a
/// server that is slow or started again; an application that does not listen; a power cut.
///
/// # Panics
/// When `devices` is 0.
pub fn fault(devices: usize) -> BoxedStrategy<Fault> {
    fault_with(devices, Just(Documents::Kept), Just(Restore::Latest))
}

/// As [`fault`], and beside it what no client can make good: a server that comes back with older
/// documents or none, a flash that has an older session than the last, or none.
///
/// Shrinks as [`fault`]; documents towards those that were kept, sessions towards the last.
///
/// # Panics
/// When `devices` is 0.
pub fn any_fault(devices: usize) -> BoxedStrategy<Fault> {
    let documents = prop_oneof![
        Just(Documents::Kept),
        Just(Documents::Older),
        Just(Documents::Lost),
    ];
    let restore = prop_oneof![
        Just(Restore::Latest),
        (1..=6_u8).prop_map(|back| Restore::Older { back }),
        Just(Restore::Nothing),
    ];
    fault_with(devices, documents, restore)
}

/// Up to 8 faults with their times, whole milliseconds before `within`, in their order. For
/// [`TestCloud::script`](crate::TestCloud::script).
///
/// Shrinks towards no fault: each is left out, made earlier, or shrunk as [`fault`].
///
/// # Panics
/// When `devices` is 0, or `within` shorter than a millisecond.
pub fn fault_script(devices: usize, within: Duration) -> BoxedStrategy<Vec<(Duration, Fault)>> {
    let within = u64::try_from(within.as_millis()).unwrap_or(u64::MAX);
    assert!(within > 0, "a script takes at least a millisecond");
    vec((0..within, fault(devices)), 0..=8)
        .prop_map(|faults| {
            let at = |(millis, fault)| (Duration::from_millis(millis), fault);
            let mut faults: Vec<_> = faults.into_iter().map(at).collect();
            faults.sort_by_key(|(at, _)| *at);
            faults
        })
        .boxed()
}

fn fault_with(
    devices: usize,
    documents: impl Strategy<Value = Documents> + 'static,
    restore: impl Strategy<Value = Restore> + 'static,
) -> BoxedStrategy<Fault> {
    assert!(devices > 0, "faults are of a device");
    let device = || 0..devices;
    let connection = prop_oneof![
        3 => disturbed(device()),
        8 => wire(device()),
    ];
    let away =
        (device(), millis(), any::<bool>()).prop_map(|(device, millis, silent)| match silent {
            false => Fault::RefuseConnections { device, millis },
            true => Fault::Unreachable { device, millis },
        });
    let login =
        (device(), 1..=5_u8, 1..=2_u8).prop_map(|(device, code, count)| Fault::RefuseLogins {
            device,
            code,
            count,
        });
    let rival = (device(), any::<bool>()).prop_map(|(device, clean_session)| Fault::SecondClient {
        device,
        clean_session,
    });
    let clock = (device(), prop_oneof![-100_000..=0_i32, 0..=100_000_i32])
        .prop_map(|(device, seconds)| Fault::WrongClock { device, seconds });
    let what = prop_oneof![
        Just(ReplyFault::Lost),
        millis().prop_map(|millis| ReplyFault::Late { millis }),
        Just(ReplyFault::Twice),
        Just(ReplyFault::AfterPush),
    ];
    let replies = (device(), what, 1..=2_u8).prop_map(|(device, what, count)| Fault::Replies {
        device,
        what,
        count,
    });
    let slow =
        (0..=11_000_u32, millis()).prop_map(|(late, millis)| Fault::SlowServer { late, millis });
    let restart =
        (any::<bool>(), documents, 0..=20_000_u32).prop_map(|(forgets, documents, down)| {
            Fault::RestartServer {
                sessions: !forgets,
                documents,
                down,
            }
        });
    let deaf = (device(), millis()).prop_map(|(device, millis)| Fault::Deaf { device, millis });
    let power = (device(), steps(), dark(), restore).prop_map(|(device, after, dark, restore)| {
        Fault::PowerCut {
            device,
            after,
            dark,
            restore,
        }
    });
    prop_oneof![
        11 => connection,
        2 => away,
        1 => login,
        1 => rival,
        1 => clock,
        3 => replies,
        1 => slow,
        1 => restart,
        1 => deaf,
        5 => power,
    ]
    .boxed()
}

/// Bytes that arrive later or in other pieces.
fn disturbed(device: std::ops::Range<usize>) -> impl Strategy<Value = Fault> {
    let split =
        (device.clone(), direction(), after()).prop_map(|(device, direction, after)| Fault::Wire {
            device,
            direction,
            after,
            what: WireFault::Split,
        });
    let pieces = (device.clone(), direction(), 1..=40_u32, millis()).prop_map(
        |(device, direction, size, millis)| Fault::Segments {
            device,
            direction,
            size,
            millis,
        },
    );
    let merged = (device, direction(), 0..=1_000_u32, millis()).prop_map(
        |(device, direction, hold, millis)| Fault::Merge {
            device,
            direction,
            hold,
            millis,
        },
    );
    prop_oneof![split, pieces, merged]
}

/// What happens at a byte.
fn wire(device: std::ops::Range<usize>) -> impl Strategy<Value = Fault> {
    let what = prop_oneof![
        2 => millis().prop_map(|millis| WireFault::Stall { millis }),
        3 => Just(WireFault::Cut),
        1 => Just(WireFault::HalfClose),
        1 => Just(WireFault::Silence),
    ];
    (device, direction(), after(), what).prop_map(|(device, direction, after, what)| Fault::Wire {
        device,
        direction,
        after,
        what,
    })
}

fn direction() -> impl Strategy<Value = Direction> {
    prop_oneof![Just(Direction::ToCloud), Just(Direction::ToDevice)]
}

/// Mostly within the next packets.
fn after() -> impl Strategy<Value = u32> {
    prop_oneof![0..=60_u32, 0..=900_u32]
}

fn millis() -> impl Strategy<Value = u32> {
    prop_oneof![0..=1_000_u32, 0..=8_000_u32, 0..=150_000_u32]
}

fn dark() -> impl Strategy<Value = u32> {
    prop_oneof![0..=2_000_u32, 0..=90_000_u32]
}

/// Mostly at once, as steps are taken only while there is something to do.
fn steps() -> impl Strategy<Value = u32> {
    prop_oneof![3 => Just(0), 1 => 0..=20_u32]
}
