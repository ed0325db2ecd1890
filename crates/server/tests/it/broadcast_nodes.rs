//! What is broadcast on one node reaches the viewers of the others (DESIGN 3).

use std::sync::Arc;

use crowdlink_core::broadcast::{self, Outgoing, Target};
use crowdlink_core::{Caller, Core, CoreOptions, SeededRandom, World, tokens};
use crowdlink_protocol::{ClientId, Stage};
use serde_json::json;
use serde_json::value::RawValue;

use crate::harness::{EXTENSION, Server, Told, Viewer};

/// The domain of another node, on the server's store and bus.
async fn node_beside(server: &Server) -> Arc<Core> {
    let world = World {
        store: server.store.clone(),
        clock: server.clock.clone(),
        random: Arc::new(SeededRandom::from_seed(2)),
        bus: Arc::clone(&server.app.core.world().bus),
    };
    Core::open(world, CoreOptions::default()).await.unwrap()
}

async fn broadcaster(server: &Server, node: &Core) -> Arc<Caller> {
    let jwt = server.token("broadcaster", "42", "42").await;
    let extension = ClientId::new(EXTENSION).unwrap();
    tokens::authorize_jwt(node, Stage::Sandbox, &extension, &jwt)
        .await
        .unwrap()
}

#[tokio::test]
async fn viewers_of_one_node_hear_what_is_sent_on_another_in_its_order() {
    let server = Server::start().await;
    let mut viewer = Viewer::of(&server, Some("42")).await;
    let mut other = Viewer::of(&server, Some("43")).await;
    let node = node_beside(&server).await;
    let caller = broadcaster(&server, &node).await;
    // The user id is one that the other node alone has seen.
    let targets = ["broadcast", "whisper-77", "broadcast"];
    for (n, target) in targets.iter().enumerate() {
        let data = RawValue::from_string(n.to_string()).unwrap();
        let outgoing = Outgoing {
            event: "e",
            data: Some(&data),
        };
        let target = Target::parse(target).unwrap();
        broadcast::to_channel(&node, &caller, None, target, outgoing)
            .await
            .unwrap();
    }
    for (n, target) in ["broadcast", "whisper-U77", "broadcast"].iter().enumerate() {
        let expected = Told {
            target: (*target).to_owned(),
            event: "e".to_owned(),
            data: json!(n),
        };
        assert_eq!(viewer.told().await, expected);
    }
    other.socket.heartbeat().await;
}

#[tokio::test]
async fn of_the_opaque_ids_of_a_user_the_newest_eight_are_known() {
    let server = Server::start().await;
    let mut claims = crate::harness::claims("viewer", "42");
    claims["user_id"] = json!("77");
    let mut viewers = Vec::new();
    for n in 0..9 {
        claims["opaque_user_id"] = json!(format!("U-{n}"));
        let jwt = crate::harness::sign(&claims, crate::harness::SECRET);
        viewers.push(Viewer::with(&server, Stage::Production, EXTENSION, &jwt).await);
    }
    let page = server.production_page("broadcaster", "42");
    let body = json!({ "target": "whisper-77", "event": "e", "data": 1 });
    page.post("/v1/e/broadcast", &body).await.ok();
    for (n, viewer) in viewers.iter_mut().enumerate().skip(1) {
        assert_eq!(viewer.told().await.target, format!("whisper-U-{n}"));
    }
    viewers[0].socket.heartbeat().await;
}
