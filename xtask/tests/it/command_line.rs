//! The contract of the command line: exit codes, messages, broken pipes.

use rstest::rstest;
use std::{
    fs,
    io::Read as _,
    path::Path,
    process::{Command, Output, Stdio},
};

fn xtask(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.args(arguments).env("NO_COLOR", "1").stdin(Stdio::null());
    command
}

fn run(arguments: &[&str]) -> Output {
    xtask(arguments).output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[rstest]
#[case::no_command(&[], 2)]
#[case::unknown_command(&["confrom"], 2)]
#[case::unknown_flag(&["conform", "--no-such-flag"], 2)]
#[case::bad_number(&["conform", "--jobs", "many"], 2)]
#[case::no_jobs(&["conform", "--jobs", "0"], 2)]
#[case::unknown_mechanism(&["conform", "--mechanism", "pigeon"], 2)]
#[case::unknown_property(&["conform", "--property", "colour"], 2)]
#[case::bad_partition(&["conform", "--partition", "hash:3/2"], 2)]
#[case::no_such_file(&["conform", "./no-such-file.yaml"], 2)]
#[case::no_such_run(&["report", "no-such-run"], 2)]
#[case::no_such_side(&["compare", "no-such-side", "neither-this"], 2)]
#[case::one_side(&["compare", "linux"], 2)]
#[case::unknown_id(&["explain", "no/such-thing"], 2)]
#[case::bad_id(&["new", "nonsense"], 2)]
#[case::nothing_selected(&["conform", "no-such-instance-anywhere"], 15)]
#[case::nothing_listed(&["list", "no-such-instance-anywhere"], 15)]
#[case::help(&["--help"], 0)]
#[case::version(&["--version"], 0)]
fn commands_end_with_their_exit_codes(#[case] arguments: &[&str], #[case] expected: i32) {
    let output = run(arguments);
    assert_eq!(output.status.code(), Some(expected), "{}", stderr(&output));
    if expected != 0 {
        let message = stderr(&output);
        assert!(!message.trim().is_empty() && !message.contains("panicked"), "{message}");
    }
}

#[test]
fn a_missing_agent_is_named() {
    let output = run(&["conform", "--agent", "./no-such-agent"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("./no-such-agent"), "{}", stderr(&output));
}

#[test]
fn a_program_that_is_no_agent_is_faulty() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().to_str().unwrap();
    let output = run(&["conform", "--agent", "/bin/true", "--out", out]);
    assert_eq!(output.status.code(), Some(12), "{}", stderr(&output));
    assert!(stderr(&output).contains("/bin/true"), "{}", stderr(&output));
}

#[test]
fn a_scenario_that_does_not_load_ends_with_3_and_a_caret() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bad.yaml");
    fs::write(&path, "title: A scenario without much\nstroy: []\n").unwrap();
    let output = run(&["conform", path.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    assert!(stderr(&output).contains("bad.yaml:2"), "{}", stderr(&output));
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let mut child = xtask(&["list"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut byte = [0; 1];
    let mut stdout = child.stdout.take().unwrap();
    let _ = stdout.read(&mut byte);
    drop(stdout);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}

#[test]
fn an_output_that_cannot_be_written_is_an_error() {
    let full = Path::new("/dev/full");
    if !full.exists() {
        return;
    }
    let full = fs::OpenOptions::new().write(true).open(full).unwrap();
    let output = xtask(&["list"]).stdout(full).stderr(Stdio::piped()).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stderr(&output).contains("cannot write to standard output"), "{}", stderr(&output));
}

#[test]
fn rubbish_is_no_record() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.jsonl");
    fs::write(&path, "rubbish\n").unwrap();
    let output = run(&["report", folder.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("is no record"), "{}", stderr(&output));
}

#[test]
fn two_portraits_are_laid_side_by_side() {
    let folder = tempfile::tempdir().unwrap();
    let portrait = |name: &str, standing: &str| {
        let path = folder.path().join(name);
        let text = format!(
            "version: 1\nsystem:\n  os: {name}\nlimits: {{}}\ninstances:\n  ordering/a[pipe]: {standing}\n  ordering/b[pipe]: held\n"
        );
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (left, right) = (portrait("left.yaml", "held"), portrait("right.yaml", "broken"));
    let output = run(&["compare", &left, &right, "--format", "markdown"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("| `ordering/a[pipe]` | held | broken |"), "{text}");
    assert!(text.contains("1 instance is alike"), "{text}");
}

#[test]
fn colours_are_for_terminals() {
    let output = Command::new(env!("CARGO_BIN_EXE_xtask")).args(["list"]).output().unwrap();
    assert!(!output.stdout.contains(&0x1b));
}
