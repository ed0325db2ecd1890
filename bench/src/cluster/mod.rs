//! Two nodes over one PostgreSQL and NATS: votes a second, beside one transaction for each vote on
//! the same PostgreSQL, and how long an event takes from node to node.

mod latency;
mod nodes;
mod transactions;

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use clap::Args;

use crate::answers::Answers;
use crate::core_use;
use crate::votes::Voting;
use crate::votes::load::Load;
use crate::votes::voters::Voters;
use nodes::Nodes;
use transactions::{Manner, Transactions};

#[derive(Args)]
pub(crate) struct ClusterArguments {
    /// Callers that vote, dealt out to both nodes
    #[arg(long, default_value_t = 512, value_parser = clap::value_parser!(u32).range(2..=10_000))]
    callers: u32,
    /// Connections to PostgreSQL that as many callers share where each vote is a transaction
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=128))]
    database_connections: u32,
    /// Length of one measurement of votes, in seconds
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// How often to measure each, in turns
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// Events of which the time is taken, on the node of the write and on the other one, each round
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    events: u32,
}

/// What was measured, a round each.
#[derive(Default)]
struct Rounds {
    cluster: Vec<Answers>,
    transactions: Vec<Answers>,
    statements: Vec<Answers>,
}

/// Measures and prints each round and the medians. Everything that serves runs on one core, the load
/// on another.
pub(crate) fn run(program: &Path, arguments: &ClusterArguments) -> Result<()> {
    let (for_servers, for_load) = core_use::two()?;
    core_use::stay_on(for_servers)?;
    let nodes = Nodes::start(program)?;
    core_use::stay_on(for_load)?;
    let voters = Voters::new(nodes.first())?;
    let peer = Transactions {
        url: nodes.store(),
        callers: usize::try_from(arguments.callers)?,
        connections: usize::try_from(arguments.database_connections)?,
        time: Duration::from_secs(arguments.seconds),
    };
    peer.prepare()?;
    let mut listening = nodes.listen(&voters.broadcaster()?)?;
    let mut rounds = Rounds::default();
    for round in 1..=arguments.rounds {
        // While nothing else is asked of the cluster.
        listening.measure(round, arguments.events)?;
        measure_votes(&mut rounds, round, &nodes, (&voters, &peer))?;
    }
    println!();
    listening.conclude()?;
    rounds.conclude(&peer)
}

/// One turn of everybody.
fn measure_votes(
    rounds: &mut Rounds,
    round: u32,
    nodes: &Nodes,
    (voters, peer): (&Voters, &Transactions),
) -> Result<()> {
    let load = Load {
        requests: voters.requests(Voting::OnePoll, round, peer.callers),
        connections: peer.callers,
        time: peer.time,
    };
    let answers = load.run(&nodes.targets())?.answers;
    println!("round {round}: two nodes, one poll: {answers}");
    rounds.cluster.push(answers);
    for (manner, measured) in [
        (Manner::Transaction, &mut rounds.transactions),
        (Manner::Statement, &mut rounds.statements),
    ] {
        let answers = peer.measure(manner, round)?;
        println!("round {round}: one {manner} a vote: {answers}");
        measured.push(answers);
    }
    Ok(())
}

impl Rounds {
    /// Prints the medians, and ours as a ratio to the others of the same run.
    fn conclude(&self, peer: &Transactions) -> Result<()> {
        let (callers, connections) = (peer.callers, peer.connections);
        let ours = Answers::median(&self.cluster)?;
        println!("median: two nodes, one poll, {callers} callers: {ours}");
        for (manner, measured) in [
            (Manner::Transaction, &self.transactions),
            (Manner::Statement, &self.statements),
        ] {
            let theirs = Answers::median(measured)?;
            let ratio = ours.per_s / theirs.per_s;
            println!(
                "median: one {manner} a vote, {callers} callers on {connections} connections: \
                 {theirs}; the cluster {ratio:.2} x"
            );
        }
        Ok(())
    }
}
