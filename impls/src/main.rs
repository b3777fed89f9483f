//! The reference agent.

fn main() {}
