//! Codes: up to ten sets of prize codes an extension, each code to one user, in order, once
//! (`spec 3.8`).
//!
//! A set is one head, which names the run of what users do with it (marks, counts, codes held) and
//! the run of each upload that its codes came with. The rows of an upload are written first; they
//! are there for everybody, or for nobody, with the one commit that names them in the head.

mod list;
mod mark;
mod read;
mod redeem;
mod upload;

use crowdlink_protocol::{ClientId, PRIZES_MAX, Stage};
use serde::{Deserialize, Serialize};

pub use list::{CodeList, NewCodes, Upload};
pub use mark::{Marks, Winners, mark, mark_winners};
pub use read::{eligible, names, redeemed, remove};
pub(crate) use redeem::Given;
pub use redeem::redeem;
pub(crate) use upload::UPLOADS_AT_ONCE_MAX;
pub use upload::{UploadPermit, begin_upload, upload};

use crate::caller::Caller;
use crate::error::{Error, Refusal};
use crate::keys;
use crate::runs::{HEAD_BYTES_MAX, ROW_BYTES_MAX, Run, Watch};
use crate::table::{Stored, Table};
use crate::world::World;

/// Codes of a set, one less than a million.
const CODES_PER_SET_MAX: usize = 999_999;
/// Longest code, in characters.
const CODE_CHARS_MAX: usize = 63;
/// Longest name of a set, in bytes.
const NAME_BYTES_MAX: usize = 256;
/// Uploads that the codes of one set came with.
const PARTS_PER_SET_MAX: usize = 500;
/// Codes in one row.
const CODES_PER_ROW: usize = 500;
/// Codes of one prize that one user may hold.
const CODES_PER_USER_MAX: u32 = 10_000;

// Four bytes a character, or two where it is escaped; quotation marks and a comma.
const _: () = assert!(CODES_PER_ROW * (CODE_CHARS_MAX * 4 + 3) + 2 <= ROW_BYTES_MAX);

// A part's run, its count and their names; the name may be escaped.
const _: () = assert!(PARTS_PER_SET_MAX * 80 + NAME_BYTES_MAX * 2 + 100 <= HEAD_BYTES_MAX);

/// The kind of heads.
const SETS_KIND: &str = "codes";
/// The kind of rows.
const ROWS_KIND: &str = "codes-rows";
const SETS: Table<Set> = Table::new(SETS_KIND);
/// The next code to give; how many a user may hold; how many it holds.
const COUNTS: Table<u32> = Table::new(ROWS_KIND);
/// A code that a user holds.
const HELD: Table<String> = Table::new(ROWS_KIND);
/// Codes as they were uploaded.
const CHUNKS: Table<Vec<String>> = Table::new(ROWS_KIND);

/// A set of codes.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Set {
    name: String,
    run: Run,
    parts: Vec<Part>,
}

/// What one upload added to a set.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Part {
    run: Run,
    codes: u32,
}

impl Set {
    fn codes(&self) -> u32 {
        self.parts.iter().map(|part| part.codes).sum()
    }
}

/// An extension on a stage, and the keys of its codes.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    stage: Stage,
    client_id: ClientId,
}

impl Place {
    fn of(caller: &Caller) -> Self {
        Self {
            stage: caller.stage,
            client_id: caller.client_id().clone(),
        }
    }

    fn head(&self, index: usize) -> String {
        SETS.key(self.stage, &self.client_id, &[&index.to_string()])
    }

    fn rows(&self, run: &Run) -> Rows {
        Rows(run.rows(self.stage, &self.client_id, ROWS_KIND))
    }

    fn watch_of(&self, run: &Run, head: &str) -> Watch {
        Watch::new(run, head, (self.stage, &self.client_id), &[ROWS_KIND])
    }

    /// The sets by index, read in one snapshot.
    async fn sets(&self, world: &World) -> Result<Vec<Option<Stored<Set>>>, Error> {
        let keys = (0..PRIZES_MAX).map(|index| self.head(index)).collect();
        SETS.get_many(&*world.store, keys).await
    }
}

/// The keys of the rows of a run.
#[derive(Clone, Debug)]
struct Rows(String);

impl Rows {
    /// Codes of an upload, [`CODES_PER_ROW`] each but the last.
    fn chunk(&self, number: usize) -> String {
        format!("{}chunk/{number:06}", self.0)
    }

    /// The number of the next code to give.
    fn next(&self) -> String {
        [&self.0, "next"].concat()
    }

    /// How many codes a user may hold.
    fn limit(&self, user: &str) -> String {
        [&self.0, "limit/", &keys::segment(user)].concat()
    }

    /// How many codes a user holds.
    fn count(&self, user: &str) -> String {
        [&self.0, "count/", &keys::segment(user)].concat()
    }

    /// The codes that a user holds, by their numbers.
    fn held(&self, user: &str) -> String {
        [&self.0, "held/", &keys::segment(user), "/"].concat()
    }
}

/// Codes go to users who can be told from others.
fn shared_user(caller: &Caller) -> Result<&str, Error> {
    let user_id = caller.user_id.as_deref();
    user_id.ok_or_else(|| Refusal::UserIdNotShared.into())
}

/// Refuses what is no index of a prize.
fn check_index(field: &'static str, index: usize) -> Result<(), Error> {
    if index < PRIZES_MAX {
        return Ok(());
    }
    Err(Error::invalid(field, "must be an index from 0 to 9"))
}
