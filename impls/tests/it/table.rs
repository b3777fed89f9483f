//! The table of mechanisms in `spec` and the mechanisms here say the same.

use harness_core::wire::HeldEnd;
use impls::{
    ability::{Bytes, Lock, Object, Opening, Patience, Sleepers},
    mechanism::Place,
    registry,
};
use impls_sys::{descriptor, sysv::Change};
use rstest::rstest;
use spec::{
    Ability, Mechanism,
    operation::{End, Mode},
    scenario::Channel,
    vocabulary::{Feature, MECHANISMS},
};

fn options(mechanism: Mechanism) -> Channel<u64> {
    Channel { exists: false, ..Channel::plain(mechanism.ability()) }
}

fn place(directory: &tempfile::TempDir, mechanism: Mechanism) -> Place {
    Place {
        directory: directory.path().to_owned(),
        prefix: format!("plumbline-table-{}-", std::process::id()),
        channel: mechanism.name().to_owned(),
        copy: 0,
    }
}

#[test]
fn every_mechanism_of_the_table_is_registered_in_its_order() {
    let table: Vec<Mechanism> = MECHANISMS.iter().map(|row| row.mechanism).collect();
    let registered: Vec<Mechanism> = registry::MECHANISMS.iter().map(|mechanism| mechanism.which()).collect();
    assert_eq!(table, registered);
}

/// What the ends of an opened channel can do is what the table says.
#[rstest]
fn abilities_and_features_agree(
    #[values(
        Mechanism::Pipe,
        Mechanism::Fifo,
        Mechanism::UnixStream,
        Mechanism::Tcp,
        Mechanism::Tcp6,
        Mechanism::UnixAbstractStream,
        Mechanism::Pty,
        Mechanism::UnixDatagram,
        Mechanism::UnixSeqpacket,
        Mechanism::Udp,
        Mechanism::Udp6,
        Mechanism::PacketPipe,
        Mechanism::PosixMq,
        Mechanism::SysvMsg,
        Mechanism::ShmRing,
        Mechanism::PosixShm,
        Mechanism::SysvShm,
        Mechanism::Memfd,
        Mechanism::MappedFile,
        Mechanism::AnonymousMemory,
        Mechanism::PosixSem,
        Mechanism::PosixNamedSem,
        Mechanism::SysvSem,
        Mechanism::Eventfd,
        Mechanism::EventfdSemaphore,
        Mechanism::PthreadMutex,
        Mechanism::PthreadMutexErrorcheck,
        Mechanism::PthreadMutexRecursive,
        Mechanism::PthreadMutexRobust,
        Mechanism::PthreadMutexPi,
        Mechanism::PthreadRwlock,
        Mechanism::PthreadSpinlock,
        Mechanism::Flock,
        Mechanism::RecordLock,
        Mechanism::OfdLock,
        Mechanism::FutexLock,
        Mechanism::Condvar,
        Mechanism::Barrier,
        Mechanism::Futex,
        Mechanism::Signal
    )]
    mechanism: Mechanism,
) {
    let directory = tempfile::tempdir().unwrap();
    let place = place(&directory, mechanism);
    let implementation = registry::find(mechanism).unwrap();
    let mut object = implementation.open(&place, &options(mechanism)).unwrap().hold(HeldEnd::Both).unwrap();
    assert_eq!(object.ability(), mechanism.ability());

    let mut offers = vec![
        (Feature::Shutdown, object.channel().is_some_and(|channel| channel.shutdown().is_some())),
        (Feature::Timeout, takes_timeouts(&mut object)),
        (Feature::Nonblocking, need_not_wait(&mut object)),
        (Feature::Attributes, tells_attributes(&mut object)),
        (Feature::Priority, takes_priorities(&mut object)),
        (Feature::Types, takes_types(&mut object)),
        (Feature::Resize, takes_sizes(&mut object)),
        (Feature::Seals, takes_seals(&mut object)),
        (Feature::Set, is_set(&mut object)),
        // A locked file has a descriptor too, which is always ready.
        (
            Feature::Poll,
            !matches!(object, Object::Lock(_))
                && object.channel().is_some_and(|channel| channel.descriptor(None).is_some()),
        ),
        (Feature::Unread, mechanism != Mechanism::PosixMq && tells_unread(&mut object)),
        (Feature::PipeSize, takes_pipe_sizes(&mut object)),
        (Feature::Shared, is_shared(&mut object)),
        (Feature::Ranges, covers_ranges(&mut object)),
        (Feature::Robust, is_robust(&mut object)),
        (Feature::Mutex, has_mutex(&mut object)),
        (Feature::Notify, notifies(&mut object)),
        (Feature::Word, has_word(&mut object)),
    ];
    implementation.remove(&place);
    // The only one to come to a barrier would wait for ever.
    let alone = Channel { initial: Some(1), ..options(mechanism) };
    let mut object = implementation.open(&place, &alone).unwrap().hold(HeldEnd::Both).unwrap();
    implementation.remove(&place);
    offers.push((Feature::Barrier, is_barrier(&mut object)));

    let two_way = implementation.open(&place, &options(mechanism)).unwrap().hold(HeldEnd::First).is_ok();
    implementation.remove(&place);
    offers.push((Feature::TwoWay, two_way && mechanism != Mechanism::Signal));

    let mut named =
        implementation.prepare(&place, &options(mechanism)).ok().map(|named| named.hold(HeldEnd::Both).unwrap());
    offers.push((Feature::Names, named.is_some()));
    let mut channel = named.as_mut().and_then(Object::channel);
    let binds = channel.as_mut().is_some_and(|channel| channel.binding().is_some());
    let connects = channel.as_mut().is_some_and(|channel| channel.connections().is_some());
    offers.push((Feature::Connections, connects));
    offers.push((Feature::Binding, binds && !connects));

    for (feature, offered) in offers {
        assert_eq!(offered, mechanism.has(feature), "{mechanism}: {feature:?}");
    }
}

