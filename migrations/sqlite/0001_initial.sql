-- Times are milliseconds since 1970; ids that are UUIDs are their 16 bytes; kinds, roles and the like are the model's codes.

CREATE TABLE users (
    id                TEXT PRIMARY KEY,
    display_name      TEXT,
    avatar_url        TEXT,
    password_hash     TEXT,
    created_at        INTEGER NOT NULL,
    deactivated_at    INTEGER,
    erased_at         INTEGER,
    tokens_valid_from INTEGER,
    -- no alert between these minutes of a day in that zone of the IANA database; all three or none
    quiet_from        INTEGER,
    quiet_until       INTEGER,
    quiet_zone        TEXT,
    -- ring only for what no device has read for so many milliseconds; null: as configured
    hold_unread_ms    INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE sessions (
    id         BLOB PRIMARY KEY,
    user_id    TEXT NOT NULL REFERENCES users (id),
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    ended_at   INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_by_user ON sessions (user_id);

-- Sending to a direct conversation touches this row and nothing else beside the new message: it holds the two
-- users, whether each may write (barred: deactivated, facing a deactivated user, or blocked), and how far each got by sending.
CREATE TABLE conversations (
    number          INTEGER PRIMARY KEY,
    id              BLOB NOT NULL UNIQUE,
    kind            INTEGER NOT NULL,
    title           TEXT,
    created_by      TEXT NOT NULL,
    created_at      INTEGER NOT NULL,
    last_seq        INTEGER NOT NULL DEFAULT 0,
    text_count      INTEGER NOT NULL DEFAULT 0,
    members_seq     INTEGER NOT NULL DEFAULT 0,
    member_count    INTEGER NOT NULL,
    first_seq       INTEGER NOT NULL DEFAULT 1,
    expired_texts   INTEGER NOT NULL DEFAULT 0,
    low_user        TEXT,
    high_user       TEXT,
    low_barred      INTEGER NOT NULL DEFAULT 0,
    high_barred     INTEGER NOT NULL DEFAULT 0,
    low_sent_seq    INTEGER NOT NULL DEFAULT 0,
    low_sent_texts  INTEGER NOT NULL DEFAULT 0,
    high_sent_seq   INTEGER NOT NULL DEFAULT 0,
    high_sent_texts INTEGER NOT NULL DEFAULT 0
) STRICT;

-- What makes creating a group twice harmless.
CREATE TABLE group_requests (
    creator_id      TEXT NOT NULL,
    client_id       BLOB NOT NULL,
    conversation_id BLOB NOT NULL,
    PRIMARY KEY (creator_id, client_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE members (
    conversation_id  BLOB NOT NULL REFERENCES conversations (id),
    user_id          TEXT NOT NULL REFERENCES users (id),
    kind             INTEGER NOT NULL,
    role             INTEGER NOT NULL,
    history_from_seq INTEGER NOT NULL DEFAULT 1,
    read_seq         INTEGER NOT NULL DEFAULT 0,
    read_texts       INTEGER NOT NULL DEFAULT 0,
    delivered_seq    INTEGER NOT NULL DEFAULT 0,
    -- what a device acknowledged while somebody looked at it: no phone rings for it
    seen_seq         INTEGER NOT NULL DEFAULT 0,
    notify           INTEGER,
    muted_until      INTEGER,
    PRIMARY KEY (conversation_id, user_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX members_by_user ON members (user_id, conversation_id, kind);

-- Where those who left wrote, for when they are erased.
CREATE TABLE former_members (
    user_id         TEXT NOT NULL,
    conversation_id BLOB NOT NULL,
    PRIMARY KEY (user_id, conversation_id)
) STRICT, WITHOUT ROWID;

-- Conversations as their members see them. How far a member got: in direct conversations sending moves the position on
-- the conversation, elsewhere on the member; what expired counts as read; having read implies having received.
CREATE VIEW seen AS
SELECT conversation_id, user_id, number, kind, title, created_at, last_seq, member_count, role, notify, muted_until,
       max(first_seq, history_from_seq) AS first_seq,
       read_seq,
       max(delivered_seq, read_seq) AS delivered_seq,
       seen_seq,
       text_count - read_texts AS unread
FROM (SELECT m.conversation_id, m.user_id, c.number, c.kind, c.title, c.created_at, c.last_seq, c.member_count, c.first_seq,
             c.text_count, m.role, m.notify, m.muted_until, m.history_from_seq, m.delivered_seq, m.seen_seq,
             max(m.read_seq, CASE m.user_id
                 WHEN c.low_user THEN c.low_sent_seq WHEN c.high_user THEN c.high_sent_seq ELSE 0 END) AS read_seq,
             max(m.read_texts, c.expired_texts, CASE m.user_id
                 WHEN c.low_user THEN c.low_sent_texts WHEN c.high_user THEN c.high_sent_texts ELSE 0 END) AS read_texts
      FROM members m JOIN conversations c ON c.id = m.conversation_id);

-- place is conversations.number * 2^32 + seq: one conversation's log lies together, and finding a place is SQLite's fastest look-up.
CREATE TABLE messages (
    place      INTEGER PRIMARY KEY,
    id         BLOB NOT NULL,
    kind       INTEGER NOT NULL,
    sender_id  TEXT NOT NULL,
    client_id  BLOB NOT NULL,
    text       TEXT,
    data       TEXT,
    target_seq INTEGER,
    -- JSON of what few entries have: reply_to, mentions, emoji, remove, user_ids, role
    extra      TEXT,
    created_at INTEGER NOT NULL,
    edited_at  INTEGER,
    deleted_at INTEGER,
    -- text entries of the conversation up to and with this one
    texts      INTEGER NOT NULL,
    conversation INTEGER GENERATED ALWAYS AS (place >> 32) VIRTUAL
) STRICT;
CREATE UNIQUE INDEX messages_by_client_id ON messages (conversation, sender_id, client_id);
-- Deleting blanks the edits too.
CREATE INDEX messages_by_target ON messages (conversation, target_seq) WHERE target_seq IS NOT NULL;

CREATE TABLE reactions (
    -- the place of the entry that it is under
    target  INTEGER NOT NULL,
    emoji   TEXT NOT NULL,
    user_id TEXT NOT NULL,
    -- of the entry that added it
    seq     INTEGER NOT NULL,
    PRIMARY KEY (target, emoji, user_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE devices (
    user_id        TEXT NOT NULL REFERENCES users (id),
    device_id      TEXT NOT NULL,
    platform       INTEGER NOT NULL,
    app_id         TEXT NOT NULL,
    environment    INTEGER,
    token          TEXT NOT NULL,
    session_id     BLOB,
    registered_at  INTEGER NOT NULL,
    last_seen_at   INTEGER,
    disabled_at    INTEGER,
    quarantined_at INTEGER,
    PRIMARY KEY (user_id, device_id),
    UNIQUE (platform, token)
) STRICT, WITHOUT ROWID;
CREATE INDEX devices_by_session ON devices (session_id) WHERE session_id IS NOT NULL;

-- What became of the push of one message to one device; a day of it.
CREATE TABLE push_traces (
    conversation_id BLOB NOT NULL,
    seq             INTEGER NOT NULL,
    user_id         TEXT NOT NULL,
    device_id       TEXT NOT NULL,
    decision        TEXT NOT NULL,
    decided_at      INTEGER NOT NULL,
    provider        TEXT,
    attempts        INTEGER NOT NULL,
    answered_at     INTEGER,
    status          INTEGER,
    answer          TEXT,
    PRIMARY KEY (conversation_id, seq, user_id, device_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX push_traces_by_age ON push_traces (decided_at);

-- Texts of which the push stage was not told yet: JSON, one row a batch, written with the batch. A row may outlive the telling.
CREATE TABLE push_outbox (
    id    INTEGER PRIMARY KEY,
    texts BLOB NOT NULL
) STRICT;

-- relation: 0 contact, 1 block
CREATE TABLE relations (
    relation INTEGER NOT NULL,
    user_id  TEXT NOT NULL,
    other_id TEXT NOT NULL,
    PRIMARY KEY (relation, user_id, other_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX relations_by_other ON relations (other_id, relation);
