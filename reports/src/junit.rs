//! JUnit XML, for pipelines: a suite a property, a case an instance.

use crate::{RunRecord, style::Color, terminal};
use harness_core::{InstanceReport, Verdict};
use quick_junit::{NonSuccessKind, Report, SerializeError, TestCase, TestCaseStatus, TestSuite};
use std::{collections::BTreeMap, time::Duration};

/// Renders a whole run.
///
/// # Errors
/// When the XML cannot be written, which would be a fault of ours.
pub fn render(record: &RunRecord) -> Result<String, SerializeError> {
    let mut suites: BTreeMap<&str, TestSuite> = BTreeMap::new();
    let mut total = Duration::ZERO;
    let mut times: BTreeMap<&str, Duration> = BTreeMap::new();
    for instance in &record.instances {
        let property = match crate::instance_id::parts(&instance.id).property {
            "" => "scenarios",
            property => property,
        };
        let time = Duration::from_nanos(instance.duration_ns);
        total += time;
        *times.entry(property).or_default() += time;
        suites.entry(property).or_insert_with(|| TestSuite::new(property)).add_test_case(case(record, instance));
    }
    let mut report = Report::new("plumbline");
    report.set_time(total);
    for (property, mut suite) in suites {
        suite.set_time(times.get(property).copied().unwrap_or_default());
        report.add_test_suite(suite);
    }
    report.to_string()
}

fn case(record: &RunRecord, instance: &InstanceReport) -> TestCase {
    let mut case = TestCase::new(instance.id.as_str(), status(instance));
    case.set_classname(instance.scenario.as_str());
    case.set_time(Duration::from_nanos(instance.duration_ns));
    if !matches!(instance.verdict, Verdict::Held | Verdict::Skipped) {
        case.set_system_out(terminal::instance_text(instance, record.source(instance), Color::Never));
    }
    case
}

fn status(instance: &InstanceReport) -> TestCaseStatus {
    let kind = match instance.verdict {
        Verdict::Held => return TestCaseStatus::success(),
        Verdict::Skipped => {
            let mut status = TestCaseStatus::skipped();
            if let Some(skip) = &instance.skip {
                status.set_type(skip.class.name()).set_message(skip.reason.as_str());
            }
            return status;
        }
        Verdict::Broken | Verdict::Vacuous => NonSuccessKind::Failure,
        Verdict::Faulty => NonSuccessKind::Error,
    };
    let mut status = TestCaseStatus::non_success(kind);
    status.set_type(instance.verdict.name());
    let findings = instance.judgement.iter().flat_map(|judgement| &judgement.findings);
    if let Some(finding) = findings.into_iter().find(|finding| finding.verdict == instance.verdict) {
        status.set_message(format!("{}: expected {}, got {}", finding.claim, finding.expected, finding.got));
    }
    status
}

#[cfg(test)]
mod tests {
    use super::render;
    use crate::samples;

    #[test]
    fn a_suite_a_property_and_a_case_an_instance() {
        insta::assert_snapshot!(render(&samples::record()).unwrap());
    }
}
