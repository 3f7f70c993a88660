//! `auth`: a fresh token before the old one expires.

use std::sync::Arc;

use crate::gateway::Gateway;
use crate::gateway::login::Rejected;
use crate::gateway::session::{Problem, Session};
use crate::protocol::{Auth, ErrorCode, Ref};

impl Gateway {
    pub(super) async fn auth_frame(self, session: Arc<Session>, reference: Option<Ref>, auth: Auth) {
        let checked = async {
            let identity = self.verify(&auth.token).await?;
            self.admit(&identity).await?;
            Ok::<_, Rejected>(identity)
        };
        match checked.await {
            Ok(identity) if identity.user_id == session.user_id => {
                session.renew(identity.expires_at, identity.issued_at);
                self.welcome(&session, reference.as_ref());
            }
            Ok(_) => {
                let problem = Problem::new(ErrorCode::Unauthenticated, "this token is another user's");
                session.refuse(reference.as_ref(), None, &problem);
            }
            Err(rejected) => session.refuse(reference.as_ref(), None, &rejected.problem()),
        }
    }
}
