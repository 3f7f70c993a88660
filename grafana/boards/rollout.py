"""Rollout: watch this one while gateways are replaced. Connections must move, not vanish, and without a storm."""

from panels import dashboard, quantile, rate, row, series, stat, table

BOARD = dashboard("tidings-rollout", "Tidings / Rollout", "Replacing gateways without a storm.", "", [
    row("Where the connections are",
        stat("Connections", "All open sockets: dips by what is on its way between two gateways.", "short",
             "sum(tidings_connections{@})", 6),
        stat("Draining gateways", "Gateways that refuse new sockets and send theirs away.", "short",
             "sum(tidings_gateway_draining{@})", 6, [("green", None), ("blue", 1), ("orange", 2)]),
        stat("Opened a minute", "Sockets opened a minute, all gateways.", "short",
             "namespace:connections_opened:per_minute{#}", 6, [("green", None), ("orange", 500)]),
        stat("Versions at work", "Different versions that run at this moment.", "short",
             "count(count by (version, revision) (tidings_build_info{@}))", 6, [("green", None), ("blue", 2)]),
        series("Connections by pod", "One band for each gateway: the old ones run empty over the drain window, the new "
               "ones fill.", "short", [("{{pod}}", "sum by (pod) (tidings_connections{@})")], 12, stack=True),
        series("Draining", "1 while a gateway drains. With the chart's pace at most one does at a time.", "short",
               [("{{pod}}", "max by (pod) (tidings_gateway_draining{@})")], 12)),
    row("How they move",
        series("Opened a second, by pod", "A slope as wide as the drain window is right, a spike is a storm.", "cps",
               [("{{pod}}", rate("tidings_connections_opened_total", "pod"))]),
        series("Closed, by reason", "A rollout closes with drain; error or idle beside it deserve a look.", "cps",
               [("{{reason}}", rate("tidings_connections_closed_total", "reason"))]),
        series("Turned away, by reason", "draining is normal here, capacity says that the remaining gateways are too few.",
               "cps", [("{{reason}}", rate("tidings_connections_rejected_total", "reason"))]),
        series("Handshake by pod", "p99 of the time to welcome: rises when too many come at once.", "s",
               [("{{pod}}", quantile(0.99, "tidings_handshake_duration_seconds", "pod"))]),
        series("Messages accepted", "Must not dip while gateways are replaced.", "cps",
               [("accepted", rate("tidings_messages_accepted_total")),
                ("refused", rate("tidings_messages_rejected_total"))]),
        series("Delivery", "p99 from socket to socket, by pod.", "s",
               [("{{pod}}", quantile(0.99, "tidings_delivery_seconds", "pod"))])),
    row("What runs",
        series("Processes by version", "How far the rollout is.", "short",
               [("{{role}} {{version}}", "count by (role, version) (tidings_build_info{@})")], 12),
        table("Processes", "Every process with its version and revision.", "short",
              "max by (namespace, pod, role, version, revision) (tidings_build_info{@})")),
])
