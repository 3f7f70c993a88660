//! `history`: a part of a log.

use std::sync::Arc;

use crate::gateway::Gateway;
use crate::gateway::session::{Problem, Session};
use crate::gateway::sync::fitting;
use crate::model::{ConversationId, Seq, UserId};
use crate::protocol::{HistoryFrame, HistoryRequest, MAX_SERVER_FRAME, Ref, ServerFrame};
use crate::store::{HistoryPage, Range};

/// Messages when the client does not say how many.
const DEFAULT_LIMIT: u32 = 50;
/// Bytes of messages in one answer.
const BUDGET: usize = MAX_SERVER_FRAME - 1024;

impl Gateway {
    pub(super) async fn history_frame(
        self,
        session: Arc<Session>,
        reference: Option<Ref>,
        request: HistoryRequest,
    ) {
        let id = request.conversation_id;
        let read = async {
            let range = range(request.before, request.after)?;
            let page = self.history(id, &session.user_id, range, request.limit).await?;
            Ok::<_, Problem>((page, range))
        };
        match read.await {
            Ok((page, range)) => {
                let (messages, cut) = match range {
                    Range::After(_) => fitting(page.entries.iter(), BUDGET),
                    Range::Before(_) => {
                        let (mut messages, cut) = fitting(page.entries.iter().rev(), BUDGET);
                        messages.reverse();
                        (messages, cut)
                    }
                };
                session.answer(&ServerFrame::History(HistoryFrame {
                    reference: reference.as_deref(),
                    conversation_id: id,
                    messages: &messages,
                    has_more: page.has_more || cut,
                    first_seq: page.first_seq,
                }));
            }
            Err(problem) => session.refuse(reference.as_ref(), None, &problem),
        }
    }

    /// A page of history for a member.
    ///
    /// # Errors
    /// `not_found` for everybody else, `bad_request` for a limit that is none.
    pub async fn history(
        &self,
        id: ConversationId,
        user: &UserId,
        range: Range,
        limit: Option<u32>,
    ) -> Result<HistoryPage, Problem> {
        let most = self.settings.gateway.history_limit;
        let limit = limit.unwrap_or(DEFAULT_LIMIT.min(most));
        if limit == 0 || limit > most {
            return Err(Problem::bad_request(format!("`limit` is 1 to {most}")));
        }
        self.store.history(id, user, range, limit as usize).await?.ok_or_else(Problem::no_conversation)
    }
}

/// Which way to read; from the end when the client names neither.
pub fn range(before: Option<Seq>, after: Option<Seq>) -> Result<Range, Problem> {
    match (before, after) {
        (Some(_), Some(_)) => Err(Problem::bad_request("either `before` or `after`")),
        (None, Some(seq)) => Ok(Range::After(seq)),
        (Some(seq), None) => Ok(Range::Before(seq)),
        (None, None) => Ok(Range::Before(Seq::MAX)),
    }
}
