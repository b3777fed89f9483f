//! Checks of stories: who waits in what, and who has ended.

use crate::{
    Ability, Mechanism, Operation, Scenario,
    load::complaint::{self, Complaint},
    scenario::{Action, Expect, Line},
    vocabulary::Feature,
};
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn check(scenario: &Scenario, lines: &[Line], complaints: &mut Vec<Complaint>) {
    // The owner of each call that was said to block, and who is in one now.
    let mut calls: BTreeMap<&str, &str> = BTreeMap::new();
    let mut waiting: BTreeMap<&str, &str> = BTreeMap::new();
    let mut ended: BTreeSet<&str> = BTreeSet::new();
    let mut acted: BTreeSet<&str> = BTreeSet::new();
    let mut forked: BTreeSet<&str> = BTreeSet::new();
    // What a process still holds after its exec.
    let mut kept: BTreeMap<&str, &[String]> = BTreeMap::new();
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
            Action::Do { operation, channel } => {
                if let Some(name) = waiting.get(process) {
                    complaints.push(complaint::still_blocked(line.span, process, name));
                }
                if let (Some(kept), Some(channel)) = (kept.get(process), channel)
                    && !is_held_after_exec(scenario, channel, kept)
                {
                    complaints.push(complaint::lost_by_exec(line.span, process, channel));
                }
                if let Operation::Exec(exec) = operation {
                    check_kept(scenario, line, &exec.keep, complaints);
                    kept.insert(process, &exec.keep);
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

/// What an exec keeps has to be a channel, and one that is reached by a descriptor.
fn check_kept(scenario: &Scenario, line: &Line, kept: &[String], complaints: &mut Vec<Complaint>) {
    let known: Vec<&str> = scenario.channels.keys().map(String::as_str).collect();
    for name in kept {
        let Some(channel) = scenario.channels.get(name) else {
            complaints.push(complaint::unknown_channel(line.span, name, &known));
            continue;
        };
        let made_of = channel.made_of.as_ref().map_or(scenario.mechanisms.as_slice(), std::slice::from_ref);
        // The descriptor of a message queue is closed by every exec.
        let has_descriptor = |mechanism: &Mechanism| {
            mechanism.has(Feature::Descriptions)
                || (mechanism.has(Feature::Poll) && !mechanism.has(Feature::MessageNotice))
        };
        if let Some(other) = made_of.iter().find(|mechanism| !has_descriptor(mechanism)) {
            complaints.push(complaint::not_kept(line.span, name, other.name()));
        }
    }
}

/// Whether a program that an exec started can use a channel. A lock that was kept is held still, but the new program has no part
/// in it; signals are every program's.
fn is_held_after_exec(scenario: &Scenario, name: &str, kept: &[String]) -> bool {
    match scenario.channels.get(name).map(|channel| channel.is) {
        Some(Ability::Lock) => false,
        Some(Ability::Signals) => true,
        _ => kept.iter().any(|kept| kept == name),
    }
}
