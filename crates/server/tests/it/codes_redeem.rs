//! Many who redeem at once (`spec 3.8`): each code goes to one user, in order, once.

use std::collections::BTreeSet;

use crowdlink_core::{Error, codes, tokens};
use crowdlink_protocol::Stage;
use crowdlink_store::Faults;
use futures::future::join_all;
use http::Method;
use serde_json::{Value, json};

use crate::codes::{mark, put};
use crate::harness::{EXTENSION, Server, core_beside, user_token};

const REDEEM: &str = "/v1/e/codes/redeem";

fn code(n: usize) -> String {
    format!("code-{n:05}")
}

/// A server with so many codes of prize 0, and so many users marked for one each.
async fn server_with(codes: usize, users: usize, limit: u32) -> Server {
    let server = Server::start().await;
    let admin = server.trusted("admin");
    // Of two uploads, with a row that is not full between them.
    let (first, second) = (0..codes / 3, codes / 3..codes);
    for part in [first, second] {
        let codes: Vec<String> = part.map(code).collect();
        put(&admin, &json!({ "codes": [codes], "names": ["n"] }))
            .await
            .ok();
    }
    let users: Vec<String> = (0..users).map(|n| n.to_string()).collect();
    let users: Vec<&str> = users.iter().map(String::as_str).collect();
    mark(&admin, 0, limit, &users).await;
    server
}

async fn redeem(server: &Server, user: usize) -> (u16, Value) {
    let page = server.user("viewer", "42", &user.to_string());
    let answer = page.send(Method::POST, REDEEM, r#"{"all_prizes":0}"#).await;
    (answer.status.as_u16(), answer.json())
}

async fn redeemed(server: &Server, user: usize) -> Vec<String> {
    let page = server.user("viewer", "42", &user.to_string());
    let read = page.get("/v1/e/codes/redeemed").await.ok();
    serde_json::from_value(read["redeemed"][0].clone()).unwrap()
}

#[tokio::test]
async fn a_thousand_at_once_get_the_first_thousand_codes_one_each() {
    let server = server_with(1_200, 1_000, 1).await;
    let commits = server.store.commits();
    let answers = join_all((0..1_000).map(|user| redeem(&server, user))).await;
    let mut codes = BTreeSet::new();
    for (status, body) in answers {
        assert_eq!(status, 200, "{body}");
        assert_eq!(body["all_prizes"], json!([body["code"]]));
        codes.insert(body["code"].as_str().unwrap().to_owned());
    }
    assert_eq!(codes, (0..1_000).map(code).collect());
    let commits = server.store.commits() - commits;
    assert!(commits <= 250, "{commits} commits");
    let removed = server.trusted("admin").delete("/v1/e/codes").await.ok();
    assert_eq!(removed, json!({ "distributed": [1_000] }));
}

#[tokio::test]
async fn more_than_there_are_codes_get_all_of_them_and_the_rest_a_refusal() {
    let server = server_with(90, 150, 1).await;
    let answers = join_all((0..150).map(|user| redeem(&server, user))).await;
    let mut codes = BTreeSet::new();
    let mut refused = 0;
    for (status, body) in answers {
        if status == 200 {
            codes.insert(body["code"].as_str().unwrap().to_owned());
        } else {
            assert_eq!((status, &body["reason"]), (409, &json!("no codes left")));
            refused += 1;
        }
    }
    assert_eq!((codes, refused), ((0..90).map(code).collect(), 60));
}

#[tokio::test]
async fn one_user_on_two_nodes_gets_no_more_than_its_limit() {
    let server = server_with(100, 2, 7).await;
    let other = core_beside(&server).await;
    server.store.set_faults(Faults {
        delay_per_mille: 1_000,
        yields_max: 20,
        ..Faults::default()
    });
    let here = join_all((0..40).map(|n| redeem(&server, n % 2)));
    let there = join_all((0..40).map(|n| {
        let header = format!(
            "{EXTENSION} {}",
            user_token("viewer", "42", &(n % 2).to_string())
        );
        let core = &other;
        async move {
            let caller = tokens::authorize(core, Stage::Sandbox, Some(&header)).await;
            codes::redeem(core, &caller.unwrap(), 0).await
        }
    }));
    let (here, there) = tokio::join!(here, there);
    let mut codes = Vec::new();
    for (status, body) in here {
        match status {
            200 => codes.push(body["code"].as_str().unwrap().to_owned()),
            _ => assert_eq!((status, &body["reason"]), (403, &json!("not eligible"))),
        }
    }
    for answer in there {
        match answer {
            Ok(given) => codes.push(given.code),
            Err(error) => assert_eq!(error, Error::Refused(crowdlink_core::Refusal::NotEligible)),
        }
    }
    codes.sort();
    assert_eq!(codes, (0..14).map(code).collect::<Vec<_>>());
    assert_eq!(redeemed(&server, 0).await.len(), 7);
    assert_eq!(redeemed(&server, 1).await.len(), 7);
}

#[tokio::test]
async fn whatever_the_store_does_no_code_goes_to_two_and_none_acknowledged_is_lost() {
    const USERS: usize = 60;
    let server = server_with(2_000, USERS, 20).await;
    server.store.set_faults(Faults {
        refuse_per_mille: 100,
        unknown_per_mille: 150,
        delay_per_mille: 500,
        yields_max: 8,
    });
    let mut acknowledged = vec![Vec::new(); USERS];
    let mut failed = 0;
    for _ in 0..5 {
        let answers = join_all((0..USERS).map(|user| redeem(&server, user))).await;
        for (user, (status, body)) in answers.into_iter().enumerate() {
            match status {
                200 => acknowledged[user].push(body["code"].as_str().unwrap().to_owned()),
                500 => failed += 1,
                other => panic!("{other} {body}"),
            }
        }
    }
    assert!(failed > 10, "{failed}");
    server.store.set_faults(Faults::default());
    let mut all = BTreeSet::new();
    for (user, acknowledged) in acknowledged.iter().enumerate() {
        let held = redeemed(&server, user).await;
        assert!(acknowledged.iter().all(|code| held.contains(code)));
        for code in held {
            assert!(all.insert(code), "a code went to two");
        }
    }
    assert_eq!(all, (0..all.len()).map(code).collect(), "without a gap");
}

#[tokio::test]
async fn redeeming_and_uploading_at_once_do_not_hinder_each_other() {
    let server = server_with(300, 100, 1).await;
    server.store.set_faults(Faults {
        delay_per_mille: 1_000,
        yields_max: 10,
        ..Faults::default()
    });
    let admin = server.trusted("admin");
    let upload = async {
        for n in 0..5 {
            let body = json!({ "codes": [[format!("more-{n}")]], "names": ["n"] });
            put(&admin, &body).await.ok();
        }
    };
    let redeem = join_all((0..100).map(|user| redeem(&server, user)));
    let ((), answers) = tokio::join!(upload, redeem);
    let codes: BTreeSet<String> = answers
        .into_iter()
        .map(|(status, body)| {
            assert_eq!(status, 200, "{body}");
            body["code"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(codes, (0..100).map(code).collect());
}
