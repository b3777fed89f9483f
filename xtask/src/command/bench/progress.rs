//! What is shown while something is measured: a live line on a terminal, a line now and then elsewhere.

use crate::output;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::time::{Duration, Instant};

/// Without a terminal something is said this often.
const SAID: Duration = Duration::from_secs(20);

/// The live line, or the lines now and then.
#[derive(Debug)]
pub(super) struct Live {
    bar: ProgressBar,
    is_live: bool,
    started: Instant,
    said: Instant,
    steps: u64,
    done: u64,
    /// It is over then, whatever is done.
    limit: Option<Duration>,
}

impl Live {
    /// For so many steps.
    pub(super) fn start(steps: usize) -> Self {
        let is_live = output::is_live();
        let target = if is_live { ProgressDrawTarget::stderr_with_hz(4) } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(steps as u64), target);
        if let Ok(style) = ProgressStyle::with_template("{bar:24} {pos}/{len} {msg}") {
            bar.set_style(style);
        }
        // No steady tick: nothing of ours wakes up while something is measured.
        let now = Instant::now();
        Self { bar, is_live, started: now, said: now, steps: steps as u64, done: 0, limit: None }
    }

    /// It takes no longer than this.
    pub(super) fn limit(&mut self, limit: Duration) {
        self.limit = Some(limit);
    }

    /// A step is done; the next one is this.
    pub(super) fn step(&mut self, next: &str) {
        self.done += 1;
        let left = left(self.started.elapsed(), self.done, self.steps, self.limit);
        if self.is_live {
            self.bar.set_position(self.done);
            self.bar.set_message(format!("{left} {next}"));
        } else if self.said.elapsed() > SAID {
            self.said = Instant::now();
            output::say(&format!("{} of {}, {left}", self.done, self.steps));
        }
    }

    /// There are so many steps left, fewer or more than was thought.
    pub(super) fn set_left(&mut self, left: u64) {
        self.steps = self.done + left;
        self.bar.set_length(self.steps);
    }

    /// Removes the live line.
    pub(super) fn finish(self) {
        self.bar.finish_and_clear();
    }
}

/// How much time is left, as a person would say it.
fn left(elapsed: Duration, done: u64, steps: u64, limit: Option<Duration>) -> String {
    let left = elapsed.as_secs_f64() / done.max(1) as f64 * steps.saturating_sub(done) as f64;
    let left = limit.map_or(left, |limit| left.min(limit.saturating_sub(elapsed).as_secs_f64()));
    match left {
        left if left < 60.0 => format!("about {left:.0} s left"),
        left => format!("about {:.0} min left", left / 60.0),
    }
}

#[cfg(test)]
mod tests {
    use super::left;
    use rstest::rstest;
    use std::time::Duration;

    #[rstest]
    #[case(10, 5, 10, "about 10 s left")]
    #[case(60, 10, 100, "about 9 min left")]
    #[case(0, 0, 10, "about 0 s left")]
    fn the_time_left_is_in_proportion(#[case] seconds: u64, #[case] done: u64, #[case] steps: u64, #[case] text: &str) {
        assert_eq!(left(Duration::from_secs(seconds), done, steps, None), text);
    }
}
