//! A team: the processes of one run, from `open` to `close`.

use super::{deadline::Deadline, renewal};
use crate::{
    connection::Connection,
    fault::Fault,
    host::{self, Looker},
    lane::{self, Grounds, Lane, wait},
};
use harness_core::{
    Plan,
    stamp::Decoder,
    wire::{
        Close, Exited, FromAgent, Harvest, Hello, Hold, Journal, Open, OpenChannel, OpenProcess, Peers, ProcessEnding,
        ProcessHello, RefusalClass, Refused, ToAgent,
    },
};
use spec::Mechanism;
use std::collections::BTreeMap;

/// One process of a team.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) name: String,
    /// Whether another process of the team forked it.
    pub(super) is_forked: bool,
    pub(super) connection: Connection,
    /// Its id as its peers know it.
    pub(super) inner_pid: i32,
    /// Its id as this process knows it.
    pub(super) pid: i32,
    pub(super) control_fd: Option<i32>,
    pub(super) looker: Looker,
    pub(super) ending: Option<ProcessEnding>,
    /// One decoder a channel, for agents that send raw bytes.
    pub(super) decoders: Vec<Decoder>,
}

impl Member {
    fn new(plan: &Plan, hello: ProcessHello, mut connection: Connection) -> Self {
        connection.who.clone_from(&hello.process);
        let planned = plan.process(&hello.process).and_then(|index| plan.processes.get(index));
        Self {
            is_forked: planned.is_some_and(|process| process.forked_by.is_some()),
            name: hello.process,
            inner_pid: hello.pid,
            pid: connection.pid,
            control_fd: hello.control_fd,
            looker: Looker::new(connection.pid),
            ending: None,
            decoders: plan.channels.iter().map(|_| Decoder::new()).collect(),
            connection,
        }
    }

    /// What it receives from now on is of another run.
    pub(super) fn begin_run(&mut self) {
        self.decoders.fill_with(Decoder::new);
    }

    /// Whether it has closed its connection and the root, which did not start it, will not tell how it ends.
    fn ends_unseen(&self) -> bool {
        self.is_forked && self.connection.is_over() && self.ending.is_none()
    }

    /// Whether it has ended and said all it had to say.
    pub(super) fn is_over(&self) -> bool {
        self.ending.is_some() && self.connection.is_over()
    }
}

/// The processes of one run.
#[derive(Debug)]
pub(super) struct Team {
    pub(super) run: u64,
    pub(super) members: Vec<Member>,
    /// The journals that have come, while the root is asked for them; and whether those were all.
    harvest: Option<(Vec<Journal>, bool)>,
}

/// What has come, for an engine to make sense of.
#[derive(Debug)]
pub(super) enum Arrival {
    /// A process said something.
    Said(usize, FromAgent),
    /// A process ended; all it said was delivered before.
    Ended(usize, ProcessEnding),
}

/// What became of `open`.
#[derive(Debug)]
pub(super) enum Opening {
    Opened(Team),
    Refused(Refused),
}

