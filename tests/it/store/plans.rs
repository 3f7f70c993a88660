//! Plans are made once, for tables as they are then, and live on while those grow.

use std::time::{Duration, Instant};

use tidings::model::{ConversationId, Seq, UserId};
use tidings::store::postgres::connect;
use tidings::store::{PageOf, Span, Store};

use crate::support::postgres::Schema;

const DEADLINE: Duration = Duration::from_secs(60);

/// 200 groups of 50, of 10,000 users who are in one each.
const FILL: &str = "
    INSERT INTO users (id, created_at) SELECT 'user ' || n, 1 FROM generate_series(0, 9999) AS n;
    INSERT INTO conversations (id, kind, title, created_by, created_at, member_count, last_seq, text_count)
    SELECT md5('group ' || n)::uuid, 1, 'group', 'user 0', 1, 50, 1, 1 FROM generate_series(0, 199) AS n;
    INSERT INTO members (conversation_id, user_id, kind, role)
    SELECT md5('group ' || n / 50)::uuid, 'user ' || n, 1, 2 FROM generate_series(0, 9999) AS n;
    INSERT INTO messages (conversation_id, seq, id, client_id, created_at, texts, kind, sender_id, text)
    SELECT md5('group ' || n)::uuid, 1, gen_random_uuid(), gen_random_uuid(), 1, 1, 0, 'user ' || n * 50, 'text'
    FROM generate_series(0, 199) AS n";

const READ: &str = "
    SELECT coalesce(sum(idx_tup_read), 0)::bigint,
           coalesce(sum(idx_tup_read) FILTER (WHERE indexrelname = 'messages_pkey'), 0)::bigint
    FROM pg_stat_user_indexes WHERE schemaname = current_schema()";

/// Everything that a storm of logins asks for, of so many users.
async fn log_in(store: &impl Store, users: &[UserId]) -> usize {
    let groups: Vec<ConversationId> =
        store.groups_of(users).await.unwrap().iter().flatten().map(|group| group.conversation_id).collect();
    let page = |user: &UserId| PageOf { user_id: user.clone(), after: None, limit: 100 };
    let pages = store.pages_of(&users.iter().map(page).collect::<Vec<_>>()).await.unwrap();
    assert_eq!(pages.iter().map(Vec::len).sum::<usize>(), groups.len());
    let ids = if groups.is_empty() { vec![ConversationId::new()] } else { groups };
    let members = store.shown_members(&ids).await.unwrap();
    let span = |(id, user): (&ConversationId, &UserId)| Span {
        conversation_id: *id,
        user_id: user.clone(),
        after: Seq::ZERO,
        up_to: Seq::new(1),
        limit: 100,
    };
    let entries = store.spans(&ids.iter().zip(users).map(span).collect::<Vec<_>>()).await.unwrap();
    members.iter().map(Vec::len).sum::<usize>() + entries.iter().map(Vec::len).sum::<usize>()
}

#[tokio::test]
async fn a_login_reads_its_own_rows_though_it_was_planned_when_there_were_none() {
    let (schema, _) = Schema::migrated().await;
    let mut settings = schema.settings.clone();
    // One connection, so that every statement has its plan from the first time.
    settings.pool_size = 1;
    let store = connect(&settings).unwrap();
    let users = [0, 7_777].map(|number| UserId::parse(&format!("user {number}")).unwrap());
    assert_eq!(log_in(&store, &users).await, 0);

    let client = schema.client().await;
    client.batch_execute(FILL).await.unwrap();
    assert_eq!(log_in(&store, &users).await, 2 * 50 + 2);
    let began = Instant::now();
    loop {
        // A connection tells its counts at the end of a statement, once a second at most.
        store.ping().await.unwrap();
        let row = client.query_one(READ, &[]).await.unwrap();
        let (all, messages): (i64, i64) = (row.get(0), row.get(1));
        if messages > 0 {
            assert!(all < 1000, "{all} rows of indexes for two logins");
            return;
        }
        assert!(began.elapsed() < DEADLINE, "nothing was counted");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
