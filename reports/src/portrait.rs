//! The portrait of a system: what held there, without anything that changes from run to run. Committed and reviewed.

use crate::{RunRecord, instance_id};
use harness_core::{InstanceReport, Verdict, finding::SkipClass, wire::RootHello};
use serde::{Deserialize, Serialize};
use spec::scenario::Grade;
use std::collections::{BTreeMap, BTreeSet};

/// The version of the portrait's format.
pub const VERSION: u32 = 1;

/// Facts of a system that are the same on every machine that runs it. The release of a kernel is not among them.
const STABLE_FACTS: [&str; 3] = ["libc", "machine", "os"];

/// Limits that follow the machine's memory or its administrator rather than the system.
const CONFIGURED_LIMITS: [&str; 2] = ["OPEN_MAX", "SIGQUEUE_MAX"];

/// What is known of one system.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Portrait {
    /// [`VERSION`].
    pub version: u32,
    /// Which system.
    pub system: BTreeMap<String, String>,
    /// Its limits, by name.
    pub limits: BTreeMap<String, u64>,
    /// What was found about each instance.
    pub instances: BTreeMap<String, Standing>,
    /// What instances recorded, by the name of the result.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub recorded: BTreeMap<String, BTreeMap<String, String>>,
    /// What is left open and was seen.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub may: BTreeMap<String, BTreeSet<String>>,
    /// What should hold and does not.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub warned: BTreeMap<String, BTreeSet<String>>,
}

/// How an instance stands in a portrait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Standing {
    /// As promised.
    #[serde(rename = "held")]
    Held,
    /// Not as promised.
    #[serde(rename = "broken")]
    Broken,
    /// Nothing could have contradicted it.
    #[serde(rename = "vacuous")]
    Vacuous,
    /// The harness or the agent erred.
    #[serde(rename = "faulty")]
    Faulty,
    /// The system has no such thing.
    #[serde(rename = "skipped: unsupported")]
    Unsupported,
    /// Not for that user.
    #[serde(rename = "skipped: privilege")]
    Privilege,
    /// A known difference.
    #[serde(rename = "skipped: platform")]
    Platform,
}

impl Standing {
    fn of(report: &InstanceReport) -> Self {
        match (report.verdict, report.skip.as_ref().map(|skip| skip.class)) {
            (Verdict::Held, _) => Self::Held,
            (Verdict::Broken, _) => Self::Broken,
            (Verdict::Vacuous, _) => Self::Vacuous,
            (Verdict::Faulty, _) => Self::Faulty,
            (Verdict::Skipped, Some(SkipClass::Privilege)) => Self::Privilege,
            (Verdict::Skipped, Some(SkipClass::Platform)) => Self::Platform,
            (Verdict::Skipped, _) => Self::Unsupported,
        }
    }

    /// The words in a portrait.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Broken => "broken",
            Self::Vacuous => "vacuous",
            Self::Faulty => "faulty",
            Self::Unsupported => "skipped: unsupported",
            Self::Privilege => "skipped: privilege",
            Self::Platform => "skipped: platform",
        }
    }

    /// Whether it was not run.
    #[must_use]
    pub fn is_skipped(self) -> bool {
        matches!(self, Self::Unsupported | Self::Privilege | Self::Platform)
    }
}

/// The name of the agent through whose calls a system is known.
const REFERENCE_AGENT: &str = "plumbline-agent";

/// Between the name of a system and that of an agent.
const OF_AGENT: char = '+';

/// The name of what a portrait is of, as its file is called: a system as the reference agent sees it, `linux-x86_64-gnu`,
/// or what another agent makes of it, `linux-x86_64-gnu+my-library`.
#[must_use]
pub fn subject(hello: &RootHello) -> String {
    let system = stable_system(&hello.system);
    let part = |key: &str| file_name(system.get(key).map_or("unknown", String::as_str), "_");
    let system = format!("{}-{}-{}", part("os"), part("machine"), part("libc"));
    match hello.agent.split_whitespace().next() {
        Some(REFERENCE_AGENT) => system,
        agent => format!("{system}{OF_AGENT}{}", file_name(agent.unwrap_or("unknown"), "_-.")),
    }
}

