//! What frames ask for, one file a kind.
//!
//! A command that can be done at once is; one that has to ask the store answers a future, and the socket's next frame
//! waits for it, so that the frames of one socket keep their order.

mod auth;
mod change;
mod history;
mod positions;
mod presence;
mod send;
mod submit;
mod typing;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use super::Gateway;
use super::access::Asking;
use super::session::{Problem, Session};
use crate::model::Timestamp;
use crate::protocol::{ClientFrame, Pong, Ref, ServerFrame};

pub use self::change::Change;
pub use self::history::range;
pub use self::send::{Destination, Draft};

/// What a frame asked for, while it is under way.
pub type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Gateway {
    /// Does what the frame asks for, or answers the work that is left.
    pub(super) fn act(
        &self,
        session: &Arc<Session>,
        reference: Option<Ref>,
        frame: ClientFrame,
    ) -> Option<Work> {
        let (gateway, session) = (self.clone(), Arc::clone(session));
        match frame {
            ClientFrame::Send(send) => gateway.send_frame(session, reference, *send),
            ClientFrame::Edit(edit) => Some(Box::pin(gateway.change_frame(session, reference, edit.into()))),
            ClientFrame::Delete(delete) => {
                Some(Box::pin(gateway.change_frame(session, reference, delete.into())))
            }
            ClientFrame::React(react) => {
                Some(Box::pin(gateway.change_frame(session, reference, react.into())))
            }
            ClientFrame::Ack(ack) => gateway.acknowledge(session, reference, ack),
            ClientFrame::Read(read) => gateway.read(session, reference, read),
            ClientFrame::Typing(typing) => gateway.typing(session, reference, typing),
            ClientFrame::History(request) => {
                Some(Box::pin(gateway.history_frame(session, reference, request)))
            }
            ClientFrame::Sync(request) => Some(Box::pin(async move {
                if let Err(problem) = gateway.sync(&session, reference.as_ref(), request.cursors).await {
                    session.refuse(reference.as_ref(), None, &problem);
                }
            })),
            ClientFrame::Presence(request) => {
                Some(Box::pin(gateway.presence_frame(session, reference, request)))
            }
            ClientFrame::State(state) => {
                if session.set_active(state.active) == state.active {
                    return None;
                }
                Some(Box::pin(async move { gateway.routes.user(session.user_id.clone()).await }))
            }
            ClientFrame::Auth(auth) => Some(Box::pin(gateway.auth_frame(session, reference, auth))),
            ClientFrame::Ping => {
                let reference = reference.as_deref();
                session.answer(&ServerFrame::Pong(Pong { reference, server_time: Timestamp::now() }));
                None
            }
            ClientFrame::Hello(_) => {
                let problem = Problem::bad_request("`hello` was said already; `auth` shows a fresh token");
                session.refuse(reference.as_ref(), None, &problem);
                None
            }
        }
    }
}

impl Session {
    fn asking(&self) -> Asking<'_> {
        Asking { id: &self.user_id, connected: true }
    }
}
