//! Broadcast over REST (`spec 3.11`, `spec 6.3`): whom it reaches, whom it never reaches, and who may.

use crowdlink_protocol::Stage;
use http::Method;
use serde_json::{Value, json};

use crate::harness::{EXTENSION, Http, OWNER, SECRET, Server, Told, Viewer, claims, sign};

const PATH: &str = "/v1/e/broadcast";

fn told(target: &str, event: &str, data: Value) -> Told {
    Told {
        target: target.to_owned(),
        event: event.to_owned(),
        data,
    }
}

/// A viewer of the sandbox, by user.
async fn viewer(server: &Server, channel: &str, user: &str) -> Viewer {
    let jwt = server.token("viewer", channel, user).await;
    Viewer::with(server, Stage::Sandbox, EXTENSION, &jwt).await
}

async fn send(page: &Http, target: &str, event: &str, data: Value) {
    let body = json!({ "target": target, "event": event, "data": data });
    assert_eq!(page.post(PATH, &body).await.ok(), json!({}));
}

/// Everybody who must not hear of what happens in channel 42 of the sandbox.
async fn strangers(server: &Server) -> Vec<Viewer> {
    server.register("other", OWNER, &[SECRET]).await;
    let mut sandboxed = claims("viewer", "42");
    sandboxed["allowed_stage"] = json!("sandbox");
    let production = sign(&claims("viewer", "42"), SECRET);
    vec![
        viewer(server, "43", "77").await,
        viewer(server, "4", "77").await,
        Viewer::with(server, Stage::Sandbox, "other", &sign(&sandboxed, SECRET)).await,
        Viewer::with(server, Stage::Production, EXTENSION, &production).await,
    ]
}

#[tokio::test]
async fn a_broadcast_reaches_every_viewer_of_the_channel_and_nobody_else() {
    let server = Server::start().await;
    let mut strangers = strangers(&server).await;
    let mut viewers = Vec::new();
    for user in ["77", "78", "78"] {
        viewers.push(viewer(&server, "42", user).await);
    }
    let page = server.page("broadcaster", "42").await;
    send(&page, "broadcast", "new_song", json!({ "year": 1997 })).await;
    for viewer in &mut viewers {
        let expected = told("broadcast", "new_song", json!({ "year": 1997 }));
        assert_eq!(viewer.told().await, expected);
    }
    for stranger in &mut strangers {
        stranger.socket.heartbeat().await;
    }
}

#[tokio::test]
async fn a_whisper_reaches_the_sessions_of_one_viewer_and_nobody_else() {
    let server = Server::start().await;
    let mut strangers = strangers(&server).await;
    strangers.push(viewer(&server, "42", "78").await);
    let mut own = [
        viewer(&server, "42", "77").await,
        viewer(&server, "42", "77").await,
    ];
    let page = server.page("broadcaster", "42").await;
    send(&page, "whisper-U77", "psst", json!("secret")).await;
    for viewer in &mut own {
        let expected = told("whisper-U77", "psst", json!("secret"));
        assert_eq!(viewer.told().await, expected);
    }
    for stranger in &mut strangers {
        stranger.socket.heartbeat().await;
    }
}

#[tokio::test]
async fn a_whisper_to_a_shared_user_id_reaches_that_viewers_opaque_ids() {
    let server = Server::start().await;
    let mut shared = claims("viewer", "42");
    shared["user_id"] = json!("77");
    let mut sessions = Vec::new();
    // The platform gives a new opaque id to one who shares anew.
    for opaque in ["Ufirst", "Usecond"] {
        shared["opaque_user_id"] = json!(opaque);
        let jwt = sign(&shared, SECRET);
        sessions.push((
            opaque,
            Viewer::with(&server, Stage::Production, EXTENSION, &jwt).await,
        ));
    }
    shared["user_id"] = json!("78");
    shared["opaque_user_id"] = json!("Uthird");
    let jwt = sign(&shared, SECRET);
    let mut other = Viewer::with(&server, Stage::Production, EXTENSION, &jwt).await;
    let page = server.production_page("broadcaster", "42");
    send(&page, "whisper-77", "psst", json!(1)).await;
    for (opaque, session) in &mut sessions {
        let expected = told(&format!("whisper-{opaque}"), "psst", json!(1));
        assert_eq!(session.told().await, expected);
    }
    // Whom nobody has seen is reached by nobody.
    send(&page, "whisper-99", "psst", json!(2)).await;
    for (_, session) in &mut sessions {
        session.socket.heartbeat().await;
    }
    other.socket.heartbeat().await;
}

