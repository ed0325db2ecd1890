//! The side of the new process.

use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::path::Path;

use crowdlink_store::Clock;
use rustix::net::sockopt;
use serde::Deserialize;
use tokio::net::UnixStream;

use super::{ACCEPTING, DRAINING, TakeoverError, socket_path, wire};
use crate::listen::{BindError, Bound, EdgeName, bind_all};
use crate::settings::{Address, Settings};

/// The protocol spoken here.
const VERSION: u32 = 1;

/// A takeover that has its sockets; [`Handover::finish`] sends the old process away.
#[derive(Debug)]
pub struct Handover {
    stream: UnixStream,
    ms_max: u64,
}

#[derive(Debug, Deserialize)]
struct Offer {
    version: u32,
    listeners: Vec<Label>,
}

#[derive(Debug, Deserialize)]
struct Label {
    name: String,
    address: SocketAddr,
}

impl Handover {
    /// Tells the old process that this one accepts, so that it drains. Call it after the ready
    /// line.
    ///
    /// # Errors
    /// The old process does not answer. Its sockets are this process's all the same.
    pub async fn finish(self, clock: &dyn Clock) -> Result<(), TakeoverError> {
        let told = async {
            wire::send(&self.stream, ACCEPTING, &[]).await?;
            match wire::receive(&self.stream).await? {
                (answer, _) if answer == DRAINING => Ok(()),
                _ => Err(TakeoverError::Malformed("another word".to_owned())),
            }
        };
        within(clock, self.ms_max, told).await
    }
}

/// Asks the server that runs on the data directory for its sockets and keeps those the settings
/// want; the rest are closed here.
///
/// # Errors
/// Nobody answers, or not as they should. Nothing has changed for the old process.
pub async fn take(
    settings: &Settings,
    clock: &dyn Clock,
) -> Result<(Vec<Bound>, Handover), TakeoverError> {
    let ms_max = settings.listen.takeover_ms_max;
    let asked = async {
        let stream = UnixStream::connect(socket_path(&settings.store.data)).await?;
        wire::check_user(&stream)?;
        let (line, descriptors) = wire::receive(&stream).await?;
        Ok((read_offer(&line, descriptors)?, stream))
    };
    let (offered, stream) = within(clock, ms_max, asked).await?;
    let wanted = offered
        .into_iter()
        .filter(|bound| is_wanted(bound, settings))
        .collect();
    Ok((wanted, Handover { stream, ms_max }))
}

/// Listens as the settings say; with `takeover`, on the sockets of the running server as far as
/// there are any. Whatever goes wrong with a takeover is logged, and plain listening follows.
///
/// # Errors
/// An address that cannot be had.
pub async fn bind_or_take(
    settings: &Settings,
    takeover: bool,
    clock: &dyn Clock,
) -> Result<(Vec<Bound>, Option<Handover>), BindError> {
    let (taken, handover) = if takeover {
        match take(settings, clock).await {
            Ok((taken, handover)) => (taken, Some(handover)),
            Err(error) => {
                let data: &Path = &settings.store.data;
                tracing::warn!(%error, data = %data.display(), "no takeover; starting alone");
                (Vec::new(), None)
            }
        }
    } else {
        (Vec::new(), None)
    };
    let bound = bind_all(&settings.listen, taken)?;
    Ok((bound, handover))
}

async fn within<T>(
    clock: &dyn Clock,
    ms_max: u64,
    work: impl Future<Output = Result<T, TakeoverError>>,
) -> Result<T, TakeoverError> {
    tokio::select! {
        done = work => done,
        () = clock.sleep_ms(ms_max) => Err(TakeoverError::Silent),
    }
}

fn read_offer(line: &str, descriptors: Vec<OwnedFd>) -> Result<Vec<Bound>, TakeoverError> {
    let malformed = |what: &str| TakeoverError::Malformed(what.to_owned());
    let offer: Offer = serde_json::from_str(line).map_err(|_| malformed("no offer"))?;
    if offer.version != VERSION {
        return Err(malformed("an offer of another version"));
    }
    if offer.listeners.len() != descriptors.len() {
        return Err(malformed("another number of sockets than it named"));
    }
    let mut all = Vec::new();
    for (label, descriptor) in offer.listeners.into_iter().zip(descriptors) {
        let is_listener = sockopt::socket_acceptconn(&descriptor).unwrap_or(false);
        let listener = TcpListener::from(descriptor);
        // The label is what the other believes; the socket is what counts.
        if !is_listener || listener.local_addr().ok() != Some(label.address) {
            return Err(malformed("something else than the socket it named"));
        }
        listener.set_nonblocking(true)?;
        let name = EdgeName::ALL
            .into_iter()
            .find(|name| name.as_str() == label.name);
        // A newer version may have edges that are not known here.
        all.extend(name.map(|name| Bound { name, listener }));
    }
    Ok(all)
}

/// Whether the settings want this edge at this address; port 0 takes any.
fn is_wanted(bound: &Bound, settings: &Settings) -> bool {
    let Address::At(wanted) = bound.name.address(&settings.listen) else {
        return false;
    };
    bound.listener.local_addr().is_ok_and(|has| {
        has.ip() == wanted.ip() && (wanted.port() == 0 || has.port() == wanted.port())
    })
}
