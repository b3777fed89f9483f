//! Mappings and descriptors.

use impls_sys::{Errno, copying::Way, descriptor::Descriptor, memory::Mapping};
use rstest::rstest;
use std::{fs::File, sync::atomic::Ordering};

#[test]
fn nothing_is_reached_beyond_the_end_or_out_of_line() {
    let pages = Mapping::anonymous(24).unwrap();
    assert!(pages.cell(16).is_some() && pages.word(20).is_some() && pages.byte(23).is_some());
    assert!(pages.cell(17).is_none() && pages.cell(24).is_none() && pages.cell(usize::MAX).is_none());
    assert!(pages.word(22).is_none() && pages.word(24).is_none());
    assert!(pages.byte(24).is_none());
    assert_eq!(Mapping::anonymous(0).unwrap_err(), Errno::EINVAL);
}

#[test]
fn cells_words_and_bytes_are_the_same_memory() {
    let pages = Mapping::anonymous(4096).unwrap();
    pages.cell(8).unwrap().store(0x0102_0304_0506_0708_u64.to_le(), Ordering::SeqCst);
    assert_eq!(pages.byte(8).unwrap().load(Ordering::Relaxed), 8);
    assert_eq!(pages.word(12).unwrap().load(Ordering::Relaxed), 0x0102_0304_u32.to_le());
    assert_eq!(pages.cell(0).unwrap().load(Ordering::Relaxed), 0);
}

#[test]
fn two_mappings_of_one_object_are_one_memory() {
    let directory = std::env::temp_dir().join(format!("impls-sys-memory-{}", std::process::id()));
    let file = File::options().read(true).write(true).create(true).truncate(true).open(&directory).unwrap();
    std::fs::remove_file(&directory).unwrap();
    let object = Descriptor::from(std::os::fd::OwnedFd::from(file));
    object.truncate(4096).unwrap();
    let (one, other) = (Mapping::of(&object, 4096, true).unwrap(), Mapping::of(&object, 16, false).unwrap());
    one.cell(8).unwrap().store(7, Ordering::SeqCst);
    assert_eq!(other.cell(8).unwrap().load(Ordering::SeqCst), 7);
    assert_eq!((one.length(), other.length()), (4096, 16));
}

#[test]
fn a_descriptor_that_is_not_held_fails_as_the_system_says() {
    let mut none = Descriptor::none();
    assert_eq!(none.read(&mut [0; 8]), Err(Errno::EBADF));
    assert_eq!(none.write(b"x"), Err(Errno::EBADF));
    assert_eq!(none.close(), Err(Errno::EBADF));
    assert_eq!(none.set_nonblocking(true), Err(Errno::EBADF));
    assert_eq!(none.accept().unwrap_err(), Errno::EBADF);
    assert_eq!(Mapping::of(&none, 8, true).unwrap_err(), Errno::EBADF);
}

#[test]
fn the_flag_is_set_and_told() {
    let (reading, writing) = nix::unistd::pipe().unwrap();
    let (mut reading, writing) = (Descriptor::from(reading), Descriptor::from(writing));
    assert_eq!(reading.set_nonblocking(true), Ok(false));
    assert_eq!(reading.set_nonblocking(true), Ok(true));
    assert_eq!(reading.read(&mut [0; 8]), Err(Errno::EAGAIN));
    assert_eq!((reading.is_nonblocking(), writing.is_nonblocking()), (Ok(true), Ok(false)));
    assert_eq!(writing.write(b"hello"), Ok(5));
    assert_eq!(reading.read(&mut [0; 8]), Ok(5));
    assert_eq!(reading.close(), Ok(()));
    assert!(!reading.is_open() && reading.number() == -1);
}

#[rstest]
#[case(Way::Library)]
#[case(Way::Wide)]
#[case(Way::Around)]
fn every_way_of_copying_copies_all_bytes_and_no_others(#[case] way: Way) {
    let pages = Mapping::anonymous(1 << 16).unwrap();
    let source: Vec<u8> = (0..20_000_u32).map(|place| (place * 7 + place / 251).to_le_bytes()[0] | 1).collect();
    for length in [0, 1, 7, 8, 9, 63, 64, 65, 127, 128, 129, 511, 512, 513, 4_096, 10_001] {
        for (from, to) in [(0, 0), (0, 4_096), (3, 64), (8, 72), (8, 33)] {
            let before = pages.byte(to + length).unwrap().load(Ordering::Relaxed);
            let message = &source[from..from + length];
            pages.copy_in_by(way, to, message).unwrap();
            let mut room = vec![0; length];
            pages.copy_out_by(way, to, &mut room).unwrap();
            assert_eq!(room, message, "{length} bytes from {from} to {to}");
            assert_eq!(pages.byte(to + length).unwrap().load(Ordering::Relaxed), before);
            pages.copy_in_by(way, to, &vec![0; length]).unwrap();
        }
    }
    assert_eq!(pages.copy_in_by(way, 1 << 16, b"x"), None);
    assert_eq!(pages.copy_out_by(way, (1 << 16) - 1, &mut [0; 2]), None);
}
