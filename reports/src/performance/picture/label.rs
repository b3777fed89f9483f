//! Labels at the ends of lines: moved apart where lines end close to each other.

/// Gives each label a place as near as can be to the one that it wants, with this gap between neighbours, within these bounds where
/// there is room.
pub(super) fn spread(wanted: &[f64], gap: f64, bounds: (f64, f64)) -> Vec<f64> {
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.sort_by(|left, right| wanted[*left].total_cmp(&wanted[*right]));
    let mut places: Vec<f64> = order.iter().map(|index| wanted[*index]).collect();
    // Downwards, then upwards from the lower bound: after both nobody is too close to anybody.
    for index in 1..places.len() {
        places[index] = places[index].max(places[index - 1] + gap);
    }
    let mut limit = bounds.1;
    for place in places.iter_mut().rev() {
        *place = place.min(limit);
        limit = *place - gap;
    }
    let mut placed = vec![0.0; wanted.len()];
    for (index, place) in order.into_iter().zip(places) {
        placed[index] = place;
    }
    placed
}

#[cfg(test)]
mod tests {
    use super::spread;
    use proptest::prelude::*;

    #[test]
    fn labels_that_are_far_apart_stay() {
        assert_eq!(spread(&[50.0, 10.0], 12.0, (0.0, 100.0)), [50.0, 10.0]);
    }

    #[test]
    fn labels_that_are_close_are_moved_apart_within_the_bounds() {
        assert_eq!(spread(&[95.0, 96.0, 97.0], 12.0, (0.0, 100.0)), [76.0, 88.0, 100.0]);
    }

    proptest! {
        #[test]
        fn no_two_are_closer_than_the_gap(wanted in prop::collection::vec(0.0..300.0_f64, 0..20)) {
            let mut places = spread(&wanted, 12.0, (0.0, 300.0));
            places.sort_by(f64::total_cmp);
            prop_assert!(places.windows(2).all(|pair| pair[1] - pair[0] > 11.99));
            prop_assert!(places.iter().all(|place| *place <= 300.0));
        }
    }
}
