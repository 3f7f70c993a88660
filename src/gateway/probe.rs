//! Test pushes: asked of the push stage by its queue, answered by the fan-out.

use std::time::Duration;

use tokio::time::Instant;

use super::Gateway;
use super::session::Problem;
use crate::model::{DeviceId, Timestamp, UserId};
use crate::protocol::ErrorCode;
use crate::push::job::Job;
use crate::push::probe::{ProbeAnswer, ProbeJob, Probed};
use crate::queue::PushLane;

/// Of the time that a request may take at all, what is left for saying that nobody answered.
const MARGIN: Duration = Duration::from_millis(500);

impl Gateway {
    /// Sends a test push to one device and answers with its provider's words.
    ///
    /// # Errors
    /// There is no such device, or nobody answered in time.
    pub async fn probe(&self, user: &UserId, device: &DeviceId) -> Result<Probed, Problem> {
        let away = || Problem::unavailable("the push stage does not answer", 5000);
        let off = || Problem::new(ErrorCode::Unsupported, "push is switched off here (push.enabled)");
        let pushing = self.pushing.as_ref().ok_or_else(off)?;
        let mut awaited = self.await_answer().ok_or_else(away)?;
        let patience = self.settings.gateway.http_timeout.saturating_sub(MARGIN);
        let deadline = Instant::now() + patience;
        let job = ProbeJob {
            user_id: user.clone(),
            device_id: device.clone(),
            gateway: awaited.gateway,
            request: awaited.request,
            until_ms: Timestamp::now().plus(patience).as_millis(),
        };
        let put = pushing.jobs.put(vec![Job::Probe(job).to(PushLane::Work, None)]);
        match tokio::time::timeout_at(deadline, put).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(%error, "gateway.probe");
                return Err(away());
            }
            Err(_) => return Err(away()),
        }
        let answer = tokio::time::timeout_at(deadline, awaited.answer()).await;
        let json = answer.ok().flatten().ok_or_else(away)?;
        match serde_json::from_slice(&json) {
            Ok(ProbeAnswer::Delivered(probed)) => Ok(probed),
            Ok(ProbeAnswer::NoDevice) => Err(Problem::new(ErrorCode::NotFound, "there is no such device")),
            Err(error) => {
                tracing::error!(%error, "gateway.probe");
                Err(Problem::new(ErrorCode::Internal, "the push stage's answer could not be read"))
            }
        }
    }
}
