//! Has the linker lay what runs at start, when idle and in the usual requests side by side in a release binary.
//!
//! Linux maps a file around each page that is touched, 64 KiB at a time. The few functions that an idle gateway needs,
//! strewn over the whole of its code, would keep nearly all of it resident. `order.ld` names them; it is written by
//! `make order`, and a name in it that no longer exists does no harm.

use std::env::{VarError, var};

#[expect(clippy::disallowed_methods, reason = "this is how cargo talks to a build script")]
fn main() -> Result<(), VarError> {
    println!("cargo:rerun-if-changed=src/link/build.rs");
    println!("cargo:rerun-if-changed=src/link/order.ld");
    let release = var("PROFILE")? == "release";
    if release && var("CARGO_CFG_TARGET_OS")? == "linux" {
        let root = var("CARGO_MANIFEST_DIR")?;
        println!("cargo:rustc-link-arg-bin=postern=-Wl,--script={root}/src/link/order.ld");
        // The addresses to be fitted at start take a byte or two each instead of 24, and those pages stay resident,
        // too. Needs glibc 2.36, which Debian 12 has.
        if var("CARGO_CFG_TARGET_ENV")? == "gnu" {
            println!("cargo:rustc-link-arg-bin=postern=-Wl,-z,pack-relative-relocs");
        }
    }
    Ok(())
}
