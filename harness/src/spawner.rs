//! The thread that starts lanes. The kernel kills a lane's helper when the *thread* that started it ends (prctl(2),
//! `PR_SET_PDEATHSIG`), so that thread has to live as long as the session.

use crate::{
    fault::StartError,
    lane::{Grounds, Lane, Starting},
};
use std::{
    sync::{Arc, mpsc},
    thread::{self, JoinHandle},
};

type Reply = mpsc::Sender<Result<Starting, StartError>>;

/// Starts lanes, on a thread of its own.
#[derive(Debug)]
pub(crate) struct Spawner {
    grounds: Arc<Grounds>,
    requests: Option<mpsc::Sender<(usize, Reply)>>,
    thread: Option<JoinHandle<()>>,
}

impl Spawner {
    pub(crate) fn start(grounds: &Arc<Grounds>) -> Self {
        let (requests, received) = mpsc::channel::<(usize, Reply)>();
        let starts = Arc::clone(grounds);
        let thread = thread::spawn(move || {
            for (number, reply) in received {
                // Who asked may have given up; the lane then ends with this value.
                if let Err(mpsc::SendError(Ok(lane))) = reply.send(Starting::new(&starts, number)) {
                    lane.stop();
                }
            }
        });
        Self { grounds: Arc::clone(grounds), requests: Some(requests), thread: Some(thread) }
    }

    /// Starts a lane of this number. Several that are asked for at once start side by side: the hello is waited for here.
    ///
    /// # Errors
    /// As [`Starting::new`] and [`Starting::greet`].
    pub(crate) fn lane(&self, number: usize) -> Result<Lane, StartError> {
        let (reply, answer) = mpsc::channel();
        let gone = || StartError::Agent { program: String::new(), reason: "the session is ending".to_owned() };
        self.requests.as_ref().ok_or_else(gone)?.send((number, reply)).map_err(|_| gone())?;
        answer.recv().map_err(|_| gone())??.greet(&self.grounds)
    }
}

impl Drop for Spawner {
    fn drop(&mut self) {
        drop(self.requests.take());
        if let Some(thread) = self.thread.take() {
            // That it panicked was seen by whoever asked it for a lane.
            let _ = thread.join();
        }
    }
}
