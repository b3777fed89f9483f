//! The thread that starts the helpers of lanes. The kernel ends a helper with the thread that started it
//! (`PR_SET_PDEATHSIG` knows threads, not processes), so that thread has to live as long as the session.

use std::{
    io,
    process::{Child, Command},
    sync::mpsc,
    thread,
};

type Reply = mpsc::Sender<io::Result<Child>>;

/// Starts helpers until it is dropped; then whatever still runs of them ends.
#[derive(Debug)]
pub(crate) struct Starter {
    requests: mpsc::Sender<(Command, Reply)>,
}

impl Starter {
    pub(crate) fn new() -> Self {
        let (requests, received) = mpsc::channel::<(Command, Reply)>();
        thread::spawn(move || {
            for (mut command, reply) in received {
                // Whoever asked is waiting for the answer.
                let _ = reply.send(command.spawn());
            }
        });
        Self { requests }
    }

    /// Starts a helper.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(crate) fn spawn(&self, command: Command) -> io::Result<Child> {
        let gone = || io::Error::other("the thread that starts lanes is gone");
        let (reply, received) = mpsc::channel();
        self.requests.send((command, reply)).map_err(|_| gone())?;
        received.recv().unwrap_or_else(|_| Err(gone()))
    }
}
