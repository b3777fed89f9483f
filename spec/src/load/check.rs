//! The third pass: what decodes has to make sense as well.

mod body;
mod story;

use super::{
    complaint::{self, Complaint},
    syntax::Node,
};
use crate::{
    Ability, Amount, Mechanism, Operation, Scenario,
    operation::Scope,
    scenario::{Action, Attach, Body, Claim, Line, NamedResult, Orders, Span, Step},
    vocabulary::Feature,
};
use std::collections::{BTreeMap, BTreeSet};

/// A scenario may take from a millisecond to ten minutes.
const WITHIN_NS: std::ops::RangeInclusive<u64> = 1_000_000..=600_000_000_000;

/// Platforms that `elsewhere` may name: systems, and machines.
pub(crate) const PLATFORMS: &[&str] = &[
    "linux",
    "freebsd",
    "macos",
    "netbsd",
    "openbsd",
    "illumos",
    "gvisor",
    "qemu_user",
    "musl",
    "asterinas",
    "redox",
    "x86_64",
    "aarch64",
    "arm",
    "riscv64",
    "powerpc64",
];

/// Checks everything.
pub(super) fn all(scenario: &Scenario, tree: &Node, complaints: &mut Vec<Complaint>) {
    let checker = Checker { scenario, tree };
    checker.id(complaints);
    checker.title(complaints);
    checker.channels(complaints);
    checker.keys(complaints);
    checker.amounts(complaints);
    checker.steps(complaints);
    checker.payloads(complaints);
    checker.claims(complaints);
    checker.control(complaints);
    checker.elsewhere(complaints);
    match &scenario.body {
        Body::Story(lines) => story::check(scenario, lines, complaints),
        Body::Processes { processes, .. } => body::check(scenario, processes, complaints),
    }
}

/// Whether it is about a place in memory, which a futex, with its numbered words, has not.
fn is_of_places(operation: &Operation<Amount>) -> bool {
    match operation {
        Operation::Store(store) => store.text.is_some() || store.at.is_some(),
        Operation::Load(load) => load.size.is_some() || load.at.is_some(),
        _ => false,
    }
}

struct Checker<'s> {
    scenario: &'s Scenario,
    tree: &'s Node,
}

