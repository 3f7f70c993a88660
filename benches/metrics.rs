//! What the metrics cost a message: the updates that a text to one other person makes in gateway and worker, beside the few of its batch.
//!
//! `cargo bench --bench metrics`. By one thread, and by two that update the same series.

use std::hint::black_box;
use std::time::Instant;

use tidings::telemetry::Metrics;
use tidings::telemetry::metrics::{ConsumeResult, ConsumedQueue, Direction, FrameType, Role};

const MESSAGES: u32 = 2_000_000;

fn frame(metrics: &Metrics, direction: Direction, kind: FrameType, bytes: u64) {
    metrics.gateway.frames_total.get(direction, kind).inc();
    metrics.gateway.frame_bytes_total.get(direction, kind).inc_by(bytes);
}

fn message(metrics: &Metrics, took: f64) {
    frame(metrics, Direction::In, FrameType::Send, 250);
    frame(metrics, Direction::Out, FrameType::Accepted, 150);
    // The sender's own and the recipient's, and the recipient's acknowledgement with its receipt.
    frame(metrics, Direction::Out, FrameType::Message, 300);
    frame(metrics, Direction::Out, FrameType::Message, 300);
    frame(metrics, Direction::In, FrameType::Ack, 100);
    frame(metrics, Direction::Out, FrameType::Receipt, 150);
    metrics.gateway.messages_accepted_total.inc();
    metrics.gateway.delivery_seconds.observe(took);
    metrics.gateway.delivery_seconds.observe(took);
    metrics.queues.consumed_messages_total.get(ConsumedQueue::Inbound, ConsumeResult::Stored).inc();
    metrics.worker.store_seconds.observe(took);
    metrics.worker.fanout_recipients.observe(2.0);
}

/// Nanoseconds a message.
fn measure(threads: u32) -> f64 {
    let metrics = Metrics::new(Role::Dev);
    let began = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                (0..MESSAGES).for_each(|n| message(&metrics, black_box(f64::from(n % 100) / 1000.0)))
            });
        }
    });
    assert_eq!(metrics.gateway.messages_accepted_total.get(), u64::from(threads * MESSAGES));
    began.elapsed().as_nanos() as f64 / f64::from(MESSAGES)
}

fn main() {
    for threads in [1, 2] {
        println!("{threads} thread(s): {:.0} ns a message of 14 counters and 4 histograms", measure(threads));
    }
}
