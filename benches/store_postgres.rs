//! What the Postgres store carries: appending texts to an empty and to a full log, and what a storm of logins asks for.
//!
//! `TIDINGS__POSTGRES__URL=… cargo bench --bench store_postgres -- [append] [fill ROWS] [vacuum] [cursors] [logins] [keep]`. It works in a schema of its
//! own, which it drops at the end. Beside the clock it shows the processor time of the server's backends (when they run on
//! this machine) and of this process, which other work on the machine disturbs less.

use std::time::{Duration, Instant};

use tidings::model::{
    Admission, Body, ClientId, ConversationId, EntryKind, NewEntry, Seq, Timestamp, UserId,
};
use tidings::store::postgres::{PostgresStore, Settings, connect, migrate};
use tidings::store::{Appended, Conversations, Cursors, Log, PageOf, Position, Users};

const SCHEMA: &str = "store_bench";
const USERS: usize = 15_000;
const NEIGHBOURS: usize = 10;

fn user(number: usize) -> UserId {
    UserId::parse(&format!("user-{:05}", number % USERS)).expect("a short name")
}

fn text(sender: &UserId, peer: &UserId, create: bool) -> NewEntry {
    NewEntry {
        conversation_id: ConversationId::direct(sender, peer),
        sender_id: sender.clone(),
        client_id: ClientId::new(),
        kind: EntryKind::Text,
        body: Body { text: Some("x".repeat(100)), ..Body::default() },
        peer: Some(peer.clone()),
        create,
        provision: create,
        received_ms: Timestamp::now().as_millis(),
        origin: None,
        push: None,
    }
}

/// `size` texts between pairs, each pair in turn.
fn batch(size: usize, turn: &mut usize, create: bool) -> Vec<NewEntry> {
    (0..size)
        .map(|_| {
            let pair = (*turn * 7919) % (USERS / 2);
            let (one, other) = (user(pair * 2), user(pair * 2 + 1));
            *turn += 1;
            if (*turn / (USERS / 2)).is_multiple_of(2) {
                text(&one, &other, create)
            } else {
                text(&other, &one, create)
            }
        })
        .collect()
}

async fn append(store: &PostgresStore, entries: &[NewEntry]) {
    let outcomes = store.append(entries).await.expect("appending");
    assert!(
        outcomes
            .iter()
            .all(|outcome| matches!(outcome, Appended::Stored(stored) if stored.original.is_none()))
    );
}

/// Processor seconds that this process and the server's backends have used so far.
struct Cpu {
    client: f64,
    server: f64,
}

impl Cpu {
    async fn now(admin: &tokio_postgres::Client) -> Self {
        let rows = admin
            .query("SELECT pid FROM pg_stat_activity WHERE application_name = $1", &[&SCHEMA])
            .await
            .expect("the backends");
        Self {
            client: seconds("self"),
            server: rows.iter().map(|row| seconds(&row.get::<_, i32>(0).to_string())).sum(),
        }
    }

    async fn since(&self, admin: &tokio_postgres::Client) -> Self {
        let now = Self::now(admin).await;
        Self { client: now.client - self.client, server: now.server - self.server }
    }
}

/// The user and system time of a process; 0 when it is not on this machine.
fn seconds(process: &str) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // The name, in parentheses, may contain blanks.
    let fields = stat.rsplit(')').next().unwrap_or_default();
    let ticks = |place| -> f64 {
        let field = fields.split_whitespace().nth(place);
        field.and_then(|field| field.parse().ok()).unwrap_or(0.0)
    };
    (ticks(11) + ticks(12)) / 100.0
}

async fn measure_append(store: &PostgresStore, admin: &tokio_postgres::Client, turn: &mut usize) {
    for size in [50, 200, 500, 1_500] {
        for _ in 0..8 {
            append(store, &batch(size, turn, false)).await;
        }
        let mut times = Vec::new();
        let cpu = Cpu::now(admin).await;
        let started = Instant::now();
        let mut spent = Duration::ZERO;
        while started.elapsed() < Duration::from_secs(5) {
            let entries = batch(size, turn, false);
            let begun = Instant::now();
            append(store, &entries).await;
            times.push(begun.elapsed());
            spent += begun.elapsed();
        }
        times.sort_unstable();
        let rows = (times.len() * size) as f64;
        let cpu = cpu.since(admin).await;
        println!(
            "append {size:>5} texts: {:>7.0} rows/s, ms a batch p50 {:.2} p99 {:.2}; CPU us a row: server {:.1}, client {:.1}",
            rows / spent.as_secs_f64(),
            times[times.len() / 2].as_secs_f64() * 1e3,
            times[times.len() * 99 / 100].as_secs_f64() * 1e3,
            cpu.server / rows * 1e6,
            cpu.client / rows * 1e6,
        );
    }
}

async fn fill(store: &PostgresStore, rows: usize, turn: &mut usize) {
    let started = Instant::now();
    for _ in 0..rows / 1_500 {
        append(store, &batch(1_500, turn, false)).await;
    }
    println!("filled {rows} rows in {:.1} s", started.elapsed().as_secs_f64());
}

/// Every user with the ten before and the ten after: 20 direct conversations each.
async fn befriend(store: &PostgresStore) {
    let started = Instant::now();
    let mut entries = Vec::new();
    for number in 0..USERS {
        for step in 1..=NEIGHBOURS {
            entries.push(text(&user(number), &user(number + step), true));
        }
    }
    for chunk in entries.chunks(1_500) {
        append(store, chunk).await;
    }
    println!(
        "made {} conversations with a text each in {:.1} s",
        entries.len(),
        started.elapsed().as_secs_f64()
    );
}

