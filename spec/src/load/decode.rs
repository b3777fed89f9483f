//! The second pass: serde_yaml decodes the file piece by piece, so that one bad piece does not hide another.

use super::{
    complaint::{self, Complaint},
    steps,
    syntax::Node,
};
use crate::{
    Ability, Amount, Mechanism, errno,
    operation::Timeout,
    scenario::{
        Body, Channel, Claim, ClaimOn, Control, Done, Elsewhere, Ending, Grade, GradedClaim, NamedResult, Need, Orders,
        Scenario, Source, Span, WITHIN_DEFAULT,
    },
    vocabulary::{Feature, MECHANISMS},
};
use serde::de::DeserializeOwned;
use serde_path_to_error::Segment;
use serde_yaml::Value;
use std::{collections::BTreeMap, sync::Arc};

/// The keys of a scenario.
pub(crate) const KEYS: &[&str] = &[
    "title",
    "because",
    "cites",
    "mechanisms",
    "attach",
    "channels",
    "story",
    "processes",
    "runs",
    "orders",
    "vary",
    "must",
    "should",
    "may",
    "control",
    "needs",
    "within",
    "elsewhere",
];

/// The claims, as a file names them.
pub(crate) const CLAIMS: &[&str] =
    &["complete", "exactly_once", "in_order", "whole", "by_priority", "excludes", "ends", "never", "seen", "finishes"];

/// A value of serde_yaml and the node that it came from.
#[derive(Clone, Copy)]
pub(super) struct Piece<'a> {
    pub(super) value: &'a Value,
    pub(super) node: &'a Node,
}

impl<'a> Piece<'a> {
    pub(super) fn get(self, key: &str) -> Option<Self> {
        Some(Self { value: self.value.get(key)?, node: self.node.get(key)? })
    }

    pub(super) fn items(self) -> Vec<Self> {
        let values = self.value.as_sequence().map(Vec::as_slice).unwrap_or_default();
        values.iter().zip(self.node.items()).map(|(value, node)| Self { value, node }).collect()
    }

    /// Keys, their nodes, and their values, in the order of the file.
    pub(super) fn entries(self) -> Vec<(&'a str, &'a Node, Self)> {
        let values = self.value.as_mapping();
        self.node
            .entries()
            .iter()
            .filter_map(|(key, node)| {
                let text = key.text()?;
                let value = values?.iter().find(|(known, _)| key_text(known) == text).map(|(_, value)| value)?;
                Some((text, key, Self { value, node }))
            })
            .collect()
    }

    pub(super) fn span(self) -> Span {
        self.node.span
    }
}

/// A key as it stands in the file: numbers and booleans are keys as well.
fn key_text(key: &Value) -> String {
    match key {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Bool(value) => value.to_string(),
        _ => String::new(),
    }
}

/// Decodes a piece by serde_yaml; a failure becomes a complaint at the place it is about.
pub(super) fn piece<T: DeserializeOwned>(piece: Piece<'_>, complaints: &mut Vec<Complaint>) -> Option<T> {
    value(piece.value.clone(), piece.node, complaints)
}

/// The same for a value that was made from a node's.
pub(super) fn value<T: DeserializeOwned>(value: Value, node: &Node, complaints: &mut Vec<Complaint>) -> Option<T> {
    match serde_path_to_error::deserialize(value) {
        Ok(decoded) => Some(decoded),
        Err(error) => {
            let mut place = node;
            for segment in error.path() {
                let next = match segment {
                    Segment::Map { key } => place.get(key),
                    Segment::Seq { index } => place.items().get(*index),
                    _ => None,
                };
                place = next.unwrap_or(place);
            }
            complaints.push(decode_error(place, &error.into_inner().to_string()));
            None
        }
    }
}

/// serde's own words, with the place and the suggestion that it does not give.
fn decode_error(place: &Node, message: &str) -> Complaint {
    if let Some(rest) = message.strip_prefix("unknown field `")
        && let Some((key, rest)) = rest.split_once('`')
    {
        let known: Vec<&str> = rest.split('`').skip(1).step_by(2).collect();
        let span = place.entry(key).map_or(place.span, |(key, _)| key.span);
        return complaint::unknown_key(span, key, "this", &known);
    }
    if let Some(rest) = message.strip_prefix("unknown variant `")
        && let Some((word, rest)) = rest.split_once('`')
    {
        let known: Vec<&str> = rest.split('`').skip(1).step_by(2).collect();
        let near = complaint::nearest(word, known.iter().copied());
        let hint =
            near.map_or_else(|| format!("known are {}", known.join(", ")), |near| format!("did you mean `{near}`?"));
        let mut complaint = complaint::wrong_value(place.span, &format!("`{word}` is not known here"));
        complaint.help = hint;
        return complaint;
    }
    complaint::wrong_value(place.span, message)
}

