use std::{path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

use super::{Problems, Secret, values};

/// `[postgres]`: the database of the distributed roles.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Postgres {
    #[serde(with = "values::optional")]
    pub url: Option<Secret>,
    #[serde(with = "values::optional")]
    pub ca_file: Option<PathBuf>,
    pub pool_size: usize,
    #[serde(with = "values::duration")]
    pub acquire_timeout: Duration,
    #[serde(with = "values::duration")]
    pub statement_timeout: Duration,
    #[serde(with = "values::duration")]
    pub connect_timeout: Duration,
    pub worker_connections: usize,
}

impl Postgres {
    pub(super) fn check(&self, problems: &mut Problems) {
        problems.scheme("postgres.url", self.url.as_ref(), &["postgres", "postgresql"]);
        problems.file("postgres.ca_file", self.ca_file.as_deref());
        problems.at_least("postgres.pool_size", self.pool_size, 1);
        problems.at_least("postgres.worker_connections", self.worker_connections, 1);
        for (key, value) in [
            ("postgres.acquire_timeout", self.acquire_timeout),
            ("postgres.statement_timeout", self.statement_timeout),
            ("postgres.connect_timeout", self.connect_timeout),
        ] {
            problems.positive(key, value);
        }
    }
}
