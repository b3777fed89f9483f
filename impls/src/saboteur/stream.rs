//! Faults of byte streams.

use super::{
    Ground,
    over::{self, StreamFault},
};
use crate::ability::{Failure, Object, Result, Stream};
use harness_core::wire::HeldEnd;
use impls_sys::signals;
use nix::{errno::Errno, sched::sched_yield};
use std::time::Duration;

/// What a pipe keeps together, at least.
const PIPE_BUF: usize = libc::PIPE_BUF;

/// Makes one write as two.
struct Split {
    /// Of which length alone, where not of all.
    only: Option<usize>,
}

impl StreamFault for Split {
    fn write(&mut self, stream: &mut dyn Stream, bytes: &[u8], nonblocking: bool) -> Result<usize> {
        if bytes.len() < 2 || self.only.is_some_and(|length| length != bytes.len()) {
            return stream.write(bytes, nonblocking);
        }
        let (first, second) = bytes.split_at(bytes.len() / 2);
        let written = stream.write(first, nonblocking)?;
        if written < first.len() {
            return Ok(written);
        }
        // Others may have their turn.
        let _ = sched_yield();
        Ok(stream.write(second, nonblocking).map_or(written, |more| written + more))
    }
}

pub(super) fn split(object: Object, _: &Ground) -> Object {
    over::stream(object, Split { only: None })
}

pub(super) fn split_at_pipe_buf(object: Object, _: &Ground) -> Object {
    over::stream(object, Split { only: Some(PIPE_BUF) })
}

/// What becomes of every second write of a process.
#[derive(Clone, Copy)]
enum Second {
    /// It is never made.
    Lost,
    /// It is made twice.
    Doubled,
}

struct EverySecond {
    second: Second,
    writes: u64,
}

impl StreamFault for EverySecond {
    fn write(&mut self, stream: &mut dyn Stream, bytes: &[u8], nonblocking: bool) -> Result<usize> {
        self.writes += 1;
        if !self.writes.is_multiple_of(2) {
            return stream.write(bytes, nonblocking);
        }
        match self.second {
            Second::Lost => Ok(bytes.len()),
            Second::Doubled => {
                let written = stream.write(bytes, nonblocking)?;
                let _ = stream.write(&bytes[..written], true);
                Ok(written)
            }
        }
    }
}

pub(super) fn lose(object: Object, _: &Ground) -> Object {
    over::stream(object, EverySecond { second: Second::Lost, writes: 0 })
}

pub(super) fn double(object: Object, _: &Ground) -> Object {
    over::stream(object, EverySecond { second: Second::Doubled, writes: 1 })
}

/// A text that is longer than that is not turned: what a reader takes for the beginning of a message should be one.
const SHORT: usize = 32;

/// Writes the second half of a short text before the first.
struct Turn;

impl StreamFault for Turn {
    fn write(&mut self, stream: &mut dyn Stream, bytes: &[u8], nonblocking: bool) -> Result<usize> {
        if bytes.len() > SHORT {
            return stream.write(bytes, nonblocking);
        }
        let (first, second) = bytes.split_at(bytes.len() / 2);
        stream.write(&[second, first].concat(), nonblocking)
    }
}

pub(super) fn turn(object: Object, _: &Ground) -> Object {
    over::stream(object, Turn)
}

/// Leaves out the last byte of each write.
struct Truncate;

impl StreamFault for Truncate {
    fn write(&mut self, stream: &mut dyn Stream, bytes: &[u8], nonblocking: bool) -> Result<usize> {
        let length = bytes.len();
        if length < 2 {
            return stream.write(bytes, nonblocking);
        }
        let written = stream.write(&bytes[..length - 1], nonblocking)?;
        Ok(if written == length - 1 { length } else { written })
    }
}

pub(super) fn truncate(object: Object, _: &Ground) -> Object {
    over::stream(object, Truncate)
}

/// Gives another byte than was written, the last of each read.
struct Corrupt;

impl StreamFault for Corrupt {
    fn read(&mut self, stream: &mut dyn Stream, buffer: &mut [u8], nonblocking: bool, peek: bool) -> Result<usize> {
        let length = stream.read(buffer, nonblocking, peek)?;
        if let Some(last) = buffer[..length].last_mut() {
            // Without the half that tells who wrote it.
            *last &= 15;
        }
        Ok(length)
    }
}

pub(super) fn corrupt(object: Object, _: &Ground) -> Object {
    over::stream(object, Corrupt)
}

/// Takes a stream in which nothing is for one that has ended.
struct EndEarly;

impl StreamFault for EndEarly {
    fn read(&mut self, stream: &mut dyn Stream, buffer: &mut [u8], nonblocking: bool, peek: bool) -> Result<usize> {
        match stream.read(buffer, true, peek) {
            Err(Failure::Errno(Errno::EAGAIN)) if !nonblocking => Ok(0),
            read => read,
        }
    }
}

pub(super) fn end_early(object: Object, _: &Ground) -> Object {
    over::stream(object, EndEarly)
}

/// Who reads keeps the end to write to as well.
pub(super) fn readers_keep_both(end: HeldEnd) -> HeldEnd {
    if end == HeldEnd::Read { HeldEnd::Both } else { end }
}

/// Who writes keeps the end to read from as well.
pub(super) fn writers_keep_both(end: HeldEnd) -> HeldEnd {
    if end == HeldEnd::Write { HeldEnd::Both } else { end }
}

/// Takes a write that nobody will read for one that was made.
struct SwallowBrokenPipe;

impl StreamFault for SwallowBrokenPipe {
    fn write(&mut self, stream: &mut dyn Stream, bytes: &[u8], nonblocking: bool) -> Result<usize> {
        let pipe = [libc::SIGPIPE];
        signals::block(&pipe)?;
        let written = stream.write(bytes, nonblocking);
        if matches!(written, Err(Failure::Errno(Errno::EPIPE))) {
            let _ = signals::wait(&pipe, Some(Duration::ZERO));
        }
        signals::unblock(&pipe)?;
        match written {
            Err(Failure::Errno(Errno::EPIPE)) => Ok(bytes.len()),
            written => written,
        }
    }
}

pub(super) fn swallow_broken_pipe(object: Object, _: &Ground) -> Object {
    over::stream(object, SwallowBrokenPipe)
}

/// Reads until the buffer is full, as a library may that means well.
struct Insist;

impl StreamFault for Insist {
    fn read(&mut self, stream: &mut dyn Stream, buffer: &mut [u8], nonblocking: bool, peek: bool) -> Result<usize> {
        let mut length = stream.read(buffer, nonblocking, peek)?;
        while length > 0 && length < buffer.len() && !nonblocking && !peek {
            match stream.read(&mut buffer[length..], false, false) {
                Ok(0) | Err(_) => break,
                Ok(more) => length += more,
            }
        }
        Ok(length)
    }
}

pub(super) fn insist(object: Object, _: &Ground) -> Object {
    over::stream(object, Insist)
}

/// Sends what there is room for, and says that this was all.
struct Partial;

impl StreamFault for Partial {
    fn write(&mut self, stream: &mut dyn Stream, bytes: &[u8], nonblocking: bool) -> Result<usize> {
        match stream.write(bytes, true) {
            Err(Failure::Errno(Errno::EAGAIN)) if !nonblocking => Ok(bytes.len()),
            Ok(_) if !nonblocking => Ok(bytes.len()),
            written => written,
        }
    }
}

pub(super) fn drop_what_finds_no_room(object: Object, _: &Ground) -> Object {
    over::stream(object, Partial)
}
