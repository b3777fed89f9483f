//! What has to be done before anything else can go on, done on all processors.

use rayon::{ThreadPoolBuilder, prelude::*};

/// Does the same with each of these. Results come in their order.
///
/// The threads end with it, so that memory which they have no more use for is had by those that come after.
pub fn map<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    // To start threads for one takes longer than it.
    if let [item] = items {
        return vec![work(item)];
    }
    match ThreadPoolBuilder::new().build() {
        Ok(pool) => pool.install(|| items.par_iter().map(&work).collect()),
        // Where there is no room for threads, this one does it.
        Err(_) => items.iter().map(work).collect(),
    }
}
