//! `kill -9` while votes come in (DESIGN 2): what was acknowledged counts, exactly once. A vote
//! without an answer may count or not, never twice.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use crowdlink_core::{Random, SeededRandom};
use http::Request;
use http_body_util::Full;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::mpsc::{self, UnboundedSender};
use tokio::task::JoinSet;

use super::{counted, vote_path};
use crate::harness::Http;
use crate::kill::Program;
use crate::kill_storm::ask;

const ROUNDS: usize = 20;
/// As many as there are counters: each counts one voter.
const VOTERS: usize = 64;
const CLIENT_ID: &str = "voted";
/// Acknowledgements after which a server is killed.
const ACKNOWLEDGED: std::ops::Range<u64> = 40..400;
/// How long a round may take.
const PATIENCE: Duration = Duration::from_mins(1);
const FAST: [&str; 4] = [
    "--rates-rest-requests-per-s-max=100000",
    "--rates-rest-requests-burst-max=100000",
    "--rates-votes-per-s-max=100000",
    "--rates-votes-burst-max=100000",
];
/// A poll on which everybody has one vote and changes it all the time.
const ONE: &str = "one";
/// A poll on which everybody's votes add up.
const MANY: &str = "many";

/// A voter, and what the server acknowledged of their votes.
#[derive(Debug)]
struct Voter {
    index: usize,
    token: String,
    number: usize,
    /// Their vote on [`ONE`].
    one: Option<i64>,
    /// How many votes they have on [`MANY`], each for the value of their own.
    many: i64,
    /// The vote that was under way when the server died.
    unknown: Option<(&'static str, i64)>,
}

impl Voter {
    fn next(&mut self) -> (&'static str, i64) {
        self.number += 1;
        if self.number.is_multiple_of(2) {
            (MANY, i64::try_from(self.index).unwrap())
        } else {
            let value = (self.number * 7 + self.index) % 64;
            (ONE, i64::try_from(value).unwrap())
        }
    }

