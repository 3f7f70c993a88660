"""Overview: is the service what we promise, where does a message get stuck, how much of the design is in use."""

from panels import (TARGET_CONNECTIONS, TARGET_LATENCY_SECONDS, TARGET_MESSAGES_PER_SECOND, dashboard, mean, quantile,
                    rate, row, series, share, stat)

WITHIN_A_SECOND = 'increase(tidings_delivery_seconds_bucket{@,le=~"1|1[.]0"}[$__range])'
ALL_DELIVERIES = "increase(tidings_delivery_seconds_count{@}[$__range])"
ACCEPTED = rate("tidings_messages_accepted_total")
# Dead letters wait for people and push_wait for its time: neither says that anything is slow.
OLDEST = 'max by (queue) (tidings_oldest_message_age_seconds{@})'

BOARD = dashboard("tidings-overview", "Tidings / Overview", "Service level, flow of messages and use of the design.", "", [
    row("Service level: 99.9 % of messages delivered within 1 s",
        stat("Delivered within 1 s", "Share of deliveries in the time shown that took at most one second from the "
             "sender's socket to the recipient's.", "percentunit", f"sum({WITHIN_A_SECOND}) / sum({ALL_DELIVERIES})", 6,
             [("red", None), ("orange", 0.999), ("green", 0.9995)]),
        stat("Error budget used", "How much of the 0.1 % that may be late was used in the time shown. Above 100 % the "
             "service level is missed.", "percentunit",
             f"(1 - sum({WITHIN_A_SECOND}) / sum({ALL_DELIVERIES})) / 0.001", 6,
             [("green", None), ("orange", 0.5), ("red", 1)]),
        series("Burn rate", "How many times faster than allowed the budget is being spent. 14.4 on both 1 h and 5 m wakes "
               "somebody, 6 on both 6 h and 30 m opens a ticket.", "short", [
                   ("5 m", "namespace:delivery_slow:ratio_rate5m{#} / 0.001"),
                   ("30 m", "namespace:delivery_slow:ratio_rate30m{#} / 0.001"),
                   ("1 h", "namespace:delivery_slow:ratio_rate1h{#} / 0.001"),
                   ("6 h", "namespace:delivery_slow:ratio_rate6h{#} / 0.001")], 12, 5, target=14.4)),
    row("Flow, from accept to push",
        stat("Accepted", "Messages a second that were confirmed by the broker and so accepted.", "cps", ACCEPTED),
        stat("Stored", "Entries a second that the workers committed. Follows Accepted; falls behind when Postgres or the "
             "workers do.", "cps", rate("tidings_consumed_messages_total", extra='result="stored"')),
        stat("Delivered", "Copies a second written to recipients' sockets: a message to a group counts once for each.",
             "cps", rate("tidings_delivery_seconds_count")),
        stat("Pushes decided", "Decisions to send a push, a second.", "cps",
             rate("tidings_push_decisions_total", extra='decision="sent"')),
        stat("Pushes taken by providers", "Requests a second that a provider took.", "cps",
             rate("tidings_push_requests_total", extra='result="delivered"')),
        stat("Waiting", "Messages ready in the queues that have consumers.", "short",
             'sum(max by (queue) (tidings_queue_messages{@,state="ready",queue!~"dead|push_wait"}))', 4, [("green", None), ("orange", 10_000)])),
    row("Share of the design target (15,000 connections, 28,000 messages a second, 35 ms)",
        share("Connections in use", "Open sockets as a share of the 15,000 of the design.",
              "sum(tidings_connections{@})", TARGET_CONNECTIONS),
        share("Messages in use", "Accepted messages a second as a share of the 28,000 of the design.", ACCEPTED,
              TARGET_MESSAGES_PER_SECOND),
        share("Mean latency in use", "Mean time from socket to socket as a share of the 35 ms of the design.",
              mean("tidings_delivery_seconds"), TARGET_LATENCY_SECONDS),
        series("Connections", "Open sockets; the line is the design target.", "short",
               [("connections", "sum(tidings_connections{@})")], target=TARGET_CONNECTIONS),
        series("Messages a second", "Accepted and delivered; the line is the design target.", "cps",
               [("accepted", ACCEPTED), ("delivered", rate("tidings_delivery_seconds_count"))],
               target=TARGET_MESSAGES_PER_SECOND),
        series("From socket to socket", "Time from receiving a message to writing it to a recipient's socket; the line is "
               "the design target for the mean.", "s", [
                   ("mean", mean("tidings_delivery_seconds")), ("p50", quantile(0.5, "tidings_delivery_seconds")),
                   ("p99", quantile(0.99, "tidings_delivery_seconds")),
                   ("p99.9", quantile(0.999, "tidings_delivery_seconds"))], target=TARGET_LATENCY_SECONDS)),
    row("What may be in the way",
        series("Dependencies", "1 when every process that needs the service reaches it. RabbitMQ is 0 also while it holds "
               "publishers back.", "short", [("{{dependency}}", "min by (dependency) (tidings_dependency_up{@})")], 6),
        series("Oldest message waiting", "Age of the oldest message of each queue; above 30 s an alert fires.", "s",
               [("{{queue}}", OLDEST)], 6, target=30),
        series("Refused to senders", "Requests answered with an error, by code.", "cps",
               [("{{code}}", rate("tidings_messages_rejected_total", "code"))], 6),
        series("Dead letters", "Messages put aside in the last hour, by queue and reason.", "short", [
            ("{{queue}} {{reason}}",
             "sum by (queue, reason) (increase(tidings_dead_lettered_messages_total{@}[1h]))")], 6)),
])
