//! Checks of processes that run freely, and what both bodies share about single steps.

use super::lines;
use crate::{
    Ability, Amount, Operation, Scenario,
    load::complaint::{self, Complaint},
    operation::{Mode, Order, Scope, Until},
    scenario::{Action, Body, Expect, Expected, Line, Parts, Process, Span, Step},
    vocabulary::Feature,
};
use std::collections::BTreeMap;

/// How many processes stamps can tell apart.
const PROCESSES_MAX: u64 = 15;
/// How many steps one process may have, repeats unrolled.
const STEPS_MAX: u64 = 10_000;

pub(super) fn check(scenario: &Scenario, processes: &[Process], complaints: &mut Vec<Complaint>) {
    for line in lines(scenario) {
        let word = match (&line.action, &line.expect) {
            (Action::Resumes(_), _) => "resumes",
            (Action::Still(_), _) => "still",
            (_, Expect::Blocks(_)) => "blocks",
            (Action::Do { operation: Operation::Fork(_), .. }, _) => "fork",
            (Action::Do { operation: Operation::Exec(_), .. }, _) => "exec",
            _ => continue,
        };
        complaints.push(complaint::only_in_story(line.span, word));
    }
    counts(processes, complaints);
    meetings(processes, complaints);
    sections(processes, complaints);
    shared_flags(scenario, processes, complaints);
}

fn counts(processes: &[Process], complaints: &mut Vec<Complaint>) {
    let total: u64 = processes.iter().filter_map(|process| process.count.plain()).sum();
    if total > PROCESSES_MAX {
        let span = processes.iter().max_by_key(|process| process.count.plain()).map_or_else(Span::default, |p| p.span);
        complaints.push(complaint::too_many(span, "processes", total, PROCESSES_MAX));
    }
    for process in processes {
        let steps = unrolled(&process.steps);
        if steps > STEPS_MAX {
            complaints.push(complaint::too_many(process.span, "steps", steps, STEPS_MAX));
        }
    }
}

/// How many steps there are with repeats unrolled, as far as they are plain numbers.
fn unrolled(steps: &[Step]) -> u64 {
    steps
        .iter()
        .map(|step| match step {
            Step::One(_) => 1,
            Step::Repeat { times, steps, .. } => times.plain().unwrap_or(1).saturating_mul(unrolled(steps)),
        })
        .fold(0, u64::saturating_add)
}

/// Every meeting of a process, in order; repeats count as often as they say.
fn visits(steps: &[Step], visits_so_far: &mut Vec<(String, Span)>) {
    for step in steps {
        match step {
            Step::One(Line { action: Action::Do { operation: Operation::Meet(meeting), .. }, span, .. }) => {
                visits_so_far.push((meeting.meeting.clone(), *span));
            }
            Step::One(_) => {}
            Step::Repeat { times, steps, .. } => {
                let times = times.plain().unwrap_or(1).min(100);
                for _ in 0..times {
                    visits(steps, visits_so_far);
                }
            }
        }
    }
}

fn meetings(processes: &[Process], complaints: &mut Vec<Complaint>) {
    let all: Vec<(&Process, Vec<(String, Span)>)> = processes
        .iter()
        .map(|process| {
            let mut found = Vec::new();
            visits(&process.steps, &mut found);
            (process, found)
        })
        .collect();
    // Who comes to each meeting, how often, and where it first does.
    let mut guests: BTreeMap<&str, Vec<(&Process, usize, Span)>> = BTreeMap::new();
    for (process, visits) in &all {
        for (name, span) in visits {
            let guests = guests.entry(name).or_default();
            match guests.iter_mut().find(|(guest, ..)| guest.name == process.name) {
                Some((_, times, _)) => *times += 1,
                None => guests.push((process, 1, *span)),
            }
        }
    }
    for (name, guests) in &guests {
        let alone = guests.len() == 1 && guests[0].0.count.plain() == Some(1);
        if alone {
            complaints.push(complaint::lonely_meeting(guests[0].2, name));
        }
        if let Some((other, _, span)) = guests.iter().find(|(_, times, _)| *times != guests[0].1) {
            complaints.push(complaint::uneven_meeting(*span, name, &guests[0].0.name, &other.name));
        }
    }
    crossing(&all, complaints);
}

