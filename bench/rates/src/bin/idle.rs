//! Makes one fleet and tells what it takes: `{"live":.., "cloud":.., "resident":..}`, bytes.
//!
//! By itself, as the memory that one fleet has left behind would be the next one's. What was resident
//! before there was a fleet, the process itself, is taken off.

use std::fs;

use allocation_counter::measure;
use rates::Fleet;

fn main() {
    let size = std::env::args().nth(1).and_then(|size| size.parse().ok());
    let size: usize = size.unwrap_or(1_000);
    let resident_before = resident();
    let mut fleet = None;
    let all = measure(|| fleet = Some(Fleet::new(size)));
    let resident = resident().saturating_sub(resident_before);
    let devices = measure(|| {
        if let Some(fleet) = &mut fleet {
            fleet.drop_devices();
        }
    });
    let cloud = all.bytes_current + devices.bytes_current;
    println!(
        "{{\"live\":{},\"cloud\":{cloud},\"resident\":{resident}}}",
        all.bytes_current
    );
}

/// The memory of this process that is not swapped out.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line.and_then(|line| line.trim().split(' ').next()?.parse::<u64>().ok());
    kibibytes.unwrap_or(0) * 1024
}
