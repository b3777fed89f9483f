//! The arrows between packages, and what each of them has to say in its manifest.

use anyhow::Context as _;
use serde::Deserialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Which of our packages each package may depend on, also for tests and benches.
const ARROWS: &[(&str, &[&str])] = &[
    ("spec", &[]),
    ("harness-core", &["spec"]),
    ("harness", &["harness-core", "spec"]),
    ("impls-sys", &[]),
    ("impls", &["impls-sys", "harness-core", "spec"]),
    ("reports", &["harness-core", "spec"]),
    ("xtask", &["harness", "harness-core", "reports", "spec"]),
];

/// The pure packages, and what none of them may depend on, because it reaches the system. Tests may.
const PURE: &[&str] = &["spec", "harness-core", "reports"];
const IMPURE: &[&str] = &["anstream", "indicatif", "libc", "nix", "rustix", "tempfile", "xshell"];

/// The one package with a table of lints of its own.
const UNSAFE_PACKAGE: &str = "impls-sys";

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    manifest_path: PathBuf,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    kind: Option<String>,
    path: Option<PathBuf>,
}

/// What is wrong with packages.
pub(super) fn problems(root: &Path) -> anyhow::Result<Vec<String>> {
    let packages = metadata(root)?.packages;
    let mut problems = arrows(&packages);
    problems.extend(purity(&packages));
    problems.extend(lints(&packages)?);
    let manifest = fs::read_to_string(root.join("Cargo.toml")).context("cannot read Cargo.toml")?;
    let used: BTreeSet<&str> =
        packages.iter().flat_map(|package| &package.dependencies).map(|dependency| dependency.name.as_str()).collect();
    problems.extend(reasons(&manifest, &used));
    Ok(problems)
}

fn metadata(root: &Path) -> anyhow::Result<Metadata> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root)
        .output()
        .context("cannot start cargo to learn about packages")?;
    anyhow::ensure!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr).trim());
    serde_json::from_slice(&output.stdout).context("cargo metadata wrote something unexpected")
}

fn arrows(packages: &[Package]) -> Vec<String> {
    let allowed: BTreeMap<&str, &[&str]> = ARROWS.iter().copied().collect();
    let mut problems = Vec::new();
    for package in packages {
        let Some(allowed) = allowed.get(package.name.as_str()) else {
            problems.push(format!(
                "package {}: not in the table of arrows in xtask/src/command/tidy/walls.rs",
                package.name
            ));
            continue;
        };
        for dependency in package.dependencies.iter().filter(|dependency| dependency.path.is_some()) {
            if !allowed.contains(&dependency.name.as_str()) {
                problems.push(format!(
                    "package {}: may not depend on {} (see ARCHITECTURE.md)",
                    package.name, dependency.name
                ));
            }
        }
    }
    problems
}

fn purity(packages: &[Package]) -> Vec<String> {
    packages
        .iter()
        .filter(|package| PURE.contains(&package.name.as_str()))
        .flat_map(|package| package.dependencies.iter().map(move |dependency| (package, dependency)))
        .filter(|(_, dependency)| dependency.kind.is_none() && IMPURE.contains(&dependency.name.as_str()))
        .map(|(package, dependency)| {
            format!("package {}: is pure, but {} reaches the system", package.name, dependency.name)
        })
        .collect()
}

fn lints(packages: &[Package]) -> anyhow::Result<Vec<String>> {
    let mut problems = Vec::new();
    for package in packages {
        let path = &package.manifest_path;
        let manifest = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let inherits = manifest.contains("[lints]\nworkspace = true");
        if package.name == UNSAFE_PACKAGE && !manifest.contains("[lints.rust]") {
            problems.push(format!("package {}: has to state its own lints", package.name));
        }
        if package.name != UNSAFE_PACKAGE && !inherits {
            problems.push(format!("package {}: has to inherit the workspace's lints", package.name));
        }
    }
    Ok(problems)
}

/// Every dependency says on its line why it is there, and somebody uses it.
fn reasons(manifest: &str, used: &BTreeSet<&str>) -> Vec<String> {
    let mut problems = Vec::new();
    let lines = manifest.lines().skip_while(|line| *line != "[workspace.dependencies]").skip(1);
    let mut name = String::new();
    let mut depth = 0_i32;
    for line in lines.take_while(|line| !line.starts_with('[')) {
        let code = line.split(" #").next().unwrap_or("").trim();
        if code.is_empty() || code.starts_with('#') {
            continue;
        }
        if depth == 0 {
            name = code.split('=').next().unwrap_or("").trim().to_owned();
        }
        depth += brackets(code);
        if depth > 0 {
            continue;
        }
        if !code.contains("path =") && !line.contains(" # ") {
            problems.push(format!("Cargo.toml: say on its line why `{name}` is there"));
        }
        if !used.contains(name.as_str()) {
            problems.push(format!("Cargo.toml: no package uses `{name}`; take it out"));
        }
    }
    problems
}

fn brackets(code: &str) -> i32 {
    code.chars()
        .map(|character| match character {
            '{' | '[' => 1,
            '}' | ']' => -1,
            _ => 0,
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::{Dependency, Package, arrows, purity, reasons};
    use std::{collections::BTreeSet, path::PathBuf};

    fn package(name: &str, on: &str, is_ours: bool) -> Package {
        let path = is_ours.then(|| PathBuf::from("/somewhere"));
        let dependency = Dependency { name: on.to_owned(), kind: None, path };
        Package { name: name.to_owned(), manifest_path: PathBuf::new(), dependencies: vec![dependency] }
    }

    #[test]
    fn a_wall_that_falls_is_seen() {
        assert!(arrows(&[package("xtask", "harness", true)]).is_empty());
        assert_eq!(arrows(&[package("harness", "impls", true)]).len(), 1);
        assert_eq!(arrows(&[package("newcomer", "spec", true)]).len(), 1);
    }

    #[test]
    fn pure_packages_reach_nothing() {
        assert_eq!(purity(&[package("reports", "nix", false)]).len(), 1);
        assert!(purity(&[package("harness", "nix", false)]).is_empty());
    }

    #[test]
    fn dependencies_say_why() {
        let manifest = "[workspace.dependencies]\n# Ours.\nspec = { path = \"spec\" }\na = \"1\" # because\n\
                        b = { version = \"1\", features = [\n    \"x\",\n] } # because\nc = \"1\"\nd = \"1\" # unused\n[other]\ne = 1\n";
        let used: BTreeSet<&str> = ["spec", "a", "b", "c"].into();
        assert_eq!(
            reasons(manifest, &used),
            ["Cargo.toml: say on its line why `c` is there", "Cargo.toml: no package uses `d`; take it out"]
        );
    }
}