/// Two meetings that two processes come to in different orders are a certain deadlock.
fn crossing(all: &[(&Process, Vec<(String, Span)>)], complaints: &mut Vec<Complaint>) {
    let first = |visits: &[(String, Span)], name: &str| visits.iter().position(|(visited, _)| visited == name);
    for (index, (_, visits)) in all.iter().enumerate() {
        for (_, others) in &all[index + 1..] {
            for (here, (name, _)) in visits.iter().enumerate() {
                for (later, span) in &visits[here + 1..] {
                    if later == name || first(visits, name) > first(visits, later) {
                        continue;
                    }
                    if let (Some(one), Some(two)) = (first(others, name), first(others, later))
                        && one > two
                    {
                        complaints.push(complaint::crossing_meetings(*span, name, later));
                        return;
                    }
                }
            }
        }
    }
}

fn sections(processes: &[Process], complaints: &mut Vec<Complaint>) {
    fn balance<'s>(steps: &'s [Step], sections: &mut BTreeMap<&'s str, (i64, Span)>) {
        for step in steps {
            match step {
                Step::One(line) => {
                    let (section, change) = match &line.action {
                        Action::Do { operation: Operation::Enter(section), .. } => (&section.section, 1),
                        Action::Do { operation: Operation::Leave(section), .. } => (&section.section, -1),
                        _ => continue,
                    };
                    sections.entry(section).or_insert((0, line.span)).0 += change;
                }
                Step::Repeat { steps, .. } => balance(steps, sections),
            }
        }
    }
    for process in processes {
        let mut sections = BTreeMap::new();
        balance(&process.steps, &mut sections);
        for (section, (balance, span)) in sections {
            if balance != 0 {
                complaints.push(complaint::uneven_section(span, section, &process.name));
            }
        }
    }
}

/// `nonblocking:` changes a flag that all share who hold the same descriptor.
fn shared_flags(scenario: &Scenario, processes: &[Process], complaints: &mut Vec<Complaint>) {
    let own = scenario.channels.values().filter_map(|channel| channel.made_of.as_ref());
    if !scenario.mechanisms.iter().chain(own).any(|mechanism| mechanism.has(Feature::SharedFlags)) {
        return;
    }
    let mut users: BTreeMap<(&str, bool), u64> = BTreeMap::new();
    let mut asks: Vec<(&str, bool, Span)> = Vec::new();
    for process in processes {
        let count = process.count.plain().unwrap_or(2);
        let mut ends: Vec<(&str, bool)> = Vec::new();
        let mut steps = Vec::new();
        flatten(&process.steps, &mut steps);
        for line in steps {
            let Action::Do { operation, channel: Some(channel) } = &line.action else { continue };
            let (writes, nonblocking) = match operation {
                Operation::Write(write) => (true, write.nonblocking),
                Operation::Send(send) => (true, send.nonblocking),
                Operation::Fill(_) => (true, true),
                Operation::Read(read) => (false, read.nonblocking || read.until == Some(Until::Empty)),
                Operation::Receive(receive) => (false, receive.nonblocking || receive.until == Some(Until::Empty)),
                _ => continue,
            };
            if !ends.contains(&(channel, writes)) {
                ends.push((channel, writes));
            }
            if nonblocking {
                asks.push((channel, writes, line.span));
            }
        }
        for end in ends {
            *users.entry(end).or_default() += count;
        }
    }
    for (channel, writes, span) in asks {
        if users.get(&(channel, writes)).is_some_and(|users| *users > 1) {
            complaints.push(complaint::shared_nonblocking(span, channel));
        }
    }
}

fn flatten<'s>(steps: &'s [Step], flat: &mut Vec<&'s Line>) {
    for step in steps {
        match step {
            Step::One(line) => flat.push(line),
            Step::Repeat { steps, .. } => flatten(steps, flat),
        }
    }
}

/// Calls back for every repeat.
pub(super) fn repeats(steps: &[Step], found: &mut dyn FnMut(&Amount, Span)) {
    for step in steps {
        if let Step::Repeat { times, steps, span } = step {
            found(times, *span);
            repeats(steps, found);
        }
    }
}

