//! How many connections a source address, or anything else with a name, may hold at a time.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use parking_lot::Mutex;

const SHARDS: usize = 16;

/// A source address as limits see it: an IPv6 address stands for its /64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AddressKey(IpAddr);

impl From<IpAddr> for AddressKey {
    fn from(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(v6) => {
                let network = u128::from(v6) & (u128::MAX << 64);
                IpAddr::V6(Ipv6Addr::from(network))
            }
            v4 @ IpAddr::V4(_) => v4,
        })
    }
}

/// Counts what is held under each key and refuses above a limit. A key nothing is held under takes
/// no memory.
#[derive(Debug)]
pub struct Quota<K> {
    max: u32,
    keyed: RandomState,
    shards: [Mutex<HashMap<K, u32>>; SHARDS],
}

impl<K: Clone + Eq + Hash> Quota<K> {
    /// A quota of `max` for each key.
    pub fn new(max: u32) -> Arc<Self> {
        Arc::new(Self {
            max,
            keyed: RandomState::new(),
            shards: std::array::from_fn(|_| Mutex::default()),
        })
    }

    /// Takes one place under a key until the permit is dropped; `None` when all are taken.
    pub fn try_acquire(self: &Arc<Self>, key: impl Into<K>) -> Option<Permit<K>> {
        let key = key.into();
        let mut held = self.shard(&key)?.lock();
        let count = held.entry(key.clone()).or_insert(0);
        if *count >= self.max {
            if *count == 0 {
                held.remove(&key);
            }
            return None;
        }
        *count += 1;
        drop(held);
        Some(Permit {
            quota: Arc::clone(self),
            key,
        })
    }

    /// How many places are taken under a key.
    pub fn held<Q>(&self, key: &Q) -> u32
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        let shard = self.shard(key);
        shard.map_or(0, |shard| shard.lock().get(key).copied().unwrap_or(0))
    }

    /// How many keys anything is held under.
    pub fn keys(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().len()).sum()
    }

    fn shard<Q: Hash + ?Sized>(&self, key: &Q) -> Option<&Mutex<HashMap<K, u32>>> {
        let hash = usize::try_from(self.keyed.hash_one(key) >> 32).unwrap_or(0);
        self.shards.get(hash % SHARDS)
    }

    fn release(&self, key: &K) {
        let Some(shard) = self.shard(key) else { return };
        let mut held = shard.lock();
        if let Some(count) = held.get_mut(key) {
            *count -= 1;
            if *count == 0 {
                held.remove(key);
                // A flood of addresses must not leave its map behind.
                if held.len() < held.capacity() / 8 {
                    held.shrink_to_fit();
                }
            }
        }
    }
}

/// One place taken in a [`Quota`], given back on drop.
#[derive(Debug)]
pub struct Permit<K: Clone + Eq + Hash> {
    quota: Arc<Quota<K>>,
    key: K,
}

impl<K: Clone + Eq + Hash> Permit<K> {
    /// Under which key the place is taken.
    pub fn key(&self) -> &K {
        &self.key
    }
}

impl<K: Clone + Eq + Hash> Drop for Permit<K> {
    fn drop(&mut self) {
        self.quota.release(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn above_the_limit_is_refused_until_a_place_is_given_back() {
        let quota: Arc<Quota<Arc<str>>> = Quota::new(2);
        let first = quota.try_acquire("a").unwrap();
        let _second = quota.try_acquire("a").unwrap();
        assert!(quota.try_acquire("a").is_none());
        assert!(quota.try_acquire("b").is_some());
        assert_eq!(quota.held("a"), 2);
        drop(first);
        assert!(quota.try_acquire("a").is_some());
    }

    #[test]
    fn nothing_is_kept_of_keys_that_hold_nothing() {
        let quota: Arc<Quota<u32>> = Quota::new(1);
        let permits: Vec<_> = (0..5_000_u32)
            .map(|key| quota.try_acquire(key).unwrap())
            .collect();
        assert_eq!(quota.keys(), 5_000);
        drop(permits);
        assert_eq!(quota.keys(), 0);
        let room: usize = quota
            .shards
            .iter()
            .map(|shard| shard.lock().capacity())
            .sum();
        assert!(room < 1_000, "{room}");
        let none: Arc<Quota<u32>> = Quota::new(0);
        assert!(none.try_acquire(1_u32).is_none());
        assert_eq!(none.keys(), 0);
    }

    #[test]
    fn addresses_of_one_ipv6_network_are_one_source() {
        let key = |text: &str| AddressKey::from(text.parse::<IpAddr>().unwrap());
        assert_eq!(key("2001:db8:1:2::1"), key("2001:db8:1:2:ffff::9"));
        assert_ne!(key("2001:db8:1:2::1"), key("2001:db8:1:3::1"));
        assert_eq!(key("::ffff:192.0.2.7"), key("192.0.2.7"));
        assert_ne!(key("192.0.2.7"), key("192.0.2.8"));
    }
}
