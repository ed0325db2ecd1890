//! Everything a store holds as a file, and back: from one engine to another.
//!
//! # The file
//! Text, a JSON object a line, each line ended by a newline:
//!
//! ```text
//! {"format":"crowdlink-export","format_version":1,"server_version":"0.1.0","created_at_ms":1700000000000,"revision":12,"records":2}
//! {"key":"sandbox/x/state/1","version":9,"expires_at_ms":null,"value":{"a":1}}
//! {"key":"sandbox/x/state/2","version":12,"expires_at_ms":1700000600000,"value":[]}
//! {"records":2,"sha256":"…"}
//! ```
//!
//! - `value` is the stored text, byte for byte. Where that text cannot stand within a line of JSON (a line
//!   break in it, space around it, no JSON at all), `text` holds it as a string instead.
//! - Keys come in byte order, each once. No version is above `revision`.
//! - `sha256` is of every byte before the last line. Nothing follows the last line.
//! - Expired records that were not swept yet are in it, with their time: no clock is asked on either
//!   side, so a clock that is wrong loses nothing.
//!
//! An import writes beside what the store holds and takes its place only after the last line was
//! verified, so a file that is cut, damaged or not ours changes nothing.

mod line;
mod reader;
mod writer;

use std::io::{self, BufRead, Write};

pub use line::{FORMAT_VERSION, Header, LINE_BYTES_MAX};
pub use reader::ExportReader;
pub use writer::ExportWriter;

use crate::bulk::{Batch, Bulk, Load, REVISION_GAP, Snapshot};
use crate::contract::{Entry, StoreError};

/// Why everything could not be moved. Never holds a value.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// The file cannot be read or written.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The file is not what an export wrote.
    #[error("line {line}: {why}; nothing was imported")]
    Damaged {
        /// Counted from 1.
        line: u64,
        /// What is wrong with it.
        why: String,
    },
    /// The file is of a later version of the format.
    #[error(
        "written by a newer Crowdlink (format {found}, this one knows {FORMAT_VERSION}): upgrade \
         first"
    )]
    Newer {
        /// The version it says.
        found: u64,
    },
    /// The engine answered so.
    #[error("{0}")]
    Store(#[from] StoreError),
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Records done.
    pub records: u64,
    /// Records in all.
    pub total: u64,
}

/// Who wrote a file, and when.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    /// The version of the program.
    pub server_version: &'a str,
    /// Unix time in ms.
    pub created_at_ms: i64,
}

/// Writes a snapshot as a file. Answers with `out`, not flushed to a disk, once the last line was
/// written; `tell` hears about each batch.
///
/// # Errors
/// What was written until then is no whole file, and an import says so.
pub async fn export<W: Write>(
    mut snapshot: Snapshot,
    out: W,
    origin: Origin<'_>,
    tell: &mut dyn FnMut(Progress),
) -> Result<W, TransferError> {
    let total = snapshot.records;
    let header = Header::new(&snapshot, origin);
    let mut writer = ExportWriter::begin(out, &header)?;
    while let Some(batch) = snapshot.next().await? {
        for entry in &batch {
            writer.record(entry)?;
        }
        let records = writer.records();
        tell(Progress { records, total });
    }
    Ok(writer.finish()?)
}

/// Fills a store from a file; answers with how many records there were. What the store held is
/// replaced if `replace` says so. The revision moves on by [`REVISION_GAP`], as after a restore: clients know
/// versions that were given away after the export.
///
/// # Errors
/// The store is as it was.
pub async fn import<R: BufRead>(
    input: R,
    store: &dyn Bulk,
    replace: bool,
    tell: &mut dyn FnMut(Progress),
) -> Result<u64, TransferError> {
    let mut reader = ExportReader::open(input)?;
    let revision = reader.header().revision.saturating_add(REVISION_GAP);
    let mut load = store.begin_load(replace).await?;
    match fill(&mut reader, load.as_mut(), tell).await {
        Ok(records) => {
            load.finish(revision).await?;
            Ok(records)
        }
        Err(error) => {
            if let Err(left) = load.abandon().await {
                tracing::warn!(error = %left, "what was written cannot be taken away");
            }
            Err(error)
        }
    }
}

async fn fill<R: BufRead>(
    reader: &mut ExportReader<R>,
    load: &mut dyn Load,
    tell: &mut dyn FnMut(Progress),
) -> Result<u64, TransferError> {
    let total = reader.header().records;
    let mut batch = Batch::default();
    while let Some(entry) = reader.next_entry()? {
        if batch.add(entry) {
            put(load, &mut batch).await?;
            let records = reader.records();
            tell(Progress { records, total });
        }
    }
    put(load, &mut batch).await?;
    let records = reader.records();
    tell(Progress { records, total });
    Ok(records)
}

async fn put(load: &mut dyn Load, batch: &mut Batch) -> Result<(), StoreError> {
    let entries: Vec<Entry> = batch.take();
    if entries.is_empty() {
        return Ok(());
    }
    load.put(entries).await
}
