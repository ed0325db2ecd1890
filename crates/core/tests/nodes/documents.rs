//! State, configuration and the JSON store, written on one node and read on another.

use crowdlink_core::config::{self, ConfigId, ConfigOf};
use crowdlink_core::state::{self, StateId, StateOf};
use crowdlink_core::{Core, Error, json_store};

use crate::cluster::{Cluster, admin, broadcaster, soon};
use crate::wire::Way;

/// What is written and read.
#[derive(Clone, Copy, Debug)]
pub enum What {
    State,
    Config,
    JsonStore,
}

const STATE: StateOf<'static> = StateOf {
    id: StateId::Channel,
    channel: None,
};
const CONFIG: ConfigOf<'static> = ConfigOf {
    id: ConfigId::Channel,
    channel: None,
};

pub const ALL: [What; 3] = [What::State, What::Config, What::JsonStore];

impl What {
    pub async fn write(self, core: &Core, json: &str) -> Result<(), Error> {
        let json = json.as_bytes();
        match self {
            Self::State => {
                let caller = admin(core).await;
                state::replace(core, &caller, STATE, json, None)
                    .await
                    .map(drop)
            }
            Self::Config => {
                let caller = admin(core).await;
                config::replace(core, &caller, CONFIG, json, None)
                    .await
                    .map(drop)
            }
            Self::JsonStore => {
                let caller = broadcaster(core).await;
                json_store::write(core, &caller, None, "key", json).await
            }
        }
    }

    pub async fn read(self, core: &Core) -> Result<String, Error> {
        let caller = broadcaster(core).await;
        let json = match self {
            Self::State => state::read(core, &caller, STATE).await?.json.clone(),
            Self::Config => config::read(core, &caller, CONFIG).await?.json.clone(),
            Self::JsonStore => match json_store::read(core, &caller, None, "key").await {
                Err(Error::NotFound(_)) => "{}".into(),
                json => json?,
            },
        };
        Ok(String::from_utf8(json.to_vec()).unwrap())
    }
}

#[tokio::test]
async fn with_word_every_node_reads_the_newest_at_once() {
    let cluster = Cluster::start(3).await;
    for (n, what) in (0..30).flat_map(|n| ALL.map(|what| (n, what))) {
        // In every memory is what was there before.
        for core in &cluster.cores {
            what.read(core).await.unwrap();
        }
        let json = format!("{{\"n\":{n}}}");
        what.write(&cluster.cores[n % 3], &json).await.unwrap();
        for core in &cluster.cores {
            soon("every node reads it, and no time passes", || async {
                what.read(core).await.unwrap() == json
            })
            .await;
        }
    }
}

#[tokio::test]
async fn without_word_every_node_reads_the_newest_after_a_second() {
    let cluster = Cluster::start(2).await;
    cluster.wire.set(Way::Lost);
    for (n, what) in (0..5).flat_map(|n| ALL.map(|what| (n, what))) {
        for core in &cluster.cores {
            what.read(core).await.unwrap();
        }
        let json = format!("{{\"n\":{n}}}");
        what.write(&cluster.cores[0], &json).await.unwrap();
        cluster.clock.advance_ms(1_001);
        assert_eq!(
            what.read(&cluster.cores[1]).await.unwrap(),
            json,
            "{what:?}"
        );
    }
}

#[tokio::test]
async fn after_lost_word_nothing_in_memory_is_believed() {
    let cluster = Cluster::start(2).await;
    for what in ALL {
        what.write(&cluster.cores[0], "{\"n\":1}").await.unwrap();
        what.read(&cluster.cores[1]).await.unwrap();
        cluster.settle().await;
        what.read(&cluster.cores[1]).await.unwrap();
        cluster.wire.set(Way::Lost);
        what.write(&cluster.cores[0], "{\"n\":2}").await.unwrap();
        cluster.wire.tell_loss();
        soon("the other node reads it, and no time passes", || async {
            what.read(&cluster.cores[1]).await.unwrap() == "{\"n\":2}"
        })
        .await;
        cluster.wire.set(Way::Carried);
    }
}

#[tokio::test]
async fn late_word_makes_nothing_older() {
    let cluster = Cluster::start(2).await;
    cluster.wire.set(Way::Delayed);
    for what in ALL {
        for n in 0..10 {
            let json = format!("{{\"n\":{n}}}");
            what.write(&cluster.cores[n % 2], &json).await.unwrap();
            cluster.clock.advance_ms(1_001);
            assert_eq!(what.read(&cluster.cores[0]).await.unwrap(), json);
            assert_eq!(what.read(&cluster.cores[1]).await.unwrap(), json);
        }
        cluster.wire.deliver();
        cluster.settle().await;
        for core in &cluster.cores {
            assert_eq!(what.read(core).await.unwrap(), "{\"n\":9}");
        }
    }
}

#[tokio::test]
async fn patches_on_all_nodes_are_all_in_the_end() {
    let cluster = Cluster::start(3).await;
    cluster.wire.set(Way::Lost);
    let patch = async |node: usize, n: usize| {
        let core = &cluster.cores[node];
        let caller = admin(core).await;
        let json = format!("[{{\"op\":\"add\",\"path\":\"/{node}-{n}\",\"value\":1}}]");
        let parents = crowdlink_core::Parents::Required;
        state::patch(core, &caller, STATE, (json.as_bytes(), parents), None).await
    };
    let patches = (0..20).flat_map(|n| [patch(0, n), patch(1, n), patch(2, n)]);
    for patched in futures::future::join_all(patches).await {
        patched.unwrap();
    }
    cluster.clock.advance_ms(1_001);
    for core in &cluster.cores {
        let json = What::State.read(core).await.unwrap();
        let document: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(document.as_object().unwrap().len(), 60);
    }
}
