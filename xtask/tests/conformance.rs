//! Each instance of a scenario is one test, named by its id. What is skipped passes and says why.

use harness_core::{
    Verdict,
    expand::{self, InstanceName},
};
use libtest_mimic::{Arguments, Failed, Trial};
use reports::{Color, terminal};
use std::{
    process::ExitCode,
    sync::{Arc, Mutex, PoisonError},
};
use xtask::{
    agent,
    command::conform::run::{Runner, Settings, Step, time_scale},
    corpus::Corpus,
    select::Selected,
};

fn main() -> ExitCode {
    if let Some(code) = harness::reexec_entry() {
        return code;
    }
    let arguments = Arguments::from_args();
    let loaded = match one(&arguments) {
        Some(scenario) => Corpus::own_scenarios(&[scenario].into()),
        None => Corpus::own(),
    };
    let trials = match loaded {
        Ok(corpus) => trials(corpus, arguments.list),
        Err(error) => vec![Trial::test("the corpus loads", move || Err(Failed::from(format!("{error:#}"))))],
    };
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// The only scenario that is asked for: a runner that starts a process for each test has each load no more than it needs.
fn one(arguments: &Arguments) -> Option<&str> {
    let id = arguments.filter.as_deref().filter(|_| arguments.exact && !arguments.list)?;
    id.split_once('[').map(|(scenario, _)| scenario)
}

/// One trial an instance. They take turns: races want the processors for themselves.
fn trials(corpus: Corpus, is_list: bool) -> Vec<Trial> {
    if is_list {
        // A runner that starts a process for each test lists them first: the agent is built once, here.
        let _ = agent::reference();
    }
    let corpus = Arc::new(corpus);
    let shared: Arc<Mutex<Option<Result<Runner, String>>>> = Arc::default();
    let names: Vec<InstanceName> = corpus.scenarios.iter().flat_map(expand::names).collect();
    let instances = names.into_iter().map(|name| {
        let (corpus, shared) = (Arc::clone(&corpus), Arc::clone(&shared));
        Trial::test(name.id.clone(), move || {
            let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
            let runner = shared.get_or_insert_with(|| start().map_err(|error| format!("{error:#}")));
            run(runner.as_ref().map_err(|problem| Failed::from(problem.clone()))?, &corpus, &name)
        })
    });
    std::iter::once(Trial::test("the corpus loads", || Ok(()))).chain(instances).collect()
}

fn start() -> anyhow::Result<Runner> {
    let is_listed_before = std::env::var_os("NEXTEST").is_some();
    let built = agent::built();
    let agent = if is_listed_before && built.is_file() { built } else { agent::reference()? };
    let mut settings = Settings::new(vec![agent.into_os_string()]);
    settings.time_scale = time_scale()?;
    Runner::start(settings)
}

fn run(runner: &Runner, corpus: &Corpus, name: &InstanceName) -> Result<(), Failed> {
    let scenario = corpus.get(&name.scenario).ok_or("its scenario is gone")?;
    let selected = [Selected { name: name.clone(), scenario }];
    let mut result = Err(Failed::from("it was not run"));
    runner.run(&selected, &mut |step| {
        let Step::Done(report) = step else { return };
        let source = corpus.get(&report.scenario).map(|scenario| &*scenario.source);
        result = match report.verdict {
            Verdict::Held => Ok(()),
            Verdict::Skipped => {
                if let Some(skip) = &report.skip {
                    xtask::output::say(&format!("skipped {}: {}: {}", name.id, skip.class.name(), skip.reason));
                }
                Ok(())
            }
            _ => Err(Failed::from(terminal::instance_text(&report, source, Color::Never))),
        };
    });
    result
}
