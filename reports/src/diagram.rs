//! The space-time diagram: a lane a process, time downwards, calls as bars, what was received joined to who sent it.
//!
//! ```text
//!   writer
//!   │  reader
//!   │  ┏     reader  read 64
//!   │  ┊             blocked in read
//!   ■  ┃     writer  write "hello" gave 5
//!   ├─▶┗     reader  read 64 gave "hello"
//! ```

use crate::{
    label,
    style::{Color, clip, wrap},
};
use harness_core::{
    Event, History, InstanceReport, describe,
    wire::{Data, Outcome, ProcessEnding},
};
use std::collections::{BTreeMap, BTreeSet};

/// The widest line, in columns.
pub const COLUMNS_MAX: usize = 100;
/// Longer diagrams are shrunk to what matters.
pub const ROWS_MAX: usize = 40;
/// What a finding is about takes at most this many lines a row.
const LINES_MAX: usize = 4;
/// How many rows before and after one that matters are kept.
const CONTEXT_ROWS: usize = 2;
/// With more processes than this, only those that act in what is shown get a lane.
const LANES_MAX: usize = 8;

/// What the glyphs mean, for the foot of a diagram.
pub const LEGEND: &str =
    "■ a call   ┏ ┃ ┗ a call that others overlap   ┊ blocked   ▶ received from   ✕ ended   > named above";

/// Draws a history. `named` are the events that a finding is about.
#[must_use]
pub fn render(report: &InstanceReport, history: &History, named: &[usize], color: Color) -> String {
    let named: BTreeSet<usize> = named.iter().copied().collect();
    let calls = Calls::of(report, history);
    let rows = rows(history, &calls);
    let kept = keep(&rows, &calls, &named);
    Drawing { report, calls: &calls, named: &named, color }.draw(&rows, &kept)
}

/// One call: from its begin to its return, as far as it got.
struct Call<'h> {
    process: usize,
    began_at: u64,
    began_event: Option<usize>,
    returned: Option<Returned<'h>>,
    label: String,
    /// Calls that sent what this one received.
    sources: Vec<usize>,
}

struct Returned<'h> {
    event: usize,
    at: u64,
    outcome: &'h Outcome,
}

struct Calls<'h> {
    all: Vec<Call<'h>>,
    by_step: BTreeMap<(usize, usize), usize>,
}

impl<'h> Calls<'h> {
    fn of(report: &InstanceReport, history: &'h History) -> Self {
        let mut calls = Self { all: Vec::new(), by_step: BTreeMap::new() };
        for (index, event) in history.events.iter().enumerate() {
            match event {
                Event::Began { process, step, at } => {
                    let call = calls.entry(report, *process, *step);
                    (call.began_at, call.began_event) = (*at, Some(index));
                }
                Event::Returned { process, step, began, ended, outcome } => {
                    let call = calls.entry(report, *process, *step);
                    // After a meeting a call begins later than its intent was written down.
                    call.began_at = *began;
                    call.returned = Some(Returned { event: index, at: *ended, outcome });
                }
                _ => {}
            }
        }
        calls.join(&report.processes);
        calls
    }

    fn entry(&mut self, report: &InstanceReport, process: usize, step: usize) -> &mut Call<'h> {
        let index = *self.by_step.entry((process, step)).or_insert_with(|| {
            self.all.push(Call {
                process,
                began_at: 0,
                began_event: None,
                returned: None,
                label: step_label(report, process, step),
                sources: Vec::new(),
            });
            self.all.len() - 1
        });
        &mut self.all[index]
    }

    fn get(&self, process: usize, step: usize) -> Option<usize> {
        self.by_step.get(&(process, step)).copied()
    }

    /// Finds for each call that received something the calls that sent it.
    fn join(&mut self, processes: &[String]) {
        let sends = Sends::of(&self.all);
        let mut taken: BTreeSet<usize> = BTreeSet::new();
        for index in 0..self.all.len() {
            let call = &self.all[index];
            let Some(returned) = &call.returned else { continue };
            let channel = channel(&call.label);
            let sources: BTreeSet<usize> = match returned.outcome {
                Outcome::Received(received) => received
                    .pieces
                    .iter()
                    .flat_map(|piece| sends.of_piece(&piece.data, channel, &self.all, &mut taken))
                    .collect(),
                Outcome::Signals(signals) if operation(&call.label) != "sigpending" => signals
                    .iter()
                    .filter_map(|signal| {
                        let from = processes.iter().position(|process| Some(process) == signal.from.as_ref())?;
                        sends.of_signal(from, signal.signal.to_string().as_str(), &self.all, &mut taken)
                    })
                    .collect(),
                _ => BTreeSet::new(),
            };
            self.all[index].sources = sources.into_iter().collect();
        }
    }
}

