//! Expansion: a scenario and the facts of a host make plans, one an instance.

use crate::{
    finding::{Skip, SkipClass},
    plan::{Parameter, Plan, PlanAction, PlanChannel, PlanClaim, PlanLine, PlanProcess, PlanStep},
    wire::{HeldEnd, capability},
};
use spec::{
    Ability, Amount, Mechanism, Operation, Scenario,
    amount::AmountError,
    operation::{
        CompareExchange, Direction, End, EpollAdd, Event, Exit, FetchAdd, Fill, Listen, Load, Lock, MqNotify, Notify,
        Poll, Post, Read, Receive, Requeue, Resize, Send, SendHandle, SetCapacity, Setrlimit, Sigqueue, Store, Unlock,
        Value, WaitOn, WaitOnAny, Write,
    },
    scenario::{
        Action, Attach, Body, Channel, Claim, Control, Elsewhere, Ending, Expect, Expected, Line, NamedResult, Need,
        Orders, Parts, Process, Step,
    },
};
use std::{collections::BTreeMap, sync::Arc};

/// How many processes a plan may have: their numbers in stamps end there.
pub const PROCESSES_MAX: usize = 15;

/// How many steps a process may have once its repeats are unrolled.
pub const STEPS_MAX: usize = 10_000;

/// What is known of the host that a plan is made for.
#[derive(Clone, Copy, Debug)]
pub struct Host<'h> {
    /// The mechanisms that the agent offers, by name.
    pub mechanisms: &'h [String],
    /// The operations that the agent does not offer, by name.
    pub lacks: &'h [String],
    /// The capabilities that the agent announces.
    pub capabilities: &'h [String],
    /// The limits of the agent's host.
    pub limits: &'h BTreeMap<String, u64>,
    /// Processors that may be used.
    pub processors: u64,
    /// The platform, as `elsewhere` names it: `linux`, `freebsd`, ….
    pub platform: &'h str,
    /// The machine, as `elsewhere` names it: `x86_64`, `aarch64`, …
    pub machine: &'h str,
}

/// One instance of a scenario, before anything is known of a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstanceName {
    /// `scenario[mechanism]`, or `scenario[mechanism,name=value,…]`.
    pub id: String,
    /// The scenario's id.
    pub scenario: String,
    /// What it runs on.
    pub mechanism: Mechanism,
    /// The varied parameters as written.
    pub parameters: BTreeMap<String, Amount>,
}

/// All instances of a scenario: every mechanism with every combination of its parameters.
#[must_use]
pub fn names(scenario: &Scenario) -> Vec<InstanceName> {
    let mut combinations: Vec<BTreeMap<String, Amount>> = vec![BTreeMap::new()];
    for (name, values) in &scenario.vary {
        combinations = combinations
            .iter()
            .flat_map(|combination| {
                values.iter().map(move |value| {
                    let mut next = combination.clone();
                    next.insert(name.clone(), value.clone());
                    next
                })
            })
            .collect();
    }
    scenario
        .mechanisms
        .iter()
        .flat_map(|mechanism| {
            combinations.iter().map(|parameters| InstanceName {
                id: instance_id(&scenario.id, *mechanism, parameters),
                scenario: scenario.id.clone(),
                mechanism: *mechanism,
                parameters: parameters.clone(),
            })
        })
        .collect()
}

fn instance_id(scenario: &str, mechanism: Mechanism, parameters: &BTreeMap<String, Amount>) -> String {
    let mut id = format!("{scenario}[{mechanism}");
    for (name, value) in parameters {
        let value: String = value.text().chars().filter(|character| !character.is_whitespace()).collect();
        id.push_str(&format!(",{name}={value}"));
    }
    id.push(']');
    id
}

/// The plan of an instance on a host.
///
/// # Errors
/// Why it has to be skipped there.
pub fn plan(scenario: &Scenario, name: &InstanceName, host: &Host<'_>) -> Result<Plan, Skip> {
    make(scenario, name.id.clone(), name.mechanism, &name.parameters, None, host)
}

/// The plan of a scenario's control on a mechanism; `None` where it has none. Other parameters keep their first values.
#[must_use]
pub fn control_plan(scenario: &Scenario, mechanism: Mechanism, host: &Host<'_>) -> Option<Result<Plan, Skip>> {
    let control = scenario.control.as_ref()?;
    let mut parameters: BTreeMap<String, Amount> =
        scenario.vary.iter().filter_map(|(name, values)| Some((name.clone(), values.first()?.clone()))).collect();
    parameters.extend(control.change.clone());
    let id = format!("{}[{mechanism},control]", scenario.id);
    Some(make(scenario, id, mechanism, &parameters, Some(control), host))
}

