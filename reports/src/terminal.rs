//! The report for a person: what broke and how to see it again, what was skipped and why, and one last line.

use crate::{
    RunRecord, diagram,
    label::duration,
    race,
    style::{Color, count, table, wrap},
};
use harness_core::{Finding, InstanceReport, Judgement, Verdict};
use spec::{
    load,
    scenario::{Grade, Source},
};
use std::collections::BTreeMap;

/// What is shown beyond the least.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Also what held: recorded values, outcomes of races, every instance.
    pub verbose: bool,
    /// Colours.
    pub color: Color,
}

/// Renders a whole run. The last line is the summary.
#[must_use]
pub fn render(record: &RunRecord, options: Options) -> String {
    let mut parts = Vec::new();
    for instance in &record.instances {
        if matches!(instance.verdict, Verdict::Broken | Verdict::Vacuous | Verdict::Faulty) {
            parts.push(instance_text(instance, record.source(instance), options.color));
        }
    }
    parts.extend(warnings(record, options.color));
    if options.verbose {
        parts.push(verbose(record, options.color));
    }
    parts.extend(skipped(record, options.color));
    if !record.complete {
        parts.push("The run was cut short: this is what had been judged by then.\n".to_owned());
    }
    let mut text = parts.join("\n");
    if !text.is_empty() {
        text.push('\n');
    }
    text.push_str(&record.summary().to_string());
    text.push('\n');
    text
}

/// The one line that is printed for an instance while the run goes on.
#[must_use]
pub fn live_line(instance: &InstanceReport, color: Color) -> String {
    let verdict = color.verdict(instance.verdict, &format!("{:>7}", instance.verdict.name()));
    let got = first(instance).map_or_else(String::new, |finding| format!(": {}", finding.got));
    format!("{verdict} {}{}", instance.id, crate::style::clip(&got, 160))
}

/// All there is to say about an instance that did not hold.
#[must_use]
pub fn instance_text(instance: &InstanceReport, source: Option<&Source>, color: Color) -> String {
    let verdict = color.verdict(instance.verdict, instance.verdict.name());
    let mut text = format!("{verdict}: {}\n", color.bold(&instance.id));
    text.push_str(&format!("  {}\n", instance.title));
    let judgement = instance.judgement.as_ref();
    let findings: Vec<&Finding> = judgement
        .map(|judgement| judgement.findings.iter().filter(|finding| matters(finding)).collect())
        .unwrap_or_default();
    for finding in &findings {
        text.push('\n');
        text.push_str(&finding_text(finding, instance, source, color));
    }
    if let Some(judgement) = judgement {
        text.push_str(&evidence(instance, judgement, &findings, color));
    }
    text.push_str(&format!("\n  promised by {}\n", instance.cites.join("; ")));
    text.push_str(&format!("  repeat with {}\n", color.bold(&instance.repeat)));
    text
}

/// What is shown of a finding: all that gates and did not hold.
fn matters(finding: &Finding) -> bool {
    finding.grade == Grade::Must && matches!(finding.verdict, Verdict::Broken | Verdict::Vacuous | Verdict::Faulty)
}

fn first(instance: &InstanceReport) -> Option<&Finding> {
    instance.judgement.as_ref()?.findings.iter().find(|finding| matters(finding))
}

fn finding_text(finding: &Finding, instance: &InstanceReport, source: Option<&Source>, color: Color) -> String {
    let anomaly = finding.anomaly.map_or_else(String::new, |anomaly| format!(" ({})", anomaly.name()));
    let title = format!("`{}` is {}{anomaly}", finding.claim, finding.verdict.name());
    let mut text = match (source, finding.span) {
        (Some(source), Some(span)) => {
            let label = format!("got {}", finding.got);
            load::snippet(source, span, &title, &label, &[], color == Color::Always) + "\n"
        }
        _ => format!("  {} in {}\n", color.verdict(finding.verdict, &title), instance.path),
    };
    text.push_str(&format!("  expected {}\n", finding.expected));
    text.push_str(&format!("  got      {}\n", finding.got));
    for note in &finding.notes {
        text.push_str(&wrap(&format!("note: {note}"), 96, "  "));
        text.push('\n');
    }
    text
}

/// The history that shows it, and what else is known of a race.
fn evidence(instance: &InstanceReport, judgement: &Judgement, findings: &[&Finding], color: Color) -> String {
    let mut text = String::new();
    if let Some(history) = judgement.evidence.as_ref().filter(|history| !history.events.is_empty()) {
        // The evidence is that of the first finding that has events.
        let named = findings.iter().find(|finding| !finding.events.is_empty());
        let named = named.map_or(&[] as &[usize], |finding| &finding.events);
        text.push('\n');
        if judgement.runs > 1 {
            let release = judgement.race.as_ref().and_then(|race| race.evidence.as_ref());
            let release = release.map_or_else(String::new, |release| format!(", released by {release}"));
            text.push_str(&format!("  run {} of {}{release}:\n", history.run, judgement.runs));
        }
        text.push_str(&diagram::render(instance, history, named, color));
        text.push_str(&format!("  {}\n", color.dim(diagram::LEGEND)));
    }
    text.push_str(&race::text(judgement));
    if let Some(story) = &judgement.story {
        text.push_str("\n  as a story, for a file, in the place of its `orders:` and `processes:`\n\n");
        text.extend(story.lines().map(|line| format!("    {line}\n")));
    }
    text
}

