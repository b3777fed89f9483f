//! What plain `cargo test` checks of the whole: the walls, the words, the generated files, the command line.

mod command_line;
mod killed;

#[test]
fn the_repository_is_tidy() {
    let problems = xtask::command::tidy::problems().unwrap();
    assert!(problems.is_empty(), "untidy:\n{}", problems.join("\n"));
}
