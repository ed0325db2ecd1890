//! Starts a real server on free ports and gives one client for each kind of caller.

mod arena;
mod audience;
mod documented;
mod frame_rules;
mod frame_schema;
mod game;
mod http;
mod jwt;
mod listener;
mod platform;
pub mod program;
mod pusher;
mod secure;
mod viewer;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crowdlink_core::registry::{self, AddExtension};
use crowdlink_core::{Bus, Core, CoreOptions, LocalBus, Secret, SeededRandom, World};
use crowdlink_protocol::{ClientId, Stage};
use crowdlink_server::app::{App, Foundation};
use crowdlink_server::listen::{EdgeName, bind_all};
use crowdlink_server::settings::{Address, Settings};
use crowdlink_server::shutdown::{Outcome, Shutdown};
use crowdlink_store::{ManualClock, MemoryStore, Store};
use tokio::task::JoinHandle;

pub use arena::{Arena, MATCH, overall};
pub use audience::Audience;
pub use documented::{DOCUMENT, check as check_documented};
pub use game::{Game, Incoming, refusal};
pub use http::{Answer, Http};
pub use jwt::{claims, payload, sign, sign_with_header};
pub use listener::Listener;
pub use platform::{Platform, Trouble};
pub use pusher::{PUSHER_PATH, Pusher, channel_name};
pub use secure::{Authority, Trust, Wire, dial, dial_narrow, secured};
pub use viewer::{Told, Viewer};

/// When tests begin (Unix ms): a whole second, for tokens count in those.
pub const START_MS: i64 = 1_700_000_000_000;
/// The extension that every test server knows.
pub const EXTENSION: &str = "test-extension";
/// Its owner.
pub const OWNER: &str = "900";
/// Its secret.
pub const SECRET: &str = "dGhlIHNlY3JldCBvZiB0aGUgdGVzdCBleHRlbnNpb24=";
/// How long a condition may take to come true.
const PATIENCE: Duration = Duration::from_secs(10);

/// What servers of a test may share.
struct Ground {
    clock: Arc<ManualClock>,
    store: Arc<MemoryStore>,
    bus: Arc<dyn Bus>,
    seed: u64,
}

/// A running server.
pub struct Server {
    pub app: Arc<App>,
    pub clock: Arc<ManualClock>,
    pub store: Arc<MemoryStore>,
    /// What clients trust, where this server speaks TLS.
    trust: Option<Trust>,
    addresses: Vec<(EdgeName, SocketAddr)>,
    running: JoinHandle<Outcome>,
}

impl Server {
    /// A server as `crowdlink serve` starts it, with [`EXTENSION`] registered.
    pub async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// The same, with other settings.
    pub async fn start_with(change: impl FnOnce(&mut Settings)) -> Self {
        Self::start_as(change, false, |store| store).await
    }

    /// The same, over a store of the test's own that stands before the one in memory.
    pub async fn start_over(
        change: impl FnOnce(&mut Settings),
        over: impl FnOnce(Arc<MemoryStore>) -> Arc<dyn Store>,
    ) -> Self {
        Self::start_as(change, false, over).await
    }

    /// The same with a certificate of an authority on all its listeners but ops; clients trust it.
    pub async fn start_secure(authority: &Authority, change: impl FnOnce(&mut Settings)) -> Self {
        let mut server = Self::start_with(|settings| {
            settings.tls.certificate = Some(authority.certificate());
            settings.tls.key = Some(authority.key());
            change(settings);
        })
        .await;
        server.trust = Some(authority.trust());
        server
    }

    /// The same as `crowdlink dev` starts it.
    pub async fn start_dev() -> Self {
        Self::start_as(|_| {}, true, |store| store).await
    }

    /// Another process on this one's store and clock, with a bus of its own: it hears nothing of
    /// what happens here.
    pub async fn start_beside(&self) -> Self {
        let ground = Ground {
            bus: Arc::new(LocalBus::new()),
            ..self.ground(2)
        };
        Self::start_on(|_| {}, false, ground, |store| store).await
    }

    /// Another node of this one's cluster: the same store, clock and bus.
    pub async fn start_node(&self, change: impl FnOnce(&mut Settings)) -> Self {
        Self::start_on(change, false, self.ground(2), |store| store).await
    }

    /// The same with a clock of its own, which is ahead. What the store lets expire goes by the
    /// first server's.
    pub async fn start_node_ahead(&self, ms: u64) -> Self {
        let ground = Ground {
            clock: ManualClock::new(self.clock_ms().saturating_add_unsigned(ms)),
            ..self.ground(2)
        };
        Self::start_on(|_| {}, false, ground, |store| store).await
    }

    /// The first server of a cluster, on a bus of its own.
    pub async fn start_on_bus(bus: Arc<dyn Bus>) -> Self {
        let clock = ManualClock::new(START_MS);
        let ground = Ground {
            store: MemoryStore::new(clock.clone()),
            clock,
            bus,
            seed: 1,
        };
        Self::start_first(|_| {}, false, ground, |store| store).await
    }

