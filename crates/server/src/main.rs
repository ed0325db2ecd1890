//! The binary.

use std::io::{self, Write};

use clap::Parser;
use crowdlink_server::cli::{Cli, Command};
use crowdlink_server::settings;

fn main() -> anyhow::Result<()> {
    match Cli::parse().into_command() {
        Command::Settings(how) => {
            let page = if how.markdown {
                settings::markdown()
            } else {
                settings::text()
            };
            print(&page)
        }
        Command::Dev(_)
        | Command::Serve(_)
        | Command::Doctor(_)
        | Command::Extension(_)
        | Command::Token(_)
        | Command::Backup(_)
        | Command::Restore(_) => anyhow::bail!("not wired yet"),
    }
}

/// A reader that has seen enough, such as `head`, is no error.
fn print(page: &str) -> anyhow::Result<()> {
    match io::stdout().lock().write_all(page.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        Ok(()) | Err(_) => Ok(()),
    }
}
