//! shadowctl

fn main() {}