/// Decodes a scenario. `None` where too little is there to go on with.
pub(super) fn scenario(
    id: &str,
    source: &Arc<Source>,
    tree: &Node,
    complaints: &mut Vec<Complaint>,
) -> Option<Scenario> {
    if tree.text() == Some("") {
        complaints.push(complaint::empty_file(tree.span));
        return None;
    }
    let whole: Value = match serde_yaml::from_str(&source.text) {
        Ok(value) => value,
        Err(error) => {
            let start = error.location().map_or(0, |location| location.index());
            let message = error.to_string();
            // A number that fits no type of serde's is no mistake of syntax.
            let number = message.contains("128").then(|| message.split('`').nth(1)).flatten();
            complaints.push(match number {
                Some(number) => complaint::wrong_value(
                    Span { start, end: start + number.len() },
                    &format!("`{number}` overflows: amounts lie between 0 and 2^63 - 1"),
                ),
                None => complaint::broken_syntax(Span { start, end: start + 1 }, &message),
            });
            return None;
        }
    };
    let root = Piece { value: &whole, node: tree };
    if !whole.is_mapping() {
        complaints.push(complaint::not_a_map(tree.span, "a scenario"));
        return None;
    }
    for (key, node, _) in root.entries() {
        if !KEYS.contains(&key) {
            complaints.push(complaint::unknown_key(node.span, key, "a scenario", KEYS));
        }
    }
    let start = Span { start: tree.span.start, end: tree.span.start };
    let title = text(root, "title", start, "one sentence that states the guarantee", complaints);
    let because = text(root, "because", start, "say why a programmer cares", complaints);
    let cites = cites(root, start, complaints);
    let mechanisms = mechanisms(root, start, complaints);
    let channels = channels(root, complaints);
    let attach = optional(root, "attach", complaints).unwrap_or_default();
    let default_channel = match channels.keys().collect::<Vec<_>>().as_slice() {
        [only] => Some((*only).clone()),
        _ => None,
    };
    let parameters: Vec<&str> =
        root.get("vary").map(|vary| vary.entries().iter().map(|(name, ..)| *name).collect()).unwrap_or_default();
    let context = steps::Context { channels: &channels, default_channel: default_channel.as_deref(), parameters };
    let body = body(root, start, &context, complaints);
    let mut claims = Vec::new();
    for (key, grade) in [("must", Grade::Must), ("should", Grade::Should), ("may", Grade::May)] {
        if let Some(found) = root.get(key) {
            self::claims(found, grade, default_channel.as_deref(), &channels, &mut claims, complaints);
        }
    }
    let scenario = Scenario {
        id: id.to_owned(),
        source: Arc::clone(source),
        title: title.unwrap_or_default(),
        because: because.unwrap_or_default(),
        cites,
        mechanisms,
        attach,
        runs: optional(root, "runs", complaints),
        vary: vary(root, complaints),
        claims,
        control: root.get("control").and_then(|control| self::control(control, complaints)),
        needs: root.get("needs").map(|needs| self::needs(needs, complaints)).unwrap_or_default(),
        within: optional::<Timeout>(root, "within", complaints).unwrap_or(WITHIN_DEFAULT),
        elsewhere: elsewhere(root, complaints),
        body: body?,
        channels,
    };
    Some(scenario)
}

fn optional<T: DeserializeOwned>(root: Piece<'_>, key: &str, complaints: &mut Vec<Complaint>) -> Option<T> {
    piece(root.get(key)?, complaints)
}

fn text(root: Piece<'_>, key: &str, start: Span, why: &str, complaints: &mut Vec<Complaint>) -> Option<String> {
    let Some(found) = root.get(key) else {
        complaints.push(complaint::missing_key(start, key, why));
        return None;
    };
    match found.value.as_str() {
        Some(text) if text.trim().is_empty() => {
            complaints.push(complaint::empty_text(found.span(), &format!("`{key}`")));
            None
        }
        Some(text) => Some(text.trim().to_owned()),
        None => {
            complaints.push(complaint::not_a_text(found.span(), &format!("`{key}`")));
            None
        }
    }
}