fn takes_timeouts(object: &mut Object) -> bool {
    let at_once = Patience::For(std::time::Duration::ZERO);
    match object {
        Object::Stream(_) | Object::Memory(_) => false,
        Object::Queue(queue) => {
            let mut buffer = vec![0; queue.message_size_max()];
            is_outcome(queue.receive(&mut buffer, at_once, false))
        }
        Object::Counter(counter) => is_outcome(counter.wait(at_once)),
        Object::Lock(lock) => locks(lock.as_mut(), Mode::Exclusive, Bytes::default(), at_once),
        Object::Wake(wake) => {
            // A condition variable is waited on with its mutex held.
            let locked =
                wake.mutex().is_some_and(|mutex| mutex.lock(Mode::Exclusive, Bytes::default(), at_once).is_ok());
            let waited = is_outcome(wake.wait_on(0, at_once));
            if locked {
                wake.mutex().unwrap().unlock(Bytes::default()).unwrap();
            }
            waited
        }
        Object::Signals => {
            use impls::ability::Signals as _;
            is_outcome(impls::mechanism::ProcessSignals.wait(&[libc::SIGUSR1], Some(std::time::Duration::ZERO)))
        }
    }
}

fn need_not_wait(object: &mut Object) -> bool {
    match object {
        Object::Stream(stream) => is_outcome(stream.read(&mut [0; 8], true, false)),
        Object::Queue(queue) => {
            let mut buffer = vec![0; queue.message_size_max()];
            is_outcome(queue.receive(&mut buffer, Patience::Never, false))
        }
        Object::Counter(counter) => is_outcome(counter.wait(Patience::Never)),
        Object::Lock(lock) => locks(lock.as_mut(), Mode::Exclusive, Bytes::default(), Patience::Never),
        Object::Wake(wake) => {
            wake.mutex().is_some_and(|mutex| locks(mutex, Mode::Exclusive, Bytes::default(), Patience::Never))
        }
        Object::Memory(_) | Object::Signals => false,
    }
}

fn tells_attributes(object: &mut Object) -> bool {
    match object {
        Object::Queue(queue) => queue.attributes().is_ok(),
        Object::Counter(counter) => counter.value(0).is_ok(),
        _ => false,
    }
}

fn takes_types(object: &mut Object) -> bool {
    match object {
        Object::Queue(queue) => queue.send_typed(b"x", 1, Patience::Forever).is_ok(),
        _ => false,
    }
}

