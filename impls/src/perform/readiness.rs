//! Steps about readiness: the names of events, and the epoll instance of a process.

use super::Work;
use crate::ability::{Failure, Result};
use harness_core::wire::Outcome;
use impls_sys::readiness::{self, Epoll};
use spec::operation::{EpollAdd, Event, Poll, Timeout};
use std::time::Duration;

/// The events in the order in which they are reported: of `poll()`, and of epoll, which has the same numbers.
const EVENTS: [(i16, &str); 7] = [
    (libc::POLLIN, "in"),
    (libc::POLLPRI, "pri"),
    (libc::POLLOUT, "out"),
    (libc::POLLRDHUP, "rdhup"),
    (libc::POLLERR, "err"),
    (libc::POLLHUP, "hup"),
    (libc::POLLNVAL, "nval"),
];

/// What is said where nothing was ready in time.
const NOTHING: &str = "nothing";

fn bits(events: &[Event]) -> i16 {
    events.iter().fold(0, |bits, event| {
        bits | match event {
            Event::In => libc::POLLIN,
            Event::Pri => libc::POLLPRI,
            Event::Out => libc::POLLOUT,
            Event::Rdhup => libc::POLLRDHUP,
        }
    })
}

fn names(bits: i64) -> String {
    let names: Vec<&str> =
        EVENTS.iter().filter(|(bit, _)| bits & i64::from(*bit) != 0).map(|(_, name)| *name).collect();
    if names.is_empty() { NOTHING.to_owned() } else { names.join(" ") }
}

fn duration(timeout: Option<Timeout>) -> Option<Duration> {
    timeout.map(|timeout| Duration::from_nanos(timeout.ns()))
}

/// `poll()` on a descriptor.
pub(super) fn poll(poll: &Poll, descriptor: i32, work: &mut Work) -> Result<Outcome> {
    let ready = work.timed(|_, _| readiness::poll(descriptor, bits(&poll.events), duration(poll.timeout)))?;
    Ok(Outcome::Text(names(i64::from(ready))))
}

/// `poll()` for something to be read, on a descriptor of no channel.
pub(super) fn poll_input(descriptor: i32, timeout: Option<Timeout>, work: &mut Work) -> Result<Outcome> {
    let ready = work.timed(|_, _| readiness::poll(descriptor, libc::POLLIN, duration(timeout)))?;
    Ok(Outcome::Text(names(i64::from(ready))))
}

/// What a process watches.
#[derive(Debug, Default)]
pub struct Watch {
    epoll: Option<Epoll>,
    /// The channels that are watched; an event's mark is the place in this list.
    channels: Vec<String>,
}

impl Watch {
    /// `epoll_ctl(EPOLL_CTL_ADD)`.
    pub(super) fn add(&mut self, add: &EpollAdd, channel: &str, descriptor: i32, work: &mut Work) -> Result<Outcome> {
        if self.epoll.is_none() {
            self.epoll = Some(Epoll::new()?);
        }
        let epoll = self.epoll.as_ref().ok_or_else(|| Failure::senseless("there is no epoll instance"))?;
        let mut events = u32::from(bits(&add.events).cast_unsigned());
        for (asked, flag) in
            [(add.edge, libc::EPOLLET), (add.exclusive, libc::EPOLLEXCLUSIVE), (add.oneshot, libc::EPOLLONESHOT)]
        {
            events |= if asked { flag.cast_unsigned() } else { 0 };
        }
        let mark = self.channels.len() as u64;
        work.timed(|_, _| epoll.add(descriptor, events, mark))?;
        self.channels.push(channel.to_owned());
        Ok(Outcome::Done)
    }

    /// `epoll_wait()`.
    pub(super) fn wait(&self, timeout: Option<Timeout>, work: &mut Work) -> Result<Outcome> {
        let epoll = self.epoll.as_ref().ok_or_else(|| Failure::senseless("it watches nothing"))?;
        let ready = work.timed(|_, _| epoll.wait(duration(timeout)))?;
        let mut reports: Vec<String> = ready
            .into_iter()
            .filter_map(|(mark, events)| {
                let channel = self.channels.get(usize::try_from(mark).ok()?)?;
                Some(format!("{channel}: {}", names(i64::from(events))))
            })
            .collect();
        reports.sort();
        Ok(Outcome::Text(if reports.is_empty() { NOTHING.to_owned() } else { reports.join(", ") }))
    }
}
