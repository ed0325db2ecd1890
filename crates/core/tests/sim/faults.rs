//! What breaks: the store for a node, links between nodes, nodes themselves; and how time jumps.

use crate::NODES;
use crate::dice::Dice;
use crate::node::{Mood, Node};
use crate::sim::Sim;

/// How wrong a clock may be (`spec 1.2` tolerates as much).
const SKEW_MS_MAX: u64 = 30_000;
const HOUR_MS: u64 = 60 * 60 * 1_000;
/// What passes at once, with nothing under way: no sum of few of them is near a lifetime.
const JUMPS_MS: [u64; 3] = [53 * HOUR_MS, 9 * 24 * HOUR_MS + HOUR_MS, 20 * 24 * HOUR_MS];
/// All jumps of one seed stay below the lifetime of codes, 90 days.
const JUMPS_MAX: usize = 3;

/// What may break in one seed: not everything in each, for what heals one fault hides another.
#[derive(Clone, Copy, Debug)]
pub struct Weather {
    moods: bool,
    links: bool,
    crashes: bool,
    /// Messages that get lost, per mille.
    pub lost: usize,
}

impl Weather {
    pub fn draw(dice: &mut Dice) -> Self {
        Self {
            moods: dice.chance(700),
            links: dice.chance(400),
            crashes: dice.chance(500),
            lost: dice.pick(&[0, 0, 60]),
        }
    }
}

/// Three nodes; in some seeds the clock of one is wrong, in some they share a number.
pub fn nodes(dice: &mut Dice) -> Vec<Node> {
    let wrong = dice.below(2 * NODES);
    let offset = i64::try_from(dice.between(1, SKEW_MS_MAX)).unwrap();
    let offset = if dice.chance(500) { offset } else { -offset };
    let same_number = dice.chance(150);
    (0..NODES)
        .map(|index| {
            let number = if same_number {
                0
            } else {
                u32::try_from(index).unwrap()
            };
            Node::new(index, number, if index == wrong { offset } else { 0 })
        })
        .collect()
}

/// Something breaks or heals.
pub fn strike(sim: &mut Sim) {
    let index = sim.dice.below(NODES);
    match sim.dice.below(10) {
        0..=3 if sim.weather.moods => set_mood(sim, index),
        4 | 5 if sim.weather.links => set_links(sim, index),
        6 | 7 if sim.weather.crashes => crash_or_start(sim, index),
        8 => sim.drain(),
        9 => jump(sim),
        _ => {}
    }
}

fn set_mood(sim: &mut Sim, index: usize) {
    let mood = match sim.dice.below(6) {
        0..=2 => Mood::Calm,
        3 => Mood::Flaky(200, 0),
        4 => Mood::Flaky(50, 250),
        _ => Mood::CutOff,
    };
    sim.nodes[index].mood = mood;
    sim.ground
        .trace
        .say(&format!("the store is {mood:?} to n{index}"));
}

fn set_links(sim: &mut Sim, index: usize) {
    let cut = sim.dice.chance(400);
    let one_way = sim.dice.chance(300);
    for other in (0..NODES).filter(|other| *other != index) {
        sim.ground.wire.set_cut((index, other), cut);
        if !one_way {
            sim.ground.wire.set_cut((other, index), cut);
        }
    }
    let what = if cut { "cut" } else { "whole" };
    sim.ground
        .trace
        .say(&format!("links of n{index} are {what}"));
}

fn crash_or_start(sim: &mut Sim, index: usize) {
    if sim.nodes[index].is_running() {
        sim.ground.trace.say(&format!("n{index} crashes"));
        sim.ground.trace.moment();
        sim.nodes[index].crash();
        sim.ground.wire.forget(index);
    } else {
        start(sim, index);
    }
}

fn start(sim: &mut Sim, index: usize) {
    sim.ground.trace.say(&format!("n{index} starts"));
    sim.nodes[index].start(&sim.ground);
}

/// Days pass, with nothing under way.
fn jump(sim: &mut Sim) {
    if sim.jumps >= JUMPS_MAX || !sim.dice.chance(250) {
        return;
    }
    sim.drain();
    if !sim.is_at_rest() {
        return;
    }
    sim.jumps += 1;
    let ms = sim.dice.pick(&JUMPS_MS);
    sim.ground
        .trace
        .say(&format!("{} hours pass", ms / HOUR_MS));
    sim.pass_ms(ms);
    sim.drain();
}

/// Nothing is broken any more.
pub fn heal(sim: &mut Sim) {
    for index in 0..NODES {
        sim.nodes[index].mood = Mood::Calm;
        for other in 0..NODES {
            sim.ground.wire.set_cut((index, other), false);
        }
    }
    for index in 0..NODES {
        if !sim.nodes[index].is_running() {
            start(sim, index);
        }
    }
}
