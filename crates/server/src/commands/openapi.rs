//! `openapi`: what REST takes and answers.

use super::print;
use crate::cli::OpenapiArgs;
use crate::rest::{self, Bounds};
use crate::settings::Settings;

/// Prints the document of a stage, as a server with these settings serves it.
pub fn openapi(settings: &Settings, args: &OpenapiArgs) -> anyhow::Result<()> {
    let document = rest::openapi(args.stage.into(), &Bounds::of(settings))?;
    print(&format!("{document}\n"))
}
