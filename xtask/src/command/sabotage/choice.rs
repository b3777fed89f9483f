//! Which instances a saboteur meets: few of each scenario that can show it.

use crate::{corpus::Corpus, select::Selected};
use harness_core::{
    expand::{self, InstanceName},
    sabotage::{Saboteur, ShownBy},
};
use spec::{
    Amount, Operation, Scenario,
    scenario::{Action, Body, Line, Step},
};

/// The instances, in the order of the corpus.
pub(super) fn instances<'c>(corpus: &'c Corpus, saboteur: &Saboteur) -> Vec<Selected<'c>> {
    let scenarios = corpus.scenarios.iter().filter(|scenario| can_show(scenario, saboteur));
    scenarios
        .flat_map(|scenario| {
            // Some channels are made of one mechanism, whatever the instance's is. Who does nothing wrong but in races needs more runs than
            // other mechanisms beside give in a short time.
            let made = scenario.channels.values().filter_map(|channel| channel.made_of);
            let is_patient = saboteur.shown_by == ShownBy::Races;
            let is_spoiled = !is_patient && made.into_iter().any(|mechanism| saboteur.spoils(mechanism));
            let spoils = |name: &InstanceName| is_spoiled || saboteur.spoils(name.mechanism);
            let names = expand::names(scenario).into_iter().filter(spoils).collect();
            few(names).into_iter().map(move |name| Selected { name, scenario })
        })
        .collect()
}

fn can_show(scenario: &Scenario, saboteur: &Saboteur) -> bool {
    let is_race = scenario.runs.is_some();
    let is_kind = match saboteur.shown_by {
        ShownBy::Quiet => !is_race,
        ShownBy::Races => is_race,
        ShownBy::All => true,
    };
    is_kind
        && (saboteur.operations.is_empty()
            || saboteur.operations.iter().any(|name| operations(scenario).any(|operation| operation.name() == name)))
}

/// The first mechanism with the first values of what is varied, and the last with the last.
fn few(mut names: Vec<InstanceName>) -> Vec<InstanceName> {
    let last = names.len().saturating_sub(1);
    names.drain(1.min(last)..last);
    names
}

/// All operations of a scenario.
fn operations(scenario: &Scenario) -> Box<dyn Iterator<Item = &Operation<Amount>> + '_> {
    match &scenario.body {
        Body::Story(lines) => Box::new(lines.iter().filter_map(operation)),
        Body::Processes { processes, .. } => Box::new(processes.iter().flat_map(|process| of_steps(&process.steps))),
    }
}

fn of_steps(steps: &[Step]) -> Box<dyn Iterator<Item = &Operation<Amount>> + '_> {
    Box::new(steps.iter().flat_map(|step| -> Box<dyn Iterator<Item = &Operation<Amount>>> {
        match step {
            Step::One(line) => Box::new(operation(line).into_iter()),
            Step::Repeat { steps, .. } => of_steps(steps),
        }
    }))
}

fn operation(line: &Line) -> Option<&Operation<Amount>> {
    match &line.action {
        Action::Do { operation, .. } => Some(operation),
        Action::Resumes(_) | Action::Still(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{few, instances};
    use crate::corpus::Corpus;
    use harness_core::{
        Verdict, expand,
        finding::Anomaly,
        sabotage::{Saboteur, ShownBy},
    };
    use rstest::rstest;
    use spec::{Ability, Mechanism};

    fn saboteur(shown_by: ShownBy, mechanisms: &[Mechanism], operations: &[&str]) -> Saboteur {
        Saboteur {
            name: "somebody".to_owned(),
            abilities: vec![Ability::Stream],
            mechanisms: mechanisms.to_vec(),
            operations: operations.iter().map(|name| (*name).to_owned()).collect(),
            what: "Does something".to_owned(),
            anomalies: vec![Anomaly::Lost],
            shown_by,
            refuses: false,
            caught_as: Verdict::Broken,
        }
    }

    #[rstest]
    #[case::races(ShownBy::Races, &[], &[], "races/pipe-buf-writes", true)]
    #[case::no_story_among_races(ShownBy::Races, &[], &[], "ordering/end-of-stream", false)]
    #[case::stories(ShownBy::Quiet, &[], &[], "ordering/end-of-stream", true)]
    #[case::all(ShownBy::All, &[], &[], "ordering/end-of-stream", true)]
    #[case::of_another_ability(ShownBy::All, &[], &[], "blocking/futex-waits", false)]
    #[case::with_the_operation(ShownBy::All, &[], &["close"], "ordering/end-of-stream", true)]
    #[case::without_the_operation(ShownBy::All, &[], &["peek", "unlink"], "ordering/end-of-stream", false)]
    fn a_saboteur_meets_what_can_show_it(
        #[case] shown_by: ShownBy,
        #[case] mechanisms: &[Mechanism],
        #[case] operations: &[&str],
        #[case] scenario: &str,
        #[case] is_met: bool,
    ) {
        let corpus = Corpus::own().unwrap();
        let saboteur = saboteur(shown_by, mechanisms, operations);
        let met = instances(&corpus, &saboteur).iter().any(|selected| selected.name.scenario == scenario);
        assert_eq!(met, is_met);
    }

    #[test]
    fn few_instances_are_ends_of_mechanisms_and_values() {
        let corpus = Corpus::own_scenarios(&["ordering/stream-keeps-its-order"].into()).unwrap();
        let ids: Vec<String> = few(expand::names(&corpus.scenarios[0])).into_iter().map(|name| name.id).collect();
        let expected = ["[pipe,size=7]", "[tcp6,size=3*PIPE_BUF+5]"];
        assert_eq!(ids, expected.map(|end| format!("ordering/stream-keeps-its-order{end}")));
        let one = Corpus::own_scenarios(&["ordering/end-of-stream"].into()).unwrap();
        assert_eq!(few(expand::names(&one.scenarios[0]).into_iter().take(1).collect()).len(), 1);
        assert_eq!(few(Vec::new()), Vec::new());
    }

    #[test]
    fn only_mechanisms_that_are_spoiled_are_met() {
        let corpus = Corpus::own_scenarios(&["ordering/end-of-stream"].into()).unwrap();
        let selected = instances(&corpus, &saboteur(ShownBy::All, &[Mechanism::Tcp], &[]));
        let ids: Vec<&str> = selected.iter().map(|selected| selected.name.id.as_str()).collect();
        assert_eq!(ids, ["ordering/end-of-stream[tcp]"]);
    }
}
