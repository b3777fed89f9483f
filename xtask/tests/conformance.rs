//! Each instance of a scenario is one test, named by its id. What is skipped passes and says why.

use harness_core::Verdict;
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
    select::{Selected, Selection},
    workspace,
};

fn main() -> ExitCode {
    if let Some(code) = harness::reexec_entry() {
        return code;
    }
    let arguments = Arguments::from_args();
    let trials = match Corpus::own() {
        Ok(corpus) => trials(corpus, arguments.list),
        Err(error) => vec![Trial::test("the corpus loads", move || Err(Failed::from(format!("{error:#}"))))],
    };
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// One trial an instance. They take turns: races want the processors for themselves.
fn trials(corpus: Corpus, is_list: bool) -> Vec<Trial> {
    if is_list {
        // A runner that starts a process for each test lists them first: the agent is built once, here.
        let _ = agent::reference();
    }
    let corpus = Arc::new(corpus);
    let shared: Arc<Mutex<Option<Result<Runner, String>>>> = Arc::default();
    let ids: Vec<String> = select(&corpus).into_iter().map(|selected| selected.name.id).collect();
    let instances = ids.into_iter().map(|id| {
        let (corpus, shared) = (Arc::clone(&corpus), Arc::clone(&shared));
        Trial::test(id.clone(), move || {
            let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
            let runner = shared.get_or_insert_with(|| start().map_err(|error| format!("{error:#}")));
            run(runner.as_ref().map_err(|problem| Failed::from(problem.clone()))?, &corpus, &id)
        })
    });
    std::iter::once(Trial::test("the corpus loads", || Ok(()))).chain(instances).collect()
}

fn select(corpus: &Corpus) -> Vec<Selected<'_>> {
    Selection::default().apply(corpus, &xtask::select::Sorted::default())
}

fn start() -> anyhow::Result<Runner> {
    let built = workspace::target().join("release/plumbline-agent");
    let is_listed_before = std::env::var_os("NEXTEST").is_some();
    let agent = if is_listed_before && built.is_file() { built } else { agent::reference()? };
    let mut settings = Settings::new(vec![agent.into_os_string()]);
    settings.time_scale = time_scale()?;
    Runner::start(settings)
}

fn run(runner: &Runner, corpus: &Corpus, id: &str) -> Result<(), Failed> {
    let selected: Vec<Selected<'_>> = select(corpus).into_iter().filter(|selected| selected.name.id == id).collect();
    let mut result = Err(Failed::from("it was not run"));
    runner.run(&selected, &mut |step| {
        let Step::Done(report) = step else { return };
        let source = corpus.get(&report.scenario).map(|scenario| &*scenario.source);
        result = match report.verdict {
            Verdict::Held => Ok(()),
            Verdict::Skipped => {
                if let Some(skip) = &report.skip {
                    xtask::output::say(&format!("skipped {id}: {}: {}", skip.class.name(), skip.reason));
                }
                Ok(())
            }
            _ => Err(Failed::from(terminal::instance_text(&report, source, Color::Never))),
        };
    });
    result
}
