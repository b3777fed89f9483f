//! On which processor each process of a race runs.
//!
//! Where there are as many processors as processes each has its own. Where there are not, those that race are kept apart before all
//! others are: left to itself the system may keep on one processor those who wait for one another, and then nothing ever overlaps.

use super::release::racing_guests;
use harness_core::Plan;

/// For each process of a plan the place of its processor among so many; `processors` is at least 1.
pub(super) fn placement(plan: &Plan, processors: usize) -> Vec<usize> {
    let groups = racing_guests(plan);
    let mut places: Vec<Option<usize>> = vec![None; plan.processes.len()];
    // Those that race in most meetings choose first.
    let mut order: Vec<usize> = (0..plan.processes.len()).collect();
    order.sort_by_key(|process| std::cmp::Reverse(groups.iter().filter(|group| group.contains(process)).count()));
    for process in order {
        let on = |place: usize, other: usize| places[other] == Some(place);
        let rivals = |place: usize| {
            let shared = groups.iter().filter(|group| group.contains(&process)).flatten();
            shared.filter(|other| **other != process && on(place, **other)).count()
        };
        let company = |place: usize| (0..places.len()).filter(|other| on(place, *other)).count();
        let best = (0..processors).min_by_key(|place| (rivals(*place), company(*place), *place));
        places[process] = best;
    }
    places.into_iter().map(Option::unwrap_or_default).collect()
}

#[cfg(test)]
mod tests {
    use super::placement;
    use crate::engine::samples::plan;
    use rstest::rstest;

    const TWO_SENDERS: &str = "
  left: [{ send: '1' }, { meet: sent }]
  right: [{ send: '2' }, { meet: sent }]
  receiver: [{ meet: sent }, { receive: 8, record: a }, { receive: 8 }]";

    const ONE_FOR_TWO: &str = "
  sender: [{ send: '1' }, { meet: sent }]
  left: [{ meet: sent }, { receive: { size: 8, nonblocking: true }, record: a }]
  right: [{ meet: sent }, { receive: { size: 8, nonblocking: true }, record: b }]";

    #[rstest]
    #[case::each_its_own(TWO_SENDERS, 3, &[0, 1, 2])]
    #[case::the_senders_apart(TWO_SENDERS, 2, &[0, 1, 0])]
    #[case::the_receivers_apart(ONE_FOR_TWO, 2, &[0, 0, 1])]
    #[case::one_for_all(TWO_SENDERS, 1, &[0, 0, 0])]
    fn who_races_is_kept_apart(#[case] processes: &str, #[case] processors: usize, #[case] expected: &[usize]) {
        assert_eq!(placement(&plan(processes), processors), expected);
    }
}
