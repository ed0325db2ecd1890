//! What a development server offers a newcomer.

use std::net::SocketAddr;

use crowdlink_core::registry::{self, AddExtension};
use crowdlink_core::{Core, Error};
use crowdlink_protocol::ClientId;

use crate::listen::{Bound, EdgeName};
use crate::tls::Tls;

/// The client id of the demo extension.
pub const DEMO_CLIENT_ID: &str = "crowdlink-demo";
/// Its owner, and the channel of the examples.
const DEMO_CHANNEL_ID: &str = "12345678";

/// The demo extension.
#[derive(Debug)]
pub struct Demo;

impl Demo {
    /// Registers the demo extension where it is not there yet.
    pub async fn register(core: &Core) -> anyhow::Result<()> {
        let client_id = ClientId::new(DEMO_CLIENT_ID)?;
        let request = AddExtension {
            owner: DEMO_CHANNEL_ID.to_owned(),
            name: Some("Demo".to_owned()),
            ..AddExtension::new(client_id)
        };
        match registry::add(core.world(), request).await {
            // It was there.
            Ok(_) | Err(Error::Invalid { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        core.reload().await?;
        Ok(())
    }

    /// What to try first, as lines for a terminal.
    pub fn first_steps(bound: &[Bound], tls: Option<&Tls>) -> String {
        let address = |name| {
            let bound = bound.iter().find(|bound| bound.name == name)?;
            bound.listener.local_addr().ok()
        };
        let (Some(rest), Some(gamelink)) = (
            address(EdgeName::SandboxRest),
            address(EdgeName::SandboxGamelink),
        ) else {
            return String::new();
        };
        let url = |name, scheme: &str, address: SocketAddr| {
            let s = if tls.is_some_and(|tls| tls.covers(name)) {
                "s"
            } else {
                ""
            };
            format!("{scheme}{s}://{address}")
        };
        steps(
            &url(EdgeName::SandboxRest, "http", rest),
            &url(EdgeName::SandboxGamelink, "ws", gamelink),
        )
    }
}

fn steps(rest: &str, gamelink: &str) -> String {
    format!(
        r#"
Crowdlink is running. Try it, in another terminal:

  1. a broadcaster's token, as the extension's page gets it:
     TOKEN=$(curl -s {rest}/v1/e/authtoken -d '{{"app_id":"{DEMO_CLIENT_ID}","channel_id":"{DEMO_CHANNEL_ID}","role":"broadcaster"}}' | sed 's/.*:"\(.*\)".*/\1/')

  2. a PIN, as that page shows it:
     curl -s -X POST {rest}/v1/e/gamelink/token -H "Authorization: {DEMO_CLIENT_ID} $TOKEN"

  3. the game connects to {gamelink}/0.0.1/{DEMO_CLIENT_ID} and sends
     {{"action":"authenticate","params":{{"request_id":1}},"data":{{"pin":"<the PIN>"}}}}

Any other client id works too: the sandbox of this server registers what it does not know.

"#
    )
}
