//! The contract on Postgres.

use std::sync::Arc;

use super::Fixture;
use crate::support::postgres::Schema;

async fn open() -> Fixture {
    let (schema, store) = Schema::migrated().await;
    Fixture::new(Arc::new(store), schema)
}

super::contract!(super::open);
