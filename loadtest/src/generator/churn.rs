//! Cuts connections: a few all the time, or a share of all at once.

use std::rc::Rc;
use std::time::Duration;

use rand::RngExt;

use super::worker::{Window, Worker};

/// How often the steady cuts are made.
const STEP: Duration = Duration::from_millis(50);

/// Cuts this thread's part of what the scenario asks for, while the window lasts.
pub async fn run(worker: Rc<Worker>, window: Window) {
    let churn = &worker.shared.scenario.churn;
    let part = worker.clients.len() as f64 / f64::from(worker.shared.plan.online_count().max(1));
    let rate = churn.rate * worker.shared.plan.share * part;
    let storm_at_us = window.measured_from_us + (churn.storm_at_s * 1e6) as u64;
    let mut storm_to_come = churn.storm_share > 0.0;
    let mut owed = 0.0;
    loop {
        worker.pause(STEP).await;
        let now = worker.shared.clock.now_us();
        if now >= window.until_us || worker.is_stopping() {
            return;
        }
        if now < window.measured_from_us {
            continue;
        }
        if storm_to_come && now >= storm_at_us {
            storm_to_come = false;
            for index in 0..worker.clients.len() {
                if worker.random().random_bool(churn.storm_share.min(1.0)) {
                    cut(&worker, index);
                }
            }
        }
        owed += rate * STEP.as_secs_f64();
        while owed >= 1.0 {
            owed -= 1.0;
            let index = worker.random().random_range(0..worker.clients.len());
            cut(&worker, index);
        }
    }
}

fn cut(worker: &Worker, index: usize) {
    let session = &mut worker.clients[index].borrow_mut().session;
    if session.ready {
        session.cut = true;
        if let Some(waker) = session.waker.take() {
            waker.wake();
        }
    }
}
