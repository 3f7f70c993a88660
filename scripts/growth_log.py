"""Fills a store with stored messages, for scripts/growth.py.

Rows as the store itself would have left them: direct conversations of a hundred texts between users who have ten each, and among
them, still empty, the conversations in which the runs will write. So what is measured happens all over the tables and their
indexes and not at their ends. Twenty texts of each conversation at a time, as conversations grow beside each other.
"""
import contextlib
import hashlib
import random
import sqlite3
import subprocess
import uuid

TEXTS, AT_ONCE = 100, 20  # of one conversation, in all and in one statement
DIRECT = uuid.UUID("8d0f3c5a-9be2-5d41-a7c6-1f8e5b7044d2")  # as in src/model/ids.rs
BEGAN, STEP = 1_750_000_000_000, 60_000  # of each conversation, milliseconds


def direct_id(low, high):
    """What src/model/ids.rs makes of two names."""
    name = b"".join(len(user).to_bytes(4, "big") + user for user in (low.encode(), high.encode()))
    return uuid.UUID(bytes=hashlib.sha1(DIRECT.bytes + name).digest()[:16], version=5)


def pairs_of_run(seed, sockets):
    """Who writes to whom in a run of the pairs scenario, as in loadtest/src/plan.rs."""
    run = (seed ^ (seed >> 32)) & 0xFFFFFF
    return [(f"lt{run:06x}-{2 * pair}", f"lt{run:06x}-{2 * pair + 1}") for pair in range(sockets // 2)]


def conversations(messages, seeds, sockets):
    """(id, low, high, texts) of each, in the order in which they are made."""
    wanted = messages // TEXTS
    users = max(wanted // 5, 11)
    full = [(f"user-{n}", f"user-{(n + step) % users}") for n in range(users) for step in range(1, 6)][:wanted]
    empty = [pair for seed in seeds for pair in pairs_of_run(seed, sockets)]
    rows = [(*sorted(pair), texts) for pairs, texts in ((full, TEXTS), (empty, 0)) for pair in pairs]
    random.Random(1).shuffle(rows)
    return [(direct_id(low, high), low, high, texts) for low, high, texts in rows]


def passes(messages, say):
    for first in range(1, TEXTS + 1, AT_ONCE):
        say(f"{messages // TEXTS * (first - 1):,} of {messages:,} messages")
        yield first, first + AT_ONCE - 1


def psql(url, *statements, data=None):
    commands = [word for statement in statements for word in ("-c", statement)]
    command = ["psql", url, "-qAtX", "-v", "ON_ERROR_STOP=1", *commands]
    return subprocess.run(command, input=data, text=True, check=True, capture_output=True, start_new_session=True).stdout


def postgres(url, rows, messages, say):
    """Into a migrated database."""

    def sql(*statements, data=None):
        psql(url, *statements, data=data)

    lines = "".join(f"{id}\t{low}\t{high}\t{texts}\n" for id, low, high, texts in rows)
    sql("CREATE UNLOGGED TABLE filling (id uuid, low text, high text, texts bigint)")
    sql("COPY filling FROM STDIN", data=lines)
    sql(
        f"INSERT INTO users (id, created_at) SELECT DISTINCT name, {BEGAN} FROM filling, unnest(ARRAY[low, high]) AS name",
        f"""INSERT INTO conversations (id, kind, low_user, high_user, created_by, created_at, member_count, last_seq, text_count,
                oldest_at, low_sent_seq, low_sent_texts, high_sent_seq, high_sent_texts)
            SELECT id, 0, low, high, low, {BEGAN}, 2, texts, texts, CASE WHEN texts > 0 THEN {BEGAN + STEP} END,
                greatest(texts - 1, 0), greatest(texts - 1, 0), texts, texts FROM filling""",
        """INSERT INTO members (conversation_id, user_id, kind, role)
           SELECT id, name, 0, 2 FROM filling, unnest(ARRAY[low, high]) AS name""",
    )
    for first, last in passes(messages, say):
        sql(
            "SET synchronous_commit = off",
            f"""INSERT INTO messages (conversation_id, seq, id, client_id, created_at, texts, kind, sender_id, text)
                SELECT id, seq, gen_random_uuid(), gen_random_uuid(), {BEGAN} + seq * {STEP}, seq, 0,
                    CASE seq % 2 WHEN 1 THEN low ELSE high END, rpad('message ' || seq, 100, ' and so on')
                FROM filling, generate_series({first}, {last}) AS seq WHERE filling.texts > 0""",
        )
    say("vacuum, analyze, checkpoint")
    sql("DROP TABLE filling", "VACUUM (ANALYZE)", "CHECKPOINT")


def sqlite(path, rows, messages, say):
    """Into the file of a stopped `tidings dev`. Nothing analyses it later either: the store does not."""
    connection = sqlite3.connect(path, isolation_level=None)
    run = connection.execute
    for pragma in ("journal_mode = DELETE", "journal_mode = OFF", "synchronous = OFF", "cache_size = -1000000", "temp_store = MEMORY"):
        run(f"PRAGMA {pragma}")
    run("BEGIN")
    run("CREATE TEMP TABLE filling (number INTEGER PRIMARY KEY, id BLOB, low TEXT, high TEXT, texts INTEGER)")
    [(base,)] = run("SELECT coalesce(max(number), 0) FROM conversations")
    connection.executemany(
        "INSERT INTO filling VALUES (?, ?, ?, ?, ?)",
        ((base + place, id.bytes, low, high, texts) for place, (id, low, high, texts) in enumerate(rows, 1)),
    )
    names = "(SELECT number, id, low AS name FROM filling UNION ALL SELECT number, id, high FROM filling)"
    run(f"INSERT INTO users (id, created_at) SELECT DISTINCT name, {BEGAN} FROM {names}")
    run(
        f"""INSERT INTO conversations (number, id, kind, created_by, created_at, last_seq, text_count, member_count, low_user, high_user,
                low_sent_seq, low_sent_texts, high_sent_seq, high_sent_texts)
            SELECT number, id, 0, low, {BEGAN}, texts, texts, 2, low, high,
                max(texts - 1, 0), max(texts - 1, 0), texts, texts FROM filling"""
    )
    run(f"INSERT INTO members (conversation_id, user_id, kind, role) SELECT id, name, 0, 2 FROM {names}")
    for first, last in passes(messages, say):
        run(
            f"""WITH RECURSIVE seqs (seq) AS (SELECT {first} UNION ALL SELECT seq + 1 FROM seqs WHERE seq < {last})
                INSERT INTO messages (place, id, kind, sender_id, client_id, text, created_at, texts)
                SELECT number << 32 | seq, randomblob(16), 0, CASE seq % 2 WHEN 1 THEN low ELSE high END, randomblob(16),
                    substr('message ' || seq || replace(hex(zeroblob(10)), '00', ' and so on'), 1, 100), {BEGAN} + seq * {STEP}, seq
                FROM filling CROSS JOIN seqs WHERE texts > 0"""
        )
    say("writing")
    run("COMMIT")
    run("PRAGMA journal_mode = WAL")
    connection.close()


def sqlite_number(path, question):
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return connection.execute(question).fetchone()[0]


def postgres_number(url, question):
    return int(psql(url, question))
