//! How large a broadcast may be, and how it travels then (`spec 4.1`, `spec 5`).

use serde_json::{Value, json};

use crate::harness::{EXTENSION, Http, Pusher, Server, Viewer};

const PATH: &str = "/v1/e/broadcast";
const BYTES_MAX: usize = 81_920;

/// Text that hardly becomes smaller.
fn noise(bytes: usize) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-";
    let mut state = 7_u64;
    let next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        char::from(ALPHABET[usize::try_from(state >> 58).unwrap()])
    };
    std::iter::repeat_with(next).take(bytes).collect()
}

/// Data that makes a message text of so many bytes.
fn data_of(bytes: usize) -> Value {
    Value::String(noise(bytes - rest().len()))
}

/// A message text but for its data.
fn rest() -> String {
    format!(r#"{{"data":"","event":"sandbox:{EXTENSION}:big"}}"#)
}

async fn send(page: &Http, data: &Value) -> crate::harness::Answer {
    let body = json!({ "target": "broadcast", "event": "big", "data": data });
    page.post(PATH, &body).await
}

#[tokio::test]
async fn thirty_kilobytes_arrive_compressed_and_in_parts() {
    let server = Server::start().await;
    let mut viewer = Viewer::of(&server, Some("42")).await;
    let mut pusher = Pusher::of(&server, "42").await;
    let page = server.page("broadcaster", "42").await;
    for bytes in [4_999, 5_000, 30_000, BYTES_MAX] {
        let data = data_of(bytes);
        send(&page, &data).await.ok();
        assert_eq!(viewer.told().await.data, data);
        let (_, target, message) = pusher.told().await;
        assert_eq!((target.as_str(), &message["data"]), ("broadcast", &data));
        let parts = match bytes {
            4_999 => 1..=1,
            // Noise stays as long as it is: in base64 what was packed is no shorter.
            5_000 => 1..=2,
            30_000 => 6..=7,
            _ => 16..=18,
        };
        assert!(parts.contains(&viewer.messages()), "{}", viewer.messages());
    }
}

#[tokio::test]
async fn one_byte_above_80_kib_is_refused_and_nothing_is_sent() {
    let server = Server::start().await;
    let mut viewer = Viewer::of(&server, Some("42")).await;
    let mut pusher = Pusher::of(&server, "42").await;
    let page = server.page("broadcaster", "42").await;
    // Also where it would pack well.
    let packs = Value::String("a".repeat(BYTES_MAX));
    for (data, bytes) in [
        (data_of(BYTES_MAX + 1), BYTES_MAX + 1),
        (packs, BYTES_MAX + rest().len()),
    ] {
        let reason = format!("data makes a message of {bytes} bytes; {BYTES_MAX} are allowed");
        send(&page, &data).await.refused(400, &reason);
    }
    viewer.socket.heartbeat().await;
    pusher.socket.heartbeat().await;
}

#[tokio::test]
async fn a_state_of_any_allowed_size_is_told_in_parts() {
    let server = Server::start().await;
    let mut viewer = Viewer::of(&server, Some("42")).await;
    let page = server.page("broadcaster", "42").await;
    let state = json!({ "noise": noise(262_144 - 12) });
    page.post("/v1/e/channel_state", &state).await.ok();
    let told = viewer.told().await;
    assert_eq!(
        (told.event.as_str(), told.data),
        ("channel_state_update", state)
    );
    assert!(viewer.messages() > 30, "{}", viewer.messages());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parts_of_two_messages_never_mix_on_one_connection() {
    const ROUNDS: usize = 20;
    let server = Server::start().await;
    let mut viewer = Viewer::of(&server, Some("42")).await;
    let mut pusher = Pusher::of(&server, "42").await;
    // To the channel, to all, and state, at once: the library hears them on one target.
    let senders = ["42", "all"].map(|channel| {
        let backend = server.trusted("backend");
        async move {
            for n in 0..ROUNDS {
                let data = json!({ "n": n, "noise": noise(20_000 + n) });
                let body = json!({
                    "target": "broadcast", "event": channel, "user_id": channel, "data": data,
                });
                backend.post(PATH, &body).await.ok();
            }
        }
    });
    let page = server.page("broadcaster", "42").await;
    let states = async {
        for n in 0..ROUNDS {
            let state = json!({ "n": n, "noise": noise(40_000) });
            page.post("/v1/e/channel_state", &state).await.ok();
            server.advance_ms(500);
        }
    };
    let [first, second] = senders;
    let listen = async {
        let (mut heard, mut paged) = ([0, 0], [0, 0]);
        while heard != [ROUNDS; 2] {
            let told = viewer.told().await;
            count(&mut heard, &told.event, &told.data);
        }
        while paged != [ROUNDS; 2] {
            let (_, _, message) = pusher.told().await;
            let event = message["event"].as_str().unwrap();
            let name = event.rsplit(':').next().unwrap();
            count(&mut paged, name, &message["data"]);
        }
    };
    tokio::join!(first, second, states, listen);
}

/// Counts the events of a sender, which come in its order.
fn count(heard: &mut [usize; 2], event: &str, data: &Value) {
    let place = match event {
        "42" => &mut heard[0],
        "all" => &mut heard[1],
        other => return assert_eq!(other, "channel_state_update"),
    };
    assert_eq!(data["n"], json!(*place));
    *place += 1;
}
