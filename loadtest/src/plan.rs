//! Who is who and who talks with whom, decided by the seed alone, so that processes that share
//! nothing but it do not get in each other's way.

use rand::rngs::SmallRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};

use crate::client_id::Tag;
use crate::scenario::{Conversations, Scenario};

/// Users of one shard, by number, are below this.
const SHARD_STRIDE: u64 = 10_000_000;

/// Which part of the whole this process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    pub index: u32,
    pub of: u32,
}

impl std::str::FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = text
            .split_once('/')
            .and_then(|(index, of)| Some(Self { index: index.parse().ok()?, of: of.parse().ok()? }));
        match parsed {
            Some(shard) if shard.of <= 64 && shard.index < shard.of => Ok(shard),
            _ => Err("a shard is written i/n with i < n ≤ 64, as in 0/2".into()),
        }
    }
}

/// A conversation by the numbers of its members within this shard.
#[derive(Clone, Debug)]
pub struct Planned {
    pub members: Vec<u32>,
    pub writers: u32,
    pub direct: bool,
}

#[derive(Clone, Debug)]
pub struct Plan {
    pub tag: Tag,
    pub seed: u64,
    /// Names of this shard's users.
    pub users: Vec<String>,
    /// Whether the user has a socket.
    pub online: Vec<bool>,
    pub conversations: Vec<Planned>,
    /// The conversations of each user.
    pub memberships: Vec<Vec<u32>>,
    /// Who writes where, in the order in which the turns come round.
    pub turns: Vec<(u32, u32)>,
    /// This shard's share of the rates.
    pub share: f64,
}

impl Plan {
    pub fn new(scenario: &Scenario, seed: u64, shard: Shard) -> Self {
        let mut random = SmallRng::seed_from_u64(seed ^ (u64::from(shard.index) << 48));
        let sockets = scenario.sockets / shard.of + u32::from(shard.index < scenario.sockets % shard.of);
        let offline_share = scenario.push.offline_share;
        let count = (f64::from(sockets) / (1.0 - offline_share)).round() as u32;
        let first = u64::from(shard.index) * SHARD_STRIDE;
        let run = seed as u32 ^ (seed >> 32) as u32;
        let users: Vec<String> = (0..u64::from(count))
            .map(|number| format!("lt{:06x}-{}", run & 0xff_ffff, first + number))
            .collect();
        // Offline users are the odd ones as far as they go, so that pairs have one of each.
        let offline = (f64::from(count) * offline_share) as u32;
        let online = (0..count).map(|user| user % 2 == 0 || user / 2 >= offline).collect();
        let conversations = converse(&scenario.conversations, count, &mut random);
        let mut memberships = vec![Vec::new(); count as usize];
        for (index, planned) in conversations.iter().enumerate() {
            for member in &planned.members {
                memberships[*member as usize].push(index as u32);
            }
        }
        let mut plan = Self {
            tag: Tag::new(run, shard.index),
            seed: random.random(),
            users,
            online,
            conversations,
            memberships,
            turns: Vec::new(),
            share: 1.0 / f64::from(shard.of),
        };
        plan.turns = plan.turns_in_random_order(&mut random);
        plan
    }

    /// The number of a user of this shard by name.
    pub fn number_of(&self, name: &str) -> Option<usize> {
        let number: u64 = name.rsplit_once('-')?.1.parse().ok()?;
        let place = (number % SHARD_STRIDE) as usize;
        (self.users.get(place)? == name).then_some(place)
    }

    pub fn online_count(&self) -> u32 {
        self.online.iter().filter(|online| **online).count() as u32
    }

    fn turns_in_random_order(&self, random: &mut SmallRng) -> Vec<(u32, u32)> {
        let mut turns = Vec::new();
        for (index, planned) in self.conversations.iter().enumerate() {
            for member in planned.members.iter().take(planned.writers as usize) {
                if self.online[*member as usize] {
                    turns.push((*member, index as u32));
                }
            }
        }
        turns.shuffle(random);
        turns
    }
}

fn converse(kind: &Conversations, users: u32, random: &mut SmallRng) -> Vec<Planned> {
    match *kind {
        Conversations::Pairs => (0..users / 2)
            .map(|pair| Planned { members: vec![2 * pair, 2 * pair + 1], writers: 2, direct: true })
            .collect(),
        Conversations::Groups { size, per_user, .. } => {
            let mut everybody: Vec<u32> = (0..users).collect();
            let mut groups = Vec::new();
            for _ in 0..per_user {
                everybody.shuffle(random);
                for members in everybody.chunks(size as usize).filter(|group| group.len() > 1) {
                    groups.push(Planned { members: members.to_vec(), writers: size, direct: false });
                }
            }
            groups
        }
        Conversations::Room { writers } => {
            vec![Planned { members: (0..users).collect(), writers, direct: false }]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scenario(text: &str) -> Scenario {
        let base = "name='x'\nsockets=100\nrate=1\nduration='1s'\n";
        toml::from_str(&format!("{base}{text}")).unwrap()
    }

    #[test]
    fn shards_share_no_user_and_together_have_every_socket() {
        let scenario = scenario("");
        let mut names = std::collections::HashSet::new();
        for index in 0..3 {
            let plan = Plan::new(&scenario, 5, Shard { index, of: 3 });
            names.extend(plan.users);
        }
        assert_eq!(names.len(), 100);
    }

    #[test]
    fn every_user_is_in_as_many_groups_as_asked_for() {
        let scenario = scenario("[conversations]\nkind='groups'\nsize=10\nper_user=3\n");
        let plan = Plan::new(&scenario, 5, Shard { index: 0, of: 1 });
        assert_eq!(plan.conversations.len(), 30);
        assert!(plan.memberships.iter().all(|list| list.len() == 3));
    }

    #[test]
    fn half_offline_means_that_each_pair_has_one_socket_and_only_it_writes() {
        let scenario = scenario("[push]\noffline_share=0.5\n");
        let plan = Plan::new(&scenario, 5, Shard { index: 0, of: 1 });
        assert_eq!((plan.users.len(), plan.online_count()), (200, 100));
        assert_eq!(plan.turns.len(), 100);
    }
}
