//! Decoding of stories and of processes: lines, operations, expectations.

mod table;

use super::{
    complaint::{self, Complaint},
    decode::{self, Piece, is_name},
};
use crate::{
    Amount, Operation,
    operation::{OPERATIONS, OperationRow, Scope},
    scenario::{Action, Channel, Expect, Expected, Line, Process, Span, Step},
};
use serde::de::DeserializeOwned;
use serde_yaml::{Mapping, Value};
use std::collections::BTreeMap;

/// The keys of a step that are no operations.
const EXPECTATIONS: &[&str] = &["gives", "fails", "blocks", "dies"];
const OTHERS: &[&str] = &["resumes", "still", "record", "channel"];

/// What steps are decoded against.
pub(super) struct Context<'c> {
    pub(super) channels: &'c BTreeMap<String, Channel<Amount>>,
    pub(super) default_channel: Option<&'c str>,
    /// The parameters of `vary`: as expected values they are amounts, not texts.
    pub(super) parameters: Vec<&'c str>,
}

/// The lines of a story.
pub(super) fn story(found: Piece<'_>, context: &Context<'_>, complaints: &mut Vec<Complaint>) -> Vec<Line> {
    if !found.value.is_sequence() {
        complaints.push(complaint::not_a_list(found.span(), "`story`"));
    } else if found.items().is_empty() {
        complaints.push(complaint::empty_body(found.span(), "story"));
    }
    found
        .items()
        .into_iter()
        .flat_map(|item| {
            let entries = item.entries();
            let [(process, key, step)] = entries.as_slice() else {
                complaints.push(complaint::line_shape(item.span()));
                return Vec::new();
            };
            if !step.value.is_mapping() {
                complaints.push(complaint::line_shape(item.span()));
                return Vec::new();
            }
            if !is_name(process) {
                complaints.push(complaint::bad_name(key.span, "a process", process));
            }
            match step.get("table") {
                Some(operation) => table::lines(process, *step, operation, context, complaints),
                None => line(process, *step, item.span(), context, complaints).into_iter().collect(),
            }
        })
        .collect()
}

/// The processes that run freely.
pub(super) fn processes(found: Piece<'_>, context: &Context<'_>, complaints: &mut Vec<Complaint>) -> Vec<Process> {
    if !found.value.is_mapping() {
        complaints.push(complaint::not_a_map(found.span(), "`processes`"));
    } else if found.entries().is_empty() {
        complaints.push(complaint::empty_body(found.span(), "processes"));
    }
    let mut processes = Vec::new();
    for (name, key, entry) in found.entries() {
        if !is_name(name) {
            complaints.push(complaint::bad_name(key.span, "a process", name));
        }
        let (count, list) = if entry.value.is_mapping() {
            for (word, node, _) in entry.entries() {
                if !["count", "steps"].contains(&word) {
                    complaints.push(complaint::unknown_key(node.span, word, "a process", &["count", "steps"]));
                }
            }
            let count = entry.get("count").and_then(|count| decode::piece::<Amount>(count, complaints));
            let Some(list) = entry.get("steps") else {
                complaints.push(complaint::missing_key(entry.span(), "steps", "list what the process does"));
                continue;
            };
            (count.unwrap_or_else(|| Amount::number(1)), list)
        } else {
            (Amount::number(1), entry)
        };
        let steps = steps(name, list, context, complaints);
        processes.push(Process { name: name.to_owned(), count, steps, span: key.span });
    }
    processes
}

fn steps(process: &str, list: Piece<'_>, context: &Context<'_>, complaints: &mut Vec<Complaint>) -> Vec<Step> {
    if !list.value.is_sequence() {
        complaints.push(complaint::not_a_list(list.span(), &format!("what {process} does")));
    } else if list.items().is_empty() {
        complaints.push(complaint::empty_body(list.span(), process));
    }
    list.items()
        .into_iter()
        .filter_map(|item| match item.get("repeat") {
            Some(repeat) => self::repeat(process, item, repeat, context, complaints),
            None if item.value.is_mapping() => line(process, item, item.span(), context, complaints).map(Step::One),
            None => {
                complaints.push(complaint::not_a_map(item.span(), "a step"));
                None
            }
        })
        .collect()
}

