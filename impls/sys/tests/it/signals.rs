//! Signals to oneself, each test in a process of its own: dispositions and masks belong to the process.
//!
//! `raise()` sends to the calling thread, so that the runner's other threads have no part in it.

use impls_sys::{
    Errno,
    signals::{self, Action, Arrival},
};
use rusty_fork::rusty_fork_test;
use std::time::Duration;

fn raise(signal: i32) {
    nix::sys::signal::raise(nix::sys::signal::Signal::try_from(signal).unwrap()).unwrap();
}

fn own_pid() -> i32 {
    nix::unistd::getpid().as_raw()
}

rusty_fork_test! {
    #![rusty_fork(timeout_ms = 20_000)]

    #[test]
    fn handlers_note_who_sent_in_order() {
        for signal in [libc::SIGUSR1, libc::SIGUSR2] {
            signals::set_action(signal, Action::Catch, 0, &[]).unwrap();
        }
        for signal in [libc::SIGUSR2, libc::SIGUSR1, libc::SIGUSR2] {
            raise(signal);
        }
        let caught = signals::caught().unwrap();
        let numbers: Vec<i32> = caught.iter().map(|arrival| arrival.signal).collect();
        assert_eq!(numbers, [libc::SIGUSR2, libc::SIGUSR1, libc::SIGUSR2]);
        assert!(caught.iter().all(|arrival| arrival.code == libc::SI_TKILL && arrival.pid == own_pid()));
    }

    #[test]
    fn a_handler_can_serve_once() {
        signals::set_action(libc::SIGCHLD, Action::Catch, libc::SA_RESETHAND, &[]).unwrap();
        raise(libc::SIGCHLD);
        // Back to the default, which for this signal is to do nothing.
        raise(libc::SIGCHLD);
        assert_eq!(signals::caught().unwrap().len(), 1);
    }

    #[test]
    fn ignored_signals_do_nothing() {
        signals::set_action(libc::SIGTERM, Action::Ignore, 0, &[]).unwrap();
        raise(libc::SIGTERM);
        assert_eq!(signals::caught(), Ok(Vec::new()));
    }

    #[test]
    fn a_blocked_signal_is_pending_until_it_is_accepted() {
        signals::block(&[libc::SIGUSR1]).unwrap();
        raise(libc::SIGUSR1);
        raise(libc::SIGUSR1);
        assert_eq!(signals::pending(), Ok(vec![libc::SIGUSR1]));
        let Arrival { signal, code, pid, .. } = signals::wait(&[libc::SIGUSR1], None).unwrap();
        // glibc tells of a signal to a thread as of one to the process.
        assert!(code == libc::SI_TKILL || code == libc::SI_USER);
        assert_eq!((signal, pid), (libc::SIGUSR1, own_pid()));
        assert_eq!(signals::pending(), Ok(Vec::new()));
        assert_eq!(signals::wait(&[libc::SIGUSR1], Some(Duration::from_millis(5))), Err(Errno::EAGAIN));
        signals::unblock(&[libc::SIGUSR1]).unwrap();
    }

    #[test]
    fn waiting_with_another_mask_lets_the_handler_in() {
        signals::set_action(libc::SIGUSR1, Action::Catch, 0, &[]).unwrap();
        signals::block(&[libc::SIGUSR1]).unwrap();
        raise(libc::SIGUSR1);
        assert_eq!(signals::caught(), Ok(Vec::new()));
        assert_eq!(signals::suspend(&[]), Errno::EINTR);
        assert_eq!(signals::caught().unwrap().len(), 1);
    }

    #[test]
    fn a_clean_start_has_no_handlers_and_no_mask() {
        signals::set_action(libc::SIGUSR1, Action::Catch, 0, &[]).unwrap();
        signals::block(&[libc::SIGUSR1, libc::SIGUSR2]).unwrap();
        impls_sys::process::reset_signals().unwrap();
        // SIGURG is ignored by default, SIGUSR1 deadly: it must not be pending behind a mask, nor caught.
        raise(libc::SIGURG);
        assert_eq!(signals::pending(), Ok(Vec::new()));
        assert_eq!(signals::caught(), Ok(Vec::new()));
        let mask = nix::sys::signal::SigSet::thread_get_mask().unwrap();
        assert_eq!(mask.iter().count(), 0);
    }
}

#[test]
fn what_is_no_signal_is_invalid() {
    assert_eq!(signals::set_action(libc::SIGKILL, Action::Catch, 0, &[]), Err(Errno::EINVAL));
    assert_eq!(signals::set_action(4_000, Action::Ignore, 0, &[]), Err(Errno::EINVAL));
    assert_eq!(signals::wait(&[4_000], Some(Duration::ZERO)), Err(Errno::EINVAL));
}