/// Whether a portrait's subject is a system, as the reference agent sees it.
#[must_use]
pub fn is_system(subject: &str) -> bool {
    !subject.contains(OF_AGENT)
}

/// What is safe in the name of a file: letters, digits and `also`; all else becomes `_`.
fn file_name(value: &str, also: &str) -> String {
    let is_safe = |character: char| character.is_ascii_alphanumeric() || also.contains(character);
    value.chars().map(|character| if is_safe(character) { character } else { '_' }).collect()
}

/// What of a system's facts is the same on every machine that runs it: of the C library its family, as in a target's name.
fn stable_system(system: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let family = |libc: &str| match libc.split_whitespace().next() {
        Some("glibc") | None => "gnu".to_owned(),
        Some(family) => family.to_owned(),
    };
    let stable = |fact: &str| {
        let value = system.get(fact)?;
        Some((fact.to_owned(), if fact == "libc" { family(value) } else { value.clone() }))
    };
    STABLE_FACTS.iter().filter_map(|fact| stable(fact)).collect()
}

/// A system in a few words.
pub(crate) fn system_line(system: &BTreeMap<String, String>) -> String {
    let words: Vec<&str> =
        ["os", "release", "machine", "libc"].iter().filter_map(|key| system.get(*key)).map(String::as_str).collect();
    if words.is_empty() { "an unknown system".to_owned() } else { words.join(" ") }
}

impl Portrait {
    /// The portrait that a run draws. Of a race only verdicts are kept: what else it saw differs from run to run.
    #[must_use]
    pub fn of(record: &RunRecord) -> Self {
        let agent = &record.header.agent;
        let mut portrait = Self {
            version: VERSION,
            system: stable_system(&agent.system),
            limits: agent.limits.clone(),
            ..Self::default()
        };
        portrait.limits.retain(|limit, _| !CONFIGURED_LIMITS.contains(&limit.as_str()));
        for report in &record.instances {
            // That we erred says nothing about the system.
            if !instance_id::is_control(&report.id) && report.verdict != Verdict::Faulty {
                portrait.add(report);
            }
        }
        portrait
    }

    fn add(&mut self, report: &InstanceReport) {
        self.instances.insert(report.id.clone(), Standing::of(report));
        let Some(judgement) = report.judgement.as_ref().filter(|judgement| judgement.runs <= 1) else { return };
        if !judgement.recorded.is_empty() {
            self.recorded.insert(report.id.clone(), judgement.recorded.clone());
        }
        for finding in &judgement.findings {
            let (place, word) = match (finding.grade, finding.verdict) {
                (Grade::May, Verdict::Held) => (&mut self.may, &finding.expected),
                (Grade::Should, Verdict::Broken) => (&mut self.warned, &finding.expected),
                _ => continue,
            };
            place.entry(report.id.clone()).or_default().insert(format!("{}: {word}", finding.claim));
        }
    }

    /// As it is committed.
    ///
    /// # Errors
    /// When it cannot be put into YAML, which would be a fault of ours.
    pub fn to_text(&self) -> Result<String, serde_yaml::Error> {
        serde_yaml::to_string(self)
    }

    /// Reads one.
    ///
    /// # Errors
    /// What is wrong with the text, and where.
    pub fn parse(text: &str) -> Result<Self, String> {
        let portrait: Self = serde_yaml::from_str(text).map_err(|error| error.to_string())?;
        if portrait.version != VERSION {
            return Err(format!(
                "it has version {} of the format, and this program reads version {VERSION}: bless it anew",
                portrait.version
            ));
        }
        Ok(portrait)
    }

