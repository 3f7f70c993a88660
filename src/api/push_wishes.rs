//! `push` of `/v1/me`: when a user's phones may ring.

use std::time::Duration;

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Api;
use super::me::{given, no_user};
use crate::config::duration;
use crate::gateway::Problem;
use crate::model::UserId;
use crate::store::{DoNotDisturb, PushPreferences};

/// As it is answered; what is not set is `null`.
#[derive(Serialize, ToSchema)]
pub struct Wishes {
    #[schema(required = true)]
    do_not_disturb: Option<Hours>,
    #[schema(required = true)]
    hold_until_unread: Option<Span>,
}

/// `22:00` to `07:00` in a time zone: an end before the begin is on the next day.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct Hours {
    from: String,
    until: String,
    time_zone: String,
}

/// Written as `30s` or `5m`, as in the configuration.
#[derive(Serialize, Deserialize, ToSchema)]
#[schema(value_type = String)]
struct Span(#[serde(with = "duration")] Duration);

/// What is missing stays; what is `null` is cleared.
#[derive(Deserialize, ToSchema)]
pub struct WishesRequest {
    #[serde(default, deserialize_with = "given")]
    do_not_disturb: Option<Option<Hours>>,
    #[serde(default, deserialize_with = "given")]
    hold_until_unread: Option<Option<Span>>,
}

/// A request that was checked.
pub struct WishesChange {
    do_not_disturb: Option<Option<DoNotDisturb>>,
    hold_until_unread: Option<Option<Duration>>,
}

impl WishesChange {
    /// `push: null` clears all of it.
    pub const CLEAR: Self = Self { do_not_disturb: Some(None), hold_until_unread: Some(None) };

    fn apply(self, wishes: &mut PushPreferences) {
        if let Some(hours) = self.do_not_disturb {
            wishes.do_not_disturb = hours;
        }
        if let Some(hold) = self.hold_until_unread {
            wishes.hold_until_unread = hold;
        }
    }
}

impl WishesRequest {
    /// `expiry`: what is held for longer than pushes live would never ring.
    pub fn check(self, expiry: Duration) -> Result<WishesChange, Problem> {
        let hours = self.do_not_disturb.map(|hours| hours.map(Hours::check).transpose()).transpose()?;
        let hold = self.hold_until_unread.map(|hold| hold.map(|Span(hold)| hold));
        if hold.flatten().is_some_and(|hold| hold >= expiry) {
            let expiry = humantime::format_duration(expiry);
            return Err(Problem::bad_request(format!(
                "`hold_until_unread` is shorter than {expiry}, after which a push is given up"
            )));
        }
        Ok(WishesChange { do_not_disturb: hours, hold_until_unread: hold })
    }
}

impl Hours {
    fn check(self) -> Result<DoNotDisturb, Problem> {
        let (from_minute, until_minute) = (minute("from", &self.from)?, minute("until", &self.until)?);
        if from_minute == until_minute {
            return Err(Problem::bad_request("`from` and `until` of `do_not_disturb` are not the same"));
        }
        let unknown =
            || Problem::bad_request("`time_zone` is a name of the IANA database, like Europe/Berlin");
        let zone = TimeZone::get(&self.time_zone).map_err(|_| unknown())?;
        let time_zone = zone.iana_name().ok_or_else(unknown)?.to_owned();
        Ok(DoNotDisturb { from_minute, until_minute, time_zone })
    }
}

/// Minutes since midnight of `07:30`.
fn minute(name: &str, text: &str) -> Result<u16, Problem> {
    let digits = |text: &str| {
        let two = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        two.then(|| text.parse::<u16>().ok()).flatten()
    };
    text.split_once(':')
        .and_then(|(hour, minute)| Some((digits(hour)?, digits(minute)?)))
        .filter(|(hour, minute)| *hour < 24 && *minute < 60)
        .map(|(hour, minute)| hour * 60 + minute)
        .ok_or_else(|| Problem::bad_request(format!("`{name}` is a time of day like 07:30")))
}

impl From<PushPreferences> for Wishes {
    fn from(wishes: PushPreferences) -> Self {
        let time = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
        Self {
            do_not_disturb: wishes.do_not_disturb.map(|hours| Hours {
                from: time(hours.from_minute),
                until: time(hours.until_minute),
                time_zone: hours.time_zone,
            }),
            hold_until_unread: wishes.hold_until_unread.map(Span),
        }
    }
}

impl Api {
    pub async fn push_wishes(&self, user: &UserId) -> Result<Wishes, Problem> {
        let wishes = self.gateway.store.push_preferences(user).await?;
        wishes.map(Wishes::from).ok_or_else(no_user)
    }

    pub async fn change_push_wishes(&self, user: &UserId, change: WishesChange) -> Result<Wishes, Problem> {
        let store = &self.gateway.store;
        let mut wishes = store.push_preferences(user).await?.ok_or_else(no_user)?;
        change.apply(&mut wishes);
        if !store.set_push_preferences(user, &wishes).await? {
            return Err(no_user());
        }
        Ok(wishes.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_day_are_read_strictly() {
        assert_eq!(minute("from", "00:00").ok(), Some(0));
        assert_eq!(minute("from", "23:59").ok(), Some(1439));
        for wrong in ["24:00", "12:60", "7:30", "07:3", "0730", "07:30:00", "+7:30", ""] {
            assert!(minute("from", wrong).is_err(), "{wrong}");
        }
    }
}
