//! `new`: scaffold a scenario that loads.

use crate::{ExitCode, Failure, corpus::Corpus, output, workspace};
use anyhow::Context as _;
use spec::{Mechanism, load, scaffold, vocabulary::PROPERTIES};
use std::{fs, io::Write as _};

/// Scaffold a scenario that loads.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Arguments {
    /// The id: a property and a name, as `boundaries/my-idea`
    id: String,
    /// What it runs on
    #[arg(long, short, default_value = "pipe", value_parser = mechanism)]
    mechanism: Mechanism,
}

fn mechanism(name: &str) -> Result<Mechanism, String> {
    Mechanism::from_name(name).ok_or_else(|| {
        let names: Vec<&str> = spec::vocabulary::MECHANISMS.iter().map(|row| row.name).collect();
        format!("there is no such mechanism; known are {}", names.join(", "))
    })
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let id = arguments.id.trim_end_matches(".yaml");
    check(id).map_err(|problem| Failure::usage(format!("`{id}`: {problem}")))?;
    let path = Corpus::folder().join(format!("{id}.yaml"));
    let text = scaffold::scenario(id, arguments.mechanism);
    // What does not load is never written.
    if let Err(complaints) = load::text(id, &workspace::shown(&path), &text) {
        anyhow::bail!("the scaffold does not load, which is a fault of ours:\n{}", complaints.render(false));
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let mut file = fs::File::create_new(&path).map_err(|error| {
        Failure::usage(format!("cannot make {}: {error}; choose another name", workspace::shown(&path)))
    })?;
    file.write_all(text.as_bytes()).with_context(|| format!("cannot write {}", path.display()))?;
    let shown = workspace::shown(&path);
    output::print(&format!("wrote {shown}\nmake it say what you want, then: cargo xtask conform {id}\n"))?;
    Ok(ExitCode::Success)
}

fn check(id: &str) -> Result<(), String> {
    let (property, name) = id.split_once('/').unwrap_or(("", id));
    if !PROPERTIES.contains(&property) {
        return Err(format!("an id is a property, a slash and a name; properties are {}", PROPERTIES.join(", ")));
    }
    let is_word = |part: &str| {
        !part.is_empty()
            && !part.starts_with('-')
            && !part.ends_with('-')
            && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    if !is_word(name) {
        return Err("a name has lower-case letters, digits and hyphens, as `end-of-stream`".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::check;
    use rstest::rstest;

    #[rstest]
    #[case("boundaries/my-idea", true)]
    #[case("my-idea", false)]
    #[case("nonsense/my-idea", false)]
    #[case("boundaries/My-Idea", false)]
    #[case("boundaries/", false)]
    #[case("boundaries/../../etc/passwd", false)]
    #[case("boundaries/-", false)]
    fn ids_are_checked(#[case] id: &str, #[case] is_good: bool) {
        assert_eq!(check(id).is_ok(), is_good, "{id}");
    }
}
