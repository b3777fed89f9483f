//! `signal`: signals between processes, signal(7).

use super::{Mechanism, OpenError, Opened, Place};
use crate::ability::{Action, Arrival, Failure, Object, Result, Signals};
use harness_core::wire::HeldEnd;
use impls_sys::signals;
use nix::{errno::Errno, unistd::Pid};
use spec::scenario::Channel;
use std::time::Duration;

/// The mechanism `signal`.
#[derive(Debug)]
pub struct Signal;

struct OpenSignals;

impl Mechanism for Signal {
    fn which(&self) -> spec::Mechanism {
        spec::Mechanism::Signal
    }

    fn works(&self) -> bool {
        cfg!(unix)
    }

    fn open(&self, _: &Place, _: &Channel<u64>) -> std::result::Result<Box<dyn Opened>, OpenError> {
        Ok(Box::new(OpenSignals))
    }

    fn prepare(&self, _: &Place, _: &Channel<u64>) -> std::result::Result<Box<dyn Opened>, OpenError> {
        Err(OpenError::nameless())
    }

    fn remove(&self, _: &Place) {}
}

impl Opened for OpenSignals {
    fn hold(self: Box<Self>, _: HeldEnd) -> Result<Object> {
        Ok(Object::Signals)
    }
}

/// The signals of this process, whatever its channels are made of.
#[derive(Debug, Default)]
pub struct ProcessSignals;

impl Signals for ProcessSignals {
    fn kill(&mut self, pid: i32, signal: i32) -> Result<()> {
        Ok(signals::send(Pid::from_raw(pid), signal)?)
    }

    fn queue(&mut self, pid: i32, signal: i32, value: u64) -> Result<()> {
        Ok(signals::queue(Pid::from_raw(pid), signal, value)?)
    }

    fn mask(&mut self, block: &[i32], unblock: &[i32]) -> Result<()> {
        if !block.is_empty() {
            signals::block(block)?;
        }
        if !unblock.is_empty() {
            signals::unblock(unblock)?;
        }
        Ok(())
    }

    fn action(&mut self, signal: i32, action: Action, flags: i32, mask: &[i32]) -> Result<()> {
        Ok(signals::set_action(signal, action, flags, mask)?)
    }

    fn wait(&mut self, signals: &[i32], timeout: Option<Duration>) -> Result<Arrival> {
        Ok(signals::wait(signals, timeout)?)
    }

    fn suspend(&mut self, mask: &[i32]) -> Result<()> {
        Err(signals::suspend(mask).into())
    }

    fn pending(&mut self) -> Result<Vec<i32>> {
        Ok(signals::pending()?)
    }

    fn caught(&mut self) -> Result<Vec<Arrival>> {
        signals::caught().map_err(|errno| match errno {
            Errno::EOVERFLOW => Failure::Senseless(format!("more than {} signals were caught", signals::CAUGHT_MAX)),
            errno => errno.into(),
        })
    }
}
