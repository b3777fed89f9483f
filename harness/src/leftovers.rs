//! What a scenario left behind although its agent said that everything is closed.

use crate::{
    host::{self, RootLooker},
    isolation::Isolation,
    sweep::{self, Watched},
};
use std::path::{Path, PathBuf};

/// Where a lane's leftovers would be, and what its root is like when nothing runs.
#[derive(Debug)]
pub(crate) struct Ground {
    root: RootLooker,
    files: Watched,
    prefix: String,
    /// Where names of the system's own show, as this process sees them.
    name_directories: Vec<Watched>,
    /// Whether no directory shows this lane's queues.
    pub(crate) hides_queues: bool,
    /// Names of queues that nothing shows, and that a scenario may have made.
    hidden_queues: Vec<String>,
    /// What the root had open when it said hello.
    descriptors: Vec<String>,
}

impl Ground {
    /// Takes note of a lane whose root has just said hello.
    pub(crate) fn new(isolation: Isolation, root: i32, queues: &Path, files: &Path, prefix: &str) -> Self {
        let system = sweep::NAME_DIRECTORIES.map(Path::new);
        let name_directories = match isolation {
            Isolation::Names => system.map(Path::to_owned).to_vec(),
            // The root's own mounts: in a mount namespace they are private to the lane. Either directory of queues shows
            // the same ones.
            _ => [system[0], queues].map(|path| PathBuf::from(format!("/proc/{root}/root{}", path.display()))).to_vec(),
        };
        let root = RootLooker::new(root);
        Self {
            files: Watched::new(files.to_owned()),
            prefix: prefix.to_owned(),
            hides_queues: isolation == Isolation::Names && !sweep::shows_queues(),
            name_directories: name_directories.into_iter().map(Watched::new).collect(),
            hidden_queues: Vec::new(),
            descriptors: root.descriptors(),
            root,
        }
    }

    /// Takes note of queues that a scenario may make and that nothing will show.
    pub(crate) fn expect_queues(&mut self, names: impl Iterator<Item = String>) {
        self.hidden_queues.extend(names);
    }

    /// Removes the queues that nothing shows, and returns those that there were.
    pub(crate) fn remove_hidden_queues(&mut self) -> Vec<String> {
        self.hidden_queues.drain(..).filter(|queue| host::unlink_queue(queue)).collect()
    }

    /// What was left over, as a person would say it. Names and files are removed.
    pub(crate) fn collect(&mut self) -> Vec<String> {
        let mut leaked = Vec::new();
        for path in self.files.entries() {
            leaked.push(format!("file {}", path.file_name().unwrap_or_default().to_string_lossy()));
            sweep::remove(&path);
        }
        for directory in &mut self.name_directories {
            for path in directory.entries().into_iter().filter(|path| sweep::has_prefix(path, &self.prefix)) {
                leaked.push(format!("name {}", path.file_name().unwrap_or_default().to_string_lossy()));
                sweep::remove(&path);
            }
        }
        leaked.extend(self.remove_hidden_queues().into_iter().map(|queue| format!("name {queue}")));
        for child in self.root.children() {
            leaked.push(format!("process {child}"));
        }
        if self.root.descriptor_count().is_some_and(|now| now > self.descriptors.len()) {
            let mut more = self.root.descriptors();
            more.retain(|descriptor| !self.descriptors.contains(descriptor));
            if !more.is_empty() {
                leaked.push(format!("descriptors of the root: {}", more.join(", ")));
            }
        }
        leaked
    }
}
