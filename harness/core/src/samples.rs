//! Plans for tests, from YAML.

use crate::{
    Plan,
    expand::{self, Host},
};
use std::collections::BTreeMap;

/// The plan of the first instance of a scenario on a machine with two processors. `rest` is all of its file from `mechanisms:` on.
pub(crate) fn plan(rest: &str) -> Plan {
    let text = format!("title: A test\nbecause: It tests.\ncites: [POSIX.1-2024 read()]\n{rest}");
    let scenario = spec::load::text("ordering/test", "test.yaml", &text).unwrap_or_else(|complaints| {
        panic!("the test's own scenario does not load:\n{}", complaints.render(false));
    });
    let name = expand::names(&scenario).remove(0);
    let mechanisms: Vec<String> = spec::vocabulary::MECHANISMS.iter().map(|row| row.name.to_owned()).collect();
    let limits = BTreeMap::from([("PIPE_BUF".to_owned(), 4096)]);
    let host = Host {
        mechanisms: &mechanisms,
        lacks: &[],
        capabilities: &[],
        limits: &limits,
        processors: 2,
        platform: "linux",
        machine: "x86_64",
    };
    expand::plan(&scenario, &name, &host).expect("the test's own scenario has a plan")
}