#[tokio::test]
async fn who_was_seen_by_a_rest_call_is_known_by_user_id_too() {
    let server = Server::start().await;
    let mut shared = claims("viewer", "42");
    shared["opaque_user_id"] = json!("Uopaque");
    // A session without the shared id, and a REST call with it.
    let mut viewer = Viewer::with(
        &server,
        Stage::Production,
        EXTENSION,
        &sign(&shared, SECRET),
    )
    .await;
    shared["user_id"] = json!("77");
    let page = server.signed(Stage::Production, &shared);
    page.get("/v1/e/user_info").await.ok();
    let broadcaster = server.production_page("broadcaster", "42");
    let backend = server.signed(Stage::Production, &claims("backend", "all"));
    crate::harness::eventually("the user is noted", || async {
        let ids = backend.get("/v1/e/user_ids").await.ok();
        ids["results"] == json!([{ "twitch_id": "77" }])
    })
    .await;
    send(&broadcaster, "whisper-77", "psst", json!(1)).await;
    let expected = told("whisper-Uopaque", "psst", json!(1));
    assert_eq!(viewer.told().await, expected);
}

#[tokio::test]
async fn what_goes_to_the_extension_reaches_all_channels_as_global() {
    let server = Server::start().await;
    let mut strangers = strangers(&server).await;
    let mut elsewhere = strangers.remove(0);
    let mut here = viewer(&server, "42", "77").await;
    let owner = server.page("broadcaster", OWNER).await;
    let admin = server.trusted("admin");
    let body = |n: u64| json!({ "target": "broadcast", "event": "e", "data": n });
    let calls = [
        (&owner, "/v1/e/extension_broadcast", body(1)),
        (&admin, "/v1/e/broadcast_extension", body(2)),
    ];
    for (page, path, body) in calls {
        page.post(path, &body).await.ok();
        for viewer in [&mut here, &mut elsewhere] {
            let expected = told("global", "e", body["data"].clone());
            assert_eq!(viewer.told().await, expected);
        }
    }
    let to_all = json!({ "target": "broadcast", "event": "e", "data": 3, "user_id": "all" });
    admin.post(PATH, &to_all).await.ok();
    assert_eq!(here.told().await, told("global", "e", json!(3)));
    assert_eq!(elsewhere.told().await, told("global", "e", json!(3)));
    // One viewer, wherever that viewer is.
    let whisper = json!({ "target": "whisper-U77", "event": "e", "data": 4 });
    admin.post("/v1/e/extension_broadcast", &whisper).await.ok();
    for viewer in [&mut here, &mut elsewhere] {
        assert_eq!(viewer.told().await, told("whisper-U77", "e", json!(4)));
    }
    for stranger in &mut strangers[1..] {
        stranger.socket.heartbeat().await;
    }
}

#[tokio::test]
async fn whisper_self_goes_to_the_caller_whatever_the_target_says() {
    let server = Server::start().await;
    let mut own = viewer(&server, "42", "77").await;
    let mut other = viewer(&server, "42", "78").await;
    let page = server.page("viewer", "42").await;
    for target in [json!("broadcast"), json!("whisper-U78"), json!(null)] {
        let body = json!({ "target": target, "event": "echo", "data": { "a": [] } });
        page.post("/v1/e/whisper_self", &body).await.ok();
        let expected = told("whisper-U77", "echo", json!({ "a": [] }));
        assert_eq!(own.told().await, expected);
    }
    other.socket.heartbeat().await;
}

