//! Coming in: who somebody is, whether they still may, their routes, their first sync.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::Gateway;
use super::access::look_up_failed;
use super::coalesce::Coalescer;
use super::session::{Problem, Session};
use crate::auth::{AckScope, Claims, TokenError};
use crate::model::{
    Admission, Conversation, ConversationId, Denial, Entry, Member, Membership, Seq, SessionId, Timestamp,
    UserId,
};
use crate::protocol::{CloseCode, ErrorCode, Reconnect, Ref, ServerFrame, Welcome};
use crate::store::{PageOf, Span, Store, StoreError};

/// Sockets in one look-up.
const TOGETHER: usize = 256;

/// Look-ups that many logins make at once.
pub struct Logins {
    admissions: Coalescer<Admission, Result<(), Denial>>,
    groups: Coalescer<UserId, Vec<Membership>>,
    pages: Coalescer<PageOf, Vec<Conversation>>,
    members: Coalescer<ConversationId, Vec<Member>>,
    spans: Coalescer<Span, Vec<Entry>>,
}

/// Somebody whose token is good and who may come in.
#[derive(Debug, Clone)]
pub struct Identity {
    pub user_id: UserId,
    pub sign_in: Option<SessionId>,
    pub expires_at: Timestamp,
    pub issued_at: Option<Timestamp>,
    /// The device that the token is bound to.
    pub device_id: Option<crate::model::DeviceId>,
}

/// Why somebody does not come in.
#[derive(Debug, Clone)]
pub enum Rejected {
    /// The token is not good.
    Token(TokenError),
    /// No such user, and none is to be made.
    Unknown,
    /// Deactivated, or the token was revoked.
    Expelled,
    /// The store is away, or there are too many at once: try again then.
    Later(Duration),
}

impl Rejected {
    pub const fn close_code(&self) -> CloseCode {
        match self {
            Self::Token(_) | Self::Unknown => CloseCode::Unauthenticated,
            Self::Expelled => CloseCode::Expelled,
            Self::Later(_) => CloseCode::TryAgainLater,
        }
    }

    pub fn problem(&self) -> Problem {
        match self {
            Self::Token(error) => Problem::new(ErrorCode::Unauthenticated, error.reason()),
            Self::Unknown => Problem::new(ErrorCode::NotFound, "there is no such user"),
            Self::Expelled => {
                Problem::new(ErrorCode::Unauthenticated, "the user is deactivated or the token revoked")
            }
            Self::Later(after) => {
                Problem::unavailable("not now", u64::try_from(after.as_millis()).unwrap_or(u64::MAX))
            }
        }
    }
}

impl Logins {
    pub fn new(store: &Arc<dyn Store>) -> Self {
        Self {
            admissions: looked_up(
                store,
                |store, asked: Vec<Admission>| async move { store.admit(&asked).await },
            ),
            groups: looked_up(
                store,
                |store, users: Vec<UserId>| async move { store.groups_of(&users).await },
            ),
            pages: looked_up(store, |store, pages: Vec<PageOf>| async move { store.pages_of(&pages).await }),
            members: looked_up(store, |store, groups: Vec<ConversationId>| async move {
                store.shown_members(&groups).await
            }),
            spans: looked_up(store, |store, spans: Vec<Span>| async move { store.spans(&spans).await }),
        }
    }

    /// A page of a user's conversations, groups without their members.
    pub async fn page(&self, page: PageOf) -> Result<Vec<Conversation>, Problem> {
        self.pages.get(page).await.map_err(|error| look_up_failed(&error))
    }

    /// The members that a group is shown with.
    pub async fn members(&self, group: ConversationId) -> Result<Vec<Member>, Problem> {
        self.members.get(group).await.map_err(|error| look_up_failed(&error))
    }

    pub async fn span(&self, span: Span) -> Result<Vec<Entry>, Problem> {
        self.spans.get(span).await.map_err(|error| look_up_failed(&error))
    }
}

