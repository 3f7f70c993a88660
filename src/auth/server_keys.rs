//! The keys of the application's own backend (`Authorization: Bearer KEY`).

use aws_lc_rs::constant_time::verify_slices_are_equal;
use sha2::{Digest, Sha256};

use super::settings::Secret;

/// The server keys, as hashes: the keys themselves are not kept in memory.
#[derive(Clone, Default)]
pub struct ServerKeys(Vec<[u8; 32]>);

impl ServerKeys {
    /// Empty keys are left out, so that `a,,b` or an unset variable opens nothing.
    pub fn new<'a>(keys: impl IntoIterator<Item = &'a Secret>) -> Self {
        let keys = keys.into_iter().map(|key| key.expose().trim());
        Self(keys.filter(|key| !key.is_empty()).map(hash).collect())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `presented` is one of the keys. The time tells neither which, nor how much of it
    /// was right: hashes are compared, each in full, and always all of them.
    pub fn contains(&self, presented: &str) -> bool {
        let presented = hash(presented);
        let matches = |key: &&[u8; 32]| verify_slices_are_equal(&key[..], &presented).is_ok();
        self.0.iter().filter(matches).count() > 0
    }
}

fn hash(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(list: &[&str]) -> ServerKeys {
        ServerKeys::new(&list.iter().map(|key| Secret::new(*key)).collect::<Vec<_>>())
    }

    #[test]
    fn each_key_of_the_list_is_known_and_nothing_near_it() {
        let keys = keys(&["first-key", " second-key "]);
        assert!(keys.contains("first-key"));
        assert!(keys.contains("second-key"));
        for other in ["", "first-ke", "first-key ", "First-key", "first-keyy", "first-key,second-key"] {
            assert!(!keys.contains(other), "{other:?}");
        }
    }

    #[test]
    fn empty_keys_open_nothing() {
        let keys = keys(&["", "  "]);
        assert!(keys.is_empty());
        assert!(!keys.contains(""));
        assert!(!keys.contains("  "));
    }
}
