"""Push: what was decided and why, what the providers say, whose credential runs out."""

from panels import dashboard, heatmap, percentiles, quantile, rate, row, series, stat

OLDEST = "max by (queue) (tidings_oldest_message_age_seconds{@})"

BOARD = dashboard("tidings-push", "Tidings / Push", "Decisions, providers and credentials.", "push", [
    row("Decisions",
        stat("Sent", "Decisions to push, a second.", "cps", rate("tidings_push_decisions_total", extra='decision="sent"'), 6),
        stat("Not needed", "Decisions a second not to push because a device acknowledged or the user read.", "cps",
             rate("tidings_push_decisions_total", extra='decision=~"acknowledged|read"'), 6),
        stat("Expired", "Pushes a second that nobody could deliver in time.", "cps",
             rate("tidings_push_decisions_total", extra='decision="expired"'), 6),
        stat("Credential ends in", "Time until the first credential of a provider expires, 10 years when none does; "
             "below 14 days an alert fires.", "s",
             "min(tidings_push_credential_expiry_timestamp_seconds{@} > 0) - time() or vector(10 * 365 * 86400)", 6,
             [("red", None), ("green", 14 * 86400)]),
        series("Decisions", "Every recipient's device and why it got a push or none.", "cps",
               [("{{decision}}", rate("tidings_push_decisions_total", "decision"))], 12),
        series("Stored to answered by the provider", "Includes the wait for an acknowledgement, 10 s unless configured "
               "otherwise, so two bands are normal.", "s",
               [("p50", quantile(0.5, "tidings_push_delay_seconds")),
                ("{{provider}} p99", quantile(0.99, "tidings_push_delay_seconds", "provider"))], 12)),
    row("Providers",
        series("Requests, by result", "Requests a second to each provider and what it answered.", "cps",
               [("{{provider}} {{result}}", rate("tidings_push_requests_total", "provider, result"))]),
        series("Failing", "Share of the requests that failed for another reason than a dead token; above 5 % an alert fires.",
               "percentunit", [("{{provider}}", "namespace_provider:push_failed:ratio_rate10m{#}")], target=0.05),
        series("Answer time", "p99 of a request by provider.", "s", percentiles("tidings_push_request_seconds", "provider")),
        series("Dead tokens", "Devices disabled an hour because the provider says they are gone.", "short",
               [("{{provider}}", "sum by (provider) (increase(tidings_push_tokens_invalidated_total{@}[1h]))")]),
        series("Credential ends in", "0 for a provider whose credential does not expire.", "s", [
            ("{{provider}}",
             "clamp_min(min by (provider) (tidings_push_credential_expiry_timestamp_seconds{@}) - time(), 0)")],
               target=14 * 86400),
        heatmap("Answer time, distribution", "All providers together.", "tidings_push_request_seconds", 8)),
    row("Queues",
        series("Waiting", "Messages ready by queue; the waiting rooms of delayed pushes are meant to hold some.", "short",
               [("{{queue}}", 'max by (queue) (tidings_queue_messages{@,state="ready"})')]),
        series("Oldest", "Age of the oldest message of each queue.", "s", [("{{queue}}", OLDEST)]),
        series("Dead letters", "Pushes put aside in the last hour: the provider calls them our fault.", "short",
               [("{{queue}} {{reason}}",
                 "sum by (queue, reason) (increase(tidings_dead_lettered_messages_total{@}[1h]))")])),
])
