"""What each alert must do: the series it sees, and which alerts fire after `minutes`.

Series are in promtool's notation (`start+stepxcount`), one sample every 30 s. Every alert has a case in which it
fires for its cause and one that comes close and stays quiet; test_rules.py checks that none is left out.
"""

NS = 'namespace="chat"'


def roles(*present, hours=1):
    """build_info of every role named in `present`."""
    return {f'tidings_build_info{{{NS},pod="{r}-0",role="{r}"}}': f"1x{hours * 120}" for r in present}


ALL = roles("gateway", "worker", "push", hours=8)


def deliveries(fast, slow, hours, le="1"):
    """Deliveries per 30 s: `fast` within one second, `slow` not."""
    labels, steps = f'{NS},pod="gateway-0"', hours * 120
    return {
        f'tidings_delivery_seconds_bucket{{{labels},le="{le}"}}': f"0+{fast}x{steps}",
        f'tidings_delivery_seconds_count{{{labels}}}': f"0+{fast + slow}x{steps}",
    }


def publishes(confirmed, failed, result="timeout"):
    return {
        f'tidings_publishes_total{{{NS},pod="gateway-0",result="confirmed"}}': f"0+{confirmed}x120",
        f'tidings_publishes_total{{{NS},pod="gateway-0",result="{result}"}}': f"0+{failed}x120",
    }


def up(dependency, values):
    return {f'tidings_dependency_up{{{NS},pod="worker-0",dependency="{dependency}"}}': values}


def queue(name, ready=None, consumed=None, age=None):
    labels, series = f'{NS},pod="worker-0",queue="{name}"', {}
    if ready:
        series[f'tidings_queue_messages{{{labels},state="ready"}}'] = ready
    if consumed:
        series[f'tidings_consumed_messages_total{{{labels},result="stored"}}'] = consumed
    if age:
        series[f"tidings_oldest_message_age_seconds{{{labels}}}"] = age
    return series


def connections(now, opened, closed_slow="0x120", limit="20000x120"):
    labels = f'{NS},pod="gateway-0"'
    return {
        f"tidings_connections{{{labels}}}": now,
        f"tidings_connections_limit{{{labels}}}": limit,
        f'tidings_connections_opened_total{{{labels},resumed="true"}}': opened,
        f'tidings_connections_closed_total{{{labels},reason="slow_consumer"}}': closed_slow,
        f'tidings_connections_closed_total{{{labels},reason="client"}}': "0+500x120",
    }


def pushes(delivered, other, result):
    labels = f'{NS},pod="push-0",provider="apns"'
    return {
        f'tidings_push_requests_total{{{labels},result="delivered"}}': f"0+{delivered}x120",
        f'tidings_push_requests_total{{{labels},result="{result}"}}': f"0+{other}x120",
    }


def expiry(days):
    """The test clock starts at 0, so a credential that lasts `days` ends at that many days."""
    return {f'tidings_push_credential_expiry_timestamp_seconds{{{NS},provider="apns"}}': f"{days * 86400}x120"}


def pool(within_100ms, slower):
    labels = f'{NS},pod="worker-0"'
    return {
        f'tidings_db_pool_acquire_seconds_bucket{{{labels},le="0.1"}}': f"0+{within_100ms}x120",
        f'tidings_db_pool_acquire_seconds_bucket{{{labels},le="0.25"}}': f"0+{within_100ms + slower}x120",
        f'tidings_db_pool_acquire_seconds_bucket{{{labels},le="+Inf"}}': f"0+{within_100ms + slower}x120",
    }


N = {"namespace": "chat"}
INBOUND = N | {"queue": "inbound"}

