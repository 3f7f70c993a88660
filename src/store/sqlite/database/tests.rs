use std::sync::mpsc;

use futures_util::future::{join, join_all};
use futures_util::poll;
use tokio::time::timeout;

use super::*;

/// No test waits longer for anything.
const DEADLINE: Duration = Duration::from_secs(30);

const SCHEMA: &[Migration] = &[Migration {
    version: 1,
    name: "initial",
    sql: "CREATE TABLE parents (id INTEGER PRIMARY KEY);
          CREATE TABLE numbers (
              n INTEGER PRIMARY KEY, parent INTEGER REFERENCES parents (id) DEFERRABLE INITIALLY DEFERRED);",
}];

fn open(folder: &Path) -> Result<Database, DatabaseError> {
    Database::open(folder, "test.sqlite", SCHEMA, 1)
}

fn count(connection: &Connection) -> Result<i64, DatabaseError> {
    Ok(connection.query_row("SELECT count(*) FROM numbers", [], |row| row.get(0))?)
}

fn insert(connection: &Connection, n: i64) -> Result<(), DatabaseError> {
    connection.execute("INSERT INTO numbers (n) VALUES (?1)", [n])?;
    Ok(())
}

/// Somebody else's look at the file, which sees what is committed.
fn committed(folder: &Path) -> i64 {
    count(&Connection::open(folder.join("test.sqlite")).unwrap()).unwrap()
}

type Answer = Result<(), DatabaseError>;
type Call = Box<dyn FnMut(&Connection) -> Answer + Send>;

/// Has the writer find all of these waiting when it is free, so that they share a transaction.
async fn write_together(database: &Database, calls: Vec<Call>) -> Vec<Answer> {
    let (release, released) = mpsc::channel::<()>();
    let busy = database.write(move |_| {
        let _ = released.recv();
        Ok::<_, DatabaseError>(())
    });
    let calls = calls.into_iter().map(|call| database.write(call));
    let mut all = Box::pin(join(busy, join_all(calls)));
    assert!(poll!(&mut all).is_pending());
    drop(release);
    // It may share their transaction, and then their fate.
    let (_, answers) = timeout(DEADLINE, all).await.unwrap();
    answers
}

#[tokio::test]
async fn calls_that_wait_share_a_transaction() {
    let folder = tempfile::tempdir().unwrap();
    let database = open(folder.path()).unwrap();
    let (seen, sees) = mpsc::channel();
    let path = folder.path().to_owned();
    let calls: Vec<Call> = vec![
        Box::new(|connection| insert(connection, 1)),
        Box::new(move |connection| {
            seen.send((count(connection)?, committed(&path))).unwrap();
            insert(connection, 2)
        }),
    ];
    for answer in write_together(&database, calls).await {
        answer.unwrap();
    }
    // The second call saw the first one's row, which was not committed then.
    assert_eq!(sees.recv().unwrap(), (1, 0));
    assert_eq!(committed(folder.path()), 2);
}

#[tokio::test]
async fn a_failing_call_undoes_what_it_did_and_takes_no_other_along() {
    let folder = tempfile::tempdir().unwrap();
    let database = open(folder.path()).unwrap();
    let calls: Vec<Call> = vec![
        Box::new(|connection| insert(connection, 1)),
        Box::new(|connection| {
            insert(connection, 2)?;
            // Taken already: the statement fails, and so does the call.
            insert(connection, 1)
        }),
        Box::new(|connection| insert(connection, 3)),
        Box::new(|connection| {
            insert(connection, 4)?;
            panic!("on purpose");
        }),
        Box::new(|connection| insert(connection, 5)),
    ];
    let answers = write_together(&database, calls).await;
    assert!(matches!(
        answers.as_slice(),
        [Ok(()), Err(DatabaseError::Sqlite(_)), Ok(()), Err(DatabaseError::Panicked), Ok(())]
    ));
    let sum = |connection: &Connection| -> Result<i64, DatabaseError> {
        Ok(connection.query_row("SELECT sum(n) FROM numbers", [], |row| row.get(0))?)
    };
    assert_eq!(database.read(sum).await.unwrap(), 1 + 3 + 5);
    // Alone, too.
    let alone = database.write(|connection| insert(connection, 1)).await;
    assert!(matches!(alone, Err(DatabaseError::Sqlite(_))));
    assert_eq!(committed(folder.path()), 3);
}

#[tokio::test]
async fn nobody_is_told_of_success_when_the_commit_fails() {
    let folder = tempfile::tempdir().unwrap();
    let database = open(folder.path()).unwrap();
    let orphan = "INSERT INTO numbers (n, parent) VALUES (2, 99)";
    let calls: Vec<Call> = vec![
        Box::new(|connection| insert(connection, 1)),
        Box::new(move |connection| Ok(connection.execute_batch(orphan)?)),
    ];
    for answer in write_together(&database, calls).await {
        assert!(matches!(answer, Err(DatabaseError::NotCommitted(_))));
    }
    assert_eq!(committed(folder.path()), 0);
    // The writer goes on.
    database.write(|connection| insert(connection, 3)).await.unwrap();
    assert_eq!(committed(folder.path()), 1);
}

#[tokio::test]
async fn a_read_keeps_its_snapshot_and_the_next_one_sees_what_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let database = open(folder.path()).unwrap();
    let (started, starts) = tokio::sync::oneshot::channel();
    let (release, released) = mpsc::channel::<()>();
    let reading = database.read(move |connection| {
        let before = count(connection)?;
        started.send(()).unwrap();
        let _ = released.recv();
        Ok::<_, DatabaseError>((before, count(connection)?))
    });
    let writing = async {
        starts.await.unwrap();
        database.write(|connection| insert(connection, 1)).await.unwrap();
        drop(release);
    };
    let (read, ()) = timeout(DEADLINE, join(reading, writing)).await.unwrap();
    assert_eq!(read.unwrap(), (0, 0));
    assert_eq!(database.read(count).await.unwrap(), 1);
}

#[tokio::test]
async fn a_reader_cannot_write_and_survives_a_panic() {
    let folder = tempfile::tempdir().unwrap();
    let database = open(folder.path()).unwrap();
    let refused = database.read(|connection| insert(connection, 1)).await;
    assert!(matches!(refused, Err(DatabaseError::Sqlite(_))));
    let panicked: Answer = database.read(|_| panic!("on purpose")).await;
    assert!(matches!(panicked, Err(DatabaseError::Panicked)));
    assert_eq!(database.read(count).await.unwrap(), 0);
}

#[tokio::test]
async fn a_folder_has_one_owner_at_a_time_and_keeps_its_data() {
    let folder = tempfile::tempdir().unwrap();
    let database = open(folder.path()).unwrap();
    database.write(|connection| insert(connection, 1)).await.unwrap();
    assert!(matches!(open(folder.path()), Err(DatabaseError::InUse(_))));
    drop(database);
    let again = open(folder.path()).unwrap();
    assert_eq!(again.read(count).await.unwrap(), 1);
}

#[test]
fn a_database_of_a_newer_release_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()).unwrap());
    let connection = Connection::open(folder.path().join("test.sqlite")).unwrap();
    let newer = "INSERT INTO schema_migrations (version, name, applied_at) VALUES (7, 'later', 0)";
    connection.execute_batch(newer).unwrap();
    let Err(refused) = open(folder.path()) else {
        panic!("it was opened");
    };
    assert!(matches!(refused, DatabaseError::TooNew { found: 7, known: 1 }));
    assert!(refused.to_string().contains("newer release"));
}
