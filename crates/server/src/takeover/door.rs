//! The side of the running server.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;

use crowdlink_store::Clock;
use tokio::net::{UnixListener, UnixStream};

use super::{ACCEPTING, DRAINING, TakeoverError, socket_path, wire};
use crate::listen::Bound;
use crate::shutdown::Shutdown;

/// Longest time for the new process to get ready. The old one serves meanwhile.
const READY_MS_MAX: u64 = 60_000;
/// Pause after the door failed.
const FAILED_PAUSE_MS: u64 = 1_000;

/// Where a new process asks for the listening sockets.
#[derive(Debug)]
pub struct Door {
    listener: UnixListener,
    bound: Vec<Bound>,
}

impl Door {
    /// Opens the door in the data directory, which is made (mode 0700) where it is not there. A
    /// socket that an earlier process left behind is replaced.
    ///
    /// # Errors
    /// The directory cannot be written, or its path is too long for a socket (about 90 bytes).
    pub fn open(data: &Path, bound: &[Bound]) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(data)?;
        // Made behind a closed directory and moved when it has its mode: nobody else can reach
        // it at any time, whatever the umask and the mode of the data directory.
        let private = data.join(format!(".t{}", std::process::id()));
        let _ = fs::remove_dir_all(&private);
        DirBuilder::new().mode(0o700).create(&private)?;
        let listener = Self::bind(&private.join("s"), &socket_path(data));
        let _ = fs::remove_dir_all(&private);
        let bound = bound
            .iter()
            .map(Bound::try_clone)
            .collect::<Result<_, _>>()?;
        Ok(Self {
            listener: listener?,
            bound,
        })
    }

    fn bind(private: &Path, public: &Path) -> io::Result<UnixListener> {
        let listener = UnixListener::bind(private)?;
        fs::set_permissions(private, Permissions::from_mode(0o600))?;
        fs::rename(private, public)?;
        Ok(listener)
    }

    /// Hands the sockets to the first process that asks and gets ready; then starts the drain.
    /// Ends with the drain, also one that began elsewhere, and then holds no socket any more.
    /// The file stays: by then it may be the new server's.
    pub async fn serve(self, shutdown: Shutdown, clock: Arc<dyn Clock>) {
        tokio::select! {
            () = shutdown.draining() => {}
            () = self.hand_over_to_the_first(&*clock) => shutdown.drain(),
        }
    }

    async fn hand_over_to_the_first(&self, clock: &dyn Clock) {
        loop {
            let stream = match self.listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a takeover");
                    clock.sleep_ms(FAILED_PAUSE_MS).await;
                    continue;
                }
            };
            let done = tokio::select! {
                done = self.hand_over(&stream) => done,
                () = clock.sleep_ms(READY_MS_MAX) => Err(TakeoverError::Silent),
            };
            match done {
                Ok(()) => {
                    tracing::info!("a new process took the sockets over");
                    // It knows already that it may go on alone where this does not arrive.
                    let _ = wire::send(&stream, DRAINING, &[]).await;
                    return;
                }
                Err(error) => tracing::warn!(%error, "takeover failed; serving on"),
            }
        }
    }

    /// Steps 1 and 2: gives the sockets away and waits until the other accepts.
    async fn hand_over(&self, stream: &UnixStream) -> Result<(), TakeoverError> {
        wire::check_user(stream)?;
        let names: Result<Vec<_>, io::Error> = self
            .bound
            .iter()
            .map(|bound| {
                let address = bound.listener.local_addr()?;
                Ok(serde_json::json!({"name": bound.name.as_str(), "address": address}))
            })
            .collect();
        let line = serde_json::json!({"version": 1, "listeners": names?}).to_string();
        let descriptors: Vec<_> = self.bound.iter().map(|b| b.listener.as_fd()).collect();
        wire::send(stream, &line, &descriptors).await?;
        let (answer, _) = wire::receive(stream).await?;
        if answer == ACCEPTING {
            Ok(())
        } else {
            Err(TakeoverError::Malformed("another word".to_owned()))
        }
    }
}
