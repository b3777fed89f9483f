//! What is shown while a run goes on: a live line on a terminal; what did not hold, at once, everywhere.

use crate::output;
use harness_core::{InstanceReport, Verdict};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use reports::{Color, terminal};
use std::time::Duration;

/// The live line, and the lines above it.
#[derive(Debug)]
pub(in crate::command) struct Live {
    bar: ProgressBar,
    is_live: bool,
    color: Color,
}

impl Live {
    /// For so many instances, or whatever else is counted.
    pub(in crate::command) fn start(instances: usize) -> Self {
        let is_live = output::is_live();
        let target = if is_live { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(instances as u64), target);
        if let Ok(style) = ProgressStyle::with_template("{bar:24} {pos}/{len} {elapsed} {wide_msg}") {
            bar.set_style(style);
        }
        if is_live {
            bar.enable_steady_tick(Duration::from_millis(200));
        }
        Self { bar, is_live, color: output::color() }
    }

    /// One has begun.
    pub(in crate::command) fn started(&self, id: &str) {
        self.bar.set_message(id.to_owned());
    }

    /// An instance is done.
    pub(super) fn done(&self, report: &InstanceReport) {
        self.bar.inc(1);
        if matches!(report.verdict, Verdict::Held | Verdict::Skipped) {
            return;
        }
        if self.is_live {
            self.bar.println(terminal::live_line(report, self.color));
        } else {
            output::say(&terminal::live_line(report, Color::Never));
        }
    }

    /// One is done, of which is nothing more to say.
    pub(in crate::command) fn step(&self) {
        self.bar.inc(1);
    }

    /// Says something above the live line.
    pub(in crate::command) fn say(&self, text: &str) {
        if self.is_live { self.bar.println(text) } else { output::say(text) }
    }

    /// Removes the live line.
    pub(in crate::command) fn finish(self) {
        self.bar.finish_and_clear();
    }
}
