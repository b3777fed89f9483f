//! Reports made by hand, one for each verdict, for the tests of this package.

use crate::run::{Header, RunRecord, VERSION};
use harness_core::{
    Event, Finding, History, InstanceReport, Judgement, Verdict,
    finding::{Anomaly, OutcomeCount, Skip, SkipClass},
    history::Waiting,
    plan::Parameter,
    wire::{Data, Outcome, Piece, ProcessEnding, Received, RootHello, Run},
};
use spec::{
    Scenario, load,
    scenario::{Grade, Source, Span},
};
use std::collections::BTreeMap;

/// The file of the story.
pub(crate) const STORY: &str = "\
title: A reader sees the end of a stream once every writer has closed it
because: Filters stop when they see the end.
cites:
  - POSIX.1-2024 read()
mechanisms: [pipe]
channels:
  line: stream
story:
  - writer: { write: last words }
  - reader: { read: 64, gives: last words }
  - reader: { read: 64, blocks: waiting }
  - writer: { close: line }
  - reader: { resumes: waiting, gives: end }
";

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn judgement(verdict: Verdict, findings: Vec<Finding>, events: Vec<Event>) -> Judgement {
    Judgement {
        verdict,
        findings,
        recorded: BTreeMap::new(),
        outcomes: Vec::new(),
        runs: 1,
        overlapped: 0,
        evidence: Some(History { run: 0, events }),
        race: None,
        story: None,
    }
}

fn finding(claim: &str, verdict: Verdict) -> Finding {
    Finding {
        claim: claim.to_owned(),
        grade: Grade::Must,
        verdict,
        span: None,
        expected: String::new(),
        got: String::new(),
        anomaly: None,
        events: Vec::new(),
        notes: Vec::new(),
    }
}

fn report(id: &str, processes: &[&str], steps: Vec<Vec<String>>, judgement: Judgement) -> InstanceReport {
    let parts = crate::instance_id::parts(id);
    InstanceReport {
        id: id.to_owned(),
        scenario: parts.scenario.to_owned(),
        title: "A reader sees the end of a stream once every writer has closed it".to_owned(),
        cites: texts(&["POSIX.1-2024 read()"]),
        mechanism: parts.mechanism.to_owned(),
        parameters: BTreeMap::new(),
        processes: texts(processes),
        steps,
        path: format!("spec/scenarios/{}.yaml", parts.scenario),
        verdict: judgement.verdict,
        skip: None,
        judgement: Some(judgement),
        duration_ns: 1_234_567,
        repeat: format!("cargo xtask conform '{id}'"),
    }
}

fn began(process: usize, step: usize, at: u64) -> Event {
    Event::Began { process, step, at }
}

fn returned(process: usize, step: usize, began: u64, ended: u64, outcome: Outcome) -> Event {
    Event::Returned { process, step, began, ended, outcome }
}

fn text(text: &str) -> Outcome {
    let piece = Piece {
        length: text.len() as u64,
        data: Data::Text(text.to_owned()),
        priority: None,
        r#type: None,
        truncated: false,
    };
    Outcome::Received(Received { pieces: vec![piece], ended: false, failed: None })
}

