//! Every example of `docs/scenario-language.md` loads.

use std::{fs, path::Path};

#[test]
fn every_example_of_the_guide_loads() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/scenario-language.md");
    let guide = fs::read_to_string(path).expect("the guide is there");
    let examples: Vec<&str> = guide.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(examples.len() >= 9, "the guide has lost its examples");
    for example in examples {
        if let Err(complaints) = spec::load::text("ordering/example", "docs/scenario-language.md", example) {
            panic!("an example does not load:\n{}\n{example}", complaints.render(false));
        }
    }
}

#[test]
fn the_guide_names_every_operation_and_every_claim() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/scenario-language.md");
    let guide = fs::read_to_string(path).expect("the guide is there");
    for row in spec::operation::OPERATIONS {
        assert!(guide.contains(&format!("`{}`", row.name)), "the guide does not name `{}`", row.name);
    }
}
