//! The corpus as somebody who may do nothing special, where this user may do everything.

use super::{Outcome, built_agent};
use crate::workspace;
use anyhow::Context as _;
use nix::unistd::{Gid, Uid, chown};
use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};
use xshell::{Shell, cmd};

/// `nobody` and `nogroup`, on every system we know.
const NOBODY: u32 = 65534;

/// Runs the corpus from a folder that everybody may read: the repository may lie where an ordinary user cannot look.
pub(super) fn run(shell: &Shell) -> anyhow::Result<Outcome> {
    if !Uid::effective().is_root() {
        return Ok(Outcome::Skipped("this is an ordinary user already".to_owned()));
    }
    if cmd!(shell, "setpriv --version").quiet().ignore_stdout().ignore_stderr().run().is_err() {
        return Ok(Outcome::Skipped("there is no setpriv here".to_owned()));
    }
    let folder =
        tempfile::Builder::new().prefix("plumbline-ci-").permissions(fs::Permissions::from_mode(0o755)).tempdir()?;
    let bundle = folder.path();
    let program = bundle.join("xtask");
    let agent = bundle.join("plumbline-agent");
    fs::copy(workspace::this_program()?, &program).context("cannot copy this program")?;
    fs::copy(built_agent()?, &agent).context("cannot copy the agent")?;
    for part in ["spec/scenarios", "reports/portraits"] {
        let from = workspace::root().join(part);
        // A system's first run has no portrait to compare with.
        if from.is_dir() {
            copy_folder(&from, &bundle.join(part))?;
        }
    }
    chown(bundle, Some(Uid::from_raw(NOBODY)), Some(Gid::from_raw(NOBODY)))?;
    let nobody = NOBODY.to_string();
    let _folder = shell.push_dir(bundle);
    let out = bundle.join("run");
    cmd!(
        shell,
        "setpriv --reuid {nobody} --regid {nobody} --clear-groups {program} conform --agent {agent} --out {out}"
    )
    .env_remove("CARGO")
    .env_remove("CARGO_MANIFEST_DIR")
    .env_remove("CARGO_TARGET_DIR")
    .quiet()
    .run()?;
    Ok(Outcome::Passed)
}

fn copy_folder(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to).with_context(|| format!("cannot make {}", to.display()))?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target).with_context(|| format!("cannot copy {}", entry.path().display()))?;
        }
    }
    Ok(())
}
