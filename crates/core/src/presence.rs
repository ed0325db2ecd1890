//! Which paired games are connected to this node.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

/// Open sockets by family.
#[derive(Clone, Debug, Default)]
pub struct Presence(Arc<Mutex<HashMap<String, usize>>>);

/// A game's socket while it is open.
#[derive(Debug)]
pub struct Present {
    presence: Presence,
    fam: String,
}

impl Presence {
    /// Counts a socket of a family until the answer is dropped.
    pub fn enter(&self, fam: &str) -> Present {
        *self.0.lock().entry(fam.to_owned()).or_default() += 1;
        Present {
            presence: self.clone(),
            fam: fam.to_owned(),
        }
    }

    /// Whether a socket of the family is open.
    pub fn is_connected(&self, fam: &str) -> bool {
        self.0.lock().contains_key(fam)
    }
}

impl Present {
    /// Whose socket it is.
    pub fn fam(&self) -> &str {
        &self.fam
    }
}

impl Drop for Present {
    fn drop(&mut self) {
        let mut sockets = self.presence.0.lock();
        if let Some(count) = sockets.get_mut(&self.fam) {
            *count -= 1;
            if *count == 0 {
                sockets.remove(&self.fam);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_is_connected_while_any_socket_of_it_is_open() {
        let presence = Presence::default();
        let (first, second) = (presence.enter("f"), presence.enter("f"));
        drop(first);
        assert!(presence.is_connected("f"));
        drop(second);
        assert!(!presence.is_connected("f"));
        assert!(presence.0.lock().is_empty());
    }
}
