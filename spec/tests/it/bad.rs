//! Bad scenarios: every kind of mistake has a file, and the whole message is a snapshot.

use spec::load;
use std::{collections::BTreeSet, fs, io::Write as _, path::Path};

fn bad() -> Vec<(String, String)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bad");
    let mut files: Vec<(String, String)> = fs::read_dir(directory)
        .expect("the bad scenarios are there")
        .map(|entry| {
            let path = entry.expect("a directory can be read").path();
            let name = path.file_stem().expect("files have names").to_string_lossy().into_owned();
            (name, fs::read_to_string(&path).expect("a file can be read"))
        })
        .collect();
    files.sort();
    files
}

#[test]
fn each_mistake_has_its_message() {
    for (name, text) in bad() {
        let complaints = load::text("ordering/bad", &format!("{name}.yaml"), &text).err();
        let rendered = complaints.map_or_else(|| "it loads".to_owned(), |complaints| complaints.render(false));
        assert_ne!(rendered, "it loads", "{name}.yaml is no bad scenario");
        insta::assert_snapshot!(name, rendered);
    }
}

/// The file `KIND.yaml`, or `KIND_something.yaml`, is complained about by that kind.
#[test]
fn each_file_shows_the_mistake_it_is_named_for() {
    for (name, text) in bad().into_iter().filter(|(name, _)| name != "many_at_once") {
        let complaints = load::text("ordering/bad", "bad.yaml", &text).expect_err("it is bad");
        let kinds: Vec<&str> = complaints.list().iter().map(|complaint| complaint.kind).collect();
        assert!(kinds.iter().any(|kind| name.starts_with(kind)), "{name}: {kinds:?}");
    }
}

#[test]
fn each_kind_of_complaint_has_a_file() {
    let shown: BTreeSet<&str> = bad()
        .iter()
        .filter_map(|(_, text)| load::text("ordering/bad", "bad.yaml", text).err())
        .flat_map(|complaints| complaints.list().iter().map(|complaint| complaint.kind).collect::<Vec<_>>())
        .collect();
    // An id comes from a path, and not from a text: `an_id_is_lower_case` has it.
    let missing: Vec<&&str> =
        load::complaint::KINDS.iter().filter(|kind| !shown.contains(**kind) && **kind != "bad_id").collect();
    assert!(missing.is_empty(), "no bad scenario shows {missing:?}");
}

#[test]
fn all_complaints_of_a_file_come_at_once() {
    let (_, text) = bad().into_iter().find(|(name, _)| name == "many_at_once").expect("it is there");
    let complaints = load::text("ordering/bad", "bad.yaml", &text).expect_err("it is bad");
    assert!(complaints.list().len() >= 5, "{}", complaints.render(false));
}

#[test]
fn an_id_is_lower_case() {
    let text = spec::scaffold::scenario("ordering/good", spec::Mechanism::Pipe);
    let complaints = load::text("ordering/Not Good", "bad.yaml", &text).expect_err("the id is bad");
    assert_eq!(complaints.list()[0].kind, "bad_id");
}

fn file(name: &str, content: &[u8]) -> String {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let path = directory.path().join(name);
    fs::write(&path, content).expect("a file can be written");
    let complaints = load::file("ordering/bad", &path).expect_err("it is bad");
    complaints.list()[0].kind.to_owned()
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    assert_eq!(file("latin1.yaml", b"title: caf\xe9\n"), "not_utf8");
}

#[test]
fn a_file_of_a_hundred_megabytes_is_refused_unread() {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let path = directory.path().join("large.yaml");
    // Sparse: its length is all that is looked at.
    fs::File::create(&path).and_then(|file| file.set_len(100 << 20)).expect("a file can be made");
    let complaints = load::file("ordering/bad", &path).expect_err("it is bad");
    assert_eq!(complaints.list()[0].kind, "too_long");
}

#[test]
fn nesting_of_ten_thousand_levels_is_refused() {
    for text in ["[".repeat(10_000), "{a: ".repeat(10_000), "- ".repeat(10_000), "? ".repeat(10_000)] {
        let complaints = load::text("ordering/bad", "deep.yaml", &text).expect_err("it is bad");
        let kind = complaints.list()[0].kind;
        assert!(["too_deep", "broken_syntax"].contains(&kind), "{kind}");
    }
}

#[test]
fn what_is_no_file_is_refused() {
    let directory = tempfile::tempdir().expect("a directory can be made");
    for path in [directory.path().to_owned(), directory.path().join("nothing.yaml")] {
        let complaints = load::file("ordering/bad", &path).expect_err("it is bad");
        assert_eq!(complaints.list()[0].kind, "unreadable");
    }
}

#[test]
fn a_byte_order_mark_alone_is_an_empty_file() {
    assert_eq!(file("mark.yaml", "\u{feff}".as_bytes()), "empty_file");
}

#[test]
fn a_directory_shows_what_loads_and_what_does_not() {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let good = spec::scaffold::scenario("ordering/good", spec::Mechanism::Pipe);
    fs::create_dir(directory.path().join("ordering")).expect("a directory can be made");
    fs::write(directory.path().join("ordering/good.yaml"), good).expect("a file can be written");
    let mut bad = fs::File::create(directory.path().join("ordering/bad.yaml")).expect("a file can be made");
    bad.write_all(b"title: no\n").expect("a file can be written");
    let (scenarios, complaints) = load::directory(directory.path());
    assert_eq!(scenarios.iter().map(|scenario| scenario.id.as_str()).collect::<Vec<_>>(), ["ordering/good"]);
    assert_eq!(complaints.len(), 1);
}

mod any_text {
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn never_panics(text in "\\PC{0,200}") {
            let _ = spec::load::text("ordering/any", "any.yaml", &text);
        }

        #[test]
        fn mutations_of_a_good_scenario_never_panic(at in any::<prop::sample::Index>(), with in "[\\[\\]{}:\\-#a-z \n\"']{0,6}", cut in 0_usize..12) {
            let text = include_str!("../../scenarios/races/pipe-buf-writes.yaml");
            let characters: Vec<char> = text.chars().collect();
            let at = at.index(characters.len());
            let mutated: String =
                characters[..at].iter().copied().chain(with.chars()).chain(characters[(at + cut).min(characters.len())..].iter().copied()).collect();
            if let Err(complaints) = spec::load::text("ordering/any", "any.yaml", &mutated) {
                prop_assert!(!complaints.render(false).is_empty());
            }
        }
    }
}