impl Team {
    /// Has the root open the channels and start the processes, and waits for all of them.
    pub(super) fn open(
        grounds: &Grounds,
        lane: &mut Lane,
        plan: &Plan,
        copies: u32,
        processors: &[usize],
    ) -> Result<Opening, Fault> {
        lane.run += 1;
        let run = lane.run;
        let patience = grounds.patience_ns();
        note_queues(grounds, lane, plan, copies);
        lane.root.send(&ToAgent::Open(opening(lane, plan, run, copies, processors)), patience)?;
        let mut waiting: Vec<Connection> = Vec::new();
        let mut greeted: Vec<Option<(ProcessHello, Connection)>> = plan.processes.iter().map(|_| None).collect();
        let mut opened = false;
        let mut early: Vec<Exited> = Vec::new();
        let mut deadline = Deadline::of_an_answer(grounds);
        let ids_matter = !renewal::stays_in_channels(plan);
        // Those that are forked later stand last in the plan.
        let first = plan.processes.iter().filter(|process| process.forked_by.is_none()).count();
        while !opened || greeted[..first].iter().any(Option::is_none) {
            let mut descriptors = vec![std::os::fd::AsFd::as_fd(&lane.listener), lane.root.descriptor()];
            descriptors.extend(waiting.iter().map(Connection::descriptor));
            wait(&descriptors, 20_000_000);
            // Once all are there, nobody else is waited for.
            while waiting.len() + greeted.iter().flatten().count() < first
                && let Some(connection) = Connection::accept(&lane.listener, "a process that has not said its name")?
            {
                waiting.push(connection);
            }
            lane.root.fetch()?;
            while let Some(message) = lane.root.next()? {
                match message {
                    FromAgent::Opened(said) if said.run == run && !opened => opened = true,
                    FromAgent::Refused(refused) if refused.run == run && !opened => {
                        return Ok(Opening::Refused(refused));
                    }
                    FromAgent::Exited(exited) if exited.run == run => early.push(exited),
                    FromAgent::Problem(problem) => {
                        return Err(Fault::Problem { who: lane.root.who.clone(), message: problem.message });
                    }
                    other => return Err(out_of_turn(&lane.root.who, &other, "it was told to open")),
                }
            }
            if lane.root.is_over() {
                return Err(lane::root_gone(lane));
            }
            let mut still = Vec::new();
            for mut connection in waiting {
                connection.fetch()?;
                match connection.next()? {
                    Some(FromAgent::Hello(Hello::Process(hello))) => {
                        greet(plan, run, hello, connection, ids_matter, &mut greeted)?;
                    }
                    Some(other) => return Err(out_of_turn(&connection.who, &other, "its first line has to be hello")),
                    None if connection.is_over() => {
                        return Err(Fault::agent(&connection.who, "closed its connection without a hello"));
                    }
                    None => still.push(connection),
                }
            }
            waiting = still;
            if let Some(exited) = early.first() {
                let ending = describe(&exited.ending);
                return Err(Fault::agent(
                    &exited.process,
                    format!("ended ({ending}) before it was told to do anything"),
                ));
            }
            if deadline.is_over_for(lane.root.pid)? {
                let missing = plan.processes.iter().zip(&greeted[..first]).find(|(_, greeted)| greeted.is_none());
                let (who, what) = match missing {
                    Some((process, _)) => (process.name.clone(), "say hello"),
                    None => (lane.root.who.clone(), "say that all is open"),
                };
                return Err(deadline.silence(who, what));
            }
        }
        let members =
            greeted.into_iter().flatten().map(|(hello, connection)| Member::new(plan, hello, connection)).collect();
        let mut team = Self { run, members, harvest: None };
        team.introduce()?;
        Ok(Opening::Opened(team))
    }

    /// Opens with so many copies of each channel, or with fewer where the host's limits do not allow so many at once. Says how many
    /// there are.
    pub(super) fn open_copies(
        grounds: &Grounds,
        lane: &mut Lane,
        plan: &Plan,
        wanted: u32,
        processors: &[usize],
    ) -> Result<(Opening, u32), Fault> {
        let mut copies = wanted;
        loop {
            match Self::open(grounds, lane, plan, copies, processors)? {
                Opening::Refused(Refused { class: RefusalClass::Privilege, .. }) if copies > 1 => copies /= 2,
                opening => return Ok((opening, copies)),
            }
        }
    }

