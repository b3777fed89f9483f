//! The command line: composition root of Plumbline.

fn main() {}