/// The calls that send something.
struct Sends {
    /// By process and channel, in the order of its steps: what stamps count.
    stamped: BTreeMap<(usize, String), Vec<usize>>,
    texts: Vec<usize>,
    signals: Vec<usize>,
}

impl Sends {
    fn of(calls: &[Call<'_>]) -> Self {
        let mut sends = Self { stamped: BTreeMap::new(), texts: Vec::new(), signals: Vec::new() };
        for (index, call) in calls.iter().enumerate() {
            match operation(&call.label) {
                "write" | "send" => {
                    sends.texts.push(index);
                    let key = (call.process, channel(&call.label).to_owned());
                    sends.stamped.entry(key).or_default().push(index);
                }
                // One call that sends many: all its messages come from it.
                "fill" => {
                    let key = (call.process, channel(&call.label).to_owned());
                    sends.stamped.entry(key).or_default().push(index);
                }
                "kill" | "sigqueue" => sends.signals.push(index),
                _ => {}
            }
        }
        sends
    }

    fn of_piece(&self, data: &Data, channel: &str, calls: &[Call<'_>], taken: &mut BTreeSet<usize>) -> Vec<usize> {
        match data {
            Data::Runs(runs) => runs
                .iter()
                .filter_map(|run| {
                    let process = usize::from(run.from).checked_sub(1)?;
                    let sent = self.stamped.get(&(process, channel.to_owned()))?;
                    sent.get(run.message as usize).or(sent.last()).copied()
                })
                .collect(),
            Data::Text(text) => {
                let found = self.texts.iter().copied().find(|index| {
                    let label = &calls[*index].label;
                    !taken.contains(index) && self::channel(label) == channel && label.contains(&describe::quoted(text))
                });
                // A read may bring a part of what was written, or several writes at once.
                let found = found.or_else(|| {
                    self.texts.iter().copied().find(|index| {
                        let label = &calls[*index].label;
                        self::channel(label) == channel && shares_text(label, text)
                    })
                });
                taken.extend(found);
                found.into_iter().collect()
            }
            Data::Hex(_) => Vec::new(),
        }
    }

    fn of_signal(&self, from: usize, signal: &str, calls: &[Call<'_>], taken: &mut BTreeSet<usize>) -> Option<usize> {
        let found = self.signals.iter().copied().find(|index| {
            let call = &calls[*index];
            call.process == from && !taken.contains(index) && call.label.split(' ').any(|word| word == signal)
        });
        taken.extend(found);
        found
    }
}

fn shares_text(label: &str, text: &str) -> bool {
    let Some(start) = label.find('"') else { return false };
    let sent = label[start..].trim_matches('"');
    !sent.is_empty() && !text.is_empty() && (text.contains(sent) || sent.contains(text))
}

fn operation(label: &str) -> &str {
    label.split([' ', '(']).next().unwrap_or("")
}

fn channel(label: &str) -> &str {
    let head = label.split(' ').next().unwrap_or("");
    head.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')')).unwrap_or("")
}

/// In a story all steps are in one list; otherwise each process has its own.
fn step_label(report: &InstanceReport, process: usize, step: usize) -> String {
    let steps = if report.steps.len() == 1 { report.steps.first() } else { report.steps.get(process) };
    steps.and_then(|steps| steps.get(step)).cloned().unwrap_or_else(|| format!("step {step}"))
}

/// One row of the diagram.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Row {
    Begin {
        call: usize,
    },
    End {
        call: usize,
    },
    /// A call that nothing came between.
    Whole {
        call: usize,
    },
    Blocked {
        call: usize,
        event: usize,
        name: String,
    },
    Ended {
        process: usize,
        event: usize,
        ending: ProcessEnding,
    },
    /// Everybody waits, or the time is up.
    Halt {
        event: usize,
        what: &'static str,
    },
}

