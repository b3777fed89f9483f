//! `bench`: measure what mechanisms cost.

use crate::{ExitCode, Failure, agent, output, workspace};
use harness::{
    Config, Session,
    measure::{Effort, Order, Unmeasured},
};
use harness_core::measure::{Sample, summary, sweep};
use spec::{Mechanism, vocabulary::MECHANISMS};

/// Measure what mechanisms cost.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Arguments {
    /// Only these mechanisms
    #[arg(long, short, value_name = "M", value_parser = mechanism)]
    mechanism: Vec<Mechanism>,
    /// In less than a minute
    #[arg(long)]
    quick: bool,
    #[arg(long, default_value = "")]
    only: String,
    #[arg(long, default_value_t = 1)]
    rounds: u32,
}

fn mechanism(name: &str) -> Result<Mechanism, String> {
    Mechanism::from_name(name).ok_or_else(|| format!("there is no mechanism `{name}`"))
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let mut config = Config::new(vec![agent::measured()?.into_os_string()], workspace::this_program()?);
    config.jobs = 1;
    let session = Session::start(config).map_err(|error| Failure::error(ExitCode::Faulty, error.to_string()))?;
    let mechanisms: Vec<Mechanism> = if arguments.mechanism.is_empty() {
        MECHANISMS.iter().map(|row| row.mechanism).collect()
    } else {
        arguments.mechanism.clone()
    };
    let cells = mechanisms.iter().flat_map(|m| if arguments.quick { sweep::quick(*m) } else { sweep::full(*m) });
    let cells: Vec<_> = cells.filter(|cell| cell.to_string().contains(&arguments.only)).collect();
    let effort = if arguments.quick { Effort::QUICK } else { Effort::FULL };
    let mut samples: Vec<Sample> = Vec::new();
    for round in 0..arguments.rounds {
        for cell in &cells {
            let mut order = Order::new(*cell, round, effort);
            if matches!(cell.shape, harness_core::measure::Shape::OpenLoop(_)) {
                order.interval_ns = 50_000;
            }
            match session.measure(&order) {
                Ok(sample) => samples.push(sample),
                Err(Unmeasured::NotApplicable(reason)) => output::say(&format!("{cell}: n/a: {reason}")),
                Err(Unmeasured::Failed(reason)) => output::say(&format!("{cell}: FAILED: {reason}")),
            }
        }
    }
    for (cell, row) in summary::rows(&samples) {
        let calls = session.count_system_calls(cell);
        let l = row.latency.clone().unwrap_or_default();
        output::print(&format!(
            "{cell:50} {:12.1} ns  x{:8.2}  floor {:9.1} cpu {:9.1} sw {:5.2} calls {:?} p99 {:9.0} p999 {:?} max {:9.0} loss {:.3} line {:.0} MB/s {:.0} dist {} void {}\n",
            row.cost_ns, row.ratio, row.floor_ns, row.processor_ns, row.switches, calls, l.p99, l.p999, l.maximum, row.loss, row.line_ns, row.bytes_per_second()/1e6, row.disturbed, row.voided
        ))?;
    }
    Ok(ExitCode::Success)
}
