//! How a cell is laid out: its channels, its processes, and what each of them is told.

use super::{
    cell::{Cell, Placement},
    floor::Floor,
};
use crate::{
    plan::{Plan, PlanChannel, PlanProcess},
    wire::{
        HeldEnd,
        measure::{Measure, Task},
    },
};
use spec::{
    Ability, Mechanism,
    scenario::{Attach, Channel, Orders},
    vocabulary::Feature,
};
use std::collections::BTreeMap;

/// The channel that all have in common, or that goes both ways, or the one from the first party to the second.
const LINE: &str = "line";
/// The channel from the second party to the first.
const BACK: &str = "back";
/// Memory in which parties check one another.
const CHECK: &str = "check";
/// Memory for the floors.
const FLOOR: &str = "floor";

/// What the memory of the floors is made of.
const SHARED: Mechanism = Mechanism::AnonymousMemory;

/// Bytes in the memory of floors and checks.
const SHARED_BYTES: u64 = 4096;

/// Bytes of the messages that a queue in shared memory holds.
const RING_BYTES: u64 = 1 << 20;

/// How many messages such a queue holds at least, and at most.
const RING_MESSAGES: (u64, u64) = (8, 4096);

/// What a memory object has beyond the room for messages: both sides' places, each on lines of its own.
const MEMORY_HEAD: u64 = 4096;

/// A cell, laid out.
#[derive(Clone, Debug)]
pub struct Layout {
    cell: Cell,
    /// Channels and processes, as for a scenario without steps.
    pub plan: Plan,
    /// The processes that take part.
    pub parties: Vec<String>,
    /// The processes that keep a processor awake.
    pub keepers: Vec<String>,
}

