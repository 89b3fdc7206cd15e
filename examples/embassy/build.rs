//! Has the firmware linked for its chip, where it is built for one.

use std::env;

fn main() {
    println!("cargo:rerun-if-changed=memory.x");
    println!("cargo:rerun-if-changed=build.rs");
    if env::var("CARGO_CFG_TARGET_OS").is_ok_and(|system| system == "none") {
        let folder = env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
        println!("cargo:rustc-link-search={folder}");
        println!("cargo:rustc-link-arg-bins=-Tlink.x");
        // The sections as they are, without the gaps that paging would want.
        println!("cargo:rustc-link-arg-bins=--nmagic");
    }
}
