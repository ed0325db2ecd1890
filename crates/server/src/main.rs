//! The binary.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use crowdlink_server::cli::{Cli, Command};
use crowdlink_server::logging;
use crowdlink_server::settings::{self, Settings, Sources};

/// Bad usage, as in clap: an unknown flag and an unknown setting end alike.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let settings = match configure(&cli) {
        Ok(settings) => settings,
        Err(error) => return fail(&error, USAGE),
    };
    match run(cli.into_command(), &settings) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error, 1),
    }
}

fn configure(cli: &Cli) -> anyhow::Result<Settings> {
    let settings = Settings::load(&Sources {
        file: cli.config.as_deref(),
        environment: std::env::vars_os().collect(),
        flags: cli.settings.clone(),
    })?;
    logging::init(&settings.log)?;
    Ok(settings)
}

fn fail(error: &anyhow::Error, code: u8) -> ExitCode {
    // Nothing is left to tell it to where standard error is closed.
    let _ = writeln!(io::stderr(), "error: {error:#}");
    ExitCode::from(code)
}

fn run(command: Command, _settings: &Settings) -> anyhow::Result<()> {
    match command {
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