fn skip(class: SkipClass, reason: impl Into<String>) -> Skip {
    Skip { class, reason: reason.into() }
}

fn make(
    scenario: &Scenario,
    id: String,
    mechanism: Mechanism,
    parameters: &BTreeMap<String, Amount>,
    control: Option<&Control>,
    host: &Host<'_>,
) -> Result<Plan, Skip> {
    check_host(scenario, mechanism, host)?;
    let resolver = Resolver::new(parameters, host.limits)?;
    let channels = scenario
        .channels
        .iter()
        .map(|(name, channel)| {
            Ok(PlanChannel {
                name: name.clone(),
                mechanism: channel.made_of.unwrap_or(mechanism),
                options: resolver.channel(channel)?,
                stamped: is_stamped(scenario, name),
            })
        })
        .collect::<Result<Vec<_>, Skip>>()?;
    let mut builder =
        Builder { resolver: &resolver, channels: &channels, processes: Vec::new(), attach: scenario.attach };
    let mut story = Vec::new();
    match &scenario.body {
        Body::Story(lines) => story = builder.story(lines)?,
        Body::Processes { processes, .. } => builder.free(processes)?,
    }
    let processes = builder.processes;
    let orders = match &scenario.body {
        Body::Processes { orders, .. } => *orders,
        Body::Story(_) => Orders::Free,
    };
    let lengths: Vec<usize> = processes.iter().map(|process| process.steps.len()).collect();
    if orders == Orders::Every && crate::orders::count(&lengths) > crate::orders::MAX {
        return Err(skip(
            SkipClass::Unsupported,
            format!(
                "its steps have {} orders, and at most {} are run",
                crate::orders::count(&lengths),
                crate::orders::MAX
            ),
        ));
    }
    if processes.len() > PROCESSES_MAX {
        return Err(skip(
            SkipClass::Unsupported,
            format!("{} processes are more than the {PROCESSES_MAX} that stamps can tell apart", processes.len()),
        ));
    }
    let runs = scenario.runs.as_ref().map_or(Ok(1), |runs| resolver.value(runs))?;
    let claims = scenario
        .claims
        .iter()
        .map(|graded| Ok(PlanClaim { grade: graded.grade, claim: resolver.claim(&graded.claim)?, span: graded.span }))
        .collect::<Result<Vec<_>, Skip>>()?;
    Ok(Plan {
        id,
        scenario: scenario.id.clone(),
        mechanism,
        parameters: resolver.named(parameters),
        title: scenario.title.clone(),
        cites: scenario.cites.clone(),
        attach: scenario.attach,
        channels,
        processes,
        story,
        runs: u32::try_from(runs.max(1)).unwrap_or(u32::MAX),
        race: scenario.runs.is_some(),
        orders,
        claims,
        must_break: control.map(|control| control.breaks.clone()),
        expect_broken: elsewhere(scenario, mechanism, host)
            .find(|note| note.expect.is_some())
            .map(|note| format!("{} ({})", note.because.trim(), note.source)),
        within_ns: scenario.within.ns(),
        source: Some(Arc::clone(&scenario.source)),
    })
}

fn check_host(scenario: &Scenario, mechanism: Mechanism, host: &Host<'_>) -> Result<(), Skip> {
    if let Some(note) = elsewhere(scenario, mechanism, host).find(|note| note.skip) {
        return Err(skip(SkipClass::Platform, format!("{} ({})", note.because.trim(), note.source)));
    }
    let own = scenario.channels.values().filter_map(|channel| channel.made_of);
    for needed in std::iter::once(mechanism).chain(own) {
        if !host.mechanisms.iter().any(|known| known == needed.name()) {
            return Err(skip(SkipClass::Unsupported, format!("the agent offers no {needed} here")));
        }
    }
    let operations = operations(scenario);
    if let Some(lacking) = host.lacks.iter().find(|lacking| operations.contains(&lacking.as_str())) {
        return Err(skip(SkipClass::Unsupported, format!("the agent offers no `{lacking}`")));
    }
    for need in &scenario.needs {
        match need {
            Need::Feature(feature) if !mechanism.has(*feature) => {
                return Err(skip(SkipClass::Unsupported, format!("{mechanism} has no {feature:?}")));
            }
            Need::Capability(capability) if !host.capabilities.contains(capability) => {
                if capability == capability::USERS {
                    return Err(skip(SkipClass::Privilege, "processes may not change users here: that takes root"));
                }
                return Err(skip(SkipClass::Unsupported, format!("the agent does not announce {capability}")));
            }
            Need::Processors(processors) if *processors > host.processors => {
                return Err(skip(
                    SkipClass::Unsupported,
                    format!("it needs {processors} processors, and there are {}", host.processors),
                ));
            }
            _ => {}
        }
    }
    if scenario.runs.is_some() && host.processors < 2 {
        return Err(skip(SkipClass::Unsupported, "a race needs two processors, and there is one"));
    }
    Ok(())
}

