//! Guessing PINs is limited (`spec 5`): each address has a few wrong ones in a minute; when an
//! extension sees many, every network has one, and right PINs still work.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crowdlink_protocol::{ClientId, Stage};
use parking_lot::Mutex;
use quick_cache::sync::Cache;

use crate::core::Core;
use crate::error::Error;

/// The window in which wrong PINs count.
const WINDOW_MS: u64 = 60_000;
/// Most addresses and networks remembered; the least seen are forgotten first.
const WINDOWS_MAX: usize = 200_000;

/// Wrong PINs, and tries under way, of one key within the last minute.
#[derive(Debug, Default)]
struct Window(VecDeque<u64>);

impl Window {
    /// Counts a try; refuses when there were `max` in the window, telling for how long.
    fn enter(&mut self, now_ms: u64, max: usize) -> Result<(), u64> {
        self.prune(now_ms);
        match self.0.front() {
            Some(oldest) if self.0.len() >= max => Err(oldest + WINDOW_MS - now_ms),
            None if max == 0 => Err(WINDOW_MS),
            _ => {
                self.0.push_back(now_ms);
                Ok(())
            }
        }
    }

    fn prune(&mut self, now_ms: u64) {
        while self
            .0
            .front()
            .is_some_and(|at_ms| at_ms + WINDOW_MS <= now_ms)
        {
            self.0.pop_front();
        }
    }

    fn leave(&mut self, at_ms: u64) {
        if let Some(index) = self.0.iter().position(|other| *other == at_ms) {
            self.0.remove(index);
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    Address(IpAddr),
    Extension(Stage, ClientId),
    /// A network, while the extension is under attack.
    Network(Stage, ClientId, IpAddr),
}

type SharedWindow = Arc<Mutex<Window>>;

/// Who has guessed how much.
#[derive(Debug)]
pub(crate) struct Guesses {
    windows: Cache<Key, SharedWindow>,
    failures: AtomicU64,
    tightened: AtomicU64,
}

/// A try under way. It counts as wrong unless it is settled otherwise.
#[derive(Debug)]
#[must_use]
pub(crate) struct Attempt<'a> {
    guesses: &'a Guesses,
    windows: Vec<SharedWindow>,
    at_ms: u64,
}

impl Guesses {
    pub(crate) fn new() -> Self {
        Self {
            windows: Cache::new(WINDOWS_MAX),
            failures: AtomicU64::new(0),
            tightened: AtomicU64::new(0),
        }
    }

    /// Wrong PINs so far.
    pub(crate) fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// Tries that met a tightened extension so far.
    pub(crate) fn tightened(&self) -> u64 {
        self.tightened.load(Ordering::Relaxed)
    }

    fn window(&self, key: &Key) -> SharedWindow {
        let made = self
            .windows
            .get_or_insert_with(key, || Ok::<_, ()>(SharedWindow::default()));
        made.unwrap_or_default()
    }

    /// Lets an address try a PIN, or refuses it.
    pub(crate) fn begin(
        &self,
        core: &Core,
        stage: Stage,
        client_id: &ClientId,
        address: IpAddr,
    ) -> Result<Attempt<'_>, Error> {
        let limits = &core.limits;
        let at_ms = core.world.clock.monotonic_ms();
        let extension_max = bound(limits.pin_failures_extension_per_minute_max);
        let extension = self.window(&Key::Extension(stage, client_id.clone()));
        let tight = {
            let mut window = extension.lock();
            window.prune(at_ms);
            window.0.len() > extension_max
        };
        let mut attempt = Attempt {
            guesses: self,
            windows: Vec::with_capacity(3),
            at_ms,
        };
        if tight {
            if self
                .tightened
                .fetch_add(1, Ordering::Relaxed)
                .is_multiple_of(100)
            {
                tracing::warn!(%stage, %client_id, "PINs are being guessed; every network has one try a minute");
            }
            let network = Key::Network(stage, client_id.clone(), network_of(address));
            let max = bound(limits.pin_failures_tightened_per_minute_max);
            attempt.enter(self.window(&network), max)?;
        }
        let address = Key::Address(address_of(address));
        attempt.enter(
            self.window(&address),
            bound(limits.pin_failures_per_minute_max),
        )?;
        // One above the bound says "tight"; more need not be remembered.
        if !tight {
            extension.lock().0.push_back(at_ms);
            attempt.windows.push(extension);
        }
        Ok(attempt)
    }
}

fn bound(count: u32) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

impl Attempt<'_> {
    fn enter(&mut self, window: SharedWindow, max: usize) -> Result<(), Error> {
        let entered = window.lock().enter(self.at_ms, max);
        match entered {
            Ok(()) => {
                self.windows.push(window);
                Ok(())
            }
            Err(retry_after_ms) => {
                self.leave_all();
                Err(Error::RateLimited { retry_after_ms })
            }
        }
    }

    fn leave_all(&mut self) {
        for window in self.windows.drain(..) {
            window.lock().leave(self.at_ms);
        }
    }

    /// Counts a wrong PIN as one; anything else, a fault of ours too, does not count.
    pub(crate) fn settle<T>(self, outcome: &Result<T, Error>) {
        match outcome {
            Err(Error::PinInvalid | Error::CredentialInvalid) => {
                self.guesses.failures.fetch_add(1, Ordering::Relaxed);
            }
            _ => self.forgive(),
        }
    }

    /// Does not count the try.
    fn forgive(mut self) {
        self.leave_all();
    }
}

/// One source address: an IPv6 customer has a whole /64.
pub(crate) fn address_of(address: IpAddr) -> IpAddr {
    masked(address, 32, 64)
}

fn network_of(address: IpAddr) -> IpAddr {
    masked(address, 24, 48)
}

/// An address with all but its first bits zeroed. IPv4 in IPv6 counts as IPv4.
pub(crate) fn masked(address: IpAddr, v4_bits: u32, v6_bits: u32) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32 - v4_bits).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() & mask))
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128 - v6_bits).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & mask))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_masked_by_family() {
        let mask = |text: &str, v4, v6| masked(text.parse().unwrap(), v4, v6).to_string();
        assert_eq!(mask("203.0.113.77", 24, 48), "203.0.113.0");
        assert_eq!(mask("203.0.113.77", 32, 64), "203.0.113.77");
        assert_eq!(mask("::ffff:203.0.113.77", 24, 48), "203.0.113.0");
        assert_eq!(mask("::ffff:203.0.113.77", 32, 64), "203.0.113.77");
        assert_eq!(mask("2001:db8:1:2:3:4:5:6", 24, 48), "2001:db8:1::");
        assert_eq!(mask("2001:db8:1:2:3:4:5:6", 24, 64), "2001:db8:1:2::");
    }

    #[test]
    fn a_window_lets_so_many_in_and_more_when_a_minute_has_passed() {
        let mut window = Window::default();
        for at_ms in 0..5 {
            assert_eq!(window.enter(at_ms, 5), Ok(()));
        }
        assert_eq!(window.enter(10, 5), Err(WINDOW_MS - 10));
        assert_eq!(window.enter(WINDOW_MS, 5), Ok(()));
        window.leave(WINDOW_MS);
        assert_eq!(window.enter(WINDOW_MS, 5), Ok(()));
    }
}
