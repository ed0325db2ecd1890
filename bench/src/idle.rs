//! The memory of an idle connection.

use std::io::Read;
use std::path::Path;

use anyhow::{Context as _, Result};
use clap::Args;

use crate::game;
use crate::memory;
use crate::open_files;
use crate::secure::Secure;
use crate::server::{Server, Wanted};

/// Connections before the first look: what is made once for all is made by then.
const WARM_UP: usize = 200;

#[derive(Args)]
pub(crate) struct IdleArguments {
    /// Connections at a time
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(100..=1_000_000))]
    connections: u32,
    /// How often to measure
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// Over TLS
    #[arg(long)]
    tls: bool,
}

/// Measures and prints each round and the median.
pub(crate) fn run(program: &Path, arguments: &IdleArguments) -> Result<()> {
    let connections = usize::try_from(arguments.connections)?;
    open_files::raise(connections + WARM_UP)?;
    let mut figures = Vec::new();
    for round in 1..=arguments.rounds {
        let figure = measure(program, connections, arguments.tls)?;
        println!("round {round}: {figure} bytes of server memory per idle connection");
        figures.push(figure);
    }
    figures.sort_unstable();
    let median = figures.get(figures.len() / 2).context("no rounds")?;
    let kind = if arguments.tls { "TLS " } else { "" };
    println!("idle: {connections} {kind}connections, median {median} bytes each");
    Ok(())
}

fn measure(program: &Path, connections: usize, tls: bool) -> Result<u64> {
    let secure = tls.then(Secure::new).transpose()?;
    let most = ((connections + WARM_UP) * 2).to_string();
    let mut flags = vec![
        "--log-level=warn",
        "--limits-connections-per-address-max",
        &most,
        "--limits-connections-per-extension-max",
        &most,
    ];
    flags.extend(secure.iter().flat_map(Secure::flags));
    let wanted = Wanted {
        edges: &["sandbox-gamelink"],
        tokens: 1,
        secret: None,
        shared: None,
        flags: &flags,
    };
    let server = Server::start(program, &wanted)?;
    let token = server.tokens.first().context("no token")?;
    let connect = |index| -> Result<Box<dyn Read>> {
        Ok(match &secure {
            None => Box::new(game::connect(server.address, index, token)?),
            Some(secure) => {
                let mut stream = secure.connect(server.address, index)?;
                game::authenticate(&mut stream, server.address, token)?;
                Box::new(stream)
            }
        })
    };
    let mut open = Vec::with_capacity(connections + WARM_UP);
    for index in 0..WARM_UP {
        open.push(connect(index)?);
    }
    let before = memory::at_rest(server.id(), 0)?;
    for index in WARM_UP..WARM_UP + connections {
        open.push(connect(index)?);
    }
    let after = memory::at_rest(server.id(), 0)?;
    Ok(after.saturating_sub(before) / u64::try_from(connections)?)
}
