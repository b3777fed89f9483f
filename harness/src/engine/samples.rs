//! Plans for the tests of what is decided about them.

use harness_core::{
    Plan,
    expand::{self, Host},
};
use std::collections::BTreeMap;

/// The plan of a race of these processes, written as YAML, on a message queue `mail`.
pub(crate) fn plan(processes: &str) -> Plan {
    let text = format!(
        "title: A race\nbecause: A test.\ncites: [POSIX.1-2024 msgsnd()]\nmechanisms: [sysv_msg]\n\
         channels: {{ mail: queue }}\nprocesses:{processes}\nruns: 100\nmust: [finishes, {{ seen: {{ a: 1 }} }}]\n"
    );
    let scenario = spec::load::text("races/test", "test.yaml", &text).unwrap_or_else(|complaints| {
        panic!("the test's own scenario does not load:\n{}", complaints.render(false));
    });
    let (mechanisms, limits) = (vec!["sysv_msg".to_owned()], BTreeMap::new());
    let host = Host {
        mechanisms: &mechanisms,
        lacks: &[],
        capabilities: &[],
        limits: &limits,
        processors: 2,
        platform: "linux",
        machine: "x86_64",
    };
    let name = expand::names(&scenario).remove(0);
    expand::plan(&scenario, &name, &host).expect("the test's own scenario has a plan")
}
