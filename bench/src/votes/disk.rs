//! What the disk can do: small writes, each made durable by itself.

use std::io::{Seek as _, SeekFrom, Write as _};
use std::time::Duration;

use anyhow::Result;

use crate::load::now;

/// One page of a database.
const WRITE_BYTES: usize = 4_096;
/// The file is written over from here on again, as a log is.
const FILE_BYTES_MAX: u64 = 4 * 1_024 * 1_024;

/// Writes a page and calls fdatasync, over and over, beside where servers keep their data.
pub(crate) fn syncs_per_s(time: Duration) -> Result<f64> {
    let mut file = tempfile::tempfile()?;
    let page = [0x5a; WRITE_BYTES];
    let start = now();
    let mut syncs = 0_u32;
    loop {
        if file.stream_position()? >= FILE_BYTES_MAX {
            file.seek(SeekFrom::Start(0))?;
        }
        file.write_all(&page)?;
        file.sync_data()?;
        syncs += 1;
        let passed = now() - start;
        if passed >= time {
            return Ok(f64::from(syncs) / passed.as_secs_f64());
        }
    }
}
