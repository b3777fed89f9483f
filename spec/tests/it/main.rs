//! The loader over whole files: the corpus loads, bad files get their messages.

mod bad;
mod corpus;
mod guide;
