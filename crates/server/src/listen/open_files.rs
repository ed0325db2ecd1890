//! The process's limit of open files: every connection takes one.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::settings::Limits;

/// Raises the soft limit of open files to the hard one, or to `limits.open_files_max` where that
/// is less, and tells what holds now. A refusal of the system leaves what was.
pub fn raise_open_files(limits: &Limits) -> u64 {
    let now = getrlimit(Resource::Nofile);
    let hard = now.maximum.unwrap_or(u64::MAX);
    let wanted = match limits.open_files_max {
        0 => hard,
        max => max.min(hard),
    };
    let current = now.current.unwrap_or(u64::MAX);
    if current < wanted {
        let raised = Rlimit {
            current: Some(wanted),
            maximum: now.maximum,
        };
        if let Err(error) = setrlimit(Resource::Nofile, raised) {
            tracing::warn!(%error, current, wanted, "cannot raise the limit of open files");
            return current;
        }
    }
    wanted
}
