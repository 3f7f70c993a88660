use super::*;

const LABELLED: &str = "labelled";

/// A metric's name, its type, and its labels with their values where those are fixed.
type Row = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

/// Every row of the table in the operations page.
const TABLE: &[Row] = &[
    ("connections", "gauge", &[]),
    ("connections_limit", "gauge", &[]),
    ("connections_opened_total", "counter", &[("resumed", "true false")]),
    ("connections_rejected_total", "counter", &[("reason", "auth origin capacity rate draining")]),
    (
        "connections_closed_total",
        "counter",
        &[("reason", "client drain slow_consumer idle too_large protocol auth error")],
    ),
    ("connection_duration_seconds", "histogram", &[]),
    ("handshake_duration_seconds", "histogram", &[("result", LABELLED)]),
    ("gateway_draining", "gauge", &[]),
    ("outbox_bytes", "gauge", &[]),
    ("frames_total", "counter", &[("direction", "in out"), ("type", LABELLED)]),
    ("frame_bytes_total", "counter", &[("direction", "in out"), ("type", LABELLED)]),
    ("publishes_total", "counter", &[("result", "confirmed returned nacked timeout")]),
    ("publish_confirm_seconds", "histogram", &[]),
    ("publish_batch_messages", "histogram", &[]),
    ("messages_accepted_total", "counter", &[]),
    (
        "messages_rejected_total",
        "counter",
        &[(
            "code",
            "bad_request unauthenticated forbidden not_found too_large rate_limited conflict \
             unavailable unsupported internal",
        )],
    ),
    (
        "consumed_messages_total",
        "counter",
        &[("queue", LABELLED), ("result", "stored duplicate rejected dead")],
    ),
    ("processing_seconds", "histogram", &[("stage", "persist fan_out notify ack")]),
    ("persist_batch_messages", "histogram", &[]),
    ("store_seconds", "histogram", &[]),
    ("delivery_seconds", "histogram", &[]),
    ("fanout_recipients", "histogram", &[]),
    ("resyncs_total", "counter", &[("reason", LABELLED)]),
    ("queue_messages", "gauge", &[("queue", LABELLED), ("state", "ready unacknowledged")]),
    ("oldest_message_age_seconds", "gauge", &[("queue", LABELLED)]),
    ("dead_lettered_messages_total", "counter", &[("queue", LABELLED), ("reason", LABELLED)]),
    (
        "push_decisions_total",
        "counter",
        &[("decision", "sent acknowledged read muted no_device expired budget deleted blocked")],
    ),
    ("push_requests_total", "counter", &[("provider", "apns fcm webpush log"), ("result", LABELLED)]),
    ("push_request_seconds", "histogram", &[("provider", "apns fcm webpush log")]),
    ("push_delay_seconds", "histogram", &[("provider", "apns fcm webpush log")]),
    ("push_tokens_invalidated_total", "counter", &[("provider", "apns fcm webpush log")]),
    ("push_credential_expiry_timestamp_seconds", "gauge", &[("provider", "apns fcm webpush log")]),
    ("dependency_up", "gauge", &[("dependency", LABELLED)]),
    ("db_pool_acquire_seconds", "histogram", &[]),
    ("db_pool_connections", "gauge", &[("state", LABELLED)]),
    ("build_info", "gauge", &[("version", LABELLED), ("revision", LABELLED), ("role", "dev")]),
];

