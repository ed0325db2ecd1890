//! Which core a process runs on, and how much of its time it used.

use std::fs;

use anyhow::{Context as _, Result};
use rustix::param::clock_ticks_per_second;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Two cores that this process may use: one for the server, one for the load.
pub(crate) fn two() -> Result<(usize, usize)> {
    let allowed = sched_getaffinity(None)?;
    let mut cores = (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core));
    let two = cores.next().zip(cores.next());
    two.context("two cores are needed: one for the server, one for the load")
}

/// Keeps this thread, and the processes it starts from now on, on one core.
pub(crate) fn stay_on(core: usize) -> Result<()> {
    let mut only = CpuSet::new();
    only.set(core);
    Ok(sched_setaffinity(None, &only)?)
}

/// Processor time that a process used so far, in seconds.
pub(crate) fn used_s(process: u32) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The name of the program comes second, in parentheses, and may hold anything.
    let (_, fields) = stat.rsplit_once(") ").context("stat has no name")?;
    let ticks = |field: usize| -> Result<u32> {
        let field = fields.split(' ').nth(field).context("stat is too short")?;
        Ok(field.parse()?)
    };
    let per_second = u32::try_from(clock_ticks_per_second())?;
    Ok(f64::from(ticks(11)? + ticks(12)?) / f64::from(per_second))
}
