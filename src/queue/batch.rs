//! What is published: a batch of accepted entries, and its bytes.

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::model::NewEntry;

/// Entries of one partition, in the order in which they were accepted. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Batch(Arc<Vec<NewEntry>>);

/// Why bytes are no batch.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    #[error("not the JSON of a batch: {0}")]
    Malformed(#[from] serde_json::Error),
    #[error("version {0} is newer than this release")]
    UnknownVersion(u32),
}

/// The layout of the bytes. Fields may be added with a default; anything else needs a new version, which this
/// release must read and the next one write.
const VERSION: u32 = 1;

#[derive(Serialize)]
struct Written<'a> {
    v: u32,
    entries: &'a [NewEntry],
}

#[derive(Deserialize)]
struct Version {
    v: u32,
}

#[derive(Deserialize)]
struct Read {
    entries: Vec<NewEntry>,
}

impl Batch {
    pub fn new(entries: Vec<NewEntry>) -> Self {
        Self(Arc::new(entries))
    }

    pub fn entries(&self) -> &[NewEntry] {
        &self.0
    }

    /// The entries themselves; copied only when somebody else holds the batch.
    pub fn into_entries(self) -> Vec<NewEntry> {
        Arc::unwrap_or_clone(self.0)
    }

    /// JSON, so that an operator can read a dead letter.
    pub fn encode(&self) -> Bytes {
        let written = Written { v: VERSION, entries: &self.0 };
        Bytes::from(
            serde_json::to_vec(&written)
                .expect("a batch has only string keys, and writing to memory cannot fail"),
        )
    }

    /// # Errors
    /// Bytes that no release up to this one wrote.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let known = bytes.starts_with(b"{\"v\":1,");
        if !known {
            let Version { v } = serde_json::from_slice(bytes)?;
            if v != VERSION {
                return Err(DecodeError::UnknownVersion(v));
            }
        }
        let Read { entries } = serde_json::from_slice(bytes)?;
        Ok(Self::new(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As release 0.1 wrote it. Later releases keep this test and add their own payload.
    const RELEASE_0_1: &str = r#"{"v":1,"entries":[{"conversation_id":"00000000-0000-0000-0000-000000000001","sender_id":"alice","client_id":"00000000-0000-0000-0000-000000000002","kind":"text","body":{"text":"hi","data":{"a": [1,  2]}},"peer":"bob","create":true,"received_ms":1767225600007}]}"#;

    #[test]
    fn a_batch_of_release_0_1_still_decodes() {
        let batch = Batch::decode(RELEASE_0_1.as_bytes()).unwrap();
        let entry = &batch.entries()[0];
        assert_eq!(entry.sender_id.as_str(), "alice");
        assert_eq!(entry.body.text.as_deref(), Some("hi"));
        assert_eq!(entry.body.data.as_ref().unwrap().get(), r#"{"a": [1,  2]}"#);
        assert!(entry.create && !entry.provision);
        assert_eq!(batch.encode(), RELEASE_0_1.as_bytes());
    }

    #[test]
    fn a_newer_version_and_rubbish_are_told_apart() {
        assert!(matches!(Batch::decode(br#"{"v":2,"x":1}"#), Err(DecodeError::UnknownVersion(2))));
        assert!(matches!(Batch::decode(b"\xff\x00"), Err(DecodeError::Malformed(_))));
    }
}
