//! Stories: one line after another, each begun when all processes are at rest.

use super::{
    Ran,
    deadline::Deadline,
    rest::{self, GRACE_EXPECTED_NS, GRACE_SURPRISE_NS, Owes, Pause, Round},
    team::{Arrival, Member, Opening, Team, out_of_turn},
};
use crate::{
    clock,
    fault::Fault,
    host::Look,
    lane::{Grounds, Lane},
    listener::Listener,
    reply::{self, Asked},
};
use harness_core::{
    Event, History, Plan,
    history::Waiting,
    plan::{PlanAction, PlanLine},
    wire::{Do, FromAgent, Outcome, ProcessEnding, ToAgent},
};
use spec::{Operation, scenario::Expect, vocabulary::Feature};

/// A call that has not returned.
#[derive(Debug)]
struct Pending {
    line: usize,
    begun: bool,
    asked_at: u64,
    /// Whether it was proven to wait; said once.
    proven: bool,
}

/// How a wait for rest ended.
enum Settled {
    /// All are at rest.
    Rest(Vec<String>),
    /// The time was up first.
    Overdue(Vec<String>),
}

pub(super) struct Story<'p> {
    plan: &'p Plan,
    /// The lines: of the story, or of the order that is run, as far as it is chosen.
    lines: Vec<PlanLine>,
    team: Team,
    /// Which run of the team it is, and so which copy of the channels it is about.
    run: u32,
    pending: Vec<Option<Pending>>,
    events: Vec<Event>,
    deadline: Deadline,
    /// Whether signals fly: then idle processes may be about to end or to stop, and are looked at as well.
    everybody: bool,
    /// Which processes were told to exit.
    told_to_exit: Vec<bool>,
}

/// Runs a story once.
pub(super) fn run(grounds: &Grounds, lane: &mut Lane, plan: &Plan, listener: &mut Listener<'_>) -> Result<Ran, Fault> {
    let team = match Team::open(grounds, lane, plan, 1, &[])? {
        Opening::Opened(team) => team,
        Opening::Refused(refused) => return Ok(Ran::Refused(refused)),
    };
    let mut story = Story::new(grounds, plan, team, 0);
    story.lines.clone_from(&plan.story);
    story.tell(grounds, lane)?;
    let (team, events) = story.end();
    team.close(grounds, lane)?;
    listener.hear(&History { run: 0, events }, None);
    Ok(Ran::Through)
}

fn sends_signals(operation: &Operation<u64>) -> bool {
    matches!(
        operation,
        Operation::Kill(_) | Operation::Sigqueue(_) | Operation::PidfdSendSignal(_) | Operation::Fork(_)
    )
}

impl<'p> Story<'p> {
    /// A story without lines, that a team does as its run of this number.
    pub(super) fn new(grounds: &Grounds, plan: &'p Plan, mut team: Team, run: u32) -> Self {
        let processes = plan.processes.len();
        team.members.iter_mut().for_each(Member::begin_run);
        Self {
            plan,
            lines: Vec::new(),
            team,
            run,
            pending: (0..processes).map(|_| None).collect(),
            events: Vec::new(),
            deadline: Deadline::new(grounds, plan),
            everybody: plan.operations().any(|(_, operation)| sends_signals(operation)),
            told_to_exit: vec![false; processes],
        }
    }

    fn tell(&mut self, grounds: &Grounds, lane: &mut Lane) -> Result<(), Fault> {
        for index in 0..self.lines.len() {
            if !self.tell_line(grounds, lane, index)? {
                return Ok(());
            }
        }
        self.events.push(Event::Line { line: self.lines.len(), at: clock::now() });
        Ok(())
    }

    /// Tells one line. Returns whether the story can go on.
    fn tell_line(&mut self, grounds: &Grounds, lane: &mut Lane, index: usize) -> Result<bool, Fault> {
        let line = self.lines[index].clone();
        self.events.push(Event::Line { line: index, at: clock::now() });
        if !self.begin(grounds, index, &line)? {
            return Ok(false);
        }
        match self.settle(grounds, lane, &line)? {
            Settled::Rest(calls) => {
                if !self.conclude(index, &line, &calls) {
                    return Ok(false);
                }
                self.adopt(grounds, lane, index, &line)?;
                Ok(true)
            }
            Settled::Overdue(calls) => {
                let waiting = self.waiting(&calls);
                self.events.push(Event::Overdue { at: clock::now(), waiting });
                Ok(false)
            }
        }
    }

