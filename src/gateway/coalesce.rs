//! Many small look-ups as few large ones.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use crate::store::StoreError;

type Answer<Res> = Result<Res, Arc<StoreError>>;
type Fetch<Req, Res> =
    Box<dyn Fn(Vec<Req>) -> Pin<Box<dyn Future<Output = Result<Vec<Res>, StoreError>> + Send>> + Send + Sync>;

/// Collects requests while earlier ones are under way and sends what came together as one.
///
/// Alone, a request waits for nobody; in a storm of logins a few hundred share one statement.
pub struct Coalescer<Req, Res> {
    requests: mpsc::Sender<(Req, oneshot::Sender<Answer<Res>>)>,
}

/// Statements under way at once: one fills while the other is answered.
const UNDER_WAY: usize = 2;
/// Requests in one statement.
const TOGETHER: usize = 256;
/// Requests that may wait; past that callers wait to be let in.
const WAITING: usize = 4096;

impl<Req: Send + 'static, Res: Send + 'static> Coalescer<Req, Res> {
    /// `fetch` answers as many results as it got requests, in their order.
    pub fn new<F, Fut>(fetch: F) -> Self
    where
        F: Fn(Vec<Req>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Vec<Res>, StoreError>> + Send + 'static,
    {
        let (requests, inbox) = mpsc::channel(WAITING);
        let fetch: Fetch<Req, Res> = Box::new(move |batch| Box::pin(fetch(batch)));
        tokio::spawn(run(inbox, Arc::new(fetch)));
        Self { requests }
    }

    pub async fn get(&self, request: Req) -> Answer<Res> {
        let (reply, answer) = oneshot::channel();
        let gone = || Arc::new(StoreError::unavailable("the look-up was given up"));
        self.requests.send((request, reply)).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

async fn run<Req: Send + 'static, Res: Send + 'static>(
    mut inbox: mpsc::Receiver<(Req, oneshot::Sender<Answer<Res>>)>,
    fetch: Arc<Fetch<Req, Res>>,
) {
    let permits = Arc::new(tokio::sync::Semaphore::new(UNDER_WAY));
    let mut waiting = Vec::new();
    loop {
        let Ok(permit) = Arc::clone(&permits).acquire_owned().await else { return };
        if inbox.recv_many(&mut waiting, TOGETHER).await == 0 {
            return;
        }
        let (requests, replies): (Vec<Req>, Vec<_>) = waiting.drain(..).unzip();
        let fetch = Arc::clone(&fetch);
        tokio::spawn(async move {
            match fetch(requests).await {
                Ok(results) => {
                    for (reply, result) in replies.into_iter().zip(results) {
                        // Whoever asked may have gone.
                        let _ = reply.send(Ok(result));
                    }
                }
                Err(error) => {
                    let error = Arc::new(error);
                    for reply in replies {
                        let _ = reply.send(Err(Arc::clone(&error)));
                    }
                }
            }
            drop(permit);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[tokio::test(start_paused = true)]
    async fn requests_that_come_while_one_is_under_way_share_the_next() {
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&calls);
        let coalescer = Arc::new(Coalescer::new(move |batch: Vec<u32>| {
            counted.fetch_add(1, Ordering::Relaxed);
            async move {
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
                Ok(batch.into_iter().map(|n| n * 2).collect())
            }
        }));
        let asked = (0..100).map(|n| {
            let coalescer = Arc::clone(&coalescer);
            tokio::spawn(async move { (n, coalescer.get(n).await.unwrap()) })
        });
        for answer in futures_util::future::join_all(asked).await {
            let (n, doubled) = answer.unwrap();
            assert_eq!(doubled, n * 2);
        }
        assert!(calls.load(Ordering::Relaxed) <= 4, "{calls:?}");
    }

    #[tokio::test]
    async fn a_failure_reaches_everyone_who_asked_and_the_next_is_tried() {
        let failing = Arc::new(AtomicUsize::new(1));
        let state = Arc::clone(&failing);
        let coalescer = Coalescer::new(move |batch: Vec<u32>| {
            let fail = state.swap(0, Ordering::Relaxed) == 1;
            async move { if fail { Err(StoreError::unavailable("away")) } else { Ok(batch) } }
        });
        assert!(coalescer.get(1).await.is_err());
        assert_eq!(coalescer.get(2).await.unwrap(), 2);
    }
}