/// One of the store's look-ups, for many at a time.
fn looked_up<Req: Send + 'static, Res: Send + 'static, Fut>(
    store: &Arc<dyn Store>,
    look_up: impl Fn(Arc<dyn Store>, Vec<Req>) -> Fut + Send + Sync + 'static,
) -> Coalescer<Req, Res>
where
    Fut: Future<Output = Result<Vec<Res>, StoreError>> + Send + 'static,
{
    let store = Arc::clone(store);
    Coalescer::new(move |asked| look_up(Arc::clone(&store), asked))
}

impl Gateway {
    /// Who the token is of.
    ///
    /// # Errors
    /// The token is not good, or not for this.
    pub async fn verify(&self, token: &str) -> Result<Identity, Rejected> {
        let mut identity = identity(self.claims(token).await?)?;
        if identity.expires_at <= Timestamp::now() {
            // Past its end by this clock and good all the same: its socket lives as long as another clock may say.
            identity.expires_at = identity.expires_at.plus(self.verifier.leeway());
        }
        Ok(identity)
    }

    async fn claims(&self, token: &str) -> Result<Claims, Rejected> {
        self.verifier.verify(token, SystemTime::now()).await.map_err(|error| {
            if error.is_retryable() {
                Rejected::Later(Duration::from_secs(1))
            } else {
                Rejected::Token(error)
            }
        })
    }

    /// Who the token is of, and what it may acknowledge when it is for nothing else.
    ///
    /// # Errors
    /// The token is not good, or not for this.
    pub async fn verify_ack(&self, token: &str) -> Result<(Identity, Option<AckScope>), Rejected> {
        let mut claims = self.claims(token).await?;
        let scope = match claims.scope.take() {
            None => None,
            // For something else: the rest of the token does not matter.
            Some(scope) => Some(AckScope::parse(&scope).ok_or(Rejected::Token(TokenError::BadSubject))?),
        };
        Ok((identity(claims)?, scope))
    }