    /// The processes that can begin a step: those that are in no call and have not ended.
    pub(super) fn idle(&self) -> impl Iterator<Item = usize> {
        let can = |process: &usize| self.pending[*process].is_none() && self.team.members[*process].ending.is_none();
        (0..self.pending.len()).filter(can)
    }

    /// Adds a line and tells it. Returns whether the story can go on.
    pub(super) fn add(&mut self, grounds: &Grounds, lane: &mut Lane, line: PlanLine) -> Result<bool, Fault> {
        self.lines.push(line);
        self.tell_line(grounds, lane, self.lines.len() - 1)
    }

    /// Notes who is in a call that it will not come out of.
    pub(super) fn note_stuck(&mut self) {
        if self.pending.iter().any(Option::is_some) {
            let waiting = self.waiting(&self.no_calls());
            self.events.push(Event::Stuck { at: clock::now(), waiting });
        }
    }

    /// Gives the team back, and what has happened.
    pub(super) fn end(self) -> (Team, Vec<Event>) {
        (self.team, self.events)
    }

    /// After a `fork` that succeeded: takes in the new process.
    fn adopt(&mut self, grounds: &Grounds, lane: &mut Lane, index: usize, line: &PlanLine) -> Result<(), Fault> {
        let PlanAction::Do { operation: Operation::Fork(fork), .. } = &line.action else { return Ok(()) };
        let forked =
            |event: &Event| matches!(event, Event::Returned { step, outcome: Outcome::Done, .. } if *step == index);
        if self.events.iter().any(forked) { self.team.adopt(grounds, lane, self.plan, &fork.process) } else { Ok(()) }
    }

    /// Begins a line. Returns whether the story can go on: a process that is in a call, or has ended, can begin nothing.
    fn begin(&mut self, grounds: &Grounds, index: usize, line: &PlanLine) -> Result<bool, Fault> {
        let PlanAction::Do { operation, channel } = &line.action else { return Ok(true) };
        // A process whose fork failed is not there.
        let Some(member) = self.team.members.get_mut(line.process) else { return Ok(false) };
        if self.pending[line.process].is_some() || member.ending.is_some() {
            return Ok(false);
        }
        let asked_at = clock::now();
        self.pending[line.process] = Some(Pending { line: index, begun: false, asked_at, proven: false });
        self.told_to_exit[line.process] |= matches!(operation, Operation::Exit(_));
        member.connection.send(
            &ToAgent::Do(Do {
                step: u32::try_from(index).unwrap_or(u32::MAX),
                run: self.run,
                operation: operation.clone(),
                channel: channel.map(|channel| self.plan.channels[channel].name.clone()),
            }),
            grounds.patience_ns(),
        )?;
        Ok(true)
    }