/// Every line of a scenario, with the name of its process; repeats once.
pub(super) fn lines(scenario: &Scenario) -> Vec<&Line> {
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

/// The names of the processes, in the order in which they appear.
pub(super) fn process_names(scenario: &Scenario) -> Vec<&str> {
    match &scenario.body {
        Body::Story(lines) => {
            let mut names: Vec<&str> = Vec::new();
            for line in lines {
                let forked = match &line.action {
                    Action::Do { operation: Operation::Fork(fork), .. } => Some(fork.process.as_str()),
                    _ => None,
                };
                for name in std::iter::once(line.process.as_str()).chain(forked) {
                    if !names.contains(&name) {
                        names.push(name);
                    }
                }
            }
            names
        }
        Body::Processes { processes, .. } => processes.iter().map(|process| process.name.as_str()).collect(),
    }
}

impl Checker<'_> {
    /// Where a top-level key stands.
    fn key(&self, key: &str) -> Span {
        self.tree.entry(key).map_or(Span { start: 0, end: 0 }, |(key, _)| key.span)
    }

    /// Where a top-level key's value stands.
    fn value(&self, key: &str) -> Span {
        self.tree.get(key).map_or(Span { start: 0, end: 0 }, |value| value.span)
    }

    fn id(&self, complaints: &mut Vec<Complaint>) {
        let id = &self.scenario.id;
        let fits = |part: &str| {
            !part.is_empty()
                && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_')
        };
        if !id.split('/').all(fits) {
            let why = "file and directory names are lower-case letters, digits and `-`";
            complaints.push(complaint::bad_id(Span { start: 0, end: 0 }, id, why));
        }
    }

    fn title(&self, complaints: &mut Vec<Complaint>) {
        let title = &self.scenario.title;
        let length = title.chars().count();
        if length > 100 {
            complaints.push(complaint::long_title(self.value("title"), length));
        }
        if title.ends_with('.') {
            let span = self.value("title");
            complaints.push(complaint::title_stop(Span { start: span.end.saturating_sub(1), end: span.end }));
        }
    }

    fn channels(&self, complaints: &mut Vec<Complaint>) {
        let scenario = self.scenario;
        if let Some((first, rest)) = scenario.mechanisms.split_first()
            && let Some(other) = rest.iter().find(|other| other.ability() != first.ability())
        {
            complaints.push(complaint::mixed_abilities(self.value("mechanisms"), first.name(), other.name()));
            return;
        }
        let Some(mechanism) = scenario.mechanisms.first() else { return };
        let names = process_names(scenario);
        let declared = self.tree.get("channels");
        for (name, channel) in &scenario.channels {
            let span = declared.and_then(|declared| declared.entry_span(name)).unwrap_or(self.key("channels"));
            let option = |option: &str| {
                declared
                    .and_then(|declared| declared.get(name))
                    .and_then(|channel| channel.entry_span(option))
                    .unwrap_or(span)
            };
            let own = self.candidates(Some(name)).first().copied().unwrap_or(*mechanism);
            if channel.is != own.ability() {
                complaints.push(complaint::wrong_ability(
                    span,
                    name,
                    channel.is.name(),
                    own.name(),
                    own.ability().name(),
                ));
                continue;
            }
            let lacking =
                |feature: Feature| self.candidates(Some(name)).iter().find(|mechanism| !mechanism.has(feature));
            for (key, given) in
                [("capacity", channel.capacity.is_some()), ("message_size", channel.message_size.is_some())]
            {
                if let (true, Some(mechanism)) = (given, lacking(Feature::Capacity)) {
                    let why = format!("the system alone decides about a {mechanism}");
                    complaints.push(complaint::wrong_option(option(key), key, &why));
                }
            }
            if channel.initial.is_some() && !matches!(channel.is, Ability::Counter | Ability::Wake) {
                let why = "it is for counters, barriers and futexes";
                complaints.push(complaint::wrong_option(option("initial"), "initial", why));
            }
            if let (true, Some(mechanism)) = (channel.shared_description, lacking(Feature::Descriptions)) {
                let why = format!("a {mechanism} has no open file description that processes could share");
                complaints.push(complaint::wrong_option(option("shared_description"), "shared_description", &why));
            }
            if channel.shared_description && !channel.exists {
                let why = "what all share from the beginning exists then";
                complaints.push(complaint::wrong_option(option("shared_description"), "shared_description", why));
            }
            let is_set = channel.is == Ability::Counter && lacking(Feature::Set).is_none();
            let has_words = channel.is == Ability::Wake && lacking(Feature::Word).is_none();
            if channel.size.is_some() && channel.is != Ability::Memory && !is_set && !has_words {
                complaints.push(complaint::wrong_option(option("size"), "size", "it is for memory"));
            }
            if !channel.exists && scenario.attach != Attach::ByName {
                complaints.push(complaint::wrong_option(
                    option("exists"),
                    "exists",
                    "without `attach: by_name` every channel exists",
                ));
            }
            if let Some(between) = &channel.between {
                if let Some(mechanism) = lacking(Feature::TwoWay) {
                    let why = format!("a {mechanism} goes one way");
                    complaints.push(complaint::wrong_option(option("between"), "between", &why));
                }
                for process in between {
                    if !names.contains(&process.as_str()) {
                        complaints.push(complaint::unknown_process(option("between"), process, &names));
                    }
                }
                if between[0] == between[1] {
                    complaints.push(complaint::wrong_option(option("between"), "between", "name two processes"));
                }
            }
            // A channel of signals only declares the mechanism.
            let used = channel.is == Ability::Signals
                || lines(scenario).iter().any(|line| match &line.action {
                    Action::Do { operation, channel } => [channel.as_deref(), operation.handle()].contains(&Some(name)),
                    _ => false,
                });
            if !used {
                complaints.push(complaint::unused_channel(span, name));
            }
        }
    }

    fn keys(&self, complaints: &mut Vec<Complaint>) {
        let scenario = self.scenario;
        let is_story = matches!(scenario.body, Body::Story(_));
        if let Some(runs) = &scenario.runs {
            if is_story {
                complaints.push(complaint::runs_in_story(self.key("runs")));
            }
            if runs.plain() == Some(0) {
                complaints.push(complaint::no_runs(self.value("runs")));
            }
        }
        if self.tree.get("orders").is_some() {
            let every = matches!(&scenario.body, Body::Processes { orders: Orders::Every, .. });
            if is_story || (every && scenario.runs.is_some()) {
                complaints.push(complaint::orders_misplaced(self.key("orders")));
            }
            let meets = |line: &&Line| matches!(&line.action, Action::Do { operation: Operation::Meet(_), .. });
            if let (true, Some(line)) = (every, lines(scenario).into_iter().find(meets)) {
                complaints.push(complaint::meet_in_orders(line.span));
            }
        }
        if !WITHIN_NS.contains(&scenario.within.ns()) {
            complaints.push(complaint::within_range(self.value("within")));
        }
        let attaches = |line: &&Line| {
            matches!(
                &line.action,
                Action::Do {
                    operation: Operation::Open(_) | Operation::Bind(_) | Operation::Connect(_) | Operation::Listen(_),
                    ..
                }
            )
        };
        if scenario.attach == Attach::ByName {
            if !lines(scenario).iter().any(attaches) {
                complaints.push(complaint::nobody_attaches(self.key("attach")));
            }
            let lacking: Vec<&str> = scenario
                .mechanisms
                .iter()
                .filter(|mechanism| !mechanism.has(Feature::Names))
                .map(|mechanism| mechanism.name())
                .collect();
            if !lacking.is_empty() {
                let span = self.key("attach");
                complaints.push(complaint::mechanism_lacks(span, "attach: by_name", &lacking.join(" and "), "a name"));
            }
        }
        let used: BTreeSet<String> =
            self.amounts_used().iter().flat_map(|(amount, _)| amount.names().map(str::to_owned)).collect();
        let vary = self.tree.get("vary");
        for name in scenario.vary.keys().filter(|name| !used.contains(*name)) {
            let span = vary.and_then(|vary| vary.entry_span(name)).unwrap_or(self.key("vary"));
            complaints.push(complaint::unused_parameter(span, name));
        }
    }

    /// Every amount that may name limits and parameters, and where it stands.
    fn amounts_used(&self) -> Vec<(Amount, Span)> {
        let scenario = self.scenario;
        let mut amounts: Vec<(Amount, Span)> = Vec::new();
        for (name, channel) in &scenario.channels {
            let span = self.tree.get("channels").and_then(|node| node.entry_span(name)).unwrap_or_default();
            for amount in
                [&channel.capacity, &channel.message_size, &channel.initial, &channel.size].into_iter().flatten()
            {
                amounts.push((amount.clone(), span));
            }
        }
        for line in lines(scenario) {
            amounts.extend(body::amounts_of(line).into_iter().map(|amount| (amount, line.span)));
        }
        if let Body::Processes { processes, .. } = &scenario.body {
            for process in processes {
                amounts.push((process.count.clone(), process.span));
                body::repeats(&process.steps, &mut |times, span| amounts.push((times.clone(), span)));
            }
        }
        if let Some(runs) = &scenario.runs {
            amounts.push((runs.clone(), self.value("runs")));
        }
        for claim in &scenario.claims {
            if let Claim::Never(named) | Claim::Seen(named) = &claim.claim {
                amounts.extend(named.values().filter_map(|result| match result {
                    NamedResult::Number(amount) => Some((amount.clone(), claim.span)),
                    NamedResult::Failed(_) | NamedResult::Done(_) => None,
                }));
            }
        }
        amounts
    }

    fn amounts(&self, complaints: &mut Vec<Complaint>) {
        let scenario = self.scenario;
        let limits = crate::limits::LIMITS.iter().map(|limit| limit.name);
        let known: Vec<&str> = scenario.vary.keys().map(String::as_str).chain(limits.clone()).collect();
        let mut check = |amount: &Amount, span: Span, known: &[&str]| {
            for name in amount.names().filter(|name| !known.contains(name)) {
                complaints.push(complaint::unknown_amount(span, name, known));
            }
        };
        for (amount, span) in self.amounts_used() {
            check(&amount, span, &known);
        }
        let limits: Vec<&str> = limits.collect();
        for (name, values) in &scenario.vary {
            let node = self.tree.get("vary").and_then(|vary| vary.get(name));
            for (index, value) in values.iter().enumerate() {
                let span = node.and_then(|node| node.items().get(index)).map_or(self.key("vary"), |node| node.span);
                check(value, span, &limits);
            }
        }
        if let Some(control) = &scenario.control {
            for value in control.change.values() {
                check(value, control.span, &limits);
            }
        }
    }

    /// What each step asks of its channel and of its mechanisms.
    fn steps(&self, complaints: &mut Vec<Complaint>) {
        let scenario = self.scenario;
        let names = process_names(scenario);
        for line in lines(scenario) {
            let Action::Do { operation, channel } = &line.action else { continue };
            let row = operation.row();
            let ability = channel
                .as_ref()
                .and_then(|name| scenario.channels.get(name))
                .map(|channel| channel.is)
                .or_else(|| scenario.mechanisms.first().map(|mechanism| mechanism.ability()));
            if let (Scope::Abilities(abilities), Some(ability)) = (row.scope, ability)
                && !abilities.contains(&ability)
            {
                let of: Vec<&str> = abilities.iter().map(|ability| ability.name()).collect();
                complaints.push(complaint::operation_of_another_ability(
                    line.span,
                    row.name,
                    ability.name(),
                    &of.join(" or a "),
                ));
                continue;
            }
            if let Some(handle) = operation.handle()
                && scenario.channels.get(handle).is_none_or(|channel| channel.is == Ability::Signals)
            {
                let known: Vec<&str> = scenario.channels.keys().map(String::as_str).collect();
                complaints.push(complaint::unknown_channel(line.span, handle, &known));
            }
            if ability == Some(Ability::Wake) && is_of_places(operation) {
                let what = format!("{} at an offset or of a text", row.name);
                complaints.push(complaint::operation_of_another_ability(line.span, &what, "wake", "memory"));
                continue;
            }
            if let Some(why) = body::wrong_access(operation, ability) {
                complaints.push(complaint::memory_access(line.span, &why));
            }
            for (what, feature) in body::features_of(operation, ability) {
                self.needs(&what, feature, channel.as_deref(), line.span, complaints);
            }
            let by_name = matches!(
                operation,
                Operation::Open(_)
                    | Operation::Bind(_)
                    | Operation::Listen(_)
                    | Operation::Connect(_)
                    | Operation::Accept(_)
            );
            if by_name && scenario.attach != Attach::ByName {
                complaints.push(complaint::needs_by_name(line.span, row.name));
            }
            let target = match operation {
                Operation::Kill(kill) => Some(&kill.process),
                Operation::Sigqueue(queue) => Some(&queue.process),
                Operation::Fork(fork) => Some(&fork.process),
                Operation::Waitpid(wait) => wait.process.as_ref(),
                Operation::PidfdOpen(of) | Operation::Setpgid(of) => of.process.as_ref(),
                Operation::PidfdSendSignal(send) => Some(&send.process),
                Operation::PidfdPoll(poll) => Some(&poll.process),
                Operation::SendCredentials(send) => send.process.as_ref(),
                _ => None,
            };
            if let Some(target) = target
                && !names.contains(&target.as_str())
                && !body::is_member(scenario, target)
            {
                complaints.push(complaint::unknown_process(line.span, target, &names));
            }
            if matches!(&line.expect, crate::scenario::Expect::Gives(crate::scenario::Expected::End)) {
                self.needs_end(channel.as_deref(), line.expect_span, complaints);
            }
        }
    }

    /// What a channel may be made of: its own mechanism, or any that the scenario lists.
    fn candidates(&self, channel: Option<&str>) -> &[Mechanism] {
        let made_of =
            channel.and_then(|name| self.scenario.channels.get(name)).and_then(|channel| channel.made_of.as_ref());
        made_of.map_or(&self.scenario.mechanisms, std::slice::from_ref)
    }

    fn lacking(&self, feature: Feature, channel: Option<&str>) -> Vec<&'static str> {
        self.candidates(channel)
            .iter()
            .filter(|mechanism| !mechanism.has(feature))
            .map(|mechanism: &Mechanism| mechanism.name())
            .collect()
    }

    fn needs(&self, what: &str, feature: Feature, channel: Option<&str>, span: Span, complaints: &mut Vec<Complaint>) {
        let lacking = self.lacking(feature, channel);
        if !lacking.is_empty() {
            let feature = serde_json::to_value(feature).ok().and_then(|name| name.as_str().map(str::to_owned));
            let feature = format!("the feature `{}`", feature.unwrap_or_default());
            complaints.push(complaint::mechanism_lacks(span, what, &lacking.join(" and "), &feature));
        }
    }

    fn needs_end(&self, channel: Option<&str>, span: Span, complaints: &mut Vec<Complaint>) {
        let lacking = self.lacking(Feature::End, channel);
        if !lacking.is_empty() {
            complaints.push(complaint::no_end(span, &lacking.join(" and ")));
        }
    }

    /// A channel carries texts or stamps.
    fn payloads(&self, complaints: &mut Vec<Complaint>) {
        let mut kinds: BTreeMap<&str, bool> = BTreeMap::new();
        for line in lines(self.scenario) {
            let Action::Do { operation, channel: Some(channel) } = &line.action else { continue };
            let (text, size, what) = match operation {
                Operation::Write(write) => (write.text.is_some(), write.size.is_some(), "write"),
                Operation::Send(send) => (send.text.is_some(), send.size.is_some(), "send"),
                Operation::Fill(_) => (false, true, "fill"),
                _ => continue,
            };
            if text == size {
                complaints.push(complaint::payload(line.span, what));
                continue;
            }
            if *kinds.entry(channel).or_insert(size) != size {
                complaints.push(complaint::mixed_payloads(line.span, channel));
            }
        }
    }

    fn claims(&self, complaints: &mut Vec<Complaint>) {
        let scenario = self.scenario;
        let names = process_names(scenario);
        let lines = lines(scenario);
        let sections: Vec<&str> = lines
            .iter()
            .filter_map(|line| match &line.action {
                Action::Do { operation: Operation::Enter(section), .. } => Some(section.section.as_str()),
                _ => None,
            })
            .collect();
        let results: Vec<&str> = lines.iter().filter_map(|line| line.record.as_deref()).collect();
        let mut seen: Vec<&Claim<Amount>> = Vec::new();
        for graded in &scenario.claims {
            let (claim, span) = (&graded.claim, graded.span);
            if seen.contains(&claim) {
                complaints.push(complaint::claim_twice(span, claim.name()));
            }
            seen.push(claim);
            match claim {
                Claim::Complete(on)
                | Claim::ExactlyOnce(on)
                | Claim::InOrder(on)
                | Claim::Whole(on)
                | Claim::ByPriority(on) => {
                    let is = scenario.channels.get(&on.channel).map(|channel| channel.is);
                    if !matches!(is, Some(Ability::Stream | Ability::Queue)) {
                        complaints.push(complaint::claim_misplaced(
                            span,
                            claim.name(),
                            "it is about what goes through a stream or a queue",
                        ));
                    }
                    if matches!(claim, Claim::ByPriority(_)) {
                        self.needs("by_priority", Feature::Priority, Some(&on.channel), span, complaints);
                    }
                }
                Claim::Excludes(section) if !sections.contains(&section.as_str()) => {
                    complaints.push(complaint::unknown_section(span, section, &sections));
                }
                Claim::Ends(endings) => {
                    for process in endings.keys() {
                        if !names.contains(&process.as_str()) && !body::is_member(scenario, process) {
                            complaints.push(complaint::unknown_process(span, process, &names));
                        }
                    }
                }
                Claim::Never(named) | Claim::Seen(named) => {
                    for result in named.keys().filter(|result| !results.contains(&result.as_str())) {
                        complaints.push(complaint::unknown_result(span, result, &results));
                    }
                }
                _ => {}
            }
        }
    }

    fn control(&self, complaints: &mut Vec<Complaint>) {
        let scenario = self.scenario;
        let is_story = matches!(scenario.body, Body::Story(_));
        if let Some(control) = &scenario.control {
            let node = self.tree.get("control");
            let place = |key: &str| node.and_then(|node| node.entry_span(key)).unwrap_or(control.span);
            if is_story {
                complaints.push(complaint::control_in_story(self.key("control")));
            }
            let parameters: Vec<&str> = scenario.vary.keys().map(String::as_str).collect();
            for name in control.change.keys().filter(|name| !scenario.vary.contains_key(*name)) {
                complaints.push(complaint::control_changes(place("change"), name, &parameters));
            }
            let claims: Vec<&str> = scenario.claims.iter().map(|claim| claim.claim.name()).collect();
            if !claims.contains(&control.breaks.as_str()) {
                complaints.push(complaint::control_breaks(place("breaks"), &control.breaks, &claims));
            }
        } else if scenario.runs.is_some()
            && !is_story
            && !scenario.claims.iter().any(|claim| matches!(claim.claim, Claim::Seen(_)))
        {
            complaints.push(complaint::race_without_control(self.key("runs")));
        }
        if !is_story && scenario.claims.is_empty() {
            complaints.push(complaint::nothing_owed(self.key("processes")));
        }
    }

    fn elsewhere(&self, complaints: &mut Vec<Complaint>) {
        let nodes = self.tree.get("elsewhere").map(Node::items).unwrap_or_default();
        for (note, node) in self.scenario.elsewhere.iter().zip(nodes) {
            if note.skip == note.expect.is_some() {
                complaints.push(complaint::elsewhere_verdict(node.span));
            }
            if !PLATFORMS.contains(&note.r#where.as_str()) {
                let span = node.entry_span("where").unwrap_or(node.span);
                complaints.push(complaint::unknown_platform(span, &note.r#where, PLATFORMS));
            }
        }
    }
}
