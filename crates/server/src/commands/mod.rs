//! What the commands of the command line do.

mod backup;
mod doctor;
mod export;
mod extension;
mod import;
mod offline;
mod openapi;
mod progress;
mod serve;
mod token;

pub use backup::{backup, restore};
pub use doctor::doctor;
pub use export::export;
pub use extension::extension;
pub use import::import;
pub use openapi::openapi;
pub use serve::serve;
pub use token::token;

use std::io::{self, Write};

/// Prints to standard output. A reader that has seen enough, such as `head`, is no error.
pub fn print(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        Ok(()) | Err(_) => Ok(()),
    }
}
