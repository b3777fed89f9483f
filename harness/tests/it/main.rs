//! The harness against agents that behave, and against agents that do not.

mod isolation;
mod protocol;
mod rest;
mod support;
mod wayward;
