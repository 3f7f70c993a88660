//! A scenario: who is there, what they do, for how long. Read from TOML; the command line overrides.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    pub name: String,
    #[serde(default)]
    pub description: String,
    /// Sockets over all shards, one a user.
    pub sockets: u32,
    /// Messages a second over all shards; 0 sends none.
    pub rate: f64,
    #[serde(with = "humantime_text")]
    pub duration: Duration,
    /// Sending before the measuring begins.
    #[serde(default = "five_seconds", with = "humantime_text")]
    pub warmup: Duration,
    /// How long stragglers may take after the last send before they count as stuck.
    #[serde(default = "half_a_minute", with = "humantime_text")]
    pub drain: Duration,
    #[serde(default = "default_text_bytes")]
    pub text_bytes: usize,
    /// Connects a second over all shards; 0 is as fast as `connecting_at_once` allows.
    #[serde(default = "default_connect_rate")]
    pub connect_rate: f64,
    /// Handshakes and logins that may be under way at once in this process.
    #[serde(default = "default_connecting")]
    pub connecting_at_once: usize,
    #[serde(default)]
    pub conversations: Conversations,
    #[serde(default)]
    pub receipts: Receipts,
    #[serde(default)]
    pub presence: Presence,
    #[serde(default)]
    pub churn: Churn,
    #[serde(default)]
    pub slow: Slow,
    #[serde(default)]
    pub push: Push,
}

/// Who talks with whom.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Conversations {
    /// Each user with one other.
    #[default]
    Pairs,
    /// Every user in `per_user` groups of `size`, each group with `history` stored messages that
    /// a login has to fetch.
    Groups {
        size: u32,
        #[serde(default = "one")]
        per_user: u32,
        #[serde(default)]
        history: u32,
    },
    /// All of a shard in one group; `writers` of them write.
    Room {
        #[serde(default = "one")]
        writers: u32,
    },
}

/// What readers tell the server.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Receipts {
    /// `ack` what arrived, at most once in this time and conversation.
    pub ack: bool,
    /// `read` it as well.
    pub read: bool,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Presence {
    /// Watch those with whom one shares a conversation, at most so many.
    pub watch: u32,
}

/// Who goes and comes back.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Churn {
    /// Sockets a second that are cut and connect again, over all shards.
    pub rate: f64,
    /// Seconds after the measuring began at which a share of all is cut at once.
    pub storm_at_s: f64,
    pub storm_share: f64,
    /// Those cut wait a random part of this before they connect again.
    pub back_within_s: f64,
}

/// Readers that stop reading.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Slow {
    pub share: f64,
    /// Each pause, in seconds; between two pauses they read for as long.
    pub pause_s: f64,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Push {
    /// Every user registers a device.
    pub devices: bool,
    /// This share of users, spread evenly, has no socket: what they get is pushed.
    pub offline_share: f64,
}

impl Scenario {
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the scenario {}", path.display()))?;
        toml::from_str(&text).with_context(|| format!("in the scenario {}", path.display()))
    }

    /// Says what cannot work before anything is connected.
    pub fn validate(&self) -> anyhow::Result<()> {
        ensure!(self.sockets >= 2, "a scenario needs at least 2 sockets");
        ensure!(self.rate >= 0.0 && self.rate.is_finite(), "the rate must be 0 or more");
        ensure!(self.text_bytes >= 1 && self.text_bytes <= 8192, "text_bytes is 1 to 8192");
        ensure!(self.connecting_at_once >= 1, "connecting_at_once is at least 1");
        let offline = self.push.offline_share;
        ensure!((0.0..=0.9).contains(&offline), "offline_share is 0 to 0.9");
        ensure!((0.0..=1.0).contains(&self.slow.share), "slow.share is 0 to 1");
        match self.conversations {
            Conversations::Groups { size, per_user, .. } => {
                ensure!((2..=1001).contains(&size), "a group has 2 to 1001 members");
                ensure!((1..=2000).contains(&per_user), "per_user is 1 to 2000");
            }
            Conversations::Room { writers } => ensure!(writers >= 1, "a room needs a writer"),
            Conversations::Pairs => {}
        }
        Ok(())
    }
}

fn five_seconds() -> Duration {
    Duration::from_secs(5)
}

fn half_a_minute() -> Duration {
    Duration::from_secs(30)
}

fn default_text_bytes() -> usize {
    100
}

fn default_connect_rate() -> f64 {
    3000.0
}

fn default_connecting() -> usize {
    256
}

fn one() -> u32 {
    1
}

/// Durations as people write them: `60s`, `1h 30m`.
mod humantime_text {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(value: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&humantime::format_duration(*value).to_string())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        let text = String::deserialize(from)?;
        humantime::parse_duration(&text).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_of_the_repository_can_be_read() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
        let mut count = 0;
        for file in std::fs::read_dir(folder).unwrap() {
            let scenario = Scenario::read(&file.unwrap().path()).unwrap();
            scenario.validate().unwrap();
            count += 1;
        }
        assert!(count >= 10, "{count} scenarios");
    }

    #[test]
    fn a_word_that_nobody_knows_is_an_error() {
        let text = "name='x'\nsockets=2\nrate=1\nduration='1s'\nspeed=3\n";
        assert!(toml::from_str::<Scenario>(text).is_err());
    }
}
