//! `import`: a store from the file that `export` wrote.

use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal as _};
use std::sync::Arc;

use anyhow::Context as _;
use crowdlink_store::transfer;
use crowdlink_store::{Clock, SystemClock};
use flate2::bufread::MultiGzDecoder;

use super::print;
use super::progress::Progress;
use crate::app;
use crate::cli::ImportArgs;
use crate::settings::Settings;

/// Read at once, in bytes.
const BUFFER_BYTES: usize = 256 * 1_024;
const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
const SQLITE: &[u8] = b"SQLite format 3\0";

/// Puts everything that a file holds in the place of what the store holds.
pub fn import(settings: &Settings, args: &ImportArgs) -> anyhow::Result<()> {
    let name = args.file.display();
    let input: Box<dyn BufRead> = if args.file.as_os_str() == "-" {
        anyhow::ensure!(
            !io::stdin().is_terminal(),
            "nothing is led to standard input: name a file"
        );
        Box::new(buffered(io::stdin().lock()))
    } else {
        let file = File::open(&args.file).with_context(|| format!("cannot read {name}"))?;
        Box::new(buffered(file))
    };
    let input = unpacked(input).with_context(|| format!("cannot import {name}"))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let store = app::bulk(settings, &clock)?;
        let mut progress = Progress::of("import", &clock, args.quiet)?;
        let outcome = transfer::import(input, &*store, args.replace, &mut |at| {
            progress.tell(at);
        })
        .await;
        progress.end();
        let records = outcome.with_context(|| format!("cannot import {name}"))?;
        if args.quiet {
            return Ok(());
        }
        print(&format!("imported {records} records from {name}\n"))
    })
}

fn buffered<R: io::Read>(input: R) -> BufReader<R> {
    BufReader::with_capacity(BUFFER_BYTES, input)
}

/// The export itself, by what the file begins with and not by its name.
fn unpacked(mut input: Box<dyn BufRead>) -> anyhow::Result<Box<dyn BufRead>> {
    let start = input.fill_buf()?;
    if start.starts_with(GZIP) {
        return Ok(Box::new(buffered(MultiGzDecoder::new(input))));
    }
    anyhow::ensure!(
        !start.starts_with(ZSTD),
        "zstd is not built in: `zstd -dc FILE | crowdlink import -`"
    );
    anyhow::ensure!(
        !start.starts_with(SQLITE),
        "this is a copy that `backup` wrote: use `restore`"
    );
    Ok(input)
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write as _};

    use crowdlink_store::transfer::{ExportReader, Origin, TransferError, export};
    use crowdlink_store::{Bulk as _, Commit, Entry, ManualClock, MemoryStore, Store as _};
    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    async fn packed() -> Vec<u8> {
        let store = MemoryStore::new(ManualClock::new(0));
        let commit = Commit::new().put("a", "[1]", None).put("b", "{}", Some(7));
        store.commit(commit).await.unwrap();
        let origin = Origin {
            server_version: "0",
            created_at_ms: 0,
        };
        let snapshot = store.snapshot().await.unwrap();
        let plain = export(snapshot, Vec::new(), origin, &mut |_| {}).await;
        let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
        gzip.write_all(&plain.unwrap()).unwrap();
        gzip.finish().unwrap()
    }

    fn read(file: &[u8]) -> Result<Vec<Entry>, TransferError> {
        let input = unpacked(Box::new(Cursor::new(file.to_vec()))).unwrap();
        let mut reader = ExportReader::open(input)?;
        let mut entries = Vec::new();
        while let Some(entry) = reader.next_entry()? {
            entries.push(entry);
        }
        Ok(entries)
    }

    #[track_caller]
    fn assert_damaged(file: &[u8]) {
        let found = read(file);
        assert!(
            matches!(found, Err(TransferError::Damaged { .. })),
            "{found:?}"
        );
    }

    #[tokio::test]
    async fn a_compressed_file_that_is_cut_or_longer_is_found() {
        let file = packed().await;
        assert_eq!(read(&file).unwrap().len(), 2);
        for end in 0..file.len() {
            assert_damaged(&file[..end]);
        }
        for more in [&b"\0"[..], b"rubbish", b"\x1f\x8b", &file] {
            assert_damaged(&[&file, more].concat());
        }
    }

    #[tokio::test]
    async fn a_flipped_bit_of_a_compressed_file_is_found_or_means_nothing() {
        let file = packed().await;
        let entries = read(&file).unwrap();
        for at in 0..file.len() {
            for bit in 0..8 {
                let mut flipped = file.clone();
                flipped[at] ^= 1 << bit;
                match read(&flipped) {
                    Ok(found) => {
                        // The time, the system and the flags of the compressor stand there, and
                        // bits that fill up the last byte before the checksum and the length.
                        let means_nothing = (3..10).contains(&at) || at == file.len() - 9;
                        assert!(means_nothing, "byte {at} bit {bit}");
                        assert_eq!(found, entries);
                    }
                    Err(TransferError::Damaged { .. } | TransferError::Newer { .. }) => {}
                    Err(error) => panic!("byte {at} bit {bit}: {error:?}"),
                }
            }
        }
    }
}
