-- Times are milliseconds since 1970. Names of users compare by their bytes (COLLATE "C"), as they do in the code.
-- Codes: conversations.kind 0 direct, 1 group, 2 channel; members.role 0 owner, 1 admin, 2 member;
-- members.notify 0 all, 1 mentions, 2 none; messages.kind 0 text, 1 edit, 2 delete, 3 reaction, 4 member_joined,
-- 5 member_left, 6 title_changed, 7 role_changed.

CREATE TABLE users (
    id                text COLLATE "C" PRIMARY KEY,
    display_name      text,
    avatar_url        text,
    -- argon2id, PHC format; only of built-in accounts
    password_hash     text,
    created_at        bigint NOT NULL,
    deactivated_at    bigint,
    erased_at         bigint,
    -- tokens issued before it are refused
    tokens_valid_from bigint,
    -- no alert between these minutes of a day in that zone of the IANA database; all three or none
    quiet_from        smallint,
    quiet_until       smallint,
    quiet_zone        text,
    -- ring only for what no device has read for so many milliseconds; null: as configured
    hold_unread_ms    bigint
);

-- Every text asks whether one of two users is deactivated: in the index of those few the answer is a page away.
CREATE INDEX users_deactivated ON users (id) WHERE deactivated_at IS NOT NULL;

CREATE TABLE sessions (
    id         uuid PRIMARY KEY,
    user_id    text COLLATE "C" NOT NULL REFERENCES users (id),
    created_at bigint NOT NULL,
    expires_at bigint NOT NULL,
    ended_at   bigint
);
CREATE INDEX sessions_of_user ON sessions (user_id);

-- Every append updates its conversation's row. The free space keeps those updates on the page (HOT), so no column that
-- appending changes may ever be indexed.
CREATE TABLE conversations (
    id             uuid PRIMARY KEY,
    kind           smallint NOT NULL,
    -- the two users of a direct conversation; its id follows from them, so they need no index of their own
    low_user       text COLLATE "C",
    high_user      text COLLATE "C",
    title          text,
    created_by     text COLLATE "C" NOT NULL,
    created_at     bigint NOT NULL,
    member_count   bigint NOT NULL,
    -- the seq of the last change of members
    members_seq    bigint NOT NULL DEFAULT 0,
    last_seq       bigint NOT NULL DEFAULT 0,
    -- how many of the entries so far are texts
    text_count     bigint NOT NULL DEFAULT 0,
    -- where history begins after retention, the texts that went before it, and the age of the oldest entry that is there
    first_seq      bigint NOT NULL DEFAULT 1,
    expired_texts  bigint NOT NULL DEFAULT 0,
    oldest_at      bigint,
    -- direct: how far each has read by sending, kept here because sending writes this row anyway
    low_sent_seq   bigint NOT NULL DEFAULT 0,
    low_sent_texts bigint NOT NULL DEFAULT 0,
    high_sent_seq   bigint NOT NULL DEFAULT 0,
    high_sent_texts bigint NOT NULL DEFAULT 0,
    CHECK (CASE kind WHEN 0 THEN coalesce(low_user < high_user, false) ELSE low_user IS NULL AND high_user IS NULL END)
) WITH (fillfactor = 50);
-- Set with the first entry and by retention only.
CREATE INDEX conversations_by_oldest ON conversations (oldest_at) WHERE oldest_at IS NOT NULL;

-- What a retry of making a group finds.
CREATE TABLE group_requests (
    creator_id      text COLLATE "C" NOT NULL,
    client_id       uuid NOT NULL,
    conversation_id uuid NOT NULL,
    PRIMARY KEY (creator_id, client_id)
);

CREATE TABLE members (
    conversation_id  uuid NOT NULL,
    user_id          text COLLATE "C" NOT NULL,
    -- the conversation's
    kind             smallint NOT NULL,
    role             smallint NOT NULL,
    -- the seq of the entry by which they joined; 1 for the first members
    history_from_seq bigint NOT NULL DEFAULT 1,
    read_seq         bigint NOT NULL DEFAULT 0,
    -- the texts up to read_seq
    read_texts       bigint NOT NULL DEFAULT 0,
    delivered_seq    bigint NOT NULL DEFAULT 0,
    -- what a device acknowledged while somebody looked at it: no phone rings for it
    seen_seq         bigint NOT NULL DEFAULT 0,
    -- null: the default
    notify           smallint,
    muted_until      bigint,
    PRIMARY KEY (conversation_id, user_id)
) WITH (fillfactor = 70);
CREATE INDEX members_of_user ON members (user_id, conversation_id);
-- Routing asks for groups only, of users who may have thousands of direct conversations.
CREATE INDEX members_groups ON members (user_id, conversation_id) INCLUDE (kind) WHERE kind <> 0;

-- Who left a conversation that still has texts of theirs: what erasing them has to visit.
CREATE TABLE former_members (
    user_id         text COLLATE "C" NOT NULL,
    conversation_id uuid NOT NULL,
    PRIMARY KEY (user_id, conversation_id)
);

