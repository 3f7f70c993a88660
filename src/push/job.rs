//! What waits in the queues of the push stage: jobs, and their bytes. Ids only: what a phone shows is read when it is sent.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::model::{ConversationId, DeviceId, MessageId, PushOverride, Seq, Timestamp, UserId};
use crate::push::probe::ProbeJob;
use crate::queue::{PushJob, PushLane};

/// A job of the push stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Job {
    /// A batch was stored: whom do these concern?
    Stored(Vec<Notice>),
    /// The time of these users to acknowledge is over.
    Waiting(Vec<Waiting>),
    /// A user read: their other phones show what is not new any more.
    Read(ReadElsewhere),
    /// Somebody wants to see whether a device can be reached.
    Probe(ProbeJob),
    /// One provider's: ring these phones.
    Ring(Vec<Ring>),
    /// One provider's: send the summary of a conversation to a phone.
    Summary(Summary),
    /// One provider's: tell a phone what was read elsewhere.
    Clear(Clear),
}

/// A stored text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Notice {
    pub conversation_id: ConversationId,
    pub seq: Seq,
    pub id: MessageId,
    pub sender_id: UserId,
    /// The other one, when the conversation is direct.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<UserId>,
    pub stored_ms: i64,
    /// The server's own words, which the store does not keep.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub push: Option<PushOverride>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Waiting {
    pub notice: Notice,
    pub users: Vec<UserId>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReadElsewhere {
    pub conversation_id: ConversationId,
    pub user_id: UserId,
    pub seq: Seq,
    /// The device on which it was read, which needs no clearing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<DeviceId>,
    pub at_ms: i64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ring {
    pub notice: Notice,
    pub to: Vec<Phone>,
    /// Requests that were made for it.
    #[serde(default)]
    pub attempts: u32,
    /// Tells this job from another one about the same message, which a death in between may have made; the same when it comes again.
    #[serde(default, skip_serializing_if = "Claim::is_none")]
    pub claim: Claim,
}

/// The name of a job that rings phones: of those about one message, only the first to be looked at rings a phone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Claim(u64);

impl Claim {
    pub fn new() -> Self {
        Self(rand::random_range(1..=u64::MAX))
    }

    fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Phone {
    pub user_id: UserId,
    pub device_id: DeviceId,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    pub conversation_id: ConversationId,
    pub phone: Phone,
    pub since_ms: i64,
    #[serde(default)]
    pub attempts: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Clear {
    pub conversation_id: ConversationId,
    pub seq: Seq,
    pub phone: Phone,
    pub since_ms: i64,
    #[serde(default)]
    pub attempts: u32,
}

/// Why bytes are no job.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    #[error("not the JSON of a push job: {0}")]
    Malformed(#[from] serde_json::Error),
    #[error("version {0} is newer than this release")]
    UnknownVersion(u32),
}

/// The layout of the bytes, as that of batches: fields may be added with a default, anything else needs a new version.
const VERSION: u32 = 1;

#[derive(Serialize)]
struct Written<'a> {
    v: u32,
    job: &'a Job,
}

#[derive(Deserialize)]
struct Version {
    v: u32,
}

#[derive(Deserialize)]
struct Read {
    job: Job,
}

impl Job {
    /// JSON, so that an operator can read a dead letter.
    pub fn encode(&self) -> Bytes {
        let written = Written { v: VERSION, job: self };
        Bytes::from(serde_json::to_vec(&written).expect("names are text, and writing to memory cannot fail"))
    }

    /// # Errors
    /// Bytes that no release up to this one wrote.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let Version { v } = serde_json::from_slice(bytes)?;
        if v != VERSION {
            return Err(DecodeError::UnknownVersion(v));
        }
        let Read { job } = serde_json::from_slice(bytes)?;
        Ok(job)
    }

    /// On its way to a lane, at once or at a time.
    pub fn to(&self, lane: PushLane, due: Option<Timestamp>) -> PushJob {
        PushJob { lane, due, payload: self.encode() }
    }
}

impl Notice {
    pub fn stored_at(&self) -> Timestamp {
        Timestamp::from_millis(self.stored_ms)
    }
}

impl Summary {
    /// The id of one version of the summary.
    pub fn push_id(&self, of: &[Seq]) -> Uuid {
        let last = of.last().copied().unwrap_or_default();
        self.phone.push_id(self.conversation_id.as_uuid(), &format!("summary/{last}/{}", of.len()))
    }
}

impl Clear {
    pub fn push_id(&self) -> Uuid {
        self.phone.push_id(self.conversation_id.as_uuid(), &format!("clear/{}/{}", self.seq, self.since_ms))
    }
}

impl Phone {
    fn push_id(&self, about: Uuid, what: &str) -> Uuid {
        let whom =
            crate::push::provider::notification_id(about, self.user_id.as_str(), self.device_id.as_str());
        Uuid::new_v5(&whom, what.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As release 0.1 wrote it. Later releases keep this test and add their own payload.
    const RELEASE_0_1: &str = r#"{"v":1,"job":{"ring":[{"notice":{"conversation_id":"00000000-0000-0000-0000-000000000001","seq":7,"id":"00000000-0000-0000-0000-000000000002","sender_id":"ann","peer":"bob","stored_ms":1767225600007},"to":[{"user_id":"bob","device_id":"phone"}],"attempts":2}]}}"#;

    #[test]
    fn a_job_of_release_0_1_still_decodes() {
        let job = Job::decode(RELEASE_0_1.as_bytes()).unwrap();
        let Job::Ring(rings) = &job else { panic!("{job:?}") };
        assert_eq!((rings[0].notice.seq, rings[0].attempts), (Seq::new(7), 2));
        assert_eq!(job.encode(), RELEASE_0_1.as_bytes());
    }

    #[test]
    fn a_newer_version_and_rubbish_are_told_apart() {
        assert!(matches!(Job::decode(br#"{"v":2,"job":{}}"#), Err(DecodeError::UnknownVersion(2))));
        assert!(matches!(Job::decode(b"\xff"), Err(DecodeError::Malformed(_))));
    }

    #[test]
    fn every_version_of_a_summary_is_a_push_of_its_own() {
        let phone =
            Phone { user_id: UserId::parse("bob").unwrap(), device_id: DeviceId::parse("p").unwrap() };
        let summary = Summary { conversation_id: ConversationId::new(), phone, since_ms: 0, attempts: 0 };
        let seqs = |to: i64| (1..=to).map(Seq::new).collect::<Vec<_>>();
        assert_eq!(summary.push_id(&seqs(3)), summary.push_id(&seqs(3)));
        assert_ne!(summary.push_id(&seqs(3)), summary.push_id(&seqs(4)));
    }
}