/// What is known to differ for a mechanism on the host's platform.
fn elsewhere<'s>(
    scenario: &'s Scenario,
    mechanism: Mechanism,
    host: &Host<'_>,
) -> impl Iterator<Item = &'s Elsewhere> + use<'s> {
    let here = [host.platform.to_owned(), host.machine.to_owned()];
    scenario.elsewhere.iter().filter(move |note| {
        here.contains(&note.r#where) && (note.mechanisms.is_empty() || note.mechanisms.contains(&mechanism))
    })
}

/// All lines of a scenario; repeats once.
fn lines(scenario: &Scenario) -> Vec<&Line> {
    fn collect<'s>(steps: &'s [Step], lines: &mut Vec<&'s Line>) {
        for step in steps {
            match step {
                Step::One(line) => lines.push(line),
                Step::Repeat { steps, .. } => collect(steps, lines),
            }
        }
    }
    match &scenario.body {
        Body::Story(story) => story.iter().collect(),
        Body::Processes { processes, .. } => {
            let mut lines = Vec::new();
            for process in processes {
                collect(&process.steps, &mut lines);
            }
            lines
        }
    }
}

/// The operations that a scenario asks for, by name.
fn operations(scenario: &Scenario) -> Vec<&'static str> {
    lines(scenario)
        .into_iter()
        .filter_map(|line| match &line.action {
            Action::Do { operation, .. } => Some(operation.name()),
            _ => None,
        })
        .collect()
}

/// Whether a channel carries stamps: somebody sends a size, or fills it.
fn is_stamped(scenario: &Scenario, channel: &str) -> bool {
    lines(scenario).into_iter().any(|line| match &line.action {
        Action::Do { operation, channel: Some(used) } if used == channel => match operation {
            Operation::Write(write) => write.size.is_some(),
            Operation::Send(send) => send.size.is_some(),
            Operation::Fill(_) => true,
            _ => false,
        },
        _ => false,
    })
}

/// Gives amounts their values.
struct Resolver<'h> {
    values: BTreeMap<String, u64>,
    limits: &'h BTreeMap<String, u64>,
}

impl<'h> Resolver<'h> {
    fn new(parameters: &BTreeMap<String, Amount>, limits: &'h BTreeMap<String, u64>) -> Result<Self, Skip> {
        let mut resolver = Self { values: BTreeMap::new(), limits };
        let values = parameters
            .iter()
            .map(|(name, amount)| Ok((name.clone(), resolver.value(amount)?)))
            .collect::<Result<BTreeMap<_, _>, Skip>>()?;
        resolver.values = values;
        Ok(resolver)
    }

    fn named(&self, parameters: &BTreeMap<String, Amount>) -> BTreeMap<String, Parameter> {
        parameters
            .iter()
            .map(|(name, amount)| {
                let value = self.values.get(name).copied().unwrap_or_default();
                (name.clone(), Parameter { text: amount.text().to_owned(), value })
            })
            .collect()
    }

    fn value(&self, amount: &Amount) -> Result<u64, Skip> {
        amount.value(&self.values, self.limits).map_err(|error| {
            let reason = match error {
                AmountError::MissingLimit(_) => error.to_string(),
                _ => format!("`{amount}` has no value here: {error}"),
            };
            skip(SkipClass::Unsupported, reason)
        })
    }

    fn optional(&self, amount: Option<&Amount>) -> Result<Option<u64>, Skip> {
        amount.map(|amount| self.value(amount)).transpose()
    }

