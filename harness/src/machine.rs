//! What is known of the machine that figures come from.

use crate::host;
use std::collections::BTreeMap;

/// What the machine is, by what it is asked: `processor`, `processors`, `hypervisor`, `idle`, `release`. What is not told is absent.
#[must_use]
pub fn facts() -> BTreeMap<String, String> {
    let mut facts = host::machine_facts();
    facts.insert("processors".to_owned(), host::processors().len().to_string());
    facts
}