    /// Takes in the process that was just forked, and tells all of it.
    pub(super) fn adopt(
        &mut self,
        grounds: &Grounds,
        lane: &mut Lane,
        plan: &Plan,
        process: &str,
    ) -> Result<(), Fault> {
        let mut deadline = Deadline::of_an_answer(grounds);
        let mut waiting: Option<Connection> = None;
        loop {
            match &waiting {
                None => wait(&[std::os::fd::AsFd::as_fd(&lane.listener)], 20_000_000),
                Some(connection) => wait(&[connection.descriptor()], 20_000_000),
            };
            if waiting.is_none() {
                waiting = Connection::accept(&lane.listener, process)?;
            }
            if let Some(connection) = &mut waiting {
                connection.fetch()?;
                match connection.next()? {
                    Some(FromAgent::Hello(Hello::Process(hello))) if hello.process == process => {
                        let mut greeted: Vec<_> = plan.processes.iter().map(|_| None).collect();
                        let Some(connection) = waiting.take() else { continue };
                        greet(plan, self.run, hello, connection, true, &mut greeted)?;
                        let new = greeted.into_iter().flatten();
                        self.members.extend(new.map(|(hello, connection)| Member::new(plan, hello, connection)));
                        return self.introduce();
                    }
                    Some(other) => return Err(out_of_turn(process, &other, "it was just forked and has to say hello")),
                    None if connection.is_over() => {
                        return Err(Fault::agent(process, "closed its connection without a hello"));
                    }
                    None => {}
                }
            }
            if deadline.is_over_for(lane.root.pid)? {
                return Err(deadline.silence(process, "say hello after it was forked"));
            }
        }
    }

    /// Tells every process who the others are, with what it is told next.
    fn introduce(&mut self) -> Result<(), Fault> {
        let pids: BTreeMap<String, i32> =
            self.members.iter().map(|member| (member.name.clone(), member.inner_pid)).collect();
        for member in self.members.iter_mut().filter(|member| !member.connection.is_over()) {
            member.connection.put_off(&ToAgent::Peers(Peers { pids: pids.clone() }))?;
        }
        Ok(())
    }

    /// Waits for something to come, at most so long, and returns all that has.
    pub(super) fn arrivals(&mut self, lane: &mut Lane, timeout_ns: u64) -> Result<Vec<Arrival>, Fault> {
        let open: Vec<usize> =
            (0..self.members.len()).filter(|member| !self.members[*member].connection.is_over()).collect();
        let mut descriptors = vec![lane.root.descriptor()];
        descriptors.extend(open.iter().map(|member| self.members[*member].connection.descriptor()));
        let readable = wait(&descriptors, timeout_ns);
        // No descriptor tells of the end of a process that another one forked.
        if !readable.contains(&true) && !self.members.iter().any(Member::ends_unseen) {
            return Ok(Vec::new());
        }
        let said: Vec<usize> =
            open.into_iter().zip(&readable[1..]).filter(|(_, said)| **said).map(|(open, _)| open).collect();
        self.take(lane, readable[0], &said)
    }

    /// Returns all that has come, without waiting.
    pub(super) fn drain(&mut self, lane: &mut Lane) -> Result<Vec<Arrival>, Fault> {
        let all: Vec<usize> = (0..self.members.len()).collect();
        self.take(lane, true, &all)
    }

