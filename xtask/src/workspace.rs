//! Where things are: the repository, or the folder of a bundle.

use std::path::{Path, PathBuf};

/// The folder that holds `spec/scenarios`: the repository this program was built in or is started from, or the folder
/// beside the program.
#[must_use]
pub fn root() -> PathBuf {
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_owned);
    let started =
        std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from).and_then(|path| path.parent().map(Path::to_owned));
    let here = std::env::current_dir().ok();
    let above = here.iter().flat_map(|here| here.ancestors()).map(Path::to_owned).collect::<Vec<_>>();
    let beside = std::env::current_exe().ok().and_then(|program| program.parent().map(Path::to_owned));
    let candidates = started.into_iter().chain(above).chain(beside).chain(built.clone());
    candidates
        .into_iter()
        .find(|candidate| candidate.join("spec/scenarios").is_dir())
        .or(built)
        .unwrap_or_else(|| PathBuf::from("."))
}

/// Where Cargo puts what it builds.
#[must_use]
pub fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// A path as a person would type it from here.
#[must_use]
pub fn shown(path: &Path) -> String {
    let here = std::env::current_dir().ok();
    let short = here.and_then(|here| path.strip_prefix(here).ok().map(Path::to_owned));
    short.as_deref().unwrap_or(path).display().to_string()
}

/// The path of this program. Where it was built anew while it ran, the path of the new one.
///
/// # Errors
/// When the system does not tell.
pub fn this_program() -> std::io::Result<PathBuf> {
    let program = std::env::current_exe()?;
    // Linux marks the path of a program whose file was replaced, see proc(5), /proc/pid/exe.
    let replaced = program.to_str().and_then(|path| path.strip_suffix(" (deleted)")).map(PathBuf::from);
    Ok(replaced.filter(|path| path.exists()).unwrap_or(program))
}