    /// Waits until all are at rest; returns the call that each process sleeps in.
    fn settle(&mut self, grounds: &Grounds, lane: &mut Lane, line: &PlanLine) -> Result<Settled, Fault> {
        let mut pause = Pause::new();
        let mut before: Option<Vec<Option<Look>>> = None;
        let mut quiet_since = 0;
        let (mut looks_again, mut somebody_ran) = (false, false);
        loop {
            // Most calls return at once: the answer is waited for before the first look. The second look follows it at once. Who runs is
            // given time to: looking without end would keep the processor from the one that is looked at.
            let owed = somebody_ran || self.pending.iter().any(Option::is_some);
            let waits = owed && !std::mem::take(&mut looks_again);
            let wait_ns = if waits { pause.next_ns() } else { 0 };
            let arrivals = self.team.arrivals(lane, wait_ns)?;
            let heard = !arrivals.is_empty();
            for arrival in arrivals {
                self.hear(arrival)?;
            }
            let unreported = self.team.members.iter().any(half_over);
            let signals_fly = self.everybody && self.team.members.iter().any(|member| !member.is_over());
            if !unreported && !signals_fly && self.pending.iter().all(Option::is_none) {
                return Ok(Settled::Rest(self.no_calls()));
            }
            if heard {
                before = None;
                continue;
            }
            let owes = self.owes(line);
            let round = if unreported { Round::Running } else { self.look(&owes)? };
            let overdue = self.deadline.is_over(&self.team.members)?;
            match round {
                Round::Quiet(looks) if before.as_ref() == Some(&looks) => {
                    let lasted = clock::now().saturating_sub(quiet_since);
                    if self.has_rested(grounds, lane, line, lasted)
                        && self.still(&owes, &looks)?
                        && self.nothing_came(lane)?
                    {
                        rest::accuse(&self.team.members, &owes, &looks)?;
                        return Ok(Settled::Rest(call_names(&looks)));
                    }
                    if overdue {
                        return Ok(Settled::Overdue(call_names(&looks)));
                    }
                }
                Round::Quiet(looks) => {
                    quiet_since = clock::now();
                    if overdue {
                        return Ok(Settled::Overdue(call_names(&looks)));
                    }
                    before = Some(looks);
                    looks_again = true;
                }
                Round::Running if overdue && unreported => {
                    let missing = self.team.members.iter().find(|member| half_over(member));
                    let who = missing.map_or_else(String::new, |member| member.name.clone());
                    return Err(Fault::agent(who, "closed its connection, or was reported ended, and not both"));
                }
                Round::Running if overdue => return Ok(Settled::Overdue(self.no_calls())),
                Round::Running => (before, somebody_ran) = (None, true),
            }
        }
    }

    /// Whether rest that has lasted so long is for good, unless somebody does something.
    fn has_rested(&self, grounds: &Grounds, lane: &mut Lane, line: &PlanLine, lasted: u64) -> bool {
        if self.pending.iter().all(Option::is_none) {
            return true;
        }
        let surprise =
            self.pending.iter().flatten().any(|pending| !pending.proven) && !matches!(line.expect, Expect::Blocks(_));
        let grace = grounds.config.scaled_ns(if surprise { GRACE_SURPRISE_NS } else { GRACE_EXPECTED_NS });
        rest::kernel_is_done(self.plan, lane, lasted, grace)
    }

    /// One round of looks at this story's processes, as [`rest::look`] has it.
    fn look(&self, owes: &[Option<Owes>]) -> Result<Round, Fault> {
        rest::look(&self.team.members, owes, self.everybody)
    }

    /// Whether all are still as they were when they were looked at, after the kernel was looked at as well: what it had left to do
    /// may have been done just before.
    fn still(&self, owes: &[Option<Owes>], looks: &[Option<Look>]) -> Result<bool, Fault> {
        if !self.plan.has(Feature::Deferred) {
            return Ok(true);
        }
        let round = self.look(owes)?;
        Ok(matches!(round, Round::Quiet(again) if again == looks))
    }

    /// Hears what was said before the second round of looks; true where that was nothing.
    fn nothing_came(&mut self, lane: &mut Lane) -> Result<bool, Fault> {
        let late = self.team.drain(lane)?;
        let nothing = late.is_empty();
        for arrival in late {
            self.hear(arrival)?;
        }
        Ok(nothing)
    }

    /// After rest: says which call is proven to wait. Returns whether the story can go on.
    fn conclude(&mut self, index: usize, line: &PlanLine, calls: &[String]) -> bool {
        let at = clock::now();
        let Some(pending) = self.pending[line.process].as_mut().filter(|pending| pending.line == index) else {
            return true;
        };
        if !pending.proven {
            pending.proven = true;
            let call = calls.get(line.process).cloned().unwrap_or_default();
            self.events.push(Event::Blocked { process: line.process, step: index, at, call });
        }
        let may_wait = matches!(line.expect, Expect::Blocks(_) | Expect::Anything);
        if !may_wait {
            let waiting = self.waiting(calls);
            self.events.push(Event::Stuck { at, waiting });
        }
        may_wait
    }

