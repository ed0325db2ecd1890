//! Any sequence of refreshes, also with faults, against a naive model of the rule in `spec 1.4`
//! and `spec 6.1`.

use crowdlink_store::Faults;
use proptest::prelude::*;
use serde_json::json;

use crate::harness::{Incoming, Server, refusal};

/// What a client, or fate, does.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// Presents one of the tokens it has.
    Present(usize),
    /// The same while the store is down.
    PresentWhileDown(usize),
    /// The same while commits happen and are then reported as failed.
    PresentWithOutcomeUnknown(usize),
    /// Presents one of the newest three: what games mostly do, so that families live long.
    PresentRecent(usize),
}

/// A token of the family, as the rule sees it.
struct Token {
    parent: Option<usize>,
    retired: bool,
}

/// The rule, word by word, without any thought of how it is stored.
struct Model {
    tokens: Vec<Token>,
    revoked: bool,
}

impl Model {
    fn new() -> Self {
        let first = Token {
            parent: None,
            retired: false,
        };
        Self {
            tokens: vec![first],
            revoked: false,
        }
    }

    /// Presents a token; whether it is good. A successor is born of a good one.
    fn present(&mut self, index: usize) -> bool {
        if self.revoked || self.tokens[index].retired {
            // A replay, if there was anything left to replay.
            self.revoked = true;
            return false;
        }
        // Its ancestors are retired, and all successors of theirs that were not used.
        let mut path = vec![index];
        while let Some(parent) = self.tokens[*path.last().unwrap()].parent {
            self.tokens[parent].retired = true;
            path.push(parent);
        }
        for other in 0..self.tokens.len() {
            let parent = self.tokens[other].parent;
            if other != index && parent.is_some_and(|parent| path[1..].contains(&parent)) {
                self.tokens[other].retired = true;
            }
        }
        self.tokens.push(Token {
            parent: Some(index),
            retired: false,
        });
        true
    }
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => (0..32_usize).prop_map(Step::Present),
        6 => (0..3_usize).prop_map(Step::PresentRecent),
        1 => (0..3_usize).prop_map(Step::PresentWhileDown),
        1 => (0..3_usize).prop_map(Step::PresentWithOutcomeUnknown),
    ]
}

/// The tokens as the client knows them: none where the answer never came.
async fn play(steps: &[Step]) {
    let server = Server::start().await;
    let (game, paired) = server.paired_game("42").await;
    game.close().await;
    let mut model = Model::new();
    let mut known = vec![Some(paired["refresh"].clone())];
    for step in steps {
        let newest = known.len() - 1;
        let (index, faults, down) = match *step {
            Step::Present(index) => (index % known.len(), 0, false),
            Step::PresentRecent(back) => (newest.saturating_sub(back), 0, false),
            Step::PresentWhileDown(back) => (newest.saturating_sub(back), 0, true),
            Step::PresentWithOutcomeUnknown(back) => (newest.saturating_sub(back), 1_000, false),
        };
        let Some(token) = known[index].clone() else {
            continue;
        };
        let mut game = server.game().await;
        server.store.set_down(down);
        server.store.set_faults(Faults {
            unknown_per_mille: faults,
            ..Faults::default()
        });
        game.send("authenticate", "", json!({ "refresh": token }))
            .await;
        let came = game.next().await;
        server.store.set_down(false);
        server.store.set_faults(Faults::default());
        if down {
            assert_eq!(came, Incoming::Closed(Some(1013)));
            continue;
        }
        let already_gone = model.revoked;
        let good = model.present(index);
        if faults > 0 && !already_gone {
            assert_eq!(came, Incoming::Closed(Some(1013)));
            if good {
                known.push(None);
            }
            continue;
        }
        let Incoming::Frame(answer) = came else {
            panic!("{came:?} at {step:?}")
        };
        if good {
            assert_eq!(answer["data"]["twitch_id"], "42", "{answer} at {step:?}");
            known.push(Some(answer["data"]["refresh"].clone()));
        } else {
            assert_eq!(refusal(&answer, 400).1, "Invalid refresh token", "{step:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn any_sequence_of_refreshes_follows_the_rule(steps in prop::collection::vec(step(), 1..24)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(play(&steps));
    }
}