    fn channel(&self, channel: &Channel<Amount>) -> Result<Channel<u64>, Skip> {
        Ok(Channel {
            is: channel.is,
            made_of: channel.made_of,
            between: channel.between.clone(),
            capacity: self.optional(channel.capacity.as_ref())?,
            message_size: self.optional(channel.message_size.as_ref())?,
            initial: self.optional(channel.initial.as_ref())?,
            size: self.optional(channel.size.as_ref())?,
            shared_description: channel.shared_description,
            exists: channel.exists,
        })
    }

    fn claim(&self, claim: &Claim<Amount>) -> Result<Claim<u64>, Skip> {
        let result = |result: &NamedResult<Amount>| {
            Ok(match result {
                NamedResult::Number(amount) => NamedResult::Number(self.value(amount)?),
                NamedResult::Failed(errno) => NamedResult::Failed(*errno),
                NamedResult::Done(done) => NamedResult::Done(*done),
            })
        };
        let results = |results: &BTreeMap<String, NamedResult<Amount>>| {
            results.iter().map(|(name, named)| Ok((name.clone(), result(named)?))).collect::<Result<_, Skip>>()
        };
        Ok(match claim {
            Claim::Complete(on) => Claim::Complete(on.clone()),
            Claim::ExactlyOnce(on) => Claim::ExactlyOnce(on.clone()),
            Claim::InOrder(on) => Claim::InOrder(on.clone()),
            Claim::Whole(on) => Claim::Whole(on.clone()),
            Claim::ByPriority(on) => Claim::ByPriority(on.clone()),
            Claim::Excludes(section) => Claim::Excludes(section.clone()),
            Claim::Finishes => Claim::Finishes,
            Claim::Never(named) => Claim::Never(results(named)?),
            Claim::Seen(named) => Claim::Seen(results(named)?),
            Claim::Ends(endings) => Claim::Ends(
                endings
                    .iter()
                    .map(|(process, ending)| {
                        let ending = match ending {
                            Ending::Status(status) => Ending::Status(self.value(status)?),
                            Ending::Signal(signal) => Ending::Signal(signal.clone()),
                        };
                        Ok((process.clone(), ending))
                    })
                    .collect::<Result<_, Skip>>()?,
            ),
        })
    }

    fn expect(&self, expect: &Expect<Amount>) -> Result<Expect<u64>, Skip> {
        Ok(match expect {
            Expect::Succeeds => Expect::Succeeds,
            Expect::Anything => Expect::Anything,
            Expect::Gives(expected) => Expect::Gives(self.expected(expected)?),
            Expect::Fails(errors) => Expect::Fails(errors.clone()),
            Expect::Blocks(name) => Expect::Blocks(name.clone()),
            Expect::Dies(signal) => Expect::Dies(signal.clone()),
        })
    }

    fn expected(&self, expected: &Expected<Amount>) -> Result<Expected<u64>, Skip> {
        Ok(match expected {
            Expected::Text(text) => Expected::Text(text.clone()),
            Expected::Number(amount) => Expected::Number(self.value(amount)?),
            Expected::End => Expected::End,
            Expected::Parts(parts) => Expected::Parts(Parts {
                text: parts.text.clone(),
                size: self.optional(parts.size.as_ref())?,
                from: parts.from.clone(),
                priority: self.optional(parts.priority.as_ref())?,
                r#type: self.optional(parts.r#type.as_ref())?,
                truncated: parts.truncated,
                signal: parts.signal.clone(),
                value: self.optional(parts.value.as_ref())?,
                code: parts.code.clone(),
                own_stack: parts.own_stack,
                at_least: self.optional(parts.at_least.as_ref())?,
                at_most: self.optional(parts.at_most.as_ref())?,
            }),
            Expected::List(list) => {
                Expected::List(list.iter().map(|expected| self.expected(expected)).collect::<Result<_, Skip>>()?)
            }
        })
    }