#[test]
fn dev_shows_every_row_of_the_table_with_its_type_and_labels() {
    let text = Metrics::new(Role::Dev).to_text().unwrap();
    for (name, kind, labels) in TABLE {
        let line = format!("# TYPE tidings_{name} {kind}\n");
        assert!(text.contains(&line), "{name} is no {kind}:\n{text}");
        for (label, values) in *labels {
            let prefix = format!("tidings_{name}");
            let mut seen: Vec<&str> = text
                .lines()
                .filter(|line| line.starts_with(&prefix))
                .filter_map(|line| line.split_once(&format!("{label}=\""))?.1.split('"').next())
                .collect();
            seen.sort_unstable();
            seen.dedup();
            assert!(!seen.is_empty(), "{name} has no label {label}");
            if *values != LABELLED {
                let mut expected: Vec<&str> = values.split_whitespace().collect();
                expected.sort_unstable();
                assert_eq!(seen, expected, "{name}");
            }
        }
    }
    let declared = text.lines().filter(|line| line.starts_with("# TYPE tidings_")).count();
    assert_eq!(declared, TABLE.len(), "a metric is not in the table");
}

#[test]
fn every_series_begins_at_0() {
    for role in [Role::Dev, Role::Gateway, Role::Worker, Role::Push] {
        let text = Metrics::new(role).to_text().unwrap();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let value = line.rsplit(' ').next().unwrap();
            let expected = if line.starts_with("tidings_build_info") { "1" } else { "0" };
            assert_eq!(value, expected, "{line}");
        }
    }
}

#[test]
fn every_metric_has_a_help_text_that_is_a_sentence() {
    let text = Metrics::new(Role::Dev).to_text().unwrap();
    for line in text.lines().filter(|line| line.starts_with("# HELP")) {
        assert!(line.ends_with('.') && !line.contains("  "), "{line}");
    }
}

#[test]
fn a_role_shows_what_it_can_feed_and_nothing_else() {
    let shows = |role: Role, name: &str| {
        let text = Metrics::new(role).to_text().unwrap();
        text.contains(&format!("# TYPE tidings_{name} "))
    };
    assert!(shows(Role::Gateway, "connections") && !shows(Role::Worker, "connections"));
    assert!(shows(Role::Worker, "store_seconds") && !shows(Role::Gateway, "store_seconds"));
    assert!(shows(Role::Push, "push_decisions_total") && !shows(Role::Worker, "push_decisions_total"));
    assert!(shows(Role::Worker, "queue_messages") && shows(Role::Push, "queue_messages"));
}

#[test]
fn a_handle_counts_the_series_that_it_names() {
    let metrics = Metrics::new(Role::Gateway);
    metrics.gateway.frames_total.get(Direction::Out, FrameType::Accepted).inc_by(3);
    metrics.gateway.connections_closed_total.get(CloseReason::Idle).inc();
    metrics.gateway.handshake_duration_seconds.get(HandshakeResult::Ok).observe(0.02);
    let text = metrics.to_text().unwrap();
    for line in [
        "tidings_frames_total{direction=\"out\",type=\"accepted\"} 3\n",
        "tidings_frames_total{direction=\"in\",type=\"accepted\"} 0\n",
        "tidings_connections_closed_total{reason=\"idle\"} 1\n",
        "tidings_handshake_duration_seconds_bucket{result=\"ok\",le=\"0.025\"} 1\n",
        "tidings_handshake_duration_seconds_bucket{result=\"ok\",le=\"0.01\"} 0\n",
    ] {
        assert!(text.contains(line), "{line}{text}");
    }
}

#[test]
fn only_the_dependencies_of_the_role_exist() {
    let text = Metrics::new(Role::Gateway).to_text().unwrap();
    assert!(text.contains("tidings_dependency_up{dependency=\"rabbitmq\"} 0\n"));
    assert!(!text.contains("sqlite"));
    let text = Metrics::new(Role::Dev).to_text().unwrap();
    assert!(text.contains("tidings_dependency_up{dependency=\"sqlite\"} 0\n"));
    assert!(!text.contains("dependency=\"rabbitmq\""));
}

#[test]
fn metrics_that_a_role_does_not_show_can_still_be_counted() {
    let metrics = Metrics::new(Role::Worker);
    metrics.gateway.connections.inc();
    metrics.dependencies.dependency_up.get(Dependency::Sqlite).set(1);
    assert!(!metrics.to_text().unwrap().contains("tidings_connections "));
}
