//! Checks of stories: who waits in what, and who has ended.

use crate::{
    Operation, Scenario,
    load::complaint::{self, Complaint},
    scenario::{Action, Expect, Line},
};
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn check(_scenario: &Scenario, lines: &[Line], complaints: &mut Vec<Complaint>) {
    // The owner of each call that was said to block, and who is in one now.
    let mut calls: BTreeMap<&str, &str> = BTreeMap::new();
    let mut waiting: BTreeMap<&str, &str> = BTreeMap::new();
    let mut ended: BTreeSet<&str> = BTreeSet::new();
    let mut acted: BTreeSet<&str> = BTreeSet::new();
    let mut forked: BTreeSet<&str> = BTreeSet::new();
    for line in lines {
        let process = line.process.as_str();
        if ended.contains(process) {
            complaints.push(complaint::already_ended(line.span, process));
            continue;
        }
        acted.insert(process);
        if let Action::Do { operation: Operation::Fork(fork), .. } = &line.action
            && (acted.contains(fork.process.as_str()) || !forked.insert(&fork.process))
        {
            complaints.push(complaint::forked_late(line.span, &fork.process));
        }
        if forked.contains(process) && matches!(line.expect, Expect::Dies(_)) {
            complaints.push(complaint::forked_dies(line.expect_span, process));
        }
        match &line.action {
            Action::Resumes(name) | Action::Still(name) => {
                let word = if matches!(line.action, Action::Still(_)) { "still" } else { "resumes" };
                match calls.get(name.as_str()) {
                    None => {
                        let known: Vec<&str> = calls.keys().copied().collect();
                        complaints.push(complaint::not_blocked(line.span, word, name, &known));
                    }
                    Some(owner) if *owner != process => {
                        complaints.push(complaint::blocked_elsewhere(line.span, name, owner));
                    }
                    Some(_) => {}
                }
                if word == "resumes" {
                    waiting.remove(process);
                }
            }
            Action::Do { operation, .. } => {
                if let Some(name) = waiting.get(process) {
                    complaints.push(complaint::still_blocked(line.span, process, name));
                }
                if matches!(operation, Operation::Meet(_)) {
                    complaints.push(complaint::meet_in_story(line.span));
                }
                if matches!(operation, Operation::Exit(_)) {
                    ended.insert(process);
                }
            }
        }
        match &line.expect {
            Expect::Blocks(name) => {
                if calls.insert(name, process).is_some() {
                    complaints.push(complaint::blocked_twice(line.expect_span, name));
                }
                waiting.insert(process, name);
            }
            Expect::Dies(_) => {
                ended.insert(process);
            }
            _ => {}
        }
    }
}
