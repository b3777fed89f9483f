//! What a saboteur says of itself: an agent with one planted fault, by which the harness is tested.

use crate::finding::{Anomaly, Verdict};
use serde::{Deserialize, Serialize};
use spec::{Ability, Mechanism};

/// One saboteur, as `plumbline-agent --list-saboteurs` prints it: a JSON object a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Saboteur {
    /// Its name: what `--sabotage` takes.
    pub name: String,
    /// Channels of which abilities it spoils.
    pub abilities: Vec<Ability>,
    /// The only mechanisms that it spoils; all of those abilities, where nothing is said.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mechanisms: Vec<Mechanism>,
    /// The only operations that it spoils: scenarios without any of them do not show it. Where nothing is said, it may be any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub operations: Vec<String>,
    /// What it does wrong: one sentence, without a full stop.
    pub what: String,
    /// What findings may call it: the first is what it is, and has to be named; the others are what follows from it.
    pub anomalies: Vec<Anomaly>,
    /// Which scenarios show it.
    pub shown_by: ShownBy,
    /// Whether after its fault the agent may refuse a call whose effect would be undefined, as unlocking what is not locked: it is asked
    /// for one by a story that goes on, and the instance ends as faulty. It has to be found out by others.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub refuses: bool,
    /// How it is found out: broken, or faulty where it breaks a promise of agents rather than one of a mechanism.
    pub caught_as: Verdict,
}

/// Which scenarios show what a saboteur does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShownBy {
    /// Those whose calls come one after another, or overlap as they like: all but races.
    Quiet,
    /// Races: it does nothing wrong but where calls overlap.
    Races,
    /// All.
    All,
}

impl Saboteur {
    /// Whether it spoils channels of this mechanism.
    #[must_use]
    pub fn spoils(&self, mechanism: Mechanism) -> bool {
        self.abilities.contains(&mechanism.ability())
            && (self.mechanisms.is_empty() || self.mechanisms.contains(&mechanism))
    }

    /// What it is: the anomaly that has to be named.
    #[must_use]
    pub fn primary(&self) -> Option<Anomaly> {
        self.anomalies.first().copied()
    }
}
