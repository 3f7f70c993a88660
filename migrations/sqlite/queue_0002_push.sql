-- Jobs of the push stage. lane: 0 work, 1 apns, 2 fcm, 3 webpush, 4 log; due: milliseconds since 1970.
CREATE TABLE push_jobs (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    lane    INTEGER NOT NULL,
    due     INTEGER NOT NULL,
    payload BLOB NOT NULL
) STRICT;

-- What the phones of a user show of a conversation: JSON that only the push stage understands.
CREATE TABLE push_screens (
    user_id         TEXT NOT NULL,
    conversation_id BLOB NOT NULL,
    state           BLOB NOT NULL,
    expires_at      INTEGER NOT NULL,
    PRIMARY KEY (user_id, conversation_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX push_screens_by_expiry ON push_screens (expires_at);

-- What signs in at a provider, encrypted, for as long as it is good: a restart is to go on with it.
CREATE TABLE push_credentials (
    name       TEXT PRIMARY KEY,
    value      BLOB NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
