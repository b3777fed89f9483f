//! Links between documents.

use super::File;
use std::path::Path;

/// What is wrong with documents.
pub(super) fn problems(files: &[File], root: &Path) -> Vec<String> {
    files.iter().filter(|file| file.has_suffix(&[".md"])).flat_map(|file| dead_links(file, root)).collect()
}

fn dead_links(file: &File, root: &Path) -> Vec<String> {
    let folder = file.path.parent().unwrap_or(root);
    links(&file.text)
        .into_iter()
        .filter(|(_, link)| {
            let target = link.split('#').next().unwrap_or("");
            let base = if target.starts_with('/') { root } else { folder };
            !target.is_empty() && !base.join(target.trim_start_matches('/')).exists()
        })
        .map(|(line, link)| format!("{}:{line}: there is no `{link}`", file.name))
        .collect()
}

/// The relative links of a document, with their lines. Code is not looked at.
fn links(text: &str) -> Vec<(usize, String)> {
    let mut links = Vec::new();
    let mut in_code = false;
    for (index, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        if in_code {
            continue;
        }
        let prose: String = line.split('`').step_by(2).collect::<Vec<_>>().join("``");
        for part in prose.split("](").skip(1) {
            let target = part.split([')', ' ']).next().unwrap_or("");
            let is_relative = !target.contains("://") && !target.starts_with("mailto:") && !target.is_empty();
            if is_relative {
                links.push((index + 1, target.to_owned()));
            }
        }
    }
    links
}

#[cfg(test)]
mod tests {
    use super::links;

    #[test]
    fn links_in_prose_are_seen_and_code_is_not() {
        let text = "See [a](a.md#part) and [b](https://b).\n```\n[c](c.md)\n```\nAlso `[d](d.md)` and [e](e.md).\n";
        assert_eq!(links(text), [(1, "a.md#part".to_owned()), (5, "e.md".to_owned())]);
    }
}
