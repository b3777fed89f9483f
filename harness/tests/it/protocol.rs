//! Every example line of `docs/agent-protocol.md` is a message of the protocol.

use harness_core::{
    stamp,
    wire::{FromAgent, ToAgent},
};
use std::{fs, path::Path};

fn document() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/agent-protocol.md");
    fs::read_to_string(path).expect("the document is there")
}

#[test]
fn every_example_is_a_message() {
    let document = document();
    let lines: Vec<&str> =
        document.split("```json\n").skip(1).filter_map(|rest| rest.split("```").next()).flat_map(str::lines).collect();
    assert!(lines.len() >= 15, "the document has lost its examples");
    for line in lines {
        let from = serde_json::from_str::<FromAgent>(line);
        let to = serde_json::from_str::<ToAgent>(line);
        assert!(from.is_ok() || to.is_ok(), "{line}\nis no message: {:?}; {:?}", from.err(), to.err());
    }
}

#[test]
fn every_message_has_an_example() {
    let document = document();
    for name in harness_core::wire_schema::schemas().keys() {
        let (_, message) = name.split_once('-').expect("schemas are named by who says what");
        assert!(document.contains(&format!("{{\"{message}\":")), "the document shows no `{message}`");
    }
}

#[test]
fn the_stamps_shown_are_right() {
    let document = document();
    for (message, size) in [(0, 16), (17, 9)] {
        let mut bytes = vec![0; size];
        stamp::fill(2, message, &mut bytes);
        let shown: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert!(document.contains(&shown.join(" ")), "{}", shown.join(" "));
    }
}