    fn operation(&self, operation: &Operation<Amount>) -> Result<Operation<u64>, Skip> {
        Ok(match operation.clone() {
            Operation::Open(open) => Operation::Open(open),
            Operation::Close(close) => Operation::Close(close),
            Operation::Unlink(channel) => Operation::Unlink(channel),
            Operation::SetNonblocking(set) => Operation::SetNonblocking(set),
            Operation::Write(Write { channel, text, size, nonblocking }) => {
                Operation::Write(Write { channel, text, size: self.optional(size.as_ref())?, nonblocking })
            }
            Operation::Read(Read { channel, size, until, nonblocking, peek }) => {
                Operation::Read(Read { channel, size: self.optional(size.as_ref())?, until, nonblocking, peek })
            }
            Operation::Fill(Fill { channel, size }) => {
                Operation::Fill(Fill { channel, size: self.optional(size.as_ref())? })
            }
            Operation::Shutdown(shutdown) => Operation::Shutdown(shutdown),
            Operation::Send(Send { channel, text, size, priority, r#type, nonblocking, timeout }) => {
                Operation::Send(Send {
                    channel,
                    text,
                    size: self.optional(size.as_ref())?,
                    priority: self.optional(priority.as_ref())?,
                    r#type: self.optional(r#type.as_ref())?,
                    nonblocking,
                    timeout,
                })
            }
            Operation::Receive(receive) => Operation::Receive(Receive {
                size: self.optional(receive.size.as_ref())?,
                r#type: self.optional(receive.r#type.as_ref())?,
                up_to: self.optional(receive.up_to.as_ref())?,
                channel: receive.channel,
                until: receive.until,
                nonblocking: receive.nonblocking,
                timeout: receive.timeout,
                peek: receive.peek,
                except: receive.except,
                truncate: receive.truncate,
            }),
            Operation::Attributes(channel) => Operation::Attributes(channel),
            Operation::Bind(channel) => Operation::Bind(channel),
            Operation::Listen(Listen { channel, backlog }) => {
                Operation::Listen(Listen { channel, backlog: self.optional(backlog.as_ref())? })
            }
            Operation::Connect(connect) => Operation::Connect(connect),
            Operation::Accept(accept) => Operation::Accept(accept),
            Operation::Wait(wait) => Operation::Wait(wait),
            Operation::Post(Post { channel, value, nonblocking }) => {
                Operation::Post(Post { channel, value: self.optional(value.as_ref())?, nonblocking })
            }
            Operation::Value(Value { channel, number }) => {
                Operation::Value(Value { channel, number: self.optional(number.as_ref())? })
            }
            Operation::Semop(semop) => Operation::Semop(semop),
            Operation::Seal(seal) => Operation::Seal(seal),
            Operation::Lock(Lock { channel, mode, nonblocking, timeout, start, length }) => Operation::Lock(Lock {
                channel,
                mode,
                nonblocking,
                timeout,
                start: self.optional(start.as_ref())?,
                length: self.optional(length.as_ref())?,
            }),
            Operation::Unlock(Unlock { channel, start, length }) => Operation::Unlock(Unlock {
                channel,
                start: self.optional(start.as_ref())?,
                length: self.optional(length.as_ref())?,
            }),
            Operation::Consistent(channel) => Operation::Consistent(channel),
            Operation::WaitOn(WaitOn { channel, word, expected, timeout, unlock, bits }) => Operation::WaitOn(WaitOn {
                channel,
                word: self.optional(word.as_ref())?,
                expected: self.optional(expected.as_ref())?,
                timeout,
                unlock,
                bits: self.optional(bits.as_ref())?,
            }),
            Operation::WaitOnAny(WaitOnAny { channel, words, expected, timeout }) => {
                Operation::WaitOnAny(WaitOnAny { channel, words, expected: self.optional(expected.as_ref())?, timeout })
            }
            Operation::Notify(Notify { channel, word, count, all, bits }) => Operation::Notify(Notify {
                channel,
                word: self.optional(word.as_ref())?,
                count: self.optional(count.as_ref())?,
                all,
                bits: self.optional(bits.as_ref())?,
            }),
            Operation::Requeue(Requeue { channel, word, to, count, moved, expected }) => Operation::Requeue(Requeue {
                channel,
                word: self.optional(word.as_ref())?,
                to: self.optional(to.as_ref())?,
                count: self.optional(count.as_ref())?,
                moved: self.optional(moved.as_ref())?,
                expected: self.optional(expected.as_ref())?,
            }),
            Operation::MqNotify(MqNotify { channel, signal, value }) => {
                Operation::MqNotify(MqNotify { channel, signal, value: self.optional(value.as_ref())? })
            }
            Operation::Arrive(channel) => Operation::Arrive(channel),
            Operation::Store(Store { channel, value, cell, text, at, bits, order }) => Operation::Store(Store {
                channel,
                value: self.optional(value.as_ref())?,
                cell: self.optional(cell.as_ref())?,
                text,
                at: self.optional(at.as_ref())?,
                bits: self.optional(bits.as_ref())?,
                order,
            }),
            Operation::Load(Load { channel, cell, size, at, bits, order }) => Operation::Load(Load {
                channel,
                cell: self.optional(cell.as_ref())?,
                size: self.optional(size.as_ref())?,
                at: self.optional(at.as_ref())?,
                bits: self.optional(bits.as_ref())?,
                order,
            }),
            Operation::Fence(fence) => Operation::Fence(fence),
            Operation::FetchAdd(FetchAdd { channel, cell, value, torn }) => Operation::FetchAdd(FetchAdd {
                channel,
                cell: self.optional(cell.as_ref())?,
                value: self.optional(value.as_ref())?,
                torn,
            }),
            Operation::CompareExchange(CompareExchange { channel, cell, expected, value }) => {
                Operation::CompareExchange(CompareExchange {
                    channel,
                    cell: self.optional(cell.as_ref())?,
                    expected: self.optional(expected.as_ref())?,
                    value: self.optional(value.as_ref())?,
                })
            }
            Operation::Resize(Resize { channel, size }) => {
                Operation::Resize(Resize { channel, size: self.optional(size.as_ref())? })
            }
            Operation::Poll(poll) => Operation::Poll(poll),
            Operation::EpollAdd(add) => Operation::EpollAdd(add),
            Operation::EpollWait(wait) => Operation::EpollWait(wait),
            Operation::SendHandle(send) => Operation::SendHandle(send),
            Operation::ReceiveHandle(receive) => Operation::ReceiveHandle(receive),
            Operation::Kill(kill) => Operation::Kill(kill),
            Operation::Sigqueue(Sigqueue { process, signal, value }) => {
                Operation::Sigqueue(Sigqueue { process, signal, value: self.optional(value.as_ref())? })
            }
            Operation::Sigmask(mask) => Operation::Sigmask(mask),
            Operation::Sigaction(action) => Operation::Sigaction(action),
            Operation::Sigwait(wait) => Operation::Sigwait(wait),
            Operation::Sigsuspend(suspend) => Operation::Sigsuspend(suspend),
            Operation::Sigpending(pending) => Operation::Sigpending(pending),
            Operation::Caught(caught) => Operation::Caught(caught),
            Operation::Fork(fork) => Operation::Fork(fork),
            Operation::Waitpid(wait) => Operation::Waitpid(wait),
            Operation::Setrlimit(Setrlimit { resource, limit }) => {
                Operation::Setrlimit(Setrlimit { resource, limit: self.optional(limit.as_ref())? })
            }
            Operation::PassCredentials(arguments) => Operation::PassCredentials(arguments),
            Operation::SendCredentials(arguments) => Operation::SendCredentials(arguments),
            Operation::ReceiveCredentials(arguments) => Operation::ReceiveCredentials(arguments),
            Operation::PeerCredentials(arguments) => Operation::PeerCredentials(arguments),
            Operation::Unread(arguments) => Operation::Unread(arguments),
            Operation::SetCapacity(SetCapacity { channel, size }) => {
                Operation::SetCapacity(SetCapacity { channel, size: self.optional(size.as_ref())? })
            }
            Operation::Sigaltstack(arguments) => Operation::Sigaltstack(arguments),
            Operation::Signalfd(arguments) => Operation::Signalfd(arguments),
            Operation::SignalfdRead(arguments) => Operation::SignalfdRead(arguments),
            Operation::PidfdOpen(arguments) => Operation::PidfdOpen(arguments),
            Operation::PidfdSendSignal(arguments) => Operation::PidfdSendSignal(arguments),
            Operation::PidfdPoll(arguments) => Operation::PidfdPoll(arguments),
            Operation::Setpgid(arguments) => Operation::Setpgid(arguments),
            Operation::Exec(arguments) => Operation::Exec(arguments),
            Operation::ChangeUser(arguments) => Operation::ChangeUser(arguments),
            Operation::Exit(Exit { status }) => Operation::Exit(Exit { status: self.optional(status.as_ref())? }),
            Operation::Enter(section) => Operation::Enter(section),
            Operation::Leave(section) => Operation::Leave(section),
            Operation::Meet(meeting) => Operation::Meet(meeting),
        })
    }
}

/// Collects processes and what they hold.
struct Builder<'b> {
    resolver: &'b Resolver<'b>,
    channels: &'b [PlanChannel],
    processes: Vec<PlanProcess>,
    attach: Attach,
}

