//! What a process takes of memory.

use std::fs;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context as _, Result};

/// Pause between two looks at the memory.
const LOOK_MS: u64 = 500;
/// Looks at most, until the memory stands still.
const LOOKS_MAX: u32 = 40;
/// Equal looks in a row that count as quiet.
const QUIET_LOOKS: u32 = 4;

/// Memory of a process that is its own or its share of what it shares, in bytes.
pub(crate) fn pss_bytes(process: u32) -> Result<u64> {
    let text = fs::read_to_string(format!("/proc/{process}/smaps_rollup"))
        .context("cannot read the server's memory")?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"));
    let kib = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    Ok(kib.context("smaps_rollup has no Pss")? * 1_024)
}

/// The memory once it stands still, in bytes: it changes by no more than the slack from look to look.
pub(crate) fn at_rest(process: u32, slack_bytes: u64) -> Result<u64> {
    let (mut last, mut equal) = (pss_bytes(process)?, 0);
    for _ in 0..LOOKS_MAX {
        sleep(Duration::from_millis(LOOK_MS));
        let now = pss_bytes(process)?;
        equal = if now.abs_diff(last) <= slack_bytes {
            equal + 1
        } else {
            0
        };
        last = now;
        if equal >= QUIET_LOOKS {
            return Ok(now);
        }
    }
    anyhow::bail!("the server's memory does not stand still")
}
