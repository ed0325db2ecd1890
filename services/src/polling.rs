//! Waiting for what another process does.

use std::thread;
use std::time::Duration;

use anyhow::{Result, bail};

const PAUSE: Duration = Duration::from_millis(10);
/// A minute: a server that recovers on a busy machine needs some seconds.
const TRIES_MAX: u32 = 6_000;

/// Waits until `holds` says yes. An error of it, or no yes within a minute, is an error.
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> Result<bool>) -> Result<()> {
    for _ in 0..TRIES_MAX {
        if holds()? {
            return Ok(());
        }
        thread::sleep(PAUSE);
    }
    bail!("waited for a minute: {what}")
}
