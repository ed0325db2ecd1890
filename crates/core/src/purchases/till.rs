//! The till of a channel: what waits for it is done together, as one commit.

use std::sync::Arc;

use super::book::Books;
use super::operation::{Operation, Outcome, Page};
use super::transaction::{Purchased, Settled, Transaction};
use super::{PURCHASED_TOPIC, SETTLED_TOPIC};
use crate::combine::Apply;
use crate::draft::Draft;
use crate::error::Error;
use crate::gateway::{self, Catalogue};
use crate::shared::{DocumentKind, Place, SharedDocuments};
use crate::world::{CONFLICT_TRIES_MAX, World};

type Answer = Result<Outcome, Error>;

/// Does what waits for one channel.
pub(super) struct Till {
    world: World,
    shared: Arc<SharedDocuments>,
    books: Books,
    actions: Place,
    actions_key: String,
}

impl Apply<Operation, Outcome> for Till {
    async fn apply(&mut self, batch: &[Operation]) -> Vec<Answer> {
        let all = |error: Error| batch.iter().map(|_| Err(error.clone())).collect();
        for attempt in 1..=CONFLICT_TRIES_MAX {
            match self.try_batch(batch).await {
                Ok(Some(answers)) => return answers,
                Ok(None) => {}
                Err(error) => return all(error),
            }
            if let Err(error) = self.world.pause_before_retry(attempt).await {
                return all(error);
            }
        }
        Vec::new()
    }
}

impl Till {
    pub(super) fn new(world: World, shared: Arc<SharedDocuments>, books: Books) -> Self {
        let kind = DocumentKind::GatewayActions;
        let actions = gateway::place(books.stage, &books.client_id, &books.channel, kind);
        Self {
            world,
            shared,
            books,
            actions_key: actions.key(),
            actions,
        }
    }

    /// `None` when another node was first.
    async fn try_batch(&self, batch: &[Operation]) -> Result<Option<Vec<Answer>>, Error> {
        let mut keys = vec![self.books.book_key()];
        for operation in batch {
            keys.extend(operation.keys(&self.books, &self.actions_key));
        }
        let now_ms = self.world.now_ms();
        let id = || self.world.id();
        let mut page = Page {
            books: &self.books,
            draft: Draft::load(&*self.world.store, keys).await?,
            actions_key: &self.actions_key,
            catalogue: self.catalogue(batch).await?,
            now_ms,
            id: &id,
            purchased: Vec::new(),
            settled: Vec::new(),
        };
        let mut answers = Vec::with_capacity(batch.len());
        for operation in batch {
            let answer = page.apply(operation);
            // A fault of ours may have come half way: nothing of the batch happens.
            if let Err(error @ Error::Internal(_)) = answer {
                return Err(error);
            }
            answers.push(answer);
        }
        let Page {
            draft,
            purchased,
            settled,
            ..
        } = page;
        let acted = draft.written(&self.actions_key);
        let Some(commit) = draft.into_commit() else {
            return Ok(Some(answers));
        };
        let mark = self.shared.mark(&self.actions);
        let committed = self.world.try_commit(commit).await;
        let committed = committed.inspect_err(|_| self.shared.outcome_unknown([&self.actions]))?;
        let Some(version) = committed else {
            return Ok(None);
        };
        if let Some(actions) = acted {
            self.shared
                .committed(&self.actions, actions, version, mark)?;
        }
        self.tell(purchased, settled)?;
        Ok(Some(answers))
    }

    async fn catalogue(&self, batch: &[Operation]) -> Result<Option<Catalogue>, Error> {
        if !batch
            .iter()
            .any(|operation| matches!(operation, Operation::Buy(_)))
        {
            return Ok(None);
        }
        let Books {
            stage,
            client_id,
            channel,
        } = &self.books;
        let config = gateway::place(*stage, client_id, channel, DocumentKind::Config);
        let config = self.shared.read(&config).await?;
        Catalogue::parse(&config.json).map(Some)
    }

    /// Tells what was committed, in the order of the book.
    fn tell(&self, purchased: Vec<Transaction>, settled: Vec<String>) -> Result<(), Error> {
        for transaction in purchased {
            let purchased = Purchased {
                stage: self.books.stage,
                client_id: self.books.client_id.clone(),
                channel: self.books.channel.clone(),
                transaction,
            };
            self.world.tell(PURCHASED_TOPIC, &purchased)?;
        }
        for muxy_id in settled {
            self.world.tell(SETTLED_TOPIC, &Settled { muxy_id })?;
        }
        Ok(())
    }
}
