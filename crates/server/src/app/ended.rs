//! Tells open connections what has happened to the credentials they rest on.

use crowdlink_core::{Core, Ended};

use crate::live::{CloseCode, Live};
use crate::{gamelink, viewer};

/// Closes every connection that a notice ends.
pub(super) fn close(core: &Core, live: &Live, ended: &Ended) {
    live.close_where(
        |session| {
            gamelink::concerned(core, session, ended) || viewer::concerned(core, session, ended)
        },
        CloseCode::POLICY,
        match ended {
            Ended::Revoked(_) | Ended::RevocationsMissed => "revoked",
            Ended::ExtensionRemoved(_) => "extension removed",
        },
    );
}
