use hyper::HeaderMap;
use hyper::body::Bytes;
use serde_json::Value;

use super::Service;

/// A request as a service sees it.
pub(super) struct Asked {
    pub method: hyper::Method,
    pub path: String,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub has_client_certificate: bool,
}

impl Asked {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// What a service answers.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Said {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
}

impl Said {
    pub fn new(status: u16, body: impl Into<String>) -> Self {
        Self { status, headers: Vec::new(), body: body.into() }
    }

    pub fn json(status: u16, body: &Value) -> Self {
        Self::new(status, body.to_string()).header("content-type", "application/json")
    }

    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// One of the three. Answering is computing: nothing here waits.
pub(super) trait Answers: Send + Sync + 'static {
    fn kind(&self) -> Service;

    /// Which service this request is for, and the device token in it where there is one.
    fn addressed(&self, asked: &Asked) -> (Service, Option<String>);

    /// The proper answer; what was accepted is on the phone when it returns.
    fn answer(&self, asked: &Asked) -> Said;

    /// A refusal in this service's own words; `reason` where the rule names one.
    fn refusal(&self, status: u16, reason: Option<&str>) -> Said;

    fn world(&self) -> &super::World;
}
