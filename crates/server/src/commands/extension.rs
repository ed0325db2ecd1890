//! `extension …`: the registry.

use std::fmt::Write as _;

use anyhow::Context as _;
use crowdlink_core::registry::{self, AddExtension, Extension, UpdateExtension};
use crowdlink_core::{Core, Secret};
use crowdlink_protocol::ClientId;

use super::offline::with_core;
use super::print;
use crate::cli::{ExtensionAddArgs, ExtensionCommand, ExtensionUpdateArgs, RotateSecretArgs};
use crate::settings::Settings;

/// Changes or lists what is registered. A running server sees changes within two seconds.
pub fn extension(settings: &Settings, command: ExtensionCommand) -> anyhow::Result<()> {
    with_core(settings, |core| async move {
        match command {
            ExtensionCommand::Add(args) => add(&core, args).await,
            ExtensionCommand::List => list(&core),
            ExtensionCommand::Update(args) => update(&core, args).await,
            ExtensionCommand::RotateSecret(args) => rotate_secret(&core, &args).await,
            ExtensionCommand::Remove(args) => {
                let client_id = ClientId::new(&args.client_id)?;
                registry::remove(core.world(), &client_id).await?;
                print(&format!("removed {client_id}\n"))
            }
        }
    })
}

async fn add(core: &Core, args: ExtensionAddArgs) -> anyhow::Result<()> {
    let read = |text: &crate::cli::Hidden| {
        Secret::from_base64(text.expose()).map_err(|why| anyhow::anyhow!("--secret {why}"))
    };
    let secrets = args
        .secrets
        .iter()
        .map(read)
        .collect::<Result<Vec<_>, _>>()?;
    let made = secrets.is_empty();
    let request = AddExtension {
        client_id: ClientId::new(&args.client_id)?,
        owner: args.owner,
        name: args.name,
        secrets,
        sandbox_takes_platform_tokens: false,
        auto_registered: false,
    };
    let extension = registry::add(core.world(), request).await?;
    print(&format!("added {}\n", extension.client_id))?;
    if made {
        let secret = extension.secrets.first().context("no secret was made")?;
        // The one time it is shown: the operator needs it for the platform.
        print(&format!("secret {}\n", secret.secret.to_base64()))?;
    }
    Ok(())
}

fn list(core: &Core) -> anyhow::Result<()> {
    let now_ms = core.world().clock.now_ms();
    let mut text = String::new();
    for extension in core.extensions() {
        describe(&mut text, &extension, now_ms)?;
    }
    if text.is_empty() {
        text.push_str("no extension is registered; see `crowdlink extension add --help`\n");
    }
    print(&text)
}

fn describe(text: &mut String, extension: &Extension, now_ms: i64) -> std::fmt::Result {
    let Extension {
        client_id,
        name,
        owner,
        ..
    } = extension;
    writeln!(text, "{client_id}  name={name:?} owner={owner:?}")?;
    if extension.sandbox_takes_platform_tokens {
        writeln!(text, "  its sandbox takes tokens that the platform signed")?;
    }
    if extension.auto_registered {
        writeln!(
            text,
            "  registered by the development server, in the sandbox only"
        )?;
    }
    for secret in &extension.secrets {
        let state = match secret.retire_at {
            None => "valid".to_owned(),
            Some(at_ms) if at_ms <= now_ms => "retired".to_owned(),
            Some(at_ms) => format!("valid until {}", local_time(at_ms)),
        };
        writeln!(
            text,
            "  secret {} of {}, {state}",
            secret.id,
            local_time(secret.created_at)
        )?;
    }
    Ok(())
}

pub(super) fn local_time(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).map_or_else(
        |_| format!("{ms} ms"),
        |time| {
            let local = time.to_zoned(jiff::tz::TimeZone::system());
            local.strftime("%Y-%m-%d %H:%M:%S %Z").to_string()
        },
    )
}

async fn update(core: &Core, args: ExtensionUpdateArgs) -> anyhow::Result<()> {
    let client_id = ClientId::new(&args.client_id)?;
    let request = UpdateExtension {
        owner: args.owner,
        name: args.name,
        sandbox_takes_platform_tokens: args.sandbox_takes_platform_tokens,
    };
    let extension = registry::update(core.world(), &client_id, request).await?;
    let mut text = String::new();
    describe(&mut text, &extension, core.world().clock.now_ms())?;
    print(&text)
}

async fn rotate_secret(core: &Core, args: &RotateSecretArgs) -> anyhow::Result<()> {
    let client_id = ClientId::new(&args.client_id)?;
    let after_ms = args.retire_old_after.map(|after| after.ms);
    let rotated = registry::rotate_secret(core.world(), &client_id, after_ms).await?;
    let old = rotated.old_retire_at.map_or_else(
        || "the old secrets stay valid".to_owned(),
        |at_ms| format!("the old secrets are valid until {}", local_time(at_ms)),
    );
    print(&format!("secret {}\n{old}\n", rotated.secret.to_base64()))
}
