//! The simulation: three nodes over one store that fails, a bus that loses, clocks that are wrong,
//! crashes; every order of events drawn from a seed, every answer held against a plain model.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    missing_docs,
    unreachable_pub
)]

mod ballots;
mod credentials;
mod dice;
mod documents;
mod families;
mod faults;
mod feature;
mod found;
mod gates;
mod gathered;
mod grants;
mod history;
mod linear;
mod node;
mod observer;
mod prizes;
mod rankings;
mod secrets;
mod seeds;
mod shop;
mod sim;
mod store;
mod time;
mod trace;
mod values;
mod wire;

/// Nodes of the cluster.
const NODES: usize = 3;
/// Features that one seed plays.
const FEATURES_MAX: usize = 3;

/// What one seed plays, on nodes whose clocks are off by so much: some features and not all, so
/// that many calls meet on each.
fn features(dice: &mut dice::Dice, offsets_ms: &[i64]) -> Vec<Box<dyn feature::Feature>> {
    let mut all: Vec<Box<dyn feature::Feature>> = vec![
        Box::new(documents::SharedDocuments::new(dice)),
        Box::new(ballots::Ballots::new(offsets_ms.to_vec())),
        Box::new(rankings::Rankings::new()),
        Box::new(values::Values::new()),
        Box::new(gathered::Gathered::new()),
        Box::new(prizes::Prizes::new()),
        Box::new(shop::Shop::new()),
        Box::new(families::Families::new()),
        Box::new(grants::Grants::new()),
        Box::new(secrets::Secrets::new(offsets_ms.to_vec())),
    ];
    while all.len() > FEATURES_MAX {
        all.remove(dice.below(all.len()));
    }
    all
}
