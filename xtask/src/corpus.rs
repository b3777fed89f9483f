//! The scenarios: the corpus of the repository, or somebody's own files.

use crate::{ExitCode, Failure, output, workspace};
use reports::compare::Clauses;
use spec::{Scenario, load};
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

/// Loaded scenarios, sorted by id.
#[derive(Debug, Default)]
pub struct Corpus {
    /// The scenarios.
    pub scenarios: Vec<Scenario>,
    /// Whether it is the corpus of the repository.
    pub is_own: bool,
}

impl Corpus {
    /// The folder of the corpus.
    #[must_use]
    pub fn folder() -> PathBuf {
        workspace::root().join("spec/scenarios")
    }

    /// Loads the corpus of the repository.
    ///
    /// # Errors
    /// With every complaint about every file.
    pub fn own() -> anyhow::Result<Self> {
        let folder = Self::folder();
        if !folder.is_dir() {
            return Err(Failure::usage(format!(
                "there are no scenarios in {}: start from the repository, or name a file or a folder",
                folder.display()
            )));
        }
        // As a person would type it: the paths stand in messages and records.
        let (scenarios, complaints) = load::directory(Path::new(&workspace::shown(&folder)));
        Self { scenarios, is_own: true }.unless(&complaints)
    }

    /// Where the corpus has the scenario with this id.
    #[must_use]
    pub fn file(id: &str) -> PathBuf {
        Self::folder().join(format!("{id}.yaml"))
    }

    /// Loads some scenarios of the repository, for who wants no other.
    ///
    /// # Errors
    /// With every complaint about their files, or when there is none.
    pub fn own_scenarios(ids: &BTreeSet<&str>) -> anyhow::Result<Self> {
        let named = |id: &&str| ((*id).to_owned(), PathBuf::from(workspace::shown(&Self::file(id))));
        let (scenarios, complaints) = load::files(&ids.iter().map(named).collect::<Vec<_>>());
        Self { scenarios, is_own: true }.unless(&complaints)
    }

    /// Loads somebody's own files and folders.
    ///
    /// # Errors
    /// With every complaint about every file, or when two files have the same id.
    pub fn of_paths(paths: &[PathBuf]) -> anyhow::Result<Self> {
        let (folders, files): (Vec<&PathBuf>, Vec<&PathBuf>) = paths.iter().partition(|path| path.is_dir());
        let named: Vec<(String, PathBuf)> = files.into_iter().map(|path| (id_of_file(path), path.clone())).collect();
        let (mut scenarios, mut complaints) = load::files(&named);
        for folder in folders {
            let (loaded, failed) = load::directory(folder);
            scenarios.extend(loaded);
            complaints.extend(failed);
        }
        scenarios.sort_by(|left, right| left.id.cmp(&right.id));
        if let Some(twins) = scenarios.windows(2).find(|pair| pair[0].id == pair[1].id) {
            return Err(Failure::usage(format!(
                "two files make the same id `{}`: {} and {}; rename one of them",
                twins[0].id, twins[0].source.path, twins[1].source.path
            )));
        }
        Self { scenarios, is_own: false }.unless(&complaints)
    }

    fn unless(self, complaints: &[load::Complaints]) -> anyhow::Result<Self> {
        if complaints.is_empty() {
            return Ok(self);
        }
        let color = output::color() == reports::Color::Always;
        for complaint in complaints {
            output::say(complaint.render(color).trim_end());
            output::say("");
        }
        let number = reports::style::count(complaints.len(), "scenario does", "scenarios do");
        Err(Failure::error(ExitCode::Unloadable, format!("{number} not load: see above")))
    }

    /// The clauses that scenarios cite, by id.
    #[must_use]
    pub fn clauses(&self) -> Clauses {
        self.scenarios.iter().map(|scenario| (scenario.id.clone(), scenario.cites.clone())).collect()
    }

    /// The scenario with this id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Scenario> {
        self.scenarios.iter().find(|scenario| scenario.id == id)
    }
}

/// The id of a file outside the corpus: its name without the suffix.
fn id_of_file(path: &Path) -> String {
    path.file_stem().map_or_else(|| "scenario".to_owned(), |stem| stem.to_string_lossy().into_owned())
}