/// What a party holds of a channel, by its place among the parties.
type Holds = [(&'static str, HeldEnd)];

impl Layout {
    /// Of a cell; `processors` are kept awake where that is what it asks for.
    #[must_use]
    pub fn of(cell: Cell, processors: usize) -> Self {
        let parties: Vec<String> = (1..=cell.parties).map(|number| format!("party-{number}")).collect();
        let keepers = if cell.placement == Placement::TwoAwake { processors } else { 0 };
        let keepers: Vec<String> = (1..=keepers).map(|number| format!("keeper-{number}")).collect();
        let channels = channels(&cell, &parties);
        let mut processes: Vec<PlanProcess> = Vec::new();
        for name in parties.iter().chain(&keepers) {
            let place = processes.len();
            let number = u8::try_from(place + 1).unwrap_or(u8::MAX);
            let is_party = place < parties.len();
            let holds = if is_party { holds(&cell, &channels, place) } else { Vec::new() };
            let (name, kind) = (name.clone(), name.clone());
            processes.push(PlanProcess { name, kind, number, forked_by: None, holds, steps: Vec::new() });
        }
        let plan = Plan {
            id: cell.to_string(),
            scenario: String::new(),
            mechanism: cell.mechanism,
            parameters: BTreeMap::new(),
            title: String::new(),
            cites: Vec::new(),
            attach: Attach::Inherit,
            channels,
            processes,
            story: Vec::new(),
            runs: 1,
            race: false,
            orders: Orders::default(),
            claims: Vec::new(),
            must_break: None,
            expect_broken: None,
            within_ns: 0,
            source: None,
        };
        Self { cell, plan, parties, keepers }
    }

    /// What the party of this place is told: to do the cell's task so often.
    #[must_use]
    pub fn task(&self, party: usize, operations: u64, interval_ns: u64) -> Measure {
        let has = |name: &str| self.plan.channel(name).is_some();
        let named = |name: &str| has(name).then(|| name.to_owned());
        let is_first = party == 0;
        let (channel, answers) = match (has(BACK), is_first) {
            (true, true) => (LINE, Some(BACK)),
            (true, false) => (BACK, Some(LINE)),
            (false, _) => (LINE, None),
        };
        Measure {
            task: self.cell.shape.task(),
            channel: named(channel),
            answers: answers.map(str::to_owned),
            check: named(CHECK),
            parties: self.parties.clone(),
            operations,
            bytes: self.cell.bytes,
            interval_ns,
        }
    }

    /// What a party of this floor is told.
    #[must_use]
    pub fn floor(&self, floor: Floor, operations: u64) -> Measure {
        let parties = if floor.takes_two() { 2 } else { 1 };
        Measure {
            task: floor.task(),
            channel: Some(FLOOR.to_owned()),
            answers: None,
            check: None,
            parties: self.parties.iter().take(parties).cloned().collect(),
            operations,
            bytes: if floor == Floor::Copy { self.cell.bytes } else { 0 },
            interval_ns: 0,
        }
    }

    /// What a keeper of this name is told.
    #[must_use]
    pub fn keep_awake(keeper: &str) -> Measure {
        Measure {
            task: Task::KeepAwake,
            channel: None,
            answers: None,
            check: None,
            parties: vec![keeper.to_owned()],
            operations: 0,
            bytes: 0,
            interval_ns: 0,
        }
    }
}

/// Whether messages go both ways over one channel.
fn is_two_way(mechanism: Mechanism) -> bool {
    mechanism.has(Feature::TwoWay)
}

/// Whether there is a channel for each direction.
fn has_two_lines(cell: &Cell) -> bool {
    let has_directions = match cell.mechanism.ability() {
        Ability::Stream | Ability::Queue => !is_two_way(cell.mechanism),
        Ability::Counter => true,
        Ability::Memory | Ability::Lock | Ability::Wake | Ability::Signals => false,
    };
    has_directions && cell.shape.is_round_trip()
}

fn channels(cell: &Cell, parties: &[String]) -> Vec<PlanChannel> {
    let channel = |name: &str, mechanism: Mechanism, options: Channel<u64>| PlanChannel {
        name: name.to_owned(),
        mechanism,
        options,
        stamped: false,
    };
    let shared = |name: &str| {
        let options = Channel { made_of: Some(SHARED), size: Some(SHARED_BYTES), ..Channel::plain(Ability::Memory) };
        channel(name, SHARED, options)
    };
    let mut channels = Vec::new();
    if cell.mechanism.ability() != Ability::Signals {
        let options = options(cell, parties);
        if has_two_lines(cell) {
            channels.push(channel(BACK, cell.mechanism, options.clone()));
        }
        channels.push(channel(LINE, cell.mechanism, options));
    }
    channels.push(shared(CHECK));
    channels.push(shared(FLOOR));
    // Plans have them in the order of their names.
    channels.sort_by(|left, right| left.name.cmp(&right.name));
    channels
}

/// How the measured channels are made.
fn options(cell: &Cell, parties: &[String]) -> Channel<u64> {
    let ability = cell.mechanism.ability();
    let mut options = Channel::plain(ability);
    if is_two_way(cell.mechanism)
        && let [first, second] = parties
    {
        options.between = Some([first.clone(), second.clone()]);
    }
    if cell.mechanism.has(Feature::Capacity) {
        options.message_size = Some(cell.bytes.max(1));
        if cell.mechanism == Mechanism::ShmRing {
            options.capacity = Some((RING_BYTES / cell.bytes.max(1)).clamp(RING_MESSAGES.0, RING_MESSAGES.1));
        }
    }
    match ability {
        Ability::Memory => options.size = Some(MEMORY_HEAD + memory_bytes(cell)),
        Ability::Counter if cell.shape.is_taking() => options.initial = Some(1),
        Ability::Wake if cell.mechanism.has(Feature::Barrier) => options.initial = Some(u64::from(cell.parties)),
        _ => {}
    }
    options
}

/// Room for messages in a memory object.
fn memory_bytes(cell: &Cell) -> u64 {
    let slot = cell.bytes.next_multiple_of(64) + 64;
    (RING_BYTES / slot).clamp(RING_MESSAGES.0, RING_MESSAGES.1) * slot
}

/// What the party of this place holds: channel by channel, by its place in the plan.
fn holds(cell: &Cell, channels: &[PlanChannel], party: usize) -> Vec<(usize, HeldEnd)> {
    let first = party == 0;
    let both: &Holds = &[(LINE, HeldEnd::Both)];
    let own: &Holds = match cell.mechanism.ability() {
        Ability::Signals => &[],
        Ability::Stream | Ability::Queue if is_two_way(cell.mechanism) => {
            if first {
                &[(LINE, HeldEnd::First)]
            } else {
                &[(LINE, HeldEnd::Second)]
            }
        }
        Ability::Stream | Ability::Queue => {
            if first {
                &[(LINE, HeldEnd::Write), (BACK, HeldEnd::Read)]
            } else {
                &[(LINE, HeldEnd::Read), (BACK, HeldEnd::Write)]
            }
        }
        Ability::Counter => &[(LINE, HeldEnd::Both), (BACK, HeldEnd::Both)],
        Ability::Memory | Ability::Lock | Ability::Wake => both,
    };
    let shared: &Holds = &[(CHECK, HeldEnd::Both), (FLOOR, HeldEnd::Both)];
    own.iter()
        .chain(shared)
        .filter_map(|(name, end)| Some((channels.iter().position(|channel| channel.name == *name)?, *end)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::Layout;
    use crate::measure::{Cell, sweep};
    use spec::vocabulary::MECHANISMS;

    /// One line a cell: channels with how they are made, and what each process holds.
    fn shown(cell: &str) -> String {
        let cell: Cell = cell.parse().unwrap();
        let layout = Layout::of(cell, 2);
        let mut text = format!("{cell}\n");
        for channel in &layout.plan.channels {
            let options = serde_json::to_string(&channel.options).unwrap();
            text.push_str(&format!("  {} {}\n", channel.name, options));
        }
        for process in &layout.plan.processes {
            let holds: Vec<String> = process
                .holds
                .iter()
                .map(|(channel, end)| format!("{} {end:?}", layout.plan.channels[*channel].name))
                .collect();
            text.push_str(&format!("  {} {}: {}\n", process.number, process.name, holds.join(", ")));
        }
        let told = layout.task(1, 10, 0);
        text.push_str(&format!("  told {}\n", serde_json::to_string(&told).unwrap()));
        text
    }

    #[test]
    fn cells_are_laid_out() {
        let cells = [
            "pipe/round_trip/64/one_core",
            "pipe/one_way/4096/two_awake",
            "tcp/round_trip/1/free",
            "posix_mq/one_way/8192/one_core",
            "shm_ring/one_way/65536/two_cores",
            "memfd/one_way/64/two_cores",
            "posix_sem/round_trip/0/one_core",
            "sysv_sem/take/4/two_cores",
            "barrier/round_trip/0/one_core",
            "flock/take/1/one_core",
            "signal/sigqueue/0/one_core",
        ];
        insta::assert_snapshot!(cells.map(shown).join("\n"));
    }

    #[test]
    fn every_cell_has_a_layout_whose_numbers_fit() {
        for row in MECHANISMS {
            for cell in sweep::full(row.mechanism) {
                let layout = Layout::of(cell, 2);
                assert_eq!(layout.parties.len(), usize::from(cell.parties), "{cell}");
                assert!(layout.plan.processes.len() <= 15, "{cell}");
                let told = layout.task(0, 1, 0);
                let known = |name: &Option<String>| {
                    name.as_ref().is_none_or(|name| layout.plan.channels.iter().any(|channel| channel.name == *name))
                };
                assert!(known(&told.channel) && known(&told.answers) && known(&told.check), "{cell}");
            }
        }
    }
}