    /// The instances alone that `keep` accepts.
    #[must_use]
    pub fn restricted(&self, keep: &dyn Fn(&str) -> bool) -> Self {
        let mut portrait = self.clone();
        portrait.instances.retain(|id, _| keep(id));
        portrait.recorded.retain(|id, _| keep(id));
        portrait.may.retain(|id, _| keep(id));
        portrait.warned.retain(|id, _| keep(id));
        portrait
    }

    /// Takes over what a run found out, and leaves the rest: a filtered run blesses just its own instances. What an
    /// ordinary user may not do says nothing about the system, so it does not replace what is known already.
    #[must_use]
    pub fn blessed(&self, run: &Self, whole: bool) -> Self {
        let keeps = |id: &str| match (run.instances.get(id), self.instances.get(id)) {
            (Some(Standing::Privilege), Some(_)) => true,
            (Some(_), _) => false,
            (None, _) => !whole,
        };
        let mut blessed = self.restricted(&keeps);
        let news = run.restricted(&|id| !blessed.instances.contains_key(id));
        (blessed.version, blessed.system, blessed.limits) = (run.version, run.system.clone(), run.limits.clone());
        blessed.instances.extend(news.instances);
        blessed.recorded.extend(news.recorded);
        blessed.may.extend(news.may);
        blessed.warned.extend(news.warned);
        blessed
    }
}

#[cfg(test)]
mod tests {
    use super::{Portrait, Standing, is_system, subject};
    use crate::samples;

    #[test]
    fn a_portrait_has_no_times_and_no_controls() {
        let mut record = samples::record();
        let mut control = samples::broken_race();
        control.id = "boundaries/whole[pipe,control]".to_owned();
        record.instances.push(control);
        let text = Portrait::of(&record).to_text().unwrap();
        assert!(!text.contains("control"));
        insta::assert_snapshot!(text);
    }

    #[test]
    fn what_is_written_is_read() {
        let portrait = Portrait::of(&samples::record());
        assert_eq!(Portrait::parse(&portrait.to_text().unwrap()).unwrap(), portrait);
        assert!(Portrait::parse("version: 99\nsystem: {}\nlimits: {}\ninstances: {}\n").is_err());
    }

    #[test]
    fn a_filtered_run_blesses_its_own_instances() {
        let known = Portrait::of(&samples::record());
        let mut run = known.restricted(&|id| id == "capacity/fill[pipe]");
        run.instances.insert("capacity/fill[pipe]".to_owned(), Standing::Broken);
        run.instances.insert("new/one[pipe]".to_owned(), Standing::Held);
        let blessed = known.blessed(&run, false);
        assert_eq!(blessed.instances.len(), known.instances.len() + 1);
        assert_eq!(blessed.instances["capacity/fill[pipe]"], Standing::Broken);
        assert_eq!(known.blessed(&run, true).instances.len(), 2);
    }

    #[test]
    fn an_ordinary_user_does_not_unlearn() {
        let known = Portrait::of(&samples::record());
        let mut run = known.clone();
        run.instances.insert("capacity/fill[pipe]".to_owned(), Standing::Privilege);
        run.recorded.clear();
        let blessed = known.blessed(&run, true);
        assert_eq!(blessed.instances["capacity/fill[pipe]"], Standing::Held);
        assert_eq!(blessed.recorded, known.recorded);
    }

    #[test]
    fn a_system_is_named_by_what_does_not_change() {
        assert_eq!(subject(&samples::record().header.agent), "linux-x86_64-gnu");
    }

    #[test]
    fn what_another_agent_makes_of_a_system_is_another_subject() {
        let mut hello = samples::record().header.agent;
        hello.agent = "my/ring-lib 0.3".to_owned();
        assert_eq!(subject(&hello), "linux-x86_64-gnu+my_ring-lib");
        assert!(!is_system(&subject(&hello)));
    }
}
