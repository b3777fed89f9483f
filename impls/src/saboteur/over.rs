//! What a process holds of a channel, with a fault over it: every call goes through the fault, which passes it on unless it says
//! otherwise. The fault of each ability is a trait whose methods pass everything on.

use crate::{
    ability::{
        Binding, Bytes, Channel, Connections, Counter, Filter, Lock, Memory, Message, Names, Object, Patience, Queue,
        Result, Shutdown, Sleepers, Stream, Wake,
    },
    perform::words::Access,
};
use impls_sys::{memory::Mapping, sysv::Change};
use spec::{
    Operation,
    operation::{End, Mode, Requeue, SealKind},
};
use std::{os::fd::OwnedFd, time::Duration};

/// A channel with a fault over it.
struct Over<T: ?Sized, F> {
    inner: Box<T>,
    fault: F,
}

/// A fault over a stream.
pub(super) trait StreamFault: 'static {
    fn write(&mut self, stream: &mut dyn Stream, bytes: &[u8], nonblocking: bool) -> Result<usize> {
        stream.write(bytes, nonblocking)
    }
    fn read(&mut self, stream: &mut dyn Stream, buffer: &mut [u8], nonblocking: bool, peek: bool) -> Result<usize> {
        stream.read(buffer, nonblocking, peek)
    }
}

/// A fault over a queue.
pub(super) trait QueueFault: 'static {
    fn send(
        &mut self,
        queue: &mut dyn Queue,
        bytes: &[u8],
        priority: Option<u32>,
        patience: Patience,
    ) -> Result<usize> {
        queue.send(bytes, priority, patience)
    }
    fn send_typed(&mut self, queue: &mut dyn Queue, bytes: &[u8], kind: u64, patience: Patience) -> Result<usize> {
        queue.send_typed(bytes, kind, patience)
    }
    fn receive(&mut self, queue: &mut dyn Queue, buffer: &mut [u8], patience: Patience, peek: bool) -> Result<Message> {
        queue.receive(buffer, patience, peek)
    }
    fn receive_filtered(
        &mut self,
        queue: &mut dyn Queue,
        buffer: &mut [u8],
        filter: Filter,
        patience: Patience,
    ) -> Result<Message> {
        queue.receive_filtered(buffer, filter, patience)
    }
}

/// A fault over a counter.
pub(super) trait CounterFault: 'static {
    fn wait(&mut self, counter: &mut dyn Counter, patience: Patience) -> Result<Option<u64>> {
        counter.wait(patience)
    }
    fn post(&mut self, counter: &mut dyn Counter, value: u64, patience: Patience) -> Result<()> {
        counter.post(value, patience)
    }
    fn value(&mut self, counter: &mut dyn Counter, number: u64) -> Result<u64> {
        counter.value(number)
    }
    fn change(&mut self, counter: &mut dyn Counter, changes: &[Change], timeout: Option<Duration>) -> Result<()> {
        counter.change(changes, timeout)
    }
}

/// A fault over a lock.
pub(super) trait LockFault: 'static {
    fn lock(&mut self, lock: &mut dyn Lock, mode: Mode, bytes: Bytes, patience: Patience) -> Result<()> {
        lock.lock(mode, bytes, patience)
    }
    fn unlock(&mut self, lock: &mut dyn Lock, bytes: Bytes) -> Result<()> {
        lock.unlock(bytes)
    }
    fn close(&mut self, lock: &mut dyn Lock, end: Option<End>) -> Result<()> {
        lock.close(end)
    }
}

/// A fault over a place to wait.
pub(super) trait WakeFault: 'static {
    fn wait_on(&mut self, wake: &mut dyn Wake, expected: u64, patience: Patience) -> Result<()> {
        wake.wait_on(expected, patience)
    }
    fn notify(&mut self, wake: &mut dyn Wake, sleepers: Sleepers) -> Result<Option<u64>> {
        wake.notify(sleepers)
    }
    fn arrive(&mut self, wake: &mut dyn Wake) -> Result<bool> {
        wake.arrive()
    }
}

/// A fault over memory.
pub(super) trait MemoryFault: 'static {
    /// What it maps instead, where it does.
    fn instead(&self) -> Option<&Mapping> {
        None
    }
    fn access<'m>(&'m self, memory: &'m dyn Memory, operation: &Operation<u64>) -> Result<Access<'m>> {
        Access::new(operation, self.instead().or(memory.mapped()))
    }
}

