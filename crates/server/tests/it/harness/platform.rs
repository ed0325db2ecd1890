//! A stand-in for the platform's PubSub: it wants what the platform wants, and fails when told to.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crowdlink_server::settings::{ConnectionUrl, Settings};
use crowdlink_store::{Clock, ManualClock};
use http::{HeaderMap, Method, StatusCode, Uri};
use jsonwebtoken::{Algorithm, DecodingKey};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::{EXTENSION, OWNER, SECRET, payload};

/// What the platform allows for a client id and broadcaster.
const PER_MINUTE: usize = 100;
const MESSAGE_BYTES_MAX: usize = 5_120;

/// How the next request is treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Answered so, and not taken.
    Status(u16),
    /// Never answered, and not taken.
    Silence,
    /// Never answered, and taken all the same.
    TakenInSilence,
}

/// A message that was taken.
#[derive(Clone, Debug, PartialEq)]
pub struct Taken {
    pub target: String,
    pub channel: Option<String>,
    pub message: String,
}

#[derive(Default)]
struct Seen {
    address: Option<SocketAddr>,
    secrets: Vec<String>,
    trouble: VecDeque<Trouble>,
    always: Option<Trouble>,
    taken: Vec<Taken>,
    /// When requests came (monotonic ms), by channel.
    times: HashMap<Option<String>, VecDeque<u64>>,
    /// Rules that were broken.
    broken: Vec<String>,
    answered: HashMap<u16, usize>,
    silent: usize,
}

/// The stand-in.
#[derive(Clone)]
pub struct Platform {
    seen: Arc<Mutex<Seen>>,
    clock: Arc<Mutex<Option<Arc<ManualClock>>>>,
}

