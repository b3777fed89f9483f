//! Each instance of a scenario is one test, named by its id.

fn main() {}
