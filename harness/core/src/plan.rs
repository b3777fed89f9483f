//! A plan: one instance of a scenario with every amount resolved, ready to be run and to be judged.

use crate::wire::HeldEnd;
use serde::{Deserialize, Serialize};
use spec::{
    Mechanism, Operation,
    scenario::{Attach, Channel, Claim, Expect, Grade, Orders, Source, Span},
    vocabulary::Feature,
};
use std::{collections::BTreeMap, sync::Arc};

/// One instance of a scenario.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// `id[mechanism,name=value]`; the control of a scenario ends in `[mechanism,control]`.
    pub id: String,
    /// The scenario's id.
    pub scenario: String,
    /// What it runs on.
    pub mechanism: Mechanism,
    /// The varied parameters.
    pub parameters: BTreeMap<String, Parameter>,
    /// The scenario's title.
    pub title: String,
    /// Where it is promised.
    pub cites: Vec<String>,
    /// How processes come to hold their channels.
    pub attach: Attach,
    /// The channels, in the order of their names.
    pub channels: Vec<PlanChannel>,
    /// The processes, in the order of their first appearance.
    pub processes: Vec<PlanProcess>,
    /// The lines of a story; empty for `processes:`.
    pub story: Vec<PlanLine>,
    /// How often it is run. More than 1 is a race.
    pub runs: u32,
    /// Whether the file says `runs:`, even 1: then it is a race and takes processors of its own.
    pub race: bool,
    /// Which orders of the steps are run.
    #[serde(default)]
    pub orders: Orders,
    /// What is claimed of the whole.
    pub claims: Vec<PlanClaim>,
    /// The claim that this plan has to break, where it is a control.
    pub must_break: Option<String>,
    /// Why it is known to break on this platform, where an `elsewhere` note says so: that it holds is then the finding.
    pub expect_broken: Option<String>,
    /// How long one run, or a whole race, may take: nanoseconds, before scaling.
    pub within_ns: u64,
    /// The file, for carets.
    #[serde(skip)]
    pub source: Option<Arc<Source>>,
}

/// A varied parameter's value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parameter {
    /// As written: part of the id.
    pub text: String,
    /// On this host.
    pub value: u64,
}

/// A channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanChannel {
    /// Its name.
    pub name: String,
    /// What it is made of.
    pub mechanism: Mechanism,
    /// How it was declared.
    pub options: Channel<u64>,
    /// Whether its payloads are stamped.
    pub stamped: bool,
}

/// A process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanProcess {
    /// Its name, unique: `writer`, or `writer.2` where there are several of a kind.
    pub name: String,
    /// The name in the file.
    pub kind: String,
    /// Its number in stamps, from 1.
    pub number: u8,
    /// The process that forks it, by its place in the plan; `None` where it is there from the beginning.
    pub forked_by: Option<usize>,
    /// The ends it holds: channel index in the plan, and end.
    pub holds: Vec<(usize, HeldEnd)>,
    /// Its steps, repeats unrolled; empty in a story.
    pub steps: Vec<PlanStep>,
}

/// One step of a process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanStep {
    /// What it does. A `kill` of a kind with several processes names the process.
    pub operation: Operation<u64>,
    /// On which channel: its index in the plan.
    pub channel: Option<usize>,
    /// What is expected.
    pub expect: Expect<u64>,
    /// The name of its result.
    pub record: Option<String>,
    /// The step in the file.
    pub span: Span,
    /// Its expectation in the file.
    pub expect_span: Span,
}

/// One line of a story.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanLine {
    /// Who: an index in the plan.
    pub process: usize,
    /// What.
    pub action: PlanAction,
    /// What is expected.
    pub expect: Expect<u64>,
    /// The name of its result.
    pub record: Option<String>,
    /// The line in the file.
    pub span: Span,
    /// Its expectation in the file.
    pub expect_span: Span,
}

/// What a line does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PlanAction {
    /// Begin an operation.
    Do {
        /// The operation.
        operation: Operation<u64>,
        /// On which channel: its index in the plan.
        channel: Option<usize>,
    },
    /// The call of that earlier line must have returned by now.
    Resumes {
        /// The line that began it.
        line: usize,
    },
    /// The call of that earlier line must still be waiting.
    Still {
        /// The line that began it.
        line: usize,
    },
}

/// A claim.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanClaim {
    /// How much it weighs.
    pub grade: Grade,
    /// What is claimed.
    pub claim: Claim<u64>,
    /// Where.
    pub span: Span,
}

impl Plan {
    /// Whether any of its channels offers a feature.
    #[must_use]
    pub fn has(&self, feature: Feature) -> bool {
        self.mechanism.has(feature) || self.channels.iter().any(|channel| channel.mechanism.has(feature))
    }

    /// Whether it is a story.
    #[must_use]
    pub fn is_story(&self) -> bool {
        !self.story.is_empty()
    }

    /// All operations, of the story's lines and of the processes' steps, each with the index of its process.
    pub fn operations(&self) -> impl Iterator<Item = (usize, &Operation<u64>)> {
        let of_lines = self.story.iter().filter_map(|line| match &line.action {
            PlanAction::Do { operation, .. } => Some((line.process, operation)),
            PlanAction::Resumes { .. } | PlanAction::Still { .. } => None,
        });
        let of_steps = self.processes.iter().enumerate();
        of_lines
            .chain(of_steps.flat_map(|(process, steps)| steps.steps.iter().map(move |step| (process, &step.operation))))
    }

    /// The index of a channel.
    #[must_use]
    pub fn channel(&self, name: &str) -> Option<usize> {
        self.channels.iter().position(|channel| channel.name == name)
    }

    /// The index of a process.
    #[must_use]
    pub fn process(&self, name: &str) -> Option<usize> {
        self.processes.iter().position(|process| process.name == name)
    }
}
