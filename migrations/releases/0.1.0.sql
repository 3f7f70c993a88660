CREATE TABLE public.blocks (
    user_id text NOT NULL COLLATE pg_catalog."C",
    other_id text NOT NULL COLLATE pg_catalog."C"
);
CREATE TABLE public.contacts (
    user_id text NOT NULL COLLATE pg_catalog."C",
    other_id text NOT NULL COLLATE pg_catalog."C"
);
CREATE TABLE public.conversations (
    id uuid NOT NULL,
    kind smallint NOT NULL,
    low_user text COLLATE pg_catalog."C",
    high_user text COLLATE pg_catalog."C",
    title text,
    created_by text NOT NULL COLLATE pg_catalog."C",
    created_at bigint NOT NULL,
    member_count bigint NOT NULL,
    members_seq bigint DEFAULT 0 NOT NULL,
    last_seq bigint DEFAULT 0 NOT NULL,
    text_count bigint DEFAULT 0 NOT NULL,
    first_seq bigint DEFAULT 1 NOT NULL,
    expired_texts bigint DEFAULT 0 NOT NULL,
    oldest_at bigint,
    low_sent_seq bigint DEFAULT 0 NOT NULL,
    low_sent_texts bigint DEFAULT 0 NOT NULL,
    high_sent_seq bigint DEFAULT 0 NOT NULL,
    high_sent_texts bigint DEFAULT 0 NOT NULL,
    CONSTRAINT conversations_check CHECK (
CASE kind
    WHEN 0 THEN COALESCE((low_user < high_user), false)
    ELSE ((low_user IS NULL) AND (high_user IS NULL))
END)
)
WITH (fillfactor='50');
CREATE TABLE public.devices (
    user_id text NOT NULL COLLATE pg_catalog."C",
    device_id text NOT NULL COLLATE pg_catalog."C",
    platform smallint NOT NULL,
    token text NOT NULL,
    token_hash bytea NOT NULL,
    app_id text NOT NULL,
    environment smallint,
    session_id uuid,
    registered_at bigint NOT NULL,
    last_seen_at bigint,
    disabled_at bigint,
    quarantined_at bigint
);
CREATE TABLE public.former_members (
    user_id text NOT NULL COLLATE pg_catalog."C",
    conversation_id uuid NOT NULL
);
CREATE TABLE public.group_requests (
    creator_id text NOT NULL COLLATE pg_catalog."C",
    client_id uuid NOT NULL,
    conversation_id uuid NOT NULL
);
CREATE TABLE public.members (
    conversation_id uuid NOT NULL,
    user_id text NOT NULL COLLATE pg_catalog."C",
    kind smallint NOT NULL,
    role smallint NOT NULL,
    history_from_seq bigint DEFAULT 1 NOT NULL,
    read_seq bigint DEFAULT 0 NOT NULL,
    read_texts bigint DEFAULT 0 NOT NULL,
    delivered_seq bigint DEFAULT 0 NOT NULL,
    seen_seq bigint DEFAULT 0 NOT NULL,
    notify smallint,
    muted_until bigint
)
WITH (fillfactor='70');
CREATE VIEW public.member_positions AS
 SELECT m.conversation_id,
    m.user_id,
    m.kind,
    m.role,
    m.notify,
    m.muted_until,
    GREATEST(m.history_from_seq, c.first_seq) AS first_seq,
    GREATEST(m.read_seq, sent.seq) AS read_seq,
    GREATEST(m.read_seq, sent.seq, m.delivered_seq) AS delivered_seq,
    m.seen_seq,
    (c.text_count - GREATEST(m.read_texts, sent.texts, c.expired_texts)) AS unread,
    c.last_seq,
    c.text_count,
    c.title,
    c.created_at,
    c.member_count,
        CASE m.user_id
            WHEN c.low_user THEN c.high_user
            ELSE c.low_user
        END AS peer_id,
        CASE m.user_id
            WHEN c.low_user THEN c.high_sent_seq
            ELSE c.low_sent_seq
        END AS peer_sent_seq
   FROM ((public.members m
     JOIN public.conversations c ON ((c.id = m.conversation_id)))
     CROSS JOIN LATERAL ( SELECT
                CASE m.user_id
                    WHEN c.low_user THEN c.low_sent_seq
                    WHEN c.high_user THEN c.high_sent_seq
                    ELSE (0)::bigint
                END AS seq,
                CASE m.user_id
                    WHEN c.low_user THEN c.low_sent_texts
                    WHEN c.high_user THEN c.high_sent_texts
                    ELSE (0)::bigint
                END AS texts) sent);