    /// Whether they may still come in.
    pub async fn admit(&self, identity: &Identity) -> Result<(), Rejected> {
        let admission = Admission {
            user_id: identity.user_id.clone(),
            issued_at: identity.issued_at,
            session_id: identity.sign_in,
            provision: self.settings.auto_provision,
        };
        match self.logins.admissions.get(admission).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(Denial::Unknown)) => Err(Rejected::Unknown),
            Ok(Err(Denial::Deactivated | Denial::Revoked)) => Err(Rejected::Expelled),
            Err(error) => {
                tracing::warn!(%error, "gateway.admit");
                Err(Rejected::Later(Duration::from_millis(super::session::STORE_RETRY_MS)))
            }
        }
    }

    /// Whether a backend may act for this user; who is not known yet is made as by a token of their own.
    pub async fn act_for(&self, user: &UserId) -> Result<(), Problem> {
        let admission = Admission {
            user_id: user.clone(),
            // It shows no token that could have been revoked.
            issued_at: Some(Timestamp::from_millis(i64::MAX)),
            session_id: None,
            provision: self.settings.auto_provision,
        };
        match self.logins.admissions.get(admission).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(Denial::Unknown)) => Err(Rejected::Unknown.problem()),
            Ok(Err(Denial::Deactivated | Denial::Revoked)) => {
                Err(Problem::new(ErrorCode::Forbidden, "this user is deactivated"))
            }
            Err(error) => Err(look_up_failed(&error)),
        }
    }

    /// Closes sockets whose users were deactivated, or tokens revoked, while nothing was heard of it.
    pub(super) async fn admit_again(self) {
        let mut sessions = Vec::with_capacity(self.registry.sockets());
        self.registry.for_each_session(|session| sessions.push(Arc::clone(session)));
        for some in sessions.chunks(TOGETHER) {
            let asked = some.iter().map(|session| Admission {
                user_id: session.user_id.clone(),
                issued_at: session.issued_at(),
                session_id: session.sign_in,
                provision: false,
            });
            match self.store.admit(&asked.collect::<Vec<_>>()).await {
                Ok(answers) => {
                    let expelled = some.iter().zip(answers).filter(|(_, answer)| answer.is_err());
                    expelled.for_each(|(session, _)| session.close(CloseCode::Expelled));
                }
                Err(error) => tracing::warn!(%error, "gateway.admit_again"),
            }
        }
    }

    pub(super) fn welcome(&self, session: &Session, reference: Option<&Ref>) {
        session.answer(&ServerFrame::Welcome(Welcome {
            reference: reference.map(|text| &**text),
            session_id: session.id,
            user_id: &session.user_id,
            heartbeat_s: self.settings.gateway.heartbeat.as_secs(),
            max_frame_bytes: self.settings.gateway.max_frame_bytes,
            server_time: Timestamp::now(),
        }));
    }

    /// Registers the socket's routes, *then* reads where its conversations are: what is stored in between comes as an event.
    pub(super) async fn come_in(
        self,
        session: Arc<Session>,
        reference: Option<Ref>,
        cursors: HashMap<ConversationId, Seq>,
    ) {
        if let Err(problem) = self.enter(&session, reference.as_ref(), cursors).await {
            tracing::warn!(problem = problem.message, "gateway.login");
            session.refuse(reference.as_ref(), None, &problem);
            let after_ms = problem.retry_after_ms.unwrap_or(super::session::STORE_RETRY_MS);
            session.answer(&ServerFrame::Reconnect(Reconnect { after_ms, reason: &problem.message }));
            session.close(CloseCode::TryAgainLater);
        }
    }

    async fn enter(
        &self,
        session: &Arc<Session>,
        reference: Option<&Ref>,
        cursors: HashMap<ConversationId, Seq>,
    ) -> Result<(), Problem> {
        self.routes.user(session.user_id.clone()).await;
        let memberships = self.logins.groups.get(session.user_id.clone()).await;
        let memberships = memberships.map_err(|error| look_up_failed(&error))?;
        if !memberships.is_empty() {
            let opened = self.registry.join(&session.user_id, &memberships);
            self.shelves.forget_each(&opened);
            self.routes.groups(memberships.iter().map(|group| group.conversation_id).collect()).await;
        }
        self.sync(session, reference, cursors).await
    }

    /// The socket is gone: its routes go with it when it was its user's last here.
    pub(super) async fn leave(&self, session: &Session) {
        if let Some(groups) = self.registry.remove(session) {
            self.routes.user(session.user_id.clone()).await;
            self.routes.groups(groups).await;
        } else if session.is_active() {
            // Those that are left may all be in the background.
            self.routes.user(session.user_id.clone()).await;
        }
        let free = self.watchers.forget(session.id);
        let gateway = *self.subscribed.borrow();
        if let (Some(gateway), false) = (gateway, free.is_empty())
            && let Err(error) = self.fanout.unwatch(gateway, &free).await
        {
            tracing::debug!(%error, "gateway.unwatch");
        }
    }
}

/// What the rest of the gateway needs of a token's claims.
fn identity(claims: Claims) -> Result<Identity, Rejected> {
    if claims.scope.is_some() {
        return Err(Rejected::Token(TokenError::BadSubject));
    }
    let user_id = UserId::parse(&claims.user_id).map_err(|_| Rejected::Token(TokenError::BadSubject))?;
    Ok(Identity {
        user_id,
        sign_in: claims.session_id.map(SessionId::from_uuid),
        expires_at: millis(claims.expires_at.saturating_mul(1000)),
        issued_at: claims.issued_at_ms.map(millis),
        device_id: claims.device_id.and_then(|id| crate::model::DeviceId::parse(&id).ok()),
    })
}

fn millis(value: u64) -> Timestamp {
    Timestamp::from_millis(i64::try_from(value).unwrap_or(i64::MAX))
}