/// The rows of a history: in the order of events for a story, in the order of time for a race.
fn rows(history: &History, calls: &Calls<'_>) -> Vec<Row> {
    let mut timed: Vec<(u64, Row)> = Vec::new();
    for (index, event) in history.events.iter().enumerate() {
        match event {
            Event::Line { .. } => {}
            Event::Began { process, step, .. } => {
                if let Some(call) = calls.get(*process, *step) {
                    timed.push((calls.all[call].began_at, Row::Begin { call }));
                }
            }
            Event::Returned { process, step, ended, .. } => {
                if let Some(call) = calls.get(*process, *step) {
                    if calls.all[call].began_event.is_none() {
                        timed.push((calls.all[call].began_at, Row::Begin { call }));
                    }
                    timed.push((*ended, Row::End { call }));
                }
            }
            Event::Blocked { process, step, at, call: name } => {
                if let Some(call) = calls.get(*process, *step) {
                    timed.push((*at, Row::Blocked { call, event: index, name: name.clone() }));
                }
            }
            Event::Ended { process, at, ending } => {
                timed.push((*at, Row::Ended { process: *process, event: index, ending: ending.clone() }));
            }
            Event::Stuck { at, .. } => {
                timed.push((*at, Row::Halt { event: index, what: "everybody waits: nothing can happen any more" }));
            }
            Event::Overdue { at, .. } => timed.push((*at, Row::Halt { event: index, what: "the time is up" })),
        }
    }
    let is_story = history.events.iter().any(|event| matches!(event, Event::Line { .. }));
    if !is_story {
        timed.sort_by_key(|(at, _)| *at);
    }
    let mut rows: Vec<Row> = Vec::new();
    for (_, row) in timed {
        match (rows.last_mut(), row) {
            (Some(last), Row::End { call }) if *last == (Row::Begin { call }) => *last = Row::Whole { call },
            (_, row) => rows.push(row),
        }
    }
    rows
}

impl Row {
    fn call(&self) -> Option<usize> {
        match self {
            Self::Begin { call } | Self::End { call } | Self::Whole { call } | Self::Blocked { call, .. } => {
                Some(*call)
            }
            Self::Ended { .. } | Self::Halt { .. } => None,
        }
    }

    fn process(&self, calls: &Calls<'_>) -> Option<usize> {
        match self {
            Self::Ended { process, .. } => Some(*process),
            row => row.call().map(|call| calls.all[call].process),
        }
    }

    fn is_named(&self, calls: &Calls<'_>, named: &BTreeSet<usize>) -> bool {
        let returned = |call: usize| calls.all[call].returned.as_ref().map(|returned| returned.event);
        let began = |call: usize| calls.all[call].began_event;
        let is_in = |event: Option<usize>| event.is_some_and(|event| named.contains(&event));
        match self {
            Self::Begin { call } => is_in(began(*call)),
            Self::End { call } => is_in(returned(*call)),
            Self::Whole { call } => is_in(began(*call)) || is_in(returned(*call)),
            Self::Blocked { event, .. } | Self::Ended { event, .. } | Self::Halt { event, .. } => named.contains(event),
        }
    }
}