    /// Another node of this one's cluster, with an end of its own of the bus.
    pub async fn start_node_on(&self, bus: Arc<dyn Bus>) -> Self {
        let ground = Ground {
            bus,
            ..self.ground(2)
        };
        Self::start_on(|_| {}, false, ground, |store| store).await
    }

    fn ground(&self, seed: u64) -> Ground {
        Ground {
            clock: self.clock.clone(),
            store: self.store.clone(),
            bus: Arc::clone(&self.app.core.world().bus),
            seed,
        }
    }

    /// Ends at once, as if the process were killed.
    pub async fn kill(self) {
        self.running.abort();
        assert!(self.running.await.unwrap_err().is_cancelled());
    }

    async fn start_as(
        change: impl FnOnce(&mut Settings),
        auto_register: bool,
        over: impl FnOnce(Arc<MemoryStore>) -> Arc<dyn Store>,
    ) -> Self {
        let clock = ManualClock::new(START_MS);
        let store = MemoryStore::new(clock.clone());
        let ground = Ground {
            clock,
            store,
            bus: Arc::new(LocalBus::new()),
            seed: 1,
        };
        Self::start_first(change, auto_register, ground, over).await
    }

    async fn start_first(
        change: impl FnOnce(&mut Settings),
        auto_register: bool,
        ground: Ground,
        over: impl FnOnce(Arc<MemoryStore>) -> Arc<dyn Store>,
    ) -> Self {
        let server = Self::start_on(change, auto_register, ground, over).await;
        server.register(EXTENSION, OWNER, &[SECRET]).await;
        server
    }

    async fn start_on(
        change: impl FnOnce(&mut Settings),
        auto_register: bool,
        ground: Ground,
        over: impl FnOnce(Arc<MemoryStore>) -> Arc<dyn Store>,
    ) -> Self {
        let Ground {
            clock,
            store,
            bus,
            seed,
        } = ground;
        let mut settings = Settings::default();
        let free = Address::At(SocketAddr::from(([127, 0, 0, 1], 0)));
        let listen = &mut settings.listen;
        listen.sandbox_rest = free;
        listen.sandbox_gamelink = free;
        listen.production_rest = free;
        listen.production_gamelink = free;
        listen.ops = free;
        change(&mut settings);
        let bound = bind_all(&settings.listen, Vec::new()).unwrap();
        let addresses = bound
            .iter()
            .map(|b| (b.name, b.listener.local_addr().unwrap()))
            .collect();
        let foundation = Foundation {
            store: over(Arc::clone(&store)),
            clock: clock.clone(),
            random: Arc::new(SeededRandom::from_seed(seed)),
            bus,
            node: 0,
            shutdown: Shutdown::new(),
        };
        let app = Arc::new(App::new(settings, foundation, auto_register).await.unwrap());
        let (told, ready) = tokio::sync::oneshot::channel();
        let serving = Arc::clone(&app);
        let running = tokio::spawn(async move {
            let ready = || told.send(()).unwrap();
            serving.run(bound, ready).await.unwrap()
        });
        ready.await.unwrap();
        Self {
            app,
            clock,
            store,
            trust: None,
            addresses,
            running,
        }
    }

    /// Registers an extension.
    pub async fn register(&self, client_id: &str, owner: &str, secrets: &[&str]) {
        let request = AddExtension {
            client_id: ClientId::new(client_id).unwrap(),
            owner: owner.to_owned(),
            name: None,
            secrets: secrets
                .iter()
                .map(|s| Secret::from_base64(s).unwrap())
                .collect(),
            sandbox_takes_platform_tokens: false,
            auto_registered: false,
        };
        registry::add(self.app.core.world(), request).await.unwrap();
        self.app.core.reload().await.unwrap();
    }

    /// Where an edge listens.
    pub fn address(&self, name: EdgeName) -> SocketAddr {
        self.addresses
            .iter()
            .find(|(other, _)| *other == name)
            .unwrap()
            .1
    }

    /// A REST client of a stage.
    pub fn rest(&self, stage: Stage) -> Http {
        let address = self.address(match stage {
            Stage::Sandbox => EdgeName::SandboxRest,
            Stage::Production => EdgeName::ProductionRest,
        });
        Http::new(address).trusting(self.trust.clone())
    }

    /// A REST client of the sandbox.
    pub fn sandbox(&self) -> Http {
        self.rest(Stage::Sandbox)
    }

    /// The sandbox, as a page of the test extension: with a token of a role in a channel, got by
    /// `authtoken`. The user is 77; a broadcaster is its channel's.
    pub async fn page(&self, role: &str, channel: &str) -> Http {
        let token = self.token(role, channel, "77").await;
        self.sandbox().with(EXTENSION, &token)
    }

