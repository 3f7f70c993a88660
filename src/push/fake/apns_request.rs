use serde_json::Value;

use super::answer::Asked;
use super::apns::Refusal;
use super::phones::{Arrived, Shown};

const MAX_PAYLOAD: usize = 4096;
const MAX_VOIP_PAYLOAD: usize = 5120;

/// Everything about a request that does not depend on who sends it to whom.
pub(super) fn check_request(asked: &Asked) -> Result<Value, Refusal> {
    if let Some(id) = asked.header("apns-id")
        && uuid::Uuid::parse_str(id).is_err()
    {
        return Err(Refusal(400, "BadMessageId"));
    }
    if asked.header("apns-expiration").is_some_and(|at| at.parse::<u64>().is_err()) {
        return Err(Refusal(400, "BadExpirationDate"));
    }
    if asked.header("apns-collapse-id").is_some_and(|id| id.len() > 64) {
        return Err(Refusal(400, "BadCollapseId"));
    }
    let push_type = asked.header("apns-push-type").unwrap_or("alert");
    let types = [
        "alert",
        "background",
        "voip",
        "complication",
        "fileprovider",
        "mdm",
        "location",
        "liveactivity",
        "pushtotalk",
        "widgets",
        "controls",
    ];
    if !types.contains(&push_type) {
        return Err(Refusal(400, "InvalidPushType"));
    }
    let priority = asked.header("apns-priority").unwrap_or("10");
    if !["1", "5", "10"].contains(&priority) || (push_type == "background" && priority == "10") {
        return Err(Refusal(400, "BadPriority"));
    }
    let limit = if push_type == "voip" { MAX_VOIP_PAYLOAD } else { MAX_PAYLOAD };
    if asked.body.is_empty() {
        return Err(Refusal(400, "PayloadEmpty"));
    }
    if asked.body.len() > limit {
        return Err(Refusal(413, "PayloadTooLarge"));
    }
    let payload: Value = serde_json::from_slice(&asked.body).map_err(|_| Refusal(400, "PayloadEmpty"))?;
    if payload["aps"].is_object() { Ok(payload) } else { Err(Refusal(400, "PayloadEmpty")) }
}

pub(super) fn arrived(asked: &Asked, mut payload: Value) -> Arrived {
    let aps = payload["aps"].take();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let id = asked.header("apns-id").map(str::to_owned);
    let badge = aps["badge"].as_u64().and_then(|badge| u32::try_from(badge).ok());
    if let Some(root) = payload.as_object_mut() {
        root.remove("aps");
    }
    let key = asked.header("apns-collapse-id").map(str::to_owned).or_else(|| id.clone());
    let alert = aps.get("alert").map(|alert| Shown {
        key: key.unwrap_or_default(),
        title: text(&alert["title"]),
        body: text(&alert["body"]).or_else(|| text(alert)),
        thread: text(&aps["thread-id"]),
        sound: text(&aps["sound"]),
        channel: None,
        at_ms: 0,
        data: payload.clone(),
    });
    Arrived { id, alert, badge, data: payload }
}
