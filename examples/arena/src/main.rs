//! `arena`: see the library.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use clap::Parser;
use crowdlink_arena::audience::Gate;
use crowdlink_arena::play::play;
use crowdlink_client::{Game, Server, TokenFile};

/// A hero in a terminal, and viewers who choose what comes next
#[derive(Parser)]
struct Arguments {
    /// The GameLink port of the server
    #[arg(long, default_value = "ws://127.0.0.1:5051")]
    server: String,
    /// The extension
    #[arg(long, default_value = "crowdlink-demo")]
    client_id: String,
    /// Where the refresh token is kept
    #[arg(long, default_value = "arena-token")]
    token: PathBuf,
    /// How long viewers may vote, in seconds
    #[arg(long, default_value_t = 20)]
    round_s: u64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let server = Server::at(arguments.server);
    let gate = Gate {
        connect: Game::connect(server, arguments.client_id).game_id("Arena"),
        tokens: TokenFile::new(arguments.token),
        round: Duration::from_secs(arguments.round_s),
    };
    let mut terminal = ratatui::try_init()?;
    let played = play(gate, &mut terminal).await;
    ratatui::try_restore()?;
    played
}