    /// A sandbox token of the test extension, got by `authtoken`.
    pub async fn token(&self, role: &str, channel: &str, user: &str) -> String {
        let body = serde_json::json!({
            "app_id": EXTENSION, "channel_id": channel, "user_id": user, "role": role,
        });
        let answer = self.sandbox().post("/v1/e/authtoken", &body).await;
        answer.ok()["token"].as_str().unwrap().to_owned()
    }

    /// The sandbox, as a page of the test extension with a viewer of an id.
    pub async fn viewer(&self, user: &str, channel: &str) -> Http {
        let body = serde_json::json!({
            "app_id": EXTENSION, "channel_id": channel, "user_id": user, "role": "viewer",
        });
        let answer = self.sandbox().post("/v1/e/authtoken", &body).await;
        let token = answer.ok()["token"].as_str().unwrap().to_owned();
        self.sandbox().with(EXTENSION, &token)
    }

    /// A stage, as a page of the test extension with a token that the platform or a developer
    /// signed. The sandbox takes it only where it says `allowed_stage`.
    pub fn signed(&self, stage: Stage, claims: &serde_json::Value) -> Http {
        self.rest(stage).with(EXTENSION, &sign(claims, SECRET))
    }

    /// The sandbox, as the page of one user among many, who shares identity. The token outlives
    /// every test.
    pub fn user(&self, role: &str, channel: &str, user_id: &str) -> Http {
        self.sandbox()
            .with(EXTENSION, &user_token(role, channel, user_id))
    }

    /// A game that has connected to the sandbox and not yet authenticated.
    pub async fn game(&self) -> Game {
        let path = format!("/0.0.1/{EXTENSION}");
        let address = self.address(EdgeName::SandboxGamelink);
        let wire = dial("127.0.0.1", address, self.trust.as_ref()).await;
        Game::over(wire, address, &path).await.unwrap()
    }

    /// The same on a stage, of an extension.
    pub async fn game_of(&self, stage: Stage, extension: &str) -> Game {
        let name = match stage {
            Stage::Sandbox => EdgeName::SandboxGamelink,
            Stage::Production => EdgeName::ProductionGamelink,
        };
        Game::connect(self.address(name), &format!("/0.0.1/{extension}")).await
    }

    /// Production, as a page with a token as the platform signs them; valid for an hour from the
    /// start of the test.
    pub fn production_page(&self, role: &str, channel: &str) -> Http {
        let token = sign(&claims(role, channel), SECRET);
        self.rest(Stage::Production).with(EXTENSION, &token)
    }

    /// A game of the sandbox, paired with a channel by a PIN of direction A; its first answer.
    pub async fn paired_game(&self, channel: &str) -> (Game, serde_json::Value) {
        let pin = self.page("broadcaster", channel).await.pin().await;
        let mut game = self.game().await;
        let answer = game.authenticate(serde_json::json!({ "pin": pin })).await;
        (game, answer["data"].clone())
    }

    /// The sandbox, as a page with a token of a trusted role that names no channel.
    pub fn trusted(&self, role: &str) -> Http {
        let mut claims = claims(role, "");
        claims["allowed_stage"] = serde_json::json!("sandbox");
        claims["user_id"] = serde_json::json!("server");
        self.signed(Stage::Sandbox, &claims)
    }

    /// The server's time (Unix ms).
    pub fn clock_ms(&self) -> i64 {
        crowdlink_store::Clock::now_ms(&*self.clock)
    }

    /// Moves time; waits until what is due has been looked at, as far as one can see from outside.
    pub fn advance_ms(&self, ms: u64) {
        self.clock.advance_ms(ms);
    }

    /// Waits until a condition holds while time goes on, in steps of the background loops.
    pub async fn in_time<F: Future<Output = bool>>(&self, what: &str, holds: impl Fn() -> F) {
        eventually(what, || async {
            self.advance_ms(1_000);
            tokio::task::yield_now().await;
            holds().await
        })
        .await;
    }

    /// Starts the drain and waits for its end.
    pub async fn shut_down(self) -> Outcome {
        self.app.shutdown.drain();
        self.running.await.unwrap()
    }
}

/// A token of a user who shares identity, for the sandbox; it outlives every test.
pub fn user_token(role: &str, channel: &str, user_id: &str) -> String {
    let claims = serde_json::json!({
        "exp": 4_000_000_000_i64, "allowed_stage": "sandbox", "role": role,
        "channel_id": channel, "user_id": user_id, "opaque_user_id": format!("U{user_id}"),
    });
    sign(&claims, SECRET)
}

/// The domain as another process has it that shares a server's store, but no memory and no bus.
pub async fn core_beside(server: &Server) -> Arc<Core> {
    let world = World {
        store: server.store.clone(),
        clock: server.clock.clone(),
        random: Arc::new(SeededRandom::from_seed(2)),
        bus: Arc::new(LocalBus::new()),
    };
    Core::open(world, CoreOptions::default()).await.unwrap()
}

/// Waits until a condition holds. Fails after ten seconds of real time.
pub async fn eventually<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let waiting = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(
        tokio::time::timeout(PATIENCE, waiting).await.is_ok(),
        "never happened: {what}"
    );
}