fn cites(root: Piece<'_>, start: Span, complaints: &mut Vec<Complaint>) -> Vec<String> {
    let Some(found) = root.get("cites") else {
        complaints.push(complaint::missing_key(
            start,
            "cites",
            "say where it is promised: a POSIX page, a manual page, a link",
        ));
        return Vec::new();
    };
    if found.value.as_sequence().is_none_or(Vec::is_empty) {
        complaints.push(complaint::not_a_list(found.span(), "`cites`"));
        return Vec::new();
    }
    for cite in found.items() {
        if cite.value.as_str().is_none_or(|text| text.trim().is_empty()) {
            complaints.push(complaint::empty_text(cite.span(), "a citation"));
        }
    }
    found.items().iter().filter_map(|cite| cite.value.as_str()).map(|text| text.trim().to_owned()).collect()
}

fn mechanisms(root: Piece<'_>, start: Span, complaints: &mut Vec<Complaint>) -> Vec<Mechanism> {
    let known: Vec<&str> = MECHANISMS.iter().map(|row| row.name).collect();
    let Some(found) = root.get("mechanisms") else {
        complaints.push(complaint::missing_key(
            start,
            "mechanisms",
            "list what the guarantee holds for, as `[pipe, fifo]`",
        ));
        return Vec::new();
    };
    if found.value.as_sequence().is_none_or(Vec::is_empty) {
        complaints.push(complaint::not_a_list(found.span(), "`mechanisms`"));
        return Vec::new();
    }
    let mut mechanisms = Vec::new();
    for item in found.items() {
        let name = item.node.text().unwrap_or_default();
        match Mechanism::from_name(name) {
            None => complaints.push(complaint::unknown_mechanism(item.span(), name, &known)),
            Some(mechanism) if mechanisms.contains(&mechanism) => {
                complaints.push(complaint::mechanism_twice(item.span(), name));
            }
            Some(mechanism) => mechanisms.push(mechanism),
        }
    }
    mechanisms
}

fn channels(root: Piece<'_>, complaints: &mut Vec<Complaint>) -> BTreeMap<String, Channel<Amount>> {
    let known: Vec<&str> = Ability::ALL.iter().map(|ability| ability.name()).collect();
    let mut channels = BTreeMap::new();
    let Some(found) = root.get("channels") else { return channels };
    if !found.value.is_mapping() {
        complaints.push(complaint::not_a_map(found.span(), "`channels`"));
    }
    for (name, key, entry) in found.entries() {
        if !is_name(name) {
            complaints.push(complaint::bad_name(key.span, "a channel", name));
        }
        let ability = |word: &str| Ability::ALL.into_iter().find(|ability| ability.name() == word);
        let channel = match entry.value {
            Value::String(word) => match ability(word) {
                Some(is) => Some(Channel::plain(is)),
                None => {
                    complaints.push(complaint::unknown_ability(entry.span(), word, &known));
                    None
                }
            },
            Value::Mapping(_) => match entry.get("is") {
                Some(is) if is.value.as_str().and_then(ability).is_none() => {
                    complaints.push(complaint::unknown_ability(is.span(), is.node.text().unwrap_or_default(), &known));
                    None
                }
                Some(_) => piece(entry, complaints),
                None => {
                    complaints.push(complaint::missing_key(
                        entry.span(),
                        "is",
                        "say what the channel is, as `is: stream`",
                    ));
                    None
                }
            },
            _ => {
                complaints.push(complaint::not_a_map(entry.span(), "a channel"));
                None
            }
        };
        // A channel that could not be read is still declared: nobody is to be told that it is not.
        channels.insert(name.to_owned(), channel.unwrap_or_else(|| Channel::plain(Ability::Stream)));
    }
    channels
}

/// Whether a word can name a process, a channel, a section, a parameter, a result.
pub(super) fn is_name(word: &str) -> bool {
    word.starts_with(|first: char| first.is_ascii_lowercase())
        && word
            .chars()
            .all(|character| character.is_ascii_lowercase() || character.is_ascii_digit() || character == '_')
}

