//! The datastream under load: nothing is lost, and nothing grows without end (`spec 2.8`,
//! `spec 5`).

use futures::future::join_all;
use serde_json::json;

use crate::datastream::{PATH, batch, listening, nothing_but_a_mark};
use crate::harness::{Incoming, Server, eventually};

#[tokio::test]
async fn every_event_of_many_viewers_comes_once_and_each_viewers_in_order() {
    const VIEWERS: usize = 20;
    const EACH: usize = 40;
    let server = Server::start().await;
    let mut game = listening(&server, "42").await;
    let senders = (0..VIEWERS).map(|v| {
        let server = &server;
        async move {
            let viewer = server.viewer(&(100 + v).to_string(), "42").await;
            for n in 0..EACH {
                viewer.post(PATH, &json!({ "v": v, "n": n })).await.ok();
            }
        }
    });
    let mut heard = vec![Vec::new(); VIEWERS];
    let mut batches = 0;
    let hear = async {
        while heard.iter().map(Vec::len).sum::<usize>() < VIEWERS * EACH {
            server.advance_ms(100);
            for event in batch(&mut game).await {
                let v = usize::try_from(event["v"].as_u64().unwrap()).unwrap();
                heard[v].push(event["n"].as_u64().unwrap());
            }
            batches += 1;
        }
    };
    // Time goes on while nothing comes.
    let time = async {
        loop {
            server.advance_ms(100);
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
    };
    tokio::select! {
        _ = async { tokio::join!(join_all(senders), hear) } => {}
        () = time => {}
    }
    for heard in &heard {
        assert!(heard.iter().copied().eq(0..EACH as u64), "{heard:?}");
    }
    assert!(batches <= VIEWERS * EACH);
    nothing_but_a_mark(&server.viewer("1", "42").await, &mut game).await;
}

#[tokio::test]
async fn a_batch_of_1_mib_does_not_wait() {
    let server = Server::start().await;
    let mut game = listening(&server, "42").await;
    let viewer = server.page("viewer", "42").await;
    viewer.post(PATH, &json!({})).await.ok();
    assert_eq!(batch(&mut game).await, [json!({})]);
    let event = json!({ "a": "x".repeat(8_000) });
    for _ in 0..131 {
        viewer.post(PATH, &event).await.ok();
    }
    // Time stands still.
    let came = batch(&mut game).await;
    let bytes: usize = came.iter().map(|event| event.to_string().len()).sum();
    assert!((1_000_000..1_060_000).contains(&bytes), "{bytes}");
}

#[tokio::test]
async fn what_is_held_for_a_channel_ends_at_256_kib_and_the_oldest_goes_first() {
    let server = Server::start().await;
    let viewer = server.page("viewer", "42").await;
    let (mut game, _) = server.paired_game("42").await;
    game.done("subscribe", "matchmaking", json!({})).await;
    for n in 0..40 {
        viewer
            .post(PATH, &json!({ "n": n, "a": "x".repeat(8_000) }))
            .await
            .ok();
    }
    nothing_but_a_mark(&viewer, &mut game).await;
    game.done("subscribe", "datastream", json!({})).await;
    let came = batch(&mut game).await;
    let bytes: usize = came.iter().map(|event| event.to_string().len()).sum();
    assert!((240_000..=256 * 1_024).contains(&bytes), "{bytes}");
    assert_eq!(came.last().unwrap()["n"], 39);
}

#[tokio::test]
async fn a_game_that_does_not_read_is_closed_and_the_others_lose_nothing() {
    let server = Server::start_with(|settings| {
        settings.limits.outbound_queue_bytes_max = 65_536;
        settings.rates.rest_requests_per_s_max = 100_000;
        settings.timeouts.socket_ping_ms = 3_600_000;
        settings.timeouts.socket_silence_ms_max = 36_000_000;
    })
    .await;
    let mut slow = listening(&server, "42").await;
    let mut other = listening(&server, "42").await;
    let viewer = server.page("viewer", "42").await;
    let mut n = 0;
    while server.app.live.sessions() == 2 {
        viewer
            .post(PATH, &json!({ "n": n, "a": "x".repeat(8_000) }))
            .await
            .ok();
        let came = batch(&mut other).await;
        assert_eq!((came.len(), &came[0]["n"]), (1, &json!(n)));
        server.advance_ms(100);
        n += 1;
        assert!(n < 5_000, "nobody was closed");
    }
    let code = loop {
        match slow.next().await {
            Incoming::Frame(_) => {}
            Incoming::Closed(code) => break code,
        }
    };
    assert!(matches!(code, None | Some(1013)), "{code:?}");
    nothing_but_a_mark(&viewer, &mut other).await;
    eventually("one is left", async || server.app.live.sessions() == 1).await;
}
