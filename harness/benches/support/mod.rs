//! What the benches share.

use std::path::PathBuf;

/// A program that was built in the same profile as this bench.
pub(crate) fn beside(name: &str) -> PathBuf {
    let bench = std::env::current_exe().expect("a bench has a path");
    let profile = bench.parent().and_then(|deps| deps.parent()).expect("benches lie in target/PROFILE/deps");
    let path = profile.join(name);
    assert!(
        path.exists(),
        "{} is missing: cargo build --release -p impls; cargo build --release -p harness --examples",
        path.display()
    );
    path
}