fn stamped(runs: &[(u8, u32, u32, u32)]) -> Outcome {
    let runs: Vec<Run> =
        runs.iter().map(|&(from, message, offset, length)| Run { from, message, offset, length }).collect();
    let length = runs.iter().map(|run| u64::from(run.length)).sum();
    let piece = Piece { length, data: Data::Runs(runs), priority: None, r#type: None, truncated: false };
    Outcome::Received(Received { pieces: vec![piece], ended: false, failed: None })
}

/// A story in which the last line gets something else than the end.
pub(crate) fn broken_story() -> InstanceReport {
    let line = STORY.rfind("gives: end").unwrap();
    let broken = Finding {
        span: Some(Span { start: line, end: line + "gives: end".len() }),
        expected: "the end of the stream".to_owned(),
        got: "\"more\"".to_owned(),
        anomaly: Some(Anomaly::WrongValue),
        events: vec![11],
        notes: vec!["the writer had closed the stream".to_owned()],
        ..finding("step", Verdict::Broken)
    };
    let events = vec![
        Event::Line { line: 0, at: 1 },
        began(0, 0, 2),
        returned(0, 0, 2, 3, Outcome::Count(10)),
        Event::Line { line: 1, at: 4 },
        began(1, 1, 5),
        returned(1, 1, 5, 6, text("last words")),
        Event::Line { line: 2, at: 7 },
        began(1, 2, 8),
        Event::Blocked { process: 1, step: 2, at: 9, call: "read".to_owned() },
        began(0, 3, 10),
        returned(0, 3, 10, 11, Outcome::Done),
        returned(1, 2, 8, 12, text("more")),
        Event::Ended { process: 0, at: 13, ending: ProcessEnding::Status(0) },
    ];
    let steps = vec![texts(&["write \"last words\"", "read 64", "read 64", "close", "read 64"])];
    report(
        "lifetime/end-of-stream[pipe]",
        &["writer", "reader"],
        steps,
        judgement(Verdict::Broken, vec![broken], events),
    )
}

/// A race in which one message was torn by another.
pub(crate) fn broken_race() -> InstanceReport {
    let broken = Finding {
        expected: "every message in one piece".to_owned(),
        got: "message 0 of writer.1 in two pieces, with message 0 of writer.2 between".to_owned(),
        anomaly: Some(Anomaly::Torn),
        events: vec![2, 4],
        ..finding("whole", Verdict::Broken)
    };
    let events = vec![
        began(0, 0, 1_000),
        began(1, 0, 1_200),
        returned(1, 0, 1_200, 3_000, Outcome::Count(4097)),
        began(2, 0, 900),
        returned(2, 0, 900, 5_000, stamped(&[(1, 0, 0, 4096), (2, 0, 0, 4097), (1, 0, 4096, 1)])),
        returned(0, 0, 1_000, 4_000, Outcome::Count(4097)),
    ];
    let steps = vec![texts(&["write 4097"]), texts(&["write 4097"]), texts(&["read 65536 until=end"])];
    let mut judgement = judgement(Verdict::Broken, vec![broken, finding("complete", Verdict::Held)], events);
    judgement.runs = 500;
    judgement.overlapped = 480;
    judgement.outcomes = vec![
        OutcomeCount { outcome: "writer.1#0 writer.2#0".to_owned(), count: 300, overlapped: 290, example: None },
        OutcomeCount { outcome: "writer.2#0 writer.1#0".to_owned(), count: 200, overlapped: 200, example: None },
    ];
    let mut report = report("boundaries/whole[pipe,size=4097]", &["writer.1", "writer.2", "reader"], steps, judgement);
    report.title = "A write of up to PIPE_BUF bytes is never torn by another".to_owned();
    report.cites = texts(&["POSIX.1-2024 write(), PIPE_BUF", "Linux pipe(7)"]);
    report.parameters.insert("size".to_owned(), Parameter { text: "4097".to_owned(), value: 4097 });
    report
}

/// Three lanes, and arrows across the one in the middle.
pub(crate) fn crossing() -> InstanceReport {
    let events = vec![
        began(1, 0, 1),
        began(0, 0, 2),
        returned(0, 0, 2, 3, Outcome::Count(8)),
        began(2, 0, 4),
        returned(2, 0, 4, 5, stamped(&[(1, 0, 0, 8)])),
        began(2, 1, 6),
        returned(2, 1, 6, 7, Outcome::Count(8)),
        began(0, 1, 8),
        returned(0, 1, 8, 9, stamped(&[(3, 0, 0, 8)])),
        Event::Ended { process: 1, at: 10, ending: ProcessEnding::Signal("SIGKILL".parse().unwrap()) },
    ];
    let steps = vec![
        texts(&["write(there) 8", "read(back) 8"]),
        texts(&["read(other) 8"]),
        texts(&["read(there) 8", "write(back) 8"]),
    ];
    let found = Finding { events: vec![9], ..finding("ends", Verdict::Broken) };
    report(
        "lifetime/crossing[pipe]",
        &["left", "middle", "right"],
        steps,
        judgement(Verdict::Broken, vec![found], events),
    )
}

/// Two processes that wait for each other.
pub(crate) fn deadlock() -> InstanceReport {
    let waiting = vec![
        Waiting { process: 0, step: 0, call: "read".to_owned() },
        Waiting { process: 1, step: 0, call: "read".to_owned() },
    ];
    let events = vec![began(0, 0, 1), began(1, 0, 2), Event::Stuck { at: 3, waiting }];
    let found = Finding {
        expected: "all processes finish".to_owned(),
        got: "left waits in read, right waits in read".to_owned(),
        anomaly: Some(Anomaly::Deadlock),
        events: vec![2],
        ..finding("deadlock", Verdict::Broken)
    };
    let steps = vec![texts(&["read(a) 1"]), texts(&["read(b) 1"])];
    report("blocking/deadlock[pipe]", &["left", "right"], steps, judgement(Verdict::Broken, vec![found], events))
}

/// A hundred messages, two of which were swapped.
pub(crate) fn long_race() -> InstanceReport {
    let mut events = Vec::new();
    for step in 0..100usize {
        let at = step as u64 * 100;
        events.push(began(0, step, at));
        events.push(returned(0, step, at, at + 10, Outcome::Count(8)));
        let message = match step {
            70 => 71,
            71 => 70,
            step => u32::try_from(step).unwrap(),
        };
        events.push(began(1, step, at + 5));
        events.push(returned(1, step, at + 5, at + 20, stamped(&[(1, message, 0, 8)])));
    }
    let found = Finding {
        expected: "message 70 of sender before its message 71".to_owned(),
        got: "message 71 first".to_owned(),
        anomaly: Some(Anomaly::Reordered),
        events: vec![70 * 4 + 3, 71 * 4 + 3],
        ..finding("in_order", Verdict::Broken)
    };
    let steps = vec![vec!["send 8".to_owned(); 100], vec!["receive 8".to_owned(); 100]];
    report("ordering/fifo[posix_mq]", &["sender", "receiver"], steps, judgement(Verdict::Broken, vec![found], events))
}

fn held() -> InstanceReport {
    let mut judgement = judgement(Verdict::Held, vec![finding("step", Verdict::Held)], Vec::new());
    judgement.recorded.insert("capacity".to_owned(), "65536".to_owned());
    judgement.findings.push(Finding {
        grade: Grade::May,
        expected: "one of two readers gets all".to_owned(),
        ..finding("seen", Verdict::Held)
    });
    judgement.findings.push(Finding {
        grade: Grade::Should,
        expected: "the first waiter is woken first".to_owned(),
        got: "the second was".to_owned(),
        ..finding("in_order", Verdict::Broken)
    });
    report("capacity/fill[pipe]", &["writer"], vec![texts(&["fill 1"])], judgement)
}

fn vacuous() -> InstanceReport {
    let control = Finding {
        expected: "size=PIPE_BUF+1 breaks `whole`".to_owned(),
        got: "it held in 500 runs: the writers never collided".to_owned(),
        notes: texts(&["run it on an idle machine, or with more --runs"]),
        ..finding("control", Verdict::Vacuous)
    };
    report("races/writers[fifo]", &["writer", "reader"], Vec::new(), judgement(Verdict::Vacuous, vec![control], vec![]))
}

fn faulty() -> InstanceReport {
    let protocol = Finding {
        expected: "an agent that keeps to the protocol".to_owned(),
        got: "the agent's root ended; it said: panicked".to_owned(),
        ..finding("protocol", Verdict::Faulty)
    };
    report("crash/killed[tcp]", &["a"], Vec::new(), judgement(Verdict::Faulty, vec![protocol], vec![]))
}

fn skipped(id: &str, class: SkipClass, reason: &str) -> InstanceReport {
    let mut report = report(id, &[], Vec::new(), judgement(Verdict::Skipped, Vec::new(), Vec::new()));
    report.judgement = None;
    report.skip = Some(Skip { class, reason: reason.to_owned() });
    report
}

/// A run with every verdict.
pub(crate) fn record() -> RunRecord {
    let agent = RootHello {
        lacks: Vec::new(),
        protocol: 1,
        agent: "plumbline-agent 0.0.0".to_owned(),
        mechanisms: texts(&["pipe", "fifo"]),
        limits: BTreeMap::from([
            ("PIPE_BUF".to_owned(), 4096),
            ("OPEN_MAX".to_owned(), 1024),
            ("SIGQUEUE_MAX".to_owned(), 63419),
        ]),
        system: ["os=linux", "release=6.18.0", "machine=x86_64", "libc=glibc 2.36"]
            .iter()
            .map(|pair| pair.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned())).unwrap())
            .collect(),
        ..RootHello::default()
    };
    let story = broken_story();
    let source = Source { path: story.path.clone(), text: STORY.to_owned() };
    let mut instances = vec![
        story,
        broken_race(),
        held(),
        vacuous(),
        faulty(),
        skipped("priority/first[posix_mq]", SkipClass::Unsupported, "the agent has no posix_mq"),
        skipped("priority/second[posix_mq]", SkipClass::Unsupported, "the agent has no posix_mq"),
        skipped("limits/names[posix_shm]", SkipClass::Privilege, "mq_open: EMFILE"),
    ];
    instances.sort_by(|left, right| left.id.cmp(&right.id));
    RunRecord {
        header: Header {
            version: VERSION,
            plumbline: "0.0.0".to_owned(),
            started: "2026-01-02T03:04:05Z".to_owned(),
            command: texts(&["conform"]),
            agent,
            isolation: "namespaces (pid, ipc, mount, network)".to_owned(),
            processors: 2,
            lanes: 2,
            seed: 1,
            time_scale_milli: 1000,
            filters: Vec::new(),
        },
        sources: BTreeMap::from([(source.path.clone(), source)]),
        instances,
        complete: true,
    }
}

const RACE: &str = "\
title: Writes of at most PIPE_BUF bytes never interleave
because: Many processes append records to one pipe.
cites:
  - POSIX.1-2024 write()
mechanisms: [pipe, fifo]
channels:
  line: stream
vary:
  size: [1, PIPE_BUF]
processes:
  writer:
    count: 2
    steps:
      - repeat: { times: 8, steps: [{ write: { size: size } }] }
      - close: line
  reader:
    - read: { size: 65536, until: end }
runs: 60
must: [complete, whole]
should: [in_order]
control:
  change: { size: 2 * PIPE_BUF + 8 }
  breaks: whole
elsewhere:
  - where: gvisor
    because: It has pipes of its own.
    source: https://gvisor.dev/docs/
    skip: true
";

/// A race and a story, as they are loaded.
pub(crate) fn scenarios() -> Vec<Scenario> {
    [("boundaries/whole", RACE), ("lifetime/end-of-stream", STORY)]
        .iter()
        .map(|(id, text)| {
            load::text(id, &format!("spec/scenarios/{id}.yaml"), text)
                .unwrap_or_else(|complaints| panic!("{}", complaints.render(false)))
        })
        .collect()
}
