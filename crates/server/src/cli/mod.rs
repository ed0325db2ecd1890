//! The command line (DESIGN 6, spec 6.1): words become one [`Cli`], and nothing below looks at
//! strings. Bad usage ends the program with exit code 2.

mod values;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::settings::SettingFlags;

pub use values::{Duration, Hidden, Stage};

/// The open server between a live game and its stream's audience.
///
/// Without a command it runs `dev`.
#[derive(Debug, Parser)]
#[command(
    name = "crowdlink",
    version,
    after_help = "Every setting is a flag: --help shows them all, -h the first you need."
)]
pub struct Cli {
    /// Settings file, in TOML.
    #[arg(long, global = true, value_name = "FILE", display_order = 900)]
    pub config: Option<PathBuf>,
    /// Every setting that was given as a flag.
    #[command(flatten)]
    pub settings: SettingFlags,
    /// What to do; `None` means [`Command::Dev`].
    #[command(subcommand)]
    pub command: Option<Command>,
    /// How to start the server where no command is given.
    #[command(flatten)]
    pub start: StartArgs,
}

impl Cli {
    /// The command, `dev` where none was given.
    pub fn into_command(self) -> Command {
        let takeover = self.start.takeover;
        match self.command {
            None => Command::Dev(self.start),
            // `crowdlink --takeover serve` means the same as `crowdlink serve --takeover`.
            Some(Command::Dev(start)) => Command::Dev(start.or(takeover)),
            Some(Command::Serve(start)) => Command::Serve(start.or(takeover)),
            Some(other) => other,
        }
    }
}

/// What the program is to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run on this machine for development: sandbox and production, unknown client ids welcome.
    Dev(StartArgs),
    /// Run for others: nothing is registered by itself.
    Serve(StartArgs),
    /// Explain a token, an Authorization header or a curl line: who, where, until when, and why
    /// calls with it are refused.
    Doctor(DoctorArgs),
    /// Register extensions and manage their secrets.
    #[command(subcommand)]
    Extension(ExtensionCommand),
    /// Make and revoke tokens.
    #[command(subcommand)]
    Token(TokenCommand),
    /// Write a consistent copy of the embedded store, also while the server runs.
    Backup(BackupArgs),
    /// Replace the embedded store by a copy. The server must not be running.
    Restore(RestoreArgs),
    /// Write everything the store holds to a file that any engine can take in, also while the server
    /// runs.
    Export(ExportArgs),
    /// Fill the store from such a file. No server may be running on it.
    Import(ImportArgs),
    /// Print every setting with its default and meaning.
    Settings(ReferenceArgs),
    /// Print what the REST ports take and answer, as an OpenAPI document, with the limits of the
    /// settings.
    Openapi(OpenapiArgs),
}

/// Which document to print.
#[derive(Debug, Args)]
pub struct OpenapiArgs {
    /// The stage it is about.
    #[arg(long, default_value = "sandbox")]
    pub stage: Stage,
}

/// How a server starts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub struct StartArgs {
    /// Take the listening sockets over from the server that runs on the same data directory, so
    /// that no caller is refused during a restart.
    #[arg(long)]
    pub takeover: bool,
}

impl StartArgs {
    fn or(self, takeover: bool) -> Self {
        Self {
            takeover: self.takeover || takeover,
        }
    }
}

/// What `doctor` looks at.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// The stage the call is meant for.
    #[arg(long)]
    pub stage: Option<Stage>,
    /// The channel the call is meant for.
    #[arg(long, value_name = "CHANNEL")]
    pub channel: Option<String>,
    /// A token, an Authorization header or a curl line; read from standard input where absent.
    #[arg(value_name = "TOKEN")]
    pub items: Vec<Hidden>,
}

/// What to do with extensions.
#[derive(Debug, Subcommand)]
pub enum ExtensionCommand {
    /// Register one; prints the secret it makes if none is given.
    Add(ExtensionAddArgs),
    /// List all, without their secrets.
    List,
    /// Change its name, its owner, or what its sandbox takes.
    Update(ExtensionUpdateArgs),
    /// Make a new secret and print it; the old ones work on for a while, or for good.
    RotateSecret(RotateSecretArgs),
    /// Remove one: its tokens stop working.
    Remove(ExtensionRemoveArgs),
}

/// The extension to add.
#[derive(Debug, Args)]
pub struct ExtensionAddArgs {
    /// Its client id, up to 100 characters.
    #[arg(long, value_name = "ID", value_parser = values::client_id)]
    pub client_id: String,
    /// The user id of its owner.
    #[arg(long, value_name = "USER")]
    pub owner: String,
    /// Its name for people.
    #[arg(long)]
    pub name: Option<String>,
    /// A secret as the platform issues it, in base64. May be repeated.
    #[arg(long = "secret", value_name = "BASE64")]
    pub secrets: Vec<Hidden>,
}

