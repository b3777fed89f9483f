//! Saboteurs: this agent with one planted fault, to see whether the harness finds it.
//!
//! A saboteur misbehaves for real: its processes make other calls on the kernel's objects than they should, or hold others. Only
//! what is a lie by nature (a wrong errno, a count that is off by one) is planted where an outcome is told. The healthy agent has
//! none, and asks for one where channels are opened and commands are heard, never where calls race.
//!
//! [`registry`] is the list. A new one is a row there and a few lines in the file of its ability.

mod counter;
mod ground;
mod handles;
mod lock;
mod memory;
mod names;
mod over;
mod own_condition;
mod own_lock;
mod processes;
mod queue;
mod readiness;
pub mod registry;
mod signals;
mod stream;
mod wake;

pub(crate) use ground::Ground;

use crate::{
    ability::{Object, Signals},
    mechanism::{Mechanism, OpenError, Opened, Place},
};
use ground::OnGround;
use harness_core::{
    finding::{Anomaly, Verdict},
    sabotage::{self, ShownBy},
    wire::{Do, HeldEnd, Outcome},
};
use spec::{Ability, Operation, scenario::Channel};

/// One saboteur.
#[derive(Clone, Copy, Debug)]
pub struct Saboteur {
    /// Its name.
    pub name: &'static str,
    /// Channels of which abilities it spoils.
    pub abilities: &'static [Ability],
    /// The only mechanisms that it spoils, where it does not spoil all of those abilities.
    pub mechanisms: &'static [spec::Mechanism],
    /// The names of the only operations that it spoils, where it does not spoil all.
    pub operations: &'static [&'static str],
    /// What it does wrong: one sentence.
    pub what: &'static str,
    /// What findings may call it, the primary one first.
    pub anomalies: &'static [Anomaly],
    /// Which scenarios show it.
    pub shown_by: ShownBy,
    /// Whether after its fault the agent may refuse a call whose effect would be undefined.
    pub refuses: bool,
    /// Where it is planted.
    pub(crate) faults: &'static [Fault],
}

/// Makes a channel.
pub(crate) type Make = fn(spec::Mechanism, &Channel<u64>) -> Result<Box<dyn Opened>, OpenError>;

/// Where a fault is planted.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// The root makes a channel with other options than it was told, or of another mechanism.
    Opens(fn(spec::Mechanism, &mut Channel<u64>) -> spec::Mechanism),
    /// The root makes something else in a channel's place.
    Makes(Make),
    /// A process keeps other ends open than it was told.
    Keeps(fn(HeldEnd) -> HeldEnd),
    /// What a process holds of a channel misbehaves.
    Holds(fn(Object, &Ground) -> Object),
    /// A process does something else than it was told. The mechanism is that of the step's channel.
    Does(fn(&mut Operation<u64>, Option<spec::Mechanism>)),
    /// A process does not do these steps, and says that they are done. Not in races whose journals lie in shared memory.
    Omits(fn(&Operation<u64>) -> bool),
    /// A process tells of something else than the call gave. Not in races whose journals lie in shared memory.
    Says(fn(&Operation<u64>, Outcome) -> Outcome),
    /// Its calls about signals misbehave.
    Signals(fn() -> Box<dyn Signals>),
    /// The root leaves something behind.
    Leaves(Leftover),
}

/// What a root leaves behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leftover {
    /// A descriptor a run.
    Descriptor,
    /// The names of the channels.
    Names,
}

impl Saboteur {
    /// What it says of itself.
    #[must_use]
    pub fn describe(&self) -> sabotage::Saboteur {
        let leaves = self.faults.iter().any(|fault| matches!(fault, Fault::Leaves(_)));
        sabotage::Saboteur {
            name: self.name.to_owned(),
            abilities: self.abilities.to_vec(),
            mechanisms: self.mechanisms.to_vec(),
            operations: self.operations.iter().map(|name| (*name).to_owned()).collect(),
            what: self.what.to_owned(),
            anomalies: self.anomalies.to_vec(),
            shown_by: self.shown_by,
            refuses: self.refuses,
            caught_as: if leaves { Verdict::Faulty } else { Verdict::Broken },
        }
    }

    /// Whether it spoils channels of this mechanism.
    pub(crate) fn spoils(&self, mechanism: spec::Mechanism) -> bool {
        self.abilities.contains(&mechanism.ability())
            && (self.mechanisms.is_empty() || self.mechanisms.contains(&mechanism))
    }