/// A stream with a fault over it; nothing else is changed.
pub(super) fn stream(object: Object, fault: impl StreamFault) -> Object {
    match object {
        Object::Stream(inner) => Object::Stream(Box::new(Over { inner, fault })),
        object => object,
    }
}

/// A queue with a fault over it; nothing else is changed.
pub(super) fn queue(object: Object, fault: impl QueueFault) -> Object {
    match object {
        Object::Queue(inner) => Object::Queue(Box::new(Over { inner, fault })),
        object => object,
    }
}

/// A counter with a fault over it; nothing else is changed.
pub(super) fn counter(object: Object, fault: impl CounterFault) -> Object {
    match object {
        Object::Counter(inner) => Object::Counter(Box::new(Over { inner, fault })),
        object => object,
    }
}

/// A lock with a fault over it; nothing else is changed.
pub(super) fn lock(object: Object, fault: impl LockFault) -> Object {
    match object {
        Object::Lock(inner) => Object::Lock(Box::new(Over { inner, fault })),
        object => object,
    }
}

/// A place to wait with a fault over it; nothing else is changed.
pub(super) fn wake(object: Object, fault: impl WakeFault) -> Object {
    match object {
        Object::Wake(inner) => Object::Wake(Box::new(Over { inner, fault })),
        object => object,
    }
}

/// Memory with a fault over it; nothing else is changed.
pub(super) fn memory(object: Object, fault: impl MemoryFault) -> Object {
    match object {
        Object::Memory(inner) => Object::Memory(Box::new(Over { inner, fault })),
        object => object,
    }
}

/// All that channels have in common is passed on, but for `close` where a fault has something to say to it.
macro_rules! channel {
    ($ability:ident, $fault:ident, |$over:ident, $end:ident| $close:expr) => {
        impl<F: $fault> Channel for Over<dyn $ability, F> {
            fn close(&mut self, $end: Option<End>) -> Result<()> {
                let $over = self;
                $close
            }
            fn set_nonblocking(&mut self, nonblocking: bool) -> Result<()> {
                self.inner.set_nonblocking(nonblocking)
            }
            fn descriptor(&self, end: Option<End>) -> Option<i32> {
                self.inner.descriptor(end)
            }
            fn adopt(&mut self, handle: OwnedFd, end: End) -> Result<()> {
                self.inner.adopt(handle, end)
            }
            fn names(&mut self) -> Option<&mut dyn Names> {
                self.inner.names()
            }
            fn binding(&mut self) -> Option<&mut dyn Binding> {
                self.inner.binding()
            }
            fn connections(&mut self) -> Option<&mut dyn Connections> {
                self.inner.connections()
            }
            fn shutdown(&mut self) -> Option<&mut dyn Shutdown> {
                self.inner.shutdown()
            }
        }
    };
}

channel!(Stream, StreamFault, |over, end| over.inner.close(end));
channel!(Queue, QueueFault, |over, end| over.inner.close(end));
channel!(Counter, CounterFault, |over, end| over.inner.close(end));
channel!(Lock, LockFault, |over, end| over.fault.close(over.inner.as_mut(), end));
channel!(Wake, WakeFault, |over, end| over.inner.close(end));
channel!(Memory, MemoryFault, |over, end| over.inner.close(end));

impl<F: StreamFault> Stream for Over<dyn Stream, F> {
    fn write(&mut self, bytes: &[u8], nonblocking: bool) -> Result<usize> {
        self.fault.write(self.inner.as_mut(), bytes, nonblocking)
    }

    fn read(&mut self, buffer: &mut [u8], nonblocking: bool, peek: bool) -> Result<usize> {
        self.fault.read(self.inner.as_mut(), buffer, nonblocking, peek)
    }
}

impl<F: QueueFault> Queue for Over<dyn Queue, F> {
    fn send(&mut self, bytes: &[u8], priority: Option<u32>, patience: Patience) -> Result<usize> {
        self.fault.send(self.inner.as_mut(), bytes, priority, patience)
    }

    fn receive(&mut self, buffer: &mut [u8], patience: Patience, peek: bool) -> Result<Message> {
        self.fault.receive(self.inner.as_mut(), buffer, patience, peek)
    }

