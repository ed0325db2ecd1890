//! Starts a PostgreSQL and a NATS server and prints where they are: for trying things by hand, and
//! for the test of what a killed owner leaves.
#![allow(
    clippy::print_stdout,
    reason = "a command-line tool speaks on its standard output"
)]

use std::io::{self, Read};

use anyhow::Result;
use services::{Nats, Postgres};

fn main() -> Result<()> {
    let postgres = Postgres::start()?;
    let nats = Nats::start()?;
    println!("{}", postgres.url());
    println!("{}", nats.url());
    println!("until standard input closes");
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