impl Builder<'_> {
    fn story(&mut self, lines: &[Line]) -> Result<Vec<PlanLine>, Skip> {
        self.add_in_order(lines);
        let mut blocked: BTreeMap<&str, usize> = BTreeMap::new();
        let mut story = Vec::with_capacity(lines.len());
        for (index, line) in lines.iter().enumerate() {
            let process = self.process(&line.process, &line.process);
            if let Expect::Blocks(name) = &line.expect {
                blocked.insert(name, index);
            }
            let begun = |name: &String| blocked.get(name.as_str()).copied().unwrap_or(index);
            let action = match &line.action {
                Action::Do { operation, channel } => {
                    let operation = self.resolver.operation(operation)?;
                    let channel = self.channel(channel.as_deref());
                    self.hold(process, &operation, channel);
                    PlanAction::Do { operation, channel }
                }
                Action::Resumes(name) => PlanAction::Resumes { line: begun(name) },
                Action::Still(name) => PlanAction::Still { line: begun(name) },
            };
            story.push(PlanLine {
                process,
                action,
                expect: self.resolver.expect(&line.expect)?,
                record: line.record.clone(),
                span: line.span,
                expect_span: line.expect_span,
            });
        }
        Ok(story)
    }

    /// Adds the processes of a story: those that are there from the beginning first, then those that are forked, each in the
    /// order of its appearance.
    fn add_in_order(&mut self, lines: &[Line]) {
        let fork = |line: &Line| match &line.action {
            Action::Do { operation: Operation::Fork(fork), .. } => Some((fork.process.clone(), line.process.clone())),
            _ => None,
        };
        let forks: Vec<(String, String)> = lines.iter().filter_map(fork).collect();
        for line in lines.iter().filter(|line| forks.iter().all(|(child, _)| *child != line.process)) {
            self.process(&line.process, &line.process);
        }
        for (child, parent) in &forks {
            let parent = self.process(parent, parent);
            let child = self.process(child, child);
            self.processes[child].forked_by = Some(parent);
        }
    }

    fn free(&mut self, processes: &[Process]) -> Result<(), Skip> {
        for kind in processes {
            let count = self.resolver.value(&kind.count)?;
            for number in 1..=count {
                let name = if count == 1 { kind.name.clone() } else { format!("{}.{number}", kind.name) };
                if self.processes.len() > PROCESSES_MAX {
                    return Ok(());
                }
                let process = self.process(&name, &kind.name);
                let mut steps = Vec::new();
                self.unroll(process, &kind.steps, &mut steps)?;
                self.processes[process].steps = steps;
            }
        }
        Ok(())
    }

    fn unroll(&mut self, process: usize, steps: &[Step], unrolled: &mut Vec<PlanStep>) -> Result<(), Skip> {
        for step in steps {
            match step {
                Step::Repeat { times, steps, .. } => {
                    for _ in 0..self.resolver.value(times)? {
                        self.unroll(process, steps, unrolled)?;
                    }
                }
                Step::One(line) => {
                    if unrolled.len() >= STEPS_MAX {
                        return Err(skip(
                            SkipClass::Unsupported,
                            format!("`{}` has more than {STEPS_MAX} steps on this host", self.processes[process].name),
                        ));
                    }
                    let Action::Do { operation, channel } = &line.action else { continue };
                    let operation = self.resolver.operation(operation)?;
                    let channel = self.channel(channel.as_deref());
                    self.hold(process, &operation, channel);
                    unrolled.push(PlanStep {
                        operation,
                        channel,
                        expect: self.resolver.expect(&line.expect)?,
                        record: line.record.clone(),
                        span: line.span,
                        expect_span: line.expect_span,
                    });
                }
            }
        }
        Ok(())
    }

    /// The index of a process, which is added where it is new.
    fn process(&mut self, name: &str, kind: &str) -> usize {
        if let Some(index) = self.processes.iter().position(|process| process.name == name) {
            return index;
        }
        let number = u8::try_from(self.processes.len() + 1).unwrap_or(u8::MAX);
        self.processes.push(PlanProcess {
            name: name.to_owned(),
            kind: kind.to_owned(),
            number,
            forked_by: None,
            holds: Vec::new(),
            steps: Vec::new(),
        });
        self.processes.len() - 1
    }

    fn channel(&self, name: Option<&str>) -> Option<usize> {
        self.channels.iter().position(|channel| Some(channel.name.as_str()) == name)
    }

    /// Notes which end of a channel a process has to hold for an operation.
    fn hold(&mut self, process: usize, operation: &Operation<u64>, channel: Option<usize>) {
        // A forked process holds what it was born with: what its steps use, its ancestor has to hold.
        let mut process = process;
        while let Some(parent) = self.processes[process].forked_by {
            process = parent;
        }
        self.hold_handle(process, operation);
        let is_inherited =
            |channel: &usize| self.attach == Attach::Inherit || self.channels[*channel].options.made_of.is_some();
        let Some(channel) = channel.filter(is_inherited) else { return };
        let options = &self.channels[channel].options;
        let end = if let Some(end) = self.end_between(process, channel) {
            Some(end)
        } else if matches!(options.is, Ability::Memory | Ability::Counter | Ability::Lock | Ability::Wake) {
            Some(HeldEnd::Both)
        } else {
            end_of(operation)
        };
        if let Some(end) = end {
            self.hold_end(process, channel, end);
        }
    }

    /// The end of a two-way channel that a process has.
    fn end_between(&self, process: usize, channel: usize) -> Option<HeldEnd> {
        let between = self.channels[channel].options.between.as_ref()?;
        let is_first = between.first() == Some(&self.processes[process].kind);
        Some(if is_first { HeldEnd::First } else { HeldEnd::Second })
    }

    /// Who sends an end holds it; who receives one holds nothing of it before.
    fn hold_handle(&mut self, process: usize, operation: &Operation<u64>) {
        let Some(channel) = self.channel(operation.handle()) else { return };
        if let (Operation::SendHandle(_), Some(end)) = (operation, self.end_between(process, channel)) {
            return self.hold_end(process, channel, end);
        }
        match operation {
            Operation::SendHandle(_)
                if matches!(self.channels[channel].options.is, Ability::Memory | Ability::Counter) =>
            {
                self.hold_end(process, channel, HeldEnd::Both);
            }
            Operation::SendHandle(SendHandle { end: End::Write, .. }) => {
                self.hold_end(process, channel, HeldEnd::Write);
            }
            Operation::SendHandle(_) => self.hold_end(process, channel, HeldEnd::Read),
            _ => self.hold_end(process, channel, HeldEnd::Nothing),
        }
    }

    fn hold_end(&mut self, process: usize, channel: usize, end: HeldEnd) {
        let holds = &mut self.processes[process].holds;
        match holds.iter_mut().find(|(held, _)| *held == channel) {
            Some((_, HeldEnd::Nothing)) => {}
            Some((_, held)) if *held != end => *held = HeldEnd::Both,
            Some(_) => {}
            None => holds.push((channel, end)),
        }
    }
}