    fn send_typed(&mut self, bytes: &[u8], kind: u64, patience: Patience) -> Result<usize> {
        self.fault.send_typed(self.inner.as_mut(), bytes, kind, patience)
    }

    fn receive_filtered(&mut self, buffer: &mut [u8], filter: Filter, patience: Patience) -> Result<Message> {
        self.fault.receive_filtered(self.inner.as_mut(), buffer, filter, patience)
    }

    fn notify(&mut self, request: Option<(i32, u64)>) -> Result<()> {
        self.inner.notify(request)
    }

    fn message_size_max(&self) -> usize {
        self.inner.message_size_max()
    }

    fn attributes(&mut self) -> Result<u64> {
        self.inner.attributes()
    }
}

impl<F: CounterFault> Counter for Over<dyn Counter, F> {
    fn wait(&mut self, patience: Patience) -> Result<Option<u64>> {
        self.fault.wait(self.inner.as_mut(), patience)
    }

    fn post(&mut self, value: u64, patience: Patience) -> Result<()> {
        self.fault.post(self.inner.as_mut(), value, patience)
    }

    fn value(&mut self, number: u64) -> Result<u64> {
        self.fault.value(self.inner.as_mut(), number)
    }

    fn change(&mut self, changes: &[Change], timeout: Option<Duration>) -> Result<()> {
        self.fault.change(self.inner.as_mut(), changes, timeout)
    }
}

impl<F: LockFault> Lock for Over<dyn Lock, F> {
    fn lock(&mut self, mode: Mode, bytes: Bytes, patience: Patience) -> Result<()> {
        self.fault.lock(self.inner.as_mut(), mode, bytes, patience)
    }

    fn unlock(&mut self, bytes: Bytes) -> Result<()> {
        self.fault.unlock(self.inner.as_mut(), bytes)
    }

    fn consistent(&mut self) -> Result<()> {
        self.inner.consistent()
    }
}

impl<F: WakeFault> Wake for Over<dyn Wake, F> {
    fn wait_on(&mut self, expected: u64, patience: Patience) -> Result<()> {
        self.fault.wait_on(self.inner.as_mut(), expected, patience)
    }

    fn notify(&mut self, sleepers: Sleepers) -> Result<Option<u64>> {
        self.fault.notify(self.inner.as_mut(), sleepers)
    }

    fn wait_for_bits(&mut self, expected: u64, patience: Patience, bits: u64) -> Result<()> {
        self.inner.wait_for_bits(expected, patience, bits)
    }

    fn notify_bits(&mut self, sleepers: Sleepers, bits: u64) -> Result<Option<u64>> {
        self.inner.notify_bits(sleepers, bits)
    }

    fn choose_word(&mut self, number: u64) -> Result<()> {
        self.inner.choose_word(number)
    }

    fn wait_on_any(&mut self, words: &[u8], expected: u64, patience: Patience) -> Result<u64> {
        self.inner.wait_on_any(words, expected, patience)
    }

    fn requeue(&mut self, requeue: &Requeue<u64>) -> Result<u64> {
        self.inner.requeue(requeue)
    }

    fn arrive(&mut self) -> Result<bool> {
        self.fault.arrive(self.inner.as_mut())
    }

    fn store(&mut self, value: u64) -> Result<()> {
        self.inner.store(value)
    }

    fn load(&mut self) -> Result<u64> {
        self.inner.load()
    }

    fn mutex(&mut self) -> Option<&mut dyn Lock> {
        self.inner.mutex()
    }
}

impl<F: MemoryFault> Memory for Over<dyn Memory, F> {
    fn reach(&mut self, at: u64, size: u64) -> Result<&Mapping> {
        let reached = self.inner.reach(at, size)?;
        Ok(self.fault.instead().unwrap_or(reached))
    }

    fn mapped(&self) -> Option<&Mapping> {
        self.fault.instead().or(self.inner.mapped())
    }

    fn access(&self, operation: &Operation<u64>) -> Result<Access<'_>> {
        self.fault.access(self.inner.as_ref(), operation)
    }

    fn is_fickle(&self) -> bool {
        true
    }

    fn resize(&mut self, size: u64) -> Result<()> {
        self.inner.resize(size)
    }

    fn seal(&mut self, seals: &[SealKind]) -> Result<()> {
        self.inner.seal(seals)
    }
}
