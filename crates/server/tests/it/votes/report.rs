//! What a vote answers and counts.

use crowdlink_protocol::Stage;
use http::Method;
use serde_json::json;

use super::{counted, report, server, shy, token, viewer, vote, vote_path};

fn zeros(count: usize) -> String {
    vec!["0"; count].join(",")
}

#[tokio::test]
async fn the_report_of_a_poll_that_does_not_exist_is_zeros() {
    let server = server().await;
    let stats = format!(
        r#""count":0,"sum":0,"mean":0.0,"stddev":0.0,"specific":[{}]"#,
        zeros(64)
    );
    let expected = format!(r#"{{{stats},"decay":{{}},"stats":{{{stats}}}}}"#);
    let read = viewer(&server, "1").get(&vote_path("nothing")).await;
    assert_eq!(read.status, 200);
    assert_eq!(String::from_utf8_lossy(&read.body), expected);
    assert_eq!(read.header("content-type"), Some("application/json"));
}

#[tokio::test]
async fn the_report_stands_as_clients_know_it_to_the_byte() {
    let server = server().await;
    for (user, value) in [("1", 3), ("2", 3), ("3", 63), ("4", 64), ("5", -1_000)] {
        vote(&viewer(&server, user), "p", value).await.ok();
    }
    let answer = vote(&viewer(&server, "6"), "p", 1_000).await;
    assert_eq!(answer.status, 200);
    // 3, 3, 63, 64, -1000, 1000.
    let stats = format!(
        r#""count":6,"sum":133,"mean":22.166666666666668,"stddev":633.266900024521,"specific":[0,0,0,2,{},1]"#,
        zeros(59)
    );
    let with = format!(r#"{{{stats},"decay":{{}},"vote":1000,"stats":{{{stats}}}}}"#);
    assert_eq!(String::from_utf8_lossy(&answer.body), with);
    let read = viewer(&server, "6").get(&vote_path("p")).await;
    assert_eq!(String::from_utf8_lossy(&read.body), with);
    let without = format!(r#"{{{stats},"decay":{{}},"stats":{{{stats}}}}}"#);
    let read = viewer(&server, "7").get(&vote_path("p")).await;
    assert_eq!(String::from_utf8_lossy(&read.body), without);
    let head = viewer(&server, "7")
        .send(Method::HEAD, &vote_path("p"), "")
        .await;
    assert_eq!((head.status.as_u16(), head.body.len()), (200, 0));
}

#[tokio::test]
async fn values_from_minus_1000_to_1000_count_and_none_beyond() {
    let server = server().await;
    let page = viewer(&server, "1");
    for value in [-1_000, 1_000, -1, 0, 63, 64] {
        let told = vote(&page, "p", value).await.ok();
        assert_eq!(
            (&told["vote"], &told["sum"]),
            (&json!(value), &json!(value))
        );
        assert_eq!(told["mean"].as_f64(), told["sum"].as_f64());
        let counters = counted(&told).2;
        let expected = usize::try_from(value).ok().filter(|value| *value < 64);
        let expected: Vec<_> = expected.map(|value| (value, 1)).into_iter().collect();
        assert_eq!(counters, expected, "{value}");
    }
    let before = report(&page, "p").await;
    for value in [
        json!(-1_001),
        json!(1_001),
        json!(i64::MIN),
        json!(u64::MAX),
        json!(1e300),
        json!(-1e300),
    ] {
        let refused = page.post(&vote_path("p"), &json!({ "value": value })).await;
        refused.refused(400, "Value out of bounds");
    }
    for value in [json!(1.5), json!("1"), json!([1]), json!(true), json!({})] {
        let refused = page.post(&vote_path("p"), &json!({ "value": value })).await;
        refused.refused(400, "value must be a whole number");
    }
    for body in [json!({}), json!({ "value": null })] {
        let refused = page.post(&vote_path("p"), &body).await;
        refused.refused(400, "value is required");
    }
    let refused = page.post(&vote_path("p"), &json!([3])).await;
    refused.refused(400, "body must be a JSON object");
    assert_eq!(report(&page, "p").await, before);
    let untouched = vote(&page, "new", 1_001).await;
    untouched.refused(400, "Value out of bounds");
    let nothing = page.get("/v1/e/vote_config?id=new").await;
    nothing.refused(404, "There is no such poll");
}

#[tokio::test]
async fn one_call_gives_1_to_30_votes() {
    let server = server().await;
    let page = super::broadcaster(&server);
    let many = json!({ "totalVotesPerUser": 1_024, "votesPerOption": 1_024 });
    super::configure(&page, "p", many).await.ok();
    let times = async |count| {
        let body = json!({ "value": 2, "count": count });
        page.post(&vote_path("p"), &body).await
    };
    for (count, all) in [(json!(1), 1), (json!(30), 31), (json!(null), 32)] {
        assert_eq!(times(count).await.ok()["count"], all);
    }
    for count in [json!(0), json!(31), json!(-1), json!(65_537), json!(1e300)] {
        let refused = times(count).await;
        refused.refused(400, "count must be a number from 1 to 30");
    }
    for count in [json!(1.5), json!("2"), json!([])] {
        let refused = times(count).await;
        refused.refused(400, "count must be a whole number");
    }
    assert_eq!(counted(&report(&page, "p").await), (32, 64, vec![(2, 32)]));
}

#[tokio::test]
async fn a_later_vote_replaces_the_earlier_one_of_the_same_voter() {
    let server = server().await;
    vote(&viewer(&server, "1"), "p", 5).await.ok();
    vote(&viewer(&server, "2"), "p", 5).await.ok();
    let told = vote(&viewer(&server, "1"), "p", 7).await.ok();
    assert_eq!(counted(&told), (2, 12, vec![(5, 1), (7, 1)]));
    let again = vote(&viewer(&server, "1"), "p", 7).await.ok();
    assert_eq!(again, told, "the same vote once more changes nothing");
}

#[tokio::test]
async fn one_user_is_one_voter_whatever_the_token() {
    let server = server().await;
    vote(&super::page(&server, "moderator", "9"), "p", 1)
        .await
        .ok();
    vote(&super::page(&server, "broadcaster", "9"), "p", 2)
        .await
        .ok();
    let told = vote(&viewer(&server, "9"), "p", 3).await.ok();
    assert_eq!(counted(&told), (1, 3, vec![(3, 1)]));
    // Who does not share their identity is somebody else, once.
    vote(&shy(&server, "A9"), "p", 4).await.ok();
    let told = vote(&shy(&server, "A9"), "p", 5).await.ok();
    assert_eq!(counted(&told), (2, 8, vec![(3, 1), (5, 1)]));
}

#[tokio::test]
async fn who_is_nobody_reads_and_does_not_vote() {
    let server = server().await;
    vote(&viewer(&server, "1"), "p", 1).await.ok();
    let mut claims = token("backend", "42");
    claims.as_object_mut().unwrap().remove("opaque_user_id");
    let nobody = server.signed(Stage::Sandbox, &claims);
    let told = report(&nobody, "p").await;
    assert_eq!((counted(&told).0, told.get("vote")), (1, None));
    let refused = vote(&nobody, "p", 2).await;
    refused.refused(400, "user_id is required in the token");
    assert_eq!(report(&nobody, "p").await, told);
}

#[tokio::test]
async fn one_vote_has_no_deviation_and_two_have_one() {
    let server = server().await;
    let told = vote(&viewer(&server, "1"), "p", 10).await.ok();
    assert_eq!(
        (&told["mean"], &told["stddev"]),
        (&json!(10.0), &json!(0.0))
    );
    let told = vote(&viewer(&server, "2"), "p", 14).await.ok();
    let expected = 8_f64.sqrt();
    assert_eq!(
        (&told["mean"], &told["stddev"]),
        (&json!(12.0), &json!(expected))
    );
    assert_eq!(told["stats"]["stddev"], json!(expected));
}

#[tokio::test]
async fn a_body_that_was_encoded_twice_counts() {
    let server = server().await;
    let body = json!(r#"{"value":4}"#);
    let told = viewer(&server, "1").post(&vote_path("p"), &body).await.ok();
    assert_eq!(told["vote"], 4);
}
