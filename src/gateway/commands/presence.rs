//! `presence`: who is there now, and what changes of that while the socket lives.

use std::sync::Arc;

use crate::gateway::Gateway;
use crate::gateway::session::{Problem, Session};
use crate::model::{Presence, Status, UserId};
use crate::protocol::{PresenceFrame, PresenceRequest, Ref, ServerFrame};

/// Users in one request.
const MAX_USERS: usize = 100;
/// Users whom one socket can watch.
const WATCHED: usize = 1000;

impl Gateway {
    pub(super) async fn presence_frame(
        self,
        session: Arc<Session>,
        reference: Option<Ref>,
        request: PresenceRequest,
    ) {
        let answered = async {
            let visible = self.visible(&session.user_id, &request.user_ids).await?;
            self.watch(&session, &visible).await;
            self.presence_of(&request.user_ids, &visible).await
        };
        match answered.await {
            Ok(presences) => {
                for presence in &presences {
                    let reference = reference.as_deref();
                    session.answer(&ServerFrame::Presence(PresenceFrame { reference, presence }));
                }
            }
            Err(problem) => session.refuse(reference.as_ref(), None, &problem),
        }
    }

    /// Which of these let `viewer` see them.
    pub async fn visible(&self, viewer: &UserId, users: &[UserId]) -> Result<Vec<UserId>, Problem> {
        if users.is_empty() || users.len() > MAX_USERS {
            return Err(Problem::bad_request(format!("`user_ids` are 1 to {MAX_USERS}")));
        }
        Ok(self.store.visible_to(viewer, users).await?)
    }

    /// How these are; who may not be seen looks like somebody who is not there.
    pub async fn presence_of(&self, users: &[UserId], visible: &[UserId]) -> Result<Vec<Presence>, Problem> {
        let seen = self.fanout.presence(visible).await.map_err(|error| {
            tracing::warn!(%error, "gateway.presence");
            Problem::unavailable("presence is away", 1000)
        })?;
        let presence = |user: &UserId| {
            seen.iter().find(|presence| presence.user_id == *user).cloned().unwrap_or_else(|| Presence {
                user_id: user.clone(),
                status: Status::Offline,
                last_seen_at: None,
            })
        };
        Ok(users.iter().map(presence).collect())
    }

    async fn watch(&self, session: &Arc<Session>, users: &[UserId]) {
        let fresh = self.watchers.watch(session, users, WATCHED);
        let gateway = *self.subscribed.borrow();
        if let (Some(gateway), false) = (gateway, fresh.is_empty())
            && let Err(error) = self.fanout.watch(gateway, &fresh).await
        {
            tracing::warn!(%error, "gateway.watch");
        }
    }
}
