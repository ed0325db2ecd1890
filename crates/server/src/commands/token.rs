//! `token …`: tokens by hand.

use crowdlink_core::tokens::{self, MintRequest};
use crowdlink_core::{Core, pairing, registry};
use crowdlink_protocol::{ClientId, Stage};

use super::offline::with_core;
use super::print;
use crate::cli::{TokenCommand, TokenMintArgs, TokenRevokeArgs};
use crate::settings::Settings;

/// Mints, revokes, rotates the key. A running server sees changes within two seconds.
pub fn token(settings: &Settings, command: TokenCommand) -> anyhow::Result<()> {
    with_core(settings, |core| async move {
        match command {
            TokenCommand::Mint(args) => mint(&core, args).await,
            TokenCommand::Revoke(args) => revoke(&core, &args).await,
            TokenCommand::RotateKey => {
                let lifetimes = core.lifetimes();
                let longest = lifetimes.access_ms.max(lifetimes.authtoken_ms);
                let overlap_ms = longest + lifetimes.clock_skew_ms;
                registry::rotate_key(core.world(), overlap_ms).await?;
                print("a new key signs from now on\n")
            }
        }
    })
}

async fn mint(core: &Core, args: TokenMintArgs) -> anyhow::Result<()> {
    let request = MintRequest {
        stage: args.stage.into(),
        client_id: ClientId::new(&args.client_id)?,
        role: args.role.parse().map_err(anyhow::Error::msg)?,
        channel_id: args.channel,
        user_id: args.user,
        lifetime_ms: args.lifetime.ms,
    };
    let token = tokens::mint_by_hand(core, request).await?;
    print(&format!("{token}\n"))
}

async fn revoke(core: &Core, args: &TokenRevokeArgs) -> anyhow::Result<()> {
    let (stage, client_id) = (Stage::from(args.stage), ClientId::new(&args.client_id)?);
    if let Some(channel_id) = &args.channel {
        pairing::revoke_channel(core, stage, &client_id, channel_id).await?;
        return print("revoked every grant of the channel\n");
    }
    if let Some(fam) = &args.family {
        tokens::revoke_family_by_id(core, stage, &client_id, fam).await?;
        return print("revoked the family\n");
    }
    let Some(token) = &args.token else {
        anyhow::bail!("name a token, a family or a channel")
    };
    let text = token.expose();
    let jti = match tokens::inspect(text, core.limits().token_bytes_max) {
        Ok(read) => read
            .claims
            .jti
            .ok_or_else(|| anyhow::anyhow!("the token has no id (`jti`) to be revoked by"))?,
        // Not a whole token, so its id.
        Err(_) => text.to_owned(),
    };
    tokens::revoke(core, &jti).await?;
    print("revoked the token\n")
}