# (alert, what happens, series, minutes, the labels of each firing alert beside alertname and severity)
CASES = [
    ("TidingsDeliverySlowFastBurn", "2 % are late for an hour", deliveries(98, 2, 2), 90, [N]),
    ("TidingsDeliverySlowFastBurn", "2 % are late, bound written by Prometheus 3", deliveries(98, 2, 2, "1.0"), 90, [N]),
    ("TidingsDeliverySlowFastBurn", "1 % are late for an hour", deliveries(99, 1, 2), 90, []),
    ("TidingsDeliverySlowFastBurn", "nothing is delivered at all", deliveries(0, 0, 2), 90, []),
    ("TidingsDeliverySlowSlowBurn", "0.8 % are late for seven hours", deliveries(992, 8, 8), 430, [N]),
    ("TidingsDeliverySlowSlowBurn", "0.5 % are late for seven hours", deliveries(995, 5, 8), 430, []),
    ("TidingsPublishFailing", "2 % time out", publishes(98, 2), 20, [N]),
    ("TidingsPublishFailing", "2 % come back without a queue", publishes(98, 2, "returned"), 20, [N]),
    ("TidingsPublishFailing", "0.5 % time out", publishes(995, 5), 20, []),
    ("TidingsPublishFailing", "10 % time out, since a minute",
     {f'tidings_publishes_total{{{NS},result="{r}"}}': v for r, v in [("confirmed", "0+98x60"), ("timeout", "0x20 10+10x40")]}, 11, []),
    ("TidingsBrokerAlarm", "the broker blocks", ALL | up("rabbitmq", "1x10 0x60"), 15, [N]),
    ("TidingsBrokerAlarm", "the broker restarts within 30 s", ALL | up("rabbitmq", "1x10 0x1 1x60"), 6, []),
    ("TidingsBrokerAlarm", "another dependency is away", ALL | up("redis", "0x60"), 15, []),
    ("TidingsDependencyDown", "Redis is away", ALL | up("redis", "1x10 0x60"), 15, [N | {"dependency": "redis"}]),
    ("TidingsDependencyDown", "Postgres is away", ALL | up("postgres", "1x10 0x60"), 15, [N | {"dependency": "postgres"}]),
    ("TidingsDependencyDown", "Redis was away for a minute", ALL | up("redis", "1x10 0x2 1x60"), 6, []),
    ("TidingsDependencyDown", "the disk of dev is away", roles("dev") | up("sqlite", "0x60"), 15, [N | {"dependency": "sqlite"}]),
    ("TidingsDependencyDown", "the broker is away: another alert's job", ALL | up("rabbitmq", "0x60"), 15, []),
    ("TidingsConsumerStalled", "messages wait, the worker hangs", queue("inbound", "5x120", "0+9x10 90x110"), 20, [INBOUND]),
    ("TidingsConsumerStalled", "messages wait, the worker works", queue("inbound", "5x120", "0+9x120"), 20, []),
    ("TidingsConsumerStalled", "an idle queue", queue("inbound", "0x120", "7x120"), 20, []),
    ("TidingsConsumerStalled", "a queue for people, without consumer", queue("dead", "5x120"), 20, []),
    ("TidingsBacklogOld", "the oldest waits a minute", queue("inbound", "5x60", "0+9x60", "60x60"), 10, [INBOUND]),
    ("TidingsBacklogOld", "the oldest waits 20 s", queue("inbound", "5x60", "0+9x60", "20x60"), 10, []),
    ("TidingsBacklogOld", "dead letters are old", queue("dead", "5x60", None, "9000x60"), 10, []),
    ("TidingsDeadLetters", "one more",
     {f'tidings_dead_lettered_messages_total{{{NS},queue="inbound",reason="refused"}}': "0x20 1x60"}, 15,
     [INBOUND | {"reason": "refused"}]),
    ("TidingsDeadLetters", "one by a process before it was first scraped",
     {f'tidings_dead_lettered_messages_total{{{NS},queue="push",reason="undecodable"}}': "_x38 1x60"}, 20,
     [N | {"queue": "push", "reason": "undecodable"}]),
    ("TidingsDeadLetters", "a new process with none",
     {f'tidings_dead_lettered_messages_total{{{NS},queue="push",reason="undecodable"}}': "_x38 0x60"}, 20, []),
    ("TidingsDeadLetters", "some from yesterday",
     {f'tidings_dead_lettered_messages_total{{{NS},queue="inbound",reason="refused"}}': "7x120"}, 20, []),
    ("TidingsReconnectStorm", "1,000 of 15,000 a minute", connections("15000x120", "0+500x120"), 10, [N]),
    ("TidingsReconnectStorm", "1,000 a minute, since a minute", connections("15000x120", "0x20 500+500x99"), 11, []),
    ("TidingsReconnectStorm", "200 of 15,000 a minute", connections("15000x120", "0+100x120"), 10, []),
    ("TidingsReconnectStorm", "300 of 1,000 a minute: a small system", connections("1000x120", "0+150x120"), 10, []),
    ("TidingsReconnectStorm", "600 of 100,000 a minute: a large one", connections("100000x120", "0+300x120"), 10, []),
    ("TidingsGatewayNearLimit", "18,000 of 20,000", connections("18000x120", "0x120"), 10, [N | {"pod": "gateway-0"}]),
    ("TidingsGatewayNearLimit", "16,000 of 20,000", connections("16000x120", "0x120"), 10, []),
    ("TidingsGatewayNearLimit", "no limit set", connections("18000x120", "0x120", limit="0x120"), 10, []),
    ("TidingsSlowConsumers", "400 of 15,000 in ten minutes", connections("15000x120", "0x120", "0+20x120"), 30, [N]),
    ("TidingsSlowConsumers", "100 of 15,000 in ten minutes", connections("15000x120", "0x120", "0+5x120"), 30, []),
    ("TidingsSlowConsumers", "4 of 100 in ten minutes", connections("100x120", "0x120", "0+0.2x120"), 30, []),
    ("TidingsRoleMissing", "no gateway", roles("worker", "push"), 10, [N | {"role": "gateway"}]),
    ("TidingsRoleMissing", "no worker", roles("gateway", "push"), 10, [N | {"role": "worker"}]),
    ("TidingsRoleMissing", "no push", roles("gateway", "worker"), 10, [N | {"role": "push"}]),
    ("TidingsRoleMissing", "nothing at all", {}, 10, [{"role": "all"}]),
    ("TidingsRoleMissing", "the only worker restarts within a minute", roles("gateway", "push")
     | {f'tidings_build_info{{{NS},pod="worker-0",role="worker"}}': "1x10 _x12 1x60"}, 11, []),
    ("TidingsRoleMissing", "all three roles", ALL, 10, []),
    ("TidingsRoleMissing", "dev is everything", roles("dev"), 10, []),
    ("TidingsPushProviderFailing", "10 % are to be retried", pushes(90, 10, "retry"), 30, [N | {"provider": "apns"}]),
    ("TidingsPushProviderFailing", "10 % are refused", pushes(90, 10, "rejected"), 30, [N | {"provider": "apns"}]),
    ("TidingsPushProviderFailing", "2 % are to be retried", pushes(98, 2, "retry"), 30, []),
    ("TidingsPushProviderFailing", "30 % of the tokens are dead", pushes(70, 30, "invalid_token"), 30, []),
    ("TidingsPushCredentialExpiring", "10 days left", expiry(10), 5, [N | {"provider": "apns"}]),
    ("TidingsPushCredentialExpiring", "expired", expiry(0.01), 30, [N | {"provider": "apns"}]),
    ("TidingsPushCredentialExpiring", "20 days left", expiry(20), 5, []),
    ("TidingsPushCredentialExpiring", "does not expire", expiry(0), 5, []),
    ("TidingsDatabasePoolExhausted", "10 % wait longer than 100 ms", pool(90, 10), 15, [N | {"pod": "worker-0"}]),
    ("TidingsDatabasePoolExhausted", "0.5 % wait longer", pool(995, 5), 15, []),
]