fn takes_sizes(object: &mut Object) -> bool {
    match object {
        Object::Memory(memory) => memory.resize(4096).is_ok(),
        _ => false,
    }
}

fn takes_seals(object: &mut Object) -> bool {
    match object {
        Object::Memory(memory) => memory.seal(&[]).is_ok(),
        _ => false,
    }
}

fn is_set(object: &mut Object) -> bool {
    match object {
        Object::Counter(counter) => counter.change(&[Change { add: 1, ..Change::default() }], None).is_ok(),
        _ => false,
    }
}

fn takes_priorities(object: &mut Object) -> bool {
    match object {
        Object::Queue(queue) => queue.send(b"x", Some(1), Patience::Forever).is_ok(),
        _ => false,
    }
}

/// Whether it can be locked like this; it is not locked afterwards.
fn locks(lock: &mut dyn Lock, mode: Mode, bytes: Bytes, patience: Patience) -> bool {
    let locked = lock.lock(mode, bytes, patience);
    if locked.is_ok() {
        lock.unlock(bytes).unwrap();
    }
    is_outcome(locked)
}

fn is_shared(object: &mut Object) -> bool {
    match object {
        Object::Lock(lock) => locks(lock.as_mut(), Mode::Shared, Bytes::default(), Patience::Never),
        _ => false,
    }
}

/// A locked file, and on Linux a message queue, tell the bytes up to the end of a file, which is something else.
fn tells_unread(object: &mut Object) -> bool {
    !matches!(object, Object::Lock(_))
        && object
            .channel()
            .and_then(|channel| channel.descriptor(Some(End::Read)))
            .is_some_and(|number| descriptor::unread(number).is_ok())
}

fn takes_pipe_sizes(object: &mut Object) -> bool {
    object
        .channel()
        .and_then(|channel| channel.descriptor(None))
        .is_some_and(|number| descriptor::set_pipe_size(number, 4096).is_ok())
}

fn covers_ranges(object: &mut Object) -> bool {
    let bytes = Bytes { start: Some(4), length: Some(2) };
    match object {
        Object::Lock(lock) => locks(lock.as_mut(), Mode::Exclusive, bytes, Patience::Never),
        _ => false,
    }
}

fn is_robust(object: &mut Object) -> bool {
    match object {
        Object::Lock(lock) => is_outcome(lock.consistent()),
        _ => false,
    }
}

fn has_mutex(object: &mut Object) -> bool {
    match object {
        Object::Wake(wake) => wake.mutex().is_some(),
        _ => false,
    }
}

fn notifies(object: &mut Object) -> bool {
    match object {
        Object::Wake(wake) => is_outcome(wake.notify(Sleepers::Some(1))) && is_outcome(wake.notify(Sleepers::All)),
        _ => false,
    }
}

fn has_word(object: &mut Object) -> bool {
    match object {
        Object::Wake(wake) => wake.store(7).is_ok() && wake.load() == Ok(7),
        _ => false,
    }
}

fn is_barrier(object: &mut Object) -> bool {
    match object {
        Object::Wake(wake) => wake.arrive() == Ok(true),
        _ => false,
    }
}

/// Whether a call was made, whatever it gave.
fn is_outcome<T>(result: impls::ability::Result<T>) -> bool {
    !matches!(result, Err(impls::ability::Failure::Senseless(_)))
}

#[test]
fn names_are_opened_where_they_are_not_bound() {
    for row in MECHANISMS.iter().filter(|row| row.features.contains(&Feature::Names)) {
        let directory = tempfile::tempdir().unwrap();
        let place = place(&directory, row.mechanism);
        let implementation = registry::find(row.mechanism).unwrap();
        let mut named = implementation.prepare(&place, &options(row.mechanism)).unwrap().hold(HeldEnd::Both).unwrap();
        let channel = named.channel().unwrap();
        let binds = channel.binding().is_some();
        let opens = is_outcome(channel.names().unwrap().open(Opening::default()));
        assert_ne!(binds, opens, "{}", row.name);
        assert_eq!(binds, !opens && row.ability != Ability::Memory, "{}", row.name);
    }
}
