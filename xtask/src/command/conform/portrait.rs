//! The run beside the committed portrait of its system: what changed, and taking it over.

use crate::{corpus::Corpus, output, portraits, select::Selected, workspace};
use reports::{
    Portrait, RunRecord,
    compare::{Side, changes},
    matrix,
    portrait::{is_system, subject},
};
use spec::scenario::Scenario;
use std::{collections::BTreeSet, fs};

/// What came of the comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Nothing changed, or there was nothing to compare with.
    Unchanged,
    /// Something changed and was not taken over.
    Changed,
}

/// Compares a run with the portrait, or takes it over.
pub(super) fn settle(
    record: &RunRecord,
    corpus: &Corpus,
    selected: &[Selected<'_>],
    is_whole: bool,
    bless: bool,
) -> anyhow::Result<Outcome> {
    if !corpus.is_own {
        if bless {
            output::say("nothing blessed: portraits are of the corpus");
        }
        return Ok(Outcome::Unchanged);
    }
    let subject = subject(&record.header.agent);
    let run = Portrait::of(record);
    let committed = portraits::committed(&subject)?;
    if bless {
        return take_over(&subject, committed.as_ref(), &run, is_whole);
    }
    let path = workspace::shown(&portraits::path(&subject));
    let Some(committed) = committed else {
        output::say(&format!("there is no portrait of {subject} yet: `cargo xtask conform --bless` writes {path}"));
        return Ok(Outcome::Unchanged);
    };
    let incomparable = incomparable(record, selected);
    let is_selected = |id: &str| run.instances.contains_key(id) || is_whole;
    let comparable = |id: &str| is_selected(id) && !incomparable.contains(id);
    let sides = [Side::of_portrait(&path, committed), Side::of_run("this run", record)];
    let comparison = changes(&sides[0], &sides[1], &comparable, &corpus.clauses());
    if comparison.is_alike() {
        return Ok(Outcome::Unchanged);
    }
    output::say(&format!("the portrait of {subject} changed:\n"));
    output::say(comparison.terminal(reports::Color::Never).trim_end());
    output::say("\nif that is right, take it over: cargo xtask conform --bless");
    Ok(Outcome::Changed)
}

/// What says nothing about the system: errors of ours, and races on a machine that cannot run them.
fn incomparable<'r>(record: &'r RunRecord, selected: &'r [Selected<'_>]) -> BTreeSet<&'r str> {
    let faulty = record.instances.iter().filter(|report| report.verdict == harness_core::Verdict::Faulty);
    let is_race = |scenario: &Scenario| scenario.runs.is_some();
    let races = selected.iter().filter(|selected| record.header.processors < 2 && is_race(selected.scenario));
    faulty.map(|report| report.id.as_str()).chain(races.map(|selected| selected.name.id.as_str())).collect()
}

fn take_over(subject: &str, committed: Option<&Portrait>, run: &Portrait, is_whole: bool) -> anyhow::Result<Outcome> {
    let blessed = committed.map_or_else(|| run.clone(), |committed| committed.blessed(run, is_whole));
    let path = portraits::write(subject, &blessed)?;
    output::say(&format!("blessed: {}", workspace::shown(&path)));
    if is_system(subject) {
        refresh_readme()?;
    }
    Ok(Outcome::Unchanged)
}

/// Makes the README's table anew.
fn refresh_readme() -> anyhow::Result<()> {
    let path = workspace::root().join("README.md");
    let (Ok(readme), Some((system, portrait))) = (fs::read_to_string(&path), portraits::evidence()?) else {
        return Ok(());
    };
    if let Some(fresh) = matrix::refreshed(&readme, &system, &portrait)
        && fresh != readme
    {
        fs::write(&path, fresh)?;
    }
    Ok(())
}
