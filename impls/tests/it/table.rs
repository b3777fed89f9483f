//! The table of mechanisms in `spec` and the mechanisms here say the same.

use harness_core::wire::HeldEnd;
use impls::{
    ability::{Object, Opening, Patience},
    mechanism::Place,
    registry,
};
use rstest::rstest;
use spec::{
    Ability, Mechanism,
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
        Mechanism::PosixShm,
        Mechanism::PosixSem,
        Mechanism::PosixNamedSem,
        Mechanism::Signal
    )]
    mechanism: Mechanism,
) {
    let directory = tempfile::tempdir().unwrap();
    let place = place(&directory, mechanism);
    let implementation = registry::find(mechanism).unwrap();
    let mut object = implementation.open(&place, &options(mechanism)).unwrap().hold(HeldEnd::Both).unwrap();
    implementation.remove(&place);
    assert_eq!(object.ability(), mechanism.ability());

    let mut offers = vec![
        (Feature::Shutdown, object.channel().is_some_and(|channel| channel.shutdown().is_some())),
        (Feature::Timeout, takes_timeouts(&mut object)),
        (Feature::Nonblocking, need_not_wait(&mut object)),
        (Feature::Attributes, tells_attributes(&mut object)),
        (Feature::Priority, takes_priorities(&mut object)),
    ];

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
        Object::Memory(_) | Object::Signals => false,
    }
}

fn tells_attributes(object: &mut Object) -> bool {
    match object {
        Object::Queue(queue) => queue.attributes().is_ok(),
        Object::Counter(counter) => counter.value().is_ok(),
        _ => false,
    }
}

fn takes_priorities(object: &mut Object) -> bool {
    match object {
        Object::Queue(queue) => queue.send(b"x", Some(1), Patience::Forever).is_ok(),
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
