//! The binary.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use crowdlink_server::cli::{Cli, Command};
use crowdlink_server::settings::{self, Settings, Sources};
use crowdlink_server::{commands, logging};

/// Many small things that come and go, on several threads: that is what it is made for.
/// `docs/performance.md` tells what it is worth.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Bad usage, as in clap: an unknown flag and an unknown setting end alike.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let settings = match configure(&cli) {
        Ok(settings) => settings,
        Err(error) => return fail(&error, USAGE),
    };
    match run(cli.into_command(), settings) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
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

/// Does what was asked; false where the answer to a question is no.
fn run(command: Command, settings: Settings) -> anyhow::Result<bool> {
    match command {
        Command::Doctor(args) => return commands::doctor(&settings, &args),
        Command::Dev(start) => commands::serve(settings, &start, true),
        Command::Serve(start) => commands::serve(settings, &start, false),
        Command::Extension(command) => commands::extension(&settings, command),
        Command::Token(command) => commands::token(&settings, command),
        Command::Backup(args) => commands::backup(&settings, &args),
        Command::Restore(args) => commands::restore(&settings, &args),
        Command::Export(args) => commands::export(&settings, &args),
        Command::Import(args) => commands::import(&settings, &args),
        Command::Openapi(args) => commands::openapi(&settings, &args),
        Command::Settings(how) => commands::print(&if how.markdown {
            settings::markdown()
        } else {
            settings::text()
        }),
    }
    .map(|()| true)
}