CREATE TABLE public.messages (
    conversation_id uuid NOT NULL,
    seq bigint NOT NULL,
    id uuid NOT NULL,
    client_id uuid NOT NULL,
    created_at bigint NOT NULL,
    texts bigint NOT NULL,
    target_seq bigint,
    edited_at bigint,
    deleted_at bigint,
    kind smallint NOT NULL,
    sender_id text NOT NULL COLLATE pg_catalog."C",
    text text,
    data text,
    extra text
);
CREATE TABLE public.push_traces (
    conversation_id uuid NOT NULL,
    seq bigint NOT NULL,
    user_id text NOT NULL COLLATE pg_catalog."C",
    device_id text NOT NULL COLLATE pg_catalog."C",
    decision text NOT NULL,
    decided_at bigint NOT NULL,
    provider text,
    attempts bigint NOT NULL,
    answered_at bigint,
    status integer,
    answer text
);
CREATE TABLE public.reactions (
    conversation_id uuid NOT NULL,
    target_seq bigint NOT NULL,
    emoji text NOT NULL COLLATE pg_catalog."C",
    user_id text NOT NULL COLLATE pg_catalog."C",
    seq bigint NOT NULL
);
CREATE TABLE public.schema_migrations (
    version bigint NOT NULL,
    name text NOT NULL,
    applied_at bigint NOT NULL
);
CREATE TABLE public.sessions (
    id uuid NOT NULL,
    user_id text NOT NULL COLLATE pg_catalog."C",
    created_at bigint NOT NULL,
    expires_at bigint NOT NULL,
    ended_at bigint
);
CREATE TABLE public.users (
    id text NOT NULL COLLATE pg_catalog."C",
    display_name text,
    avatar_url text,
    password_hash text,
    created_at bigint NOT NULL,
    deactivated_at bigint,
    erased_at bigint,
    tokens_valid_from bigint,
    quiet_from smallint,
    quiet_until smallint,
    quiet_zone text,
    hold_unread_ms bigint
);
ALTER TABLE ONLY public.blocks
    ADD CONSTRAINT blocks_pkey PRIMARY KEY (user_id, other_id);
ALTER TABLE ONLY public.contacts
    ADD CONSTRAINT contacts_pkey PRIMARY KEY (user_id, other_id);
ALTER TABLE ONLY public.conversations
    ADD CONSTRAINT conversations_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.devices
    ADD CONSTRAINT devices_pkey PRIMARY KEY (user_id, device_id);
ALTER TABLE ONLY public.devices
    ADD CONSTRAINT devices_platform_token_hash_key UNIQUE (platform, token_hash);
ALTER TABLE ONLY public.former_members
    ADD CONSTRAINT former_members_pkey PRIMARY KEY (user_id, conversation_id);
ALTER TABLE ONLY public.group_requests
    ADD CONSTRAINT group_requests_pkey PRIMARY KEY (creator_id, client_id);
ALTER TABLE ONLY public.members
    ADD CONSTRAINT members_pkey PRIMARY KEY (conversation_id, user_id);
ALTER TABLE ONLY public.messages
    ADD CONSTRAINT messages_once UNIQUE (conversation_id, sender_id, client_id);
ALTER TABLE ONLY public.messages
    ADD CONSTRAINT messages_pkey PRIMARY KEY (conversation_id, seq);
ALTER TABLE ONLY public.push_traces
    ADD CONSTRAINT push_traces_pkey PRIMARY KEY (conversation_id, seq, user_id, device_id);
ALTER TABLE ONLY public.reactions
    ADD CONSTRAINT reactions_pkey PRIMARY KEY (conversation_id, target_seq, emoji, user_id);
ALTER TABLE ONLY public.schema_migrations
    ADD CONSTRAINT schema_migrations_pkey PRIMARY KEY (version);
ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT sessions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_pkey PRIMARY KEY (id);
CREATE INDEX blocks_by_other ON public.blocks USING btree (other_id);
CREATE INDEX contacts_by_other ON public.contacts USING btree (other_id);
CREATE INDEX conversations_by_oldest ON public.conversations USING btree (oldest_at) WHERE (oldest_at IS NOT NULL);
CREATE INDEX devices_of_session ON public.devices USING btree (session_id) WHERE (session_id IS NOT NULL);
CREATE INDEX members_groups ON public.members USING btree (user_id, conversation_id) INCLUDE (kind) WHERE (kind <> 0);
CREATE INDEX members_of_user ON public.members USING btree (user_id, conversation_id);
CREATE INDEX messages_edits ON public.messages USING btree (conversation_id, target_seq) WHERE (kind = 1);
CREATE INDEX push_traces_by_age ON public.push_traces USING btree (decided_at);
CREATE INDEX sessions_of_user ON public.sessions USING btree (user_id);
CREATE INDEX users_deactivated ON public.users USING btree (id) WHERE (deactivated_at IS NOT NULL);
ALTER TABLE ONLY public.blocks
    ADD CONSTRAINT blocks_other_id_fkey FOREIGN KEY (other_id) REFERENCES public.users(id);
ALTER TABLE ONLY public.blocks
    ADD CONSTRAINT blocks_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id);
ALTER TABLE ONLY public.contacts
    ADD CONSTRAINT contacts_other_id_fkey FOREIGN KEY (other_id) REFERENCES public.users(id);
ALTER TABLE ONLY public.contacts
    ADD CONSTRAINT contacts_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id);
ALTER TABLE ONLY public.devices
    ADD CONSTRAINT devices_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id);
ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT sessions_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id);
INSERT INTO public.schema_migrations VALUES (1, 'initial', 0);
