//! The first pass: YAML events become a tree with spans, and what scenarios do not use is refused.

use super::complaint::{self, Complaint};
use crate::scenario::Span;
use saphyr_parser::{Event, Parser, ScalarStyle};

/// No scenario nests deeper than this.
const DEPTH_MAX: usize = 32;

/// Words that YAML 1.1 reads as booleans and YAML 1.2 does not.
const BOOLEAN_WORDS: &[&str] = &["y", "n", "yes", "no", "on", "off"];

/// A node of the file.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) span: Span,
    pub(super) kind: Kind,
}

/// What a node is.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    Scalar(String),
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
}

impl Node {
    pub(super) fn entries(&self) -> &[(Node, Node)] {
        match &self.kind {
            Kind::Map(entries) => entries,
            _ => &[],
        }
    }

    pub(super) fn items(&self) -> &[Node] {
        match &self.kind {
            Kind::List(items) => items,
            _ => &[],
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar(text) => Some(text),
            _ => None,
        }
    }

    /// The value of a key.
    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|(_, value)| value)
    }

    /// A key and its value.
    pub(super) fn entry(&self, key: &str) -> Option<&(Node, Node)> {
        self.entries().iter().find(|(known, _)| known.text() == Some(key))
    }

    /// The span of a key and its value together.
    pub(super) fn entry_span(&self, key: &str) -> Option<Span> {
        self.entry(key).map(|(key, value)| Span { start: key.span.start, end: value.span.end })
    }
}

/// Parses a text, with all complaints about its syntax. `None` where there is no tree to go on with.
pub(super) fn parse(text: &str, complaints: &mut Vec<Complaint>) -> Option<Node> {
    tabs(text, complaints);
    if !complaints.is_empty() {
        return None;
    }
    let mut builder = Builder::new(text);
    for event in Parser::new_from_str(text) {
        match event {
            Ok((event, span)) => {
                let span = builder.bytes(span);
                if !builder.take(event, span, complaints) {
                    return None;
                }
            }
            Err(error) => {
                let start = builder.byte(error.marker().index());
                complaints.push(complaint::broken_syntax(Span { start, end: start + 1 }, error.info()));
                return None;
            }
        }
    }
    match builder.root {
        Some(root) => Some(root),
        None => {
            complaints.push(complaint::empty_file(Span { start: 0, end: text.len() }));
            None
        }
    }
}

fn tabs(text: &str, complaints: &mut Vec<Complaint>) {
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let indent = line.len() - line.trim_start_matches([' ', '\t']).len();
        if let Some(tab) = line[..indent].find('\t')
            && !line.trim().is_empty()
        {
            complaints.push(complaint::tab_indent(Span { start: start + tab, end: start + tab + 1 }));
            return;
        }
        start += line.len();
    }
}

/// A list or a map that has not ended.
enum Open {
    List(Vec<Node>, usize),
    Map(Vec<(Node, Node)>, Option<Node>, usize),
}

struct Builder {
    /// The byte index of each character; the parser counts characters.
    offsets: Vec<usize>,
    open: Vec<Open>,
    root: Option<Node>,
    documents: usize,
    /// The end of the last node: block collections end where their last entry does.
    last_end: usize,
}

impl Builder {
    fn new(text: &str) -> Self {
        let mut offsets: Vec<usize> = text.char_indices().map(|(index, _)| index).collect();
        offsets.push(text.len());
        Self { offsets, open: Vec::new(), root: None, documents: 0, last_end: 0 }
    }

    fn byte(&self, character: usize) -> usize {
        self.offsets.get(character).or(self.offsets.last()).copied().unwrap_or(0)
    }

    fn bytes(&self, span: saphyr_parser::Span) -> Span {
        Span { start: self.byte(span.start.index()), end: self.byte(span.end.index()) }
    }

    /// Takes one event. Returns whether to go on.
    fn take(&mut self, event: Event<'_>, span: Span, complaints: &mut Vec<Complaint>) -> bool {
        match event {
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    complaints.push(complaint::second_document(span));
                    return false;
                }
            }
            Event::Alias(_) => {
                complaints.push(complaint::alias(span));
                self.add(Node { span, kind: Kind::Scalar(String::new()) }, complaints);
            }
            Event::Scalar(text, style, anchor, tag) => {
                refuse(anchor, tag.as_deref(), span, complaints);
                if style == ScalarStyle::Plain && BOOLEAN_WORDS.contains(&text.to_ascii_lowercase().as_str()) {
                    complaints.push(complaint::boolean_word(span, &text));
                }
                let end = if matches!(style, ScalarStyle::Literal | ScalarStyle::Folded) {
                    span.end
                } else {
                    span.end.max(span.start)
                };
                self.last_end = end;
                self.add(Node { span, kind: Kind::Scalar(text.into_owned()) }, complaints);
            }
            Event::SequenceStart(anchor, tag) => {
                refuse(anchor, tag.as_deref(), span, complaints);
                self.open.push(Open::List(Vec::new(), span.start));
            }
            Event::MappingStart(anchor, tag) => {
                refuse(anchor, tag.as_deref(), span, complaints);
                self.open.push(Open::Map(Vec::new(), None, span.start));
            }
            Event::SequenceEnd | Event::MappingEnd => {
                // Flow collections end with a bracket, block ones with nothing.
                let end = if span.end > span.start { span.end } else { self.last_end };
                self.last_end = end;
                let node = match self.open.pop() {
                    Some(Open::List(items, start)) => {
                        Node { span: Span { start, end: end.max(start) }, kind: Kind::List(items) }
                    }
                    Some(Open::Map(entries, _, start)) => {
                        Node { span: Span { start, end: end.max(start) }, kind: Kind::Map(entries) }
                    }
                    None => return true,
                };
                self.add(node, complaints);
            }
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
        }
        if self.open.len() > DEPTH_MAX {
            complaints.push(complaint::too_deep(span, DEPTH_MAX));
            return false;
        }
        true
    }

    fn add(&mut self, node: Node, complaints: &mut Vec<Complaint>) {
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(Open::List(items, _)) => items.push(node),
            Some(Open::Map(entries, key, _)) => match key.take() {
                Some(key) => entries.push((key, node)),
                None => {
                    match node.text() {
                        Some("<<") => complaints.push(complaint::merge_key(node.span)),
                        Some(text) if entries.iter().any(|(known, _)| known.text() == Some(text)) => {
                            complaints.push(complaint::duplicate_key(node.span, text));
                        }
                        Some(_) => {}
                        None => complaints.push(complaint::key_is_no_text(node.span)),
                    }
                    *key = Some(node);
                }
            },
        }
    }
}

fn refuse(anchor: usize, tag: Option<&saphyr_parser::Tag>, span: Span, complaints: &mut Vec<Complaint>) {
    if anchor > 0 {
        complaints.push(complaint::anchor(span));
    }
    if let Some(tag) = tag {
        complaints.push(complaint::tag(span, &format!("{}{}", tag.handle, tag.suffix)));
    }
}