/// Claims that should hold and do not: they warn.
fn warnings(record: &RunRecord, color: Color) -> Option<String> {
    let mut text = String::new();
    for instance in &record.instances {
        for finding in instance.judgement.iter().flat_map(|judgement| &judgement.findings) {
            if finding.grade == Grade::Should && finding.verdict == Verdict::Broken {
                let head = color.verdict(Verdict::Vacuous, "warning");
                text.push_str(&format!("{head}: {} should hold in {}\n", finding.claim, instance.id));
                text.push_str(&format!("  expected {}\n  got      {}\n", finding.expected, finding.got));
            }
        }
    }
    (!text.is_empty()).then_some(text)
}

/// What was skipped, by reason.
fn skipped(record: &RunRecord, color: Color) -> Option<String> {
    let mut groups: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    for instance in &record.instances {
        if let Some(skip) = &instance.skip {
            groups.entry((skip.class.name(), &skip.reason)).or_default().push(&instance.id);
        }
    }
    if groups.is_empty() {
        return None;
    }
    let mut text = String::new();
    for ((class, reason), ids) in groups {
        let head = color.verdict(Verdict::Skipped, "skipped");
        let number = count(ids.len(), "instance", "instances");
        text.push_str(&format!("{head}: {class}: {reason} ({number})\n"));
        for id in ids.iter().take(3) {
            text.push_str(&format!("  {id}\n"));
        }
        if ids.len() > 3 {
            text.push_str(&format!("  and {} more\n", ids.len() - 3));
        }
    }
    Some(text)
}

/// Everything that ran, with what it recorded.
fn verbose(record: &RunRecord, color: Color) -> String {
    let header = &record.header;
    let mut text = format!(
        "{} on {}, {}, {}, {}, seed {}\n\n",
        header.agent.agent,
        crate::portrait::system_line(&header.agent.system),
        header.isolation,
        count(usize::try_from(header.processors).unwrap_or(usize::MAX), "processor", "processors"),
        count(header.lanes, "lane", "lanes"),
        header.seed,
    );
    let rows: Vec<Vec<String>> = record
        .instances
        .iter()
        .filter(|instance| instance.verdict != Verdict::Skipped)
        .map(|instance| {
            let verdict = color.verdict(instance.verdict, &format!("{:>7}", instance.verdict.name()));
            vec![verdict, instance.id.clone(), duration(instance.duration_ns), recorded(instance)]
        })
        .collect();
    text.push_str(&table(&rows, "  "));
    for instance in record.instances.iter().filter(|instance| instance.verdict == Verdict::Held) {
        let race = instance.judgement.as_ref().map_or_else(String::new, race::text);
        if !race.is_empty() {
            text.push_str(&format!("\n{}{race}", instance.id));
        }
    }
    text
}

fn recorded(instance: &InstanceReport) -> String {
    let Some(judgement) = &instance.judgement else { return String::new() };
    let mut words: Vec<String> = judgement.recorded.iter().map(|(name, value)| format!("{name} = {value}")).collect();
    if judgement.runs > 1 {
        words.push(format!(
            "{} runs, {} overlapped, {} outcomes",
            judgement.runs,
            judgement.overlapped,
            judgement.outcomes.len()
        ));
    }
    for finding in judgement.findings.iter().filter(|finding| finding.grade == Grade::May) {
        let seen = if finding.verdict == Verdict::Held { "seen" } else { "not seen" };
        words.push(format!("may {}: {seen}", finding.claim));
    }
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::{Options, live_line, render};
    use crate::{samples, style::Color};

    #[test]
    fn a_run_with_every_verdict() {
        insta::assert_snapshot!(render(&samples::record(), Options::default()));
    }

    #[test]
    fn verbose_shows_what_was_recorded() {
        let mut record = samples::record();
        record.instances.retain(|instance| instance.id.starts_with("capacity"));
        insta::assert_snapshot!(render(&record, Options { verbose: true, color: Color::Never }));
    }

    #[test]
    fn the_last_line_is_the_summary_also_of_a_run_cut_short() {
        let mut record = samples::record();
        record.complete = false;
        let text = render(&record, Options { verbose: false, color: Color::Always });
        assert_eq!(text.lines().last().unwrap(), "1 held, 2 broken, 1 vacuous, 3 skipped, 1 faulty");
    }

    #[test]
    fn without_its_file_a_finding_names_the_path() {
        let mut record = samples::record();
        record.sources.clear();
        let text = render(&record, Options::default());
        assert!(
            text.contains("`step` is broken (wrong value) in spec/scenarios/lifetime/end-of-stream.yaml"),
            "{text}"
        );
    }

    #[test]
    fn live_lines_name_verdict_and_instance() {
        insta::assert_snapshot!(live_line(&samples::broken_race(), Color::Never));
    }
}
