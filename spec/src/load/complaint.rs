//! Everything that the loader can complain about: one constructor a kind, so that all messages stand in one place.

use crate::scenario::{Source, Span};
use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use std::{io, sync::Arc};

/// One complaint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// The kind of mistake: the constructor's name.
    pub kind: &'static str,
    /// What is wrong.
    pub message: String,
    /// Where.
    pub span: Span,
    /// What stands there, as the caret says it.
    pub label: String,
    /// What to do next.
    pub help: String,
}

/// All complaints about one file.
#[derive(Clone, Debug)]
pub struct Complaints {
    source: Arc<Source>,
    complaints: Vec<Complaint>,
}

impl Complaints {
    pub(super) fn new(source: Arc<Source>, mut complaints: Vec<Complaint>) -> Self {
        complaints.sort_by_key(|complaint| complaint.span.start);
        complaints.dedup();
        Self { source, complaints }
    }

    pub(super) fn about_file(path: &str, complaint: Complaint) -> Self {
        let source = Source { path: path.to_owned(), text: String::new() };
        Self { source: Arc::new(source), complaints: vec![complaint] }
    }

    /// The complaints, in the order of the file.
    #[must_use]
    pub fn list(&self) -> &[Complaint] {
        &self.complaints
    }

    /// The file's path, as a person would type it.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.source.path
    }

    /// All of them, drawn as rustc draws its own.
    #[must_use]
    pub fn render(&self, color: bool) -> String {
        let drawn: Vec<String> = self
            .complaints
            .iter()
            .map(|complaint| {
                let helps = [complaint.help.as_str()];
                snippet(&self.source, complaint.span, &complaint.message, &complaint.label, &helps, color)
            })
            .collect();
        drawn.join("\n\n")
    }
}

/// Draws an error with a caret under a span of a source.
#[must_use]
pub fn snippet(source: &Source, span: Span, title: &str, label: &str, helps: &[&str], color: bool) -> String {
    let start = floor(&source.text, span.start);
    let end = floor(&source.text, span.end.max(start)).max(start);
    // A caret of many lines hides what it points at: only the first is marked.
    let end = source.text[start..end].find('\n').map_or(end, |line| start + line);
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let mut group = Level::ERROR.primary_title(title).element(
        Snippet::source(source.text.as_str())
            .path(source.path.as_str())
            .annotation(AnnotationKind::Primary.span(start..end).label(label)),
    );
    for help in helps.iter().filter(|help| !help.is_empty()) {
        group = group.element(Level::HELP.message(*help));
    }
    renderer.render(&[group])
}

/// The nearest boundary of a character at or below an index.
fn floor(text: &str, index: usize) -> usize {
    (0..=index.min(text.len())).rev().find(|index| text.is_char_boundary(*index)).unwrap_or(0)
}

/// The known word that is nearest to one that is not known, where one is near.
#[must_use]
pub fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= (candidate.len() / 3).max(1))
        .min()
        .map(|(_, candidate)| candidate)
}

fn suggest<'k>(word: &str, known: impl IntoIterator<Item = &'k str> + Clone) -> String {
    match nearest(word, known.clone()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => {
            let known: Vec<String> = known.into_iter().map(|word| format!("`{word}`")).collect();
            if known.is_empty() {
                "there is none here yet".to_owned()
            } else {
                format!("known are {}", known.join(", "))
            }
        }
    }
}