    /// Votes until the server is gone.
    async fn storm(mut self, server: SocketAddr, acknowledged: UnboundedSender<()>) -> Self {
        let stream = TcpStream::connect(server).await.unwrap();
        let (mut line, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        loop {
            let (poll, value) = self.next();
            let request = Request::post(vote_path(poll))
                .header("host", "test")
                .header("authorization", format!("{CLIENT_ID} {}", self.token))
                .body(Full::<Bytes>::from(json!({ "value": value }).to_string()))
                .unwrap();
            let Some((status, answer)) = ask(&mut line, request).await else {
                self.unknown = Some((poll, value));
                return self;
            };
            assert_eq!(status, 200, "voter {}: {answer:?}", self.index);
            let told: Value = serde_json::from_slice(&answer).unwrap();
            assert_eq!(told["vote"], value);
            if poll == ONE {
                self.one = Some(value);
            } else {
                self.many += 1;
            }
            // Nobody counts any more once the server was killed.
            let _ = acknowledged.send(());
        }
    }

    /// Compares what this voter knows with what is there, and learns what became of the vote that
    /// was under way.
    async fn check(&mut self, server: SocketAddr, many: i64) {
        let http = Http::new(server).with(CLIENT_ID, &self.token);
        let there = http.get(&vote_path(ONE)).await.ok()["vote"].as_i64();
        let (poll, value) = self.unknown.take().unzip();
        let index = self.index;
        assert!(
            there == self.one || (poll == Some(ONE) && there == value),
            "{index} voted for {there:?}, acknowledged was {:?}",
            self.one
        );
        let once_more = i64::from(poll == Some(MANY));
        assert!(
            (self.many..=self.many + once_more).contains(&many),
            "{many} votes of {index}, acknowledged were {}",
            self.many
        );
        (self.one, self.many) = (there, many);
    }
}

async fn token(server: SocketAddr, user: &str, role: &str) -> String {
    let body = json!({ "app_id": CLIENT_ID, "channel_id": "42", "user_id": user, "role": role });
    let answer = Http::new(server).post("/v1/e/authtoken", &body).await.ok();
    answer["token"].as_str().unwrap().to_owned()
}

/// All vote until the server is killed, after that many acknowledgements.
async fn storm(program: Program, voters: Vec<Voter>, kill_after: u64) -> Vec<Voter> {
    let (acknowledged, mut counted) = mpsc::unbounded_channel();
    let mut storming = JoinSet::new();
    for voter in voters {
        storming.spawn(voter.storm(program.rest, acknowledged.clone()));
    }
    drop(acknowledged);
    for _ in 0..kill_after {
        counted.recv().await.expect("a voter failed");
    }
    program.kill_9();
    storming.join_all().await
}

/// The counters of both polls are those of the voters, and nothing else is counted.
async fn check(server: SocketAddr, page: &str, voters: &mut [Voter]) {
    let page = Http::new(server).with(CLIENT_ID, page);
    let many = page.get(&vote_path(MANY)).await.ok();
    let mut ones = vec![0; 64];
    for voter in voters.iter_mut() {
        let votes = many["specific"][voter.index].as_i64().unwrap();
        voter.check(server, votes).await;
        if let Some(one) = voter.one {
            ones[usize::try_from(one).unwrap()] += 1;
        }
    }
    let told = page.get(&vote_path(ONE)).await.ok();
    assert_eq!(told["specific"], json!(ones));
    for told in [told, many] {
        let (count, sum, counters) = counted(&told);
        let values = counters
            .iter()
            .map(|(value, votes)| (i64::try_from(*value).unwrap(), votes));
        assert_eq!(count, counters.iter().map(|(_, votes)| votes).sum::<i64>());
        assert_eq!(sum, values.map(|(value, votes)| value * votes).sum::<i64>());
    }
    let logs = token(server, "server", "admin").await;
    let logs = Http::new(server).with(CLIENT_ID, &logs);
    let rows = logs.get(&format!("/v1/e/vote_logs?id={ONE}")).await.ok();
    let voted = voters.iter().filter(|voter| voter.one.is_some()).count();
    assert_eq!(rows["result"].as_array().unwrap().len(), voted);
}

#[tokio::test]
async fn votes_that_were_acknowledged_survive_kill_9_and_none_counts_twice() {
    let folder = tempfile::tempdir().unwrap();
    let random = SeededRandom::from_seed(36);
    let mut program = Program::start_with(folder.path(), &FAST);
    let page = token(program.rest, "42", "broadcaster").await;
    let limits = json!({ "totalVotesPerUser": 1_024, "votesPerOption": 1_024 });
    let body = json!({ "id": MANY, "config": limits });
    let http = Http::new(program.rest).with(CLIENT_ID, &page);
    http.post("/v1/e/vote_config", &body).await.ok();
    let mut voters = Vec::new();
    for index in 0..VOTERS {
        let token = token(program.rest, &format!("user-{index}"), "viewer").await;
        let (number, one, many, unknown) = (index, None, 0, None);
        voters.push(Voter {
            index,
            token,
            number,
            one,
            many,
            unknown,
        });
    }
    let mut cut_short = 0;
    for _ in 0..ROUNDS {
        let mut seed = [0; 8];
        random.fill(&mut seed);
        let span = ACKNOWLEDGED.end - ACKNOWLEDGED.start;
        let kill_after = ACKNOWLEDGED.start + u64::from_le_bytes(seed) % span;
        let stormed = storm(program, voters, kill_after);
        voters = tokio::time::timeout(PATIENCE, stormed).await.unwrap();
        voters.sort_by_key(|voter| voter.index);
        cut_short += voters
            .iter()
            .filter(|voter| voter.unknown.is_some())
            .count();
        program = Program::start_with(folder.path(), &FAST);
        check(program.rest, &page, &mut voters).await;
    }
    assert_eq!(cut_short, ROUNDS * VOTERS, "everybody voted to the end");
}
