//! Tables of errors: one operation with many arguments, a row each, so that thirty errors are thirty lines.

use super::{Context, channel, operation};
use crate::{
    Errno,
    load::{
        complaint::{self, Complaint},
        decode::{self, Piece},
    },
    operation::{OPERATIONS, OperationRow},
    scenario::{Action, Expect, Line},
};

/// The keys beside `table`.
const KEYS: &[&str] = &["table", "rows", "channel"];

/// The lines of a table, one a row.
pub(super) fn lines(
    process: &str,
    step: Piece<'_>,
    name: Piece<'_>,
    context: &Context<'_>,
    complaints: &mut Vec<Complaint>,
) -> Vec<Line> {
    for (key, node, _) in step.entries() {
        if !KEYS.contains(&key) {
            complaints.push(complaint::unknown_key(node.span, key, "a table", KEYS));
        }
    }
    let Some(row) = name.node.text().and_then(OperationRow::from_name) else {
        let known: Vec<&str> = OPERATIONS.iter().map(|row| row.name).collect();
        let given = name.node.text().unwrap_or_default();
        complaints.push(complaint::unknown_operation(name.span(), given, &known));
        return Vec::new();
    };
    let Some(rows) = step.get("rows") else {
        complaints.push(complaint::missing_key(step.span(), "rows", "as `rows: [[argument, EINVAL]]`"));
        return Vec::new();
    };
    if !rows.value.is_sequence() {
        complaints.push(complaint::not_a_list(rows.span(), "`rows`"));
    } else if rows.items().is_empty() {
        complaints.push(complaint::empty_body(rows.span(), "table"));
    }
    rows.items().into_iter().filter_map(|cells| line(process, row, cells, step, context, complaints)).collect()
}

fn line(
    process: &str,
    row: &OperationRow,
    cells: Piece<'_>,
    step: Piece<'_>,
    context: &Context<'_>,
    complaints: &mut Vec<Complaint>,
) -> Option<Line> {
    let items = cells.items();
    let [argument, result] = items.as_slice() else {
        complaints.push(complaint::row_shape(cells.span()));
        return None;
    };
    let expect = if result.node.text() == Some("done") {
        Expect::Succeeds
    } else if result.value.is_sequence() {
        Expect::Fails(decode::piece(*result, complaints)?)
    } else {
        Expect::Fails(vec![decode::piece::<Errno>(*result, complaints)?])
    };
    let operation = operation(row, *argument, complaints)?;
    let channel = channel(row, &operation, step, argument.span(), context, complaints)?;
    Some(Line {
        process: process.to_owned(),
        action: Action::Do { operation, channel },
        expect,
        record: None,
        span: cells.span(),
        expect_span: result.span(),
    })
}