/// Which rows are drawn: all of a short history; of a long one those that matter, with a little around them.
fn keep(rows: &[Row], calls: &Calls<'_>, named: &BTreeSet<usize>) -> Vec<usize> {
    if rows.len() <= ROWS_MAX {
        return (0..rows.len()).collect();
    }
    let mut matter: BTreeSet<usize> = BTreeSet::new();
    for row in rows.iter().filter(|row| row.is_named(calls, named)) {
        if let Some(call) = row.call() {
            matter.insert(call);
            matter.extend(&calls.all[call].sources);
        }
    }
    let matters = |row: &Row| row.is_named(calls, named) || row.call().is_some_and(|call| matter.contains(&call));
    let mut kept: BTreeSet<usize> =
        rows.iter().enumerate().filter(|(_, row)| matters(row)).map(|(index, _)| index).collect();
    if kept.is_empty() {
        // Nobody says what matters: how it began and how it ended.
        kept = (0..CONTEXT_ROWS * 2).chain(rows.len() - ROWS_MAX / 2..rows.len()).collect();
    }
    let mut with_context = BTreeSet::new();
    for index in &kept {
        with_context.extend(index.saturating_sub(CONTEXT_ROWS)..=(index + CONTEXT_ROWS).min(rows.len() - 1));
    }
    if with_context.len() > ROWS_MAX {
        with_context = kept;
    }
    with_context.into_iter().take(ROWS_MAX).collect()
}

/// What a lane shows between its rows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lane {
    Idle,
    InCall,
    Blocked,
    Gone,
}

impl Lane {
    fn glyph(self) -> char {
        match self {
            Self::Idle => '│',
            Self::InCall => '┃',
            Self::Blocked => '┊',
            Self::Gone => ' ',
        }
    }

    /// An arrow leaves to the right, or to the left.
    fn leaving(self, right: bool) -> char {
        match (self, right) {
            (Self::Idle, true) => '├',
            (Self::Idle, false) => '┤',
            (Self::InCall | Self::Blocked, true) => '┠',
            (Self::InCall | Self::Blocked, false) => '┨',
            (Self::Gone, true) => '╶',
            (Self::Gone, false) => '╴',
        }
    }

    fn crossed(self) -> char {
        match self {
            Self::Idle => '┼',
            Self::InCall | Self::Blocked => '╂',
            Self::Gone => '─',
        }
    }
}

struct Drawing<'d> {
    report: &'d InstanceReport,
    calls: &'d Calls<'d>,
    named: &'d BTreeSet<usize>,
    color: Color,
}

