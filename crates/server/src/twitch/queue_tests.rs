use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crowdlink_core::broadcast::Target;
use crowdlink_protocol::{ClientId, Stage};

use super::queue::{
    Pushed, Queue, STALE_MS, WAITING_BYTES_MAX, WAITING_CHANNEL_BYTES_MAX, WAITING_MESSAGES_MAX,
};
use crate::events::{Audience, ViewerEvent};

fn event(name: Option<&str>, messages: &[&str]) -> ViewerEvent {
    ViewerEvent {
        audience: Audience {
            stage: Stage::Production,
            client_id: ClientId::new("x").unwrap(),
            channel: Some("42".to_owned()),
        },
        targets: vec![Target::Broadcast],
        messages: messages.iter().map(|&m| m.to_owned()).collect(),
        coalesce: None,
        newest_of: name.map(str::to_owned),
    }
}

fn queue() -> (Queue, Arc<AtomicUsize>) {
    let total = Arc::<AtomicUsize>::default();
    (Queue::new(Arc::clone(&total)), total)
}

fn push(queue: &mut Queue, name: Option<&str>, messages: &[&str], at_ms: u64) -> Pushed {
    let heard = (at_ms, i64::try_from(at_ms).unwrap());
    queue.push(&event(name, messages), vec!["broadcast".into()], heard)
}

/// What goes out, in order.
fn rest(queue: &mut Queue) -> Vec<String> {
    let mut all = Vec::new();
    while let Some(next) = queue.next() {
        all.push(format!("{} {}", next.target, next.message()));
        queue.went(&next);
    }
    all
}

#[test]
fn an_event_takes_the_place_of_an_older_one_of_its_name_and_others_keep_theirs() {
    let (mut queue, total) = queue();
    push(&mut queue, Some("s"), &["s1"], 0);
    push(&mut queue, None, &["b1"], 0);
    push(&mut queue, Some("t"), &["t1"], 0);
    push(&mut queue, None, &["b1"], 0);
    let pushed = push(&mut queue, Some("s"), &["s2"], 0);
    assert_eq!((pushed.superseded, pushed.overflowed), (1, 0));
    let expected = ["s2", "b1", "t1", "b1"].map(|m| format!("broadcast {m}"));
    assert_eq!(rest(&mut queue), expected);
    assert_eq!(total.load(Ordering::Relaxed), 0);
}

#[test]
fn all_parts_of_a_message_go_to_one_target_before_the_next_has_any() {
    let (mut queue, _) = queue();
    let targets = vec!["whisper-a".to_owned(), "whisper-b".to_owned()];
    queue.push(&event(None, &["1", "2"]), targets, (0, 0));
    let expected = ["whisper-a 1", "whisper-a 2", "whisper-b 1", "whisper-b 2"];
    assert_eq!(rest(&mut queue), expected);
}

#[test]
fn an_answer_for_what_was_superseded_does_not_touch_its_successor() {
    let (mut queue, _) = queue();
    push(&mut queue, Some("s"), &["1a", "1b"], 0);
    let old = queue.next().unwrap();
    push(&mut queue, Some("s"), &["2a", "2b"], 0);
    queue.went(&old);
    queue.give_up(&old);
    assert_eq!(rest(&mut queue), ["broadcast 2a", "broadcast 2b"]);
}

#[test]
fn broadcasts_grow_stale_and_states_do_not() {
    let (mut queue, _) = queue();
    push(&mut queue, Some("s"), &["s"], 0);
    push(&mut queue, None, &["old"], 0);
    push(&mut queue, None, &["young"], 1);
    assert_eq!(queue.drop_stale(STALE_MS - 1), 0);
    assert_eq!(queue.drop_stale(STALE_MS), 1);
    assert_eq!(rest(&mut queue), ["broadcast s", "broadcast young"]);
}

#[test]
fn what_another_node_has_done_goes_and_what_it_may_not_have_done_stays() {
    let (mut queue, _) = queue();
    push(&mut queue, Some("s"), &["s"], 1_000);
    push(&mut queue, None, &["b"], 5_000);
    assert_eq!(queue.done_until_ms(9_000), 1_000);
    queue.drop_done(2_000);
    assert_eq!(queue.done_until_ms(9_000), 1_000);
    queue.drop_done(2_001);
    assert_eq!(queue.done_until_ms(9_000), 5_000);
    queue.drop_done(6_001);
    assert_eq!(queue.done_until_ms(9_000), 9_000);
}

#[test]
fn of_more_messages_than_may_wait_the_oldest_broadcast_goes_and_states_stay() {
    let (mut queue, _) = queue();
    push(&mut queue, Some("s"), &["s"], 0);
    for n in 0..WAITING_MESSAGES_MAX - 1 {
        let pushed = push(&mut queue, None, &[&n.to_string()], 0);
        assert_eq!(pushed.overflowed, 0);
    }
    assert_eq!(push(&mut queue, None, &["last"], 0).overflowed, 1);
    let rest = rest(&mut queue);
    assert_eq!(rest.len(), WAITING_MESSAGES_MAX);
    assert_eq!(rest[..2], ["broadcast s", "broadcast 1"]);
    assert_eq!(rest.last().unwrap(), "broadcast last");
}

#[test]
fn what_alone_is_too_much_pushes_nothing_out() {
    let (mut queue, _) = queue();
    push(&mut queue, None, &["b"], 0);
    let parts = vec!["p"; WAITING_MESSAGES_MAX + 1];
    assert_eq!(push(&mut queue, None, &parts, 0).overflowed, 1);
    let long = "x".repeat(WAITING_CHANNEL_BYTES_MAX);
    assert_eq!(push(&mut queue, None, &[&long], 0).overflowed, 1);
    assert_eq!(rest(&mut queue), ["broadcast b"]);
}

#[test]
fn states_that_find_no_room_at_all_are_refused() {
    let (mut queue, _) = queue();
    for n in 0..WAITING_MESSAGES_MAX {
        push(&mut queue, Some(&n.to_string()), &["s"], 0);
    }
    assert_eq!(push(&mut queue, Some("more"), &["s"], 0).overflowed, 1);
    assert_eq!(push(&mut queue, Some("7"), &["new"], 0).superseded, 1);
    assert_eq!(rest(&mut queue)[7], "broadcast new");
}

#[test]
fn all_channels_together_hold_no_more_than_their_bound() {
    let total = Arc::<AtomicUsize>::default();
    let text = "x".repeat(80_000);
    let mut queues = Vec::new();
    let mut overflowed = 0;
    for _ in 0..WAITING_BYTES_MAX / WAITING_CHANNEL_BYTES_MAX + 8 {
        let mut queue = Queue::new(Arc::clone(&total));
        for _ in 0..20 {
            overflowed += push(&mut queue, None, &[&text], 0).overflowed;
            assert!(total.load(Ordering::Relaxed) <= WAITING_BYTES_MAX);
        }
        queues.push(queue);
    }
    assert!(overflowed > 0 && total.load(Ordering::Relaxed) > WAITING_BYTES_MAX - 100_000);
    drop(queues);
    assert_eq!(total.load(Ordering::Relaxed), 0);
}