    /// Takes what has come from the root, where it said something, and from these members.
    fn take(&mut self, lane: &mut Lane, root_said: bool, said: &[usize]) -> Result<Vec<Arrival>, Fault> {
        let mut arrivals = Vec::new();
        let before: Vec<bool> = self.members.iter().map(Member::is_over).collect();
        if root_said {
            lane.root.fetch()?;
        }
        while let Some(message) = lane.root.next()? {
            match message {
                FromAgent::Exited(exited) if exited.run == self.run => self.note_exit(exited)?,
                FromAgent::Journal(journal) if journal.run == self.run && self.harvest.is_some() => {
                    if let Some((journals, _)) = &mut self.harvest {
                        journals.push(journal);
                    }
                }
                FromAgent::Harvested(harvested) if harvested.run == self.run && self.harvest.is_some() => {
                    if let Some((_, whole)) = &mut self.harvest {
                        *whole = true;
                    }
                }
                FromAgent::Problem(problem) => {
                    return Err(Fault::Problem { who: lane.root.who.clone(), message: problem.message });
                }
                other => return Err(out_of_turn(&lane.root.who, &other, "processes run")),
            }
        }
        if lane.root.is_over() {
            return Err(lane::root_gone(lane));
        }
        for (index, member) in self.members.iter_mut().enumerate() {
            if said.contains(&index) {
                member.connection.fetch()?;
            }
            while let Some(message) = member.connection.next()? {
                if let FromAgent::Problem(problem) = message {
                    return Err(Fault::Problem { who: member.name.clone(), message: problem.message });
                }
                arrivals.push(Arrival::Said(index, message));
            }
            // A process that ends closes its descriptors first, and its parent is told later.
            if member.ends_unseen() && member.looker.has_ended() {
                member.ending = Some(ProcessEnding::Unseen);
            }
            if let (false, true, Some(ending)) = (before[index], member.is_over(), &member.ending) {
                arrivals.push(Arrival::Ended(index, ending.clone()));
            }
        }
        Ok(arrivals)
    }

    fn note_exit(&mut self, exited: Exited) -> Result<(), Fault> {
        let Some(member) = self.members.iter_mut().find(|member| member.name == exited.process) else {
            return Err(Fault::agent(
                "the agent's root",
                format!("says that `{}` ended: there is no such process", exited.process),
            ));
        };
        if member.ending.is_some() {
            return Err(Fault::agent("the agent's root", format!("says twice that `{}` ended", exited.process)));
        }
        member.ending = Some(exited.ending);
        Ok(())
    }

    /// Has the root send the shared journals of all processes as they are now. What else comes meanwhile is handed over.
    pub(super) fn harvest(
        &mut self,
        lane: &mut Lane,
        grounds: &Grounds,
        hear: &mut dyn FnMut(Arrival, &Self) -> Result<(), Fault>,
    ) -> Result<Vec<Journal>, Fault> {
        let patience = grounds.patience_ns();
        let mut deadline = Deadline::of_an_answer(grounds);
        self.harvest = Some((Vec::new(), false));
        lane.root.send(&ToAgent::Harvest(Harvest { run: self.run }), patience)?;
        loop {
            wait(&[lane.root.descriptor()], 20_000_000);
            for arrival in self.drain(lane)? {
                hear(arrival, self)?;
            }
            if let Some((journals, _)) = self.harvest.take_if(|(_, whole)| *whole) {
                return Ok(journals);
            }
            if deadline.is_over_for(lane.root.pid)? {
                return Err(deadline.silence(&lane.root.who, "send the journals"));
            }
        }
    }

    /// Has the root end what is left and remove everything.
    ///
    /// # Errors
    /// Also where something was left over all the same.
    pub(super) fn close(self, grounds: &Grounds, lane: &mut Lane) -> Result<(), Fault> {
        let patience = grounds.patience_ns();
        lane.root.send(&ToAgent::Close(Close { run: self.run }), patience)?;
        let mut deadline = Deadline::of_an_answer(grounds);
        loop {
            wait(&[lane.root.descriptor()], 20_000_000);
            lane.root.fetch()?;
            while let Some(message) = lane.root.next()? {
                match message {
                    FromAgent::Exited(exited) if exited.run == self.run => {}
                    FromAgent::Closed(closed) if closed.run == self.run => {
                        let mut leaked = closed.leaked;
                        leaked.extend(lane.ground.collect());
                        return if leaked.is_empty() { Ok(()) } else { Err(Fault::Leaked(leaked)) };
                    }
                    FromAgent::Problem(problem) => {
                        return Err(Fault::Problem { who: lane.root.who.clone(), message: problem.message });
                    }
                    other => return Err(out_of_turn(&lane.root.who, &other, "it was told to close")),
                }
            }
            if lane.root.is_over() {
                return Err(lane::root_gone(lane));
            }
            if deadline.is_over_for(lane.root.pid)? {
                return Err(deadline.silence(&lane.root.who, "say that all is closed"));
            }
        }
    }
}

