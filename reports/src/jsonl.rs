//! One object an instance, for programs; the last object is the summary. Scripts rely on its keys.

use crate::RunRecord;
use harness_core::InstanceReport;
use serde_json::{Value, json};

/// One instance as a line of JSON, with its end.
#[must_use]
pub fn instance(report: &InstanceReport) -> String {
    format!("{}\n", object(report))
}

fn object(report: &InstanceReport) -> Value {
    let parameters: serde_json::Map<String, Value> =
        report.parameters.iter().map(|(name, parameter)| (name.clone(), json!(parameter.value))).collect();
    let claims: Vec<Value> = report
        .judgement
        .iter()
        .flat_map(|judgement| &judgement.findings)
        .map(|finding| {
            json!({
                "claim": finding.claim,
                "grade": finding.grade,
                "verdict": finding.verdict,
                "expected": finding.expected,
                "got": finding.got,
                "anomaly": finding.anomaly,
            })
        })
        .collect();
    let mut object = json!({
        "id": report.id,
        "scenario": report.scenario,
        "mechanism": report.mechanism,
        "parameters": parameters,
        "verdict": report.verdict,
        "claims": claims,
        "duration_ns": report.duration_ns,
        "repeat": report.repeat,
    });
    if let Some(skip) = &report.skip {
        object["skip"] = json!({ "class": skip.class, "reason": skip.reason });
    }
    if let Some(judgement) = &report.judgement
        && !judgement.recorded.is_empty()
    {
        object["recorded"] = json!(judgement.recorded);
    }
    object
}

/// The last line.
#[must_use]
pub fn summary(summary: crate::Summary) -> String {
    format!("{}\n", json!({ "summary": summary }))
}

/// A whole run.
#[must_use]
pub fn render(record: &RunRecord) -> String {
    let mut text: String = record.instances.iter().map(instance).collect();
    text.push_str(&summary(record.summary()));
    text
}

#[cfg(test)]
mod tests {
    use super::render;
    use crate::samples;

    #[test]
    fn one_object_an_instance_and_a_summary() {
        insta::assert_snapshot!(render(&samples::record()));
    }

    #[test]
    fn every_line_is_an_object_with_the_promised_keys() {
        let text = render(&samples::record());
        let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let (summary, instances) = lines.split_last().unwrap();
        assert!(summary.get("summary").is_some());
        for instance in instances {
            for key in ["id", "scenario", "mechanism", "parameters", "verdict", "claims", "duration_ns", "repeat"] {
                assert!(instance.get(key).is_some(), "{key} is missing in {instance}");
            }
        }
    }
}
