//! The text of a new scenario, which loads as it is: what `cargo xtask new` writes.

use crate::{Ability, Mechanism};

/// A scenario for a mechanism, to be made into what its author wants.
#[must_use]
pub fn scenario(id: &str, mechanism: Mechanism) -> String {
    let name = id.rsplit('/').next().unwrap_or(id).replace(['-', '_'], " ");
    let (channel, story) = match mechanism.ability() {
        Ability::Stream => (
            "line: stream",
            "  - reader: { read: 64, blocks: waiting }\n  - writer: { write: hello }\n  - reader: { resumes: waiting, gives: hello }\n",
        ),
        Ability::Queue => ("mail: queue", "  - sender: { send: hello }\n  - receiver: { receive: {}, gives: hello }\n"),
        Ability::Memory => {
            ("page: memory", "  - writer: { store: { cell: 0, value: 7 } }\n  - reader: { load: 0, gives: 7 }\n")
        }
        Ability::Counter => (
            "gate: counter",
            "  - waiter: { wait: gate, blocks: waiting }\n  - poster: { post: gate }\n  - waiter: { resumes: waiting }\n",
        ),
        Ability::Lock => (
            "gate: lock",
            "  - holder: { lock: gate }\n  - other: { lock: { nonblocking: true }, fails: [EBUSY, EAGAIN, EACCES] }\n  - holder: { unlock: gate }\n  - other: { lock: { nonblocking: true } }\n",
        ),
        Ability::Wake => match mechanism {
            Mechanism::Barrier => (
                "bar: { is: wake, initial: 2 }",
                "  - first: { arrive: bar, blocks: waiting }\n  - second: { arrive: bar }\n  - first: { resumes: waiting }\n",
            ),
            Mechanism::Condvar => (
                "bell: wake",
                "  - sleeper: { lock: bell }\n  - sleeper: { wait_on: bell, blocks: waiting }\n  - waker: { lock: bell }\n  - waker: { notify: bell }\n  - waker: { unlock: bell }\n  - sleeper: { resumes: waiting }\n",
            ),
            _ => (
                "bell: wake",
                "  - sleeper: { wait_on: bell, blocks: waiting }\n  - waker: { notify: bell }\n  - sleeper: { resumes: waiting }\n",
            ),
        },
        Ability::Signals => (
            "signals: signals",
            "  - receiver: { sigmask: [SIGUSR1] }\n  - receiver: { sigwait: SIGUSR1, blocks: waiting }\n  - sender: { kill: { process: receiver, signal: SIGUSR1 } }\n  - receiver: { resumes: waiting, gives: SIGUSR1 }\n",
        ),
    };
    format!(
        "# One sentence that states the guarantee, without a full stop.
title: What {name} is owed
# Why a programmer cares.
because: >
  Say what goes wrong where this does not hold.
# Where it is promised. Read the clause first: a `must` is only what it says.
cites:
  - POSIX.1-2024 name of the page
mechanisms: [{mechanism}]
channels:
  {channel}
# One step after another. docs/scenario-language.md has the rest: gives, fails, blocks, resumes, still, dies, record.
story:
{story}"
    )
}

#[cfg(test)]
mod tests {
    use crate::{load, vocabulary::MECHANISMS};

    #[test]
    fn what_is_scaffolded_loads() {
        for row in MECHANISMS {
            let text = super::scenario("boundaries/my-idea", row.mechanism);
            let loaded = load::text("boundaries/my-idea", "my-idea.yaml", &text);
            assert!(loaded.is_ok(), "{}", loaded.err().map(|complaints| complaints.render(false)).unwrap_or_default());
        }
    }
}
