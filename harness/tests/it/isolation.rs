//! The worlds that lanes live in, where a system has none to give.

use crate::support::example;
use harness::{Config, IsolationChoice, Session, StartError};
use rstest::rstest;
use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf};

/// The helper of a system that refuses these isolations: a script that stands before the real one.
fn refusing(isolations: &str, directory: &tempfile::TempDir) -> PathBuf {
    let helper = directory.path().join("helper");
    let script = format!(
        "#!/bin/sh\ncase \"$2 $3\" in {isolations}) echo 'plumbline: no world: not today' >&2; exit 77;; esac\nexec {} \"$@\"\n",
        example("helper").display()
    );
    fs::write(&helper, script).unwrap();
    fs::set_permissions(&helper, fs::Permissions::from_mode(0o755)).unwrap();
    helper
}

fn start(agent: &str, isolation: IsolationChoice, helper: PathBuf) -> Result<Session, StartError> {
    let agent = if agent == "wayward_agent" { example(agent).into_os_string() } else { agent.into() };
    Session::start(Config { jobs: 1, isolation, ..Config::new(vec![agent], helper) })
}

#[rstest]
#[case::where_none_is_asked_for("nothing", IsolationChoice::None, "unique names and clean-up, no namespaces")]
#[case::where_no_namespaces_can_be_had(
    "'lane privileged' | 'lane user'",
    IsolationChoice::Auto,
    "unique names and clean-up, no namespaces"
)]
fn the_best_that_can_be_had_is_taken(#[case] refused: &str, #[case] choice: IsolationChoice, #[case] expected: &str) {
    let directory = tempfile::tempdir().unwrap();
    let session = start("wayward_agent", choice, refusing(refused, &directory)).unwrap();
    assert_eq!(session.facts().isolation, expected);
}

#[test]
fn what_is_demanded_and_cannot_be_had_is_said() {
    let directory = tempfile::tempdir().unwrap();
    let refused = refusing("'lane privileged' | 'lane user'", &directory);
    let error = start("wayward_agent", IsolationChoice::Namespaces, refused).unwrap_err();
    assert!(matches!(&error, StartError::Isolation(obstacle) if obstacle.contains("not today")), "{error}");
}

#[rstest]
fn an_agent_that_cannot_be_started_is_no_want_of_isolation(
    #[values(IsolationChoice::Auto, IsolationChoice::None)] choice: IsolationChoice,
) {
    let error = start("/there/is/no/such/agent", choice, example("helper")).unwrap_err();
    assert!(matches!(&error, StartError::Agent { reason, .. } if reason.contains("No such file")), "{error}");
}