/// The extension to change, and what of it.
#[derive(Debug, Args)]
pub struct ExtensionUpdateArgs {
    /// Its client id.
    #[arg(long, value_name = "ID", value_parser = values::client_id)]
    pub client_id: String,
    /// The user id of its owner.
    #[arg(long, value_name = "USER")]
    pub owner: Option<String>,
    /// Its name for people.
    #[arg(long)]
    pub name: Option<String>,
    /// Whether its sandbox takes tokens that the platform signed: for extensions in hosted test
    /// (spec 1.2). Off by default.
    #[arg(long, value_name = "BOOL")]
    pub sandbox_takes_platform_tokens: Option<bool>,
}

/// The extension whose secret to rotate.
#[derive(Debug, Args)]
pub struct RotateSecretArgs {
    /// Its client id.
    #[arg(long, value_name = "ID", value_parser = values::client_id)]
    pub client_id: String,
    /// How long the old secrets go on working; for good where absent.
    #[arg(long, value_name = "TIME")]
    pub retire_old_after: Option<Duration>,
}

/// The extension to remove.
#[derive(Debug, Args)]
pub struct ExtensionRemoveArgs {
    /// Its client id.
    #[arg(long, value_name = "ID", value_parser = values::client_id)]
    pub client_id: String,
}

/// What to do with tokens.
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Make a token and print it.
    Mint(TokenMintArgs),
    /// Revoke tokens before they expire.
    Revoke(TokenRevokeArgs),
    /// Sign with a new key from now on; what the old one signed works until it expires.
    RotateKey,
}

/// The token to make.
#[derive(Debug, Args)]
pub struct TokenMintArgs {
    /// The extension it is for.
    #[arg(long, value_name = "ID", value_parser = values::client_id)]
    pub client_id: String,
    /// The stage it works on.
    #[arg(long)]
    pub stage: Stage,
    /// What it may do.
    #[arg(long, value_parser = ["viewer", "broadcaster", "moderator", "backend", "admin"])]
    pub role: String,
    /// Its channel; `all` for backend and admin.
    #[arg(long, value_name = "CHANNEL")]
    pub channel: Option<String>,
    /// Its user.
    #[arg(long, value_name = "USER")]
    pub user: Option<String>,
    /// How long it lasts.
    #[arg(long, value_name = "TIME", default_value = "24h")]
    pub lifetime: Duration,
}

/// The tokens to revoke: one by its id, a family, or everything a channel granted.
#[derive(Debug, Args)]
#[group(skip)]
#[command(group = clap::ArgGroup::new("what").required(true).args(["token", "family", "channel"]))]
pub struct TokenRevokeArgs {
    /// The extension they are for.
    #[arg(long, value_name = "ID", value_parser = values::client_id)]
    pub client_id: String,
    /// The stage they work on.
    #[arg(long)]
    pub stage: Stage,
    /// One access token, whole or by its id (`jti`).
    #[arg(long, value_name = "TOKEN")]
    pub token: Option<Hidden>,
    /// One family: a refresh token with all that came from it (`fam`).
    #[arg(long, value_name = "FAMILY")]
    pub family: Option<String>,
    /// Every grant of one channel.
    #[arg(long, value_name = "CHANNEL")]
    pub channel: Option<String>,
}

/// Where to write a copy.
#[derive(Debug, Args)]
pub struct BackupArgs {
    /// The file to write; must not exist.
    pub file: PathBuf,
}

/// Which copy to restore.
#[derive(Debug, Args)]
pub struct RestoreArgs {
    /// The file `backup` wrote.
    pub file: PathBuf,
    /// Replace data that is there.
    #[arg(long)]
    pub replace: bool,
}

/// Where to write everything.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// The file to write; must not exist. `-` is standard output. Compressed if its name ends in `.gz`.
    pub file: PathBuf,
    /// Say nothing but errors.
    #[arg(long)]
    pub quiet: bool,
}

/// Where everything comes from.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// The file `export` wrote. `-` is standard input.
    pub file: PathBuf,
    /// Replace data that is there.
    #[arg(long)]
    pub replace: bool,
    /// Say nothing but errors.
    #[arg(long)]
    pub quiet: bool,
}

/// How to print the settings.
#[derive(Debug, Args)]
pub struct ReferenceArgs {
    /// As the page `docs/settings.md`.
    #[arg(long)]
    pub markdown: bool,
}

#[cfg(test)]
mod tests;
