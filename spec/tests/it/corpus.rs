//! Every scenario of the corpus loads.

use std::path::Path;

#[test]
fn every_scenario_loads() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let (scenarios, complaints) = spec::load::directory(&root);
    let text: Vec<String> = complaints.iter().map(|complaints| complaints.render(false)).collect();
    assert!(complaints.is_empty(), "{}", text.join("\n\n"));
    assert!(!scenarios.is_empty(), "no scenario lies in {}", root.display());
}
