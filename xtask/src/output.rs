//! Standard output and standard error. That nobody reads on is no error; that they cannot be written is one.

use anyhow::Context as _;
use reports::Color;
use std::io::{self, IsTerminal as _, Write as _};

/// Whether standard output takes colours: it is a terminal, and nobody objects.
#[must_use]
pub fn color() -> Color {
    Color::when(anstream::AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never)
}

/// Whether standard error is a terminal, so that a live line makes sense.
#[must_use]
pub fn is_live() -> bool {
    io::stderr().is_terminal()
}

/// Writes to standard output. A reader that has gone away (`| head`) ends nothing: what comes later goes nowhere as well.
///
/// # Errors
/// When it cannot be written for any other reason, as on a full disk.
pub fn print(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(error).context("cannot write to standard output")
        }
        _ => Ok(()),
    }
}

/// Says something on standard error. Where that fails there is nobody left to tell.
pub fn say(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Says what went wrong on standard error.
pub fn complain(text: &str) {
    let error = Color::when(anstream::AutoStream::choice(&io::stderr()) != anstream::ColorChoice::Never).alarm("error");
    say(&format!("{error}: {text}"));
}
