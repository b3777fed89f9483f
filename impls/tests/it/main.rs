//! The agent as a harness sees it: a program that calls back on a socket.

mod by_name;
mod command_line;
mod endings;
mod lane;
mod mechanisms;
mod races;
mod signals;
mod table;
