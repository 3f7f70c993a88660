//! What a client does about holes: it asks for what is missing.

use std::rc::Rc;
use std::time::Duration;

use crate::checker::ReaderKey;

use super::resumed;
use super::worker::{Phase, Worker};

/// A live hole is given this long to close by itself.
const PATIENCE: Duration = Duration::from_secs(1);

/// Looks at the clients with holes each second, and while the run drains at all of them.
pub async fn run(worker: Rc<Worker>) {
    while !worker.is_stopping() {
        worker.pause(PATIENCE).await;
        let draining = worker.phase() == Phase::Drain;
        for index in 0..worker.clients.len() {
            let client = &mut *worker.clients[index].borrow_mut();
            let session = &mut client.session;
            if !session.ready || session.healing > 0 || !(session.gapped || draining) {
                continue;
            }
            session.gapped = false;
            let mut desk = worker.desk();
            let user = session.user as usize;
            let behind: Vec<ReaderKey> = worker.shared.readers[user]
                .iter()
                .copied()
                .filter(|reader| !desk.checker.is_complete(*reader))
                .collect();
            for reader in behind {
                let conversation = desk.checker.conversation_of(reader);
                if let Some(id) = desk.checker.conversation_id(conversation) {
                    let cursor = desk.checker.cursor(reader);
                    resumed::ask(session, &mut desk, id, cursor);
                }
            }
            if let Some(waker) = session.waker.take() {
                waker.wake();
            }
        }
    }
}
