//! Words that sources have to have, and words they must not have.

use super::File;

/// Folders whose files are wrong on purpose.
const WRONG_ON_PURPOSE: &[&str] = &["spec/tests/bad/"];
/// Files whose white space we look at.
const TEXTS: &[&str] = &[".rs", ".toml", ".yaml", ".yml", ".md", ".py", ".sh", ".json"];
/// The one folder with unsafe code.
const UNSAFE_FOLDER: &str = "impls/sys/";

/// Programs of others that benches lay beside ours: outside of the workspace, and called from C.
const PEERS_FOLDER: &str = "harness/benches/peers/";

/// What is wrong with sources.
pub(super) fn problems(files: &[File]) -> Vec<String> {
    files
        .iter()
        .filter(|file| !WRONG_ON_PURPOSE.iter().any(|folder| file.name.starts_with(folder)))
        .flat_map(|file| {
            let mut problems = space(file);
            if file.has_suffix(&[".rs"]) {
                problems.extend(heading(file));
                problems.extend(words(file));
            }
            if file.has_suffix(&[".snap.new", ".pending-snap"]) {
                problems
                    .push(format!("{}: a snapshot waits for review; `cargo insta review`, or delete it", file.name));
            }
            problems
        })
        .collect()
}

fn heading(file: &File) -> Option<String> {
    let first = file.text.lines().find(|line| !line.trim().is_empty());
    let is_there = first.is_some_and(|line| line.starts_with("//! "));
    (!is_there).then(|| format!("{}: begin with a `//!` line that says what it is for", file.name))
}

fn words(file: &File) -> Vec<String> {
    // Put together here, lest this file find itself.
    let sleep = ["thread::", "sleep"].concat();
    let unsafe_words: Vec<String> =
        [" {", " fn", " impl", " extern"].iter().map(|end| format!("unsa{}{end}", "fe")).collect();
    let mut problems = Vec::new();
    for (number, line) in code_lines(&file.text) {
        let place = format!("{}:{number}", file.name);
        if line.contains(&sleep) {
            problems.push(format!("{place}: a sleep makes no order; wait for what you wait for"));
        }
        let is_allowed = file.name.starts_with(UNSAFE_FOLDER) || file.name.starts_with(PEERS_FOLDER);
        if !is_allowed && unsafe_words.iter().any(|word| line.contains(word.as_str())) {
            problems.push(format!("{place}: unsafe code belongs into {UNSAFE_FOLDER}"));
        }
    }
    problems
}

/// Lines that are no comments, with their numbers.
fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .map(|(index, line)| (index + 1, line))
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
}

fn space(file: &File) -> Vec<String> {
    let mut problems = Vec::new();
    if !file.has_suffix(TEXTS) || file.text.is_empty() {
        return problems;
    }
    for (index, line) in file.text.split('\n').enumerate() {
        let place = format!("{}:{}", file.name, index + 1);
        if line.ends_with([' ', '\t', '\r']) {
            problems.push(format!("{place}: white space at the end of the line"));
        }
        if line.contains('\t') && file.has_suffix(&[".yaml", ".yml", ".rs", ".md", ".py"]) {
            problems.push(format!("{place}: a tab; use spaces"));
        }
    }
    if !file.text.ends_with('\n') || file.text.ends_with("\n\n") {
        problems.push(format!("{}: end with one line end", file.name));
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::problems;
    use crate::command::tidy::File;
    use rstest::rstest;
    use std::path::PathBuf;

    #[rstest]
    #[case("a.rs", "//! Fine.\n\nfn f() {}\n", 0)]
    #[case("a.rs", "fn f() {}\n", 1)]
    #[case("a.yaml", "a: b \n", 1)]
    #[case("a.yaml", "a:\tb\n", 1)]
    #[case("a.yaml", "a: b", 1)]
    #[case("spec/tests/bad/a.yaml", "a:\tb ", 0)]
    #[case("a.snap.new", "anything", 1)]
    fn what_is_untidy_is_found(#[case] name: &str, #[case] text: &str, #[case] expected: usize) {
        let file = File { name: name.to_owned(), path: PathBuf::new(), text: text.to_owned() };
        assert_eq!(problems(&[file]).len(), expected);
    }

    #[rstest]
    #[case("a.rs", "//! Words.\nfn f() { thread::SLEEP(d); }\n", 1)]
    #[case("a.rs", "//! Words.\nfn f() { UNSAFE { } }\n", 1)]
    #[case("a.rs", "//! A comment may speak of UNSAFE { }.\n", 0)]
    #[case("impls/sys/src/a.rs", "//! Here.\nUNSAFE { }\n", 0)]
    fn forbidden_words_are_found_in_code(#[case] name: &str, #[case] text: &str, #[case] expected: usize) {
        // Spelt otherwise above, lest this file be found.
        let text = text.replace("SLEEP", "sleep").replace("UNSAFE", "unsafe");
        let file = File { name: name.to_owned(), path: PathBuf::new(), text };
        assert_eq!(problems(&[file]).len(), expected);
    }
}
