//! The rules of the arena, without terminal and network, and what they look like.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use crowdlink_arena::draw::draw;
use crowdlink_arena::world::{
    HEARTS_MAX, Key, LINES_MAX, MONSTERS, News, PIN_CHARS_MAX, Screen, Wish, World,
};
use crowdlink_client::{PollReport, Status};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use serde_json::json;

fn report(status: &str, results: [i64; 3]) -> PollReport {
    let poll = json!({
        "poll": {
            "poll_id": "arena-round", "prompt": "Who enters the arena?", "options": MONSTERS,
            "status": status,
        },
        "results": results, "mean": 0, "sum": 0, "count": results.iter().sum::<i64>(),
    });
    serde_json::from_value(poll).unwrap()
}

fn entered() -> World {
    let mut world = World::new(false);
    assert_eq!(world.hear(News::Paired("bobross".into())), None);
    world
}

fn screen(world: &World) -> String {
    let mut terminal = Terminal::new(TestBackend::new(60, 20)).unwrap();
    terminal.draw(|frame| draw(world, frame)).unwrap();
    terminal.backend().to_string()
}

#[test]
fn a_pin_is_typed_corrected_and_sent() {
    let mut world = World::new(false);
    for key in "AB X!".chars().map(Key::Char) {
        assert_eq!(world.press(key), None);
    }
    world.press(Key::Backspace);
    assert!(screen(&world).contains("PIN: AB_"), "{}", screen(&world));
    assert_eq!(world.press(Key::Enter), Some(Wish::Pair("AB".into())));
    assert_eq!(world.screen, Screen::Pairing);
    assert!(screen(&world).contains("Pairing"));
    world.hear(News::NotPaired(
        "The provided PIN is invalid or expired".into(),
    ));
    assert!(screen(&world).contains("invalid or expired"));
    assert_eq!(world.press(Key::Enter), None, "nothing was typed");
    for _ in 0..100 {
        world.press(Key::Char('A'));
    }
    let sent = world.press(Key::Enter);
    assert_eq!(sent, Some(Wish::Pair("A".repeat(PIN_CHARS_MAX))));
}

#[test]
fn viewers_choose_who_comes_and_the_hero_takes_the_blow() {
    let mut world = entered();
    assert_eq!(world.press(Key::Char('n')), Some(Wish::Ask));
    world.hear(News::Poll(report("active", [0, 0, 0])));
    assert_eq!(world.press(Key::Char('n')), None, "one round at a time");
    world.hear(News::Poll(report("active", [1, 4, 2])));
    let seen = screen(&world);
    for part in [
        "paired with bobross (connected)",
        "Viewers vote",
        "Troll        4 ████████████████████",
    ] {
        assert!(seen.contains(part), "{seen}");
    }
    let told = world.hear(News::Poll(report("expired", [1, 4, 2])));
    let hearts = HEARTS_MAX - 2;
    let monster = "Troll".to_owned();
    assert_eq!(told, Some(Wish::Tell { monster, hearts }));
    assert!(screen(&world).contains("A Troll comes and hits for 2."));
    assert!(screen(&world).contains("♥♥♥♥♥♥♥♥··  rounds 1"));
    let again = world.hear(News::Poll(report("expired", [1, 4, 2])));
    assert_eq!(again, None, "it is over once");
    world.hear(News::Cheer("Ann".into()));
    assert_eq!(world.hearts, hearts + 1);
}

#[test]
fn where_nobody_votes_nobody_comes() {
    let mut world = entered();
    world.hear(News::Poll(report("active", [0, 0, 0])));
    assert_eq!(world.hear(News::Poll(report("expired", [0, 0, 0]))), None);
    assert_eq!((world.hearts, world.rounds), (HEARTS_MAX, 0));
}

#[test]
fn a_hero_without_hearts_falls_and_another_comes() {
    let mut world = entered();
    for _ in 0..4 {
        world.hear(News::Poll(report("active", [0, 0, 1])));
        world.hear(News::Poll(report("expired", [0, 0, 1])));
    }
    assert_eq!((world.hearts, world.rounds), (HEARTS_MAX, 0));
    assert!(screen(&world).contains("The hero falls after 3 rounds."));
}

#[test]
fn cheers_fill_neither_the_hero_nor_the_screen_over() {
    let mut world = entered();
    for round in 0..1_000 {
        world.hear(News::Cheer(format!("viewer {round}")));
    }
    assert_eq!(world.hearts, HEARTS_MAX);
    assert_eq!(world.lines.len(), LINES_MAX);
    assert!(screen(&world).contains("viewer 999 cheers."));
}

#[test]
fn a_lost_connection_is_shown_and_a_lost_pairing_asks_for_a_pin() {
    let mut world = entered();
    world.hear(News::Status(Status::Closed));
    assert!(screen(&world).contains("(over)"));
    world.hear(News::Status(Status::PairingNeeded));
    assert!(matches!(world.screen, Screen::Pin { .. }));
    assert_eq!(world.press(Key::Escape), Some(Wish::Quit));
}

#[test]
fn no_terminal_is_too_small() {
    for (width, height) in [(1, 1), (3, 2), (10, 5), (200, 60)] {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        for world in [World::new(false), World::new(true), entered()] {
            terminal.draw(|frame| draw(&world, frame)).unwrap();
        }
    }
}
