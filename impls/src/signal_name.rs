//! Signals by name and by number.

use impls_sys::signals::{real_time_maximum, real_time_minimum};
use spec::{Signal, signal::RealTime};

macro_rules! numbers {
    ($($name:ident)*) => { &[$((stringify!($name), libc::$name)),*] };
}

/// The signals with a name of their own.
const NUMBERS: &[(&str, i32)] = numbers! {
    SIGHUP SIGINT SIGQUIT SIGILL SIGTRAP SIGABRT SIGBUS SIGFPE SIGKILL SIGUSR1 SIGSEGV SIGUSR2 SIGPIPE SIGALRM SIGTERM
    SIGCHLD SIGCONT SIGSTOP SIGTSTP SIGTTIN SIGTTOU SIGURG SIGXCPU SIGXFSZ SIGVTALRM SIGPROF SIGSYS
};

/// The number of a signal here; `None` where this system has no such signal.
#[must_use]
pub fn number(signal: &Signal) -> Option<i32> {
    let number = match signal.real_time() {
        Some(RealTime::AboveMinimum(offset)) => real_time_minimum() + i32::from(offset),
        Some(RealTime::BelowMaximum(offset)) => real_time_maximum() - i32::from(offset),
        None => NUMBERS.iter().find(|(name, _)| *name == signal.name())?.1,
    };
    let fits = signal.real_time().is_none() || (real_time_minimum()..=real_time_maximum()).contains(&number);
    fits.then_some(number)
}

/// The name of a signal; `None` for a number that scenarios have no name for.
#[must_use]
pub fn name(number: i32) -> Option<Signal> {
    let text = match NUMBERS.iter().find(|(_, known)| *known == number) {
        Some((name, _)) => (*name).to_owned(),
        None if number == real_time_minimum() => "SIGRTMIN".to_owned(),
        None if number > real_time_minimum() => format!("SIGRTMIN+{}", number - real_time_minimum()),
        None => return None,
    };
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{NUMBERS, name, number};

    #[test]
    fn every_name_of_the_language_has_a_number_and_back() {
        for text in spec::signal::NAMES {
            let signal = text.parse().unwrap();
            let found = number(&signal).unwrap_or_else(|| panic!("{text} has no number"));
            assert_eq!(name(found), Some(signal));
        }
        assert_eq!(NUMBERS.len(), spec::signal::NAMES.len());
    }

    #[test]
    fn real_time_signals_count_from_both_sides() {
        let of = |text: &str| number(&text.parse().unwrap());
        assert_eq!(of("SIGRTMIN"), Some(libc::SIGRTMIN()));
        assert_eq!(of("SIGRTMIN+3"), Some(libc::SIGRTMIN() + 3));
        assert_eq!(of("SIGRTMAX-1"), Some(libc::SIGRTMAX() - 1));
        assert_eq!(name(libc::SIGRTMIN() + 3).unwrap().name(), "SIGRTMIN+3");
        assert_eq!(name(0), None);
    }
}
