//! Hours in which nothing rings.

use jiff::tz::TimeZone;

use crate::model::Timestamp;
use crate::store::DoNotDisturb;

/// Whether `now` lies in these hours, which begin with their first minute and end before their last. A time zone that this machine
/// does not know has none.
pub(super) fn contain(hours: &DoNotDisturb, now: Timestamp) -> bool {
    let Some(minute) = minute_of_day(&hours.time_zone, now) else {
        tracing::warn!(time_zone = hours.time_zone, "push.decide: this machine does not know the time zone");
        return false;
    };
    let (from, until) = (hours.from_minute, hours.until_minute);
    if from <= until { (from..until).contains(&minute) } else { minute >= from || minute < until }
}

fn minute_of_day(time_zone: &str, now: Timestamp) -> Option<u16> {
    let zone = TimeZone::get(time_zone).ok()?;
    let there = jiff::Timestamp::from_millisecond(now.as_millis()).ok()?.to_zoned(zone);
    u16::try_from(i32::from(there.hour()) * 60 + i32::from(there.minute())).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(time: &str) -> Timestamp {
        let time: jiff::Timestamp = time.parse().unwrap();
        Timestamp::from_millis(time.as_millisecond())
    }

    fn hours(from: u16, until: u16) -> DoNotDisturb {
        DoNotDisturb {
            from_minute: from * 60,
            until_minute: until * 60,
            time_zone: "Europe/Berlin".to_owned(),
        }
    }

    #[test]
    fn hours_are_those_of_the_users_time_zone_and_may_go_past_midnight() {
        let night = hours(22, 7);
        // In winter an hour ahead of UTC, in summer two.
        for (time, quiet) in [
            ("2026-01-15T20:59:59Z", false),
            ("2026-01-15T21:00:00Z", true),
            ("2026-01-16T05:59:59Z", true),
            ("2026-01-16T06:00:00Z", false),
            ("2026-07-15T20:00:00Z", true),
            ("2026-07-16T05:00:00Z", false),
        ] {
            assert_eq!(contain(&night, at(time)), quiet, "{time}");
        }
        let lunch = hours(12, 13);
        assert!(contain(&lunch, at("2026-01-15T11:30:00Z")));
        assert!(!contain(&lunch, at("2026-01-15T12:00:00Z")));
        assert!(!contain(&hours(8, 8), at("2026-01-15T07:30:00Z")));
    }

    #[test]
    fn an_unknown_time_zone_has_no_such_hours() {
        let nowhere = DoNotDisturb { time_zone: "Nowhere/Land".to_owned(), ..hours(0, 23) };
        assert!(!contain(&nowhere, at("2026-01-15T12:00:00Z")));
    }
}