impl Drawing<'_> {
    fn draw(&self, rows: &[Row], kept: &[usize]) -> String {
        let columns = self.lanes(rows, kept);
        let mut lanes = vec![Lane::Idle; self.report.processes.len()];
        let mut text = self.head(&columns);
        let mut next = 0;
        for (index, row) in rows.iter().enumerate() {
            if kept.get(next) == Some(&index) {
                let before = if next == 0 { index } else { index - kept[next - 1] - 1 };
                self.elided(&mut text, before, &lanes, &columns);
                self.row(&mut text, row, &lanes, &columns);
                next += 1;
            }
            self.advance(row, &mut lanes);
        }
        let after = kept.last().map_or(0, |last| rows.len() - last - 1);
        self.elided(&mut text, after, &lanes, &columns);
        text
    }

    /// The processes that get a lane, from left to right.
    fn lanes(&self, rows: &[Row], kept: &[usize]) -> Vec<usize> {
        let all = 0..self.report.processes.len();
        if all.len() <= LANES_MAX {
            return all.collect();
        }
        let mut acting: BTreeSet<usize> = kept.iter().filter_map(|index| rows[*index].process(self.calls)).collect();
        for call in kept.iter().filter_map(|index| rows[*index].call()) {
            acting.extend(self.calls.all[call].sources.iter().map(|source| self.calls.all[*source].process));
        }
        acting.into_iter().collect()
    }

    /// The names, as a staircase above their lanes.
    fn head(&self, columns: &[usize]) -> String {
        let mut text = String::new();
        for (place, process) in columns.iter().enumerate() {
            let name = self.report.processes.get(*process).map_or("?", String::as_str);
            text.push_str(&format!("  {}{}\n", "│  ".repeat(place), self.color.bold(name)));
        }
        text
    }

    fn elided(&self, text: &mut String, rows: usize, lanes: &[Lane], columns: &[usize]) {
        if rows > 0 {
            let line = format!("{}  … {rows} more", self.cells(lanes, columns).iter().collect::<String>());
            text.push_str(&format!("  {}\n", self.color.dim(&line)));
        }
    }

    fn cells(&self, lanes: &[Lane], columns: &[usize]) -> Vec<char> {
        columns.iter().flat_map(|process| [lanes.get(*process).map_or(' ', |lane| lane.glyph()), ' ', ' ']).collect()
    }

    fn row(&self, text: &mut String, row: &Row, lanes: &[Lane], columns: &[usize]) {
        let place = |process: usize| columns.iter().position(|column| *column == process);
        let own = row.process(self.calls).and_then(place);
        let arrows = self.arrows(row, &place);
        // All senders but the last get a line of their own.
        for from in arrows.iter().rev().skip(1).rev() {
            let mut cells = self.cells(lanes, columns);
            if let Some(own) = own {
                arrow(&mut cells, *from, own, lanes, columns);
            }
            self.line(text, ' ', &cells, "");
        }
        let mut cells = self.cells(lanes, columns);
        if let Some(own) = own {
            cells[own * 3] = glyph(row);
            if let Some(from) = arrows.last() {
                arrow(&mut cells, *from, own, lanes, columns);
            }
        }
        if !row.is_named(self.calls, self.named) {
            let (name, words) = self.words(row);
            return self.line(text, ' ', &cells, &format!("{name}  {words}"));
        }
        let mut after = lanes.to_vec();
        self.advance(row, &mut after);
        self.named_lines(text, &cells, &self.cells(&after, columns), &self.words(row));
    }

    fn line(&self, text: &mut String, mark: char, cells: &[char], words: &str) {
        let cells: String = cells.iter().collect();
        let line = clip(format!("{mark} {cells}  {words}").trim_end(), COLUMNS_MAX);
        text.push_str(&if mark == '>' { self.color.alarm(&line) } else { line });
        text.push('\n');
    }

    /// What a finding is about is shown in full: words that do not fit go on below.
    fn named_lines(&self, text: &mut String, cells: &[char], below: &[char], words: &(String, String)) {
        let (name, words) = words;
        let room = COLUMNS_MAX.saturating_sub(cells.len() + name.chars().count() + 6).max(20);
        let blank = " ".repeat(name.chars().count());
        for (index, line) in wrap(words, room, "").lines().take(LINES_MAX).enumerate() {
            let (cells, name) = if index == 0 { (cells, name) } else { (below, &blank) };
            self.line(text, '>', cells, &format!("{name}  {line}"));
        }
    }

    /// The lanes of those who sent what this row received.
    fn arrows(&self, row: &Row, place: &dyn Fn(usize) -> Option<usize>) -> Vec<usize> {
        let (Row::End { call } | Row::Whole { call }) = row else { return Vec::new() };
        let own = self.calls.all[*call].process;
        let senders: BTreeSet<usize> = self.calls.all[*call]
            .sources
            .iter()
            .map(|source| self.calls.all[*source].process)
            .filter(|process| *process != own)
            .collect();
        senders.into_iter().filter_map(place).collect()
    }

    /// Who acts, padded, and what it does.
    fn words(&self, row: &Row) -> (String, String) {
        let processes = &self.report.processes;
        let width = processes.iter().map(|process| process.chars().count()).max().unwrap_or(0);
        let name = row.process(self.calls).and_then(|process| processes.get(process)).map_or("", String::as_str);
        let words = match row {
            Row::Begin { call } => self.calls.all[*call].label.clone(),
            Row::End { call } | Row::Whole { call } => self.returned(&self.calls.all[*call]),
            Row::Blocked { name, .. } if name.is_empty() => "is blocked".to_owned(),
            Row::Blocked { name, .. } => format!("is blocked in {name}"),
            Row::Ended { ending, .. } => label::ending(ending),
            Row::Halt { what, .. } => (*what).to_owned(),
        };
        (format!("{name:width$}"), words)
    }

    fn returned(&self, call: &Call<'_>) -> String {
        let Some(returned) = &call.returned else { return call.label.clone() };
        let gave = label::outcome(returned.outcome, &self.report.processes);
        format!("{} gave {gave}{}", call.label, self.took(call))
    }

    /// In a race the time of a call matters; in a story it means nothing.
    fn took(&self, call: &Call<'_>) -> String {
        if self.report.steps.len() == 1 {
            return String::new();
        }
        match &call.returned {
            Some(returned) => format!(" [{}]", label::duration(returned.at.saturating_sub(call.began_at))),
            None => String::new(),
        }
    }

    fn advance(&self, row: &Row, lanes: &mut [Lane]) {
        let Some(process) = row.process(self.calls) else { return };
        let Some(lane) = lanes.get_mut(process) else { return };
        *lane = match row {
            Row::Begin { .. } => Lane::InCall,
            Row::Blocked { .. } => Lane::Blocked,
            Row::End { .. } | Row::Whole { .. } => Lane::Idle,
            Row::Ended { .. } => Lane::Gone,
            Row::Halt { .. } => *lane,
        };
    }
}