fn body(root: Piece<'_>, start: Span, context: &steps::Context<'_>, complaints: &mut Vec<Complaint>) -> Option<Body> {
    match (root.get("story"), root.get("processes")) {
        (None, None) => {
            complaints.push(complaint::no_body(start));
            None
        }
        (Some(_), Some(_)) => {
            let span = root.node.entry("processes").map_or(start, |(key, _)| key.span);
            complaints.push(complaint::two_bodies(span));
            None
        }
        (Some(story), None) => Some(Body::Story(steps::story(story, context, complaints))),
        (None, Some(processes)) => Some(Body::Processes {
            processes: steps::processes(processes, context, complaints),
            orders: optional::<Orders>(root, "orders", complaints).unwrap_or_default(),
        }),
    }
}

fn vary(root: Piece<'_>, complaints: &mut Vec<Complaint>) -> BTreeMap<String, Vec<Amount>> {
    let Some(found) = root.get("vary") else { return BTreeMap::new() };
    if !found.value.is_mapping() {
        complaints.push(complaint::not_a_map(found.span(), "`vary`"));
    }
    let mut vary = BTreeMap::new();
    for (name, key, entry) in found.entries() {
        if crate::limits::is_limit(name) {
            complaints.push(complaint::parameter_is_limit(key.span, name));
        } else if !is_name(name) {
            complaints.push(complaint::bad_name(key.span, "a parameter", name));
        }
        if entry.value.as_sequence().is_none() {
            complaints.push(complaint::not_a_list(entry.span(), &format!("`{name}`")));
            continue;
        }
        let mut values: Vec<Amount> = Vec::new();
        for item in entry.items() {
            let Some(value) = piece::<Amount>(item, complaints) else { continue };
            if values.contains(&value) {
                complaints.push(complaint::value_twice(item.span(), name, value.text()));
            } else {
                values.push(value);
            }
        }
        if entry.items().is_empty() {
            complaints.push(complaint::no_values(entry.span(), name));
        }
        vary.insert(name.to_owned(), values);
    }
    vary
}

fn claims(
    found: Piece<'_>,
    grade: Grade,
    default_channel: Option<&str>,
    channels: &BTreeMap<String, Channel<Amount>>,
    claims: &mut Vec<GradedClaim>,
    complaints: &mut Vec<Complaint>,
) {
    let items = if found.value.is_sequence() { found.items() } else { vec![found] };
    for item in items {
        let entries = item.entries();
        let (name, argument) = match (item.value, entries.as_slice()) {
            (Value::String(name), _) => (name.as_str(), None),
            (Value::Mapping(_), [(name, _, argument)]) => (*name, Some(*argument)),
            _ => {
                complaints.push(complaint::not_a_map(item.span(), "a claim (a word, or one key with its value)"));
                continue;
            }
        };
        if let Some(claim) = claim(item, name, argument, default_channel, channels, complaints) {
            claims.push(GradedClaim { grade, claim, span: item.span() });
        }
    }
}

fn claim(
    item: Piece<'_>,
    name: &str,
    argument: Option<Piece<'_>>,
    default_channel: Option<&str>,
    channels: &BTreeMap<String, Channel<Amount>>,
    complaints: &mut Vec<Complaint>,
) -> Option<Claim<Amount>> {
    let on = |complaints: &mut Vec<Complaint>| {
        let known: Vec<&str> = channels.keys().map(String::as_str).collect();
        let (channel, span) = match argument {
            Some(argument) => (argument.node.text(), argument.span()),
            None => (default_channel, item.span()),
        };
        match channel {
            Some(channel) if channels.contains_key(channel) => Some(ClaimOn { channel: channel.to_owned() }),
            Some(channel) => {
                complaints.push(complaint::unknown_channel(span, channel, &known));
                None
            }
            None => {
                complaints.push(complaint::which_channel(span, &known));
                None
            }
        }
    };
    let needs = |what: &str, complaints: &mut Vec<Complaint>| {
        if argument.is_none() {
            complaints.push(complaint::missing_key(item.span(), name, what));
        }
        argument
    };
    Some(match name {
        "complete" => Claim::Complete(on(complaints)?),
        "exactly_once" => Claim::ExactlyOnce(on(complaints)?),
        "in_order" => Claim::InOrder(on(complaints)?),
        "whole" => Claim::Whole(on(complaints)?),
        "by_priority" => Claim::ByPriority(on(complaints)?),
        "finishes" => Claim::Finishes,
        "excludes" => {
            Claim::Excludes(piece(needs("name the section, as `excludes: critical`", complaints)?, complaints)?)
        }
        "never" => {
            let named = needs("name results, as `never: {a: 0, b: 0}`", complaints)?;
            Claim::Never(named_results(named, complaints)?)
        }
        "seen" => {
            let named = needs("name results, as `seen: {a: 1, b: done}`", complaints)?;
            Claim::Seen(named_results(named, complaints)?)
        }
        "ends" => {
            let argument = needs("name processes, as `ends: {writer: SIGPIPE}`", complaints)?;
            let mut endings = BTreeMap::new();
            for (process, _, ending) in argument.entries() {
                let ending = match ending.value {
                    Value::String(text) if text.starts_with("SIG") => Ending::Signal(piece(ending, complaints)?),
                    _ => Ending::Status(piece(ending, complaints)?),
                };
                endings.insert(process.to_owned(), ending);
            }
            Claim::Ends(endings)
        }
        _ => {
            let span = item.node.entries().first().map_or(item.span(), |(key, _)| key.span);
            complaints.push(complaint::unknown_claim(span, name, CLAIMS));
            return None;
        }
    })
}

