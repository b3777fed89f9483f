//! KTAP version 1, as the kernel's own tests write it.

use crate::{RunRecord, style::Color, terminal};
use harness_core::{InstanceReport, Verdict};

/// The first two lines of a run of so many instances.
#[must_use]
pub fn head(instances: usize) -> String {
    format!("KTAP version 1\n1..{instances}\n")
}

/// The lines of one instance. `number` counts from 1.
#[must_use]
pub fn instance(number: usize, report: &InstanceReport, source: Option<&spec::scenario::Source>) -> String {
    let id = &report.id;
    match report.verdict {
        Verdict::Held => format!("ok {number} {id}\n"),
        Verdict::Skipped => {
            let skip = report.skip.as_ref();
            let reason =
                skip.map_or_else(String::new, |skip| format!(" {}: {}", skip.class.name(), one_line(&skip.reason)));
            format!("ok {number} {id} # SKIP{reason}\n")
        }
        Verdict::Broken | Verdict::Vacuous | Verdict::Faulty => {
            let details = terminal::instance_text(report, source, Color::Never);
            let details: String =
                details.lines().map(|line| format!("# {line}").trim_end().to_owned() + "\n").collect();
            format!("{details}not ok {number} {id}\n")
        }
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A whole run.
#[must_use]
pub fn render(record: &RunRecord) -> String {
    let mut text = head(record.instances.len());
    for (index, report) in record.instances.iter().enumerate() {
        text.push_str(&instance(index + 1, report, record.source(report)));
    }
    text.push_str(&format!("# {}\n", record.summary()));
    text
}

#[cfg(test)]
mod tests {
    use super::render;
    use crate::samples;

    #[test]
    fn skips_say_why_and_failures_say_how() {
        insta::assert_snapshot!(render(&samples::record()));
    }
}