fn glyph(row: &Row) -> char {
    match row {
        Row::Begin { .. } => '┏',
        Row::End { .. } => '┗',
        Row::Whole { .. } => '■',
        Row::Blocked { .. } => '┊',
        Row::Ended { .. } => '✕',
        Row::Halt { .. } => ' ',
    }
}

/// Draws an arrow from one lane to another, both by their place; the glyph at its end stays as it is.
fn arrow(cells: &mut [char], from: usize, to: usize, lanes: &[Lane], columns: &[usize]) {
    let lane = |place: usize| columns.get(place).and_then(|process| lanes.get(*process)).copied().unwrap_or(Lane::Idle);
    let (first, last) = (from.min(to) * 3, from.max(to) * 3);
    for (column, cell) in cells.iter_mut().enumerate().take(last).skip(first + 1) {
        *cell = if column % 3 == 0 { lane(column / 3).crossed() } else { '─' };
    }
    cells[from * 3] = lane(from).leaving(from < to);
    if from < to {
        cells[to * 3 - 1] = '▶';
    } else {
        cells[to * 3 + 1] = '◀';
    }
}

#[cfg(test)]
mod tests {
    use super::{COLUMNS_MAX, ROWS_MAX, render};
    use crate::{samples, style::Color};

    fn draw(report: &harness_core::InstanceReport) -> String {
        let judgement = report.judgement.as_ref().unwrap();
        let named = &judgement.findings[0].events;
        render(report, judgement.evidence.as_ref().unwrap(), named, Color::Never)
    }

    #[test]
    fn a_story_is_one_row_a_call_unless_calls_overlap() {
        insta::assert_snapshot!(draw(&samples::broken_story()));
    }

    #[test]
    fn a_race_is_drawn_in_the_order_of_time() {
        insta::assert_snapshot!(draw(&samples::broken_race()));
    }

    #[test]
    fn arrows_cross_lanes_in_both_directions() {
        insta::assert_snapshot!(draw(&samples::crossing()));
    }

    #[test]
    fn a_deadlock_shows_who_waits() {
        insta::assert_snapshot!(draw(&samples::deadlock()));
    }

    #[test]
    fn a_long_history_is_shrunk_to_what_matters() {
        let text = draw(&samples::long_race());
        assert!(text.lines().count() <= ROWS_MAX + 16, "{} lines", text.lines().count());
        assert!(text.lines().all(|line| line.chars().count() <= COLUMNS_MAX));
        insta::assert_snapshot!(text);
    }
}