macro_rules! complaints {
    ($($(#[$meta:meta])* $name:ident($($argument:ident: $type:ty),*) {
        $message:expr, $label:expr, $help:expr $(,)?
    })*) => {
        $(
            $(#[$meta])*
            pub(crate) fn $name(span: Span $(, $argument: $type)*) -> Complaint {
                Complaint {
                    kind: stringify!($name),
                    message: $message.to_string(),
                    span,
                    label: $label.to_string(),
                    help: $help.to_string(),
                }
            }
        )*
        /// The kinds of complaint that have a place in a file.
        pub const KINDS: &[&str] = &[$(stringify!($name)),*];
    };
}

/// The file is no text.
pub(crate) fn not_utf8(valid: usize) -> Complaint {
    Complaint {
        kind: "not_utf8",
        message: "the file is not UTF-8".to_owned(),
        span: Span { start: valid, end: valid + 1 },
        label: "this byte is no part of a character".to_owned(),
        help: "save it as UTF-8; scenarios are plain text".to_owned(),
    }
}

/// The file is longer than any scenario.
pub(crate) fn too_long(bytes: u64, limit: u64) -> Complaint {
    Complaint {
        kind: "too_long",
        message: format!("the file has {bytes} bytes, and a scenario at most {limit}"),
        span: Span::default(),
        label: String::new(),
        help: "was another file meant? large payloads are asked for by `size:`, not written out".to_owned(),
    }
}

/// The file cannot be read.
pub(crate) fn unreadable(error: &io::Error) -> Complaint {
    Complaint {
        kind: "unreadable",
        message: format!("the file cannot be read: {error}"),
        span: Span::default(),
        label: String::new(),
        help: "check the path and its permissions".to_owned(),
    }
}

complaints! {
    /// Nothing is there.
    empty_file() { "the file holds no scenario", "nothing but blanks or comments", "`cargo xtask new ordering/my-idea` writes one to begin with" }
    /// YAML cannot be read.
    broken_syntax(what: &str) { format!("this is no YAML: {what}"), "here", "check indentation, quotes and brackets around here" }
    /// A tab indents.
    tab_indent() { "a tab indents this line", "a tab", "YAML is indented by spaces: use two a level" }
    /// Anchors are refused.
    anchor() { "anchors are not used in scenarios", "an anchor", "write it out: a scenario is read from top to bottom" }
    /// Aliases are refused.
    alias() { "aliases are not used in scenarios", "an alias", "write it out: a scenario is read from top to bottom" }
    /// Merge keys are refused.
    merge_key() { "merge keys are not used in scenarios", "a merge key", "write the keys out" }
    /// Tags are refused.
    tag(tag: &str) { format!("the tag `{tag}` means nothing here"), "a tag", "leave it out; quote a text that looks like a number" }
    /// One scenario a file.
    second_document() { "a second document begins here", "one file holds one scenario", "move it into a file of its own" }
    /// A key twice.
    duplicate_key(key: &str) { format!("`{key}` stands here twice"), "the second one", "remove one, or join them" }
    /// A key that is no text.
    key_is_no_text() { "this key is no text", "a list or a map as a key", "keys are plain words" }
    /// Too deep.
    too_deep(limit: usize) { format!("this is nested deeper than {limit} levels"), "here", "no scenario needs that: is a bracket missing?" }
    /// YAML 1.1 reads it as a boolean.
    boolean_word(word: &str) { format!("`{word}` is a boolean to some readers of YAML, and a word to others"), "a word that is not always a word", format!("quote it (\"{word}\"), or use `true`, `false` or another word") }
    /// The whole is no map.
    not_a_map(what: &str) { format!("{what} has to be a map of keys and values"), "this is none", "write `key: value` lines" }
    /// A list was due.
    not_a_list(what: &str) { format!("{what} has to be a list"), "this is none", "write one entry a line, each after `- `" }
    /// A text was due.
    not_a_text(what: &str) { format!("{what} has to be a text"), "this is none", "write a sentence; quote it where it holds `: ` or `#`" }
    /// serde found it.
    wrong_value(what: &str) { what, "this", "`docs/scenario-language.md` says what may stand here" }
    /// A key is missing.
    missing_key(key: &str, why: &str) { format!("the key `{key}` is missing"), "this has none", why }
    /// A key nobody knows.
    unknown_key(key: &str, place: &str, known: &[&str]) { format!("{place} has no key `{key}`"), "not known here", suggest(key, known.iter().copied()) }
    /// Empty text.
    empty_text(what: &str) { format!("{what} is empty"), "nothing is said here", "say it in a few words" }
    /// Title too long.
    long_title(length: usize) { format!("the title has {length} characters, and at most 100 fit"), "too long", "state the guarantee in one sentence; put the reason into `because:`" }
    /// Title ends with a full stop.
    title_stop() { "the title ends with a full stop", "here", "titles are headings: leave it out" }
    /// A process that was there before it was forked.
    forked_late(process: &str) { format!("`{process}` is forked here, and was there before"), "too late", "fork it before its first line, once" }
    /// The end of a forked process is its parent's to tell.
    forked_dies(process: &str) { format!("how `{process}` ends is told by its parent alone"), "not for a forked process", "let its parent say `waitpid`, which gives `killed SIGKILL` or `exited 0`" }
    /// No such mechanism.
    unknown_mechanism(name: &str, known: &[&str]) { format!("there is no mechanism `{name}`"), "not known", suggest(name, known.iter().copied()) }
    /// A mechanism twice.
    mechanism_twice(name: &str) { format!("`{name}` is listed twice"), "the second one", "remove it" }
    /// Mechanisms of several abilities.
    mixed_abilities(first: &str, second: &str) { format!("`{first}` and `{second}` do not have the same ability"), "another ability", "a scenario is about one ability; make two scenarios" }
    /// No such ability.
    unknown_ability(name: &str, known: &[&str]) { format!("there is no ability `{name}`"), "not known", suggest(name, known.iter().copied()) }
    /// Channel and mechanisms do not fit.
    wrong_ability(channel: &str, is: &str, mechanism: &str, has: &str) { format!("`{channel}` is to be a {is}, but {mechanism} is a {has}"), "does not fit the mechanisms", format!("make it `{channel}: {has}`, or list mechanisms that are a {is}") }
    /// An option that does not fit.
    wrong_option(option: &str, why: &str) { format!("`{option}` cannot be chosen here"), "not for this channel", why }
    /// Nobody uses it.
    unused_channel(name: &str) { format!("nobody uses the channel `{name}`"), "declared here", "remove it, or use it" }
    /// A name that is none.
    bad_name(what: &str, name: &str) { format!("`{name}` cannot be the name of {what}"), "this name", "use lower-case letters, digits and `_`, beginning with a letter" }
    /// Neither or both bodies.
    no_body() { "the scenario has neither `story:` nor `processes:`", "nobody does anything", "add `story:` for one step after another, or `processes:` for all at once" }
    /// Both bodies.
    two_bodies() { "the scenario has both `story:` and `processes:`", "the second one", "keep one: `story:` is one step after another, `processes:` all at once" }
    /// A body without entries.
    empty_body(what: &str) { format!("`{what}` has no entries"), "nothing happens", "add a step" }
    /// A line that is no `process: step`.
    line_shape() { "a line of a story is `process: { operation: …, expectation: … }`", "this is not", "as `- writer: { write: hello }`" }
    /// A channel that an exec has closed.
    lost_by_exec(process: &str, channel: &str) { format!("{process} does not hold `{channel}` any more"), "its `exec` did not keep it", format!("name it there: `exec: {{ keep: [{channel}] }}`, or leave the step to another process") }
    /// A channel that no exec can keep for use.
    not_kept(channel: &str, mechanism: &str) { format!("`{channel}` cannot be kept over an `exec`"), "not by a descriptor", format!("a {mechanism} is reached by no descriptor that a new program could take over") }
    /// A meeting where every order is tried.
    meet_in_orders() { "`orders: every` needs no meetings: every order of the steps is tried", "not here", "remove the meeting" }
    /// A row of a table that is none.
    row_shape() { "a row of a table is `[argument, ERROR]`", "this is not", "as `- [{ text: x, type: 0 }, EINVAL]`; `done` for one that has to succeed" }
    /// No operation.
    no_operation(known: &str) { "this step does nothing", "no operation", known }
    /// Two operations.
    two_operations(first: &str, second: &str) { format!("this step does two things, `{first}` and `{second}`"), "the second one", "one operation a step: make it two steps" }
    /// No such operation.
    unknown_operation(name: &str, known: &[&str]) { format!("there is no operation `{name}`"), "not known", suggest(name, known.iter().copied()) }
    /// The ability lacks it.
    operation_of_another_ability(name: &str, ability: &str, of: &str) { format!("a {ability} has no `{name}`"), "not for this channel", format!("`{name}` is for a {of}") }
    /// The mechanism lacks it.
    mechanism_lacks(what: &str, mechanisms: &str, feature: &str) { format!("{mechanisms} cannot `{what}`"), "not for all listed mechanisms", format!("it needs {feature}: remove the mechanism from the list, or the step") }
    /// Two expectations.
    two_expectations(first: &str, second: &str) { format!("this step has two expectations, `{first}` and `{second}`"), "the second one", "keep one; several values are a list" }
    /// Channel missing.
    which_channel(known: &[&str]) { "which channel is meant?", "there are several", format!("say `channel:` with one of {}", known.join(", ")) }
    /// No such channel.
    unknown_channel(name: &str, known: &[&str]) { format!("there is no channel `{name}`"), "not declared", suggest(name, known.iter().copied()) }
    /// No such process.
    unknown_process(name: &str, known: &[&str]) { format!("there is no process `{name}`"), "nobody is called that", suggest(name, known.iter().copied()) }
    /// resumes without blocks.
    not_blocked(word: &str, name: &str, known: &[&str]) { format!("`{word}: {name}` speaks of a call that no step before says `blocks: {name}` of"), "no such call", suggest(name, known.iter().copied()) }
    /// Resumed by another process.
    blocked_elsewhere(name: &str, owner: &str) { format!("the call `{name}` is one of {owner}"), "not this process's call", format!("make it a line of {owner}") }
    /// A name for two calls.
    blocked_twice(name: &str) { format!("two calls are called `{name}`"), "the second one", "give it a name of its own" }
    /// A step of a process that waits.
    still_blocked(process: &str, name: &str) { format!("{process} is still waiting in `{name}` and can do nothing else"), "it cannot come to this", format!("let `{process}: {{ resumes: {name} }}` come before, or let another process do it") }
    /// A step of a process that has ended.
    already_ended(process: &str) { format!("{process} has ended by now"), "it cannot come to this", "let another process do it" }
    /// A word that belongs into stories.
    only_in_story(word: &str) { format!("`{word}` is for stories"), "these processes run freely", "what is owed to free processes is said by claims: `must: finishes`" }
    /// A meeting in a story.
    meet_in_story() { "a story needs no meetings", "each step waits for the one before", "remove it, or use `processes:`" }
    /// A meeting of one.
    lonely_meeting(name: &str) { format!("only one process ever comes to the meeting `{name}`"), "it would wait for nobody", "let another process meet there, or remove it" }
    /// Different numbers of visits.
    uneven_meeting(name: &str, first: &str, second: &str) { format!("{first} and {second} come to the meeting `{name}` a different number of times"), "somebody would wait for ever", "let all that meet there do so equally often" }
    /// Crossing meetings.
    crossing_meetings(first: &str, second: &str) { format!("some come to `{first}` before `{second}`, and some the other way round"), "all would wait for ever", "let all come to them in the same order" }
    /// Both payloads, or none.
    payload(what: &str) { format!("a `{what}` has either `text:` or `size:`"), "this has both or neither", format!("as `{what}: hello` or `{what}: {{ size: 64 }}`") }
    /// How memory is accessed.
    memory_access(why: &str) { format!("{why}"), "here", "`bits:` is 8, 16, 32 or 64, at an offset `at:` that is a multiple of it; a store is `relaxed`, `release` or `seq_cst`, a load `relaxed`, `acquire` or `seq_cst`" }
    /// Texts and stamps on one channel.
    mixed_payloads(channel: &str) { format!("`{channel}` carries texts and sizes"), "the other kind", "bytes asked for by size are stamped, and nobody could tell them from texts: use one kind a channel" }
    /// O_NONBLOCK is shared.
    shared_nonblocking(channel: &str) { format!("several processes share the descriptor of `{channel}`, and with it O_NONBLOCK"), "it would change for all of them", "let one process alone hold that end, or use a story" }
    /// Needs by_name.
    needs_by_name(what: &str) { format!("`{what}` is for scenarios in which processes attach by name"), "all is open already", "add `attach: by_name`, or remove the step" }
    /// by_name without opening.
    nobody_attaches() { "`attach: by_name`, but no step opens, binds or connects anything", "nobody would hold a channel", "add `open:` steps, or remove it" }
    /// Amount name.
    unknown_amount(name: &str, known: &[&str]) { format!("`{name}` is neither a limit nor a parameter of `vary`"), "not known", suggest(name, known.iter().copied()) }
    /// Parameter named like a limit.
    parameter_is_limit(name: &str) { format!("`{name}` is the name of a limit"), "cannot be a parameter", "give the parameter another name" }
    /// vary without values.
    no_values(name: &str) { format!("`{name}` has no values"), "an empty list", "list at least one" }
    /// The same instance twice.
    value_twice(name: &str, value: &str) { format!("`{name}` has the value `{value}` twice"), "the second one", "remove it: instances have different ids" }
    /// Nobody uses the parameter.
    unused_parameter(name: &str) { format!("nobody uses the parameter `{name}`"), "varied here", "remove it, or use it as an amount" }
    /// runs in a story.
    runs_in_story() { "`runs:` is for races of `processes:`", "a story has but one order", "remove it, or use `processes:`" }
    /// runs of zero.
    no_runs() { "`runs:` has to be at least 1", "here", "as `runs: 200`" }
    /// orders where it does not fit.
    orders_misplaced() { "`orders:` is for `processes:` without `runs:`", "not here", "remove one of the two" }
    /// No such claim.
    unknown_claim(name: &str, known: &[&str]) { format!("there is no claim `{name}`"), "not known", suggest(name, known.iter().copied()) }
    /// A claim twice.
    claim_twice(name: &str) { format!("`{name}` is claimed twice"), "the second one", "remove it" }
    /// A claim on the wrong ability.
    claim_misplaced(claim: &str, why: &str) { format!("`{claim}` cannot be claimed here"), "this claim", why }
    /// No such section.
    unknown_section(name: &str, known: &[&str]) { format!("nobody enters a section `{name}`"), "not known", suggest(name, known.iter().copied()) }
    /// enter without leave.
    uneven_section(name: &str, process: &str) { format!("{process} does not leave `{name}` as often as it enters"), "here", "pair every `enter` with a `leave`" }
    /// No such result.
    unknown_result(name: &str, known: &[&str]) { format!("no step records a result `{name}`"), "not known", suggest(name, known.iter().copied()) }
    /// A control changes what is not varied.
    control_changes(name: &str, known: &[&str]) { format!("the control changes `{name}`, which is no parameter of `vary`"), "not varied", suggest(name, known.iter().copied()) }
    /// A control breaks what is not claimed.
    control_breaks(name: &str, known: &[&str]) { format!("the control is to break `{name}`, which is not claimed"), "not claimed", suggest(name, known.iter().copied()) }
    /// A control of a story.
    control_in_story() { "a story needs no control", "every expectation of a story can fail", "remove it" }
    /// A race that cannot fail.
    race_without_control() { "nothing shows that these processes collide", "a race without `control:` and without `seen:`", "add a `control:` under which a claim has to break, or a `seen:` outcome" }
    /// Nothing is claimed.
    nothing_owed() { "these processes owe nothing", "no claim", "add `must:` with at least one claim" }
    /// Time.
    within_range() { "`within:` has to lie between 1ms and 10 minutes", "here", "as `within: 2s`" }
    /// No such need.
    unknown_need(name: &str, known: &[&str]) { format!("nobody knows the need `{name}`"), "not known", suggest(name, known.iter().copied()) }
    /// elsewhere without a verdict.
    elsewhere_verdict() { "an `elsewhere` note says either `skip: true` or `expect: broken`", "neither, or both", "add one" }
    /// No such platform.
    unknown_platform(name: &str, known: &[&str]) { format!("there is no platform `{name}`"), "not known", suggest(name, known.iter().copied()) }
    /// Too many.
    too_many(what: &str, count: u64, limit: u64) { format!("{count} {what} are too many: at most {limit}"), "here", "make it smaller" }
    /// No end to see.
    no_end(mechanisms: &str) { format!("{mechanisms} has no end that a receiver could see"), "never given", "use a mechanism with an end of stream, or count messages" }
    /// An id that is none.
    bad_id(id: &str, why: &str) { format!("`{id}` cannot be the id of a scenario"), "the file's path", why }
}
