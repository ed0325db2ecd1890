//! `cargo xtask openapi`: the document of the REST edge, as the server serves it.

use anyhow::Result;
use clap::Args;

use crate::job::{self, BUILD_LIMIT};
use crate::paths::Paths;

/// Which document to print.
#[derive(Args)]
pub(crate) struct OpenapiArguments {
    /// The stage it is about: sandbox or production
    #[arg(long, default_value = "sandbox")]
    stage: String,
}

/// Builds the server and has it print the document; false if it refused.
pub(crate) fn run(paths: &Paths, arguments: &OpenapiArguments) -> Result<bool> {
    let run = ["run", "--quiet", "--package", "crowdlink-server", "--"];
    let mut command = paths.cargo(&run);
    command.args(["openapi", "--stage", &arguments.stage]);
    Ok(job::run(&mut command, BUILD_LIMIT)?.success())
}