/// Results by name: a number, an error, or `done`.
fn named_results(found: Piece<'_>, complaints: &mut Vec<Complaint>) -> Option<BTreeMap<String, NamedResult<Amount>>> {
    if !found.value.is_mapping() {
        complaints.push(complaint::not_a_map(found.span(), "a claim about results"));
        return None;
    }
    let mut results = BTreeMap::new();
    for (name, _, result) in found.entries() {
        let result = match result.value {
            Value::String(text) if text == "done" => NamedResult::Done(Done::Done),
            Value::String(text) if errno::NAMES.contains(&text.as_str()) => {
                NamedResult::Failed(piece(result, complaints)?)
            }
            _ => NamedResult::Number(piece(result, complaints)?),
        };
        results.insert(name.to_owned(), result);
    }
    Some(results)
}

fn control(found: Piece<'_>, complaints: &mut Vec<Complaint>) -> Option<Control> {
    for (key, node, _) in found.entries() {
        if !["change", "breaks"].contains(&key) {
            complaints.push(complaint::unknown_key(node.span, key, "a control", &["change", "breaks"]));
        }
    }
    let mut part = |key: &str, why: &str| {
        let part = found.get(key);
        if part.is_none() {
            complaints.push(complaint::missing_key(found.span(), key, why));
        }
        part
    };
    let change = part("change", "say which parameter becomes what, as `change: {size: PIPE_BUF + 1}`")?;
    let breaks = part("breaks", "name the claim that then has to break, as `breaks: whole`")?;
    Some(Control { change: piece(change, complaints)?, breaks: piece(breaks, complaints)?, span: found.span() })
}

/// The features by their names in `needs:`.
pub(super) fn feature(name: &str) -> Option<Feature> {
    serde_yaml::from_value(Value::String(name.to_owned())).ok()
}

/// Capabilities of agents that a scenario may need.
pub(super) const CAPABILITIES: &[&str] = &["shared_meeting", "copies", "users"];

fn needs(found: Piece<'_>, complaints: &mut Vec<Complaint>) -> Vec<Need> {
    let mut needs = Vec::new();
    if !found.value.is_sequence() {
        complaints.push(complaint::not_a_list(found.span(), "`needs`"));
    }
    for item in found.items() {
        if let Some(processors) = item.get("processors") {
            needs.extend(piece::<u64>(processors, complaints).map(Need::Processors));
            continue;
        }
        let name = item.node.text().unwrap_or_default();
        if let Some(feature) = feature(name) {
            needs.push(Need::Feature(feature));
        } else if CAPABILITIES.contains(&name) {
            needs.push(Need::Capability(name.to_owned()));
        } else {
            let known = [
                "processors",
                "shared_meeting",
                "copies",
                "users",
                "names",
                "timeout",
                "priority",
                "two_way",
                "attributes",
            ];
            complaints.push(complaint::unknown_need(item.span(), name, &known));
        }
    }
    needs
}

fn elsewhere(root: Piece<'_>, complaints: &mut Vec<Complaint>) -> Vec<Elsewhere> {
    let Some(found) = root.get("elsewhere") else { return Vec::new() };
    if !found.value.is_sequence() {
        complaints.push(complaint::not_a_list(found.span(), "`elsewhere`"));
    }
    found.items().into_iter().filter_map(|item| piece(item, complaints)).collect()
}
