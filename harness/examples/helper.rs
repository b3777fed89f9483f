//! The program that the harness's own tests start for lanes and wardens: nothing but [`harness::reexec_entry`].

use std::process::ExitCode;

fn main() -> ExitCode {
    harness::reexec_entry().unwrap_or(ExitCode::from(2))
}
