//! Ctrl-C and SIGTERM: the first one ends a run after the instances it is in, the second at once.

use nix::sys::signal::{SigSet, Signal};
use std::thread;

/// Lets every signal through, whatever was inherited.
pub fn unblock() {
    let _ = SigSet::empty().thread_set_mask();
}

/// Calls `first` when somebody asks the program to end; the second time the program exits. What is left behind then, the
/// warden removes.
///
/// To be called before any other thread is started: they inherit that these signals are blocked.
pub fn watch(first: impl FnOnce() + Send + 'static) {
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGINT);
    signals.add(Signal::SIGTERM);
    if signals.thread_block().is_err() {
        // Then they end the program as they always do.
        return;
    }
    thread::spawn(move || {
        if signals.wait().is_ok() {
            first();
        }
        let _ = signals.wait();
        std::process::exit(i32::from(crate::ExitCode::Interrupted as u8));
    });
}