fn repeat(
    process: &str,
    item: Piece<'_>,
    repeat: Piece<'_>,
    context: &Context<'_>,
    complaints: &mut Vec<Complaint>,
) -> Option<Step> {
    for (key, node, _) in repeat.entries() {
        if !["times", "steps"].contains(&key) {
            complaints.push(complaint::unknown_key(node.span, key, "a repeat", &["times", "steps"]));
        }
    }
    let mut part = |key: &str, why: &str| {
        let part = repeat.get(key);
        if part.is_none() {
            complaints.push(complaint::missing_key(item.span(), key, why));
        }
        part
    };
    let times = part("times", "say how often, as `times: 100`")?;
    let list = part("steps", "list what is repeated")?;
    let times = decode::piece(times, complaints)?;
    Some(Step::Repeat { times, steps: steps(process, list, context, complaints), span: item.span() })
}

/// One step of a process.
fn line(
    process: &str,
    step: Piece<'_>,
    span: Span,
    context: &Context<'_>,
    complaints: &mut Vec<Complaint>,
) -> Option<Line> {
    let entries = step.entries();
    let asks: Vec<&(&str, &super::syntax::Node, Piece<'_>)> =
        entries.iter().filter(|(key, ..)| is_action(key)).collect();
    for (key, node, _) in &entries {
        if !is_action(key) && !EXPECTATIONS.contains(key) && !OTHERS.contains(key) {
            let known: Vec<&str> = OPERATIONS
                .iter()
                .map(|row| row.name)
                .chain(EXPECTATIONS.iter().copied())
                .chain(OTHERS.iter().copied())
                .collect();
            complaints.push(complaint::unknown_operation(node.span, key, &known));
            return None;
        }
    }
    let (name, key, argument) = match asks.as_slice() {
        [] => {
            complaints.push(complaint::no_operation(span, "as `write: hello`, `read: 64`, or `resumes: NAME`"));
            return None;
        }
        [one] => **one,
        [first, second, ..] => {
            complaints.push(complaint::two_operations(second.1.span, first.0, second.0));
            return None;
        }
    };
    let (expect, expect_span) = expectation(step, span, context, complaints);
    let record: Option<String> = step.get("record").and_then(|record| decode::piece(record, complaints));
    let expect = match expect {
        Some(expect) => expect,
        None if record.is_some() && name != "resumes" && name != "still" => Expect::Anything,
        None if record.is_some() => Expect::Anything,
        None => Expect::Succeeds,
    };
    let action = match name {
        "resumes" => Action::Resumes(decode::piece(argument, complaints)?),
        "still" => Action::Still(decode::piece(argument, complaints)?),
        _ => {
            let row = OperationRow::from_name(name)?;
            let operation = operation(row, argument, complaints)?;
            let channel = channel(row, &operation, step, key.span, context, complaints)?;
            Action::Do { operation, channel }
        }
    };
    Some(Line { process: process.to_owned(), action, expect, record, span, expect_span })
}

fn is_action(key: &str) -> bool {
    key == "resumes" || key == "still" || OperationRow::from_name(key).is_some()
}

/// What is expected of a step, and where that stands.
fn expectation(
    step: Piece<'_>,
    span: Span,
    context: &Context<'_>,
    complaints: &mut Vec<Complaint>,
) -> (Option<Expect<Amount>>, Span) {
    let mut found = step.entries().into_iter().filter(|(key, ..)| EXPECTATIONS.contains(key));
    let Some((key, node, value)) = found.next() else { return (None, span) };
    if let Some((second, node, _)) = found.next() {
        complaints.push(complaint::two_expectations(node.span, key, second));
    }
    let place = Span { start: node.span.start, end: value.span().end };
    let expect = match key {
        "gives" => expected(value, context, complaints).map(Expect::Gives),
        "fails" if value.value.is_sequence() => decode::piece(value, complaints).map(Expect::Fails),
        "fails" => decode::piece(value, complaints).map(|errno| Expect::Fails(vec![errno])),
        "blocks" => decode::piece(value, complaints).map(Expect::Blocks),
        _ => decode::piece(value, complaints).map(Expect::Dies),
    };
    // What could not be read is no reason to complain that nothing was expected.
    (Some(expect.unwrap_or(Expect::Anything)), place)
}

fn expected(found: Piece<'_>, context: &Context<'_>, complaints: &mut Vec<Complaint>) -> Option<Expected<Amount>> {
    Some(match found.value {
        Value::String(text) if text == "end" => Expected::End,
        // Limits and parameters are amounts, all other words are texts.
        Value::String(text) => match text.parse::<Amount>() {
            Ok(amount) if looks_like_amount(text, &context.parameters) => Expected::Number(amount),
            _ => Expected::Text(text.clone()),
        },
        Value::Number(_) => Expected::Number(decode::piece(found, complaints)?),
        Value::Sequence(_) => {
            Expected::List(found.items().into_iter().filter_map(|item| expected(item, context, complaints)).collect())
        }
        Value::Mapping(_) => Expected::Parts(decode::piece(found, complaints)?),
        Value::Bool(_) | Value::Null | Value::Tagged(_) => {
            complaints.push(complaint::wrong_value(
                found.span(),
                "a text, a number, `end`, a list or a map of parts is expected here",
            ));
            return None;
        }
    })
}

/// Whether a text that could be an amount is meant as one: it names a limit, or calculates.
fn looks_like_amount(text: &str, parameters: &[&str]) -> bool {
    let words: Vec<&str> = text.split([' ', '+', '-', '*']).filter(|word| !word.is_empty()).collect();
    words.iter().any(|word| crate::limits::is_limit(word) || parameters.contains(word))
        || (words.len() > 1 && text.contains(['+', '*', '-']) && words.iter().any(|word| word.parse::<u64>().is_ok()))
}

/// Decodes an operation's arguments; a bare value stands for the obvious one.
fn operation(row: &OperationRow, argument: Piece<'_>, complaints: &mut Vec<Complaint>) -> Option<Operation<Amount>> {
    let single = |key: &str, value: Value| {
        let mut mapping = Mapping::new();
        mapping.insert(Value::String(key.to_owned()), value);
        Value::Mapping(mapping)
    };
    let bare = match argument.value {
        Value::Mapping(_) => None,
        Value::String(_) => Some(row.text),
        Value::Number(_) => Some(row.number.or(row.text)),
        Value::Sequence(_) => Some(row.list),
        Value::Null | Value::Bool(_) => Some(None),
        Value::Tagged(_) => None,
    };
    let value = match (bare, argument.value) {
        (None, value) => value.clone(),
        (Some(Some(key)), Value::Number(number)) if row.number.is_none() => {
            single(key, Value::String(number.to_string()))
        }
        (Some(Some(key)), value) => single(key, value.clone()),
        // `sigpending:` and the like take nothing: `sigpending: {}`, or nothing, or `true`.
        (Some(None), Value::Null | Value::Bool(true)) => Value::Mapping(Mapping::new()),
        (Some(None), _) => {
            let name = row.name;
            complaints
                .push(complaint::wrong_value(argument.span(), &format!("`{name}` takes a map of arguments here")));
            return None;
        }
    };
    decode_operation(row.name, value, argument, complaints)
}

fn decode_operation(
    name: &str,
    value: Value,
    argument: Piece<'_>,
    complaints: &mut Vec<Complaint>,
) -> Option<Operation<Amount>> {
    fn arguments<T: DeserializeOwned>(value: Value, argument: Piece<'_>, complaints: &mut Vec<Complaint>) -> Option<T> {
        decode::value(value, argument.node, complaints)
    }
    macro_rules! by_name {
        ($($word:literal => $variant:ident,)*) => {
            match name {
                $($word => arguments(value, argument, complaints).map(Operation::$variant),)*
                _ => None,
            }
        };
    }
    by_name! {
        "open" => Open, "close" => Close, "unlink" => Unlink, "set_nonblocking" => SetNonblocking,
        "write" => Write, "read" => Read, "fill" => Fill, "shutdown" => Shutdown,
        "send" => Send, "receive" => Receive, "attributes" => Attributes,
        "bind" => Bind, "listen" => Listen, "connect" => Connect, "accept" => Accept,
        "wait" => Wait, "post" => Post, "value" => Value, "semop" => Semop, "seal" => Seal,
        "lock" => Lock, "unlock" => Unlock, "consistent" => Consistent,
        "wait_on" => WaitOn, "wait_on_any" => WaitOnAny, "notify" => Notify, "requeue" => Requeue, "arrive" => Arrive,
        "store" => Store, "load" => Load, "fetch_add" => FetchAdd, "compare_exchange" => CompareExchange, "fence" => Fence, "resize" => Resize,
        "poll" => Poll, "epoll_add" => EpollAdd, "epoll_wait" => EpollWait,
        "send_handle" => SendHandle, "receive_handle" => ReceiveHandle,
        "kill" => Kill, "sigqueue" => Sigqueue, "sigmask" => Sigmask, "sigaction" => Sigaction, "sigwait" => Sigwait,
        "sigsuspend" => Sigsuspend, "sigpending" => Sigpending, "caught" => Caught,
        "fork" => Fork, "waitpid" => Waitpid, "setrlimit" => Setrlimit, "mq_notify" => MqNotify, "pass_credentials" => PassCredentials, "send_credentials" => SendCredentials, "receive_credentials" => ReceiveCredentials, "peer_credentials" => PeerCredentials, "unread" => Unread, "set_capacity" => SetCapacity, "sigaltstack" => Sigaltstack, "signalfd" => Signalfd, "signalfd_read" => SignalfdRead, "pidfd_open" => PidfdOpen, "pidfd_send_signal" => PidfdSendSignal, "pidfd_poll" => PidfdPoll, "setpgid" => Setpgid, "exec" => Exec, "change_user" => ChangeUser, "exit" => Exit, "enter" => Enter, "leave" => Leave, "meet" => Meet,
    }
}

/// The channel a step is about: named in its arguments, beside them, or the only one there is.
#[expect(clippy::option_option, reason = "the outer is a failure, the inner an operation without a channel")]
fn channel(
    row: &OperationRow,
    operation: &Operation<Amount>,
    step: Piece<'_>,
    span: Span,
    context: &Context<'_>,
    complaints: &mut Vec<Complaint>,
) -> Option<Option<String>> {
    let known: Vec<&str> = context.channels.keys().map(String::as_str).collect();
    let beside: Option<(String, Span)> =
        step.get("channel").and_then(|found| Some((found.node.text()?.to_owned(), found.span())));
    let named = operation.channel().map(|name| (name.to_owned(), span)).or(beside);
    match (named, row.scope) {
        (Some((name, span)), _) if !context.channels.contains_key(&name) => {
            complaints.push(complaint::unknown_channel(span, &name, &known));
            None
        }
        (Some((name, _)), _) => Some(Some(name)),
        (None, Scope::Process) => Some(None),
        (None, Scope::Abilities([crate::Ability::Signals])) => Some(None),
        (None, _) => match context.default_channel {
            Some(name) => Some(Some(name.to_owned())),
            None => {
                complaints.push(complaint::which_channel(span, &known));
                None
            }
        },
    }
}