    fn hear(&mut self, arrival: Arrival) -> Result<(), Fault> {
        match arrival {
            Arrival::Said(process, message) => self.hear_message(process, message),
            Arrival::Ended(process, ending) => {
                if let ProcessEnding::Status(status) = ending
                    && !self.told_to_exit[process]
                {
                    let who = &self.team.members[process].name;
                    return Err(Fault::agent(who, format!("exited with status {status} without being told to")));
                }
                self.events.push(Event::Ended { process, at: clock::now(), ending });
                self.pending[process] = None;
                Ok(())
            }
        }
    }

    fn hear_message(&mut self, process: usize, message: FromAgent) -> Result<(), Fault> {
        let now = clock::now();
        let member = &mut self.team.members[process];
        let place = "it does the steps of a story one by one";
        match (message, self.pending[process].as_mut()) {
            (FromAgent::Begin(begin), Some(pending))
                if !pending.begun && begin.step as usize == pending.line && begin.run == self.run =>
            {
                if begin.at < pending.asked_at || begin.at > now {
                    return Err(Fault::agent(
                        &member.name,
                        format!(
                            "says that it begins step {} at {}, which lies outside {}..{now}",
                            begin.step, begin.at, pending.asked_at
                        ),
                    ));
                }
                pending.begun = true;
                self.events.push(Event::Began { process, step: pending.line, at: begin.at });
                Ok(())
            }
            (FromAgent::End(end), Some(pending))
                if pending.begun && end.step as usize == pending.line && end.run == self.run =>
            {
                let PlanAction::Do { operation, channel } = &self.lines[pending.line].action else {
                    return Ok(());
                };
                let index = channel.unwrap_or(0);
                let asked = Asked {
                    who: &member.name,
                    operation,
                    stamped: self.plan.channels.get(index).is_some_and(|channel| channel.stamped),
                    earliest: pending.asked_at,
                    latest: now,
                };
                let mut spare = harness_core::stamp::Decoder::new();
                let decoder = member.decoders.get_mut(index).unwrap_or(&mut spare);
                let end = reply::check(&asked, end, decoder)?;
                self.events.push(Event::Returned {
                    process,
                    step: pending.line,
                    began: end.began,
                    ended: end.ended,
                    outcome: end.outcome,
                });
                self.pending[process] = None;
                Ok(())
            }
            (message, _) => Err(out_of_turn(&member.name, &message, place)),
        }
    }

    fn owes(&self, line: &PlanLine) -> Vec<Option<Owes>> {
        self.pending
            .iter()
            .map(|pending| {
                pending.as_ref().map(|pending| {
                    let PlanLine { action, expect, .. } = &self.lines[pending.line];
                    let timeout = match action {
                        PlanAction::Do { operation, .. } => operation.timeout_ns(),
                        _ => None,
                    };
                    let awaited = matches!(expect, Expect::Blocks(_));
                    // A timed call that was expected to wait is not waited for, until a line asks for its return.
                    let resumes = matches!(&line.action, PlanAction::Resumes { line } if *line == pending.line);
                    Owes {
                        step: pending.line,
                        begun: pending.begun,
                        meets: false,
                        timed: timeout.is_some() && (!awaited || resumes),
                    }
                })
            })
            .collect()
    }

    fn waiting(&self, calls: &[String]) -> Vec<Waiting> {
        self.pending
            .iter()
            .enumerate()
            .filter_map(|(process, pending)| {
                let step = pending.as_ref()?.line;
                Some(Waiting { process, step, call: calls.get(process).cloned().unwrap_or_default() })
            })
            .collect()
    }

    fn no_calls(&self) -> Vec<String> {
        vec![String::new(); self.team.members.len()]
    }
}

fn call_names(looks: &[Option<Look>]) -> Vec<String> {
    looks.iter().map(|look| rest::call_name(look.as_ref())).collect()
}

/// Whether one of the two signs of an end has come and the other has not.
fn half_over(member: &Member) -> bool {
    member.ending.is_some() != member.connection.is_over()
}