#[tokio::test]
async fn pusher_broadcast_goes_out_scoped_once() {
    let server = Server::start().await;
    let mut viewer = viewer(&server, "42", "77").await;
    let page = server.page("broadcaster", "42").await;
    let body = |event: &str| json!({ "target": "broadcast", "event": event, "user_id": "42", "data": { "n": 1 } });
    let call = |event: String| {
        let page = page.clone();
        async move { page.post("/v1/e/pusher_broadcast", &body(&event)).await }
    };
    call(format!("sandbox:{EXTENSION}:new:song")).await.ok();
    let expected = told("broadcast", "new:song", json!({ "n": 1 }));
    assert_eq!(viewer.told().await, expected);
    for scope in [
        format!("production:{EXTENSION}:"),
        "sandbox:other:".to_owned(),
        format!("{EXTENSION}:"),
        String::new(),
    ] {
        let reason = format!("event must begin with the caller's own scope, sandbox:{EXTENSION}:");
        call(format!("{scope}e")).await.refused(400, &reason);
    }
    let empty = call(format!("sandbox:{EXTENSION}:")).await;
    empty.refused(400, "event must be a name without control characters");
    viewer.socket.heartbeat().await;
}

#[tokio::test]
async fn only_those_may_who_may() {
    let server = Server::start().await;
    let mut here = viewer(&server, "42", "77").await;
    let mut there = viewer(&server, "43", "77").await;
    let body = json!({ "target": "broadcast", "event": "e", "data": 1 });
    for role in ["viewer", "moderator"] {
        let page = server.page(role, "42").await;
        for path in [PATH, "/v1/e/pusher_broadcast"] {
            let refused = page.post(path, &body).await;
            refused.forbidden("requires role broadcaster");
        }
    }
    let owners = "requires role admin, or the extension's owner";
    let broadcaster = server.page("broadcaster", "42").await;
    for path in ["/v1/e/extension_broadcast", "/v1/e/broadcast_extension"] {
        broadcaster.post(path, &body).await.forbidden(owners);
    }
    let mut to_other = body.clone();
    to_other["user_id"] = json!("43");
    for path in [PATH, "/v1/e/pusher_broadcast", "/v1/e/whisper_self"] {
        let refused = broadcaster.post(path, &to_other).await;
        refused.forbidden("wrong channel");
    }
    to_other["user_id"] = json!("all");
    broadcaster.post(PATH, &to_other).await.forbidden(owners);
    let nobody = server.sandbox().post(PATH, &body).await;
    nobody.refused(401, "Authorization header is missing or malformed");
    // A trusted role names the channel, in the body or in the query.
    let backend = server.trusted("backend");
    let unnamed = backend.post(PATH, &body).await;
    unnamed.refused(400, "channel_id is required");
    to_other["user_id"] = json!("43");
    backend.post(PATH, &to_other).await.ok();
    assert_eq!(there.told().await, told("broadcast", "e", json!(1)));
    let path = format!("{PATH}?channel_id=42");
    backend.post(&path, &body).await.ok();
    assert_eq!(here.told().await, told("broadcast", "e", json!(1)));
    there.socket.heartbeat().await;
}