async fn measure_logins(store: &PostgresStore, admin: &tokio_postgres::Client, size: usize) {
    let (mut admit, mut groups, mut pages, mut listed) = (Duration::ZERO, Duration::ZERO, Duration::ZERO, 0);
    let mut calls = 0;
    let cpu = Cpu::now(admin).await;
    for first in (0..USERS).step_by(size) {
        let users: Vec<UserId> = (first..(first + size).min(USERS)).map(user).collect();
        let admissions: Vec<Admission> = users
            .iter()
            .map(|user_id| Admission {
                user_id: user_id.clone(),
                issued_at: None,
                session_id: None,
                provision: true,
            })
            .collect();
        let begun = Instant::now();
        store.admit(&admissions).await.expect("admitting");
        admit += begun.elapsed();
        let begun = Instant::now();
        store.groups_of(&users).await.expect("groups");
        groups += begun.elapsed();
        let asked: Vec<PageOf> = users
            .iter()
            .map(|user_id| PageOf { user_id: user_id.clone(), after: None, limit: 200 })
            .collect();
        let begun = Instant::now();
        let found = store.conversations_of(&asked).await.expect("pages");
        pages += begun.elapsed();
        listed += found.iter().map(Vec::len).sum::<usize>();
        calls += 1;
    }
    let cpu = cpu.since(admin).await;
    let each = |time: Duration| time.as_secs_f64() * 1e3 / f64::from(calls);
    println!(
        "{USERS} logins, {size} a call: admit {:.2} ms, groups_of {:.2} ms, conversations_of {:.2} ms a call; {:.2} s in all, {listed} conversations; CPU s: server {:.2}, client {:.2}",
        each(admit),
        each(groups),
        each(pages),
        (admit + groups + pages).as_secs_f64(),
        cpu.server,
        cpu.client
    );
}

/// Each call moves that many delivered positions, as the fold of every second does.
async fn measure_cursors(store: &PostgresStore, admin: &tokio_postgres::Client) {
    for (round, size) in [1_000, 5_000, 15_000].into_iter().enumerate() {
        let positions: Vec<Position> = (0..size)
            .map(|number| {
                // Each pair's reader of their second to last text: the senders have read their own by sending.
                let (one, other) = (user(number), user(number ^ 1));
                Position {
                    conversation_id: ConversationId::direct(&one, &other),
                    user_id: one,
                    read_seq: Seq::ZERO,
                    delivered_seq: Seq::new(1_000_000),
                    seen_seq: Seq::ZERO,
                }
            })
            .collect();
        // So that there is something to move again.
        append(store, &batch(USERS / 2, &mut (round * (USERS / 2)), false)).await;
        let cpu = Cpu::now(admin).await;
        let begun = Instant::now();
        let moved = store.advance(&positions).await.expect("advancing").len();
        let took = begun.elapsed();
        let cpu = cpu.since(admin).await;
        println!(
            "advance {size} positions: {moved} moved in {:.1} ms; CPU us each: server {:.1}, client {:.1}",
            took.as_secs_f64() * 1e3,
            cpu.server / f64::from(size as u32) * 1e6,
            cpu.client / f64::from(size as u32) * 1e6,
        );
    }
}

#[tokio::main]
async fn main() {
    let url = std::env::var("TIDINGS__POSTGRES__URL").expect("TIDINGS__POSTGRES__URL is set");
    let arguments: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let (admin, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.expect("a database");
    tokio::spawn(connection);
    admin
        .batch_execute(&format!("DROP SCHEMA IF EXISTS {SCHEMA} CASCADE; CREATE SCHEMA {SCHEMA}"))
        .await
        .expect("a schema");
    let separator = if url.contains('?') { '&' } else { '?' };
    let settings = Settings {
        url: format!("{url}{separator}options=-c%20search_path%3D{SCHEMA}&application_name={SCHEMA}"),
        ca_file: None,
        pool_size: 4,
        worker_connections: 2,
        acquire_timeout: Duration::from_secs(5),
        connect_timeout: Duration::from_secs(5),
        statement_timeout: Duration::from_secs(30),
    };
    migrate(&settings).await.expect("migrating");
    let store = connect(&settings).expect("settings");
    let mut turn = 0;
    // Both directions of every pair once, so that what is measured makes nothing.
    for _ in 0..USERS / 1_500 {
        append(&store, &batch(1_500, &mut turn, true)).await;
    }
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "append" => measure_append(&store, &admin, &mut turn).await,
            "fill" => {
                let rows = words.next().and_then(|rows| rows.parse().ok());
                fill(&store, rows.unwrap_or(2_000_000), &mut turn).await;
            }
            "vacuum" => {
                let command = format!("SET search_path = {SCHEMA}; VACUUM ANALYZE");
                for part in command.split(';') {
                    admin.batch_execute(part).await.expect("vacuuming");
                }
            }
            "logins" => {
                befriend(&store).await;
                for size in [20, 50, 200, 500] {
                    measure_logins(&store, &admin, size).await;
                }
            }
            "cursors" => measure_cursors(&store, &admin).await,
            "keep" => return,
            other => panic!("no such measurement: {other}"),
        }
    }
    drop(store);
    admin.batch_execute(&format!("DROP SCHEMA {SCHEMA} CASCADE")).await.expect("dropping the schema");
}