/// Whether a name is one of several processes of a kind, as `reader.2`.
pub(super) fn is_member(scenario: &Scenario, name: &str) -> bool {
    let Body::Processes { processes, .. } = &scenario.body else { return false };
    let Some((kind, number)) = name.split_once('.') else { return false };
    let Ok(number) = number.parse::<u64>() else { return false };
    processes.iter().any(|process| {
        process.name == kind && number >= 1 && process.count.plain().is_none_or(|count| number <= count && count > 1)
    })
}

/// The features that an operation and its arguments need of a channel with this ability.
pub(super) fn features_of(operation: &Operation<Amount>, ability: Option<Ability>) -> Vec<(String, Feature)> {
    let row = operation.row();
    let mut needs: Vec<(String, Feature)> = Vec::new();
    if let Some(feature) = row.needs
        && row.scope != Scope::Process
    {
        // A datagram socket has a name, but no connections to listen for.
        needs.push((row.name.to_owned(), feature));
    }
    match operation {
        Operation::Lock(_) | Operation::Unlock(_) if ability == Some(Ability::Wake) => {
            needs.push((row.name.to_owned(), Feature::Mutex));
        }
        Operation::Store(_) | Operation::Load(_) if ability == Some(Ability::Wake) => {
            needs.push((row.name.to_owned(), Feature::Word));
        }
        _ => {}
    }
    let name = row.name;
    let mut ask = |given: bool, argument: &str, feature: Feature| {
        if given {
            needs.push((format!("{name}: {{ {argument}: … }}"), feature));
        }
    };
    match operation {
        Operation::Write(write) => ask(write.nonblocking, "nonblocking", Feature::Nonblocking),
        Operation::Read(read) => {
            ask(read.nonblocking, "nonblocking", Feature::Nonblocking);
            ask(read.until == Some(Until::End), "until", Feature::End);
            ask(read.peek, "peek", Feature::TwoWay);
        }
        Operation::Send(send) => {
            ask(send.nonblocking, "nonblocking", Feature::Nonblocking);
            ask(send.priority.is_some(), "priority", Feature::Priority);
            ask(send.r#type.is_some(), "type", Feature::Types);
            ask(send.timeout.is_some(), "timeout", Feature::Timeout);
        }
        Operation::Receive(receive) => {
            ask(receive.nonblocking, "nonblocking", Feature::Nonblocking);
            ask(receive.until == Some(Until::End), "until", Feature::End);
            ask(receive.timeout.is_some(), "timeout", Feature::Timeout);
            ask(receive.peek, "peek", Feature::TwoWay);
            ask(receive.r#type.is_some(), "type", Feature::Types);
            ask(receive.up_to.is_some(), "up_to", Feature::Types);
            ask(receive.except, "except", Feature::Types);
            ask(receive.truncate, "truncate", Feature::Types);
        }
        Operation::Post(post) => {
            ask(post.value.is_some(), "value", Feature::Amounts);
            ask(post.nonblocking, "nonblocking", Feature::Amounts);
        }
        Operation::Wait(wait) => {
            ask(wait.nonblocking, "nonblocking", Feature::Nonblocking);
            ask(wait.timeout.is_some(), "timeout", Feature::Timeout);
        }
        Operation::Lock(lock) => {
            ask(lock.nonblocking, "nonblocking", Feature::Nonblocking);
            ask(lock.timeout.is_some(), "timeout", Feature::Timeout);
            ask(lock.mode == Mode::Shared, "mode", Feature::Shared);
            ask(lock.start.is_some(), "start", Feature::Ranges);
            ask(lock.length.is_some(), "length", Feature::Ranges);
        }
        Operation::Unlock(unlock) => {
            ask(unlock.start.is_some(), "start", Feature::Ranges);
            ask(unlock.length.is_some(), "length", Feature::Ranges);
        }
        Operation::WaitOn(wait) => {
            ask(wait.timeout.is_some(), "timeout", Feature::Timeout);
            ask(wait.expected.is_some(), "expected", Feature::Word);
            ask(wait.unlock, "unlock", Feature::Mutex);
            ask(wait.bits.is_some(), "bits", Feature::Word);
            ask(wait.word.is_some(), "word", Feature::Word);
        }
        Operation::Notify(notify) => {
            ask(notify.count.is_some(), "count", Feature::Word);
            ask(notify.bits.is_some(), "bits", Feature::Word);
            ask(notify.word.is_some(), "word", Feature::Word);
        }
        Operation::Sigwait(wait) => ask(wait.timeout.is_some(), "timeout", Feature::Timeout),
        _ => {}
    }
    needs
}

/// What is wrong with how a step accesses memory.
pub(super) fn wrong_access(operation: &Operation<Amount>, ability: Option<Ability>) -> Option<String> {
    let (bits, order, cell, text, wrong) = match operation {
        Operation::Store(store) => (&store.bits, store.order, &store.cell, store.text.is_some(), Order::Acquire),
        Operation::Load(load) => (&load.bits, load.order, &load.cell, load.size.is_some(), Order::Release),
        _ => return None,
    };
    let name = operation.name();
    if bits.is_none() && order.is_none() {
        return None;
    }
    if ability != Some(Ability::Memory) || text {
        return Some(format!("`bits:` and `order:` are for a {name} of a cell or a word of memory"));
    }
    if bits.is_some() && cell.is_some() {
        return Some("a word has an offset in bytes, `at:`, and no cell".to_owned());
    }
    let width = bits.as_ref().and_then(|bits| bits.value(&BTreeMap::new(), &BTreeMap::new()).ok());
    if let Some(width) = width.filter(|width| ![8, 16, 32, 64].contains(width)) {
        return Some(format!("there are no words of {width} bits"));
    }
    (order == Some(wrong)).then(|| format!("a {name} cannot be `{}`", wrong.word()))
}

/// The amounts of a line.
pub(super) fn amounts_of(line: &Line) -> Vec<Amount> {
    let mut amounts: Vec<Amount> = Vec::new();
    if let Action::Do { operation, .. } = &line.action {
        let given: Vec<&Option<Amount>> = match operation {
            Operation::Write(write) => vec![&write.size],
            Operation::Read(read) => vec![&read.size],
            Operation::Fill(fill) => vec![&fill.size],
            Operation::Send(send) => vec![&send.size, &send.priority, &send.r#type],
            Operation::Post(post) => vec![&post.value],
            Operation::Value(value) => vec![&value.number],
            Operation::Receive(receive) => vec![&receive.size, &receive.r#type, &receive.up_to],
            Operation::Listen(listen) => vec![&listen.backlog],
            Operation::Lock(lock) => vec![&lock.start, &lock.length],
            Operation::Unlock(unlock) => vec![&unlock.start, &unlock.length],
            Operation::WaitOn(wait) => vec![&wait.word, &wait.expected, &wait.bits],
            Operation::WaitOnAny(wait) => vec![&wait.expected],
            Operation::Notify(notify) => vec![&notify.word, &notify.count, &notify.bits],
            Operation::Requeue(requeue) => {
                vec![&requeue.word, &requeue.to, &requeue.count, &requeue.moved, &requeue.expected]
            }
            Operation::MqNotify(notify) => vec![&notify.value],
            Operation::Store(store) => vec![&store.value, &store.cell, &store.at, &store.bits],
            Operation::Load(load) => vec![&load.cell, &load.size, &load.at, &load.bits],
            Operation::FetchAdd(add) => vec![&add.cell, &add.value],
            Operation::CompareExchange(exchange) => vec![&exchange.cell, &exchange.expected, &exchange.value],
            Operation::Resize(resize) => vec![&resize.size],
            Operation::SetCapacity(set) => vec![&set.size],
            Operation::Sigqueue(queue) => vec![&queue.value],
            Operation::Setrlimit(set) => vec![&set.limit],
            Operation::Exit(exit) => vec![&exit.status],
            _ => Vec::new(),
        };
        amounts.extend(given.into_iter().flatten().cloned());
    }
    if let Expect::Gives(expected) = &line.expect {
        expected_amounts(expected, &mut amounts);
    }
    amounts
}

fn expected_amounts(expected: &Expected<Amount>, amounts: &mut Vec<Amount>) {
    match expected {
        Expected::Number(amount) => amounts.push(amount.clone()),
        Expected::List(list) => list.iter().for_each(|expected| expected_amounts(expected, amounts)),
        Expected::Parts(Parts { size, priority, r#type, value, at_least, at_most, .. }) => {
            amounts.extend([size, priority, r#type, value, at_least, at_most].into_iter().flatten().cloned());
        }
        Expected::Text(_) | Expected::End => {}
    }
}
