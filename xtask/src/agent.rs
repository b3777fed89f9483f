//! The agent's command: somebody's own, or the reference agent, built where there is something to build it with.

mod copy;

use crate::{Failure, workspace};
use anyhow::{Context as _, bail};
use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::Command,
};

/// The reference agent's program.
const PROGRAM: &str = "plumbline-agent";

/// The command of the agent that a person named, or of the reference agent.
///
/// # Errors
/// When the command cannot be taken apart, its program is not there, or the reference agent cannot be built.
pub fn command(named: Option<&str>) -> anyhow::Result<Vec<OsString>> {
    match named {
        Some(text) => own(text),
        None => Ok(vec![reference()?.into_os_string()]),
    }
}

fn own(text: &str) -> anyhow::Result<Vec<OsString>> {
    let words = words(text).map_err(|problem| Failure::usage(format!("--agent `{text}`: {problem}")))?;
    let Some(program) = words.first() else {
        return Err(Failure::usage("--agent is empty: give the agent's program and its arguments"));
    };
    // A path is checked here, where the message can say more than that an agent did not start.
    if program.contains('/') && !Path::new(program).is_file() {
        return Err(Failure::usage(format!("--agent `{text}`: there is no file `{program}`")));
    }
    Ok(words.into_iter().map(OsString::from).collect())
}

/// Takes a command apart as a shell would, but for everything a shell expands.
fn words(text: &str) -> Result<Vec<String>, &'static str> {
    let mut words: Vec<String> = Vec::new();
    let mut word: Option<String> = None;
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\'' | '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match characters.next() {
                        None => return Err("a quotation mark is never closed"),
                        Some(next) if next == character => break,
                        Some('\\') if character == '"' => word.extend(characters.next()),
                        Some(next) => word.push(next),
                    }
                }
            }
            '\\' => word.get_or_insert_default().extend(characters.next()),
            blank if blank.is_whitespace() => words.extend(word.take()),
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    Ok(words)
}

/// The reference agent: built anew where its sources are, so that it never is an old one, and run from a copy of it; else the one
/// beside this program.
///
/// # Errors
/// When it is nowhere and cannot be built.
pub fn reference() -> anyhow::Result<PathBuf> {
    if !workspace::root().join("impls/Cargo.toml").is_file() {
        let beside = std::env::current_exe()?.with_file_name(PROGRAM);
        if beside.is_file() {
            return Ok(beside);
        }
        return Err(Failure::usage(format!(
            "there is no agent: neither {} nor its sources are here; name one with --agent",
            beside.display()
        )));
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    build(&cargo, &workspace::root(), &workspace::target(), &[])?;
    let built = built();
    if !built.is_file() {
        bail!("the agent was built, but is not at {}: name it with --agent", built.display());
    }
    Ok(copy::in_large_pieces(&built))
}

/// The reference agent as it is to be measured: built in release where its sources are, else the one beside this program.
///
/// # Errors
/// When it is nowhere and cannot be built.
pub fn measured() -> anyhow::Result<PathBuf> {
    if !workspace::root().join("impls/Cargo.toml").is_file() {
        return reference();
    }
    released(&workspace::root(), &workspace::target())
}

/// Builds the agent of these sources in release.
///
/// # Errors
/// When it cannot be built.
pub fn released(root: &Path, target: &Path) -> anyhow::Result<PathBuf> {
    build(&std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()), root, target, &["--release"])?;
    Ok(target.join("release").join(PROGRAM))
}

/// Where the reference agent is, once it was built.
#[must_use]
pub fn built() -> PathBuf {
    workspace::target().join("debug").join(PROGRAM)
}

fn build(cargo: &OsString, root: &Path, target: &Path, profile: &[&str]) -> anyhow::Result<()> {
    // With xtask beside it, what both depend on has the features that it has when all is built: it is not compiled a second time.
    let status = Command::new(cargo)
        .args(["build", "--quiet", "--package", "impls", "--package", "xtask", "--bin", PROGRAM])
        .args(profile)
        .arg("--target-dir")
        .arg(target)
        .current_dir(root)
        .status()
        .with_context(|| {
            format!("cannot start `{}` to build the agent: name one with --agent", cargo.to_string_lossy())
        })?;
    if !status.success() {
        bail!("the agent does not build ({status}): see above, or name another with --agent");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::words;
    use rstest::rstest;

    #[rstest]
    #[case("agent", &["agent"])]
    #[case("python3  my agent.py", &["python3", "my", "agent.py"])]
    #[case("python3 'my agent.py' \"a \\\" b\"", &["python3", "my agent.py", "a \" b"])]
    #[case("a\\ b ''", &["a b", ""])]
    #[case("  ", &[])]
    fn commands_are_taken_apart(#[case] text: &str, #[case] expected: &[&str]) {
        assert_eq!(words(text).unwrap(), expected);
    }

    #[test]
    fn an_open_quotation_is_refused() {
        assert!(words("python3 'agent.py").is_err());
    }
}