    /// Makes a channel for processes to inherit.
    ///
    /// # Errors
    /// As [`Mechanism::open`].
    pub(crate) fn open(
        &self,
        mechanism: &'static dyn Mechanism,
        place: &Place,
        options: &Channel<u64>,
    ) -> Result<Box<dyn Opened>, OpenError> {
        self.opened(mechanism, options, |mechanism, options| mechanism.open(place, options))
    }

    /// Prepares a channel that each process opens for itself.
    ///
    /// # Errors
    /// As [`Mechanism::prepare`].
    pub(crate) fn prepare(
        &self,
        mechanism: &'static dyn Mechanism,
        place: &Place,
        options: &Channel<u64>,
    ) -> Result<Box<dyn Opened>, OpenError> {
        self.opened(mechanism, options, |mechanism, options| mechanism.prepare(place, options))
    }

    fn opened(
        &self,
        mechanism: &'static dyn Mechanism,
        options: &Channel<u64>,
        open: impl FnOnce(&'static dyn Mechanism, &Channel<u64>) -> Result<Box<dyn Opened>, OpenError>,
    ) -> Result<Box<dyn Opened>, OpenError> {
        let which = mechanism.which();
        if !self.spoils(which) {
            return open(mechanism, options);
        }
        let (mut mechanism, mut options) = (mechanism, options.clone());
        for fault in self.faults {
            match fault {
                Fault::Opens(opens) => {
                    let instead = opens(which, &mut options);
                    mechanism = crate::registry::find(instead).unwrap_or(mechanism);
                }
                Fault::Makes(makes) => return makes(which, &options),
                _ => {}
            }
        }
        let opened = open(mechanism, &options)?;
        if self.faults.iter().any(|fault| matches!(fault, Fault::Holds(_) | Fault::Keeps(_))) {
            return Ok(Box::new(OnGround { opened, ground: Ground::new()?, saboteur: *self }));
        }
        Ok(opened)
    }

    /// What a process holds in an object's stead.
    pub(crate) fn hold(&self, object: Object, ground: &Ground) -> Object {
        self.faults.iter().fold(object, |object, fault| match fault {
            Fault::Holds(holds) => holds(object, ground),
            _ => object,
        })
    }

    /// The end that a process keeps open instead.
    fn keep(&self, end: HeldEnd) -> HeldEnd {
        self.faults.iter().fold(end, |end, fault| match fault {
            Fault::Keeps(keeps) => keeps(end),
            _ => end,
        })
    }

    /// The signals of a process.
    pub(crate) fn signals(&self) -> Option<Box<dyn Signals>> {
        self.faults.iter().find_map(|fault| match fault {
            Fault::Signals(signals) => Some(signals()),
            _ => None,
        })
    }

    /// Makes of a step what the process does instead. `mechanism` is that of the step's channel.
    pub(crate) fn twist(&self, step: &mut Do, mechanism: Option<spec::Mechanism>) {
        if mechanism.is_some_and(|mechanism| !self.spoils(mechanism)) {
            return;
        }
        for fault in self.faults {
            if let Fault::Does(does) = fault {
                does(&mut step.operation, mechanism);
            }
        }
    }

    /// Whether a process does not do this step.
    pub(crate) fn omits(&self, operation: &Operation<u64>, mechanism: Option<spec::Mechanism>) -> bool {
        mechanism.is_none_or(|mechanism| self.spoils(mechanism))
            && self.faults.iter().any(|fault| matches!(fault, Fault::Omits(omits) if omits(operation)))
    }

    /// What a process tells of.
    pub(crate) fn say(
        &self,
        operation: &Operation<u64>,
        mechanism: Option<spec::Mechanism>,
        outcome: Outcome,
    ) -> Outcome {
        if mechanism.is_some_and(|mechanism| !self.spoils(mechanism)) {
            return outcome;
        }
        self.faults.iter().fold(outcome, |outcome, fault| match fault {
            Fault::Says(says) => says(operation, outcome),
            _ => outcome,
        })
    }

    /// Whether the root leaves this behind.
    pub(crate) fn leaves(&self, what: Leftover) -> bool {
        self.faults.iter().any(|fault| matches!(fault, Fault::Leaves(left) if *left == what))
    }
}