impl Platform {
    /// It listens, and knows the test extension's secret.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let platform = Self {
            seen: Arc::default(),
            clock: Arc::default(),
        };
        platform.seen.lock().address = Some(listener.local_addr().unwrap());
        platform.know(&[SECRET]);
        let router = Router::new().fallback(answer).with_state(platform.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        platform
    }

    /// Settings that send through it.
    pub fn settings(&self, settings: &mut Settings) {
        let address = self.seen.lock().address.unwrap();
        settings.twitch.pubsub = true;
        settings.twitch.url = ConnectionUrl::parse(&format!("http://{address}/")).unwrap();
        settings.rates.rest_requests_burst_max = 10_000;
    }

    /// Its time from now on.
    pub fn follow(&self, clock: &Arc<ManualClock>) {
        *self.clock.lock() = Some(Arc::clone(clock));
    }

    /// The secrets it takes from now on.
    pub fn know(&self, secrets: &[&str]) {
        self.seen.lock().secrets = secrets.iter().map(|&s| s.to_owned()).collect();
    }

    /// What befalls the next requests, one each.
    pub fn trouble(&self, trouble: impl IntoIterator<Item = Trouble>) {
        self.seen.lock().trouble.extend(trouble);
    }

    /// What befalls all requests from now on.
    pub fn always(&self, trouble: Option<Trouble>) {
        self.seen.lock().always = trouble;
    }

    /// Whether all trouble that was announced has happened.
    pub fn is_calm(&self) -> bool {
        self.seen.lock().trouble.is_empty()
    }

    /// What it took, in order.
    pub fn taken(&self) -> Vec<Taken> {
        self.seen.lock().taken.clone()
    }

    /// The texts of a channel, in order.
    pub fn messages(&self, channel: &str) -> Vec<String> {
        let taken = self.taken().into_iter();
        taken
            .filter(|taken| taken.channel.as_deref() == Some(channel))
            .map(|taken| taken.message)
            .collect()
    }

    /// The `data` of a channel's events of a name, in order.
    pub fn data(&self, channel: &str, name: &str) -> Vec<Value> {
        let scoped = format!("production:{EXTENSION}:{name}");
        let events = self.messages(channel).into_iter();
        let events = events.map(|text| serde_json::from_str::<Value>(&text).unwrap());
        events
            .filter(|event| event["event"] == scoped)
            .map(|event| event["data"].clone())
            .collect()
    }

    /// How many requests were answered with a status.
    pub fn answered(&self, status: u16) -> usize {
        self.seen.lock().answered.get(&status).copied().unwrap_or(0)
    }

    /// How many requests were never answered.
    pub fn silent(&self) -> usize {
        self.seen.lock().silent
    }

    /// Every rule was kept.
    pub fn assert_content(&self) {
        assert_eq!(self.seen.lock().broken, [""; 0]);
    }

    fn now(&self) -> (u64, i64) {
        let clock = self.clock.lock();
        let clock = clock.as_ref().unwrap();
        (clock.monotonic_ms(), clock.now_ms())
    }

    /// How many more it takes now: no more than the limit in any 60 s.
    fn left(&self, seen: &mut Seen, channel: Option<&str>) -> usize {
        let (now_ms, _) = self.now();
        let times = seen.times.entry(channel.map(str::to_owned)).or_default();
        while times.front().is_some_and(|at_ms| now_ms >= at_ms + 60_000) {
            times.pop_front();
        }
        times.push_back(now_ms);
        PER_MINUTE.saturating_sub(times.len())
    }

    fn judge(
        &self,
        seen: &mut Seen,
        headers: &HeaderMap,
        body: &[u8],
    ) -> (u16, usize, Option<Taken>) {
        let body: Value = serde_json::from_slice(body).unwrap();
        let taken = Taken {
            target: body["target"][0].as_str().unwrap().to_owned(),
            channel: body["broadcaster_id"].as_str().map(str::to_owned),
            message: body["message"].as_str().unwrap().to_owned(),
        };
        let is_global = taken.channel.is_none();
        let mut expected = json!({
            "target": [taken.target], "is_global_broadcast": is_global, "message": taken.message,
        });
        if let Some(channel) = &taken.channel {
            expected["broadcaster_id"] = json!(channel);
        }
        if body != expected || is_global != (taken.target == "global") {
            seen.broken.push(format!("body {body}"));
        }
        if taken.message.len() > MESSAGE_BYTES_MAX {
            seen.broken.push(format!("{} bytes", taken.message.len()));
            return (413, 0, None);
        }
        let left = self.left(seen, taken.channel.as_deref());
        let count = seen.times[&taken.channel].len();
        if count > PER_MINUTE {
            seen.broken.push(format!("{count} messages in a minute"));
            return (429, 0, None);
        }
        let jwt = headers["authorization"].to_str().unwrap();
        let jwt = jwt.strip_prefix("Bearer ").unwrap();
        if !seen.secrets.iter().any(|secret| signed_with(jwt, secret)) {
            return (401, left, None);
        }
        let (_, now_ms) = self.now();
        let mut claims = payload(jwt);
        let exp = claims["exp"].take().as_i64().unwrap();
        let channel = taken.channel.as_deref().unwrap_or("all");
        let expected = json!({
            "exp": null, "user_id": OWNER, "role": "external", "channel_id": channel,
            "pubsub_perms": { "send": [taken.target] },
        });
        let is_timely = (now_ms..now_ms + 3_600_000).contains(&(exp * 1_000));
        if claims != expected || !is_timely || headers["client-id"] != EXTENSION {
            seen.broken.push(format!("claims {claims}, exp {exp}"));
        }
        (204, left, Some(taken))
    }
}

fn signed_with(jwt: &str, secret: &str) -> bool {
    let (message, signature) = jwt.rsplit_once('.').unwrap();
    let key = DecodingKey::from_secret(&STANDARD.decode(secret).unwrap());
    jsonwebtoken::crypto::verify(signature, message.as_bytes(), &key, Algorithm::HS256).unwrap()
}

async fn answer(
    State(platform): State<Platform>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, HeaderMap) {
    let (status, left) = {
        let mut seen = platform.seen.lock();
        let seen = &mut *seen;
        if (method, uri.path()) != (Method::POST, "/helix/extensions/pubsub") {
            seen.broken.push(format!("path {uri}"));
        }
        let (status, left, taken) = platform.judge(seen, &headers, &body);
        let trouble = seen.trouble.pop_front().or(seen.always);
        match trouble {
            Some(Trouble::Status(status)) => (Some(status), left),
            Some(Trouble::Silence) => (None, left),
            Some(Trouble::TakenInSilence) => {
                seen.taken.extend(taken);
                (None, left)
            }
            None => {
                seen.taken.extend(taken);
                (Some(status), left)
            }
        }
    };
    let Some(status) = status else {
        platform.seen.lock().silent += 1;
        return std::future::pending().await;
    };
    *platform.seen.lock().answered.entry(status).or_default() += 1;
    let reset_s = platform.now().1 / 1_000 + 2;
    let mut headers = HeaderMap::new();
    headers.insert("ratelimit-limit", PER_MINUTE.into());
    headers.insert("ratelimit-remaining", left.into());
    headers.insert("ratelimit-reset", reset_s.into());
    (StatusCode::from_u16(status).unwrap(), headers)
}
