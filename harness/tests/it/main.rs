//! The harness against agents that behave, and against agents that do not.

mod rest;
mod protocol;
mod support;
mod wayward;