CREATE TABLE messages (
    conversation_id uuid NOT NULL,
    seq             bigint NOT NULL,
    id              uuid NOT NULL,
    client_id       uuid NOT NULL,
    created_at      bigint NOT NULL,
    -- the conversation's texts up to and including this entry
    texts           bigint NOT NULL,
    target_seq      bigint,
    edited_at       bigint,
    deleted_at      bigint,
    kind            smallint NOT NULL,
    sender_id       text COLLATE "C" NOT NULL,
    text            text,
    -- the application's JSON as it was written: jsonb refuses some of what JSON allows
    data            text,
    -- JSON: reply_to, mentions, emoji, remove, user_ids, role
    extra           text,
    PRIMARY KEY (conversation_id, seq),
    CONSTRAINT messages_once UNIQUE (conversation_id, sender_id, client_id)
);

-- A delete blanks the edits of its target too.
CREATE INDEX messages_edits ON messages (conversation_id, target_seq) WHERE kind = 1;

CREATE TABLE reactions (
    conversation_id uuid NOT NULL,
    target_seq      bigint NOT NULL,
    emoji           text COLLATE "C" NOT NULL,
    user_id         text COLLATE "C" NOT NULL,
    -- the reaction's own entry: who came first
    seq             bigint NOT NULL,
    PRIMARY KEY (conversation_id, target_seq, emoji, user_id)
);

CREATE TABLE devices (
    user_id        text COLLATE "C" NOT NULL REFERENCES users (id),
    device_id      text COLLATE "C" NOT NULL,
    platform       smallint NOT NULL,
    token          text NOT NULL,
    -- SHA-256: a token may be longer than what an index takes
    token_hash     bytea NOT NULL,
    app_id         text NOT NULL,
    environment    smallint,
    session_id     uuid,
    registered_at  bigint NOT NULL,
    last_seen_at   bigint,
    disabled_at    bigint,
    quarantined_at bigint,
    PRIMARY KEY (user_id, device_id),
    UNIQUE (platform, token_hash)
);
CREATE INDEX devices_of_session ON devices (session_id) WHERE session_id IS NOT NULL;

-- What became of the push of one message to one device; a day of it.
CREATE TABLE push_traces (
    conversation_id uuid NOT NULL,
    seq             bigint NOT NULL,
    user_id         text COLLATE "C" NOT NULL,
    device_id       text COLLATE "C" NOT NULL,
    decision        text NOT NULL,
    decided_at      bigint NOT NULL,
    provider        text,
    attempts        bigint NOT NULL,
    answered_at     bigint,
    status          integer,
    answer          text,
    PRIMARY KEY (conversation_id, seq, user_id, device_id)
);
CREATE INDEX push_traces_by_age ON push_traces (decided_at);

CREATE TABLE contacts (
    user_id  text COLLATE "C" NOT NULL REFERENCES users (id),
    other_id text COLLATE "C" NOT NULL REFERENCES users (id),
    PRIMARY KEY (user_id, other_id)
);
CREATE INDEX contacts_by_other ON contacts (other_id);

CREATE TABLE blocks (
    user_id  text COLLATE "C" NOT NULL REFERENCES users (id),
    other_id text COLLATE "C" NOT NULL REFERENCES users (id),
    PRIMARY KEY (user_id, other_id)
);
CREATE INDEX blocks_by_other ON blocks (other_id);

-- How far each member really got: the greater of what they said and what sending moved, and having read implies having received.
CREATE VIEW member_positions AS
SELECT m.conversation_id, m.user_id, m.kind, m.role, m.notify, m.muted_until,
       greatest(m.history_from_seq, c.first_seq) AS first_seq,
       greatest(m.read_seq, sent.seq) AS read_seq,
       greatest(m.read_seq, sent.seq, m.delivered_seq) AS delivered_seq,
       m.seen_seq,
       c.text_count - greatest(m.read_texts, sent.texts, c.expired_texts) AS unread,
       c.last_seq, c.text_count, c.title, c.created_at, c.member_count,
       -- of a direct conversation: the other user, and how far they have read by sending
       CASE m.user_id WHEN c.low_user THEN c.high_user ELSE c.low_user END AS peer_id,
       CASE m.user_id WHEN c.low_user THEN c.high_sent_seq ELSE c.low_sent_seq END AS peer_sent_seq
FROM members m
JOIN conversations c ON c.id = m.conversation_id
CROSS JOIN LATERAL (
    SELECT CASE m.user_id WHEN c.low_user THEN c.low_sent_seq WHEN c.high_user THEN c.high_sent_seq ELSE 0 END AS seq,
           CASE m.user_id WHEN c.low_user THEN c.low_sent_texts WHEN c.high_user THEN c.high_sent_texts ELSE 0 END AS texts
) AS sent;
