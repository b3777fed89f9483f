//! The program itself.

use std::process::Command;

fn agent(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_plumbline-agent"))
        .args(arguments)
        .env_remove("PLUMBLINE_SOCKET")
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn it_tells_what_it_is() {
    let (code, out, _) = agent(&["--version"]);
    assert_eq!(code, Some(0));
    assert!(out.starts_with("plumbline-agent "));
    let (code, out, _) = agent(&["--help"]);
    assert_eq!(code, Some(0));
    assert!(out.contains("PLUMBLINE_SOCKET"));
}

#[test]
fn a_wrong_use_is_told_with_what_to_do() {
    let (code, _, complaint) = agent(&["--frobnicate"]);
    assert_eq!(code, Some(2));
    assert!(complaint.contains("--frobnicate") && complaint.contains("--help"));
    let (code, _, complaint) = agent(&[]);
    assert_eq!(code, Some(2));
    assert!(complaint.contains("PLUMBLINE_SOCKET is not set"));
}

#[test]
fn a_harness_that_is_not_there_is_named() {
    let output = Command::new(env!("CARGO_BIN_EXE_plumbline-agent"))
        .env("PLUMBLINE_SOCKET", "/nowhere/socket")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("/nowhere/socket"));
}
