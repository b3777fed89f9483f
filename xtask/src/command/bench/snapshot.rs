//! The committed performance of a class of machines: a snapshot of insta with a comparator of ours, which knows what is noise.

use crate::{Failure, output, workspace};
use anyhow::Context as _;
use insta::{Comparator, Snapshot as Reference};
use reports::performance::{Record, Snapshot, snapshot::is_regression};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// What came of the comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Nothing got worse beyond doubt, or there was nothing to compare with, or it was taken over.
    Settled,
    /// Something got worse beyond doubt.
    Regressed,
}

/// The folder of the committed reports.
fn folder() -> PathBuf {
    workspace::root().join("reports/performance")
}

fn path(class: &str) -> PathBuf {
    folder().join(format!("{class}.yaml"))
}

/// What was committed of a class, if anything.
pub(super) fn committed(class: &str) -> anyhow::Result<Option<Snapshot>> {
    let path = path(class);
    if !path.is_file() {
        return Ok(None);
    }
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let snapshot = Snapshot::parse(&text)
        .map_err(|problem| Failure::usage(format!("{} is no performance report: {problem}", path.display())))?;
    Ok(Some(snapshot))
}

/// Alike is what differs by no more than figures of the same system differ from day to day.
#[derive(Clone, Copy, Debug)]
struct Tolerant {
    /// Whether the bench has measured everything, so that what is missing is a change.
    is_whole: bool,
}

impl Comparator for Tolerant {
    fn matches(&self, reference: &Reference, test: &Reference) -> bool {
        let content = |snapshot: &Reference| {
            let text = snapshot.contents().as_text()?.to_string();
            Snapshot::parse(&text).ok()
        };
        match (content(reference), content(test)) {
            (Some(reference), Some(test)) => reference.changes(&test, self.is_whole).is_empty(),
            _ => false,
        }
    }

    fn dyn_clone(&self) -> Box<dyn Comparator> {
        Box::new(*self)
    }
}

/// Compares a bench with what was committed, or takes it over.
pub(super) fn settle(
    record: &Record,
    committed: Option<&Snapshot>,
    run: &Path,
    bless: bool,
) -> anyhow::Result<Outcome> {
    let bench = Snapshot::of(record, committed);
    let is_whole = record.header.is_full && record.complete;
    // What this run says lies beside its record, in the same format.
    let own = run.join("performance.yaml");
    fs::write(&own, bench.to_text()?).with_context(|| format!("cannot write {}", own.display()))?;
    let committed_path = path(&bench.class);
    if bless {
        let blessed = committed.map_or_else(|| bench.to_commit(), |committed| committed.blessed(&bench, is_whole));
        fs::create_dir_all(folder()).with_context(|| format!("cannot make {}", folder().display()))?;
        fs::write(&committed_path, blessed.to_text()?)
            .with_context(|| format!("cannot write {}", committed_path.display()))?;
        output::say(&format!("blessed: {}", workspace::shown(&committed_path)));
        return Ok(Outcome::Settled);
    }
    let Some(committed) = committed else {
        output::say(&nothing_to_compare_with(&bench.class));
        return Ok(Outcome::Settled);
    };
    if alike(&committed_path, &own, is_whole)? {
        output::say(&format!("as committed: {}", workspace::shown(&committed_path)));
        return Ok(Outcome::Settled);
    }
    let changes = committed.changes(&bench, is_whole);
    output::say(&format!("not as {}:", workspace::shown(&committed_path)));
    for change in &changes {
        output::say(&format!("  {}", change.text));
    }
    output::say("if that is right, take it over: cargo xtask bench --bless");
    Ok(if changes.iter().any(is_regression) { Outcome::Regressed } else { Outcome::Settled })
}

/// Whether two files are alike, by our comparator.
fn alike(committed: &Path, own: &Path, is_whole: bool) -> anyhow::Result<bool> {
    let read = |path: &Path| {
        Reference::from_file(path).map_err(|error| anyhow::anyhow!("cannot read {}: {error}", path.display()))
    };
    Ok(Tolerant { is_whole }.matches(&read(committed)?, &read(own)?))
}

/// What is said on a machine of a class of which nothing was committed.
fn nothing_to_compare_with(class: &str) -> String {
    let known: Vec<String> = fs::read_dir(folder())
        .map(|entries| {
            let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
            names.filter_map(|name| name.strip_suffix(".yaml").map(str::to_owned)).collect()
        })
        .unwrap_or_default();
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    format!(
        "nothing is compared: this machine is of the class {class}, and reports were committed of {known}; \
         `cargo xtask bench --bless` commits one"
    )
}

#[cfg(test)]
mod tests {
    use super::Tolerant;
    use insta::{Comparator as _, Snapshot as Reference};
    use rstest::rstest;

    const COMMITTED: &str = "version: 1\nclass: some\nunits: {}\ncells:\n  pipe/round_trip/64/one_core: { times_floor: 1.0, switches: 2.0, calls: 4.0 }\n";

    fn snapshot(text: &str) -> Reference {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("some.yaml");
        std::fs::write(&path, format!("---\nsource: test\n---\n{text}")).unwrap();
        Reference::from_file(&path).unwrap()
    }

    #[rstest]
    #[case::noise("{ times_floor: 1.21, switches: 2.1, calls: 4.0, between: { low: 1.15, high: 1.3 } }", true)]
    #[case::slower("{ times_floor: 2.15, switches: 2.0, calls: 4.0, between: { low: 1.9, high: 2.3 } }", false)]
    #[case::more_calls("{ times_floor: 1.0, switches: 2.0, calls: 6.0 }", false)]
    #[case::other_switches("{ times_floor: 1.0, switches: 4.0, calls: 4.0 }", false)]
    fn noise_is_alike_and_change_is_not(#[case] entry: &str, #[case] expected: bool) {
        let test = format!("version: 1\nclass: some\nunits: {{}}\ncells:\n  pipe/round_trip/64/one_core: {entry}\n");
        assert_eq!(Tolerant { is_whole: true }.matches(&snapshot(COMMITTED), &snapshot(&test)), expected);
    }

    #[test]
    fn what_is_missing_is_a_change_only_where_everything_was_measured() {
        let nothing = snapshot("version: 1\nclass: some\nunits: {}\ncells: {}\n");
        assert!(!Tolerant { is_whole: true }.matches(&snapshot(COMMITTED), &nothing));
        assert!(Tolerant { is_whole: false }.matches(&snapshot(COMMITTED), &nothing));
    }

    #[test]
    fn rubbish_is_not_alike() {
        assert!(!Tolerant { is_whole: false }.matches(&snapshot(COMMITTED), &snapshot("rubbish")));
    }
}
