//! Instructions and allocations of single operations, ours and the peers'.

fn main() {
    println!(
        "{}",
        serde_json::to_string(&bench::Measurements::default()).unwrap_or_default()
    );
}