/// Which end of a one-way channel an operation is about; `None` where it works with whatever is held.
fn end_of(operation: &Operation<u64>) -> Option<HeldEnd> {
    match operation {
        Operation::Write(_)
        | Operation::Fill(_)
        | Operation::Send(_)
        | Operation::SendHandle(_)
        | Operation::SendCredentials(_) => Some(HeldEnd::Write),
        Operation::Read(_)
        | Operation::Receive(_)
        | Operation::Attributes(_)
        | Operation::MqNotify(_)
        | Operation::ReceiveHandle(_)
        | Operation::PassCredentials(_)
        | Operation::ReceiveCredentials(_)
        | Operation::Unread(_)
        | Operation::PeerCredentials(_) => Some(HeldEnd::Read),
        Operation::Poll(Poll { end: Some(End::Write), .. })
        | Operation::EpollAdd(EpollAdd { end: Some(End::Write), .. }) => Some(HeldEnd::Write),
        Operation::Poll(Poll { end, events, .. }) | Operation::EpollAdd(EpollAdd { end, events, .. }) => {
            match (end, events.contains(&Event::Out)) {
                (Some(End::Read), _) => Some(HeldEnd::Read),
                (None, writes) => Some(if writes { HeldEnd::Write } else { HeldEnd::Read }),
                _ => None,
            }
        }
        Operation::Close(close) => match close.end {
            Some(End::Read) => Some(HeldEnd::Read),
            Some(End::Write) => Some(HeldEnd::Write),
            _ => None,
        },
        Operation::Shutdown(shutdown) => match shutdown.direction {
            Direction::Read => Some(HeldEnd::Read),
            Direction::Write => Some(HeldEnd::Write),
            Direction::Both => None,
        },
        _ => None,
    }
}