#[tokio::test]
async fn bodies_come_by_get_and_encoded_twice_and_without_data() {
    let server = Server::start().await;
    let mut viewer = viewer(&server, "42", "77").await;
    let page = server.page("broadcaster", "42").await;
    let body = json!({ "target": "broadcast", "event": "e", "data": 1 }).to_string();
    page.send(Method::GET, PATH, body.clone()).await.ok();
    assert_eq!(viewer.told().await, told("broadcast", "e", json!(1)));
    let twice = Value::String(body).to_string();
    page.send(Method::POST, PATH, twice).await.ok();
    assert_eq!(viewer.told().await, told("broadcast", "e", json!(1)));
    // The library leaves data out where a page sends none.
    let bare = json!({ "target": "broadcast", "event": "ping" });
    page.post(PATH, &bare).await.ok();
    assert_eq!(viewer.told().await, told("broadcast", "ping", json!(null)));
    // Of duplicate keys the last wins; numbers and texts stay as they are written.
    let text = r#"{"target":"x","target":"broadcast","event":"e","data": { "n": 1.0, "big": 12345678901234567890123, "t": " \u00e4 " } }"#;
    page.send(Method::POST, PATH, text).await.ok();
    let frame = viewer.socket.frame().await;
    let message = frame["message"].as_str().unwrap();
    let data = r#"{"n":1.0,"big":12345678901234567890123,"t":" \u00e4 "}"#;
    let expected = format!(r#"{{"data":{data},"event":"sandbox:{EXTENSION}:e"}}"#);
    assert_eq!(message, expected);
}

#[tokio::test]
async fn what_is_wrong_is_named_and_nothing_is_sent() {
    let server = Server::start().await;
    let mut viewer = viewer(&server, "42", "77").await;
    let page = server.page("broadcaster", "42").await;
    let long = format!("whisper-{}", "7".repeat(97));
    let deep = format!("{}{}", "[".repeat(65), "]".repeat(65));
    let target = "target must be broadcast or whisper-<id>";
    let event = "event must be a name without control characters";
    for (body, reason) in [
        (json!({ "event": "e", "data": 1 }).to_string(), target),
        (
            json!({ "target": "whisper-", "event": "e" }).to_string(),
            target,
        ),
        (
            json!({ "target": "global", "event": "e" }).to_string(),
            target,
        ),
        (
            json!({ "target": long, "event": "e" }).to_string(),
            "target must be at most 96 bytes without control characters",
        ),
        (
            json!({ "target": 1, "event": "e" }).to_string(),
            "target must be a string",
        ),
        (json!({ "target": "broadcast" }).to_string(), event),
        (
            json!({ "target": "broadcast", "event": "a\nb" }).to_string(),
            event,
        ),
        (
            format!(r#"{{"target":"broadcast","event":"e","data":{deep}}}"#),
            "data is refused: JSON is nested deeper than 64 levels",
        ),
        ("[]".to_owned(), "body must be a JSON object"),
        ("{".to_owned(), "body must be JSON"),
    ] {
        let answer = page.send(Method::POST, PATH, body.clone()).await;
        assert_eq!(answer.status, 400, "{body}");
        answer.refused(400, reason);
    }
    let fits = format!(
        r#"{{"target":"broadcast","event":"e","data":{}}}"#,
        &deep[1..deep.len() - 1]
    );
    page.send(Method::POST, PATH, fits).await.ok();
    assert_eq!(viewer.told().await.event, "e");
    viewer.socket.heartbeat().await;
}

#[tokio::test]
async fn events_of_one_sender_keep_their_order_also_between_whispers() {
    let server = Server::start().await;
    let mut viewer = viewer(&server, "42", "77").await;
    let page = server.page("broadcaster", "42").await;
    for n in 0..150 {
        // By user id too: that asks the store.
        let target = ["broadcast", "whisper-U77", "whisper-77"][n % 3];
        send(&page, target, "n", json!(n)).await;
        if n % 50 == 49 {
            server.advance_ms(1_000);
        }
    }
    for n in 0..150 {
        assert_eq!(viewer.told().await.data, json!(n));
    }
}

#[tokio::test]
async fn a_whisper_to_a_user_id_is_refused_while_the_store_is_down_and_broadcasts_go_on() {
    let server = Server::start().await;
    let mut viewer = viewer(&server, "42", "77").await;
    let page = server.page("broadcaster", "42").await;
    server.store.set_down(true);
    let body = json!({ "target": "whisper-77", "event": "e", "data": 1 });
    assert_eq!(page.post(PATH, &body).await.status, 500);
    send(&page, "broadcast", "e", json!(2)).await;
    assert_eq!(viewer.told().await, told("broadcast", "e", json!(2)));
}