/// Remembers the queues' names where nothing else will tell of them, and has the warden remember them, too: as
/// [`harness_core::wire::Open::prefix`] says, they are made of the prefix, the channel and the copy.
fn note_queues(grounds: &Grounds, lane: &mut Lane, plan: &Plan, copies: u32) {
    if !lane.ground.hides_queues {
        return;
    }
    let prefix = lane.prefix.clone();
    let names: Vec<String> = plan
        .channels
        .iter()
        .filter(|channel| channel.mechanism == Mechanism::PosixMq)
        .flat_map(|channel| (0..copies).map(|copy| format!("/{prefix}{}-{copy}", channel.name)))
        .collect();
    if let Some(warden) = grounds.warden.as_ref().filter(|_| !names.is_empty()) {
        warden.expect_queues(&names);
    }
    lane.ground.expect_queues(names.into_iter());
}

fn opening(lane: &Lane, plan: &Plan, run: u64, copies: u32, processors: &[usize]) -> Open {
    Open {
        run,
        mechanism: plan.mechanism,
        attach: plan.attach,
        directory: lane.files.to_string_lossy().into_owned(),
        prefix: lane.prefix.clone(),
        channels: plan
            .channels
            .iter()
            .map(|channel| OpenChannel {
                name: channel.name.clone(),
                options: channel.options.clone(),
                stamped: channel.stamped,
            })
            .collect(),
        processes: plan
            .processes
            .iter()
            .map(|process| OpenProcess {
                name: process.name.clone(),
                number: process.number,
                forked: process.forked_by.is_some(),
                holds: process
                    .holds
                    .iter()
                    .map(|(channel, end)| Hold { channel: plan.channels[*channel].name.clone(), end: *end })
                    .collect(),
            })
            .collect(),
        copies,
        processors: processors.iter().filter_map(|processor| u32::try_from(*processor).ok()).collect(),
    }
}

/// Takes note of a process that says who it is. Whether it has the process id that it says is looked at where anybody could notice.
fn greet(
    plan: &Plan,
    run: u64,
    hello: ProcessHello,
    connection: Connection,
    ids_matter: bool,
    greeted: &mut [Option<(ProcessHello, Connection)>],
) -> Result<(), Fault> {
    let Some(index) = plan.process(&hello.process) else {
        return Err(Fault::agent(&hello.process, "said hello, but the plan has no such process"));
    };
    if hello.run != run {
        return Err(Fault::agent(&hello.process, format!("said hello for run {}, but this is run {run}", hello.run)));
    }
    if greeted[index].is_some() {
        return Err(Fault::agent(&hello.process, "said hello twice"));
    }
    // Its peers send signals to this id: a wrong one would strike somebody else.
    let is_another = || host::id_within(connection.pid).is_some_and(|real| real != hello.pid);
    if hello.pid <= 1 || (ids_matter && is_another()) {
        return Err(Fault::agent(&hello.process, format!("said that its process id is {}, and it is not", hello.pid)));
    }
    greeted[index] = Some((hello, connection));
    Ok(())
}

/// A message that has no place here.
pub(super) fn out_of_turn(who: &str, message: &FromAgent, place: &str) -> Fault {
    let mut text = serde_json::to_string(message).unwrap_or_default();
    if text.len() > 160 {
        let end = (0..=160).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
    Fault::agent(who, format!("spoke out of turn ({place}): {text}"))
}

/// An ending, for messages.
pub(super) fn describe(ending: &ProcessEnding) -> String {
    match ending {
        ProcessEnding::Status(status) => format!("status {status}"),
        ProcessEnding::Signal(signal) => signal.to_string(),
        ProcessEnding::Unseen => "ended".to_owned(),
    }
}
