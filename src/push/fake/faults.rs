use serde::{Deserialize, Serialize};

/// Whom a rule or a counter is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Service {
    Apns,
    Fcm,
    /// Google's endpoint for access tokens.
    FcmToken,
    Webpush,
}

impl Service {
    pub const ALL: [Self; 4] = [Self::Apns, Self::Fcm, Self::FcmToken, Self::Webpush];

    /// The name in the control port's paths.
    pub fn name(self) -> &'static str {
        match self {
            Self::Apns => "apns",
            Self::Fcm => "fcm",
            Self::FcmToken => "fcm-token",
            Self::Webpush => "webpush",
        }
    }

    pub(super) fn index(self) -> usize {
        match self {
            Self::Apns => 0,
            Self::Fcm => 1,
            Self::FcmToken => 2,
            Self::Webpush => 3,
        }
    }
}

/// How a request goes wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// This status, in the service's own words.
    Answer {
        status: u16,
        /// The service's word for it; each status has a usual one.
        reason: Option<String>,
        /// Sent as it is: seconds or an HTTP date.
        retry_after: Option<String>,
        /// Takes the place of the service's own body.
        body: Option<String>,
    },
    /// The connection says GOAWAY and ends without an answer.
    Goaway,
    /// The connection is reset.
    Reset,
    /// The answer comes this many milliseconds late.
    Slow(u64),
}

impl Fault {
    pub fn status(status: u16) -> Self {
        Self::Answer { status, reason: None, retry_after: None, body: None }
    }

    pub fn reason(status: u16, reason: &str) -> Self {
        Self::Answer { status, reason: Some(reason.to_owned()), retry_after: None, body: None }
    }

    pub fn retry_after(status: u16, after: &str) -> Self {
        Self::Answer { status, reason: None, retry_after: Some(after.to_owned()), body: None }
    }
}

/// When a fault happens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    pub fault: Fault,
    /// The share of matching requests that it takes, evenly spread: 0.05 takes every twentieth.
    #[serde(default = "whole")]
    pub share: f64,
    /// After this many the rule is spent; `null` for never.
    #[serde(default)]
    pub times: Option<u64>,
    /// Only pushes to this token.
    #[serde(default)]
    pub token: Option<String>,
    /// The phone gets the push although the sender gets the fault: the answer was lost.
    #[serde(default)]
    pub delivered: bool,
}

fn whole() -> f64 {
    1.0
}

impl Rule {
    /// Every request from now on.
    pub fn always(fault: Fault) -> Self {
        Self { fault, share: 1.0, times: None, token: None, delivered: false }
    }

    /// Only the next request.
    pub fn once(fault: Fault) -> Self {
        Self { times: Some(1), ..Self::always(fault) }
    }

    /// An evenly spread share of all requests.
    pub fn share(fault: Fault, share: f64) -> Self {
        Self { share, ..Self::always(fault) }
    }
}

/// The rules of all services and how far each has come.
#[derive(Default)]
pub(super) struct Faults(Vec<Active>);

struct Active {
    service: Service,
    rule: Rule,
    seen: u64,
    taken: u64,
}

impl Faults {
    pub fn add(&mut self, service: Service, rule: Rule) {
        self.0.push(Active { service, rule, seen: 0, taken: 0 });
    }

    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// The rule that takes this request, if any.
    pub fn next(&mut self, service: Service, token: Option<&str>) -> Option<Rule> {
        for active in self.0.iter_mut().filter(|active| active.service == service) {
            let about_it = active.rule.token.is_none() || active.rule.token.as_deref() == token;
            let spent = active.rule.times.is_some_and(|times| active.taken >= times);
            if !about_it || spent {
                continue;
            }
            active.seen += 1;
            // Spread evenly instead of by chance, so that a run can be repeated.
            let due = (active.seen as f64 * active.rule.share.clamp(0.0, 1.0)).floor() as u64;
            if due > active.taken {
                active.taken += 1;
                return Some(active.rule.clone());
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_takes_exactly_that_many_evenly_spread() {
        let mut faults = Faults::default();
        faults.add(Service::Apns, Rule::share(Fault::Reset, 0.25));
        let taken: Vec<bool> = (0..8).map(|_| faults.next(Service::Apns, None).is_some()).collect();
        assert_eq!(taken, [false, false, false, true, false, false, false, true]);
        assert!(faults.next(Service::Fcm, None).is_none());
    }

    #[test]
    fn a_rule_is_spent_after_its_times_and_keeps_to_its_token() {
        let mut faults = Faults::default();
        let rule = Rule { token: Some("a".to_owned()), ..Rule::once(Fault::status(410)) };
        faults.add(Service::Apns, rule);
        assert!(faults.next(Service::Apns, Some("b")).is_none());
        assert!(faults.next(Service::Apns, Some("a")).is_some());
        assert!(faults.next(Service::Apns, Some("a")).is_none());
    }

    #[test]
    fn a_rule_is_written_in_json_as_the_documentation_says() {
        let json = r#"{"fault": {"answer": {"status": 429, "retry_after": "2"}}, "share": 0.05}"#;
        let rule: Rule = serde_json::from_str(json).expect("a rule");
        assert_eq!(rule, Rule::share(Fault::retry_after(429, "2"), 0.05));
        let rule: Rule = serde_json::from_str(r#"{"fault": {"slow": 200}}"#).expect("a rule");
        assert_eq!(rule, Rule::always(Fault::Slow(200)));
        let rule: Rule = serde_json::from_str(r#"{"fault": "goaway"}"#).expect("a rule");
        assert_eq!(rule.fault, Fault::Goaway);
    }
}
