//! What a scenario left behind although its agent said that everything is closed.

use crate::{host, isolation::Isolation, sweep};
use std::path::{Path, PathBuf};

/// Where a lane's leftovers would be, and what its root is like when nothing runs.
#[derive(Debug)]
pub(crate) struct Ground {
    isolation: Isolation,
    root: i32,
    files: PathBuf,
    prefix: String,
    /// What the root had open when it said hello.
    descriptors: Vec<String>,
}

impl Ground {
    /// Takes note of a lane whose root has just said hello.
    pub(crate) fn new(isolation: Isolation, root: i32, files: &Path, prefix: &str) -> Self {
        Self {
            isolation,
            root,
            files: files.to_owned(),
            prefix: prefix.to_owned(),
            descriptors: host::descriptors_of(root),
        }
    }

    /// What was left over, as a person would say it. Names and files are removed.
    pub(crate) fn collect(&mut self) -> Vec<String> {
        let mut leaked = Vec::new();
        for path in sweep::entries(&self.files) {
            leaked.push(format!("file {}", path.file_name().unwrap_or_default().to_string_lossy()));
            sweep::remove(&path);
        }
        for directory in sweep::NAME_DIRECTORIES {
            // The root's own mounts: in a mount namespace they are private to the lane.
            let seen = match self.isolation {
                Isolation::Names => PathBuf::from(directory),
                _ => PathBuf::from(format!("/proc/{}/root{directory}", self.root)),
            };
            for path in sweep::names_in(&seen, &self.prefix) {
                leaked.push(format!("name {directory}/{}", path.file_name().unwrap_or_default().to_string_lossy()));
                sweep::remove(&path);
            }
        }
        for child in host::children_of(self.root) {
            leaked.push(format!("process {child}"));
        }
        if host::descriptor_count(self.root).is_some_and(|now| now > self.descriptors.len()) {
            let mut more = host::descriptors_of(self.root);
            more.retain(|descriptor| !self.descriptors.contains(descriptor));
            if !more.is_empty() {
                leaked.push(format!("descriptors of the root: {}", more.join(", ")));
            }
        }
        leaked
    }
}
