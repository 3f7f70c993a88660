//! The contract on SQLite.

use std::sync::Arc;

use tidings::store::sqlite;

use super::Fixture;

async fn open() -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let store = sqlite::open(folder.path(), 2).unwrap();
    Fixture::new(Arc::new(store), folder)
}

super::contract!(super::open);
