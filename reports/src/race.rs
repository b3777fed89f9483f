//! A race in words: how it was run, how often what came of it, and how often the calls overlapped.

use crate::style::{count, table};
use harness_core::{Judgement, finding::RaceReport};

/// How many outcomes are shown.
const SHOWN_MAX: usize = 8;

/// All there is to say of a race; nothing of what was run once.
#[must_use]
pub(crate) fn text(judgement: &Judgement) -> String {
    if judgement.runs <= 1 {
        return String::new();
    }
    let share = percent(judgement.overlapped, judgement.runs);
    let mut text = format!("\n  {} runs, calls overlapped in {} ({share})\n", judgement.runs, judgement.overlapped);
    if let Some(race) = &judgement.race {
        text.push_str(&how(race));
    }
    let rows: Vec<Vec<String>> = judgement
        .outcomes
        .iter()
        .take(SHOWN_MAX)
        .map(|outcome| {
            let times = format!("{:>9} times", outcome.count);
            vec![
                times,
                format!("{:>5} overlapped", percent(outcome.overlapped, outcome.count)),
                outcome.outcome.clone(),
            ]
        })
        .collect();
    text.push_str(&indented(&table(&rows, "  ")));
    if judgement.outcomes.len() > SHOWN_MAX {
        text.push_str(&format!("    and {} other outcomes\n", judgement.outcomes.len() - SHOWN_MAX));
    }
    text
}

/// What really ran.
fn how(race: &RaceReport) -> String {
    let processors =
        if race.pinned { "each process on a processor of its own" } else { "more processes than processors" };
    let journals = if race.shared_journal { "journals in shared memory" } else { "journals by messages" };
    let copies = if race.renewed { "channels made as new" } else { "channels opened for each run" };
    let mut text = format!("  {processors}, {journals}, {copies}\n");
    let rows: Vec<Vec<String>> = race
        .environments
        .iter()
        .map(|(environment, counts)| {
            vec![
                format!("released by {}", environment.name()),
                format!("{} runs", counts.runs),
                format!("{} overlapped", percent(counts.overlapped, counts.runs)),
                count(counts.outcomes as usize, "outcome", "outcomes"),
                rate(counts.runs, counts.racing_ns),
            ]
        })
        .collect();
    text.push_str(&indented(&table(&rows, "  ")));
    text
}

fn indented(table: &str) -> String {
    table.lines().map(|line| format!("    {}\n", line.trim_end())).collect()
}

fn percent(part: u32, whole: u32) -> String {
    match part {
        0 => "0 %".to_owned(),
        part if part == whole => "100 %".to_owned(),
        part => format!("{:.1} %", 100.0 * f64::from(part) / f64::from(whole)),
    }
}

/// Runs a second, from nanoseconds; nothing where the time is not known.
fn rate(runs: u32, ns: u64) -> String {
    if ns == 0 {
        return String::new();
    }
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    let rate = f64::from(runs) * 1e9 / ns as f64;
    match rate {
        rate if rate >= 1e6 => format!("{:.2} M/s", rate / 1e6),
        rate if rate >= 1e3 => format!("{:.0} k/s", rate / 1e3),
        rate => format!("{rate:.0} /s"),
    }
}

#[cfg(test)]
mod tests {
    use super::text;
    use crate::samples;
    use harness_core::{
        finding::{EnvironmentCount, RaceReport},
        race::Environment,
    };

    #[test]
    fn a_race_says_what_ran_and_what_came_of_it() {
        let mut judgement = samples::broken_race().judgement.unwrap();
        let counted = |runs, overlapped, racing_ns| EnvironmentCount { runs, overlapped, outcomes: 2, racing_ns };
        judgement.race = Some(Box::new(RaceReport {
            pinned: true,
            shared_journal: true,
            renewed: true,
            environments: [
                (Environment::Spin, counted(200, 200, 100_000)),
                (Environment::Instant, counted(200, 199, 400_000)),
                (Environment::Jitter, counted(100, 0, 9_000_000)),
            ]
            .into(),
            kinds: 17,
            ..RaceReport::default()
        }));
        insta::assert_snapshot!(text(&judgement));
    }
}
